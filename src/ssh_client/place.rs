//! The place where our lines win, found by trying: each candidate tree is read as ssh reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::edit::{self, Condition, Text};
use super::evaluate::{Reading, read};
use super::tree::{Entry, Tree};
use super::{Keyword, Observed};
use crate::host::links::Obstacle;
use crate::marked::{self, foreign};
use crate::reconcile::Value;
use crate::sshd::dialect::Dialect;
use crate::sshd::plan::place::DROP_INS;
use crate::sshd::syntax::{self, Directive};

/// Where distributions have the drop-ins.
pub const DROP_IN_DIRECTORY: &str = "/etc/ssh/ssh_config.d";

/// Every path at which a file of ours may stand.
#[must_use]
pub fn own_paths() -> Vec<PathBuf> {
    DROP_INS.iter().map(|name| Path::new(DROP_IN_DIRECTORY).join(name)).collect()
}

/// The tree as it would be had this tool never run.
#[must_use]
pub fn without_ours(observed: &Observed) -> Tree {
    let mut tree = observed.tree.clone();
    let main = observed.main().to_owned();
    let kept = observed.copies.get(&main);
    let open = |path: &Path| !observed.closed.contains_key(path);
    let content = tree.content(&main).filter(|content| open(&main) && marked::has_block(content));
    if let Some(content) = content {
        let stripped = if tree.user.is_some() {
            edit::strip_for_user(content, &observed.dialect)
        } else {
            edit::strip(content, &observed.dialect)
        };
        // The end of the last line may be ours, and a file that we made goes altogether.
        let original = kept.filter(|kept| [kept.as_slice(), b"\n"].concat() == stripped);
        let made_by_us = kept.is_none() && stripped.is_empty();
        let restored = original.unwrap_or(&stripped).clone();
        tree.set(&main, (!made_by_us).then_some(&restored));
    }
    if tree.user.is_some() {
        return tree;
    }
    for path in own_paths().into_iter().filter(|path| open(path)) {
        // A copy is of what ours took the place of: what others put into ours since stays with it.
        if let Some(content) = own_content(&tree, &path) {
            let copy = observed.copies.get(&path);
            let rest = edit::strangers(content, &observed.dialect).alone(b"");
            let left = [copy.map_or(&[][..], Vec::as_slice), &rest].concat();
            tree.set(&path, (copy.is_some() || !rest.is_empty()).then_some(&left));
        }
    }
    tree
}

/// The content of a file of ours.
fn own_content<'a>(tree: &'a Tree, path: &Path) -> Option<&'a [u8]> {
    tree.content(path).filter(|content| marked::has_header(content))
}

/// Our files in which others have put something, with the first line of theirs.
#[must_use]
pub fn shared(observed: &Observed) -> Vec<(PathBuf, usize)> {
    let mut shared = Vec::new();
    // The host's files are none of a user's.
    let paths = if observed.tree.user.is_some() { Vec::new() } else { own_paths() };
    for path in paths {
        if let Some(content) = own_content(&observed.tree, &path)
            && let Some(first) = edit::strangers(content, &observed.dialect).first
        {
            shared.push((path, first));
        }
    }
    shared
}

/// The tree as it should be; `None` when no place is good enough, and all stays as it is.
#[must_use]
pub fn target(
    values: &BTreeMap<Keyword, Value>,
    observed: &Observed,
    policy: &Path,
) -> Option<Tree> {
    let base = without_ours(observed);
    if values.is_empty() {
        return Some(base);
    }
    let search = Search {
        before: read(&base, &observed.dialect),
        own: users_own(&base, &observed.dialect),
        base: &base,
        closed: &observed.closed,
        seen: &observed.tree,
        values,
        dialect: &observed.dialect,
        text: Text { values, policy, dialect: &observed.dialect },
        standing: standing(&base, observed),
    };
    if base == observed.tree && search.reaches(&base) {
        return Some(base.clone());
    }
    search.candidates(observed.main()).into_iter().find(|candidate| search.reaches(candidate))
}

fn standing(base: &Tree, observed: &Observed) -> Option<usize> {
    let now = observed.tree.content(observed.main())?;
    let content = base.content(observed.main()).unwrap_or_default();
    marked::place(now).filter(|at| *at <= content.len() && foreign::outside(content, *at) == *at)
}

/// The reading of the user's own files alone; of nothing where there are none.
fn users_own(tree: &Tree, dialect: &Dialect) -> Reading {
    let mut own = tree.clone();
    let system = own.system.clone();
    own.entries.remove(&system);
    if own.user.is_some() { read(&own, dialect) } else { Reading::default() }
}

struct Search<'a> {
    base: &'a Tree,
    closed: &'a BTreeMap<PathBuf, Obstacle>,
    /// As it was found.
    seen: &'a Tree,
    before: Reading,
    own: Reading,
    values: &'a BTreeMap<Keyword, Value>,
    dialect: &'a Dialect,
    text: Text<'a>,
    /// Where our block stands in the system's file now, if no other tool's surrounds it.
    standing: Option<usize>,
}

impl Search<'_> {
    /// In the order of preference.
    fn candidates(&self, main: &Path) -> Vec<Tree> {
        let content = self.base.content(main);
        let editable = matches!(self.base.entries.get(main), None | Some(Entry::File { .. }))
            && !self.closed.contains_key(main);
        let content = content.unwrap_or_default();
        let with = |edited: Vec<u8>| {
            let mut tree = self.base.clone();
            tree.set(main, Some(&edited));
            tree
        };
        if self.base.user.is_some() {
            let places = if editable { self.places(main, content) } else { Vec::new() };
            let block = |(at, condition)| with(self.text.for_user(content, at, condition));
            return places.into_iter().map(block).collect();
        }
        let mut candidates: Vec<Tree> =
            own_paths().iter().filter_map(|path| self.with_drop_in(path)).collect();
        // The vendor's file is nobody's to edit: it is replaced at the next upgrade.
        if editable && !main.starts_with("/usr") {
            let standing = self.standing.into_iter();
            let places = standing.chain(crate::sshd::edit::places(content, self.dialect));
            candidates.extend(places.map(|at| with(self.text.for_system(content, at))));
        }
        candidates
    }

    /// At the end, so that every block of the user's comes first; before the block that sets a
    /// value for everybody; before everything. The line begins there.
    fn places(&self, main: &Path, content: &[u8]) -> Vec<(usize, Condition)> {
        let end = content.len();
        let mut places = vec![(end, Condition::Always), (end, Condition::Finally)];
        let rivals = self.values.keys().filter_map(|keyword| self.before.global(*keyword).source);
        let lines: Vec<usize> =
            rivals.filter(|source| source.file == main).map(|source| source.line).collect();
        let first = lines.iter().min().copied().unwrap_or(0);
        let block = syntax::each(content, self.dialect)
            .take_while(|line| line.line <= first)
            .filter(|line| line.is("Host") || line.is("Match"))
            .last();
        let above = |line: &Directive| foreign::outside(content, line.span.start);
        places.extend(block.map(|line| (above(&line), Condition::Always)));
        places.push((0, Condition::Always));
        places
    }

    fn with_drop_in(&self, path: &Path) -> Option<Tree> {
        let ours = own_content(self.seen, path);
        let strangers = ours.map(|content| edit::strangers(content, self.dialect));
        let free = match self.base.entries.get(path) {
            None => true,
            Some(Entry::File { .. }) if ours.is_some() => true,
            Some(Entry::File { bytes, real, .. }) => {
                real.file_name() == path.file_name() && edit::is_ours(bytes, self.dialect)
            }
            Some(_) => false,
        };
        let directory = self.base.entries.get(Path::new(DROP_IN_DIRECTORY));
        let usable = match directory {
            Some(Entry::Directory { listable, searchable, .. }) => *listable && *searchable,
            None => self.base.system.starts_with("/usr"),
            Some(_) => false,
        };
        let mut tree = self.base.clone();
        tree.entries.remove(path);
        if !free || !usable || self.closed.contains_key(path) {
            return None;
        }
        tree.set(path, Some(&self.text.drop_in(&strangers.unwrap_or_default())));
        Some(tree)
    }

    fn reaches(&self, candidate: &Tree) -> bool {
        let after = read(candidate, self.dialect);
        let nothing_new = after.refusals.iter().all(|one| self.before.refusals.contains(one));
        let declared = |keyword: &Keyword| self.values.contains_key(keyword);
        let met = self.values.iter().all(|(keyword, value)| {
            after.global(*keyword).value == *value
                && (self.base.user.is_some()
                    || after.deviations(*keyword).iter().all(|one| one.effective.value == *value))
        });
        let kept = Keyword::ALL.into_iter().filter(|keyword| !declared(keyword)).all(|keyword| {
            self.before.global(keyword).value == after.global(keyword).value
                && contexts(&self.before, keyword) == contexts(&after, keyword)
        });
        nothing_new && met && kept && self.keeps_the_users_blocks(candidate)
    }

    /// Whether what the user's own blocks set is as it was.
    fn keeps_the_users_blocks(&self, candidate: &Tree) -> bool {
        let after = users_own(candidate, self.dialect);
        Keyword::ALL
            .into_iter()
            .all(|keyword| contexts(&self.own, keyword) == contexts(&after, keyword))
    }
}

fn contexts(reading: &Reading, keyword: Keyword) -> Vec<(String, Value)> {
    let deviations = reading.deviations(keyword).into_iter();
    deviations.map(|one| (one.context, one.effective.value)).collect()
}
