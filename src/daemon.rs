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

use crate::host::Host;
use crate::policy::{self, Policy};
use crate::reconcile::{Problem, Resource, Severity};
use crate::report::journal;
use crate::report::status::Status;
use crate::ssh_client::{SshClient, Whose};
use crate::sshd::Sshd;
use crate::sysctl::boot::Boot;
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
    if whose == Whose::Everybodys && refuse_environment(&live::environment(&host)) {
        return Ok(BAD_ENVIRONMENT);
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    sweep::leftovers(&host, &whose);
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
fn refuse_environment(problems: &[Problem]) -> bool {
    for problem in problems {
        if problem.severity == Severity::Blocked {
            error!(keepalive_event = "refused", "{problem}");
        } else {
            warn!(keepalive_event = "notice", "{problem}");
        }
    }
    problems.iter().any(|problem| problem.severity == Severity::Blocked)
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
    /// What it wants watched, as of its last report.
    watched: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Daemon {
    host: Host,
    policy: Arc<Policy>,
    generation: u64,
    /// The generation that the service manager waits for, while it does.
    announced: Option<u64>,
    orders: watch::Sender<Orders>,
    parties: BTreeMap<&'static str, Party>,
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
        let (orders, receiver) =
            watch::channel(Orders { generation: 1, policy: Arc::clone(&policy) });
        let (sender, reports) = mpsc::channel(16);
        let policy_due = Arc::new(Due::default());
        let policy_changed = reconciler::settled(Arc::clone(&policy_due));
        let mut daemon = Self {
            host,
            policy,
            generation: 1,
            announced: Some(1),
            orders,
            parties: BTreeMap::new(),
            reports,
            policy_due,
            policy_changed,
            lost: Arc::new(Due::default()),
            watch: None,
            service: Service::default(),
            state,
        };
        daemon.watch_anew();
        if whose == Whose::Everybodys {
            daemon.spawn(Live::default(), live_kind(), &receiver, &sender);
            daemon.spawn(Boot::default(), boot_kind(), &receiver, &sender);
            daemon.spawn(Sshd::default(), sshd_kind(), &receiver, &sender);
        }
        let client = SshClient { policy: daemon.policy.path.clone(), whose };
        daemon.spawn(client, ssh_client_kind(), &receiver, &sender);
        daemon
    }

    fn spawn<R>(
        &mut self,
        resource: R,
        kind: Kind<R>,
        orders: &watch::Receiver<Orders>,
        reports: &mpsc::Sender<Seen>,
    ) where
        R: Resource + Send + Sync + 'static,
        R::Desired: Clone + Send + 'static,
    {
        let (due, busy) = (Arc::new(Due::default()), Arc::new(Busy::new()));
        let wiring = Wiring {
            due: Arc::clone(&due),
            busy: Arc::clone(&busy),
            orders: orders.clone(),
            reports: reports.clone(),
        };
        let run = reconciler::run(Arc::new(resource), self.host.clone(), kind, wiring);
        let task = tokio::spawn(run);
        self.parties.insert(R::LOCK, Party { due, busy, task, watched: BTreeSet::new() });
    }

    fn take(&mut self, seen: Seen) {
        let name = seen.name;
        let watched = seen.report.watched.clone();
        let deaf = self.state.take(seen);
        if let Some(party) = self.parties.get_mut(name) {
            party.watched = watched;
        }
        if deaf {
            // What only the rereading found should have been an event.
            self.watch_anew();
        } else {
            self.watch_party(name);
        }
        let names: Vec<&'static str> = self.parties.keys().copied().collect();
        if !self.state.complete(&names, 1) {
            return;
        }
        self.state.publish(&self.host, &self.policy, &mut self.service);
        if self.announced.is_some_and(|generation| self.state.complete(&names, generation)) {
            self.announced = None;
            self.service.ready();
        }
    }

    /// SIGHUP: the service manager waits for READY=1, whatever the file holds.
    fn reload(&mut self) {
        self.service.reloading();
        self.announced = Some(self.generation);
        match policy::load(&self.policy.path) {
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
        match policy::load(&self.policy.path) {
            Ok(policy) if policy == *self.policy => {}
            Ok(policy) => self.adopt(policy),
            Err(rejection) => self.state.tell_rejection(&self.policy.path, &rejection),
        }
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
        let names: Vec<&'static str> = self.parties.keys().copied().collect();
        for name in names {
            self.watch_party(name);
        }
    }

    fn watch_party(&mut self, name: &'static str) {
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
        desired: |policy| &policy.sysctl,
        resync: |policy| policy.live_interval,
        spacing: |_| Duration::ZERO,
        settle: false,
    }
}

fn boot_kind() -> Kind<Boot> {
    Kind {
        desired: |policy| &policy.sysctl,
        resync: |policy| policy.resync_interval,
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

fn ssh_client_kind() -> Kind<SshClient> {
    Kind {
        desired: |policy| &policy.ssh_config,
        resync: |policy| policy.resync_interval,
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

fn sshd_kind() -> Kind<Sshd> {
    Kind {
        desired: |policy| &policy.sshd_config,
        resync: |policy| policy.resync_interval,
        spacing: |policy| policy.reload_spacing,
        settle: true,
    }
}
