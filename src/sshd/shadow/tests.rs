use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Shadow;
use crate::host::Host;
use crate::sshd::dialect::Dialect;
use crate::sshd::tree::{Entry, Tree};

fn tree(entries: &[(&str, Entry)]) -> Tree {
    Tree {
        main: PathBuf::from("/etc/ssh/sshd_config"),
        entries: entries.iter().map(|(path, entry)| (path.into(), entry.clone())).collect(),
    }
}

fn file(text: &str) -> Entry {
    Entry::File { bytes: text.as_bytes().into(), real: PathBuf::from("/elsewhere") }
}

#[test]
fn it_has_the_same_paths_below_a_private_prefix_and_goes_away() {
    let tree = tree(&[
        ("/etc/ssh/sshd_config", file("Include sshd_config.d/*.conf\nPort 22\n")),
        ("/etc/ssh/sshd_config.d/10 a.conf", file("Banner none")),
        ("/etc/ssh/sshd_config.d/20-b.conf", Entry::Dangling),
        ("/etc/ssh/sshd_config.d/30-c.conf", Entry::Directory),
    ]);
    let image = tempfile::tempdir().unwrap();
    let shadow = Shadow::write(&Host::at(image.path()), &tree, &Dialect::default()).unwrap();
    let directory = shadow.directory().to_owned();
    let root = directory.join("root");
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700);
    assert!(!directory.starts_with(image.path()), "an image is not written to");
    assert_eq!(shadow.main(), root.join("etc/ssh/sshd_config"));
    let main = std::fs::read_to_string(shadow.main()).unwrap();
    let pattern = format!("{}/etc/ssh/sshd_config.d/*.conf", root.display());
    assert!(main.contains(&pattern), "{main}");
    assert_eq!(main.lines().nth(1), Some("Port 22"), "line numbers stay");
    let drop_ins = root.join("etc/ssh/sshd_config.d");
    assert_eq!(std::fs::read(drop_ins.join("10 a.conf")).unwrap(), b"Banner none");
    assert!(drop_ins.join("20-b.conf").is_symlink() && !drop_ins.join("20-b.conf").exists());
    assert!(drop_ins.join("30-c.conf").is_dir());
    let said = format!("{}/etc/ssh/sshd_config: line 2: {pattern}", root.display());
    let real = "/etc/ssh/sshd_config: line 2: /etc/ssh/sshd_config.d/*.conf";
    assert_eq!(shadow.real_paths(said.as_bytes()), real);
    drop(shadow);
    assert!(!directory.exists());
}

#[test]
fn what_cannot_be_told_is_an_error_that_names_the_path() {
    let cases = [
        (
            tree(&[("/etc/ssh/sshd_config.d/fifo.conf", Entry::Opaque)]),
            "/etc/ssh/sshd_config.d/fifo.conf: what sshd makes of it can't be told: \
             not a regular file that we can read",
        ),
        (
            tree(&[("/etc/../../x.conf", file(""))]),
            "/etc/../../x.conf: what sshd makes of it can't be told: its path climbs above /",
        ),
    ];
    for (tree, error) in cases {
        assert_eq!(
            Shadow::write(&Host::live(), &tree, &Dialect::default()).unwrap_err().to_string(),
            error
        );
    }
}

#[test]
fn a_tree_without_its_main_file_has_a_shadow_without_it() {
    let tree = Tree { main: PathBuf::from("/etc/ssh/sshd_config"), entries: BTreeMap::new() };
    let shadow = Shadow::write(&Host::live(), &tree, &Dialect::default()).unwrap();
    assert!(!Path::new(shadow.main()).exists());
}
