use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;
use crate::host::replace::Expect;

const BOB: u32 = 4711;

/// A tree that root owns, in a shared directory.
fn tree() -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(directory.path().join("etc/ssh")).unwrap();
    let host = Host::at(directory.path());
    (directory, host)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What is said when a file is made at `path`, and that it was not made.
fn refused(host: &Host, path: &str) -> String {
    let error = host.replace(path.as_ref(), Expect::Absent { mode: 0o644 }, b"x").unwrap_err();
    assert_eq!(host.read(path.as_ref()).unwrap(), crate::host::files::Node::Missing);
    error.to_string()
}

#[test]
fn each_directory_on_the_way_counts_and_is_named_with_what_mends_it() {
    let (directory, host) = tree();
    let path = "/etc/ssh/x.conf";
    for part in ["etc/ssh", "etc", ""] {
        let part = directory.path().join(part);
        chown(&part, Some(BOB), None).unwrap();
        let said = refused(&host, path);
        let part = part.display().to_string();
        let part = part.trim_end_matches('/');
        assert!(said.contains(&format!("{part} belongs to uid 4711, not to root")), "{said}");
        assert!(said.ends_with(&format!("mend with: chown root {part}")), "{said}");
        chown(part, Some(0), None).unwrap();
    }
    for (bits, part) in [(0o775, "etc"), (0o757, "etc/ssh"), (0o775, "etc/ssh")] {
        let part = directory.path().join(part);
        mode(&part, bits);
        let said = refused(&host, path);
        assert!(said.ends_with(&format!("mend with: chmod go-w {}", part.display())), "{said}");
        mode(&part, 0o755);
    }
    host.replace(path.as_ref(), Expect::Absent { mode: 0o644 }, b"x").unwrap();
}

#[test]
fn a_shared_directory_is_passed_but_not_written_into() {
    let (directory, host) = tree();
    let (etc, ssh) = (directory.path().join("etc"), directory.path().join("etc/ssh"));
    mode(&etc, 0o1777);
    host.replace("/etc/ssh/x".as_ref(), Expect::Absent { mode: 0o644 }, b"x").unwrap();
    assert!(refused(&host, "/etc/x").contains("is shared by all users"));
    // What another user made there is the other user's.
    chown(&ssh, Some(BOB), None).unwrap();
    assert!(refused(&host, "/etc/ssh/y").contains("etc/ssh belongs to uid 4711"));
}

#[test]
fn a_link_that_another_user_can_bend_is_not_followed_to_a_place_that_root_owns() {
    let (directory, host) = tree();
    let home = directory.path().join("home");
    fs::create_dir(&home).unwrap();
    symlink("/etc/ssh", home.join("link")).unwrap();
    host.replace("/home/link/x".as_ref(), Expect::Absent { mode: 0o644 }, b"x").unwrap();
    chown(&home, Some(BOB), None).unwrap();
    assert!(refused(&host, "/home/link/y").contains("home belongs to uid 4711"));
    // In a shared directory the link itself has an owner.
    chown(&home, Some(0), None).unwrap();
    mode(&home, 0o1777);
    host.replace("/home/link/y".as_ref(), Expect::Absent { mode: 0o644 }, b"x").unwrap();
    std::os::unix::fs::lchown(home.join("link"), Some(BOB), None).unwrap();
    assert!(refused(&host, "/home/link/z").contains("home/link belongs to uid 4711"));
}

#[test]
fn everything_that_writes_refuses() {
    let (directory, host) = tree();
    let ssh = directory.path().join("etc/ssh");
    let file = Path::new("/etc/ssh/.x.keepalive-policy-new");
    fs::write(ssh.join(".x.keepalive-policy-new"), "x").unwrap();
    chown(&ssh, Some(BOB), None).unwrap();
    let path = Path::new("/etc/ssh/d");
    for result in [
        host.remove(file, b"x"),
        host.replace(file, Expect::Content(b"x"), b"y"),
        host.make_directory(&path.join("e"), 0o755),
        host.change_mode(file, 0o644, 0o600),
        host.sweep(Path::new("/etc/ssh")).map(drop),
    ] {
        let said = result.unwrap_err().to_string();
        assert!(said.contains("etc/ssh belongs to uid 4711"), "{said}");
    }
    assert_eq!(fs::read(ssh.join(".x.keepalive-policy-new")).unwrap(), b"x");
    assert!(!ssh.join("d").exists());
    fs::create_dir(ssh.join("d")).unwrap();
    assert!(host.remove_empty_directory(path).is_err());
    let host = host.with_directories("/etc/ssh/state".into(), "/etc/ssh/run".into());
    assert!(host.lock("x").is_err());
    assert_eq!(fs::read_dir(&ssh).unwrap().count(), 2);
}

#[test]
fn a_caller_who_is_not_root_is_trusted_too_with_a_group_of_ones_own() {
    let parties = Parties { caller: BOB };
    let path = Path::new("/home/bob");
    for (uid, gid, mode, alone) in [
        (BOB, BOB, 0o755, true),
        (0, 0, 0o755, true),
        (0, 0, 0o775, false),
        (1, BOB, 0o755, false),
        (BOB, BOB, 0o757, false),
        // No account of this machine has the group for its own.
        (BOB, BOB, 0o775, false),
    ] {
        let found = Permissions { uid, gid, mode };
        assert_eq!(parties.alone_change(path, found).is_ok(), alone, "{found:?}");
    }
    // With a umask of 002: the group daemon has daemon in it and no other account.
    let daemon = Parties { caller: 1 };
    for (gid, mode, alone) in [(1, 0o775, true), (1, 0o777, false), (4711, 0o775, false)] {
        let found = Permissions { uid: 1, gid, mode };
        assert_eq!(daemon.alone_change(path, found).is_ok(), alone, "{found:?}");
    }
    let root = Parties { caller: 0 };
    assert!(root.alone_change(path, Permissions { uid: BOB, gid: 0, mode: 0o755 }).is_err());
    assert!(root.alone_change(path, Permissions { uid: 0, gid: 0, mode: 0o775 }).is_err());
    let said = parties.alone_change(path, Permissions { uid: 1, gid: 1, mode: 0o755 });
    let said = said.unwrap_err().to_string();
    assert!(said.starts_with("/home/bob belongs to daemon (uid 1), not to root or uid 4711"));
}
