//! procps' `sysctl --system`: every statement is carried out in turn, so that a valid value survives
//! an invalid one after it; explicit lines and exclusions take a key out of every pattern.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::files::Read;
use super::{Brief, Evaluation, Fate, Statement, may_concern};
use crate::sysctl::proc_sys::{self, ProcSys};
use crate::sysctl::tree::Tree;
use crate::sysctl::value::{self, Hz, Write};
use crate::sysctl::{Key, file, glob, key};

/// The buffer of procps' `procio`: a longer text that the kernel refuses is tried again in pieces.
const PIECE: usize = 4096;

/// The settings that a key opens, each with the path that is used.
type Paths = Vec<(Key, Rc<[u8]>)>;

/// Reads the files; of their statements those that may concern a setting of ours. Their keys are the
/// paths that are opened.
pub(super) fn parse<'a>(tree: &'a Tree, files: &'a [Read]) -> Vec<Statement<'a>> {
    let mut parsed = Vec::new();
    for read in files {
        for statement in file::procps(tree.content(&read.real)) {
            if may_concern(statement.key) {
                let path = [proc_sys::ROOT, b"/", &key::to_path(statement.key)].concat();
                parsed.push(Statement::of(read, &statement, path));
            }
        }
    }
    parsed
}

/// Every setting.
pub(super) fn evaluate(parsed: &[Statement<'_>], hz: Hz) -> Vec<(Key, Evaluation)> {
    // Compared as text: `/net/ipv4/x` does not shield what a pattern finds as `net/ipv4/x`.
    let spelled: HashSet<&[u8]> = parsed.iter().map(|statement| statement.key.as_slice()).collect();
    let mut briefs: BTreeMap<Key, Vec<Brief>> = BTreeMap::new();
    let mut known: HashMap<&[u8], Paths> = HashMap::new();
    for (index, statement) in parsed.iter().enumerate() {
        let pattern = statement.key.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let paths = known.entry(&statement.key).or_insert_with(|| paths(&statement.key, pattern));
        for (setting, path) in &*paths {
            let fate = match statement.value {
                // Version 4.0.7 lets an exclusion be a pattern; before, it excludes nothing.
                None if pattern => Fate::Shielded,
                None => Fate::Exclusion,
                Some(_) if pattern && spelled.contains(&**path) => Fate::Shielded,
                Some(text) => Fate::Written(write(*setting, text, hz)),
            };
            let brief = Brief { statement: index, path: Rc::clone(path), pattern, fate };
            briefs.entry(*setting).or_default().push(brief);
        }
    }
    let of = |setting: Key| briefs.get(&setting).map_or(&[][..], Vec::as_slice);
    Key::ALL.into_iter().map(|setting| (setting, Evaluation::of(of(setting), parsed))).collect()
}

/// The settings that are opened by a path, each with the path that is used.
fn paths(path: &[u8], pattern: bool) -> Paths {
    let paths = if pattern {
        glob::paths(&ProcSys { dots: true }, path, false)
    } else {
        vec![path.to_vec()]
    };
    let mut found = Vec::new();
    for path in paths {
        if let Some(setting) = proc_sys::setting(&path) {
            found.push((setting, path.into()));
        }
    }
    found
}

/// One write, and where the kernel refuses a long text, another of what stands before the last
/// comma of its first piece.
fn write(setting: Key, text: &[u8], hz: Hz) -> Write {
    let line = [text, b"\n"].concat();
    let whole = value::write(setting, &line, hz);
    if whole == Write::Refused && line.len() > PIECE {
        let piece = line.get(..PIECE).unwrap_or_default();
        if let Some(comma) = piece.iter().rposition(|byte| *byte == b',') {
            let first = line.get(..comma).unwrap_or_default();
            return value::write(setting, &[first, b"\n"].concat(), hz);
        }
    }
    whole
}
