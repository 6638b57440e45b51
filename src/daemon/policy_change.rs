//! Another policy: read again, refused or taken over.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Daemon;
use super::reconciler::Orders;
use super::witness::Witness;
use crate::host::Host;
use crate::policy::{self, Policy};
use crate::reconcile::{Problem, Severity};
use crate::report::journal::{Kind as Line, Weight, say};
use crate::report::status::monotonic;
use crate::ssh_client::Whose;
use crate::sysctl::live;

/// A policy on its way to be in force everywhere.
#[derive(Debug)]
pub(super) struct Announced {
    pub generation: u64,
    /// When it was read, in microseconds of the monotonic clock.
    pub read: u64,
    /// Whether the service manager waits to be told.
    pub awaited: bool,
}

/// A sandbox in which the daemon would write to another kernel's values than the host's, or not
/// hear of them, is not run in: it would report success. A user's own daemon sets none of them.
pub(super) fn misplaced(host: &Host, policy: &Policy, whose: &Whose) -> Vec<Problem> {
    if *whose != Whose::Everybodys {
        return Vec::new();
    }
    let problems = live::environment(host, &policy.sysctl);
    let (refused, noted): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Blocked);
    for problem in noted {
        say(Weight::Warning, Line::Notice, &problem.to_string());
    }
    refused
}

impl Daemon {
    /// SIGHUP: the service manager waits for READY=1, whatever the file holds.
    pub(super) fn reload(&mut self) {
        self.service.reloading();
        let read = monotonic();
        match self.load() {
            Ok(policy) => self.adopt(policy, read, true),
            Err(rejection) => {
                self.state.tell_rejection(&self.policy.path, &rejection, read);
                if self.announced.is_none() {
                    self.service.ready();
                }
                self.publish();
            }
        }
    }

    /// A file of the policy changed: no news if it still says the same.
    pub(super) fn reload_if_changed(&mut self) {
        let read = monotonic();
        match self.load() {
            Ok(policy) if policy.says_the_same(&self.policy) => {
                if self.state.forgive_rejection() {
                    self.publish();
                }
            }
            Ok(policy) => self.adopt(policy, read, false),
            Err(rejection) => {
                self.state.tell_rejection(&self.policy.path, &rejection, read);
                self.publish();
            }
        }
    }

    /// What every reconciler shall go by.
    pub(super) fn orders(&self) -> Orders {
        let (generation, brake) = (self.generation, self.brake_turns);
        Orders { generation, policy: Arc::clone(&self.policy), brake }
    }

    /// The policy as its files have it now, if it can be kept here.
    fn load(&self) -> Result<Policy, String> {
        let policy = policy::load(&self.policy.path).map_err(|rejection| rejection.to_string())?;
        let refused = misplaced(&self.host, &policy, &self.whose);
        if refused.is_empty() {
            return Ok(policy);
        }
        Err(refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn adopt(&mut self, policy: Policy, read: u64, awaited: bool) {
        self.state.tell_policy(&policy);
        self.generation += 1;
        let awaited = awaited || self.announced.as_ref().is_some_and(|before| before.awaited);
        self.announced = Some(Announced { generation: self.generation, read, awaited });
        let witness_before = self.policy.witness;
        self.policy = Arc::new(policy);
        if self.policy.witness != witness_before {
            self.call_witness();
        }
        // What was declared may have come from a fragment that was not there before.
        self.watch_policy();
        // Fails only when no reconciler is left, and then nothing is to be told.
        let _ = self.orders.send(self.orders());
        self.spawn_instances();
    }

    /// The files of the policy, also those that may come.
    pub(super) fn watch_policy(&mut self) {
        let main = self.policy.path.clone();
        let files = BTreeSet::from([policy::fragment::directory(&main), main]);
        self.watches.set_policy(&files);
    }

    pub(super) fn call_witness(&mut self) {
        self.witness = None;
        if !self.policy.witness {
            return;
        }
        match Witness::start() {
            Ok(witness) => self.witness = Some(witness),
            Err(error) => self.state.tell_no_witness(&error),
        }
    }
}
