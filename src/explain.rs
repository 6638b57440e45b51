//! What `explain` tells: for each setting who decides and why, what that means in seconds, and
//! whether sessions survive the path. [`explain`] is pure; [`look`] reads the host.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::objective::Derived;
use crate::policy::{Hop, Policy};
use crate::reconcile::{Problem, Severity, Source, Value};
use crate::sshd::Keyword;
use crate::sshd::evaluate::{Evaluation, evaluate};
use crate::sshd::judge::Verdict as Judgement;
use crate::sshd::match_criteria::Criteria;
use crate::sysctl::Key;
use crate::timing::alive::{Alive, Side};
use crate::timing::budget::{Crossing, Verdict, budget, interval_for};
use crate::timing::dead_peer::DeadPeer;
use crate::timing::silence::{Sign, signs};
use crate::timing::{End, Kernel, Release};

pub mod look;
pub mod sources;
pub mod sshd_sources;
pub mod sysctl_sources;

#[cfg(test)]
mod tests;

pub use look::{Seen, look};
use sources::Explanation;

/// Everything that `explain` tells.
#[derive(Debug, Serialize)]
pub struct Explained<'p> {
    /// Of this format: 1. Fields may be added, never changed.
    pub version: u32,
    /// The release whose rules these are.
    pub openssh: String,
    /// Where the policy declares each of its settings: of several places the one that counts.
    pub declared: &'p BTreeMap<&'static str, Source>,
    /// Who decides about each setting, and why.
    pub settings: Vec<Explanation>,
    /// What that means for the sessions of each population.
    pub sessions: Vec<Population<'p>>,
    /// What follows from `[objective]`.
    pub objective: Option<&'p Derived>,
    /// Whether every hop is survived with the margin.
    pub survives: bool,
    /// What could not be told, or is worth knowing.
    pub problems: Vec<Problem>,
    /// The kernel's values that the times follow from.
    #[serde(skip)]
    pub kernel: Kernel,
}

/// Sessions that have the same settings.
#[derive(Debug, Serialize)]
pub struct Population<'p> {
    /// `to this host`, `to this host, Match User bob`, `from this host`.
    pub sessions: String,
    /// `ClientAliveInterval` or `ServerAliveInterval`.
    pub interval: u32,
    /// `ClientAliveCountMax` or `ServerAliveCountMax`.
    pub count: u32,
    /// `TCPKeepAlive`.
    pub tcp_keepalive: bool,
    /// What is said while nothing else is.
    pub signs: [Sign; 2],
    /// When the other end is gone.
    pub dead_peer: [DeadPeer; 4],
    /// The hops.
    pub path: Vec<Crossing<'p>>,
    /// The lines of the policy that make every hop safe; `None` where all are, or nothing does.
    pub change: Option<String>,
    /// This end.
    #[serde(skip)]
    pub end: End,
}

/// Explains what was seen.
#[must_use]
pub fn explain<'p>(policy: &'p Policy, seen: &Seen) -> Explained<'p> {
    let release = Release::of(&seen.sshd.dialect);
    let kernel = seen.kernel();
    let evaluation = evaluate(&seen.sshd.tree, &seen.sshd.preset, &seen.sshd.dialect);
    let mut problems = seen.problems.clone();
    problems.extend(sshd_problems(seen));
    let judged = seen.has_sshd() && !blocked(&problems);
    let mut settings = sysctl_sources::explanations(&seen.boot, &seen.live);
    let mut sessions = Vec::new();
    if judged {
        settings.extend(sshd_sources::explanations(&evaluation, &seen.sshd.preset));
        sessions = to_this_host(&evaluation, release);
    }
    let keepalive = sessions.first().is_none_or(|(_, end)| end.tcp_keepalive);
    sessions.extend(from_this_host(policy, release, keepalive));
    let sessions: Vec<Population<'p>> = sessions
        .into_iter()
        .map(|(name, end)| population(name, end, kernel, &policy.hops))
        .collect();
    let safe = |population: &Population<'_>| {
        population.path.iter().all(|crossing| crossing.verdict == Verdict::Survives)
    };
    Explained {
        version: 1,
        openssh: release.to_string(),
        survives: sessions.iter().all(safe),
        declared: &policy.declared,
        settings,
        sessions,
        objective: policy.objective.as_ref(),
        problems,
        kernel,
    }
}

/// Whether something could not be told.
#[must_use]
pub fn blocked(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Blocked)
}

impl Seen {
    /// Whether an sshd is configured.
    #[must_use]
    pub fn has_sshd(&self) -> bool {
        self.sshd.tree.entries.contains_key(&self.sshd.tree.main)
    }

    /// The values that the kernel uses, or in a tree what it would use after its next boot.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        let at_boot = self.boot.judge();
        let at_boot = at_boot.first().map(|judged| judged.settings.as_slice()).unwrap_or_default();
        let value = |key: Key| {
            let live = self.live.values.get(&key).and_then(|value| value.as_ref().ok()).copied();
            let booted = || {
                let (_, evaluation) = at_boot.iter().find(|(found, _)| *found == key)?;
                evaluation.effective()
            };
            live.or_else(booted).unwrap_or_else(|| i64::from(key.kernel_default()))
        };
        Kernel {
            time: value(Key::KeepaliveTime),
            intvl: value(Key::KeepaliveIntvl),
            probes: u32::try_from(value(Key::KeepaliveProbes)).unwrap_or(0),
            retries2: u32::try_from(value(Key::Retries2)).unwrap_or(0),
            rto_max: self.rto_max.unwrap_or(Kernel::default().rto_max),
            hz: self.boot.hz.ticks(),
        }
    }
}

fn sshd_problems(seen: &Seen) -> Vec<Problem> {
    let name = "sshd_config";
    let main = &seen.sshd.tree.main;
    if !seen.has_sshd() {
        let message = "is not there, so no sshd is configured";
        return vec![Problem::new(name, Severity::Notice, message).at(main, None)];
    }
    let mut problems = Vec::new();
    if let Judgement::Refused(complaints) = &seen.sshd.verdict {
        problems.extend(complaints.iter().map(|complaint| {
            let message = format!("sshd refuses it: {}", complaint.message);
            let problem = Problem::new(name, Severity::Blocked, message);
            match &complaint.file {
                Some(file) => problem.at(file, complaint.line),
                None => problem.at(main, None),
            }
        }));
    }
    if !seen.sshd.freshness.is_current() {
        let message = "sshd has not loaded what its files say: until it is reloaded, new sessions \
                       get the values from before";
        problems.push(Problem::new(name, Severity::Notice, message));
    }
    problems
}

/// The population that no block treats apart, and those that get other times from blocks.
fn to_this_host(evaluation: &Evaluation, release: Release) -> Vec<(String, End)> {
    let tcp_keepalive = evaluation.global(Keyword::TcpKeepAlive).value == Value::Bool(true);
    let number = |value| match value {
        Value::Number(number) => u32::try_from(number).unwrap_or(u32::MAX),
        Value::Bool(_) => 0,
    };
    let end = |criteria: &Criteria| {
        let value = |keyword| number(evaluation.for_population(keyword, criteria).value);
        let alive = Alive {
            interval: value(Keyword::ClientAliveInterval),
            count: value(Keyword::ClientAliveCountMax),
            side: Side::Server(release),
        };
        End { tcp_keepalive, alive }
    };
    let mut populations = vec![("to this host".to_owned(), end(&Vec::new()))];
    for keyword in [Keyword::ClientAliveInterval, Keyword::ClientAliveCountMax] {
        for context in evaluation.contexts(keyword) {
            let name = format!("to this host, {context}");
            let found = end(&context.criteria);
            let other = populations.first().is_some_and(|(_, global)| *global != found);
            if other && populations.iter().all(|(known, _)| *known != name) {
                populations.push((name, found));
            }
        }
    }
    populations
}

/// The host's own client, where the policy says how it is set.
fn from_this_host(policy: &Policy, release: Release, tcp_keepalive: bool) -> Option<(String, End)> {
    let interval = policy.ssh_config.server_alive_interval?;
    let count = policy.ssh_config.server_alive_count_max.unwrap_or(3);
    let alive = Alive { interval, count, side: Side::Client(release) };
    Some(("from this host".to_owned(), End { tcp_keepalive, alive }))
}

/// What follows for the sessions of one end.
#[must_use]
pub fn population(sessions: String, end: End, kernel: Kernel, hops: &[Hop]) -> Population<'_> {
    let signs = signs(end, kernel);
    let path = budget(hops, &signs);
    let change = path
        .iter()
        .any(|crossing| crossing.verdict != Verdict::Survives)
        .then(|| change(end, hops))
        .flatten();
    Population {
        sessions,
        interval: end.alive.interval,
        count: end.alive.count,
        tcp_keepalive: end.tcp_keepalive,
        signs,
        dead_peer: DeadPeer::all(end, kernel),
        path,
        change,
        end,
    }
}

/// What to write into the policy: questions of sshd or ssh cross every hop.
fn change(end: End, hops: &[Hop]) -> Option<String> {
    let interval = interval_for(hops, end.alive.intervals_between_questions())?;
    Some(match end.alive.side {
        Side::Server(_) => format!("[sshd_config]\nClientAliveInterval = {interval}"),
        Side::Client(_) => format!("[ssh_config]\nServerAliveInterval = {interval}"),
    })
}

/// The longest of some times, for a scale.
#[must_use]
pub fn longest(times: impl IntoIterator<Item = Option<Duration>>) -> Option<Duration> {
    times.into_iter().flatten().max()
}
