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
use crate::record::Found;

pub mod containers;
mod environment;
mod file;
pub mod named;
mod order;
mod recorded;

pub use environment::environment;

use file::Open;
pub use recorded::{Recorded, Withheld};

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
    record: Option<(Option<Stamp>, Recorded)>,
    /// What belongs into the record and could not be written yet, or was in one that got lost.
    unwritten: BTreeMap<Key, i64>,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The values, or why one can't be read. Empty with `--root`.
    pub values: BTreeMap<Key, Result<i64, String>>,
    /// What was found when each was first declared, or why that can't be told.
    pub recorded: Result<Recorded, String>,
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
    /// Why nothing is put back, and only the record goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(withheld) = self.withheld {
            return write!(f, "{}: stays {}: {withheld}", self.key.name(), self.from);
        }
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
    fn record(&mut self, host: &Host) -> Result<Recorded, String> {
        let stamp = host.stamp(&Originals::path(host));
        if self.record.as_ref().is_none_or(|(known, _)| *known != stamp) {
            let before = self.record.take();
            let known = Originals::load(host).map_err(|error| error.to_string())?;
            if !matches!(known, Found::Known(_)) {
                // We still know what was in it.
                self.unwritten.extend(before.into_iter().flat_map(|(_, known)| known.values));
            }
            match known {
                Found::Known(originals) => self.record = Some((stamp, Recorded::of(&originals))),
                Found::Absent => self.record = Some((stamp, Recorded::default())),
                Found::Unusable(unusable) => return Err(unusable.to_string()),
            }
        }
        let mut recorded = self.record.as_ref().map(|(_, known)| known.clone()).unwrap_or_default();
        for (key, value) in &self.unwritten {
            recorded.values.entry(*key).or_insert(*value);
        }
        Ok(recorded)
    }

    fn carry_out(&mut self, host: &Host, change: &Change) -> Result<(), String> {
        let key = change.key;
        if change.withheld.is_some() {
            return forget(host, key);
        }
        let to = match change.put_back {
            false => change.to,
            true => match self.record(host)?.values.get(&key) {
                Some(original) => *original,
                // Another process has put it back meanwhile.
                None => return Ok(()),
            },
        };
        let found = self.read(host, key)?;
        if found != to {
            file::write(host, key, to)
                .map_err(|error| file::explain(key, "cannot be written", &error))?;
        }
        if change.put_back {
            self.unwritten.remove(&key);
            return forget(host, key);
        }
        Ok(())
    }

    /// Writes what belongs into the record and is not there. Values that are found while a record
    /// begins that is incomplete are ours by now, not those from before.
    fn write_record(
        &mut self,
        host: &Host,
        desired: &Desired,
        found: &BTreeMap<Key, i64>,
    ) -> Result<(), HostError> {
        let known = self.unwritten.clone();
        let declared: Vec<Key> = desired.values.keys().copied().collect();
        Originals::update(host, |originals| {
            recorded::add(originals, &known);
            recorded::tell_unknown(originals, &declared);
            recorded::add(originals, found);
            if host.is_live() && !declared.is_empty() {
                originals.enforced(Live::NAME);
            }
        })?;
        self.unwritten.clear();
        self.record = None;
        Ok(())
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
        recorded::remove(originals, key);
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
            return Ok(Observed { values: BTreeMap::new(), recorded: Ok(Recorded::default()) });
        }
        let mut kept = self.kept();
        let values = Key::ALL.into_iter().map(|key| (key, kept.read(host, key))).collect();
        let recorded = kept.record(host);
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
                let recorded = observed.recorded.as_ref().ok();
                let original = recorded.and_then(|known| known.values.get(key)).copied();
                let withheld = recorded.and_then(|known| known.withheld.get(key)).copied();
                plan.changes.extend(wanted_change(*key, found, wanted, original).or_else(|| {
                    let withheld = withheld.filter(|_| wanted.is_none())?;
                    Some(Change::forgotten(*key, found, withheld))
                }));
            }
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
    ) -> Result<Vec<Problem>, HostError> {
        let mut kept = self.kept();
        let recorded = kept.record(host);
        let usable = recorded.is_ok();
        let recorded = recorded.unwrap_or_default();
        let found = first_seen(desired, &observed.values, |key| recorded.has(key));
        let is_noted = recorded.enforced || desired.values.is_empty() || !host.is_live();
        let is_complete = recorded.told_unknown || desired.values.is_empty();
        let nothing_new = found.is_empty() && kept.unwritten.is_empty();
        if usable && nothing_new && is_noted && is_complete {
            return Ok(Vec::new());
        }
        match kept.write_record(host, desired, &found) {
            Ok(()) => Ok(Vec::new()),
            Err(error) => {
                if usable {
                    kept.unwritten.extend(found);
                }
                Ok(vec![unrecorded(&error)])
            }
        }
    }

    fn apply(&self, host: &Host, plan: &Plan<Change>) -> Vec<Outcome> {
        let mut kept = self.kept();
        plan.changes
            .iter()
            .map(|change| {
                let (name, to) = (change.key.name(), change.to);
                match (change.withheld, change.put_back) {
                    (Some(_), _) => {
                        Outcome::of_look(change.to_string(), || kept.carry_out(host, change))
                    }
                    (None, true) => {
                        let action = format!("put back {name} = {to}");
                        Outcome::of(action, || kept.carry_out(host, change))
                    }
                    (None, false) => {
                        let action = format!("set {name} = {to}");
                        Outcome::of(action, || kept.carry_out(host, change))
                    }
                }
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

/// A value that harms connections now is corrected, whether or not it can be put back one day.
fn unrecorded(error: &HostError) -> Problem {
    let message = format!(
        "what the kernel's values were can't be recorded ({error}). They are corrected all the same; \
         the daemon tries again, and a `restore` before that can't put them back"
    );
    Problem::new(Live::NAME, Severity::Notice, message)
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
        return (from != to).then_some(Change { key, from, to, put_back: false, withheld: None });
    }
    Some(Change { key, from, to: recorded?, put_back: true, withheld: None })
}

impl Change {
    const fn forgotten(key: Key, found: i64, withheld: Withheld) -> Self {
        Self { key, from: found, to: found, put_back: true, withheld: Some(withheld) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serialize_with calls")]
fn name<S: serde::Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.name())
}
