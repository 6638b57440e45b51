use std::path::Path;

use super::{Kind, Mounts, point};

/// Of `ID PARENT DEVICE ROOT POINT`.
fn mounts(lines: &[&str]) -> Mounts {
    let lines = lines.iter().map(|line| format!("{line} rw,relatime shared:1 - ext4 /dev/x rw\n"));
    Mounts::parse(lines.collect::<String>().as_bytes())
}

/// `DEVICE PATH`.
fn located(mounts: &Mounts, path: &str) -> String {
    let found = mounts.locate(Path::new(path));
    found.map_or_else(|| "-".to_owned(), |at| format!("{} {}", at.device, at.path.display()))
}

#[test]
fn what_is_mounted_last_on_the_way_counts() {
    let mounts = Mounts::parse(
        b"1 0 8:1 / / rw - ext4 /dev/sda rw\n\
          2 1 0:9 / /home rw shared:1 - autofs map rw\n\
          3 1 0:9 / /srv/a\\040b rw shared:1 master:2 - nfs4 server:/x rw\n\
          4 1 0:9 / /data rw - nfs server:/y rw\n\
          5 1 8:2 / /data rw - xfs /dev/sdb rw\n\
          6 1 0:9 / /mnt rw - fuse.sshfs there rw\n\
          7 2 0:9 / /home/bob rw - nfs4 server:/bob rw\n\
          8 7 8:3 / /home/bob/local rw - ext4 /dev/sdc rw\n\
          bad line\n",
    );
    for (path, expected) in [
        ("/", ("/", Kind::Local)),
        ("/root", ("/", Kind::Local)),
        ("/home", ("/home", Kind::MountedByLooking)),
        ("/home/alice", ("/home", Kind::MountedByLooking)),
        ("/home/bob/x", ("/home/bob", Kind::Remote)),
        ("/home/bob/local/x", ("/home/bob", Kind::Remote)),
        ("/homes", ("/", Kind::Local)),
        ("/srv/a b/alice", ("/srv/a b", Kind::Remote)),
        ("/data/alice", ("/data", Kind::Local)),
        ("/mnt/x", ("/mnt", Kind::Remote)),
    ] {
        let (point, kind) = expected;
        assert_eq!(mounts.holder(Path::new(path)), (Path::new(point), kind), "{path}");
    }
    assert_eq!(Mounts::default().holder(Path::new("/home")), (Path::new("/"), Kind::Local));
}

#[test]
fn a_path_leads_to_a_file_of_the_mount_that_covers_it() {
    let mounts = mounts(&[
        "20 1 8:1 / /",
        "21 20 8:1 /etc /etc",
        "22 21 8:1 /srv/x /etc/ssh",
        "23 20 0:30 / /run",
        "24 23 0:31 / /run/user\\0400",
    ]);
    for (path, expected) in [
        ("/", "8:1 /"),
        ("/etc/passwd", "8:1 /etc/passwd"),
        ("/etc/ssh", "8:1 /srv/x"),
        ("/etc/ssh/sshd_config", "8:1 /srv/x/sshd_config"),
        ("/etc/sshd", "8:1 /etc/sshd"),
        ("/run/user 0/x", "0:31 /x"),
        ("/no/such/place", "8:1 /no/such/place"),
    ] {
        assert_eq!(located(&mounts, path), expected, "{path}");
    }
    let below: Vec<&Path> = mounts.below(Path::new("/etc")).into_iter().collect();
    assert_eq!(below, [Path::new("/etc"), Path::new("/etc/ssh")]);
}

#[test]
fn what_was_mounted_over_is_not_met() {
    // /a/b, then all of /a, then once more at the same place.
    let mounts = mounts(&["1 0 8:1 / /", "2 1 8:2 / /a/b", "3 1 8:3 / /a", "4 3 8:4 /x /a"]);
    assert_eq!(located(&mounts, "/a/b/c"), "8:4 /x/b/c");
    assert_eq!(located(&mounts, "/b"), "8:1 /b");
}

#[test]
fn a_root_that_no_mount_holds_leads_nowhere() {
    assert_eq!(located(&mounts(&["9 3 0:5 / /proc"]), "/etc"), "-");
    assert_eq!(located(&mounts(&["1 1 0:5 / /"]), "/etc"), "0:5 /etc");
    assert_eq!(located(&Mounts::default(), "/"), "-");
}

#[test]
fn this_process_has_mounts() {
    let own = Mounts::own().unwrap();
    assert_eq!(Mounts::of(std::process::id()).as_ref(), Some(&own));
    let here = own.locate(Path::new("/proc/self")).unwrap();
    assert_eq!((here.point, here.path.as_path()), (Path::new("/proc"), Path::new("/self")));
    assert!(here.is_same(&own.locate(Path::new("/proc/self")).unwrap()));
    assert!(!here.is_same(&own.locate(Path::new("/")).unwrap()));
    assert_eq!(point(b"36 35 98:0 /x /a\\040b rw - ext4 y rw").as_deref(), Some(Path::new("/a b")));
}
