//! Golden trees: `tests/fixtures/CASE/root` is a host's files, `policy.toml` its policy. What `check`,
//! `diff` and `apply` say and do to it stands beside it, and was read by a person:
//!
//! - `check.json`, `diff.txt`: the output, `exit`: the exit codes of check, diff, apply, check after
//! - `after/`: the files that `apply` makes or changes, with their content; `removed` lists others
//!
//! A second `apply` changes nothing, and `restore` brings the tree back byte for byte. With
//! `KEEPALIVE_BLESS=1` the files are written anew; then read the diff.

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Content and mode of a file, or the target of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    File(Vec<u8>, u32),
    Link(PathBuf),
}

type Tree = BTreeMap<PathBuf, Entry>;

#[test]
fn every_golden_tree_is_checked_changed_and_restored_as_written() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The others are of other tests.
    cases.retain(|case| case.join("policy.toml").exists());
    cases.sort();
    assert!(cases.len() >= 8, "golden trees are missing: {cases:?}");
    let wrong: Vec<String> = cases.iter().flat_map(|case| run_case(case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn run_case(case: &Path) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    write_tree(&root, &read_tree(&case.join("root")));
    let policy = scratch.path().join("policy.toml");
    fs::copy(case.join("policy.toml"), &policy).unwrap();
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o644)).unwrap();

    let before = read_tree(&root);
    let check = keepalive(&root, &policy, &["--format", "json", "check"]);
    let diff = keepalive(&root, &policy, &["diff"]);
    let untouched = read_tree(&root);
    let apply = keepalive(&root, &policy, &["apply"]);
    let after = read_tree(&root);
    let again = keepalive(&root, &policy, &["apply"]);
    let settled = read_tree(&root);
    let check_after = keepalive(&root, &policy, &["check"]);
    let restore = keepalive(&root, &policy, &["restore"]);
    let restored = read_tree(&root);

    let codes: Vec<String> = [&check, &diff, &apply, &check_after].map(code).to_vec();
    let mut wrong = vec![
        golden(case, "check.json", &stdout(&check)),
        golden(case, "diff.txt", &stdout(&diff)),
        golden(case, "exit", &(codes.join(" ") + "\n")),
        golden(case, "after.txt", &changes(&before, &after)),
    ];
    wrong.push(same(case, "check and diff must change nothing", &before, &untouched));
    wrong.push(same(case, "a second apply must change nothing", &after, &settled));
    wrong.push(same(case, "restore must bring everything back", &before, &restored));
    if code(&restore) != "0" {
        wrong.push(Some(format!(
            "{}: restore: {}{}",
            case.display(),
            stdout(&restore),
            stderr(&restore)
        )));
    }
    if !stdout(&again).starts_with("Nothing to change.") && code(&apply) == "0" {
        wrong.push(Some(format!("{}: the second apply said:\n{}", case.display(), stdout(&again))));
    }
    wrong.into_iter().flatten().collect()
}

fn keepalive(root: &Path, policy: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .arg("--root")
        .arg(root)
        .arg("--policy")
        .arg(policy)
        .args(arguments)
        .output()
        .unwrap()
}

fn code(output: &Output) -> String {
    output.status.code().map_or_else(|| "killed".to_owned(), |code| code.to_string())
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Compares with the file in the case, or writes it.
fn golden(case: &Path, name: &str, found: &str) -> Option<String> {
    let path = case.join(name);
    if std::env::var_os("KEEPALIVE_BLESS").is_some() {
        fs::write(&path, found).unwrap();
        return None;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    (expected != found)
        .then(|| format!("{}\n--- expected\n{expected}\n--- found\n{found}", path.display()))
}

fn same(case: &Path, what: &str, one: &Tree, other: &Tree) -> Option<String> {
    (one != other).then(|| format!("{}: {what}:\n{}", case.display(), changes(one, other)))
}

/// Every file that differs, with its whole new content.
fn changes(before: &Tree, after: &Tree) -> String {
    let mut text = String::new();
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        text.push_str(&format!("=== removed {}\n", path.display()));
    }
    for (path, entry) in after.iter().filter(|(path, entry)| before.get(*path) != Some(entry)) {
        match entry {
            Entry::File(bytes, mode) => text.push_str(&format!(
                "=== {} {mode:04o}\n{}",
                path.display(),
                bytes.escape_ascii().to_string().replace("\\n", "\n")
            )),
            Entry::Link(target) => {
                text.push_str(&format!("=== {} -> {}\n", path.display(), target.display()));
            }
        }
    }
    text
}

/// All files below `root` but the tool's own state.
fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(root).unwrap().to_owned();
            if name == Path::new("var/lib/keepalive-policy") {
                continue;
            }
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_symlink() {
                tree.insert(name, Entry::Link(fs::read_link(path).unwrap()));
            } else {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
                tree.insert(name, Entry::File(fs::read(path).unwrap(), mode));
            }
        }
    }
    tree
}

fn write_tree(root: &Path, tree: &Tree) {
    fs::create_dir_all(root).unwrap();
    for (name, entry) in tree {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match entry {
            Entry::File(bytes, mode) => {
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Entry::Link(target) => symlink(target, &path).unwrap(),
        }
    }
}
