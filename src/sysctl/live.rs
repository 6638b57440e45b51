//! The values that the kernel uses now, as a resource.
//!
//! The files are read through descriptors that stay open. That is not for speed alone: a descriptor
//! pins the inode, and an inotify watch on a file of procfs goes deaf without a word once its inode
//! has been dropped from the cache and made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::{Desired, Key};
use crate::host::presence::Stamp;
use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::reconcile::{ObserveError, Outcome, Plan, Problem, Resource, Setting, Severity, Value};

pub mod containers;
mod environment;
mod file;
pub mod named;
mod order;

pub use environment::environment;

use file::Open;

#[cfg(test)]
mod tests;

/// The context of its rows.
const CONTEXT: &str = "live";

/// The keepalive values of the network namespace that this process is in.
#[derive(Debug, Default)]
pub struct Live {
    kept: Mutex<Kept>,
}

/// What is kept from one look to the next.
#[derive(Debug, Default)]
struct Kept {
    open: BTreeMap<Key, Open>,
    record: Option<(Option<Stamp>, BTreeMap<String, i64>)>,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The values, or why one can't be read. Empty with `--root`.
    pub values: BTreeMap<Key, Result<i64, String>>,
    /// What was found when each was first declared, or why that can't be told.
    pub recorded: Result<BTreeMap<Key, i64>, String>,
}

/// One value that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The setting.
    #[serde(rename = "name", serialize_with = "name")]
    pub key: Key,
    /// Its value as observed.
    pub from: i64,
    /// Its value afterwards.
    pub to: i64,
    /// Whether this is the value from before the policy, put back because the key is not
    /// declared any more.
    pub put_back: bool,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.put_back { ", as before the policy" } else { "" };
        write!(f, "{}: {} -> {}{why}", self.key.name(), self.from, self.to)
    }
}

impl Live {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What a panic left behind is at worst a descriptor too few.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn read(&mut self, host: &Host, key: Key) -> Result<i64, String> {
        let read = file::current(host, key, self.open.remove(&key)).and_then(|open| {
            let value = open.value();
            self.open.insert(key, open);
            value
        });
        read.map_err(|error| file::explain(key, "cannot be read", &error))
    }

    /// The record, read again only when its file changed.
    fn record(&mut self, host: &Host) -> Result<&BTreeMap<String, i64>, String> {
        let stamp = host.stamp(&Originals::path(host));
        if self.record.as_ref().is_none_or(|(known, _)| *known != stamp) {
            self.record = None;
            let originals = Originals::load(host).map_err(|error| error.to_string())?;
            self.record = Some((stamp, originals.live));
        }
        self.record.as_ref().map(|(_, live)| live).ok_or_else(String::new)
    }

    fn carry_out(&mut self, host: &Host, change: &Change) -> Result<(), String> {
        let key = change.key;
        let recorded = self.record(host)?.get(key.name()).copied();
        let to = match (change.put_back, recorded) {
            (false, _) => change.to,
            (true, Some(original)) => original,
            // Somebody else has put it back meanwhile.
            (true, None) => return Ok(()),
        };
        let found = self.read(host, key)?;
        if found != to {
            file::write(host, key, to)
                .map_err(|error| file::explain(key, "cannot be written", &error))?;
            let now = self.read(host, key)?;
            if now != to {
                return Err(format!(
                    "{}: wrote {to} and read back {now}: another program writes it at the same \
                     moment; it is tried again",
                    key.name()
                ));
            }
        }
        if change.put_back { forget(host, key) } else { Ok(()) }
    }
}

/// The declared keys that can be read and are not recorded yet, with their values.
fn first_seen(
    desired: &Desired,
    values: &BTreeMap<Key, Result<i64, String>>,
    is_recorded: impl Fn(Key) -> bool,
) -> BTreeMap<Key, i64> {
    let declared = values.iter().filter(|(key, _)| desired.values.contains_key(key));
    let readable = declared.filter_map(|(key, found)| Some((*key, *found.as_ref().ok()?)));
    readable.filter(|(key, _)| !is_recorded(*key)).collect()
}

fn forget(host: &Host, key: Key) -> Result<(), String> {
    let remove = |originals: &mut Originals| {
        originals.live.remove(key.name());
    };
    Originals::update(host, remove).map_err(|error| error.to_string())
}

impl Resource for Live {
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    const NAME: &'static str = "sysctl";
    const LOCK: &'static str = "sysctl-live";

    fn observe(&self, host: &Host) -> Result<Observed, ObserveError> {
        if !host.is_live() {
            return Ok(Observed { values: BTreeMap::new(), recorded: Ok(BTreeMap::new()) });
        }
        let mut kept = self.kept();
        let values = Key::ALL.into_iter().map(|key| (key, kept.read(host, key))).collect();
        let recorded = kept.record(host).map(|live| {
            let of = |key: Key| live.get(key.name()).map(|value| (key, *value));
            Key::ALL.into_iter().filter_map(of).collect()
        });
        Ok(Observed { values, recorded })
    }

    fn plan(&self, desired: &Desired, observed: &Observed) -> Plan<Change> {
        let mut plan = Plan::default();
        for (key, found) in &observed.values {
            let found = match (found, desired.values.get(key)) {
                (Ok(value), _) => Some(*value),
                (Err(reason), Some(_)) => {
                    plan.problems.push(blocked(reason));
                    None
                }
                (Err(_), None) => None,
            };
            if let Some(wanted) = desired.values.get(key) {
                plan.settings.push(row(*key, *wanted, found));
            }
            if let Some(found) = found {
                let wanted = desired.values.get(key).copied();
                let recorded = observed.recorded.as_ref().ok().and_then(|live| live.get(key));
                plan.changes.extend(wanted_change(*key, found, wanted, recorded.copied()));
            }
        }
        if let Err(reason) = &observed.recorded {
            plan.problems.push(blocked(reason));
            plan.changes.clear();
        }
        let current: BTreeMap<Key, i64> = observed
            .values
            .iter()
            .filter_map(|(key, found)| Some((*key, *found.as_ref().ok()?)))
            .collect();
        plan.changes = order::least_harmful(&current, plan.changes);
        plan
    }

    fn remember(
        &self,
        host: &Host,
        desired: &Desired,
        observed: &Observed,
    ) -> Result<(), HostError> {
        // Without the record nothing is written anyway, which the plan says.
        let Ok(recorded) = &observed.recorded else { return Ok(()) };
        let new = first_seen(desired, &observed.values, |key| recorded.contains_key(&key));
        if new.is_empty() {
            return Ok(());
        }
        Originals::update(host, |originals| {
            for (key, found) in new {
                originals.live.entry(key.name().to_owned()).or_insert(found);
            }
        })
    }

    fn apply(&self, host: &Host, plan: &Plan<Change>) -> Vec<Outcome> {
        let mut kept = self.kept();
        plan.changes
            .iter()
            .map(|change| {
                let action = match change.put_back {
                    true => format!("put back {} = {}", change.key.name(), change.to),
                    false => format!("set {} = {}", change.key.name(), change.to),
                };
                Outcome::of(action, || kept.carry_out(host, change))
            })
            .collect()
    }

    fn watched(&self, observed: &Observed) -> BTreeSet<PathBuf> {
        observed.values.keys().map(|key| file::path(*key)).collect()
    }
}

fn blocked(reason: &str) -> Problem {
    Problem::new(Live::NAME, Severity::Blocked, reason)
}

fn row(key: Key, wanted: u32, found: Option<i64>) -> Setting {
    Setting {
        resource: Live::NAME,
        name: key.name(),
        context: CONTEXT.to_owned(),
        desired: Value::Number(i64::from(wanted)),
        effective: found.map(Value::Number),
        source: None,
        compliant: found == Some(i64::from(wanted)),
    }
}

/// A declared key that has another value is set; one that is recorded and not declared any more is
/// put back, or just forgotten where it has its old value already.
fn wanted_change(
    key: Key,
    from: i64,
    wanted: Option<u32>,
    recorded: Option<i64>,
) -> Option<Change> {
    if let Some(wanted) = wanted {
        let to = i64::from(wanted);
        return (from != to).then_some(Change { key, from, to, put_back: false });
    }
    Some(Change { key, from, to: recorded?, put_back: true })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serialize_with calls")]
fn name<S: serde::Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.name())
}
