//! The same values in the network namespaces that have a name (`ip netns`), as a resource of its
//! own: a namespace has values of its own from its first moment, the kernel's defaults.
//!
//! Looked at only when the policy asks for them (`namespaces`), since it takes a capability to
//! enter one. A descriptor stays bound to the namespace in which it was opened, so each one is
//! entered once, by a thread that ends in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use serde::Serialize;

use super::{Change as Write, Live, blocked, first_seen, order, unrecorded, wanted_change};
use crate::escape;
use crate::host::{Host, HostError};
use crate::originals::{Originals, in_namespace};
use crate::reconcile::{ObserveError, Outcome, Plan, Problem, Resource, Setting, Severity};
use crate::record::Found;
use crate::sysctl::{Desired, Key};

pub(super) mod entered;
#[cfg(test)]
mod tests;

use entered::Entered;

/// Where `ip netns` keeps the names.
pub(super) const DIRECTORY: &str = "/run/netns";

/// The values of the namespaces below /run/netns.
#[derive(Debug, Default)]
pub struct Named {
    kept: Mutex<BTreeMap<OsString, Entered>>,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// By name. Empty where nothing is asked for, and with `--root`.
    namespaces: BTreeMap<OsString, Seen>,
    /// Why some can't be entered; each reason once.
    obstacles: BTreeSet<String>,
    /// Whether all of this was looked at.
    asked: bool,
    /// What was found when each was first declared, by the namespace's name and the setting's.
    recorded: BTreeMap<String, BTreeMap<String, i64>>,
    /// Those among these that do harm.
    harmful: BTreeSet<String>,
    /// Whether the record can't be used, or does not know what was there before our values.
    unrecorded: bool,
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    values: BTreeMap<Key, Result<i64, String>>,
    /// The open files, by which they can be watched from outside.
    watched: BTreeSet<PathBuf>,
}

/// One step in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As it is shown.
    pub namespace: String,
    #[serde(skip)]
    name: OsString,
    #[serde(flatten)]
    step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Step {
    Write(Write),
    /// The namespace is gone, and with it what could be put back.
    Forget {
        forget: bool,
    },
}

impl Change {
    /// A value that is written into the namespace that is shown like this.
    #[must_use]
    pub fn of(shown: &str, write: Write) -> Self {
        Self { namespace: shown.to_owned(), name: shown.into(), step: Step::Write(write) }
    }

    /// The value that is written, if one is.
    #[must_use]
    pub const fn write(&self) -> Option<&Write> {
        match &self.step {
            Step::Write(write) => Some(write),
            Step::Forget { .. } => None,
        }
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Step::Write(write) => write!(f, "netns {}: {write}", self.namespace),
            Step::Forget { .. } => write!(f, "netns {}: gone, forgotten", self.namespace),
        }
    }
}

impl Resource for Named {
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    const NAME: &'static str = Live::NAME;
    const LOCK: &'static str = "sysctl-netns";

    fn observe(&self, host: &Host) -> Result<Observed, ObserveError> {
        self.observe_for(host, &Desired::default())
    }

    fn observe_for(&self, host: &Host, desired: &Desired) -> Result<Observed, ObserveError> {
        let mut observed = Observed::default();
        if !host.is_live() {
            return Ok(observed);
        }
        match Originals::load(host) {
            Ok(Found::Absent) => {}
            Ok(Found::Known(originals)) => {
                observed.unrecorded = originals.incomplete.is_some();
                observed.harmful = originals.harmful.into_keys().collect();
                observed.recorded = originals.namespaces;
            }
            // The host's own values tell why.
            Ok(Found::Unusable(_)) | Err(_) => observed.unrecorded = true,
        }
        observed.asked = !desired.values.is_empty() || !observed.recorded.is_empty();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !observed.asked {
            kept.clear();
            return Ok(observed);
        }
        let names = host.list(Path::new(DIRECTORY))?;
        kept.retain(|name, _| names.contains(name));
        for name in names {
            let known = kept.remove(&name);
            match entered::current(host, &path(&name), known) {
                Ok(Some(entered)) => {
                    observed.namespaces.insert(name.clone(), entered.look(&path(&name)));
                    kept.insert(name, entered);
                }
                Ok(None) => {}
                Err(error) => {
                    observed.obstacles.insert(explain(error));
                }
            }
        }
        Ok(observed)
    }

    fn plan(&self, desired: &Desired, observed: &Observed) -> Plan<Change> {
        let mut plan = Plan::default();
        let notice = |text: &String| Problem::new(Self::NAME, Severity::Notice, text);
        plan.problems.extend(observed.obstacles.iter().map(notice));
        for (name, seen) in &observed.namespaces {
            plan_one(name, seen, desired, observed, &mut plan);
        }
        if desired.values.is_empty() {
            let gone = observed.recorded.keys().filter(|shown| !observed.has(shown));
            plan.changes.extend(gone.map(|shown| Change {
                namespace: shown.clone(),
                name: shown.into(),
                step: Step::Forget { forget: true },
            }));
        }
        plan
    }

    /// What is recorded of a namespace that is gone goes with it: one that gets its name later is
    /// another.
    fn remember(
        &self,
        host: &Host,
        desired: &Desired,
        observed: &Observed,
    ) -> Result<Vec<Problem>, HostError> {
        if observed.unrecorded {
            return Ok(Vec::new());
        }
        let first_seen = |(name, seen): (&OsString, &Seen)| {
            let shown = shown_as(name);
            let recorded = observed.recorded.get(&shown);
            let is_recorded = |key: Key| {
                recorded.is_some_and(|values| values.contains_key(key.name()))
                    || observed.harmful.contains(&in_namespace(&shown, key.name()))
            };
            let new = first_seen(desired, &seen.values, is_recorded);
            (!new.is_empty()).then_some((shown, new))
        };
        let new: Vec<_> = observed.namespaces.iter().filter_map(first_seen).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let written = Originals::update(host, |originals| {
            originals.namespaces.retain(|shown, _| observed.has(shown));
            for (shown, values) in new {
                record(originals, &shown, values);
            }
        });
        Ok(written.err().iter().map(unrecorded).collect())
    }

    fn apply(&self, host: &Host, plan: &Plan<Change>) -> Vec<Outcome> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let carry_out = |change: &Change| match &change.step {
            Step::Write(write) => {
                let verb = if write.put_back { "put back" } else { "set" };
                let (key, shown) = (write.key.name(), &change.namespace);
                let action = format!("{verb} {key} = {} in netns {shown}", write.to);
                Outcome::of(action, || match kept.get(&change.name) {
                    Some(entered) => carry_out(host, entered, shown, write),
                    None => Err("the namespace is gone".to_owned()),
                })
            }
            Step::Forget { .. } => Outcome::of_look(change.to_string(), || {
                forget(host, |namespaces| drop(namespaces.remove(&change.namespace)))
            }),
        };
        plan.changes.iter().map(carry_out).collect()
    }

    fn watched(&self, observed: &Observed) -> BTreeSet<PathBuf> {
        let mut watched = BTreeSet::new();
        if observed.asked {
            watched.insert(PathBuf::from(DIRECTORY));
        }
        watched.extend(observed.namespaces.values().flat_map(|seen| seen.watched.iter().cloned()));
        watched
    }
}

impl Observed {
    /// The value of a setting in the namespace that is shown like this.
    #[must_use]
    pub fn value(&self, shown: &str, key: Key) -> Option<i64> {
        let (_, seen) = self.namespaces.iter().find(|(name, _)| shown_as(name) == shown)?;
        seen.values.get(&key)?.as_ref().ok().copied()
    }

    fn has(&self, shown: &str) -> bool {
        self.namespaces.keys().any(|name| shown_as(name) == shown) || !self.obstacles.is_empty()
    }
}

fn record(originals: &mut Originals, shown: &str, values: BTreeMap<Key, i64>) {
    let recorded = originals.namespaces.entry(shown.to_owned()).or_default();
    for (key, found) in values {
        if key.is_harmless(found) {
            recorded.entry(key.name().to_owned()).or_insert(found);
        } else {
            originals.harmful.insert(in_namespace(shown, key.name()), found);
        }
    }
}

fn plan_one(
    name: &OsStr,
    seen: &Seen,
    desired: &Desired,
    observed: &Observed,
    plan: &mut Plan<Change>,
) {
    let shown = shown_as(name);
    let recorded = observed.recorded.get(&shown);
    let (mut current, mut writes) = (BTreeMap::new(), Vec::new());
    for (key, found) in &seen.values {
        let wanted = desired.values.get(key);
        if let Some(wanted) = wanted {
            let context = format!("netns {shown}");
            let row = super::row(*key, *wanted, found.as_ref().ok().copied());
            plan.settings.push(Setting { context, ..row });
        }
        match found {
            Ok(value) => {
                let original = recorded.and_then(|values| values.get(key.name()).copied());
                writes.extend(wanted_change(*key, *value, wanted.copied(), original));
                current.insert(*key, *value);
            }
            Err(reason) if wanted.is_some() => plan.problems.push(blocked(reason)),
            Err(_) => {}
        }
    }
    let writes = order::least_harmful(&current, writes);
    plan.changes.extend(writes.into_iter().map(|write| Change {
        namespace: shown.clone(),
        name: name.to_owned(),
        step: Step::Write(write),
    }));
}

fn carry_out(host: &Host, entered: &Entered, shown: &str, write: &Write) -> Result<(), String> {
    let key = write.key;
    let found = entered.value(key).map_err(|error| error.to_string())?;
    if found != write.to {
        entered.write(key, write.to).map_err(unwritable)?;
        let now = entered.value(key).map_err(|error| error.to_string())?;
        if now != write.to {
            return Err(format!(
                "wrote {} and read back {now}: another program writes it at the same moment; it is \
                 tried again",
                write.to
            ));
        }
    }
    if !write.put_back {
        return Ok(());
    }
    forget(host, |namespaces| {
        if let Some(values) = namespaces.get_mut(shown) {
            values.remove(key.name());
        }
        namespaces.retain(|_, values| !values.is_empty());
    })
}

fn unwritable(error: Errno) -> String {
    let cause = match error {
        Errno::ROFS => {
            ": /proc/sys/net is read-only here; the unit's own net/ipv4 is another directory"
        }
        _ => "",
    };
    format!("cannot be written ({error}){cause}")
}

fn forget(
    host: &Host,
    change: impl FnOnce(&mut BTreeMap<String, BTreeMap<String, i64>>),
) -> Result<(), String> {
    Originals::update(host, |originals| change(&mut originals.namespaces))
        .map_err(|error| error.to_string())
}

fn path(name: &OsStr) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Any bytes can be in a name; what would upset a terminal is written as an escape.
fn shown_as(name: &OsStr) -> String {
    escape::path(Path::new(name))
}

/// Why a namespace can't be entered. Names none, so that the same is not said again for each.
fn explain(error: Errno) -> String {
    let cause = match error {
        Errno::PERM | Errno::ACCESS => {
            ": that takes CAP_SYS_ADMIN, which the unit as shipped withholds; named-namespaces.conf \
             in its documentation is the drop-in that grants it"
        }
        _ => "",
    };
    format!(
        "the network namespaces in {DIRECTORY} can't be entered ({error}){cause}. Their values are \
         neither checked nor set; the host's own are"
    )
}
