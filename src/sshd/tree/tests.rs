use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use super::*;
use crate::host::Host;
use crate::sshd::dialect::Dialect;

fn file(text: &str, real: &str) -> Entry {
    Entry::File { bytes: text.as_bytes().into(), real: real.into() }
}

#[test]
fn a_file_with_two_names_changes_under_both() {
    let entries = BTreeMap::from([
        ("/etc/ssh/sshd_config".into(), file("a", "/srv/config")),
        ("/etc/ssh/d/link".into(), file("a", "/srv/config")),
        ("/etc/ssh/d/other".into(), file("a", "/etc/ssh/d/other")),
    ]);
    let mut tree = Tree { main: "/etc/ssh/sshd_config".into(), entries };
    tree.set(Path::new("/etc/ssh/sshd_config"), Some(b"b"));
    assert_eq!(tree.content(Path::new("/etc/ssh/d/link")), Some(&b"b"[..]));
    assert_eq!(tree.content(Path::new("/etc/ssh/d/other")), Some(&b"a"[..]));
    tree.set(Path::new("/etc/ssh/d/new"), Some(b"c"));
    assert_eq!(tree.get(Path::new("/etc/ssh/x/../d/new")), Some(&file("c", "/etc/ssh/d/new")));
    let link = file("c", "/etc/ssh/d/new");
    tree.entries.insert("/etc/ssh/x/../d/new".into(), link.clone());
    tree.entries.insert("/etc/ssh/d/link".into(), link);
    tree.set(Path::new("/etc/ssh/d/new"), None);
    assert_eq!(tree.get(Path::new("/etc/ssh/x/../d/new")), None);
    assert_eq!(tree.get(Path::new("/etc/ssh/d/link")), Some(&Entry::Dangling));
    assert_eq!(tree.get(Path::new("/etc/ssh/d/new")), None);
}

/// A root directory with files in it, and a host in that root.
struct Root {
    directory: tempfile::TempDir,
}

impl Root {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = Self { directory: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            let host = root.host();
            host.make_directory(Path::new(path).parent().unwrap(), 0o755).unwrap();
            let absent = crate::host::replace::Expect::Absent { mode: 0o644 };
            host.replace(Path::new(path), absent, text.as_bytes()).unwrap();
        }
        root
    }

    fn host(&self) -> Host {
        Host::at(self.directory.path())
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.host().locate(Path::new(path))).unwrap();
    }

    fn read(&self) -> snapshot::Snapshot {
        let main = Path::new("/etc/ssh/sshd_config");
        snapshot::read(&self.host(), main, &[], &Dialect::default()).unwrap()
    }
}

fn names(tree: &Tree) -> Vec<String> {
    let kind = |entry: &Entry| match entry {
        Entry::File { .. } => "",
        Entry::Directory => "/",
        Entry::Dangling => "@",
        Entry::Opaque => "?",
    };
    tree.entries.iter().map(|(path, entry)| format!("{}{}", path.display(), kind(entry))).collect()
}

#[test]
fn all_that_could_be_included_is_read() {
    let root = Root::new(&[
        ("/etc/ssh/sshd_config", "Match User x\nInclude d/*.conf\nInclude /opt/*/x \"\" nowhere\n"),
        ("/etc/ssh/d/a.conf", "Include ../etc.conf e\n"),
        ("/etc/ssh/d/unmatched", ""),
        ("/etc/ssh/e/unread", ""),
        ("/etc/etc.conf", "Include d/*.conf"),
        ("/opt/one/x", ""),
        ("/opt/two/y", ""),
    ]);
    root.link("/etc/ssh/d/masked.conf", "/dev/null");
    root.link("/etc/ssh/d/gone.conf", "nowhere");
    root.link("/etc/ssh/d/linked.conf", "/opt/two/y");
    root.link("/opt/three", "/opt/one");
    assert!(!root.host().locate(Path::new("/dev/null")).exists());
    let found = root.read();
    assert_eq!(
        names(&found.tree),
        [
            "/etc/ssh/../etc.conf",
            "/etc/ssh/d/",
            "/etc/ssh/d/a.conf",
            "/etc/ssh/d/gone.conf@",
            "/etc/ssh/d/linked.conf",
            "/etc/ssh/d/masked.conf",
            "/etc/ssh/e/",
            "/etc/ssh/sshd_config",
            "/opt/",
            "/opt/one/x",
            "/opt/three/x",
        ]
    );
    let real = |path: &str| match found.tree.get(Path::new(path)) {
        Some(Entry::File { real, .. }) => real.display().to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(real("/etc/ssh/d/linked.conf"), "/opt/two/y");
    assert_eq!(real("/opt/three/x"), "/opt/one/x");
    let watched: Vec<_> = found.watched.iter().map(|path| path.display().to_string()).collect();
    // Not /etc, where everything is written: who watches follows the links.
    assert_eq!(
        watched,
        [
            "/etc/ssh/../etc.conf",
            "/etc/ssh/d/",
            "/etc/ssh/d/a.conf",
            "/etc/ssh/d/gone.conf",
            "/etc/ssh/d/linked.conf",
            "/etc/ssh/d/masked.conf",
            "/etc/ssh/e",
            "/etc/ssh/nowhere",
            "/etc/ssh/sshd_config",
            "/opt/",
            "/opt/one/x",
            "/opt/three/x",
            "/opt/two/x",
        ]
    );
}

#[test]
fn a_link_to_dev_null_is_an_empty_file_and_a_fifo_is_opaque() {
    let root = Root::new(&[("/etc/ssh/sshd_config", "Include d/*\n"), ("/etc/ssh/d/x", "")]);
    let directory = root.host().locate(Path::new("/etc/ssh/d"));
    let mode = rustix::fs::Mode::from(0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        directory.join("fifo"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    let found = root.read();
    assert_eq!(found.tree.get(Path::new("/etc/ssh/d/fifo")), Some(&Entry::Opaque));
    symlink("/dev/null", directory.join("masked")).unwrap();
    let main = directory.join("../sshd_config");
    let pattern = format!("Include {}/masked\n", directory.display());
    let absent = crate::host::replace::Expect::Absent { mode: 0o644 };
    Host::live().replace(&main.with_extension("live"), absent, pattern.as_bytes()).unwrap();
    let live =
        snapshot::read(&Host::live(), &main.with_extension("live"), &[], &Dialect::default())
            .unwrap();
    assert_eq!(live.tree.get(&directory.join("masked")), Some(&file("", "/dev/null")));
}

#[test]
fn what_can_not_be_read_is_an_error() {
    let root = Root::new(&[("/etc/ssh/sshd_config", "Include loop/*\n")]);
    root.link("/etc/ssh/loop", "loop");
    assert!(
        snapshot::read(&root.host(), Path::new("/etc/ssh/sshd_config"), &[], &Dialect::default())
            .is_err()
    );
}
