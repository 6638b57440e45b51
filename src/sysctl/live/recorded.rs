//! What the record says of the kernel's values, and what may be put back of it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;

use super::Live;
use crate::originals::Originals;
use crate::reconcile::Resource;
use crate::sysctl::Key;

/// The record of the host's own values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// What is put back.
    pub values: BTreeMap<Key, i64>,
    /// What is not put back.
    pub withheld: BTreeMap<Key, Withheld>,
    /// Whether the time of the first enforcement is in it.
    pub enforced: bool,
    /// Whether it is complete, or says what it does not know.
    pub told_unknown: bool,
}

/// Why a value from before the policy is not put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Withheld {
    /// It does harm.
    Harmful(i64),
    /// The record of it was lost.
    Unknown,
}

impl Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Harmful(value) => write!(
                f,
                "it was {value} before the policy, which harms connections and is not put back"
            ),
            Self::Unknown => f.write_str(
                "what it was before the policy is not known, because the record of it was lost",
            ),
        }
    }
}

impl Recorded {
    /// Of the whole record.
    #[must_use]
    pub fn of(originals: &Originals) -> Self {
        let mut recorded = Self {
            enforced: originals.first_enforced.contains_key(Live::NAME),
            told_unknown: true,
            ..Self::default()
        };
        let mut unknown = None;
        if let Some(incomplete) = &originals.incomplete {
            unknown = incomplete.unknown.as_ref();
            recorded.told_unknown = unknown.is_some();
        }
        for key in Key::ALL {
            if let Some(value) = originals.live.get(key.name()) {
                recorded.values.insert(key, *value);
            } else if let Some(value) = originals.harmful.get(key.name()) {
                recorded.withheld.insert(key, Withheld::Harmful(*value));
            } else if unknown.is_some_and(|unknown| unknown.contains(key.name())) {
                recorded.withheld.insert(key, Withheld::Unknown);
            }
        }
        recorded
    }

    /// Whether there is nothing to record about a key.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.values.contains_key(&key) || self.withheld.contains_key(&key)
    }
}

/// Adds values as they were found, where nothing is known yet.
pub fn add(originals: &mut Originals, found: &BTreeMap<Key, i64>) {
    for (key, value) in found {
        if Recorded::of(originals).has(*key) {
            continue;
        }
        let place = match key.is_harmless(*value) {
            true => &mut originals.live,
            false => &mut originals.harmful,
        };
        place.insert(key.name().to_owned(), *value);
    }
}

/// Where the record is incomplete and does not say yet what it does not know: what is declared.
pub fn tell_unknown(originals: &mut Originals, declared: &[Key]) {
    let known = Recorded::of(originals);
    if let Some(incomplete) = &mut originals.incomplete
        && incomplete.unknown.is_none()
        && !declared.is_empty()
    {
        let unknown = declared.iter().filter(|key| !known.has(**key));
        incomplete.unknown = Some(unknown.map(|key| key.name().to_owned()).collect());
    }
}

/// Forgets a key.
pub fn remove(originals: &mut Originals, key: Key) {
    originals.live.remove(key.name());
    originals.harmful.remove(key.name());
    if let Some(unknown) = originals.incomplete.as_mut().and_then(|one| one.unknown.as_mut()) {
        unknown.remove(key.name());
    }
}
