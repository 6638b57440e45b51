use super::*;

#[test]
fn a_tree_is_read_through_its_links() {
    let directory = tempfile::tempdir().unwrap();
    let path = |path: &str| directory.path().join(path);
    std::fs::create_dir_all(path("etc/real.d")).unwrap();
    std::fs::create_dir_all(path("usr/lib")).unwrap();
    std::os::unix::fs::symlink("real.d", path("etc/sysctl.d")).unwrap();
    // Absolute: inside the root.
    std::os::unix::fs::symlink("/etc/sysctl.conf", path("etc/real.d/a.conf")).unwrap();
    std::os::unix::fs::symlink("sysctl.d", path("usr/lib/sysctl.d")).unwrap();
    crate::sysctl::tests::write(&path("etc/sysctl.conf"), b"x = 1\n");
    crate::sysctl::tests::write(&path("etc/real.d/no"), b"");
    let tree = Tree::read(&Host::at(directory.path()));
    let ours = tree.directory(OURS).unwrap();
    assert_eq!(ours.real, Path::new("/etc/real.d"));
    let file = Entry::File("/etc/sysctl.conf".into());
    assert_eq!(ours.names, BTreeMap::from([(b"a.conf".to_vec(), file)]));
    assert_eq!(tree.content(Path::new("/etc/sysctl.conf")), b"x = 1\n");
    // A link in a circle is no directory, as for the loaders.
    assert!(tree.directory("/usr/lib/sysctl.d").is_none());
    assert!(tree.unreadable.is_empty());
    assert_eq!(tree.linked, [PathBuf::from("/etc/sysctl.d/a.conf")]);
}
