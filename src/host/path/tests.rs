use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn tree() -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("etc/sysctl.d")).unwrap();
    let host = Host::at(directory.path());
    (directory, host)
}

#[test]
fn links_are_followed_inside_the_root() {
    let (directory, host) = tree();
    let etc = directory.path().join("etc");
    symlink("../sysctl.conf", etc.join("sysctl.d/99-sysctl.conf")).unwrap();
    symlink("/srv/real.conf", etc.join("sysctl.conf")).unwrap();
    symlink("../../../../outside", etc.join("up")).unwrap();
    let resolved = host.resolve("/etc/sysctl.d/99-sysctl.conf".as_ref()).unwrap();
    assert_eq!(resolved.path, Path::new("/srv/real.conf"));
    assert_eq!(
        resolved.links,
        [Path::new("/etc/sysctl.d/99-sysctl.conf"), Path::new("/etc/sysctl.conf")]
    );
    let directories: Vec<&str> =
        resolved.directories.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(directories, ["/", "/etc", "/etc/sysctl.d", "/srv"]);
    // As in a chroot, there is nothing above the root.
    assert_eq!(host.resolve("/etc/up".as_ref()).unwrap().path, Path::new("/outside"));
    assert_eq!(host.locate("/../x/./y".as_ref()), directory.path().join("x/y"));
}

#[test]
fn a_circle_ends_with_eloop() {
    let (directory, host) = tree();
    symlink("b", directory.path().join("a")).unwrap();
    symlink("a", directory.path().join("b")).unwrap();
    let error = host.resolve("/a".as_ref()).unwrap_err();
    assert_eq!(error.source.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
    assert!(error.to_string().starts_with("/a: cannot follow links: "), "{error}");
}
