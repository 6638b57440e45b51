use std::collections::BTreeMap;

use super::*;

fn tree(files: &[&str]) -> Tree {
    let mut entries = BTreeMap::new();
    for file in files {
        let path = PathBuf::from(file);
        match file.strip_suffix('/') {
            Some(directory) => entries.insert(directory.into(), Entry::Directory),
            None => entries.insert(path.clone(), Entry::File { bytes: [].into(), real: path }),
        };
    }
    Tree { main: "/m".into(), entries }
}

fn found(pattern: &str, files: &[&str]) -> Vec<String> {
    let Ok(paths) = expand(pattern.as_bytes(), &mut &tree(files));
    paths.iter().map(|path| path.display().to_string()).collect()
}

const FILES: [&str; 13] = [
    "/d/",
    "/d/00-a.conf",
    "/d/10-b.conf",
    "/d/9-c.conf",
    "/d/A.conf",
    "/d/_.conf",
    "/d/a.conf",
    "/d/.hidden.conf",
    "/d/b[1].conf",
    "/d/e/",
    "/d/e/x.conf",
    "/d/e.conf/",
    "/d/a*.conf",
];

#[test]
fn patterns_match_as_in_openbsd() {
    for (pattern, expected) in [
        ("/d/[0-9]*.conf", "/d/00-a.conf /d/10-b.conf /d/9-c.conf"),
        ("/d/[[:digit:]]*", "/d/00-a.conf /d/10-b.conf /d/9-c.conf"),
        ("/d/[[:upper:]_]*", "/d/A.conf /d/_.conf"),
        ("/d/[!0-9A-Za-z]*", "/d/_.conf"),
        ("/d/?.conf", "/d/A.conf /d/_.conf /d/a.conf /d/e.conf"),
        ("/d/.*.conf", "/d/.hidden.conf"),
        ("/d/[.]*", ""),
        ("/d/a.conf", "/d/a.conf"),
        ("/d/a\\*.conf", "/d/a*.conf"),
        ("/d/a[*].conf", "/d/a*.conf"),
        ("/d/b\\[1].conf", "/d/b[1].conf"),
        ("/d/b[[]1].conf", "/d/b[1].conf"),
        ("/d/b[1.conf", ""),
        ("/d/{a,A}.conf", ""),
        ("/d/*/x.conf", "/d/e/x.conf"),
        ("/*/e/*", "/d/e/x.conf"),
        ("/d/**x.conf", ""),
        ("/d/e", "/d/e"),
        ("/d/e/", "/d/e/"),
        ("/d/a.conf/", ""),
        ("/d/e.*/", "/d/e.conf/"),
        ("//d//a.conf", "//d//a.conf"),
        ("/d/../d/a.conf", "/d/../d/a.conf"),
        ("/d/../d/A*", "/d/../d/A.conf"),
        ("/d/[[:bogus:]]*", ""),
        ("/d/[[:alpha]*", "/d/a*.conf /d/a.conf"),
        ("/d/[0-9/]*.conf", ""),
        (
            "/d/[!]a]*.c*",
            "/d/00-a.conf /d/10-b.conf /d/9-c.conf /d/A.conf /d/_.conf /d/b[1].conf /d/e.conf",
        ),
        ("/nowhere/*.conf", ""),
        ("", ""),
    ] {
        assert_eq!(found(pattern, &FILES).join(" "), expected, "{pattern}");
    }
}

#[test]
fn results_are_sorted_by_their_bytes() {
    let files =
        ["/d/9-c", "/d/A", "/d/_", "/d/a", "/d/50-b", "/d/10-a", "/d/\u{e9}", "/d/a-b/c", "/d/-"];
    assert_eq!(
        found("/d/*", &files).join(" "),
        "/d/- /d/10-a /d/50-b /d/9-c /d/A /d/_ /d/a /d/\u{e9}"
    );
}

#[test]
fn a_pattern_as_long_as_a_path_can_be_matches_nothing() {
    let slashes = |length: usize| format!("/{}d/a.conf", "/".repeat(length - "/d/a.conf".len()));
    assert_eq!(found(&slashes(4095), &FILES).len(), 1);
    assert_eq!(found(&slashes(4096), &FILES).len(), 0);
}
