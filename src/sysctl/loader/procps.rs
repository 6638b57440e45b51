//! procps' `sysctl --system`: every statement is carried out in turn, so that a valid value survives
//! an invalid one after it; explicit lines and exclusions take a key out of every pattern.

use std::collections::HashSet;

use super::files::Read;
use super::{Attempt, Evaluation, Fate, Place};
use crate::sysctl::proc_sys::{self, ProcSys};
use crate::sysctl::tree::Tree;
use crate::sysctl::value::{self, Hz, Write};
use crate::sysctl::{Key, file, glob, key};

/// The buffer of procps' `procio`: a longer text that the kernel refuses is tried again in pieces.
const PIECE: usize = 4096;

/// A statement with its place and the path that is opened.
#[derive(Debug, Clone)]
pub struct Parsed<'a> {
    path: Vec<u8>,
    value: Option<&'a [u8]>,
    place: Place,
}

/// Reads the files.
#[must_use]
pub fn parse<'a>(tree: &'a Tree, files: &[Read]) -> Vec<Parsed<'a>> {
    let mut parsed = Vec::new();
    for read in files {
        for statement in file::procps(tree.content(&read.real)) {
            let path = [proc_sys::ROOT, b"/", &key::to_path(statement.key)].concat();
            let place = super::place(read, &statement);
            parsed.push(Parsed { path, value: statement.value, place });
        }
    }
    parsed
}

/// Every setting.
#[must_use]
pub fn evaluate(parsed: &[Parsed<'_>], hz: Hz) -> Vec<(Key, Evaluation)> {
    // Compared as text: `/net/ipv4/x` does not shield what a pattern finds as `net/ipv4/x`.
    let spelled: HashSet<&[u8]> =
        parsed.iter().map(|statement| statement.path.as_slice()).collect();
    let mut attempts: Vec<(Key, Attempt)> = Vec::new();
    for statement in parsed {
        let pattern = statement.path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let paths = if pattern {
            glob::paths(&ProcSys { dots: true }, &statement.path, false)
        } else {
            vec![statement.path.clone()]
        };
        for path in paths {
            let Some(setting) = proc_sys::setting(&path) else { continue };
            let fate = match statement.value {
                // Version 4.0.7 lets an exclusion be a pattern; before, it excludes nothing.
                None if pattern => Fate::Shielded,
                None => Fate::Exclusion,
                Some(_) if pattern && spelled.contains(path.as_slice()) => Fate::Shielded,
                Some(text) => Fate::Written(write(setting, text, hz)),
            };
            attempts.push((setting, statement.attempt(path, pattern, fate)));
        }
    }
    Key::ALL.into_iter().map(|setting| (setting, Evaluation::new(of(setting, &attempts)))).collect()
}

fn of(setting: Key, attempts: &[(Key, Attempt)]) -> Vec<Attempt> {
    attempts.iter().filter(|(key, _)| *key == setting).map(|(_, attempt)| attempt.clone()).collect()
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

impl Parsed<'_> {
    fn attempt(&self, path: Vec<u8>, pattern: bool, fate: Fate) -> Attempt {
        let place = self.place.clone();
        Attempt { place, text: self.value.map(<[u8]>::to_vec), path, pattern, fate }
    }
}
