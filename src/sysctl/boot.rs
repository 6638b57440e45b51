//! The values that the loaders of sysctl.d will set, as a resource: rows for the next boot and for
//! each loader, and the plan that makes all of them reach what is declared.
//!
//! The plan is found by building the tree as it should be ([`target`]) and comparing: one edit for
//! each file that differs. Every candidate is judged by evaluating both loaders in memory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::loader::{Evaluation, Fate, Loader, Scope, evaluate};
use super::tree::{CREDENTIALS, DIRECTORIES, SYSCTL_CONF, Tree};
use super::value::{Hz, Write};
use super::{Desired, Key};
use crate::host::{Host, HostError};
use crate::marked::STRANGER;
use crate::originals::{EditedLine, Incomplete, Originals};
use crate::reconcile::{ObserveError, Outcome, Plan, Problem, Resource, Setting, Severity, Value};
use crate::record::Found;

mod at_boot;
pub mod change;
mod drop_in;
mod edited_line;
pub mod other_sources;
mod target;

pub use change::Change;

#[cfg(test)]
mod tests;

/// Where the policy is, unless it is said otherwise.
const POLICY: &str = "/etc/keepalive-policy.toml";

/// The files that the loaders of sysctl.d read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The policy file that our drop-in names in its header.
    pub policy: PathBuf,
}

impl Default for Boot {
    fn default() -> Self {
        Self { policy: PathBuf::from(POLICY) }
    }
}

/// Everything that decides about the declared values, other than the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What the loaders read.
    pub tree: Tree,
    /// The loader that this host runs at boot.
    pub at_boot: Loader,
    /// The timer frequency by which values are judged.
    pub hz: Hz,
    /// The lines of foreign files that carry a value of ours.
    pub edited: Vec<EditedLine>,
    /// What the record of these does not know, or why it can't be told.
    pub trouble: Option<Problem>,
    /// Whether the record can't be used.
    pub unusable: bool,
    /// Who else sets the values, other than by files of sysctl.d.
    pub other_sources: Vec<Problem>,
    /// The files that these were found in, or would be.
    pub other_files: BTreeSet<PathBuf>,
}

/// One of the contexts in which a value is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// `boot`, `systemd-sysctl`, `procps`.
    pub name: &'static str,
    /// Who reads, and what.
    pub scope: Scope,
}

/// A context, and what every setting becomes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The context.
    pub context: Context,
    /// In the order of [`Key::ALL`].
    pub settings: Vec<(Key, Evaluation)>,
}

impl Observed {
    /// The contexts, in the order in which they are reported: what this host's loader will set at
    /// the next boot, and what each loader would set if it ran now. The last two are reported
    /// whether the loader is installed or not, because the files say what it would do all the same.
    #[must_use]
    pub fn contexts(&self) -> [Context; 3] {
        let scope = |loader, run| Scope { loader, run };
        [
            Context { name: "boot", scope: scope(self.at_boot, false) },
            Context { name: "systemd-sysctl", scope: scope(Loader::SystemdSysctl, true) },
            Context { name: "procps", scope: scope(Loader::Procps, true) },
        ]
    }

    /// Every setting in every context, with all statements that take part.
    #[must_use]
    pub fn judge(&self) -> Vec<Judged> {
        self.judge_tree(&self.tree)
    }

    fn judge_tree(&self, tree: &Tree) -> Vec<Judged> {
        let judge =
            |context: Context| Judged { context, settings: evaluate(tree, context.scope, self.hz) };
        self.contexts().into_iter().map(judge).collect()
    }
}

impl Resource for Boot {
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    const NAME: &'static str = "sysctl";
    const LOCK: &'static str = "sysctl-boot";

    fn observe(&self, host: &Host) -> Result<Observed, ObserveError> {
        let mut tree = Tree::read(host);
        let record = Originals::load(host);
        let (trouble, unusable) = record_trouble(&record);
        let originals = match record {
            Ok(Found::Known(originals)) => originals,
            Ok(Found::Absent | Found::Unusable(_)) | Err(_) => Originals::default(),
        };
        tree.made_by_us = originals.sysctl_drop_in;
        let edited = originals.lines;
        for line in &edited {
            tree.read_file(host, &line.file);
        }
        let kept: Vec<&Path> = edited.iter().map(|line| line.file.as_path()).collect();
        tree.forget_unconcerned(&kept);
        let credentials = at_boot::gives_credentials(host);
        if !credentials {
            tree.credentials.clear();
        }
        let mut other_files = BTreeSet::new();
        let other_sources = other_sources::find(host, credentials, &mut other_files);
        let at_boot = at_boot::loader(host);
        let hz = Hz::of_this_kernel();
        Ok(Observed { tree, at_boot, hz, edited, trouble, unusable, other_sources, other_files })
    }

    fn plan(&self, desired: &Desired, observed: &Observed) -> Plan<Change> {
        let judged = observed.judge();
        let problems: Vec<Problem> = observed.tree.unreadable.iter().map(unreadable).collect();
        let can_be_told = problems.iter().all(|problem| problem.severity != Severity::Blocked);
        let mut plan = Plan { settings: rows(desired, &judged, can_be_told), ..Plan::default() };
        plan.problems.extend(observed.trouble.clone());
        plan.problems.extend(problems);
        plan.problems.extend(dead_lines(desired, &judged));
        plan.problems.extend(drop_in::shared(&observed.tree).into_iter().map(|(file, line)| {
            Problem::new(Self::NAME, Severity::Notice, STRANGER).at(file, Some(line))
        }));
        if plan.problems.iter().all(|problem| problem.severity != Severity::Blocked) {
            let target = target::find(&self.policy, desired, observed, judged);
            plan.changes = change::between(observed, &target);
            plan.problems.extend(target.problems);
        }
        plan.problems
            .extend(observed.other_sources.iter().filter(|_| !desired.values.is_empty()).cloned());
        plan
    }

    /// Only that a record which can't be used is kept aside: what is in a file is recorded with each
    /// edit.
    fn remember(
        &self,
        host: &Host,
        _desired: &Desired,
        observed: &Observed,
    ) -> Result<Vec<Problem>, HostError> {
        if observed.unusable {
            Originals::update(host, |_| {})?;
        }
        Ok(Vec::new())
    }

    fn apply(&self, host: &Host, plan: &Plan<Change>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for change in &plan.changes {
            let outcome = Outcome::of(change.action(), || change.apply(host));
            let failed = outcome.failed();
            outcomes.push(outcome);
            // What follows may take away what this one should have replaced.
            if failed {
                break;
            }
        }
        outcomes
    }

    fn files(change: &Change) -> Vec<&Path> {
        change.edit.iter().map(|edit| edit.path.as_path()).collect()
    }

    fn watched(&self, observed: &Observed) -> BTreeSet<PathBuf> {
        let mut watched: BTreeSet<PathBuf> = observed.tree.linked.iter().cloned().collect();
        watched.extend(DIRECTORIES.map(PathBuf::from));
        watched.insert(PathBuf::from(SYSCTL_CONF));
        // What the manager was given does not change while it runs.
        let stores = CREDENTIALS.iter().skip(1).filter_map(|path| Path::new(path).parent());
        watched.extend(stores.map(Path::to_owned));
        watched.extend(observed.other_files.iter().cloned());
        watched
    }
}

/// Nothing is changed on a guess; but that a credential is there at all is one, where only root may
/// look.
fn unreadable((path, reason): &(PathBuf, String)) -> Problem {
    let (severity, rest) = if target::is_credential(path) {
        (Severity::Notice, "if there is a credential, it decides what systemd-sysctl sets")
    } else {
        (Severity::Blocked, "what the loaders make of it can't be told, so no file is changed")
    };
    let message = format!("cannot be read ({reason}): {rest}");
    Problem::new(Boot::NAME, severity, message).at(path.clone(), None)
}

/// What is to be said of the record, and whether it can't be used. The other resources leave this to
/// us, so that it is said once.
fn record_trouble(record: &Result<Found<Originals>, HostError>) -> (Option<Problem>, bool) {
    match record {
        Ok(Found::Absent) => (None, false),
        Ok(Found::Known(originals)) => (originals.incomplete.as_ref().map(incomplete), false),
        Ok(Found::Unusable(unusable)) => {
            let message = format!(
                "the record of what was there before the policy is {}. The daemon and `apply` keep it \
                 aside beside this and begin a new one; corrections go on",
                unusable.why
            );
            let problem = Problem::new(Boot::NAME, Severity::Notice, message);
            (Some(problem.at(unusable.path.clone(), None)), true)
        }
        Err(error) => {
            let message = format!("{}: {}; no file is changed", error.action, error.source);
            let problem = Problem::new(Boot::NAME, Severity::Blocked, message);
            (Some(problem.at(error.path.clone(), None)), false)
        }
    }
}

fn incomplete(incomplete: &Incomplete) -> Problem {
    let remedy = match &incomplete.kept {
        Some(kept) => format!(
            "; it is kept as {0}. To use it again, stop the daemon, mend it, and move it back",
            kept.display()
        ),
        None => String::new(),
    };
    let message = format!(
        "the record of what was there before the policy is incomplete ({}){remedy}. Values are kept as \
         declared; `restore` will say what it can't put back",
        incomplete.reason
    );
    let problem = Problem::new(Boot::NAME, Severity::Notice, message);
    match &incomplete.kept {
        Some(kept) => problem.at(kept.clone(), None),
        None => problem,
    }
}

/// A row for each declared value in each context; without a value where a file that could not be read
/// may set it.
fn rows(desired: &Desired, judged: &[Judged], can_be_told: bool) -> Vec<Setting> {
    let mut rows = Vec::new();
    for (key, value) in &desired.values {
        for Judged { context, settings } in judged {
            let evaluation =
                settings.iter().find(|(found, _)| found == key).map(|(_, found)| found);
            let evaluation = evaluation.filter(|_| can_be_told);
            let effective = evaluation.and_then(Evaluation::effective);
            rows.push(Setting {
                resource: Boot::NAME,
                name: key.name(),
                context: context.name.to_owned(),
                desired: Value::Number(i64::from(*value)),
                effective: effective.map(Value::Number),
                source: evaluation.and_then(Evaluation::source),
                compliant: effective == Some(i64::from(*value)),
            });
        }
    }
    rows
}

/// Lines that decide and set nothing: the kernel refuses their text, or they cancel what others set.
fn dead_lines(desired: &Desired, judged: &[Judged]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for Judged { settings, .. } in judged {
        for (key, evaluation) in settings {
            let Some(winner) = evaluation.winner().filter(|_| desired.values.contains_key(key))
            else {
                continue;
            };
            let name = key.name();
            let message = match (winner.fate, &winner.text) {
                (Fate::Written(Write::Refused), Some(text)) => format!(
                    "the kernel refuses \"{}\" for {name}, so that it stays at what it was, {} after a boot",
                    text.escape_ascii(),
                    key.kernel_default(),
                ),
                (Fate::Exclusion, _) if evaluation.losers().next().is_some() => {
                    format!("this exclusion keeps every other line from setting {name}")
                }
                _ => continue,
            };
            let problem = Problem::new(Boot::NAME, Severity::Notice, message)
                .at(winner.place.file.clone(), Some(winner.place.line));
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}
