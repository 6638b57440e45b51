//! What `explain` tells: for each setting who decides and why, what that means in seconds, and
//! whether sessions survive the path. [`explain`] is pure; [`look`] reads the host.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::objective::Derived;
use crate::policy::{Hop, Policy};
use crate::reconcile::{Problem, Severity, Source};
use crate::sysctl::Key;
use crate::timing::alive::Side;
use crate::timing::budget::{Crossing, Verdict, budget, interval_for};
use crate::timing::dead_peer::DeadPeer;
use crate::timing::silence::{Sign, signs};
use crate::timing::{End, Kernel, Release};

pub mod look;
pub mod sources;
pub mod ssh_ends;
pub mod ssh_sources;
pub mod sshd_ends;
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
    /// The release of the host's own sshd.
    pub openssh: String,
    /// Where the policy declares each of its settings: of several places the one that counts.
    pub declared: &'p BTreeMap<&'static str, Source>,
    /// Who decides about each setting, and why.
    pub settings: Vec<Explanation>,
    /// What that means for the sessions of each population.
    pub sessions: Vec<Population<'p>>,
    /// What follows from `[objective]`.
    pub objective: Option<Derived>,
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
    /// `to this host`, `to this host, Match User bob`, `to this host, sftp.service`,
    /// `from this host`, `from this host, Host web*`.
    pub sessions: String,
    /// The release of the program whose rules these are.
    pub openssh: String,
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
    let kernel = seen.kernel();
    let mut problems = seen.problems.clone();
    let mut settings = sysctl_sources::explanations(&seen.boot, &seen.live);
    let mut sessions = Vec::new();
    let mut idle_limits = Vec::new();
    for sshd in std::iter::once(&seen.sshd).chain(&seen.instances) {
        let found = sshd_ends::problems(sshd);
        if sshd_ends::is_configured(sshd) && !blocked(&found) {
            settings.extend(sshd_ends::explanations(sshd));
            sessions.extend(sshd_ends::ends(sshd));
            idle_limits.extend(sshd_ends::idle_limits(sshd));
        }
        problems.extend(found);
    }
    let found = ssh_ends::problems(&seen.ssh, &policy.ssh_config);
    if ssh_ends::is_readable(&seen.ssh) {
        settings.extend(ssh_sources::explanations(&seen.ssh, &policy.ssh_config));
        sessions.extend(ssh_ends::ends(&seen.ssh, &policy.ssh_config));
    }
    problems.extend(found);
    let sessions: Vec<Population<'p>> = sessions
        .into_iter()
        .map(|(name, end)| population(name, end, kernel, &policy.hops))
        .collect();
    let safe = |population: &Population<'_>| {
        population.path.iter().all(|crossing| crossing.verdict == Verdict::Survives)
    };
    Explained {
        version: 1,
        openssh: Release::of(&seen.sshd.dialect).to_string(),
        survives: sessions.iter().all(safe),
        declared: &policy.declared,
        settings,
        sessions,
        objective: policy.objective.clone().map(|derived| derived.with_limits(&idle_limits)),
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
        openssh: end.alive.release().to_string(),
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
