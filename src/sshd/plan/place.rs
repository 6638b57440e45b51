//! The place where our lines win, found by trying: each candidate tree is evaluated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::same_files;
use crate::file_edit::FileEdit;
use crate::host::links::Obstacle;
use crate::marked::{self, Strangers, foreign};
use crate::reconcile::Value;
use crate::sshd::dialect::{Dialect, Include};
use crate::sshd::edit::{self, Text};
use crate::sshd::evaluate::{Context, Effective, Evaluation, evaluate};
use crate::sshd::instance::Instance;
use crate::sshd::tree::{Entry, Tree};
use crate::sshd::{Desired, Keyword, MatchBlocks, Observed};

/// Where distributions have the drop-ins.
pub const DROP_IN_DIRECTORY: &str = "/etc/ssh/sshd_config.d";

/// Names of our drop-in, the plain one first; each of the others is for a neighbour that sorts
/// before those above it. Files are read in the order of their names' bytes: `+` < `-` < `0`.
pub const DROP_INS: [&str; 5] = [
    "00-keepalive-policy.conf",
    "00-00-keepalive-policy.conf",
    "0-keepalive-policy.conf",
    "+keepalive-policy.conf",
    "!keepalive-policy.conf",
];

/// What a marked block includes to beat `Match` blocks; outside the drop-ins' directory, so that no
/// pattern reads it in another place.
const BESIDE: &str = "/etc/ssh/keepalive-policy.conf";

/// Where something of ours may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    drop_ins: Vec<PathBuf>,
    beside: PathBuf,
}

impl Places {
    /// Those of the host's own sshd, or of an instance. An instance has no drop-ins: a directory
    /// that it shares with another sshd would have two owners.
    #[must_use]
    pub fn of(instance: Option<&Instance>) -> Self {
        let drop_ins = || DROP_INS.iter().map(|name| Path::new(DROP_IN_DIRECTORY).join(name));
        match instance {
            None => Self { drop_ins: drop_ins().collect(), beside: BESIDE.into() },
            Some(instance) => Self { drop_ins: Vec::new(), beside: instance.beside() },
        }
    }

    /// Every path at which a file of ours may stand.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.drop_ins.iter().chain([&self.beside])
    }
}

/// What our lines are to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The declared values for every connection.
    Everybody,
    /// The declared values for connections that no foreign block treats apart.
    Unmatched,
    /// The declared values for every connection, as far as a block may set them: where a line above all
    /// places of ours can't be edited (openSUSE's vendor file), `Match all` still beats it.
    ByMatchAll,
}

/// The tree as it should be; `None` when no place is good enough, and all stays as it is.
#[must_use]
pub fn target(desired: &Desired, observed: &Observed, policy: &Path) -> Option<Tree> {
    let base = without_ours(observed);
    if desired.values.is_empty() {
        return Some(base);
    }
    let goals: &[Goal] = match desired.match_blocks {
        MatchBlocks::Override => &[Goal::Everybody, Goal::Unmatched, Goal::ByMatchAll],
        MatchBlocks::Report => &[Goal::Unmatched],
    };
    let untouched = same_files(&base, &observed.tree);
    if untouched && is_in_force(desired, observed) {
        return Some(base);
    }
    let search = Search::new(&base, desired, policy, observed);
    goals.iter().find_map(|goal| {
        if untouched && search.reaches(*goal, &base) {
            return Some(base.clone());
        }
        search.candidates(*goal).find(|candidate| search.reaches(*goal, candidate))
    })
}

/// The tree as it would be had this tool never run.
#[must_use]
pub fn without_ours(observed: &Observed) -> Tree {
    let (mut tree, dialect) = (observed.tree.clone(), &observed.dialect);
    for path in observed.places.paths().filter(|path| !observed.closed.contains_key(*path)) {
        // A copy is of what ours took the place of: what others put into ours since stays with it.
        if let Some(content) = own_content(&tree, path).filter(|content| edit::has_header(content))
        {
            let copy = observed.copies.get(path);
            let rest = edit::strangers(content, dialect).alone(edit::MATCH_ALL);
            let left = [copy.map_or(&[][..], Vec::as_slice), &rest].concat();
            tree.set(path, (copy.is_some() || !rest.is_empty()).then_some(&left));
        }
    }
    if let Some(main) = tree.content(&tree.main)
        && !observed.closed.contains_key(&tree.main)
    {
        let stripped = edit::strip(main, &observed.places.beside, dialect);
        tree.set(&tree.main.clone(), Some(&stripped));
    }
    tree
}

/// Our files in which others have put something, with the first line of theirs.
#[must_use]
pub fn shared(observed: &Observed) -> Vec<(PathBuf, usize)> {
    let mut shared = Vec::new();
    for path in observed.places.paths() {
        if let Some(content) = own_content(&observed.tree, path)
            && edit::has_header(content)
            && let Some(first) = edit::strangers(content, &observed.dialect).first
        {
            shared.push((path.clone(), first));
        }
    }
    shared
}

/// The content of a file at one of our paths; none of a link to somewhere else, which would be
/// followed when it is written.
fn own_content<'a>(tree: &'a Tree, path: &Path) -> Option<&'a [u8]> {
    match tree.entries.get(path) {
        Some(Entry::File { bytes, real }) if real.file_name() == path.file_name() => Some(bytes),
        _ => None,
    }
}

/// The edits from one tree to the other: what others refer to first, then the main file, then
/// what nobody refers to any more. Each state in between is one that sshd accepts.
#[must_use]
pub fn edits(before: &Tree, after: &Tree, observed: &Observed) -> Vec<FileEdit> {
    let mut edits = Vec::new();
    let mut removals = Vec::new();
    for path in observed.places.paths().cloned().chain([before.main.clone()]) {
        let (old, new) = (before.content(&path), after.content(&path));
        if old == new {
            continue;
        }
        let is_main = path == before.main;
        let edit = FileEdit {
            path: match before.entries.get(&path) {
                Some(Entry::File { real, .. }) if is_main => real.clone(),
                _ => path,
            },
            before: old.map(<[u8]>::to_vec),
            after: new.map(<[u8]>::to_vec),
            foreign: is_main || old.is_some_and(|content| !edit::has_header(content)),
        };
        if edit.after.is_some() { edits.push(edit) } else { removals.push(edit) }
    }
    edits.append(&mut removals);
    // A foreign file that comes back is nobody's to be kept again.
    for edit in &mut edits {
        edit.foreign &= observed.copies.get(&edit.path) != edit.after.as_ref();
    }
    edits
}

/// Why the main file must not be edited.
#[must_use]
pub fn obstacle(tree: &Tree, closed: &BTreeMap<PathBuf, Obstacle>) -> Option<String> {
    if let Some(obstacle) = closed.get(&tree.main) {
        return Some(match obstacle.link == tree.main {
            true => format!("it is {obstacle}"),
            false => format!("{} is {obstacle}", obstacle.link.display()),
        });
    }
    let content = tree.content(&tree.main).unwrap_or_default();
    let obstacle = if tree.main.starts_with("/usr") {
        "it is the vendor's file, and a file of the same name in /etc would replace it whole"
    } else if content.contains(&0) {
        "it has a NUL byte, which joins lines unseen; remove that first"
    } else if content.starts_with(b"\xef\xbb\xbf") {
        "it begins with a byte order mark; remove that first"
    } else {
        return None;
    };
    Some(obstacle.to_owned())
}

/// What stays of ours behind a link that we don't write through any more.
#[must_use]
pub fn out_of_reach(observed: &Observed) -> Vec<&Obstacle> {
    let tree = &observed.tree;
    let is_ours = |path: &&PathBuf| {
        let content = tree.content(path).unwrap_or_default();
        edit::has_header(content) || edit::has_block(content)
    };
    let closed = observed.closed.iter().filter(|(path, _)| is_ours(path));
    closed.map(|(_, obstacle)| obstacle).collect()
}

struct Search<'a> {
    base: &'a Tree,
    /// As it was found.
    seen: &'a Tree,
    before: Evaluation,
    desired: &'a BTreeMap<Keyword, Value>,
    text: Text<'a>,
    dialect: &'a Dialect,
    places: &'a Places,
    closed: &'a BTreeMap<PathBuf, Obstacle>,
    /// The drop-ins in the order of preference. One of ours that wins where it stands stays there: a
    /// neighbour that comes and goes would cost two reloads of sshd each time.
    drop_ins: Vec<&'a PathBuf>,
    /// Where a block may begin in the main file, the place where ours stands now first: another tool that
    /// keeps its own block at the top would otherwise fight with us for the first line.
    blocks: Vec<usize>,
}

/// Where our lines may stand.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// In a file of our own.
    DropIn(&'a Path),
    /// In a marked block of the main file that begins there.
    Block(usize),
}

impl<'a> Search<'a> {
    fn new(base: &'a Tree, desired: &'a Desired, policy: &'a Path, seen: &'a Observed) -> Self {
        let (dialect, places, closed) = (&seen.dialect, &seen.places, &seen.closed);
        // Without the command line's values: those beat every place alike.
        let before = evaluate(base, &BTreeMap::new(), dialect);
        let text = Text { values: &desired.values, policy };
        let mut drop_ins: Vec<&PathBuf> = places.drop_ins.iter().collect();
        let is_ours = |path: &Path| own_content(&seen.tree, path).is_some_and(edit::has_header);
        drop_ins.sort_by_key(|path| !is_ours(path));
        let (blocks, seen) = (blocks(base, &seen.tree, dialect), &seen.tree);
        let desired = &desired.values;
        Self { base, seen, before, desired, text, dialect, places, closed, drop_ins, blocks }
    }

    /// The places in the order of preference.
    fn candidates(&self, goal: Goal) -> impl Iterator<Item = Tree> {
        let forms: &[bool] = match goal {
            Goal::Everybody => &[false, true],
            Goal::Unmatched => &[false],
            Goal::ByMatchAll => &[true],
        };
        let drop_ins = self.drop_ins.iter().map(|path| Place::DropIn(path));
        let blocks = self.blocks.iter().map(|at| Place::Block(*at));
        let both = |place: Place<'a>| forms.iter().map(move |beat| (place, *beat));
        let places: Vec<_> = drop_ins.chain(blocks).flat_map(both).collect();
        places.into_iter().filter_map(|(place, beat)| match place {
            Place::DropIn(path) => self.with_drop_in(path, beat),
            Place::Block(at) => self.with_block(at, beat),
        })
    }

    fn with_drop_in(&self, path: &Path, beat_blocks: bool) -> Option<Tree> {
        let mut tree = self.base.clone();
        if !self.is_free(path) {
            return None;
        }
        tree.set(path, Some(&self.text.drop_in(beat_blocks, &self.strangers(path))));
        Some(tree)
    }

    fn with_block(&self, at: usize, beat_blocks: bool) -> Option<Tree> {
        let beside = self.places.beside.as_path();
        if obstacle(self.base, self.closed).is_some()
            || beat_blocks && !(self.dialect.include() != Include::Missing && self.is_free(beside))
        {
            return None;
        }
        let mut tree = self.base.clone();
        let main = self.base.content(&self.base.main)?;
        let edited = self.text.insert(main, at, beat_blocks.then_some(beside))?;
        tree.set(&self.base.main, Some(&edited));
        if beat_blocks {
            tree.set(beside, Some(&self.text.beside(&self.strangers(beside))));
        }
        Some(tree)
    }

    fn ours(&self, path: &Path) -> Option<&[u8]> {
        own_content(self.seen, path).filter(|content| edit::has_header(content))
    }

    fn strangers(&self, path: &Path) -> Strangers {
        let ours = self.ours(path);
        ours.map(|content| edit::strangers(content, self.dialect)).unwrap_or_default()
    }

    /// Whether nothing stands there that would be lost, and the directory can be there.
    fn is_free(&self, path: &Path) -> bool {
        let in_place = match self.base.entries.get(path) {
            None => true,
            Some(_) if self.ours(path).is_some() => true,
            Some(_) => own_content(self.base, path)
                .is_some_and(|content| edit::is_ours(content, self.dialect)),
        };
        let parent = path.parent().and_then(|parent| self.base.entries.get(parent));
        let directory = match parent {
            Some(Entry::Directory) => true,
            // Made only where there is no other way: a vendor's main file includes it.
            None => path == self.places.beside || self.base.main.starts_with("/usr"),
            Some(_) => false,
        };
        in_place && directory && !self.closed.contains_key(path)
    }

    fn reaches(&self, goal: Goal, candidate: &Tree) -> bool {
        let after = evaluate(candidate, &BTreeMap::new(), self.dialect);
        let refuses_nothing_new =
            after.refusals.iter().all(|refusal| self.before.refusals.contains(refusal));
        let met = self.desired.iter().all(|(keyword, value)| match goal {
            Goal::Everybody => is_for_everybody(&after, *keyword, *value),
            Goal::Unmatched => after.without_blocks(*keyword).value == *value,
            Goal::ByMatchAll if *keyword == Keyword::TcpKeepAlive => {
                let value_before = self.before.global(*keyword).value;
                after.global(*keyword).value == value_before
            }
            Goal::ByMatchAll => in_every_block(&after, *keyword, *value),
        });
        let kept = Keyword::ALL
            .into_iter()
            .filter(|keyword| !self.desired.contains_key(keyword))
            .all(|keyword| same_for_everybody(&self.before, &after, keyword));
        refuses_nothing_new && met && kept
    }
}

/// Where a block may begin in the main file of `base`, which is `now` without anything of ours.
fn blocks(base: &Tree, now: &Tree, dialect: &Dialect) -> Vec<usize> {
    let main = base.content(&base.main).unwrap_or_default();
    let standing = now.content(&now.main).and_then(marked::place);
    // What stands above our block is the same in both, and nothing of another tool may surround it.
    let standing = standing.filter(|at| *at <= main.len() && foreign::outside(main, *at) == *at);
    let mut blocks: Vec<usize> = standing.into_iter().collect();
    for at in edit::places(main, dialect) {
        if !blocks.contains(&at) {
            blocks.push(at);
        }
    }
    blocks
}

/// Whether nothing has to be done, be it thanks to the command line.
fn is_in_force(desired: &Desired, observed: &Observed) -> bool {
    let evaluation = evaluate(&observed.tree, &observed.preset, &observed.dialect);
    desired.values.iter().all(|(keyword, value)| is_for_everybody(&evaluation, *keyword, *value))
}

fn is_for_everybody(evaluation: &Evaluation, keyword: Keyword, value: Value) -> bool {
    evaluation.without_blocks(keyword).value == value && in_every_block(evaluation, keyword, value)
}

/// The same where a `Match all` may be what gives everybody the value.
fn in_every_block(evaluation: &Evaluation, keyword: Keyword, value: Value) -> bool {
    evaluation.global(keyword).value == value
        && evaluation
            .populations(keyword)
            .all()
            .iter()
            .all(|(_, effective)| effective.value == value)
}

fn same_for_everybody(before: &Evaluation, after: &Evaluation, keyword: Keyword) -> bool {
    let (blocks_before, blocks_after) = (before.populations(keyword), after.populations(keyword));
    let is_same = |(context, _): &(Context, Effective)| {
        let criteria = &context.criteria;
        blocks_before.value(criteria).value == blocks_after.value(criteria).value
    };
    before.without_blocks(keyword).value == after.without_blocks(keyword).value
        && before.global(keyword).value == after.global(keyword).value
        && blocks_before.all().iter().all(is_same)
        && blocks_after.all().iter().all(is_same)
}
