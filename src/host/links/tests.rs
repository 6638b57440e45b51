use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;

#[test]
fn a_link_is_followed_where_only_the_administrator_writes() {
    for (real, followed) in [
        ("/etc/ssh/real", true),
        ("/persist/etc/ssh/sshd_config", true),
        ("/usr/local/etc/sshd_config", true),
        ("/usr/localx/sshd_config", false),
        ("/usr/share/vendor/sshd_config", false),
        ("/usr/etc/ssh/sshd_config", false),
        ("/nix/store/abc-etc/sshd_config", false),
        ("/gnu/store/abc/sshd_config", false),
        ("/boot/sshd_config", false),
        ("/bootx/sshd_config", true),
    ] {
        assert_eq!(reason(Path::new(real), None, false).is_none(), followed, "{real}");
    }
    let real = Path::new("/persist/sshd_config");
    assert_eq!(reason(real, None, true), Some(Reason::ReadOnly));
    let distrust = Some("bob's".to_owned());
    assert_eq!(reason(real, distrust, true), Some(Reason::Distrusted("bob's".to_owned())));
}

#[test]
fn the_link_its_target_and_what_is_wrong_there_are_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = |path: &str| directory.path().join(path);
    for made in ["etc/ssh", "persist/d", "usr/share", "tmp"] {
        fs::create_dir_all(path(made)).unwrap();
    }
    fs::set_permissions(path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let host = Host::at(directory.path());
    let said = |name: &str, target: &str| {
        symlink(target, path("etc/ssh").join(name)).unwrap();
        let obstacle = host.obstacle(&Path::new("/etc/ssh").join(name));
        obstacle.map(|found| format!("{} {found}", found.link.display()))
    };
    assert_eq!(host.obstacle("/etc/ssh/none".as_ref()), None);
    assert_eq!(said("inside", "none"), None);
    assert_eq!(said("volume", "/persist/d/file"), None);
    // A directory that is not there yet, in one that is.
    assert_eq!(said("new", "/persist/e/f/file"), None);
    let vendors = said("vendors", "../../usr/share/file").unwrap();
    let begins =
        "/etc/ssh/vendors a link that leads to /usr/share/file, which belongs to a package";
    assert!(vendors.starts_with(begins), "{vendors}");
    assert!(said("shared", "/tmp/file").unwrap().contains("is shared by all users"));
    chown(path("persist/d"), Some(4711), None).unwrap();
    let bobs = said("bobs", "/persist/d/file").unwrap();
    assert!(bobs.contains("persist/d belongs to uid 4711"), "{bobs}");
    // The target itself.
    fs::write(path("persist/file"), "").unwrap();
    assert_eq!(said("target", "/persist/file"), None);
    chown(path("persist/file"), Some(4711), None).unwrap();
    assert!(said("target2", "/persist/file").unwrap().contains("file belongs to uid 4711"));
}
