use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

#[test]
fn a_directory_that_is_removed_and_made_anew_is_locked_anew() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    drop(host.lock("x").unwrap());
    let state = directory.path().join("var/lib/keepalive-policy");
    fs::rename(&state, directory.path().join("aside")).unwrap();
    let held = host.lock("x").unwrap();
    assert!(state.join("x.lock").exists());
    drop(held);
    let mode = fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn directories_are_made_with_their_parents_and_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    fs::create_dir(directory.path().join("etc")).unwrap();
    fs::set_permissions(directory.path().join("etc"), fs::Permissions::from_mode(0o711)).unwrap();
    host.make_directory("/etc/a/b".as_ref(), 0o750).unwrap();
    host.make_directory("/etc/a/b".as_ref(), 0o700).unwrap();
    let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("etc"), mode("etc/a"), mode("etc/a/b")), (0o711, 0o750, 0o750));
    fs::write(directory.path().join("etc/file"), "").unwrap();
    assert!(host.make_directory("/etc/file/x".as_ref(), 0o755).is_err());
}
