//! From what is declared and what was found to the edits that make it true. Pure.

use std::path::Path;

use super::evaluate::{Effective, Evaluation, evaluate};
use super::idle_limit::IdleLimit;
use super::install::Install;
use super::judge::{Complaint, Dump, Verdict};
use super::tree::Tree;
use super::{Desired, Keyword, Observed, syntax};
use crate::host::links::Obstacle;
use crate::marked::STRANGER;
use crate::reconcile::{Plan, Problem, Setting, Severity, Value};

mod alive;
pub mod change;
pub mod instance;
mod listener;
mod next_start;
pub mod place;
mod rows;

#[cfg(test)]
mod tests;

pub use change::Change;

/// The name of the resource.
pub(super) const NAME: &str = "sshd_config";

/// Compares, and finds the place where our lines win. `policy` is the policy file to name in what
/// is written.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, policy: &Path) -> Plan<Change> {
    let mut plan = governed(desired, observed, policy);
    alive::add(&mut plan, desired, observed);
    plan
}

fn governed(desired: &Desired, observed: &Observed, policy: &Path) -> Plan<Change> {
    // What sshd thinks of its files concerns us only if something is declared, or of our making.
    let bare = place::without_ours(observed);
    if desired.values.is_empty() && place::edits(&observed.tree, &bare, observed).is_empty() {
        return Plan { problems: out_of_reach(observed), ..Plan::default() };
    }
    if let Some(obstacle) = instance::obstacle(desired, observed) {
        return blocked(desired, std::iter::once(obstacle));
    }
    let mut plan = judged(desired, observed, policy);
    if !plan.changes.is_empty() && !observed.being_written.is_empty() {
        // What sshd would load now is half of what somebody means it to be.
        plan.changes.clear();
        plan.problems.extend(observed.being_written.iter().map(|path| being_written(path)));
    }
    plan.problems.extend(instance::notice(observed));
    plan.problems.extend(
        place::shared(observed).into_iter().map(|(file, line)| {
            Problem::new(NAME, Severity::Notice, STRANGER).at(file, Some(line))
        }),
    );
    plan
}

/// What can't be taken back, because it stands behind a link that we don't write through.
fn out_of_reach(observed: &Observed) -> Vec<Problem> {
    let problem = |obstacle: &Obstacle| {
        let message = format!("{obstacle}; what keepalive-policy wrote there earlier stays");
        Problem::new(NAME, Severity::Conflict, message).at(&obstacle.link, None)
    };
    place::out_of_reach(observed).into_iter().map(problem).collect()
}

fn being_written(path: &Path) -> Problem {
    let message = "somebody has it open for writing; nothing is edited or reloaded until that is \
                   closed (fuser(1) tells who)";
    Problem::new(NAME, Severity::Blocked, message).at(path, None)
}

fn judged(desired: &Desired, observed: &Observed, policy: &Path) -> Plan<Change> {
    let evaluation = evaluate(&observed.tree, &observed.preset, &observed.dialect);
    match &observed.verdict {
        Verdict::Unasked(why) => {
            let problem = Problem::new(NAME, Severity::Blocked, why.clone());
            blocked(desired, std::iter::once(problem))
        }
        _ if observed.service.view.as_ref().is_some_and(|view| view.is_essential) => {
            blocked(desired, listener::unseen(&observed.service).into_iter())
        }
        Verdict::NoSshd if observed.live => notice("sshd is not installed"),
        _ if !observed.live && !observed.has_main() => notice(format!(
            "{} is not there, so no sshd is configured",
            observed.tree.main.display()
        )),
        Verdict::Refused(_) if observed.ours_to_blame => {
            let settings = blocked(desired, std::iter::empty()).settings;
            Plan { settings, ..correct(desired, observed, policy, &evaluation) }
        }
        Verdict::Refused(complaints) => {
            blocked(desired, complaints.iter().map(|complaint| refused(complaint, observed)))
        }
        Verdict::NoSshd if !evaluation.refusals.is_empty() => blocked(
            desired,
            evaluation.refusals.iter().map(|refusal| {
                Problem::new(NAME, Severity::Blocked, left_alone(&refusal.message))
                    .at(&refusal.file, refusal.line)
            }),
        ),
        Verdict::NoSshd => {
            let mut plan = correct(desired, observed, policy, &evaluation);
            let message = "no sshd on this machine could judge the tree; its values are computed";
            plan.problems.push(Problem::new(NAME, Severity::Notice, message));
            plan
        }
        Verdict::Accepted(dump) => match disagreements(desired, &evaluation, observed, dump) {
            problems if problems.is_empty() => correct(desired, observed, policy, &evaluation),
            problems => Plan { settings: as_dumped(desired, dump), problems, changes: Vec::new() },
        },
    }
}

fn correct(
    desired: &Desired,
    observed: &Observed,
    policy: &Path,
    evaluation: &Evaluation,
) -> Plan<Change> {
    let mut settings = rows::settings(desired, evaluation);
    // Where no place wins all stays, but not what makes sshd refuse.
    let bare = observed.ours_to_blame.then(|| place::without_ours(observed));
    let target = place::target(desired, observed, policy).or_else(|| bare.clone());
    let after = target.as_ref().unwrap_or(&observed.tree);
    let outcome = evaluate(after, &observed.preset, &observed.dialect);
    let mut problems = rows::conflicts(desired, observed, &outcome, after);
    problems.extend(next_start::conflicts(desired, observed, after));
    let edits = place::edits(&observed.tree, after, observed);
    let behind = listener::settings(desired, &observed.freshness);
    let load = observed.service.way().action();
    let changes = if !edits.is_empty() {
        let expect =
            Keyword::ALL.map(|keyword| (keyword, foretold(keyword, &outcome, observed).value));
        let candidate = after.clone();
        let install = Install { edits, candidate, expect: expect.into(), reference: bare };
        vec![Change::Install { install, load }]
    } else if behind.is_empty() {
        Vec::new()
    } else {
        let reload = |action| Change::Reload { tree: observed.tree.clone(), load: action };
        load.map(reload).into_iter().collect()
    };
    if !desired.values.is_empty() {
        problems.extend(listener::obstacle(&observed.service, !behind.is_empty()));
        problems.extend(outcome.idle_limits.iter().map(ends_idle));
    }
    settings.extend(behind);
    Plan { settings, changes, problems }
}

fn ends_idle(limit: &IdleLimit) -> Problem {
    let source = &limit.source;
    Problem::new(NAME, Severity::Notice, limit.sentence()).at(&source.file, Some(source.line))
}

fn notice(message: impl Into<String>) -> Plan<Change> {
    let problem = Problem::new(NAME, Severity::Notice, message);
    Plan { problems: vec![problem], ..Plan::default() }
}

fn blocked(desired: &Desired, problems: impl Iterator<Item = Problem>) -> Plan<Change> {
    let settings = desired.values.iter().map(|(keyword, value)| row(*keyword, *value, None));
    Plan { settings: settings.collect(), changes: Vec::new(), problems: problems.collect() }
}

fn row(keyword: Keyword, desired: Value, effective: Option<Value>) -> Setting {
    Setting {
        resource: NAME,
        name: keyword.name(),
        context: "global".to_owned(),
        desired,
        effective,
        source: None,
        compliant: effective == Some(desired),
    }
}

fn refused(complaint: &Complaint, observed: &Observed) -> Problem {
    let problem = Problem::new(NAME, Severity::Blocked, left_alone(&complaint.message));
    match &complaint.file {
        Some(file) => {
            let content = observed.tree.content(file).unwrap_or_default();
            let found = |line| syntax::editor_line(content, line, &observed.dialect);
            problem.at(file, complaint.line.map(found))
        }
        None => problem.at(&observed.tree.main, None),
    }
}

fn left_alone(message: &str) -> String {
    format!(
        "sshd refuses its configuration ({message}); nothing is edited or reloaded until that is \
         repaired"
    )
}

/// Where sshd itself says another value than we compute: then we don't know what an edit does.
fn disagreements(
    desired: &Desired,
    evaluation: &Evaluation,
    observed: &Observed,
    dump: &Dump,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for keyword in desired.values.keys() {
        let computed = foretold(*keyword, evaluation, observed);
        match dump.value(*keyword) {
            Some(real) if real != computed.value => {
                let message = format!(
                    "sshd says {name} {real}, but {name} {computed} was computed from the files; \
                     nothing is edited, because what an edit does can't be foretold",
                    name = keyword.name(),
                    computed = computed.value,
                );
                let problem = Problem::new(NAME, Severity::Blocked, message);
                problems.push(match computed.source {
                    Some(source) => problem.at(source.file, Some(source.line)),
                    None => problem,
                });
            }
            _ => {}
        }
    }
    problems
}

/// What sshd should answer: the value for the connection that it was asked about. 7.9 and 8.0 insist
/// on each attribute that a `Match` names, and what we give them then meets patterns like `*`.
fn foretold(keyword: Keyword, evaluation: &Evaluation, observed: &Observed) -> Effective {
    let asked = observed.dump().map(|dump| dump.asked.known());
    asked
        .and_then(|asked| evaluation.for_connection(keyword, &asked, &observed.dialect))
        .unwrap_or_else(|| evaluation.global(keyword))
}

fn as_dumped(desired: &Desired, dump: &Dump) -> Vec<Setting> {
    let settings = desired.values.iter();
    settings.map(|(keyword, value)| row(*keyword, *value, dump.value(*keyword))).collect()
}

impl Observed {
    fn has_main(&self) -> bool {
        self.tree.entries.contains_key(&self.tree.main)
    }
}

/// Whether both trees have the same files with the same content.
fn same_files(one: &Tree, other: &Tree) -> bool {
    one.entries == other.entries
}
