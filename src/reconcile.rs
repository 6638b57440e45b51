//! The one flow: observe, plan, apply, observe again, and believe only what the second look shows.
//!
//! `check` and `diff` stop after [`Resource::plan`], `apply` and the daemon go on. Nothing here
//! touches the system; that is what the implementors' `observe` and `apply` do, through [`Host`].

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::host::{Host, HostError};

mod row;
#[cfg(test)]
mod tests;

pub(crate) use row::lossy;
pub use row::{LISTENER, Problem, Setting, Severity, Source, Value};

/// A part of the host that the policy governs.
pub trait Resource {
    /// What the policy declares for it.
    type Desired;
    /// What the host has now.
    type Observed;
    /// One step of a correction. `Display` is what `diff` prints, in full.
    type Change: Display + Serialize;

    /// The name that rows and problems carry, as in the policy file: `sysctl`, `sshd_config`.
    const NAME: &'static str;

    /// The lock that `apply` holds. One for each implementor, so that a live value never waits
    /// for a reload of sshd.
    const LOCK: &'static str;

    /// Reads everything that decides about the declared settings. Changes nothing.
    ///
    /// # Errors
    /// When the host can't be read at all; what is merely wrong in it belongs to the plan's problems.
    fn observe(&self, host: &Host) -> Result<Self::Observed, ObserveError>;

    /// The same, by a resource whose looking costs something where nothing is declared.
    ///
    /// # Errors
    /// As [`Resource::observe`].
    fn observe_for(
        &self,
        host: &Host,
        _desired: &Self::Desired,
    ) -> Result<Self::Observed, ObserveError> {
        self.observe(host)
    }

    /// Compares. Pure: the same two values give the same plan. An empty list of changes means that
    /// nothing can or need be done, which is not the same as compliant: see [`Plan::settings`].
    fn plan(&self, desired: &Self::Desired, observed: &Self::Observed) -> Plan<Self::Change>;

    /// Records what must be put back one day. Before each pass that may write, also where nothing
    /// has to be written: a setting that has the declared value by itself may drift before the
    /// first write of ours, and what is put back must not be that drift.
    ///
    /// Returns what is worth knowing about the record, and is no reason to change nothing.
    ///
    /// # Errors
    /// When the record can't be kept and nothing may be written without it.
    fn remember(
        &self,
        _host: &Host,
        _desired: &Self::Desired,
        _observed: &Self::Observed,
    ) -> Result<Vec<Problem>, HostError> {
        Ok(Vec::new())
    }

    /// Carries out the plan, as far as it gets; errors are data in the outcomes.
    fn apply(&self, host: &Host, plan: &Plan<Self::Change>) -> Vec<Outcome>;

    /// Whether a change makes good what we broke, so that it is made even under [`Mode::Paused`].
    fn makes_good(_change: &Self::Change) -> bool {
        false
    }

    /// The files that a change writes or removes.
    fn files(_change: &Self::Change) -> Vec<&Path> {
        Vec::new()
    }

    /// The files and directories whose change can change the observation: what to watch.
    fn watched(&self, observed: &Self::Observed) -> BTreeSet<PathBuf>;

    /// Whether the service that uses the settings listens, where one ought to.
    fn listening(&self, _observed: &Self::Observed) -> Option<Listening> {
        None
    }
}

/// Whether new connections reach a service that ought to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Its unit, or that of the socket that starts it.
    pub unit: String,
    /// Whether it listens.
    pub listens: bool,
    /// The unit's state in words: `failed (result exit-code, status 255 of sshd)`.
    #[serde(default)]
    pub state: String,
}

/// The judgement of one observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<C> {
    /// Every declared setting in every context, compliant or not.
    pub settings: Vec<Setting>,
    /// What would bring the host into line, in the order in which it must be done.
    pub changes: Vec<C>,
    /// What stands in the way, or is worth knowing.
    pub problems: Vec<Problem>,
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Self { settings: Vec::new(), changes: Vec::new(), problems: Vec::new() }
    }
}

/// Why a resource could not be observed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ObserveError(#[from] pub crate::host::HostError);

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What was to be done: `create /etc/sysctl.d/…`, `reload ssh.service`.
    pub action: String,
    /// Why it failed; `None` when it worked.
    pub error: Option<String>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Whether it changed something on the host, if it worked; else it only looked.
    pub changed: bool,
    /// Whether it failed only because another process is at work on the same thing: a quarrel, not a
    /// fault.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub put_off: bool,
}

impl Outcome {
    /// Runs `step` and records what became of it.
    pub fn of<E: Display>(action: impl Into<String>, step: impl FnOnce() -> Result<(), E>) -> Self {
        let start = Instant::now();
        let error = step().err().map(|error| error.to_string());
        Self {
            action: action.into(),
            error,
            micros: micros(start.elapsed()),
            changed: true,
            put_off: false,
        }
    }

    /// The same for a step that looks and changes nothing.
    pub fn of_look<E: Display>(
        action: impl Into<String>,
        step: impl FnOnce() -> Result<(), E>,
    ) -> Self {
        Self { changed: false, ..Self::of(action, step) }
    }

    /// Whether it changed something on the host.
    #[must_use]
    pub const fn took_effect(&self) -> bool {
        self.changed && !self.failed()
    }

    /// Whether it failed.
    #[must_use]
    pub const fn failed(&self) -> bool {
        self.error.is_some()
    }
}

/// Whether drift is undone or only reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Drift is undone.
    Enforce,
    /// Drift is reported, nothing is changed.
    Audit,
    /// The same for as long as a pause lasts; but an sshd that we lost is started. No policy says
    /// this.
    Paused,
}

/// A change that is planned and not done, in both forms in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The resource.
    pub resource: &'static str,
    /// In full, as `diff` prints it.
    #[serde(skip)]
    pub text: String,
    /// The same as data.
    pub change: serde_json::Value,
}

impl Pending {
    fn of<C: Display + Serialize>(resource: &'static str, change: &C) -> Self {
        let text = change.to_string();
        let change =
            serde_json::to_value(change).unwrap_or_else(|_| serde_json::json!({ "text": text }));
        Self { resource, text, change }
    }
}

impl Mode {
    /// As the policy writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
            Self::Paused => "paused",
        }
    }
}

/// What one pass over one resource saw and did.
#[derive(Debug, Clone)]
pub struct Report {
    /// The resource.
    pub resource: &'static str,
    /// The rows as found.
    pub found: Vec<Setting>,
    /// The rows as they are now: those found, or after a correction those of the second look.
    pub settings: Vec<Setting>,
    /// What stands in the way now.
    pub problems: Vec<Problem>,
    /// What was done; empty when nothing had to be.
    pub outcomes: Vec<Outcome>,
    /// What the plan would still do; not empty in audit mode, or when a correction did not hold.
    pub pending: Vec<Pending>,
    /// What to watch, as of the last look.
    pub watched: BTreeSet<PathBuf>,
    /// Whether the service listens, as of the last look.
    pub listening: Option<Listening>,
    /// From the first look to the last.
    pub took: Duration,
}

impl Report {
    /// Whether every row is compliant and nothing could not be told.
    #[must_use]
    pub fn in_force(&self) -> bool {
        self.settings.iter().all(|setting| setting.compliant)
            && self.pending.is_empty()
            && !self.blocked()
    }

    /// Whether there is nothing to say: nothing is declared for this resource.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
            && self.problems.is_empty()
            && self.outcomes.is_empty()
            && self.pending.is_empty()
    }

    /// Whether something could not be told.
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Blocked)
    }

    /// The rows among `rows`, those of this report, that have drifted. A value that can't be told is no
    /// drift: sshd that refuses its files runs on with what it has loaded, and the problem says so.
    pub fn drifted<'r>(&self, rows: &'r [Setting]) -> impl Iterator<Item = &'r Setting> {
        let blocked = self.blocked();
        let is_untold =
            move |row: &&Setting| blocked && row.effective.is_none() && row.source.is_none();
        rows.iter().filter(move |row| !row.compliant && !is_untold(row))
    }

    /// What could not even be looked at.
    #[must_use]
    pub fn unobservable(resource: &'static str, error: &ObserveError, took: Duration) -> Self {
        let problem = Problem::new(resource, Severity::Blocked, error.to_string());
        Self { took, ..Self::of_problems(resource, vec![problem]) }
    }

    /// Nothing but problems.
    #[must_use]
    pub const fn of_problems(resource: &'static str, problems: Vec<Problem>) -> Self {
        Self {
            resource,
            found: Vec::new(),
            settings: Vec::new(),
            problems,
            outcomes: Vec::new(),
            pending: Vec::new(),
            watched: BTreeSet::new(),
            listening: None,
            took: Duration::ZERO,
        }
    }
}

/// One pass: look, judge, and under [`Mode::Enforce`] correct and look again.
///
/// Infallible: what goes wrong is in the report. The second look decides what is reported as in
/// force, so a write that did not hold, or was undone at once by somebody else, shows.
pub fn reconcile<R: Resource>(
    resource: &R,
    host: &Host,
    desired: &R::Desired,
    mode: Mode,
) -> Report {
    reconcile_if(resource, host, desired, mode, |_| true, |_| Ok(true))
}

/// The same, for a caller who is asked before anything is changed: `may` with the rows as found, and
/// `last_word` with the plan, when the lock is held. Where one of them says no, what would have been
/// done stays pending.
pub fn reconcile_if<R: Resource>(
    resource: &R,
    host: &Host,
    desired: &R::Desired,
    mode: Mode,
    may: impl FnOnce(&[Setting]) -> bool,
    last_word: impl FnOnce(&Plan<R::Change>) -> Result<bool, HostError>,
) -> Report {
    let start = Instant::now();
    let (observed, mut plan) = match look(resource, host, desired) {
        Ok(seen) => seen,
        Err(error) => return Report::unobservable(R::NAME, &error, start.elapsed()),
    };
    let mut report = Report {
        resource: R::NAME,
        found: plan.settings.clone(),
        settings: plan.settings.clone(),
        problems: plan.problems.clone(),
        outcomes: Vec::new(),
        pending: pending::<R>(&plan),
        watched: resource.watched(&observed),
        listening: resource.listening(&observed),
        took: Duration::ZERO,
    };
    let remembered = match mode {
        Mode::Enforce => resource.remember(host, desired, &observed),
        Mode::Audit | Mode::Paused => Ok(Vec::new()),
    };
    match mode {
        Mode::Enforce => {}
        Mode::Audit => plan.changes.clear(),
        Mode::Paused => plan.changes.retain(R::makes_good),
    }
    match remembered {
        Ok(notes) => {
            if !plan.changes.is_empty() && may(&plan.settings) {
                correct(resource, host, desired, &plan, last_word, &mut report);
            }
            report.problems.extend(notes);
        }
        Err(error) => {
            report.problems.push(Problem::new(R::NAME, Severity::Blocked, unrecorded(&error)));
        }
    }
    report.took = start.elapsed();
    report
}

fn unrecorded(error: &HostError) -> String {
    format!(
        "what is there now can't be recorded, so that nothing is changed, since it could not be put \
         back: {error}"
    )
}

fn correct<R: Resource>(
    resource: &R,
    host: &Host,
    desired: &R::Desired,
    plan: &Plan<R::Change>,
    last_word: impl FnOnce(&Plan<R::Change>) -> Result<bool, HostError>,
    report: &mut Report,
) {
    report.outcomes = match host.lock(R::LOCK) {
        Ok(_held) => match last_word(plan) {
            Ok(true) => resource.apply(host, plan),
            Ok(false) => return,
            Err(error) => vec![Outcome::of_look("record what is to be changed", || Err(error))],
        },
        Err(error) => vec![Outcome::of("take the lock", || Err(error))],
    };
    match look(resource, host, desired) {
        Ok((observed, plan)) => {
            report.pending = pending::<R>(&plan);
            report.settings = plan.settings;
            report.problems = plan.problems;
            report.watched = resource.watched(&observed);
            report.listening = resource.listening(&observed);
        }
        Err(error) => {
            report.problems = Report::unobservable(R::NAME, &error, Duration::ZERO).problems;
        }
    }
}

fn pending<R: Resource>(plan: &Plan<R::Change>) -> Vec<Pending> {
    plan.changes.iter().map(|change| Pending::of(R::NAME, change)).collect()
}

fn look<R: Resource>(
    resource: &R,
    host: &Host,
    desired: &R::Desired,
) -> Result<(R::Observed, Plan<R::Change>), ObserveError> {
    let observed = resource.observe_for(host, desired)?;
    let mut plan = resource.plan(desired, &observed);
    let refused = refused::<R>(host, &plan);
    if !refused.is_empty() {
        plan.changes.clear();
        plan.problems.extend(refused);
    }
    Ok((observed, plan))
}

/// The files of the plan that would not be written, because others than root can change the way there.
/// A correction that is bound to fail is not begun, and the reason is there before it is tried.
fn refused<R: Resource>(host: &Host, plan: &Plan<R::Change>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in plan.changes.iter().flat_map(R::files) {
        if let Err(error) = host.may_write(path) {
            let message = format!("not written: {}", error.source);
            problems.push(Problem::new(R::NAME, Severity::Blocked, message).at(path, None));
        }
    }
    problems
}

/// Whole microseconds, saturating.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
