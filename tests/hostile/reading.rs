//! What is read: only regular files are opened. A device, a terminal or a FIFO never notices that
//! we looked, whichever file of ours, of the host or of a user it stands for.

use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::program;

/// Every place from which a file is read.
const PLACES: [&str; 14] = [
    "root/.ssh/config",
    "home/bob/.ssh/config",
    "etc/passwd",
    "etc/group",
    "etc/ssh/ssh_config",
    "etc/ssh/ssh_config.d/a.conf",
    "etc/ssh/sshd_config",
    "etc/ssh/sshd_config.d/a.conf",
    "etc/sysctl.conf",
    "etc/sysctl.d/a.conf",
    "etc/keepalive-policy.toml",
    "var/lib/keepalive-policy/originals.json",
    "run/keepalive-policy/status.json",
    "etc/default/ufw",
];

/// Row: ~/.ssh/config is a link to /dev/ttyS0, /dev/ptmx or a watchdog, which then is opened.
#[test]
fn no_device_is_opened_wherever_it_stands() {
    let tree = tempfile::tempdir().unwrap();
    let at = |path: &str| tree.path().join(path);
    fs::create_dir(at("dev")).unwrap();
    // A terminal, a pair of them made at each opening, a FIFO, and what triggers a watchdog: of a
    // number that no driver has.
    let nodes = [
        ("ttyS0", FileType::CharacterDevice, makedev(4, 64)),
        ("ptmx", FileType::CharacterDevice, makedev(5, 2)),
        ("fifo", FileType::Fifo, makedev(0, 0)),
        ("watchdog", FileType::CharacterDevice, makedev(242, 99)),
    ];
    let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    for (name, kind, device) in nodes {
        let node = at("dev").join(name);
        mknodat(CWD, &node, kind, Mode::from(0o666), device).unwrap();
        inotify::add_watch(&inotify, &node, WatchFlags::OPEN).unwrap();
    }
    let policy = at("policy.toml");
    fs::write(&policy, "[ssh_config]\nServerAliveInterval = 60\n").unwrap();
    for ((name, ..), place) in nodes.iter().cycle().zip(PLACES) {
        prepare(tree.path());
        let link = at(place);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&link);
        symlink(Path::new("/dev").join(name), &link).unwrap();
        for command in ["check", "status", "apply"] {
            let mut run = Command::new(program());
            run.arg("--root").arg(tree.path()).arg(command);
            if place != "etc/keepalive-policy.toml" {
                run.arg("--policy").arg(&policy);
            }
            let output = run.output().unwrap();
            let code = output.status.code();
            assert!(matches!(code, Some(0..=3 | 78)), "{place}: {command}: {output:?}");
            let mut buffer = [MaybeUninit::uninit(); 512];
            let mut heard = Reader::new(&inotify, &mut buffer);
            let opened = heard.next().is_ok_and(|event| event.events().contains(ReadFlags::OPEN));
            assert!(!opened, "{command} opens {name} at {place}");
        }
        fs::remove_file(link).unwrap();
    }
}

fn prepare(root: &Path) {
    for (path, text) in [
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\nbob:x:4711:4711::/home/bob:/bin/sh\n"),
        ("etc/ssh/ssh_config", "Include /etc/ssh/ssh_config.d/*.conf\n"),
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n"),
        ("usr/bin/ssh", ""),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
