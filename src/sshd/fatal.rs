//! What sshd did not survive is not tried again and again: every try costs some connections, and one
//! day perhaps the last way in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::install::{self, Install};
use super::tree::Tree;
use crate::reconcile::Outcome;

/// How long a change that sshd did not survive is left alone, unless it is another change by then.
const PAUSE: Duration = Duration::from_secs(3600);

/// The last change that sshd did not survive, if any.
#[derive(Debug, Default)]
pub struct Fatal {
    last: Mutex<Option<Loss>>,
    down: AtomicBool,
}

#[derive(Debug)]
struct Loss {
    candidate: Tree,
    at: Instant,
    story: String,
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
    pub fn guard(&self, change: &Install, install: impl FnOnce() -> Vec<Outcome>) -> Vec<Outcome> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |loss: &&Loss| loss.candidate == change.candidate && loss.at.elapsed() < PAUSE;
        if let Some(loss) = last.as_ref().filter(recent) {
            let reason = format!(
                "sshd did not survive it the last time ({}); it is tried again when the \
                 configuration is another one, or after an hour",
                loss.story
            );
            return vec![Outcome::of_look("change the configuration", || Err(reason))];
        }
        let outcomes = install();
        *last = install::fatal(&outcomes).map(|story| Loss {
            candidate: change.candidate.clone(),
            at: Instant::now(),
            story: story.to_owned(),
        });
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sshd::tree::Entry;

    fn change(text: &str) -> Install {
        let file = Entry::File { bytes: text.as_bytes().into(), real: "/c".into() };
        let candidate = Tree { main: "/c".into(), entries: [("/c".into(), file)].into() };
        Install { edits: Vec::new(), candidate, expect: BTreeMap::new(), reference: None }
    }

    #[test]
    fn a_fatal_change_is_tried_once_and_another_one_is_tried() {
        let fatal = Fatal::default();
        let recovered = || vec![Outcome::of(install::RECOVERY, || Err("sshd died"))];
        let untried = || -> Vec<Outcome> { panic!("tried again") };
        assert_eq!(fatal.guard(&change("a"), recovered).len(), 1);
        for _ in 0..3 {
            let said = fatal.guard(&change("a"), untried);
            assert!(said.iter().all(Outcome::failed));
            assert!(said[0].error.as_ref().unwrap().contains("the last time (sshd died)"));
        }
        assert_eq!(fatal.guard(&change("b"), Vec::new), []);
        assert_eq!(fatal.guard(&change("a"), Vec::new), []);
    }
}
