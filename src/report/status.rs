//! The status file: what the daemon last saw and did, for `status` and for the curious. No socket,
//! nothing to attack: one JSON file in the runtime directory, replaced in one step.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Tally;
use crate::escape;
pub use crate::host::clock::now;
use crate::host::files::Node;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::reconcile::{Listening, Mode, Report, lossy};
use crate::record::{self, Found, Record};

#[cfg(test)]
mod tests;

const FILE: &str = "status.json";

/// What `status.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of this format: 1. Fields may be added, never changed.
    #[serde(default = "version")]
    pub version: u32,
    /// The daemon's process.
    pub pid: u32,
    /// When that process started, in clock ticks since boot: a later process with the same number
    /// is another one.
    pub process_start: u64,
    /// When the daemon started, in seconds since 1970.
    pub since: u64,
    /// The policy file.
    #[serde(serialize_with = "lossy")]
    pub policy: PathBuf,
    /// `enforce` or `audit`.
    pub mode: String,
    /// Whether everything that is declared is in force.
    pub in_force: bool,
    /// The same in a sentence.
    pub summary: String,
    /// Corrections since the start.
    pub corrections: u64,
    /// The last drift, if any.
    pub last_drift: Option<LastDrift>,
    /// When the policy in force was read, in microseconds of the monotonic clock; also when it was
    /// refused, and the previous one is in force.
    #[serde(default)]
    pub policy_read: u64,
    /// Why the policy file, as it is now, was refused.
    #[serde(default)]
    pub policy_refused: Option<String>,
    /// The settings that somebody else keeps changing.
    #[serde(default)]
    pub contested: Vec<String>,
    /// Drifts that no event had announced.
    #[serde(default)]
    pub unheard: u64,
    /// Each sshd that ought to run, and whether it listens.
    #[serde(default)]
    pub listening: Vec<Listening>,
    /// That corrections are paused, in a sentence.
    #[serde(default)]
    pub paused: Option<String>,
    /// When they go on by themselves, in seconds since 1970; `None` where they are not paused, or
    /// don't.
    #[serde(default)]
    pub paused_until: Option<u64>,
    /// The rows, as in `check`.
    pub settings: Vec<Json>,
    /// The problems, as in `check`.
    pub problems: Vec<Json>,
}

/// A drift that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDrift {
    /// When, in seconds since 1970.
    pub at: u64,
    /// The setting.
    pub setting: String,
    /// How long it took from the first look to the proof that it is in force again, in
    /// microseconds; `None` when it was not corrected.
    pub corrected_in_us: Option<u64>,
}

/// The sentence for `STATUS=`. `pause` says in a few words that corrections are paused.
#[must_use]
pub fn sentence(tally: Tally, mode: Mode, pause: Option<&str>, last: Option<&LastDrift>) -> String {
    let mut text = tally.to_string();
    if mode == Mode::Audit {
        text.push_str(" (audit: nothing is changed)");
    }
    if let Some(pause) = pause {
        text.push_str(&format!(", {pause}"));
    }
    if let Some(drift) = last {
        text.push_str(&format!(", last drift {}", clock(drift.at)));
        match drift.corrected_in_us {
            Some(micros) => {
                text.push_str(&format!(" corrected in {}", super::text::duration(micros)));
            }
            // Gone without us: the file was set right by hand, or the policy is another one.
            None if tally.in_force == tally.declared => text.push_str(" is over"),
            None => text.push_str(" stands"),
        }
    }
    text
}

/// Rows and problems as data.
#[must_use]
pub fn rows(reports: &[Report]) -> (Vec<Json>, Vec<Json>) {
    let data = |row: Result<Json, serde_json::Error>| row.unwrap_or(Json::Null);
    (
        super::settings(reports).map(|row| data(serde_json::to_value(row))).collect(),
        reports
            .iter()
            .flat_map(|report| &report.problems)
            .map(|problem| data(serde_json::to_value(problem)))
            .collect(),
    )
}

impl Status {
    /// Writes it where `status` finds it.
    ///
    /// # Errors
    /// When the runtime directory can't be written.
    pub fn write(&self, host: &Host) -> Result<(), HostError> {
        host.make_directory(host.runtime_dir(), 0o755)?;
        let path = host.runtime_dir().join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|error| HostError {
            path: path.clone(),
            action: "cannot encode",
            source: error.into(),
        })?;
        let bytes = (escape::json(text) + "\n").into_bytes();
        if let Found::Unusable(unusable) = record::read::<Self>(host, &path)? {
            record::keep_aside(host, unusable)?;
        }
        match host.read(&path)? {
            Node::File(old) => host.replace(&path, Expect::Content(&old.bytes), &bytes),
            _ => host.replace(&path, Expect::Absent { mode: 0o644 }, &bytes),
        }
    }

    /// Reads it, if a daemon that still runs has written it.
    ///
    /// # Errors
    /// When the file is there and can't be read, is damaged, or of a later version.
    pub fn read(host: &Host) -> Result<Option<Self>, HostError> {
        let status: Self = match record::read(host, &host.runtime_dir().join(FILE))? {
            Found::Known(status) => status,
            Found::Absent => return Ok(None),
            Found::Unusable(unusable) => return Err(unusable.into()),
        };
        let alive = process_start(status.pid) == Some(status.process_start);
        Ok(alive.then_some(status))
    }

    /// Removes the file: the daemon stops.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn clear(host: &Host) -> Result<(), HostError> {
        record::remove::<Self>(host, &host.runtime_dir().join(FILE)).map(|_| ())
    }
}

impl Record for Status {
    const VERSION: u64 = VERSION as u64;

    /// A row for each setting and connection, on hosts with thousands of `Match` blocks too.
    const MAX_SIZE: u64 = 16 << 20;
}

/// Of the format. Fields may be added, never changed.
const VERSION: u32 = 1;

const fn version() -> u32 {
    VERSION
}

/// Field 22 of `/proc/PID/stat`. The second field is the command in brackets, and may hold
/// blanks and brackets itself, so counting starts behind the last one.
#[must_use]
pub fn process_start(pid: u32) -> Option<u64> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let Ok(Node::File(file)) = Host::live().read(&path) else { return None };
    let text = String::from_utf8_lossy(&file.bytes).into_owned();
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Microseconds of the clock that never jumps; it says which of two things came first.
#[must_use]
pub fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let whole = u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000_000);
    whole.saturating_add(u64::try_from(now.tv_nsec / 1_000).unwrap_or(0))
}

/// The time of day, `12:31:07 UTC`: the same on every host of a fleet.
#[must_use]
pub fn clock(at: u64) -> String {
    let day = at % 86_400;
    format!("{:02}:{:02}:{:02} UTC", day / 3600, day / 60 % 60, day % 60)
}

/// Day and time of day, `2026-11-27 12:31:07 UTC`.
#[must_use]
pub fn date(at: u64) -> String {
    let (year, month, day) = civil(at / 86_400);
    format!("{year:04}-{month:02}-{day:02} {}", clock(at))
}

/// The date of a day that is given by its number since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin in March have their leap day at the end; 400 of them are 146,097 days.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, wrapped) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + wrapped, month, date)
}
