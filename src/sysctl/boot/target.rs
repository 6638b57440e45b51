//! The tree as it should be: lines of ours put back where their key is not declared any more, our
//! drop-in where it wins, and the smallest edits where no name can win.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use super::drop_in;
use super::edited_line::{self, Edit};
use super::{Boot, Judged, Observed};
use crate::originals::EditedLine;
use crate::reconcile::{Problem, Resource, Severity};
use crate::sysctl::loader::{Attempt, Evaluation, Loader, files};
use crate::sysctl::tree::{CREDENTIALS, Tree};
use crate::sysctl::{Desired, Key, key, proc_sys};

/// More edits than this, and something is wrong that another edit won't mend.
const EDITS: usize = 64;

/// Where the plan wants to get.
#[derive(Debug, Clone)]
pub struct Target {
    /// The files.
    pub tree: Tree,
    /// The record of edited lines that belongs to it.
    pub edited: Vec<EditedLine>,
    /// What stays in the way.
    pub problems: Vec<Problem>,
    /// The trees that were evaluated last, with what came of it: most steps ask about the same.
    known: RefCell<Vec<(Tree, Rc<[Judged]>)>>,
}

/// So many are kept.
const KNOWN: usize = 3;

/// Builds it. `judged` is what the observed tree gives.
pub fn find(policy: &Path, desired: &Desired, observed: &Observed, judged: Vec<Judged>) -> Target {
    let mut target = Target {
        tree: observed.tree.clone(),
        edited: Vec::new(),
        problems: Vec::new(),
        known: RefCell::new(vec![(observed.tree.clone(), judged.into())]),
    };
    target.put_back_lines(desired, &observed.edited);
    if desired.values.is_empty() {
        target.remove_drop_in();
        return target;
    }
    if !target.place_drop_in(policy, desired, observed) {
        return target;
    }
    target.shield(desired, observed);
    target.edit_lines(desired, observed);
    target.report_conflicts(desired, observed);
    target
}

impl Target {
    fn judge(&self, observed: &Observed, tree: &Tree) -> Rc<[Judged]> {
        let mut known = self.known.borrow_mut();
        if let Some((_, judged)) = known.iter().find(|(other, _)| other == tree) {
            return Rc::clone(judged);
        }
        let judged: Rc<[Judged]> = observed.judge_tree(tree).into();
        if known.len() >= KNOWN {
            known.remove(0);
        }
        known.push((tree.clone(), Rc::clone(&judged)));
        judged
    }

    fn put_back_lines(&mut self, desired: &Desired, records: &[EditedLine]) {
        // The last edit first: with equal lines, the later one was ours later.
        for record in records.iter().rev() {
            let keys = edited_line::settings(record);
            if !keys.is_empty() && keys.iter().any(|key| desired.values.contains_key(key)) {
                self.edited.insert(0, record.clone());
                continue;
            }
            match edited_line::put_back(self.tree.content(&record.file), record) {
                Some(content) => {
                    self.tree.contents.insert(record.file.clone(), content.into());
                }
                None => self.problems.push(
                    Problem::new(
                        Boot::NAME,
                        Severity::Notice,
                        format!(
                            "the line \"{}\" that carried our value is not there any more; what is \
                             there now stays, \"{}\" is not put back",
                            record.ours.as_ref().escape_ascii(),
                            record.theirs.as_ref().escape_ascii(),
                        ),
                    )
                    .at(record.file.clone(), None),
                ),
            }
        }
    }

    fn remove_drop_in(&mut self) {
        if let Some(directory) = drop_in::directory(&self.tree)
            && !drop_in::present(&self.tree).is_empty()
        {
            self.tree = self.tree.with_drop_in(&directory, None);
        }
    }

    /// Puts our drop-in where it wins most. False when there must be none.
    fn place_drop_in(&mut self, policy: &Path, desired: &Desired, observed: &Observed) -> bool {
        let judged = self.judge(observed, &self.tree);
        let present = drop_in::present(&self.tree);
        if present.is_empty() && missing(desired, &judged) == 0 {
            return true;
        }
        let ours = Path::new(crate::sysctl::tree::OURS);
        if drop_in::is_masked(&self.tree) {
            let message = "something that reads as nothing stands here, so our drop-in is masked; it \
                           stays, and the declared values are not kept over a reboot: remove it if \
                           they should be";
            self.problems.push(
                Problem::new(Boot::NAME, Severity::Conflict, message)
                    .at(ours.join(drop_in::NAME), None),
            );
            return false;
        }
        if drop_in::is_taken(&self.tree) {
            let message = "has the name of our drop-in and is not ours, so it stays";
            self.problems.push(
                Problem::new(Boot::NAME, Severity::Notice, message)
                    .at(ours.join(drop_in::NAME), None),
            );
        }
        let Some(directory) = drop_in::directory(&self.tree) else {
            let real = self.tree.directory(crate::sysctl::tree::OURS).map(|found| &found.real);
            let (file, message) = match real.and_then(|real| self.tree.obstacle(real)) {
                Some(obstacle) => {
                    (obstacle.link.as_path(), format!("{obstacle}; no drop-in can be placed"))
                }
                None => {
                    (ours, "leads to /run, which a reboot empties: no drop-in can be placed".into())
                }
            };
            self.problems
                .push(Problem::new(Boot::NAME, Severity::Conflict, message).at(file, None));
            return true;
        };
        let text = drop_in::text(policy, desired);
        match self.best_name(&directory, &text, desired, observed) {
            Some(tree) => self.tree = tree,
            None => {
                let message = "no name is left for our drop-in: each is somebody else's, or would keep \
                               another file from being read";
                self.problems
                    .push(Problem::new(Boot::NAME, Severity::Conflict, message).at(ours, None));
            }
        }
        true
    }

    /// The tree with our drop-in under the first name that leaves nothing missing, or else under
    /// the first that leaves least.
    fn best_name(
        &self,
        directory: &Path,
        text: &[u8],
        desired: &Desired,
        observed: &Observed,
    ) -> Option<Tree> {
        let last = last_turn(&self.judge(observed, &self.tree));
        let without = self.tree.with_drop_in(directory, None);
        let mut best: Option<(usize, Tree)> = None;
        for name in drop_in::candidates(&self.tree, last.as_deref()) {
            let candidate = self.tree.with_drop_in(directory, Some((&name, text)));
            if !reads_others_alike(&without, &candidate, observed) {
                continue;
            }
            let missing = missing(desired, &self.judge(observed, &candidate));
            if best.as_ref().is_none_or(|(least, _)| missing < *least) {
                best = Some((missing, candidate));
            }
            if missing == 0 {
                break;
            }
        }
        best.map(|(_, tree)| tree)
    }

    /// procps compares paths as text: our plain line does not take a key out of the pattern
    /// `/net/ipv4/tcp_*`, but one that is spelled alike does, and to systemd it says the same.
    fn shield(&mut self, desired: &Desired, observed: &Observed) {
        let Some(real) = drop_in::made(&self.tree) else { return };
        let judged = self.judge(observed, &self.tree);
        let mut text = self.tree.content(&real).to_vec();
        let mut spelled: Vec<&[u8]> = Vec::new();
        for (key, attempt) in winners(desired, &judged) {
            let (Some(value), Some(spelling)) = (desired.values.get(&key), spelling(attempt))
            else {
                continue;
            };
            if !spelled.contains(&spelling) {
                spelled.push(spelling);
                text = drop_in::with_spelling(&text, spelling, *value);
            }
        }
        let mut tree = self.tree.clone();
        tree.contents.insert(real, text.into());
        if missing(desired, &self.judge(observed, &tree)) < missing(desired, &judged) {
            self.tree = tree;
        }
    }

    /// Changes the line that wins, where that is allowed and helps, until nothing is missing.
    fn edit_lines(&mut self, desired: &Desired, observed: &Observed) {
        for _ in 0..EDITS {
            let judged = self.judge(observed, &self.tree);
            let before = missing(desired, &judged);
            let better = winners(desired, &judged).into_iter().find_map(|(key, attempt)| {
                let value = desired.values.get(&key)?;
                let edit = self.edit(attempt, *value)?;
                let mut tree = self.tree.clone();
                tree.contents.insert(attempt.place.real.clone(), edit.content.as_slice().into());
                (missing(desired, &self.judge(observed, &tree)) < before).then_some((tree, edit))
            });
            let Some((tree, edit)) = better else { return };
            self.record(edit);
            self.tree = tree;
        }
    }

    fn edit(&self, attempt: &Attempt, value: u32) -> Option<Edit> {
        let place = &attempt.place;
        let ours = drop_in::present(&self.tree);
        let own = place.turn.as_ref().is_some_and(|turn| ours.contains(turn));
        if attempt.pattern || own || is_credential(&place.file) || !self.tree.may_edit(&place.real)
        {
            return None;
        }
        edited_line::edit(self.tree.content(&place.real), place, attempt.fate, value)
    }

    /// Keeps the line as it was before our first edit of it.
    fn record(&mut self, edit: Edit) {
        let mut record = edit.record;
        let earlier = self
            .edited
            .iter()
            .rposition(|known| known.file == record.file && known.ours == record.theirs);
        if let Some(earlier) = earlier {
            record.theirs = self.edited.remove(earlier).theirs;
        }
        if record.ours == record.theirs {
            return;
        }
        // Older records of a line that reads the same belong to an edit that somebody has undone
        // since, or that a crash kept from being made.
        let lines = edited_line::occurrences(&edit.content, &record);
        let alike = |known: &EditedLine| known.file == record.file && known.ours == record.ours;
        let known = self.edited.iter().filter(|known| alike(known)).count();
        let mut surplus = (known + 1).saturating_sub(lines);
        self.edited.retain(|known| {
            let drop = surplus > 0 && alike(known);
            surplus -= usize::from(drop);
            !drop
        });
        self.edited.push(record);
    }

    /// One problem for each line that keeps a value from being reached, with the contexts in which
    /// it does.
    fn report_conflicts(&mut self, desired: &Desired, observed: &Observed) {
        let judged = self.judge(observed, &self.tree);
        let mut conflicts: Vec<(Key, Option<&Attempt>, Vec<&str>)> = Vec::new();
        for Judged { context, settings } in &*judged {
            for (key, evaluation) in settings {
                if !is_missing(desired, *key, evaluation) {
                    continue;
                }
                let place = |attempt: &Attempt| (attempt.place.file.clone(), attempt.place.line);
                let winner = evaluation.winner();
                let known = conflicts.iter_mut().find(|(other, attempt, _)| {
                    other == key && attempt.map(place) == winner.map(place)
                });
                match known {
                    Some((_, _, contexts)) => contexts.push(context.name),
                    None => conflicts.push((*key, winner, vec![context.name])),
                }
            }
        }
        self.problems.extend(conflicts.into_iter().filter_map(|(key, winner, contexts)| {
            let wanted = *desired.values.get(&key)?;
            Some(conflict(&self.tree, key, wanted, winner, &contexts.join(", ")))
        }));
    }
}

fn conflict(
    tree: &Tree,
    key: Key,
    wanted: u32,
    winner: Option<&Attempt>,
    contexts: &str,
) -> Problem {
    let name = key.name();
    let problem = |message| Problem::new(Boot::NAME, Severity::Conflict, message);
    match winner {
        Some(winner) => {
            let (said, why_not) = (said(winner), why_not(tree, winner));
            problem(format!("{said} ({name}, {contexts}): {why_not}; wanted is {wanted}"))
                .at(winner.place.file.clone(), Some(winner.place.line))
        }
        None => problem(format!("nothing sets {name} ({contexts}); wanted is {wanted}")),
    }
}

/// The key that a loader turns into the very path by which a pattern found a setting; `None` where
/// none does, because its dots would be swapped.
fn spelling(attempt: &Attempt) -> Option<&[u8]> {
    let path = attempt.path.strip_prefix(proc_sys::ROOT)?.strip_prefix(b"/")?;
    (attempt.pattern && key::to_path(path) == path).then_some(path)
}

/// What a winning statement says.
fn said(winner: &Attempt) -> String {
    match (&winner.text, winner.fate) {
        (Some(text), _) if winner.pattern => {
            format!("the pattern here sets {}", text.escape_ascii())
        }
        (Some(text), _) => format!("sets {}", text.escape_ascii()),
        (None, _) => "excludes it".to_owned(),
    }
}

/// Why it is left as it is.
fn why_not(tree: &Tree, winner: &Attempt) -> String {
    if is_credential(&winner.place.file) {
        return "a credential is read after every file, and is never edited".to_owned();
    }
    if let Some(obstacle) = tree.obstacle(&winner.place.real) {
        let link = obstacle.link.display();
        return format!("no name of a drop-in sorts after it, and {link} is {obstacle}");
    }
    let why = if !tree.may_edit(&winner.place.real) {
        "no name of a drop-in sorts after it, and nothing outside /etc is edited"
    } else if winner.pattern {
        "no explicit line takes it out of the pattern, whose value other settings share"
    } else {
        "no name of a drop-in sorts after it, and no edit of this line helps"
    };
    why.to_owned()
}

/// Whether a file is read as a credential, by its name.
pub fn is_credential(file: &Path) -> bool {
    CREDENTIALS.iter().any(|credential| file == Path::new(credential))
}

fn is_missing(desired: &Desired, key: Key, evaluation: &Evaluation) -> bool {
    let wanted = desired.values.get(&key).map(|value| i64::from(*value));
    wanted.is_some() && evaluation.effective() != wanted
}

/// How many declared values are not reached, over all contexts.
fn missing(desired: &Desired, judged: &[Judged]) -> usize {
    let settings = judged.iter().flat_map(|judged| &judged.settings);
    settings.filter(|(key, evaluation)| is_missing(desired, *key, evaluation)).count()
}

/// The statements that keep a declared value from being reached.
fn winners<'a>(desired: &Desired, judged: &'a [Judged]) -> Vec<(Key, &'a Attempt)> {
    let settings = judged.iter().flat_map(|judged| &judged.settings);
    settings
        .filter(|(key, evaluation)| is_missing(desired, *key, evaluation))
        .filter_map(|(key, evaluation)| Some((*key, evaluation.winner()?)))
        .collect()
}

/// The last of the names that have a say about our keys.
fn last_turn(judged: &[Judged]) -> Option<Vec<u8>> {
    let settings = judged.iter().flat_map(|judged| &judged.settings);
    settings.filter_map(|(_, evaluation)| evaluation.last_turn.clone()).max()
}

/// Whether every other file is read as before. A file name can be a pattern for procps, so that a
/// new name can keep an old file from being read.
fn reads_others_alike(before: &Tree, after: &Tree, observed: &Observed) -> bool {
    let ours: Vec<_> = [before, after].map(drop_in::present).concat();
    let others = |tree: &Tree, context: &super::Context| -> Vec<files::Read> {
        let own = |read: &files::Read| {
            read.file.file_name().is_some_and(|name| {
                ours.iter().any(|ours| name.as_encoded_bytes() == ours.as_slice())
            }) && read.file.starts_with(crate::sysctl::tree::OURS)
        };
        let mut files = files::files(tree, context.scope);
        files.retain(|read| !own(read));
        files
    };
    observed
        .contexts()
        .iter()
        .filter(|context| context.scope.loader == Loader::Procps)
        .all(|context| others(before, context) == others(after, context))
}
