use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{OtherView, Places, difference, on_the_way};
use crate::host::Host;
use crate::host::mounts::Mounts;
use crate::sshd::dialect::Dialect;
use crate::sshd::tree::{Entry, Tree};

/// Of `ID PARENT DEVICE ROOT POINT`.
fn mounts(lines: &[&str]) -> Mounts {
    let lines = lines.iter().map(|line| format!("{line} rw - ext4 /dev/x rw\n"));
    Mounts::parse(lines.collect::<String>().as_bytes())
}

fn set(paths: &[&str]) -> BTreeSet<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

fn list(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

/// The first path that leads elsewhere.
fn first(ours: &[&str], theirs: &[&str], paths: &[&str]) -> String {
    let (ours, theirs) = mounts(ours).with_same_root(mounts(theirs));
    let found = difference(&ours, &theirs, &list(paths));
    found.map_or_else(|| "-".to_owned(), |view| view.path.display().to_string())
}

const BARE: [&str; 2] = ["1 0 8:1 / /", "2 1 0:5 / /run"];
const ETC: [&str; 3] = ["/", "/etc", "/etc/ssh/sshd_config"];

#[test]
fn more_mounts_of_the_same_files_are_no_difference() {
    // ReadOnlyPaths= and ReadWritePaths= of our own unit.
    let ours =
        ["1 0 8:1 / /", "2 1 0:5 / /run", "3 1 8:1 /etc /etc", "4 3 8:1 /etc/pam.d /etc/pam.d"];
    assert_eq!(first(&ours, &BARE, &ETC), "-");
    assert_eq!(first(&BARE, &ours, &ETC), "-");
}

#[test]
fn what_is_mounted_for_one_of_them_only_is_a_difference() {
    // BindPaths=/srv/x:/etc/ssh, RootDirectory=/chroots/x, a tmpfs.
    let bound = ["1 0 8:1 / /", "3 1 8:1 /srv/x /etc/ssh"];
    assert_eq!(first(&BARE, &bound, &ETC), "/etc/ssh/sshd_config");
    assert_eq!(first(&BARE, &["1 0 8:1 /chroots/x /"], &ETC), "/");
    assert_eq!(first(&BARE, &["1 0 8:1 / /", "3 1 0:77 / /etc"], &ETC), "/etc");
    assert_eq!(first(&BARE, &[], &ETC), "/");
    // Roots that no mount holds, in namespaces of their own, may be any directories.
    assert_eq!(first(&[], &[], &ETC), "/");
    // PrivateTmp=.
    let private = ["1 0 8:1 / /", "3 1 8:1 /var/tmp/systemd-private-x/tmp /var/tmp"];
    assert_eq!(first(&private, &BARE, &ETC), "-");
    assert_eq!(first(&private, &BARE, &["/etc", "/var/tmp/x"]), "/var/tmp/x");
    let view = difference(&mounts(&private), &mounts(&BARE), &list(&["/var/tmp/x"])).unwrap();
    assert_eq!(
        view.to_string(),
        "sshd does not see the same /var/tmp/x as we do: its mounts lead to /var/tmp/x of device 8:1, \
         mounted at /, ours to /var/tmp/systemd-private-x/tmp/x of device 8:1, mounted at /var/tmp"
    );
}

#[test]
fn a_root_that_is_not_listed_is_the_same_where_a_mount_on_it_is() {
    let run = "31 30 0:5 / /run";
    assert_eq!(first(&[run], &[run], &ETC), "-");
    assert_eq!(first(&[run, "32 30 8:1 /srv/x /etc/ssh"], &[run], &ETC), "/etc/ssh/sshd_config");
    assert_eq!(first(&[run], &["31 30 0:5 / /srv/run"], &ETC), "/");
    assert_eq!(first(&[run], &["41 40 0:5 / /run"], &ETC), "/");
    // One is listed: then it is another directory, or at least another way to it.
    assert_eq!(first(&["30 1 8:1 / /", run], &[run], &ETC), "/");
}

#[test]
fn the_initramfs_is_a_root_that_stands_on_itself() {
    let (shared, own) = (["1 1 0:2 / /", "20 1 0:5 / /run"], ["50 50 0:2 / /", "51 50 0:5 / /run"]);
    assert_eq!(first(&own, &shared, &ETC), "-");
    let bound = ["1 1 0:2 / /", "20 1 0:2 /srv /etc/ssh"];
    assert_eq!(first(&own, &bound, &ETC), "/etc/ssh/sshd_config");
}

#[test]
fn mounts_that_cannot_be_read_are_not_taken_for_none() {
    let main = PathBuf::from("/etc/ssh/sshd_config");
    let view = OtherView::unknown(&Tree { main: main.clone(), entries: BTreeMap::new() });
    assert!(view.is_essential && view.path == main);
}

#[test]
fn what_sshd_looks_into_need_not_be_there() {
    let text = "Include /var/tmp/x/*.conf more.conf\nMatch all\nInclude /a/b?/c/d.conf\n";
    let file = Entry::File { bytes: text.as_bytes().into(), real: "/srv/real".into() };
    let main = PathBuf::from("/etc/ssh/sshd_config");
    let tree = Tree { main: main.clone(), entries: BTreeMap::from([(main, file)]) };
    let places = Places::of(&tree, &Dialect::default());
    let paths = ["/etc/ssh/sshd_config", "/srv/real", "/var/tmp/x", "/etc/ssh/more.conf", "/a"];
    assert_eq!(places, Places { paths: set(&paths), searched: set(&["/var/tmp/x", "/a"]) });
}

#[test]
fn links_and_their_directories_are_on_the_way() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    std::os::unix::fs::symlink("/srv/ssh", root.path().join("etc/ssh")).unwrap();
    std::os::unix::fs::symlink("/dev/null", root.path().join("etc/masked")).unwrap();
    let host = Host::at(root.path());
    let found = on_the_way(&host, Path::new("/etc/ssh/sshd_config"));
    assert_eq!(found, list(&["/srv/ssh/sshd_config", "/srv/ssh", "/srv", "/etc", "/"]));
    assert_eq!(on_the_way(&host, Path::new("/etc/masked")), list(&["/etc", "/"]));
}
