//! How often a unit may be restarted. systemd refuses a start after `StartLimitBurst=` of them within
//! `StartLimitIntervalSec=` (5 in 10 s by default), and then the unit is failed: with a socket, that
//! fails too, and the way in is closed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::host::systemd::Unit;
use crate::host::{Host, HostError};
use crate::record::{self, Found, Record, Rest};

#[cfg(test)]
mod tests;

const FILE: &str = "sshd-restarts.json";

const LOCK: &str = "sshd-restarts";

/// We restart a unit at most this often
const MOST: usize = 2;

/// within this time.
const WITHIN: Duration = Duration::from_secs(10);

/// How many of our restarts are kept of each unit.
const KEPT: usize = 20;

/// Our restarts in this boot, by unit: in microseconds of the monotonic clock, which begins with the
/// boot as the runtime directory does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Restarts {
    units: BTreeMap<String, Vec<u64>>,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Restarts {
    const VERSION: u64 = 1;
}

/// The start limit of a unit, and what is known of its starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Starts {
    /// `StartLimitBurst=`; 0 is no limit.
    burst: usize,
    /// `StartLimitIntervalSec=`; zero is no limit.
    interval: Duration,
    /// When it was last started, on the monotonic clock.
    last: Option<Duration>,
    /// When we restarted it.
    ours: Vec<Duration>,
}

impl Starts {
    /// Why it must not be restarted at `now`.
    fn obstacle(&self, now: Duration) -> Option<String> {
        let within = |span: Duration| {
            let recent = |at: &&Duration| now.saturating_sub(**at) < span;
            self.ours.iter().filter(recent).count()
        };
        if within(WITHIN) >= MOST {
            let span = WITHIN.as_secs();
            return Some(format!("we restarted it {MOST} times within {span} s; it waits"));
        }
        if self.burst == 0 || self.interval.is_zero() {
            return None;
        }
        // The last start is our last restart, or one by others.
        let second = Duration::from_secs(1);
        let is_ours = |last: Duration| self.ours.iter().any(|at| last.abs_diff(*at) < second);
        let others = self
            .last
            .is_some_and(|last| !is_ours(last) && now.saturating_sub(last) < self.interval);
        let starts = within(self.interval) + usize::from(others);
        // One start must be left after ours, for others and for what goes wrong.
        (starts + 1 >= self.burst).then(|| {
            format!(
                "it was started {starts} times within {} s, and its limit is StartLimitBurst={}; it \
                 waits",
                self.interval.as_secs(),
                self.burst
            )
        })
    }
}

/// Notes a restart of `unit` that is about to be made.
///
/// # Errors
/// Why it must not be made now.
pub fn begin(host: &Host, unit: &str) -> Result<(), String> {
    let path = path(host);
    let ours = match record::read::<Restarts>(host, &path) {
        Ok(Found::Known(mut found)) => found.units.remove(unit).unwrap_or_default(),
        Ok(_) => Vec::new(),
        Err(error) => return Err(error.to_string()),
    };
    let starts =
        Starts { ours: ours.into_iter().map(Duration::from_micros).collect(), ..ask(host, unit)? };
    let now = now();
    if let Some(obstacle) = starts.obstacle(now) {
        return Err(obstacle);
    }
    let noted = record::update::<Restarts>(host, &path, LOCK, |restarts, _| {
        let ours = restarts.units.entry(unit.to_owned()).or_default();
        ours.push(u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
        let surplus = ours.len().saturating_sub(KEPT);
        ours.drain(..surplus);
    });
    noted.map(drop).map_err(|error| error.to_string())
}

fn ask(host: &Host, unit: &str) -> Result<Starts, String> {
    let names = ["StartLimitBurst", "StartLimitIntervalUSec", "ExecMainStartTimestampMonotonic"];
    let units = host.units(&[unit], &names).map_err(|error: HostError| error.to_string())?;
    Ok(units.first().map(of_unit).unwrap_or_default())
}

fn of_unit(unit: &Unit) -> Starts {
    let last = unit.property("ExecMainStartTimestampMonotonic").parse().ok();
    Starts {
        burst: unit.property("StartLimitBurst").parse().unwrap_or(0),
        interval: time_span(unit.property("StartLimitIntervalUSec")).unwrap_or_default(),
        last: last.filter(|last| *last != 0).map(Duration::from_micros),
        ours: Vec::new(),
    }
}

/// A span of time as `systemctl show` prints it: `10s`, `1min 30s`, `infinity` (systemd.time(7)).
fn time_span(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 9] = [
        ("us", 1),
        ("ms", 1_000),
        ("min", 60_000_000),
        ("month", 2_629_800_000_000),
        ("s", 1_000_000),
        ("h", 3_600_000_000),
        ("d", 86_400_000_000),
        ("w", 604_800_000_000),
        ("y", 31_557_600_000_000),
    ];
    if text == "infinity" {
        return Some(Duration::MAX);
    }
    let mut whole = 0_u64;
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = part.split_at_checked(digits)?;
        let micros = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        whole = whole.saturating_add(number.parse::<u64>().ok()?.saturating_mul(micros));
    }
    Some(Duration::from_micros(whole))
}

fn path(host: &Host) -> PathBuf {
    host.runtime_dir().join(FILE)
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), nanoseconds)
}
