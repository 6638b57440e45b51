//! What the daemon listens to. The kernel's values have watches of their own: their events wait for
//! nobody else's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::watching::{Heard, Watch};
use crate::host::Host;
use crate::reconcile::Resource;
use crate::sysctl::live::Live;

/// The name under which the policy file itself is watched.
pub const POLICY: &str = "policy";

/// The name under which the record of a pause is watched.
pub const BRAKE: &str = "brake";

/// In a flood of events the values are looked at this often, which costs next to nothing,
const LIVE_PATIENCE: Duration = Duration::from_millis(500);

/// and all files this often, which takes sshd and ssh to be run.
const FILES_PATIENCE: Duration = Duration::from_secs(10);

/// All watches.
#[derive(Debug)]
pub struct Watches {
    live: Watch,
    files: Watch,
}

impl Watches {
    /// Nothing is watched yet.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self {
            live: Watch::new(host.clone(), LIVE_PATIENCE),
            files: Watch::new(host.clone(), FILES_PATIENCE),
        }
    }

    /// Waits until something happened, and says to whom it matters. Cancel-safe.
    pub async fn heard(&mut self) -> Heard {
        tokio::select! {
            heard = self.live.heard() => heard,
            heard = self.files.heard() => heard,
        }
    }

    /// What a reconciler wants to hear of from now on.
    pub fn set(&mut self, name: &str, watched: &BTreeSet<PathBuf>) {
        let watch = if name == Live::LOCK { &mut self.live } else { &mut self.files };
        watch.set(name, watched);
    }

    /// A reconciler that has ended.
    pub fn forget(&mut self, name: &str) {
        self.files.forget(name);
    }

    /// The directories that are watched.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        self.files.places()
    }

    /// The records of a pause.
    pub fn set_brake(&mut self, files: &BTreeSet<PathBuf>) {
        self.files.set(BRAKE, files);
    }

    /// The files of the policy.
    pub fn set_policy(&mut self, files: &BTreeSet<PathBuf>) {
        self.files.set_located(POLICY, files);
    }
}
