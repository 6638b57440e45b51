//! From what people want, an idle session that survives and a dead peer that is noticed, to the
//! settings of sshd that do it. Pure.
//!
//! sshd's questions alone serve both: they cross proxies that swallow TCP keepalives, and can't be
//! forged. What is set explicitly stays, and the rest is derived around it.

use serde::Serialize;

use crate::sshd::idle_limit::{IdleLimit, Keyword};
use crate::timing::alive::{Alive, Side};
use crate::timing::budget::safe;
use crate::timing::release::Release;
use crate::timing::{seconds, silence};

#[cfg(test)]
mod tests;

/// Unanswered questions before a peer counts as dead, where there is time for as many: a lost
/// packet or two are no reason to give up.
const PATIENT: u32 = 3;

/// `[objective]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Objective {
    /// Idle sessions survive hops that forget them after this many seconds.
    #[serde(rename = "survive_idle_s")]
    pub survive_idle: Option<u32>,
    /// A client that is gone is noticed within this many seconds.
    #[serde(rename = "notice_dead_peer_s")]
    pub notice_dead_peer: Option<u32>,
}

/// What the policy sets by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Explicit {
    /// `ClientAliveInterval`.
    pub interval: Option<u32>,
    /// `ClientAliveCountMax`.
    pub count: Option<u32>,
}

/// The settings that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Derived {
    /// What was wanted.
    #[serde(flatten)]
    pub objective: Objective,
    /// `ClientAliveInterval`, where it is not set explicitly and the objective needs it.
    #[serde(rename = "ClientAliveInterval")]
    pub interval: Option<u32>,
    /// `ClientAliveCountMax`, likewise.
    #[serde(rename = "ClientAliveCountMax")]
    pub count: Option<u32>,
    /// How these were found, a sentence each.
    pub steps: Vec<String>,
    /// Objectives that what is set explicitly does not meet, a sentence each.
    pub unmet: Vec<String>,
}

/// Why no settings can do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impossible {
    /// Because of `survive_idle`.
    SurviveIdle(String),
    /// Because of `notice_dead_peer`.
    NoticeDeadPeer(String),
}

/// Derives what is not set explicitly, for one release of sshd.
///
/// # Errors
/// When what may still be chosen can't reach an objective.
pub fn derive(
    objective: Objective,
    explicit: Explicit,
    release: Release,
) -> Result<Derived, Impossible> {
    let factor = release.intervals_between_questions();
    let interval = match explicit.interval {
        Some(_) => None,
        None => interval(objective, explicit.count, release)?,
    };
    let mut derived =
        Derived { objective, interval, count: None, steps: Vec::new(), unmet: Vec::new() };
    let asked = explicit.interval.or(interval);
    if let (Some(interval), Some(wanted), None) =
        (asked, objective.notice_dead_peer, explicit.count)
    {
        derived.count = Some(count(interval, wanted, factor, release)?);
    }
    derived.explain(explicit, release);
    Ok(derived)
}

/// The longest interval that both objectives allow; `None` without an objective.
fn interval(
    objective: Objective,
    count: Option<u32>,
    release: Release,
) -> Result<Option<u32>, Impossible> {
    let factor = release.intervals_between_questions();
    let for_idle = objective.survive_idle.map(|idle| whole(safe(idle).as_secs()) / factor);
    if let (Some(0), Some(idle)) = (for_idle, objective.survive_idle) {
        return Err(Impossible::SurviveIdle(format!(
            "75 % of {idle} s is less than the {factor} s between two questions that {release} \
             needs at least"
        )));
    }
    let for_peer = match (objective.notice_dead_peer, count) {
        (Some(_), Some(0)) => return Err(Impossible::NoticeDeadPeer(never())),
        (Some(wanted), Some(count)) => {
            let interval = wanted / factor.saturating_mul(count.saturating_add(1));
            if interval == 0 {
                return Err(Impossible::NoticeDeadPeer(format!(
                    "with ClientAliveCountMax {count} sshd takes at least {}",
                    formula(1, count, release)
                )));
            }
            Some(interval)
        }
        (Some(wanted), None) => Some(patient(wanted, release)?),
        (None, _) => None,
    };
    Ok(for_idle.into_iter().chain(for_peer).min())
}

/// The interval that leaves time for [`PATIENT`] questions, or for as many as there is time for.
fn patient(wanted: u32, release: Release) -> Result<u32, Impossible> {
    let factor = release.intervals_between_questions();
    let waits = (wanted / factor).min(PATIENT + 1);
    if waits < 2 {
        return Err(Impossible::NoticeDeadPeer(format!(
            "one question, and as long again for its answer, take {release} at least {}",
            formula(1, 1, release)
        )));
    }
    Ok(wanted / factor / waits)
}

fn count(interval: u32, wanted: u32, factor: u32, release: Release) -> Result<u32, Impossible> {
    if interval == 0 {
        let message = "with ClientAliveInterval 0 sshd asks nothing, and notices nothing";
        return Err(Impossible::NoticeDeadPeer(message.to_owned()));
    }
    match wanted / interval.saturating_mul(factor) {
        0 | 1 => Err(Impossible::NoticeDeadPeer(format!(
            "with ClientAliveInterval {interval} sshd takes at least {}",
            formula(interval, 1, release)
        ))),
        waits => Ok(waits - 1),
    }
}

impl Derived {
    /// Whether it is this that gives the setting its value.
    #[must_use]
    pub fn settles(&self, name: &str) -> bool {
        match name {
            "ClientAliveInterval" => self.interval.is_some(),
            "ClientAliveCountMax" => self.count.is_some(),
            _ => false,
        }
    }

    /// The same, with what sshd ends in spite of all questions counted against `survive_idle`.
    #[must_use]
    pub fn with_limits(mut self, limits: &[IdleLimit]) -> Self {
        let Some(idle) = self.objective.survive_idle else { return self };
        let sessions = limits.iter().filter(|limit| limit.keyword == Keyword::ChannelTimeout);
        for limit in sessions {
            let place = &limit.source;
            if limit.after.as_secs() <= idle.into() {
                self.unmet.push(format!("survive_idle {idle} s is not met: {limit} ({place})"));
            } else {
                self.steps.push(format!("{limit} all the same ({place})"));
            }
        }
        self
    }

    fn explain(&mut self, explicit: Explicit, release: Release) {
        let (Some(interval), count) =
            (explicit.interval.or(self.interval), explicit.count.or(self.count))
        else {
            return;
        };
        let alive = Alive { interval, count: count.unwrap_or(3), side: Side::Server(release) };
        let asks = silence::asks(alive);
        if let Some(idle) = self.objective.survive_idle {
            let limit = format!("75 % of survive_idle {idle} s = {} s", safe(idle).as_secs());
            match asks.every {
                Some(every) if every <= safe(idle) => self.steps.push(format!(
                    "an idle session is never silent for longer than {}; that is at most {limit}",
                    asks.reason
                )),
                _ => self.unmet.push(format!(
                    "survive_idle is not met by what is set explicitly: {}; safe is {limit}",
                    asks.reason
                )),
            }
        }
        if let Some(wanted) = self.objective.notice_dead_peer {
            let given_up = alive.gives_up();
            match given_up.after {
                Some(after) if after.as_secs() <= wanted.into() => self.steps.push(format!(
                    "a client that is gone is given up after {}; notice_dead_peer is {wanted} s",
                    given_up.reason
                )),
                _ => self.unmet.push(format!(
                    "notice_dead_peer {wanted} s is not met by what is set explicitly: {}",
                    given_up.reason
                )),
            }
            if !release.sshd_asks_while_writing() {
                self.steps.push(format!(
                    "while the server side keeps writing {release} asks nothing: there \
                     net.ipv4.tcp_retries2 decides, which no objective changes"
                ));
            }
        }
    }
}

fn formula(interval: u32, count: u32, release: Release) -> String {
    let given_up = Alive { interval, count, side: Side::Server(release) }.gives_up();
    let after = given_up.after.map(seconds).unwrap_or_default();
    format!("{after} s ({})", given_up.reason)
}

fn never() -> String {
    "with ClientAliveCountMax 0 sshd never disconnects".to_owned()
}

fn whole(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
