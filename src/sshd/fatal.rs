//! What sshd did not survive is not tried again and again: every try costs some connections, and one
//! day perhaps the last way in. Kept on disk, or a daemon that is restarted would try it each time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::install::{self, Install};
use super::instance::Instance;
use super::tree::Tree;
use crate::host::Host;
use crate::host::clock::now;
use crate::reconcile::Outcome;
use crate::record::{self, Found, Record, Rest};

/// How long a change that sshd did not survive is left alone, unless it is another change by then.
const PAUSE_SECONDS: u64 = 3600;

const FILE: &str = "sshd-fatal.json";

const LOCK: &str = "sshd-fatal";

/// The last change that sshd did not survive, if any.
#[derive(Debug, Default)]
pub struct Fatal {
    /// Counts where the record can't be written.
    last: Mutex<Option<Loss>>,
    down: AtomicBool,
}

/// The record, `sshd-fatal.json` in the state directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Losses {
    /// By the unit of a declared instance; the host's own sshd has no name here.
    sshds: BTreeMap<String, Loss>,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Losses {
    const VERSION: u64 = 1;
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Loss {
    /// Of the files as they were meant to be.
    candidate: u64,
    /// When, in seconds since 1970.
    at: u64,
    story: String,
    #[serde(flatten)]
    rest: Rest,
}

impl Fatal {
    /// Whether sshd was lost by our doing and could not be started.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Takes note of what became of sshd.
    pub fn note(&self, outcomes: &[Outcome]) {
        if install::recovery(outcomes).is_some() {
            self.down.store(install::is_down(outcomes), Ordering::Relaxed);
        }
    }

    /// It runs again, or its state is no longer our doing.
    pub fn forget(&self) {
        self.down.store(false, Ordering::Relaxed);
    }

    /// Runs `install`, unless this very change has been fatal lately.
    pub fn guard(
        &self,
        host: &Host,
        instance: Option<&Instance>,
        change: &Install,
        install: impl FnOnce() -> Vec<Outcome>,
    ) -> Vec<Outcome> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let sshd = instance.map(|instance| instance.unit.as_str()).unwrap_or_default();
        let recorded = recorded(host, sshd);
        let candidate = fingerprint(&change.candidate);
        let mut known = last.iter().chain(&recorded);
        if let Some(loss) = known.find(|loss| loss.candidate == candidate && loss.is_recent()) {
            let reason = format!(
                "sshd did not survive it the last time ({}); it is tried again when the \
                 configuration is another one, after an hour, or once {} is removed and the daemon \
                 restarted",
                loss.story,
                path(host).display()
            );
            return vec![Outcome::of_look("change the configuration", || Err(reason))];
        }
        let mut outcomes = install();
        *last = install::fatal(&outcomes).map(|story| Loss {
            candidate,
            at: now(),
            story: story.to_owned(),
            rest: Rest::new(),
        });
        if *last != recorded {
            outcomes.extend(record(host, sshd, last.as_ref()));
        }
        outcomes
    }
}

impl Loss {
    /// A clock that was set back must not make it last for years.
    fn is_recent(&self) -> bool {
        now().abs_diff(self.at) < PAUSE_SECONDS
    }
}

/// Of a release of ours: after an upgrade to one with another hash a change is tried once more.
fn fingerprint(tree: &Tree) -> u64 {
    let mut hasher = DefaultHasher::new();
    tree.hash(&mut hasher);
    hasher.finish()
}

fn path(host: &Host) -> PathBuf {
    host.state_dir().join(FILE)
}

/// What is known of this sshd. A record that can't be used costs one try more; the next loss keeps it aside.
fn recorded(host: &Host, sshd: &str) -> Option<Loss> {
    match record::read::<Losses>(host, &path(host)) {
        Ok(Found::Known(mut losses)) => losses.sshds.remove(sshd),
        Ok(Found::Absent | Found::Unusable(_)) | Err(_) => None,
    }
}

/// Writes it down; what comes of that is an outcome only where it fails.
fn record(host: &Host, sshd: &str, loss: Option<&Loss>) -> Option<Outcome> {
    let written = record::update::<Losses>(host, &path(host), LOCK, |losses, _| match loss {
        Some(loss) => drop(losses.sshds.insert(sshd.to_owned(), loss.clone())),
        None => drop(losses.sshds.remove(sshd)),
    });
    let error = written.err()?;
    Some(Outcome::of_look("write down what sshd did not survive", || Err(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sshd::tree::Entry;

    fn change(text: &str) -> Install {
        let file = Entry::File { bytes: text.as_bytes().into(), real: "/c".into() };
        let candidate = Tree { main: "/c".into(), entries: [("/c".into(), file)].into() };
        Install { edits: Vec::new(), candidate, expect: BTreeMap::new(), reference: None }
    }

    fn recovered() -> Vec<Outcome> {
        vec![Outcome::of(install::RECOVERY, || Err("sshd died"))]
    }

    fn untried() -> Vec<Outcome> {
        panic!("tried again")
    }

    #[test]
    fn a_fatal_change_is_tried_once_and_another_one_is_tried() {
        let root = tempfile::tempdir().unwrap();
        let (host, fatal) = (Host::at(root.path()), Fatal::default());
        assert_eq!(fatal.guard(&host, None, &change("a"), recovered).len(), 1);
        for _ in 0..3 {
            let said = fatal.guard(&host, None, &change("a"), untried);
            assert!(said.iter().all(Outcome::failed));
            assert!(said[0].error.as_ref().unwrap().contains("the last time (sshd died)"));
        }
        assert_eq!(fatal.guard(&host, None, &change("b"), Vec::new), []);
        assert_eq!(fatal.guard(&host, None, &change("a"), Vec::new), []);
    }

    #[test]
    fn a_daemon_that_is_restarted_leaves_it_alone_for_an_hour_too() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let sftp = Instance { file: "/c".into(), unit: "sftp.service".to_owned() };
        let restarted = |instance, change: &Install, install: fn() -> Vec<Outcome>| {
            Fatal::default().guard(&host, instance, change, install)
        };
        restarted(None, &change("a"), recovered);
        assert!(restarted(None, &change("a"), untried)[0].failed());
        // Another sshd may survive it.
        assert_eq!(restarted(Some(&sftp), &change("a"), Vec::new), []);
        let age = |at: u64| {
            record::update::<Losses>(&host, &path(&host), LOCK, |losses, _| {
                losses.sshds.get_mut("").unwrap().at = at;
            })
            .unwrap();
        };
        age(now() + 10 * PAUSE_SECONDS);
        restarted(None, &change("a"), recovered);
        age(now() - PAUSE_SECONDS);
        assert_eq!(restarted(None, &change("a"), Vec::new), []);
        assert_eq!(recorded(&host, ""), None);
    }
}
