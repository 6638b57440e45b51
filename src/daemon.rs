//! The daemon: triggers, reconcilers, reports. The only asynchronous code; all that decides and all
//! that touches the host is called from here and knows nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::governed;
use crate::host::Host;
use crate::policy::{self, Policy};
use crate::reconcile::{Problem, Resource, Severity};
use crate::report::journal;
use crate::report::status::Status;
use crate::ssh_client::{SshClient, Whose};
use crate::sshd::Sshd;
use crate::sshd::instance::Instance;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::named::Named;
use crate::sysctl::live::{self, Live};

pub mod pace;
pub mod reconciler;
pub mod service;
pub mod state;
pub mod sweep;
pub mod trigger;
pub mod watching;

use reconciler::{Busy, Due, Kind, Orders, Seen, Wiring};
use service::Service;
use state::State;
use watching::Watch;

/// A pass that takes longer is stuck: the longest that is not is one `systemctl reload` on a
/// loaded machine, after which sshd is given time to come back.
const STUCK: Duration = Duration::from_secs(180);

/// How long a running pass may go on after SIGTERM; the unit's `TimeoutStopSec=` is longer.
const LAST_PASS: Duration = Duration::from_secs(75);

/// The name under which the policy file itself is watched.
const POLICY: &str = "policy";

/// `EX_CONFIG`: the unit says `RestartPreventExitStatus=78`, since a restart would not help.
const BAD_ENVIRONMENT: u8 = 78;

/// Runs until SIGTERM or SIGINT, for the host or for one user's own client. Gives the exit code.
#[must_use]
pub fn run(host: Host, policy: Policy, whose: Whose) -> u8 {
    journal::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(serve(host, policy, whose)),
        Err(error) => Err(error),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            error!(keepalive_event = "stop", "cannot run: {error}");
            1
        }
    }
}

async fn serve(host: Host, policy: Policy, whose: Whose) -> std::io::Result<u8> {
    // A user's own client has nothing to do with the kernel's values.
    let misplaced = match whose {
        Whose::Everybodys => misplaced(&host, &policy),
        Whose::Users(_) => Vec::new(),
    };
    for problem in &misplaced {
        error!(keepalive_event = "refused", "{problem}");
    }
    if !misplaced.is_empty() {
        return Ok(BAD_ENVIRONMENT);
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    sweep::leftovers(&host, &policy, &whose);
    let mut daemon = Daemon::start(host, policy, whose);
    let mut ping = daemon.service.ping_interval().map(interval);
    if let Some(ping) = &mut ping {
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        // Every branch is cancel-safe: what it would have taken is still there at the next turn.
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => daemon.reload(),
            Some(seen) = daemon.reports.recv() => daemon.take(seen),
            Some(()) = daemon.policy_changed.recv() => daemon.reload_if_changed(),
            () = daemon.lost.marked() => daemon.watch_anew(),
            () = tick(&mut ping) => daemon.ping(),
        }
    }
    daemon.stop().await;
    Ok(0)
}

/// A sandbox in which the daemon would write to another kernel's values than the host's, or not
/// hear of them, is not run in: it would report success.
fn misplaced(host: &Host, policy: &Policy) -> Vec<Problem> {
    let problems = live::environment(host, &policy.sysctl);
    let (refused, noted): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Blocked);
    for problem in noted {
        warn!(keepalive_event = "notice", "{problem}");
    }
    refused
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => pending().await,
    }
}

/// One reconciler's handles.
#[derive(Debug)]
struct Party {
    due: Arc<Due>,
    busy: Arc<Busy>,
    task: JoinHandle<()>,
    /// The declared instance of sshd that it is about.
    instance: Option<Instance>,
    /// What it wants watched, as of its last report.
    watched: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Daemon {
    host: Host,
    whose: Whose,
    policy: Arc<Policy>,
    generation: u64,
    /// The generation that the service manager waits for, while it does.
    announced: Option<u64>,
    orders: watch::Sender<Orders>,
    parties: BTreeMap<String, Party>,
    /// Given to each reconciler.
    reporting: mpsc::Sender<Seen>,
    reports: mpsc::Receiver<Seen>,
    policy_due: Arc<Due>,
    policy_changed: mpsc::Receiver<()>,
    lost: Arc<Due>,
    watch: Option<Watch>,
    service: Service,
    state: State,
}

impl Daemon {
    fn start(host: Host, policy: Policy, whose: Whose) -> Self {
        let mut state = State::default();
        state.tell_policy(&policy);
        let policy = Arc::new(policy);
        let (orders, _) = watch::channel(Orders { generation: 1, policy: Arc::clone(&policy) });
        let (reporting, reports) = mpsc::channel(16);
        let policy_due = Arc::new(Due::default());
        let policy_changed = reconciler::settled(Arc::clone(&policy_due));
        let mut daemon = Self {
            host,
            whose,
            policy,
            generation: 1,
            announced: Some(1),
            orders,
            parties: BTreeMap::new(),
            reporting,
            reports,
            policy_due,
            policy_changed,
            lost: Arc::new(Due::default()),
            watch: None,
            service: Service::default(),
            state,
        };
        daemon.watch_anew();
        if daemon.whose == Whose::Everybodys {
            daemon.spawn(Live::LOCK, None, Live::default(), live_kind());
            daemon.spawn(Named::LOCK, None, Named::default(), named_kind());
            daemon.spawn(Boot::LOCK, None, Boot::default(), boot_kind());
            daemon.spawn(Sshd::LOCK, None, Sshd::default(), sshd_kind());
        }
        let whose = daemon.whose.clone();
        let client = SshClient { policy: daemon.policy.path.clone(), whose };
        daemon.spawn(SshClient::LOCK, None, client, ssh_client_kind());
        daemon.spawn_instances();
        daemon
    }

    /// A reconciler for each instance of sshd that is declared, or was and has not been put back.
    fn spawn_instances(&mut self) {
        if self.whose != Whose::Everybodys {
            return;
        }
        let instances = governed::instances(&self.host, &self.policy.sshd_instances);
        let instances = instances.unwrap_or_else(|error| {
            warn!(
                keepalive_event = "notice",
                "{error}; instances of sshd that the policy no longer names are not put back"
            );
            self.policy.sshd_instances.iter().cloned().collect()
        });
        for instance in instances {
            let name = format!("{} {}", Sshd::LOCK, instance.file.display());
            if !self.parties.contains_key(&name) {
                self.spawn(&name, Some(instance.clone()), Sshd::of(instance), sshd_kind());
            }
        }
    }

    fn spawn<R>(&mut self, name: &str, instance: Option<Instance>, resource: R, kind: Kind<R>)
    where
        R: Resource + Send + Sync + 'static,
        R::Desired: Send + 'static,
    {
        let (due, busy) = (Arc::new(Due::default()), Arc::new(Busy::new()));
        let wiring = Wiring {
            name: name.to_owned(),
            due: Arc::clone(&due),
            busy: Arc::clone(&busy),
            orders: self.orders.subscribe(),
            reports: self.reporting.clone(),
        };
        let run = reconciler::run(Arc::new(resource), self.host.clone(), kind, wiring);
        let task = tokio::spawn(run);
        let party = Party { due, busy, task, instance, watched: BTreeSet::new() };
        self.parties.insert(name.to_owned(), party);
    }

    fn take(&mut self, seen: Seen) {
        let name = seen.name.clone();
        let watched = seen.report.watched.clone();
        let done_with = self.is_done_with(&seen);
        let deaf = self.state.take(seen);
        if let Some(party) = self.parties.get_mut(&name) {
            party.watched = watched;
        }
        if done_with {
            self.retire(&name);
        } else if deaf {
            // What only the rereading found should have been an event.
            self.watch_anew();
        } else {
            self.watch_party(&name);
        }
        let names = self.names();
        if !self.state.complete(&names, 1) {
            return;
        }
        self.state.publish(&self.host, &self.policy, &mut self.service);
        if self.announced.is_some_and(|generation| self.state.complete(&names, generation)) {
            self.announced = None;
            self.service.ready();
        }
    }

    fn names(&self) -> Vec<String> {
        self.parties.keys().cloned().collect()
    }

    /// Whether this is about an instance of sshd that the policy no longer names, and in which
    /// nothing of ours is left.
    fn is_done_with(&self, seen: &Seen) -> bool {
        let instance = self.parties.get(&seen.name).and_then(|party| party.instance.as_ref());
        instance.is_some_and(|instance| !self.policy.sshd_instances.contains(instance))
            && seen.generation == self.generation
            && seen.report.in_force()
    }

    fn retire(&mut self, name: &str) {
        if let Some(party) = self.parties.remove(name) {
            // Its pass is over; what waits is only for the next one, which would find nothing to do.
            party.task.abort();
        }
        if let Some(watch) = &mut self.watch {
            watch.forget(name);
        }
        self.state.forget(name);
    }

    /// SIGHUP: the service manager waits for READY=1, whatever the file holds.
    fn reload(&mut self) {
        self.service.reloading();
        self.announced = Some(self.generation);
        match self.load() {
            Ok(policy) => self.adopt(policy),
            Err(rejection) => {
                self.state.tell_rejection(&self.policy.path, &rejection);
                self.announced = None;
                self.service.ready();
            }
        }
    }

    /// The file changed: no news if it still says the same.
    fn reload_if_changed(&mut self) {
        match self.load() {
            Ok(policy) if policy == *self.policy => {}
            Ok(policy) => self.adopt(policy),
            Err(rejection) => self.state.tell_rejection(&self.policy.path, &rejection),
        }
    }

    /// The policy as the file has it now, if it can be kept here.
    fn load(&self) -> Result<Policy, String> {
        let policy = policy::load(&self.policy.path).map_err(|rejection| rejection.to_string())?;
        let refused = misplaced(&self.host, &policy);
        if refused.is_empty() {
            return Ok(policy);
        }
        Err(refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn adopt(&mut self, policy: Policy) {
        self.state.tell_policy(&policy);
        self.generation += 1;
        self.announced = self.announced.map(|_| self.generation);
        self.policy = Arc::new(policy);
        // Fails only when no reconciler is left, and then nothing is to be told.
        let _ = self
            .orders
            .send(Orders { generation: self.generation, policy: Arc::clone(&self.policy) });
        self.spawn_instances();
    }

    /// Drops all watches, makes new ones, and has everything looked at that may have been missed.
    fn watch_anew(&mut self) {
        self.watch = match Watch::new(self.host.clone(), Arc::clone(&self.lost)) {
            Ok(watch) => Some(watch),
            Err(error) => {
                self.state.tell_unwatched(&[error.to_string()], self.policy.resync_interval);
                None
            }
        };
        let Some(watch) = &mut self.watch else { return };
        let own = BTreeSet::from([self.policy.path.clone()]);
        let armed = watch.set_located(POLICY, &self.policy_due, &own);
        self.state.tell_unwatched(&armed.troubles, self.policy.resync_interval);
        self.policy_due.mark();
        for name in self.names() {
            self.watch_party(&name);
        }
    }

    fn watch_party(&mut self, name: &str) {
        let (Some(watch), Some(party)) = (&mut self.watch, self.parties.get(name)) else { return };
        let armed = watch.set(name, &party.due, &party.watched);
        self.state.tell_unwatched(&armed.troubles, self.policy.resync_interval);
        if armed.more {
            party.due.mark();
        }
    }

    /// Says that we are alive, unless a pass is stuck: then the service manager shall restart us.
    fn ping(&self) {
        let stuck = self.parties.values().any(|party| {
            party.task.is_finished() || party.busy.elapsed().is_some_and(|since| since > STUCK)
        });
        if !stuck {
            self.service.ping();
        }
    }

    /// Lets running passes end, so that nothing is left half-done.
    async fn stop(self) {
        let Self { host, orders, parties, mut reports, service, .. } = self;
        service.stopping();
        drop(orders);
        reports.close();
        for (name, party) in parties {
            if timeout(LAST_PASS, party.task).await.is_err() {
                warn!(keepalive_event = "stop", "{name}: the last pass did not end in time");
            }
        }
        if let Err(error) = Status::clear(&host) {
            warn!("{error}");
        }
        info!(keepalive_event = "stop", "stopped; what is in force stays as it is");
    }
}

fn live_kind() -> Kind<Live> {
    Kind {
        desired: |_, policy| policy.sysctl.clone(),
        resync: |policy| policy.live_interval,
        spacing: |_| Duration::ZERO,
        settle: false,
    }
}

/// Not worth a wake-up of its own while nobody asks for namespaces.
fn named_kind() -> Kind<Named> {
    Kind {
        desired: |_, policy| policy.namespaces.clone(),
        resync: |policy| match policy.namespaces.values.is_empty() {
            true => policy.resync_interval,
            false => policy.live_interval,
        },
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

fn boot_kind() -> Kind<Boot> {
    Kind {
        desired: |_, policy| policy.sysctl.clone(),
        resync: |policy| policy.resync_interval,
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

fn ssh_client_kind() -> Kind<SshClient> {
    Kind {
        desired: |_, policy| policy.ssh_config.clone(),
        resync: |policy| policy.resync_interval,
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

fn sshd_kind() -> Kind<Sshd> {
    Kind {
        desired: |sshd, policy| policy.sshd_of(sshd.instance.as_ref()),
        resync: |policy| policy.resync_interval,
        spacing: |policy| policy.reload_spacing,
        settle: true,
    }
}
