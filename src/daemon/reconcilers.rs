//! The reconcilers: one a resource, and one for each instance of sshd that is declared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::reconciler::{self, Busy, Due, Kind, Seen, Wiring};
use super::watching::Names;
use super::{Daemon, kinds, watches};
use crate::governed;
use crate::reconcile::Resource;
use crate::report::journal::{Kind as Line, Weight, say};
use crate::ssh_client::{SshClient, Whose};
use crate::sshd::Sshd;
use crate::sshd::instance::Instance;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::Live;
use crate::sysctl::live::named::Named;

/// One reconciler's handles.
#[derive(Debug)]
pub(super) struct Reconciler {
    pub due: Arc<Due>,
    pub busy: Arc<Busy>,
    pub task: JoinHandle<()>,
    deaf: Arc<AtomicBool>,
    /// The declared instance of sshd that it is about.
    instance: Option<Instance>,
}

impl Daemon {
    /// Starts those that are there whatever is declared.
    pub(super) fn spawn_all(&mut self) {
        if self.whose == Whose::Everybodys {
            self.spawn(Live::LOCK, None, Live::default(), kinds::live());
            self.spawn(Named::LOCK, None, Named::default(), kinds::named());
            self.spawn(Boot::LOCK, None, Boot::default(), kinds::boot());
            self.spawn(Sshd::LOCK, None, Sshd::default(), kinds::sshd());
        }
        let whose = self.whose.clone();
        let client = SshClient { policy: self.policy.path.clone(), whose };
        self.spawn(SshClient::LOCK, None, client, kinds::ssh_client());
        self.spawn_instances();
    }

    /// A reconciler for each instance of sshd that is declared, or was and has not been put back.
    pub(super) fn spawn_instances(&mut self) {
        if self.whose != Whose::Everybodys {
            return;
        }
        let instances = governed::instances(&self.host, &self.policy.sshd_instances);
        let instances = instances.unwrap_or_else(|error| {
            let message = format!(
                "{error}; instances of sshd that the policy no longer names are not put back"
            );
            say(Weight::Warning, Line::Notice, &message);
            self.policy.sshd_instances.iter().cloned().collect()
        });
        for instance in instances {
            let name = format!("{} {}", Sshd::LOCK, instance.file.display());
            if !self.reconcilers.contains_key(&name) {
                self.spawn(&name, Some(instance.clone()), Sshd::of(instance), kinds::sshd());
            }
        }
    }

    fn spawn<R>(&mut self, name: &str, instance: Option<Instance>, resource: R, kind: Kind<R>)
    where
        R: Resource + Send + Sync + 'static,
        R::Desired: Send + 'static,
    {
        let (due, busy) = (Arc::new(Due::default()), Arc::new(Busy::new()));
        let deaf = Arc::new(AtomicBool::new(false));
        let wiring = Wiring {
            name: name.to_owned(),
            due: Arc::clone(&due),
            busy: Arc::clone(&busy),
            deaf: Arc::clone(&deaf),
            orders: self.orders.subscribe(),
            reports: self.reporting.clone(),
        };
        let run = reconciler::run(Arc::new(resource), self.host.clone(), kind, wiring);
        let task = tokio::spawn(run);
        self.reconcilers.insert(name.to_owned(), Reconciler { due, busy, task, deaf, instance });
    }

    /// Whether this is about an instance of sshd that the policy no longer names, and in which
    /// nothing of ours is left.
    pub(super) fn is_done_with(&self, seen: &Seen) -> bool {
        let instance =
            self.reconcilers.get(&seen.name).and_then(|reconciler| reconciler.instance.as_ref());
        instance.is_some_and(|instance| !self.policy.sshd_instances.contains(instance))
            && seen.generation == self.generation
            && seen.report.in_force()
    }

    pub(super) fn retire(&mut self, name: &str) {
        if let Some(reconciler) = self.reconcilers.remove(name) {
            // Its pass is over; what waits is only for the next one, which would find nothing to do.
            reconciler.task.abort();
        }
        self.watches.forget(name);
        self.state.forget(name);
    }

    /// Of `parties`, those that are `deaf` look by themselves from now on; the others need not. Those
    /// that no longer are have missed nothing, since a new watch makes them look.
    pub(super) fn deafen(&self, parties: &Names, deaf: &Names) {
        // Whoever rereads files rereads the policy, too.
        let policy = deaf.contains(watches::POLICY);
        for (name, reconciler) in
            self.reconcilers.iter().filter(|(name, _)| parties.contains(name.as_str()))
        {
            let rereads = policy && [Boot::LOCK, SshClient::LOCK].contains(&name.as_str());
            let deaf = rereads || deaf.contains(name.as_str());
            if reconciler.deaf.swap(deaf, Ordering::Relaxed) != deaf {
                // It waits by its old interval otherwise.
                reconciler.due.mark();
            }
        }
    }
}
