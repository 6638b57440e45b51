//! From what is declared and what was found to the edits that make it true. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::evaluate::{Effective, read};
use super::judge::{self, Verdict};
use super::modes::Mode;
use super::tree::{Entry, Tree};
use super::{Keyword, Observed, findings, overrides, place};
use crate::file_edit::FileEdit;
use crate::host::links::Obstacle;
use crate::marked;
use crate::reconcile::{Plan, Problem, Setting, Severity, Value};

#[cfg(test)]
mod tests;

/// The name of the resource.
pub const NAME: &str = "ssh_config";

/// The context of the row for those whom no block treats apart.
const GLOBAL: &str = "global";

/// The correction: files are edited together, or none is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The modes that are set right first.
    pub modes: Vec<Mode>,
    /// The edits, in the order in which they are made.
    pub edits: Vec<FileEdit>,
    /// The tree as it was found.
    pub before: Tree,
    /// The tree with the edits made: what ssh judges beforehand.
    pub candidate: Tree,
}

impl fmt::Display for Change {
    /// The modes, then the unified diffs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.modes.iter().try_for_each(|mode| writeln!(f, "{mode}"))?;
        self.edits.iter().try_for_each(|edit| write!(f, "{edit}"))
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Change", 2)?;
        object.serialize_field("modes", &self.modes)?;
        object.serialize_field("edits", &self.edits)?;
        object.end()
    }
}

/// Compares, and finds the place where our lines win. `policy` is the policy file to name in what
/// is written.
#[must_use]
pub fn plan(values: &BTreeMap<Keyword, Value>, observed: &Observed, policy: &Path) -> Plan<Change> {
    let nothing_of_ours = place::without_ours(observed) == observed.tree;
    if values.is_empty() && nothing_of_ours {
        return Plan { problems: out_of_reach(observed), ..Plan::default() };
    }
    if !observed.installed && nothing_of_ours {
        let message = "no ssh client is installed";
        let problems = vec![Problem::new(NAME, Severity::Notice, message)];
        return Plan { problems, ..Plan::default() };
    }
    if let Some(problems) = refusals(observed) {
        let settings = rows_of_refused(values);
        return Plan { settings, changes: Vec::new(), problems };
    }
    let mut plan = correct(values, observed, policy);
    plan.problems.extend(findings::of(&observed.tree, &observed.reading));
    plan.problems.extend(observed.modes.iter().map(Mode::problem));
    plan.problems.extend(overrides::problems(&observed.homes, values));
    plan.problems.extend(own_blocks(values, observed));
    plan.problems.extend(place::shared(observed).into_iter().map(|(file, line)| {
        Problem::new(NAME, Severity::Notice, marked::STRANGER).at(file, Some(line))
    }));
    plan.problems.extend(unjudged(values, observed));
    plan
}

/// What ssh did not judge may end every ssh: that is not "in force". A tree of another host is
/// computed where this machine has no ssh, as it is for sshd.
fn unjudged(values: &BTreeMap<Keyword, Value>, observed: &Observed) -> Option<Problem> {
    let (severity, message) = match &observed.verdict {
        Verdict::Unasked(reason) if !values.is_empty() => {
            (Severity::Blocked, format!("ssh was not asked whether it takes the files: {reason}"))
        }
        Verdict::NoSsh if !values.is_empty() => {
            let message = "no ssh on this machine could judge the files; the values are computed";
            (Severity::Notice, message.to_owned())
        }
        _ => return None,
    };
    Some(Problem::new(NAME, severity, message))
}

/// Why nothing is edited: ssh is too old, or it ends with an error for every host, in its own words, for another
/// reason than a file of ours.
fn refusals(observed: &Observed) -> Option<Vec<Problem>> {
    if let Some(why) = observed.dialect.too_old() {
        return Some(vec![Problem::new(NAME, Severity::Blocked, why)]);
    }
    let Verdict::Refused(complaints) = &observed.verdict else { return None };
    let base = read(&place::without_ours(observed), &observed.dialect);
    let ours = !observed.reading.refusals.is_empty() && base.refusals.is_empty();
    let problem = |complaint: &crate::sshd::judge::Complaint| {
        let message = format!(
            "ssh ends with an error for every host ({}); nothing is edited until that is repaired",
            complaint.message
        );
        let problem = Problem::new(NAME, Severity::Blocked, message);
        match &complaint.file {
            Some(file) => problem.at(file, complaint.line),
            None => problem,
        }
    };
    (!ours).then(|| complaints.iter().map(problem).collect())
}

fn rows_of_refused(values: &BTreeMap<Keyword, Value>) -> Vec<Setting> {
    values.iter().map(|(keyword, value)| row(*keyword, *value, GLOBAL.to_owned(), None)).collect()
}

fn row(keyword: Keyword, desired: Value, context: String, effective: Option<Effective>) -> Setting {
    Setting {
        resource: NAME,
        name: keyword.name(),
        context,
        desired,
        compliant: effective.as_ref().is_some_and(|found| found.value == desired),
        effective: effective.as_ref().map(|found| found.value),
        source: effective.and_then(|found| found.source),
    }
}

fn correct(values: &BTreeMap<Keyword, Value>, observed: &Observed, policy: &Path) -> Plan<Change> {
    let settings = match observed.is_refused() {
        true => rows_of_refused(values),
        false => rows(values, observed),
    };
    let mut problems = disagreements(values, observed);
    if !problems.is_empty() {
        return Plan { settings, changes: Vec::new(), problems };
    }
    let target = place::target(values, observed, policy);
    if target.is_none() {
        problems.extend(conflicts(values, observed));
    }
    let after = target.unwrap_or_else(|| observed.tree.clone());
    let modes = match values.is_empty() {
        true => Vec::new(),
        false => observed.modes.iter().filter(|mode| mode.is_wrong()).cloned().collect(),
    };
    let edits = edits(observed, &after);
    let change = Change { modes, edits, before: observed.tree.clone(), candidate: after };
    let nothing = change.edits.is_empty() && change.modes.is_empty();
    let changes = if nothing { Vec::new() } else { vec![change] };
    Plan { settings, changes, problems }
}

/// Every declared keyword, for everybody and in the blocks that come first. What a user's own
/// blocks set is the user's choice, and no row of the user's policy.
fn rows(values: &BTreeMap<Keyword, Value>, observed: &Observed) -> Vec<Setting> {
    let mut rows = Vec::new();
    for (keyword, value) in values {
        let hidden = observed.reading.hidden(*keyword);
        let global = observed.reading.global(*keyword);
        let global = (!hidden.contains(&None)).then_some(global);
        rows.push(row(*keyword, *value, GLOBAL.to_owned(), global));
        for block in hidden.into_iter().flatten() {
            rows.push(row(*keyword, *value, observed.reading.context(block), None));
        }
        if observed.tree.user.is_none() {
            let deviations = observed.reading.deviations(*keyword).into_iter();
            rows.extend(
                deviations.map(|one| row(*keyword, *value, one.context, Some(one.effective))),
            );
        }
    }
    rows
}

/// What blocks of the user's own set otherwise: they come first, by the user's choice, and stay.
#[must_use]
pub fn own_blocks(values: &BTreeMap<Keyword, Value>, observed: &Observed) -> Vec<Problem> {
    let mut problems = Vec::new();
    if observed.tree.user.is_none() {
        return problems;
    }
    for (keyword, wanted) in values {
        for deviation in observed.reading.deviations(*keyword) {
            let found = deviation.effective;
            if found.value == *wanted {
                continue;
            }
            let message = format!(
                "{} is {} for {}, {wanted} is declared: a block of its own comes before the \
                 defaults, and stays",
                keyword.name(),
                found.value,
                deviation.context
            );
            let problem = Problem::new(NAME, Severity::Notice, message);
            problems.push(match found.source {
                Some(source) => problem.at(source.file, Some(source.line)),
                None => problem,
            });
        }
    }
    problems
}

/// Where ssh itself says another value than we compute: then we don't know what an edit does.
fn disagreements(values: &BTreeMap<Keyword, Value>, observed: &Observed) -> Vec<Problem> {
    let Verdict::Accepted(dumps) = &observed.verdict else { return Vec::new() };
    let Some(dump) = dumps.first() else { return Vec::new() };
    let nobody = super::evaluate::Destination::new(judge::NOBODY.as_bytes(), None);
    let computed = observed.reading.as_judged().values_for(&nobody);
    let differs = |keyword: &&Keyword| {
        let ours = computed.get(keyword).cloned().flatten();
        let real = judge::value(dump, **keyword);
        matches!((ours, real), (Some(ours), Some(real)) if ours.value != real)
    };
    let problem = |keyword: &Keyword| {
        let message = format!(
            "ssh says another value of {} than was computed from the files; nothing is edited, \
             because what an edit does can't be foretold",
            keyword.name()
        );
        Problem::new(NAME, Severity::Blocked, message)
    };
    values.keys().filter(differs).map(problem).collect()
}

/// What can't be taken back, because it stands behind a link that we don't write through.
fn out_of_reach(observed: &Observed) -> Vec<Problem> {
    let is_ours = |path: &Path| {
        let content = observed.tree.content(path).unwrap_or_default();
        marked::has_header(content) || marked::has_block(content)
    };
    let closed = observed.closed.iter().filter(|(path, _)| is_ours(path));
    let problem = |obstacle: &Obstacle| {
        let message = format!("{obstacle}; what keepalive-policy wrote there earlier stays");
        Problem::new(NAME, Severity::Conflict, message).at(&obstacle.link, None)
    };
    closed.map(|(_, obstacle)| problem(obstacle)).collect()
}

/// Whose line stands in the way where no place wins, or which link.
fn conflicts(values: &BTreeMap<Keyword, Value>, observed: &Observed) -> Vec<Problem> {
    let why = match observed.closed.get(observed.main()) {
        Some(obstacle) => format!("{} is {obstacle}", obstacle.link.display()),
        None => {
            "no place for the declared value was found that leaves the rest as it is".to_owned()
        }
    };
    let mut problems = Vec::new();
    for (keyword, value) in values {
        let found = observed.reading.global(*keyword);
        if found.value == *value {
            continue;
        }
        let message = format!("{} is {}; wanted {value}: {why}", keyword.name(), found.value);
        let problem = Problem::new(NAME, Severity::Conflict, message);
        problems.push(match found.source {
            Some(source) => problem.at(source.file, Some(source.line)),
            None => problem.at(observed.main(), None),
        });
    }
    problems
}

/// The edits from the tree as it is to the one that it should be: new files first.
fn edits(observed: &Observed, after: &Tree) -> Vec<FileEdit> {
    let before = &observed.tree;
    let (mut edits, mut removals) = (Vec::new(), Vec::new());
    for path in place::own_paths().into_iter().chain([observed.main().to_owned()]) {
        let (old, new) = (before.content(&path), after.content(&path));
        if reads_alike(before.entries.get(&path), after.entries.get(&path)) {
            continue;
        }
        let is_main = path == observed.main();
        let foreign = is_main || old.is_some_and(|content| !marked::has_header(content));
        let edit = |before: Option<&[u8]>, after: Option<&[u8]>| FileEdit {
            path: path.clone(),
            before: before.map(<[u8]>::to_vec),
            after: after.map(<[u8]>::to_vec),
            // A foreign file that comes back is nobody's to be kept again.
            foreign: foreign && observed.copies.get(&path).map(Vec::as_slice) != after,
        };
        if new.is_none() {
            removals.push(edit(old, None));
        } else if old.is_some() && !is_main && is_shut(before, &path) {
            // ssh can't read it, or trusts it not: made anew, it has the right owner and mode.
            edits.extend([edit(old, None), edit(None, new)]);
        } else {
            edits.push(edit(old, new));
        }
    }
    edits.append(&mut removals);
    edits
}

/// Whether ssh reads the same: where links lead to, on the way to a file, is nothing to change.
fn reads_alike(before: Option<&Entry>, after: Option<&Entry>) -> bool {
    let (Some(Entry::File { real, .. }), Some(after)) = (before, after) else {
        return before == after;
    };
    let mut moved = after.clone();
    if let Entry::File { real: other, .. } = &mut moved {
        other.clone_from(real);
    }
    before == Some(&moved)
}

fn is_shut(tree: &Tree, path: &Path) -> bool {
    let shut = |entry: &Entry| matches!(entry, Entry::File { readable, trusted, .. } if !readable || !trusted);
    tree.entries.get(path).is_some_and(shut)
}
