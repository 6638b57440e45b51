//! The brake for people: corrections stop for a while, whatever the policy says.
//!
//! It is a record in the state directory and nothing else, so that it works without a daemon and with
//! a broken policy, and outlives both and a reboot. Each pass of the daemon looks for it, once before
//! and once under the lock under which it would correct.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::clock::{self, Moment};
use crate::host::{Host, HostError};
use crate::reconcile::{Problem, Severity};
use crate::record::{self, Found, Record, Rest};
use crate::report::status::date;

pub mod alarm;
mod login;
pub mod span;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod unconfirmed;
pub mod undo;
pub mod who;

use span::Span;
use who::Who;

/// The longest pause, in seconds: 30 days. A longer one is a policy with `mode = "audit"`.
pub const LONGEST: u32 = 30 * 86_400;

/// What a problem about it is about.
pub const NAME: &str = "daemon";

/// The longest time that a change may wait to be confirmed, in seconds.
pub const LONGEST_TRIAL: u64 = 3600;

/// The lock of both records.
const LOCK: &str = "brake";

const PAUSE: &str = "pause.json";

/// A pause, as `pause.json` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// How long; `None` until `resume`, after a change was undone.
    pub span: Option<Span>,
    /// When a change was undone because it was not confirmed, in seconds since 1970.
    #[serde(default)]
    pub undone: Option<u64>,
    /// What of it was not undone, since another process had changed it.
    #[serde(default)]
    pub kept: Vec<String>,
    /// Who asked for it.
    #[serde(default)]
    pub who: Who,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Pause {
    const VERSION: u64 = 1;

    fn check(&self) -> Result<(), String> {
        match &self.span {
            Some(span) if span.seconds > u64::from(LONGEST) => {
                Err(format!("a pause of {} s is longer than 30 days", span.seconds))
            }
            None if self.undone.is_none() => Err("a pause without an end".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Whether corrections are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brake {
    /// They are.
    Off,
    /// They are not, for a time that `pause` was given.
    Paused {
        /// The record.
        span: Span,
        /// Who asked for it.
        who: Who,
        /// What is left.
        left: Duration,
    },
    /// They are not: a change waits to be confirmed.
    Awaiting {
        /// How long; `None` where only root may know.
        span: Option<Span>,
        /// Who made it.
        who: Who,
        /// What is left.
        left: Duration,
    },
    /// They are not: a change was undone because it was not confirmed.
    Undone {
        /// When, in seconds since 1970.
        at: u64,
        /// What of it was not undone.
        kept: Vec<String>,
    },
    /// They are not: there is a record, and it can't be told what it says.
    ///
    /// Somebody wanted them to stop, so they do, and everything that shows the pause says loudly why:
    /// to correct what a person is at work on is worse than to wait for `resume`.
    Damaged(String),
}

/// What the brake is now.
#[must_use]
pub fn look(host: &Host) -> Brake {
    match unconfirmed::look(host) {
        Brake::Off => look_at_pause(host),
        brake => brake,
    }
}

fn look_at_pause(host: &Host) -> Brake {
    let path = path(host);
    // Nearly always there is none, and the daemon asks before each correction.
    if !host.exists(&path) && !host.is_link(&path) {
        return Brake::Off;
    }
    match record::read::<Pause>(host, &path) {
        Ok(Found::Absent) => Brake::Off,
        Ok(Found::Known(pause)) => pause.at(&Moment::now(), clock::up()),
        Ok(Found::Unusable(unusable)) => Brake::Damaged(unusable.to_string()),
        Err(error) => Brake::Damaged(error.to_string()),
    }
}

/// The files that decide it: to be watched.
#[must_use]
pub fn files(host: &Host) -> Vec<PathBuf> {
    vec![path(host), unconfirmed::path(host)]
}

fn path(host: &Host) -> PathBuf {
    host.state_dir().join(PAUSE)
}

/// Stops corrections for `seconds`.
///
/// # Errors
/// When the state directory can't be written.
pub fn pause(host: &Host, seconds: u32, who: Who) -> Result<Brake, HostError> {
    let _held = host.lock(LOCK)?;
    let span = Span { from: Moment::now(), seconds: u64::from(seconds) };
    let pause = Pause { span: Some(span), undone: None, kept: Vec::new(), who, rest: Rest::new() };
    pause.write(host)?;
    Ok(pause.at(&Moment::now(), clock::up()))
}

/// Lets corrections go on. Gives what the brake was before; it stays on while a change waits to be
/// confirmed.
///
/// # Errors
/// When the record can't be removed.
pub fn resume(host: &Host) -> Result<Brake, HostError> {
    let _held = host.lock(LOCK)?;
    let before = look(host);
    match before {
        Brake::Awaiting { .. } => return Ok(before),
        Brake::Damaged(_) => unconfirmed::set_aside(host)?,
        _ => {}
    }
    alarm::sweep(host);
    record::remove::<Pause>(host, &path(host))?;
    Ok(before)
}

/// Removes the record of a pause that is over.
///
/// # Errors
/// When it can't be removed.
pub fn tidy(host: &Host) -> Result<(), HostError> {
    if !host.exists(&path(host)) {
        return Ok(());
    }
    let _held = host.lock(LOCK)?;
    if look(host) == Brake::Off {
        record::remove::<Pause>(host, &path(host))?;
    }
    Ok(())
}

impl Pause {
    fn at(&self, now: &Moment, up: Duration) -> Brake {
        let Some(span) = &self.span else {
            let at = self.undone.unwrap_or_default();
            return Brake::Undone { at, kept: self.kept.clone() };
        };
        let left = span.left(now, up);
        match left.is_zero() {
            true => Brake::Off,
            false => Brake::Paused { span: span.clone(), who: self.who.clone(), left },
        }
    }

    /// Until `resume`, after a change was undone, all but `kept`.
    fn after_undo(kept: Vec<String>) -> Self {
        let undone = Some(clock::now());
        Self { span: None, undone, kept, who: Who::default(), rest: Rest::new() }
    }

    fn write(&self, host: &Host) -> Result<(), HostError> {
        record::write(host, &path(host), self).map(drop)
    }
}

impl Brake {
    /// Whether corrections have stopped.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// When they go on by themselves, in seconds since 1970; `None` where they don't.
    #[must_use]
    pub fn until(&self) -> Option<u64> {
        match self {
            Self::Paused { span, .. } => Some(span.end()),
            Self::Awaiting { span, .. } => span.as_ref().map(Span::end),
            Self::Off | Self::Undone { .. } | Self::Damaged(_) => None,
        }
    }

    /// After what time it has to be looked at again.
    #[must_use]
    pub const fn left(&self) -> Option<Duration> {
        match self {
            Self::Paused { left, .. } | Self::Awaiting { left, .. } => Some(*left),
            Self::Off | Self::Undone { .. } | Self::Damaged(_) => None,
        }
    }

    /// Whether another one than this is something to tell: not that time passes.
    #[must_use]
    pub fn is_other(&self, now: &Self) -> bool {
        match (self, now) {
            (Self::Paused { span, who, .. }, Self::Paused { span: other, who: by, .. }) => {
                (span, who) != (other, by)
            }
            // Its time begins anew when it is complete.
            (Self::Awaiting { .. }, Self::Awaiting { .. }) => false,
            _ => self != now,
        }
    }

    /// Whether a person asked for it: a damaged record and an undone change are no such thing.
    #[must_use]
    pub const fn is_planned(&self) -> bool {
        !matches!(self, Self::Damaged(_) | Self::Undone { .. })
    }

    /// In a few words, for a sentence that says more; `None` when it is off.
    #[must_use]
    pub fn brief(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Paused { span, .. } => Some(format!("paused until {}", date(span.end()))),
            Self::Awaiting { .. } => Some("paused until a change is confirmed".to_owned()),
            Self::Undone { .. } | Self::Damaged(_) => {
                Some("paused until `keepalive-policy resume`".to_owned())
            }
        }
    }

    /// What those should know who look at the settings.
    #[must_use]
    pub fn notice(&self) -> Option<Problem> {
        let severity = if self.is_planned() { Severity::Notice } else { Severity::Conflict };
        Some(Problem::new(NAME, severity, self.sentence()?))
    }

    /// In full; `None` when it is off.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Paused { span, who, .. } => Some(format!(
                "corrections are paused until {}{}; `keepalive-policy resume` ends that",
                date(span.end()),
                who.phrase()
            )),
            Self::Awaiting { span, who, .. } => {
                let until = span.as_ref().map(|span| format!(" until {}", date(span.end())));
                Some(format!(
                    "corrections are paused: a change{} waits to be confirmed{}; `keepalive-policy \
                     confirm` in a newer login keeps it, otherwise it is undone",
                    who.phrase(),
                    until.unwrap_or_default()
                ))
            }
            Self::Undone { at, kept } => {
                let kept = match kept.is_empty() {
                    true => String::new(),
                    false => format!(" (but not all: {})", kept.join("; ")),
                };
                Some(format!(
                    "corrections are paused: a change was undone at {} because it was not \
                     confirmed{kept}; `keepalive-policy resume` enforces again",
                    date(*at)
                ))
            }
            Self::Damaged(why) => Some(format!(
                "corrections are paused until `keepalive-policy resume`, because a record of \
                 it can't be used: {why}"
            )),
        }
    }
}
