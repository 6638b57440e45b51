use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/file"), "text").unwrap();
    symlink("file", directory.path().join("d/link")).unwrap();
    symlink("d", directory.path().join("e")).unwrap();
    directory
}

#[test]
fn one_call_and_a_walk_give_the_same() {
    let directory = tree();
    let inode = |fd: Result<OwnedFd, Errno>| fd.map(|fd| rustix::fs::fstat(&fd).unwrap().st_ino);
    for path in ["", "d", "d/file", "d/link", "d/none", "d/file/x", "e", "e/file", "e/x", "none/x"]
    {
        let located = directory.path().join(path);
        let same = |flags| {
            assert_eq!(
                inode(at_once(&located, flags)),
                inode(walk(&located, flags)),
                "{path} {flags:?}"
            )
        };
        same(LOOK);
        // Of a link the kernel says that it is no directory, too.
        if !path.starts_with("e") && path != "d/link" {
            same(LISTING);
        }
    }
    let root = Path::new("/");
    assert_eq!(inode(at_once(root, LOOK)), inode(walk(root, LOOK)));
    assert_eq!(walk(&directory.path().join("e/file"), LOOK).unwrap_err(), Errno::LOOP);
    assert!(listing(&directory.path().join("e")).is_err());
    assert_eq!(Seen::at(&directory.path().join("d/link")).unwrap_err(), Errno::LOOP);
    assert_eq!(Seen::at(&directory.path().join("d/file/x")).unwrap_err(), Errno::NOTDIR);
}

#[test]
fn what_was_seen_is_what_is_opened() {
    let directory = tree();
    let file = directory.path().join("d/file");
    let seen = Seen::at(&file).unwrap();
    fs::rename(&file, directory.path().join("d/moved")).unwrap();
    fs::write(&file, "another").unwrap();
    let opened = std::io::read_to_string(fs::File::from(seen.open(OFlags::RDONLY).unwrap()));
    assert_eq!(opened.unwrap(), "text");
    // Where /proc is not mounted only the name is left, and it is another file's by now.
    assert_eq!(seen.open_by_name(OFlags::RDONLY).unwrap_err(), Errno::NOENT);
    let seen = Seen::at(&file).unwrap();
    assert!(seen.open_by_name(OFlags::RDONLY).is_ok());
}
