//! Any bytes as sshd's configuration, for every grammar: nothing panics, nothing takes for ever, and
//! what is said of the bytes is true of them.
//!
//! An input is a main file and its drop-ins, with a line `%%` between them.

#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keepalive_policy::reconcile::Value;
use keepalive_policy::sshd::Keyword;
use keepalive_policy::sshd::dialect::Dialect;
use keepalive_policy::sshd::edit::{self, Text};
use keepalive_policy::sshd::evaluate::evaluate;
use keepalive_policy::sshd::syntax::{directives, prefix_includes};
use keepalive_policy::sshd::tree::{Entry, Tree};

/// One of each grammar: the releases in between read like the one before them.
const RELEASES: [(u16, u16); 8] =
    [(8, 0), (8, 2), (8, 6), (8, 7), (9, 2), (9, 9), (10, 0), (10, 3)];

const DIRECTORY: &str = "/etc/ssh/sshd_config.d";

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let files = files(input);
    for (major, minor) in RELEASES {
        let dialect = Dialect::of(major, minor);
        for file in &files {
            places_are_in_the_file(file, &dialect);
            a_shadow_has_the_same_lines(file, &dialect);
        }
        a_block_wins_and_can_be_taken_out(&files, &dialect);
    }
});

fn files(input: &[u8]) -> Vec<Vec<u8>> {
    let mut files = vec![Vec::new()];
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        match files.last_mut() {
            Some(file) if line.trim_ascii_end() != b"%%" => file.extend_from_slice(line),
            _ => files.push(Vec::new()),
        }
    }
    files
}

fn tree(files: &[Vec<u8>]) -> Tree {
    let main = PathBuf::from("/etc/ssh/sshd_config");
    let names = ["00-a.conf", "50-B.conf", "9-c.conf", ".d.conf"];
    let drop_ins = names.iter().map(|name| Path::new(DIRECTORY).join(name));
    let mut entries: BTreeMap<PathBuf, Entry> = std::iter::once(main.clone())
        .chain(drop_ins)
        .zip(files)
        .map(|(real, bytes)| (real.clone(), Entry::File { bytes: bytes.clone(), real }))
        .collect();
    for directory in ["/etc", "/etc/ssh", DIRECTORY] {
        entries.insert(directory.into(), Entry::Directory);
    }
    Tree { main, entries }
}

fn places_are_in_the_file(bytes: &[u8], dialect: &Dialect) {
    let mut end = 0;
    for directive in directives(bytes, dialect) {
        let span = directive.span;
        assert!(end <= span.start && span.start < span.end && span.end <= bytes.len());
        end = span.end;
        let lines_before = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let (first, last) = (lines_before(span.start), lines_before(span.end - 1));
        assert!((first..=last).contains(&(directive.line - 1)));
        let arguments = directive.arguments.unwrap_or_default();
        assert!(arguments.iter().all(|argument| span.contains(&argument.start)));
        assert!(arguments.is_sorted_by(|one, next| one.start < next.start));
    }
}

fn a_shadow_has_the_same_lines(bytes: &[u8], dialect: &Dialect) {
    let shadow = prefix_includes(bytes, b"/run/shadow", dialect);
    let newlines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(newlines(&shadow), newlines(bytes));
    let (real, copied) = (directives(bytes, dialect), directives(&shadow, dialect));
    assert_eq!(real.len(), copied.len());
    for (real, copied) in real.iter().zip(&copied) {
        assert_eq!((&real.keyword, real.line), (&copied.keyword, copied.line));
        assert!(real.is("Include") || real.rest == copied.rest);
    }
}

fn a_block_wins_and_can_be_taken_out(files: &[Vec<u8>], dialect: &Dialect) {
    let before = evaluate(&tree(files), &BTreeMap::new(), dialect);
    let values: BTreeMap<Keyword, Value> = [
        (Keyword::TcpKeepAlive, Value::Bool(false)),
        (Keyword::ClientAliveInterval, Value::Number(121)),
    ]
    .into();
    let text = Text { values: &values, policy: Path::new("/etc/keepalive-policy.toml") };
    let Some(edited) = text.insert(&files[0], None, dialect) else { return };
    let mut changed = files.to_vec();
    changed[0].clone_from(&edited);
    let after = evaluate(&tree(&changed), &BTreeMap::new(), dialect);
    // A file that includes itself has the block in other places too, where it may be refused.
    let includes = |file: &Vec<u8>| directives(file, dialect).iter().any(|one| one.is("Include"));
    let alone = !files.iter().any(includes);
    assert!(!alone || before.refusals.len() == after.refusals.len());
    let accepted = after.refusals.is_empty() || alone;
    for (keyword, value) in &values {
        assert!(!accepted || after.without_blocks(*keyword).value == *value);
        for context in after.contexts(*keyword) {
            after.for_population(*keyword, &context.criteria);
        }
    }
    if !edit::has_block(&files[0]) {
        let beside = Path::new("/etc/ssh/keepalive-policy.conf");
        assert_eq!(edit::strip(&edited, beside, dialect), files[0]);
    }
}
