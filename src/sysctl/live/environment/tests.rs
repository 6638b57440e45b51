use super::*;

/// As a unit sees it, measured with systemd 252.
const PLAIN: &str = "\
342 305 0:48 / / rw,relatime shared:44 master:1 - overlay box rw
368 342 0:59 / /proc rw,nosuid,nodev,noexec,relatime shared:84 master:10 - proc proc rw
371 342 0:61 / /run rw,nosuid,nodev shared:79 master:12 - tmpfs tmpfs rw
380 370 0:59 /sys/net/ipv4 /proc/sys/net/ipv4 rw shared:87 master:10 - proc proc rw
";
const PROTECTED: &str = "\
342 305 0:48 / / rw,relatime shared:44 master:1 - overlay box rw
371 342 0:61 / /run rw,nosuid,nodev shared:79 master:12 - tmpfs tmpfs rw
368 342 0:68 / /proc rw,nosuid,nodev,noexec,relatime shared:83 - proc proc rw,hidepid=invisible
";
const HOST: &str = "\
177 154 0:48 / / rw,relatime shared:1 - overlay box rw
117 177 0:59 / /proc rw,nosuid,nodev,noexec,relatime shared:10 - proc proc rw
118 177 0:61 / /run rw,nosuid,nodev shared:12 - tmpfs tmpfs rw
";
/// A container whose root is a slave of its host's, as LXC makes it.
const CONTAINER: &str = "\
342 305 0:48 / / rw,relatime shared:44 master:1 - zfs pool/root rw
368 342 0:68 / /proc rw,nosuid,nodev,noexec,relatime shared:83 - proc proc rw
371 342 0:61 / /run rw,nosuid,nodev shared:79 - tmpfs tmpfs rw
";

#[test]
fn a_proc_that_is_no_slave_was_mounted_for_the_unit() {
    assert!(mounted_for_the_unit(PROTECTED));
    assert!(mounted_for_the_unit(&format!("{PLAIN}{PROTECTED}")));
    assert!(!mounted_for_the_unit(PLAIN));
    assert!(!mounted_for_the_unit(HOST));
    assert!(!mounted_for_the_unit(CONTAINER));
    assert!(!mounted_for_the_unit(""));
}
