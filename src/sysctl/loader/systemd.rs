//! systemd-sysctl: assignments are collected by key, the last one replacing those before it, and
//! only then written.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::files::Read;
use super::{Brief, Evaluation, Fate, Statement, may_concern};
use crate::sysctl::proc_sys::{self, ProcSys};
use crate::sysctl::tree::Tree;
use crate::sysctl::value::{self, Hz};
use crate::sysctl::{Key, file, glob, key};

/// Reads the files; of their statements those that may concern a setting of ours, with normalised
/// keys.
pub(super) fn parse<'a>(tree: &'a Tree, files: &'a [Read]) -> Vec<Statement<'a>> {
    let mut parsed = Vec::new();
    for read in files {
        for statement in file::systemd(tree.content(&read.real)) {
            if may_concern(statement.key) {
                parsed.push(Statement::of(read, &statement, key::normalise(statement.key)));
            }
        }
    }
    parsed
}

/// The hash map with an order of `systemd-sysctl`: for every key, the statement that counts.
struct Options<'a> {
    /// In the order of insertion, a replaced one left out; indices into the statements.
    order: Vec<Option<usize>>,
    by_key: HashMap<&'a [u8], usize>,
}

impl<'a> Options<'a> {
    fn collect(parsed: &'a [Statement<'a>]) -> Self {
        let mut options = Self { order: Vec::new(), by_key: HashMap::new() };
        for (index, statement) in parsed.iter().enumerate() {
            let slot = options.by_key.get(statement.key.as_slice()).copied();
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

    fn append(&mut self, statement: &'a Statement<'a>, index: usize) {
        self.by_key.insert(&statement.key, self.order.len());
        self.order.push(Some(index));
    }

    fn contains(&self, key: &[u8]) -> bool {
        self.by_key.contains_key(key)
    }
}

/// Every setting.
pub(super) fn evaluate(parsed: &[Statement<'_>], hz: Hz) -> Vec<(Key, Evaluation)> {
    let options = Options::collect(parsed);
    let mut live = vec![false; parsed.len()];
    for index in options.order.iter().flatten() {
        if let Some(live) = live.get_mut(*index) {
            *live = true;
        }
    }
    // What never gets as far as the order comes first: replaced statements.
    let replaced = (0..parsed.len()).filter(|index| live.get(*index) == Some(&false));
    let replaced = replaced.map(|index| (index, true));
    let in_order = options.order.iter().flatten().map(|index| (*index, false));
    let mut briefs: BTreeMap<Key, Vec<Brief>> = BTreeMap::new();
    let mut known: HashMap<&[u8], Targets> = HashMap::new();
    for (index, replaced) in replaced.chain(in_order) {
        let Some(statement) = parsed.get(index) else { continue };
        let targets = known.entry(&statement.key).or_insert_with(|| targets(&statement.key));
        for (setting, path) in &targets.paths {
            let fate = if replaced {
                Fate::Replaced
            } else {
                fate(statement, path, targets.pattern, &options, *setting, hz)
            };
            let (path, pattern) = (Rc::clone(path), targets.pattern);
            let brief = Brief { statement: index, path, pattern, fate };
            briefs.entry(*setting).or_default().push(brief);
        }
    }
    let of = |setting: Key| briefs.get(&setting).map_or(&[][..], Vec::as_slice);
    Key::ALL.into_iter().map(|setting| (setting, Evaluation::of(of(setting), parsed))).collect()
}

/// The settings that a statement is about, by the path that the loader would open.
struct Targets {
    pattern: bool,
    paths: Vec<(Key, Rc<[u8]>)>,
}

fn targets(key: &[u8]) -> Targets {
    let pattern = key.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
    let full = [proc_sys::ROOT, b"/", key].concat();
    let paths =
        if pattern { glob::paths(&ProcSys { dots: false }, &full, true) } else { vec![full] };
    let paths =
        paths.into_iter().filter_map(|path| Some((written(&path)?, below(&path).into()))).collect();
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

fn fate(
    statement: &Statement<'_>,
    path: &[u8],
    pattern: bool,
    options: &Options<'_>,
    setting: Key,
    hz: Hz,
) -> Fate {
    match statement.value {
        // An exclusion that is itself a pattern excludes nothing: no key is spelled so.
        None if pattern => Fate::Shielded,
        None => Fate::Exclusion,
        Some(_) if pattern && options.contains(path) => Fate::Shielded,
        Some(text) => Fate::Written(value::write(setting, &[text, b"\n"].concat(), hz)),
    }
}
