//! Random trees: names that sort, mask and match in every way.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use keepalive_policy::sysctl::{Desired, Key};

use crate::arena::{Arena, write_file};
use crate::random::Random;
use crate::text;

const DIRECTORIES: [&str; 4] =
    ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d"];

const NAMES: [&[u8]; 36] = [
    b"10-a.conf",
    b"9-x.conf",
    b"50-a.conf",
    b"50-b.conf",
    b"50.conf",
    b"50_a.conf",
    b"B.conf",
    b"a.conf",
    b"99-sysctl.conf",
    b"99-zz.conf",
    b"99-zz-keepalive-policy.conf",
    b"99-zzz.conf",
    b"zz-top.conf",
    b"zzzz.conf",
    b"~x.conf",
    b".hidden.conf",
    b".conf",
    b"x.conf~",
    b"README",
    b"50-[ab].conf",
    b"50-{a,c}.conf",
    b"50-?.conf",
    b"5*.conf",
    b"x\\.conf",
    b"50\\-a.conf",
    b"{x.conf",
    b"[x.conf",
    b"\xff\xff.conf",
    b"\xc3\xa9.conf",
    b"99-[!a]*.conf",
    b"-.conf",
    b"90 blank.conf",
    b"9[89]-zz-keepalive-policy.conf",
    b"50-{a}.conf",
    b"{a,B}{,x}.conf",
    b"zzz-{a,keepalive-policy}.conf",
];

/// Fills the arena.
pub fn plant(random: &mut Random, arena: &Arena) {
    for directory in DIRECTORIES {
        plant_directory(random, arena, directory);
    }
    let sysctl_conf = arena.path("etc/sysctl.conf");
    match random.below(20) {
        0..7 => {}
        7 => std::fs::create_dir(&sysctl_conf).unwrap(),
        8 => symlink("sysctl.d/10-a.conf", &sysctl_conf).unwrap(),
        9 => symlink("/dev/null", &sysctl_conf).unwrap(),
        10 => {
            write_file(&arena.path("usr/local/sysctl.conf"), &text::content(random));
            symlink("../usr/local/sysctl.conf", &sysctl_conf).unwrap();
        }
        _ => write_file(&sysctl_conf, &text::content(random)),
    }
    if random.chance(6) {
        let store = *random.pick(&["etc/credstore", "run/credstore", "usr/local/lib/credstore"]);
        std::fs::create_dir_all(arena.path(store)).unwrap();
        write_file(&arena.path(store).join("sysctl.extra"), &text::content(random));
    }
}

fn plant_directory(random: &mut Random, arena: &Arena, directory: &str) {
    let path = arena.path(directory);
    if !path.exists() {
        match random.below(20) {
            // Always there: its parent is not ours to change, or its removal is not restored.
            _ if directory == "etc/sysctl.d" && random.chance(90) => {
                std::fs::create_dir(&path).unwrap();
            }
            0..3 if directory != "etc/sysctl.d" => return,
            3 => {
                std::fs::create_dir_all(arena.path("etc/other.d")).unwrap();
                // Relative, since this process is outside of the arena.
                let up = "../".repeat(directory.matches('/').count());
                symlink(format!("{up}etc/other.d"), &path).unwrap();
            }
            4 => return symlink("loop", &path).unwrap(),
            5 if directory != "etc/sysctl.d" => return write_file(&path, b"no directory"),
            _ => std::fs::create_dir(&path).unwrap(),
        }
    }
    for _ in 0..random.below(5) {
        let name = *random.pick(&NAMES);
        plant_file(random, &path, name);
    }
}

fn plant_file(random: &mut Random, directory: &Path, name: &[u8]) {
    let path = directory.join(OsStr::from_bytes(name));
    if path.symlink_metadata().is_ok() {
        return;
    }
    let links = ["/dev/null", "nowhere", "10-a.conf", "../sysctl.conf", "/etc/sysctl.conf", "."];
    match random.below(20) {
        0 => write_file(&path, b""),
        1 => std::fs::create_dir(&path).unwrap(),
        2 => symlink(OsStr::from_bytes(name), &path).unwrap(),
        3..5 => symlink(random.pick(&links), &path).unwrap(),
        _ if name == b"99-sysctl.conf" => symlink("../sysctl.conf", &path).unwrap(),
        _ => write_file(&path, &text::content(random)),
    }
}

/// Some or all of the keys, with values that a policy may have.
pub fn desired(random: &mut Random) -> Desired {
    let mut values = BTreeMap::new();
    for key in Key::ALL {
        if random.chance(80) {
            let value = match key {
                Key::KeepaliveProbes => 1 + random.below(255),
                Key::Retries2 => 3 + random.below(253),
                _ => 1 + random.below(32_767),
            };
            values.insert(key, u32::try_from(value).unwrap());
        }
    }
    if values.is_empty() {
        values.insert(Key::KeepaliveTime, 600);
    }
    Desired { values }
}
