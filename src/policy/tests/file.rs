//! What `load` asks of the file. These run as root: other owners have to be made.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use tempfile::TempDir;

use super::*;

const NOBODY: u32 = 65534;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn policy(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        let file = fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut &file, EXAMPLE.as_bytes()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// What is said about the file at `path`, with the directory left out.
    fn refused(&self, path: &Path) -> String {
        let rejection = load(path).unwrap_err().to_string();
        rejection.replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn a_policy_that_only_root_can_write_is_taken() {
    let place = Place::new();
    for mode in [0o644, 0o600, 0o444, 0o755, 0o400] {
        let path = place.policy("p.toml", mode);
        let loaded = load(&path).unwrap();
        assert_eq!((loaded.path, loaded.sysctl.values.len()), (path, 3), "{mode:o}");
    }
}

/// Tests run in the directory of the crate.
#[test]
fn a_relative_path_starts_at_the_working_directory() {
    assert_eq!(
        load(Path::new("src/../src/nothing.toml")).unwrap_err().to_string(),
        "src/../src/nothing.toml: no such file: write a policy there, or name another file with --policy"
    );
    assert_eq!(
        load(Path::new("src")).unwrap_err().to_string(),
        "src: a directory, not a policy file"
    );
}

#[test]
fn a_link_to_a_policy_is_followed() {
    let place = Place::new();
    let policy = place.policy("real.toml", 0o644);
    symlink("real.toml", place.path("link.toml")).unwrap();
    assert_eq!(load(&place.path("link.toml")).unwrap().path, place.path("link.toml"));
    fs::set_permissions(policy, Permissions::from_mode(0o666)).unwrap();
    assert_eq!(
        place.refused(&place.path("link.toml")),
        "link.toml: mode 0666 lets others than the owner write it, wanted 0644; \
         mend with: chmod go-w real.toml"
    );
}

#[test]
fn a_policy_that_others_can_write_is_refused_with_the_command_that_mends_it() {
    let place = Place::new();
    for (mode, expected) in [
        (
            0o664,
            "mode 0664 lets others than the owner write it, wanted 0644; mend with: chmod go-w",
        ),
        (
            0o646,
            "mode 0646 lets others than the owner write it, wanted 0644; mend with: chmod go-w",
        ),
        (
            0o620,
            "mode 0620 lets others than the owner write it, wanted 0600; mend with: chmod go-w",
        ),
    ] {
        let path = place.policy("p.toml", mode);
        assert_eq!(place.refused(&path), format!("p.toml: {expected} p.toml"));
    }
    let path = place.policy("it's mine.toml", 0o666);
    let word = shell(&path);
    assert!(load(&path).unwrap_err().to_string().ends_with(&format!("chmod go-w {word}")));
}

/// The path as a shell writes it, by a shell.
fn shell(path: &Path) -> String {
    format!("'{}'", path.display().to_string().split('\'').collect::<Vec<_>>().join(r"'\''"))
}

#[test]
fn an_acl_that_grants_write_shows_in_the_group_bits() {
    let place = Place::new();
    let path = place.policy("p.toml", 0o644);
    // acl(5) as the kernel stores it: version 2, then tag, permissions, id of each entry.
    let entries = [
        (0x01_u16, 6_u16, u32::MAX), // owner rw
        (0x02, 6, NOBODY),           // nobody rw
        (0x04, 4, u32::MAX),         // group r
        (0x10, 6, u32::MAX),         // mask rw
        (0x20, 4, u32::MAX),         // other r
    ];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&path, "system.posix_acl_access", &acl, flags).unwrap();
    assert_eq!(
        place.refused(&path),
        "p.toml: mode 0664 lets others than the owner write it, wanted 0644; \
         mend with: chmod go-w p.toml"
    );
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    load(&path).unwrap();
}

#[test]
fn owner_mode_and_content_are_reported_together() {
    let place = Place::new();
    let path = place.path("p.toml");
    std::io::Write::write_all(&mut fs::File::create(&path).unwrap(), b"foo = 1\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
    chown(&path, Some(NOBODY), None).unwrap();
    assert_eq!(
        place.refused(&path),
        "p.toml: owned by uid 65534, wanted root: whoever owns the policy decides what root does; \
         mend with: chown root p.toml\n\
         p.toml: mode 0660 lets others than the owner write it, wanted 0640; \
         mend with: chmod go-w p.toml\n\
         p.toml:1:1: unknown key `foo`, the policy takes mode, sysctl, sshd_config, ssh_config, \
         path, objective, daemon, metrics, witness\n\
         foo = 1\n\
         ^~~"
    );
}

#[test]
fn what_is_no_regular_file_is_named_for_what_it_is() {
    let place = Place::new();
    let missing = "no such file: write a policy there, or name another file with --policy";
    assert_eq!(place.refused(&place.path("p")), format!("p: {missing}"));
    assert_eq!(place.refused(&place.path("p/q")), format!("p/q: {missing}"));
    fs::create_dir(place.path("d")).unwrap();
    assert_eq!(place.refused(&place.path("d")), "d: a directory, not a policy file");
    symlink("nowhere", place.path("dangling")).unwrap();
    symlink("loop", place.path("loop")).unwrap();
    for name in ["dangling", "loop"] {
        let expected = format!("{name}: a symbolic link that leads nowhere, not a policy file");
        assert_eq!(place.refused(&place.path(name)), expected);
    }
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, place.path("fifo"), fifo, 0o600.into(), 0).unwrap();
    let special = "a device, FIFO or socket, not a policy file";
    assert_eq!(place.refused(&place.path("fifo")), format!("fifo: {special}"));
    assert_eq!(place.refused(Path::new("/dev/zero")), format!("/dev/zero: {special}"));
}

#[test]
fn a_policy_ends_at_one_mebibyte() {
    let place = Place::new();
    let path = place.policy("p.toml", 0o644);
    let filled = |length: usize| {
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let missing = length - usize::try_from(file.metadata().unwrap().len()).unwrap();
        std::io::Write::write_all(&mut file, &vec![b'\n'; missing]).unwrap();
    };
    filled(1024 * 1024);
    load(&path).unwrap();
    filled(1024 * 1024 + 1);
    assert_eq!(place.refused(&path), "p.toml: larger than 1 MiB, not a policy file");
}

#[test]
fn a_policy_that_somebody_is_writing_may_not_be_whole() {
    let place = Place::new();
    let path = place.policy("p.toml", 0o644);
    let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    assert_eq!(
        place.refused(&path),
        "p.toml: somebody has it open for writing, so it may not be whole; fuser(1) tells who"
    );
    drop(writer);
    load(&path).unwrap();
}

#[test]
fn a_directory_on_the_way_or_of_a_link_that_others_can_change_is_refused() {
    let place = Place::new();
    for directory in ["a/b", "home"] {
        fs::create_dir_all(place.path(directory)).unwrap();
        fs::set_permissions(place.path(directory), Permissions::from_mode(0o755)).unwrap();
    }
    let policy = place.policy("a/b/p.toml", 0o644);
    symlink(&policy, place.path("home/link.toml")).unwrap();
    let link = place.path("home/link.toml");
    assert!(load(&link).is_ok());
    for (directory, path, begins) in [
        ("a/b", &policy, "a/b/p.toml: a/b belongs to nobody (uid 65534), not to root"),
        ("a", &policy, "a/b/p.toml: a belongs to nobody (uid 65534), not to root"),
        ("a", &link, "home/link.toml: a belongs to nobody (uid 65534), not to root"),
        ("home", &link, "home/link.toml: home belongs to nobody (uid 65534), not to root"),
    ] {
        chown(place.path(directory), Some(NOBODY), None).unwrap();
        let said = place.refused(path);
        let ends = format!(
            ": who can change it decides what root does; mend with: chown root {directory}"
        );
        assert!(said.starts_with(begins) && said.ends_with(&ends), "{said}");
        chown(place.path(directory), Some(0), None).unwrap();
        fs::set_permissions(place.path(directory), Permissions::from_mode(0o775)).unwrap();
        assert!(place.refused(path).ends_with(&format!("mend with: chmod go-w {directory}")));
        fs::set_permissions(place.path(directory), Permissions::from_mode(0o755)).unwrap();
    }
    // As in /tmp: only its owner takes an entry away.
    fs::set_permissions(place.path("home"), Permissions::from_mode(0o1777)).unwrap();
    assert!(load(&link).is_ok());
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).unwrap();
    assert!(place.refused(&link).contains("link.toml belongs to nobody"));
}
