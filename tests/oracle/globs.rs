//! Which files an `Include` pattern matches, and in which order.

use std::collections::BTreeSet;
use std::path::Path;

use keepalive_policy::host::Host;
use keepalive_policy::sshd::glob::expand;
use keepalive_policy::sshd::tree::snapshot;

use super::random::Random;
use super::real::Sshd;
use super::trees;
use super::{count, first_seed};

const NAME: [&str; 22] = [
    "a", "b", "c", "A", "Z", "0", "9", "_", "-", "!", "^", "[", "]", "*", "?", "\\", ":", "{", ".",
    "é", " ", ",",
];

const PATTERN: [&str; 40] = [
    "a",
    "b",
    "A",
    "0",
    "-",
    "!",
    "^",
    "]",
    "]",
    "*",
    "*",
    "*",
    "?",
    "?",
    "\\\\",
    "\\\\*",
    "\\\\[",
    "\\\\]",
    ":",
    "{a,b}",
    ".",
    "é",
    " ",
    "[ab]",
    "[!ab]",
    "[a-c]",
    "[^a]",
    "[[:alpha:]]",
    "[[:digit:]_]",
    "[![:upper:]]",
    "[]a]",
    "[!]a]",
    "[a-",
    "[",
    "[a",
    "[[:bogus:]]",
    "[0-9-]",
    "[--0]",
    "[\\\\]a]",
    "[a\\\\-c]",
];

fn word(random: &mut Random, pieces: &[&str], most: usize) -> String {
    let pieces = (0..=random.below(most)).map(|_| random.pick(pieces)).collect::<Vec<_>>();
    pieces.concat()
}

/// Files of random names, each of which lets one user in; their order shows in `sshd -T`.
fn write(random: &mut Random, directory: &Path) -> Vec<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for _ in 0..12 {
        names.insert(word(random, &NAME, 3));
    }
    names.retain(|name| name != "." && name != "..");
    for (number, name) in names.iter().enumerate() {
        trees::put(&directory.join(name), format!("AllowUsers user{number}\n").as_bytes());
    }
    names.into_iter().collect()
}

#[test]
fn every_pattern_matches_what_it_matches_for_sshd() {
    let sshd = Sshd::new();
    let dialect = sshd.dialect();
    assert!(!dialect.splits_like_keywords(), "older releases have no single quotes");
    let (mut matched, mut crashed) = (0, 0);
    for seed in first_seed()..first_seed() + count(120) {
        let mut random = Random::seeded(seed ^ 0x610b);
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("d");
        std::fs::create_dir(&directory).unwrap();
        let names = write(&mut random, &directory);
        let pattern = word(&mut random, &PATTERN, 5);
        let main = root.path().join("sshd_config");
        let line = format!("Include '{}/{pattern}'\n", directory.display());
        trees::put(&main, line.as_bytes());
        let about = format!("seed {seed}: {line}{names:?}");
        let found = snapshot::read(&Host::live(), &main, &[], &dialect).unwrap();
        // The tokeniser halves backslashes.
        let resolved = format!("{}/{}", directory.display(), pattern.replace("\\\\", "\\"));
        let Ok(paths) = expand(resolved.as_bytes(), &mut &found.tree);
        let user = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            names.iter().position(|other| other == name).map(|number| format!("user{number}"))
        };
        let ours: Vec<String> = paths.iter().filter_map(|path| user(path)).collect();
        match sshd.dump(&main, "lport=1") {
            Ok(dump) => {
                let theirs = dump.values.get("allowusers").cloned().unwrap_or_default();
                assert_eq!(ours, theirs, "{about}");
                matched += ours.len();
            }
            // It reads beyond the end of a pattern whose brackets are not closed.
            Err(words) => {
                assert!(words.is_empty(), "{about}: {words}");
                crashed += 1;
            }
        }
    }
    println!("{matched} files matched; sshd crashed {crashed} times");
    assert!(matched > 0);
}
