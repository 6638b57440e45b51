//! The one flow: observe, plan, apply, observe again, and believe only what the second look shows.
//!
//! `check` and `diff` stop after [`Resource::plan`], `apply` and the daemon go on. Nothing here
//! touches the system; that is what the implementors' `observe` and `apply` do, through [`Host`].

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, Serializer};

use crate::host::Host;

#[cfg(test)]
mod tests;

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

    /// Carries out the plan, as far as it gets; errors are data in the outcomes.
    fn apply(&self, host: &Host, plan: &Plan<Self::Change>) -> Vec<Outcome>;

    /// The files and directories whose change can change the observation: what to watch.
    fn watched(&self, observed: &Self::Observed) -> BTreeSet<PathBuf>;
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

/// One declared setting in one context: a row of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `sysctl`, `sshd_config`, `ssh_config`.
    pub resource: &'static str,
    /// Its native name, `net.ipv4.tcp_keepalive_time`, `ClientAliveInterval`.
    pub name: &'static str,
    /// For whom or when: `live`, `boot`, `global`, `Match User bob`, [`LISTENER`]; for a declared
    /// instance of sshd with its unit before it, `sftp.service: global`.
    pub context: String,
    /// What the policy declares.
    pub desired: Value,
    /// What is in force; `None` where nothing sets the value, or it can't be told.
    pub effective: Option<Value>,
    /// The file and line that decide; `None` for a default or a live value.
    pub source: Option<Source>,
    /// Whether the effective value is the desired one.
    pub compliant: bool,
}

/// The context of what a running sshd still uses, though the files say otherwise by now.
pub const LISTENER: &str = "listener";

impl Setting {
    /// Whether this is about what a running sshd loaded, and not about its files.
    #[must_use]
    pub fn is_of_listener(&self) -> bool {
        self.context.rsplit(' ').next() == Some(LISTENER)
    }

    /// Whether both rows are about the same setting in the same context.
    #[must_use]
    pub fn same_row(&self, other: &Self) -> bool {
        (self.resource, self.name, &self.context) == (other.resource, other.name, &other.context)
    }
}

/// A value as the contract's JSON writes it: a boolean, or a number of seconds or of probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `TCPKeepAlive`.
    Bool(bool),
    /// Seconds, or a count.
    Number(i64),
}

impl Display for Value {
    /// As sshd and the kernel write it: `yes`, `no`, `120`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(true) => f.write_str("yes"),
            Self::Bool(false) => f.write_str("no"),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

/// The place that a value comes from, as the host names it (without `--root`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source {
    /// The file; bytes that are not UTF-8 are replaced when it is serialised.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// Its line, from 1, counted by newlines as an editor does.
    pub line: usize,
}

impl Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// How much a problem matters to the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The effective values can't be told or may not be touched: `check` exits 2.
    Blocked,
    /// The policy can't be enforced as it stands, and why.
    Conflict,
    /// Worth knowing; changes nothing.
    Notice,
}

/// Something in the way, with the place to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The resource it was found in.
    pub resource: &'static str,
    /// The file, as the host names it.
    #[serde(serialize_with = "lossy_option")]
    pub file: Option<PathBuf>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// What was found, what is wanted, what happens next.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Problem {
    /// A problem of no particular file.
    #[must_use]
    pub fn new(resource: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self { resource, file: None, line: None, message: message.into(), severity }
    }

    /// The same problem, placed.
    #[must_use]
    pub fn at(mut self, file: impl Into<PathBuf>, line: Option<usize>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, _) => {}
        }
        f.write_str(&self.message)
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
}

impl Outcome {
    /// Runs `step` and records what became of it.
    pub fn of<E: Display>(action: impl Into<String>, step: impl FnOnce() -> Result<(), E>) -> Self {
        let start = Instant::now();
        let error = step().err().map(|error| error.to_string());
        Self { action: action.into(), error, micros: micros(start.elapsed()), changed: true }
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

    /// What could not even be looked at.
    #[must_use]
    pub fn unobservable(resource: &'static str, error: &ObserveError, took: Duration) -> Self {
        Self {
            resource,
            found: Vec::new(),
            settings: Vec::new(),
            problems: vec![Problem::new(resource, Severity::Blocked, error.to_string())],
            outcomes: Vec::new(),
            pending: Vec::new(),
            watched: BTreeSet::new(),
            took,
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
    let start = Instant::now();
    let (plan, watched) = match look(resource, host, desired) {
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
        watched,
        took: Duration::ZERO,
    };
    if mode == Mode::Enforce && !plan.changes.is_empty() {
        report.outcomes = match host.lock(R::LOCK) {
            Ok(_held) => resource.apply(host, &plan),
            Err(error) => vec![Outcome::of("take the lock", || Err(error))],
        };
        verify(resource, host, desired, &mut report);
    }
    report.took = start.elapsed();
    report
}

fn pending<R: Resource>(plan: &Plan<R::Change>) -> Vec<Pending> {
    plan.changes.iter().map(|change| Pending::of(R::NAME, change)).collect()
}

fn look<R: Resource>(
    resource: &R,
    host: &Host,
    desired: &R::Desired,
) -> Result<(Plan<R::Change>, BTreeSet<PathBuf>), ObserveError> {
    let observed = resource.observe_for(host, desired)?;
    Ok((resource.plan(desired, &observed), resource.watched(&observed)))
}

fn verify<R: Resource>(resource: &R, host: &Host, desired: &R::Desired, report: &mut Report) {
    match look(resource, host, desired) {
        Ok((plan, watched)) => {
            report.pending = pending::<R>(&plan);
            report.settings = plan.settings;
            report.problems = plan.problems;
            report.watched = watched;
        }
        Err(error) => {
            let watched = std::mem::take(&mut report.watched);
            let blocked = Report::unobservable(R::NAME, &error, Duration::ZERO);
            report.problems = blocked.problems;
            report.watched = watched;
        }
    }
}

/// Whole microseconds, saturating.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[expect(clippy::ref_option, reason = "the signature that serialize_with calls")]
fn lossy_option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy(path, serializer),
        None => serializer.serialize_none(),
    }
}
