//! systemd-sysctl: assignments are collected by key, the last one replacing those before it, and
//! only then written.

use std::collections::{HashMap, HashSet};

use super::files::Read;
use super::{Attempt, Evaluation, Fate, Place};
use crate::sysctl::proc_sys::{self, ProcSys};
use crate::sysctl::tree::Tree;
use crate::sysctl::value::{self, Hz};
use crate::sysctl::{Key, file, glob, key};

/// A statement with its place and its normalised key.
#[derive(Debug, Clone)]
pub struct Parsed<'a> {
    key: Vec<u8>,
    value: Option<&'a [u8]>,
    place: Place,
}

/// Reads the files.
#[must_use]
pub fn parse<'a>(tree: &'a Tree, files: &[Read]) -> Vec<Parsed<'a>> {
    let mut parsed = Vec::new();
    for read in files {
        for statement in file::systemd(tree.content(&read.real)) {
            parsed.push(Parsed {
                key: key::normalise(statement.key),
                value: statement.value,
                place: super::place(read, &statement),
            });
        }
    }
    parsed
}

/// The hash map with an order of `systemd-sysctl`: for every key, the statement that counts.
struct Options {
    /// In the order of insertion, a replaced one left out; indices into the statements.
    order: Vec<Option<usize>>,
    by_key: HashMap<Vec<u8>, usize>,
}

impl Options {
    fn collect(parsed: &[Parsed<'_>]) -> Self {
        let mut options = Self { order: Vec::new(), by_key: HashMap::new() };
        for (index, statement) in parsed.iter().enumerate() {
            let slot = options.by_key.get(&statement.key).copied();
            let present = slot.and_then(|slot| options.order.get_mut(slot));
            let same = |other: usize| {
                parsed.get(other).is_some_and(|other| other.value == statement.value)
            };
            match present {
                // The same value again keeps its first position in the order.
                Some(present) if present.is_some_and(same) => *present = Some(index),
                Some(present) => {
                    *present = None;
                    options.append(statement, index);
                }
                None => options.append(statement, index),
            }
        }
        options
    }

    fn append(&mut self, statement: &Parsed<'_>, index: usize) {
        self.by_key.insert(statement.key.clone(), self.order.len());
        self.order.push(Some(index));
    }

    fn contains(&self, key: &[u8]) -> bool {
        self.by_key.contains_key(key)
    }
}

/// Every setting.
#[must_use]
pub fn evaluate(parsed: &[Parsed<'_>], hz: Hz) -> Vec<(Key, Evaluation)> {
    let options = Options::collect(parsed);
    let live: HashSet<usize> = options.order.iter().flatten().copied().collect();
    let targets: Vec<Targets> = parsed.iter().map(targets).collect();
    Key::ALL
        .into_iter()
        .map(|setting| {
            let mut attempts = Vec::new();
            // What never gets as far as the order comes first: replaced statements.
            for (index, (statement, targets)) in parsed.iter().zip(&targets).enumerate() {
                if !live.contains(&index) {
                    attempts.extend(
                        targets
                            .of(setting)
                            .map(|path| statement.attempt(path, targets.pattern, Fate::Replaced)),
                    );
                }
            }
            for index in options.order.iter().flatten() {
                let Some((statement, targets)) = parsed.get(*index).zip(targets.get(*index)) else {
                    continue;
                };
                attempts.extend(targets.of(setting).map(|path| {
                    let fate = statement.fate(path, targets.pattern, &options, setting, hz);
                    statement.attempt(path, targets.pattern, fate)
                }));
            }
            (setting, Evaluation::new(attempts))
        })
        .collect()
}

/// The settings that a statement is about, by the path that the loader would open.
struct Targets {
    pattern: bool,
    paths: Vec<(Key, Vec<u8>)>,
}

impl Targets {
    fn of(&self, setting: Key) -> impl Iterator<Item = &[u8]> {
        let of_setting = self.paths.iter().filter(move |(key, _)| *key == setting);
        of_setting.map(|(_, path)| path.as_slice())
    }
}

fn targets(statement: &Parsed<'_>) -> Targets {
    let pattern = statement.key.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
    let full = [proc_sys::ROOT, b"/", &statement.key].concat();
    let paths =
        if pattern { glob::paths(&ProcSys { dots: false }, &full, true) } else { vec![full] };
    let paths =
        paths.into_iter().filter_map(|path| Some((written(&path)?, below(&path)))).collect();
    Targets { pattern, paths }
}

/// The setting that is written through a path: it is simplified, and refused with `..` in it.
fn written(path: &[u8]) -> Option<Key> {
    let path = key::simplify(path);
    let climbs = path.split(|byte| *byte == b'/').any(|part| part == b"..");
    if climbs { None } else { proc_sys::setting(&path) }
}

/// `path_startswith(path, "/proc/sys")`: the key that is looked up among the explicit ones.
fn below(path: &[u8]) -> Vec<u8> {
    let mut rest = path.strip_prefix(proc_sys::ROOT).unwrap_or(path);
    while let [b'/', after @ ..] | [b'.', b'/', after @ ..] = rest {
        rest = after;
    }
    rest.to_vec()
}

impl Parsed<'_> {
    fn fate(&self, path: &[u8], pattern: bool, options: &Options, setting: Key, hz: Hz) -> Fate {
        match self.value {
            // An exclusion that is itself a pattern excludes nothing: no key is spelled so.
            None if pattern => Fate::Shielded,
            None => Fate::Exclusion,
            Some(_) if pattern && options.contains(path) => Fate::Shielded,
            Some(text) => Fate::Written(value::write(setting, &[text, b"\n"].concat(), hz)),
        }
    }

    fn attempt(&self, path: &[u8], pattern: bool, fate: Fate) -> Attempt {
        Attempt {
            place: self.place.clone(),
            text: self.value.map(<[u8]>::to_vec),
            path: path.to_vec(),
            pattern,
            fate,
        }
    }
}
