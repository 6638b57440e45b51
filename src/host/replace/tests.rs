use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn tree() -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("etc/ssh")).unwrap();
    let host = Host::at(directory.path());
    (directory, host)
}

#[test]
fn mode_owner_and_attributes_are_kept_and_the_link_stays_a_link() {
    let (directory, host) = tree();
    let real = directory.path().join("etc/ssh/real");
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&real, None, Some(12)).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&real, "user.note", b"kept", flags).unwrap();
    symlink("real", directory.path().join("etc/ssh/sshd_config")).unwrap();

    let path = Path::new("/etc/ssh/sshd_config");
    host.replace(path, Expect::Content(b"old"), b"new").unwrap();

    let stat = fs::metadata(&real).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.gid()), (0o640, 12));
    assert_eq!(fs::read(&real).unwrap(), b"new");
    let mut note = [0; 16];
    let length = rustix::fs::getxattr(&real, "user.note", note.as_mut_slice()).unwrap();
    assert_eq!(&note[..length], b"kept");
    assert!(host.is_link(path));
}

#[test]
fn an_edit_made_meanwhile_is_kept() {
    let (directory, host) = tree();
    let path = Path::new("/etc/ssh/sshd_config");
    fs::write(directory.path().join("etc/ssh/sshd_config"), "theirs").unwrap();
    for expect in [Expect::Content(b"old"), Expect::Absent { mode: 0o644 }] {
        let error = host.replace(path, expect, b"ours").unwrap_err().to_string();
        assert!(error.contains("somebody else changed it"), "{error}");
    }
    assert!(host.remove(path, b"old").is_err());
    assert_eq!(fs::read(directory.path().join("etc/ssh/sshd_config")).unwrap(), b"theirs");
    assert_eq!(host.list("/etc/ssh".as_ref()).unwrap().len(), 1, "a temporary file is left");
}

/// As somebody does on a slow line: the rest of it would go into a file without a name.
#[test]
fn what_somebody_is_writing_stays() {
    let (directory, host) = tree();
    let path = Path::new("/etc/ssh/sshd_config");
    let mut writer = fs::File::create(directory.path().join("etc/ssh/sshd_config")).unwrap();
    writer.write_all(b"Port 22").unwrap();
    let replaced = |content: &[u8]| host.replace(path, Expect::Content(content), b"ours");
    for result in [replaced(b"Port 22"), host.remove(path, b"Port 22")] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("somebody has it open for writing"), "{error}");
    }
    writer.write_all(b"22").unwrap();
    drop(writer);
    replaced(b"Port 2222").unwrap();
}

#[test]
fn a_new_file_has_its_mode_whatever_the_umask() {
    let (directory, host) = tree();
    let path = Path::new("/etc/ssh/new.conf");
    host.replace(path, Expect::Absent { mode: 0o644 }, b"x").unwrap();
    let mode = fs::metadata(directory.path().join("etc/ssh/new.conf")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o644);
    host.remove(path, b"x").unwrap();
    assert_eq!(host.read(path).unwrap(), Node::Missing);
}

#[test]
fn only_our_own_leftovers_are_swept() {
    let (directory, host) = tree();
    let ssh = directory.path().join("etc/ssh");
    for name in [".sshd_config.keepalive-policy-new", ".x.swp", "y.keepalive-policy-new"] {
        fs::write(ssh.join(name), "").unwrap();
    }
    let swept = host.sweep("/etc/ssh".as_ref()).unwrap();
    assert_eq!(swept, [".sshd_config.keepalive-policy-new"]);
    assert_eq!(host.list("/etc/ssh".as_ref()).unwrap().len(), 2);
    assert!(host.sweep("/none".as_ref()).unwrap().is_empty());
}
