//! The daemon: triggers, reconcilers, reports. The only asynchronous code; all that decides and all
//! that touches the host is called from here and knows nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::governed;
use crate::host::Host;
use crate::policy::{self, Policy};
use crate::reconcile::{Problem, Resource, Severity};
use crate::report::journal::{self, Kind as Line, Weight, say};
use crate::report::status::monotonic;
use crate::ssh_client::{SshClient, Whose};
use crate::sshd::Sshd;
use crate::sshd::instance::Instance;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::named::Named;
use crate::sysctl::live::{self, Live};

pub mod ears;
mod kinds;
pub mod pace;
pub mod reconciler;
pub mod rival;
pub mod scribe;
pub mod service;
pub mod state;
pub mod sweep;
pub mod trigger;
pub mod watching;
pub mod witness;

use ears::Ears;
use reconciler::{Busy, Due, Kind, Orders, Seen, Wiring};
use service::Service;
use state::State;
use watching::{Armed, Names};
use witness::Witness;

/// A pass that takes longer is stuck: the longest that is not is one `systemctl reload` on a
/// loaded machine, after which sshd is given time to come back.
const STUCK: Duration = Duration::from_secs(180);

/// How long a running pass may go on after SIGTERM; the unit's `TimeoutStopSec=` is longer.
const LAST_PASS: Duration = Duration::from_secs(75);

/// A thread that has nothing to do ends after this time: passes come in twos and threes, and then for
/// a long time none.
const IDLE_THREAD: Duration = Duration::from_secs(1);

/// `EX_CONFIG`: the unit says `RestartPreventExitStatus=78`, since a restart would not help.
const BAD_ENVIRONMENT: u8 = 78;

/// Runs until SIGTERM or SIGINT, for the host or for one user's own client. Gives the exit code.
#[must_use]
pub fn run(host: Host, policy: Policy, whose: Whose) -> u8 {
    journal::init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(IDLE_THREAD)
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(serve(host, policy, whose)),
        Err(error) => Err(error),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(Weight::Error, Line::Stop, &format!("cannot run: {error}"));
            1
        }
    }
}

async fn serve(host: Host, policy: Policy, whose: Whose) -> std::io::Result<u8> {
    let misplaced = misplaced(&host, &policy, &whose);
    for problem in &misplaced {
        say(Weight::Error, Line::Refused, &problem.to_string());
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
            names = daemon.ears.heard() => daemon.hear(&names),
            Some(seen) = daemon.reports.recv() => daemon.take(seen),
            Some(()) = daemon.policy_changed.recv() => daemon.reload_if_changed(),
            () = tick(&mut ping) => daemon.ping(),
        }
    }
    daemon.stop().await;
    Ok(0)
}

/// A sandbox in which the daemon would write to another kernel's values than the host's, or not
/// hear of them, is not run in: it would report success. A user's own daemon sets none of them.
fn misplaced(host: &Host, policy: &Policy, whose: &Whose) -> Vec<Problem> {
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
}

/// A policy on its way to be in force everywhere.
#[derive(Debug)]
struct Announced {
    generation: u64,
    /// When it was read, in microseconds of the monotonic clock.
    read: u64,
    /// Whether the service manager waits to be told.
    awaited: bool,
}

#[derive(Debug)]
struct Daemon {
    host: Host,
    whose: Whose,
    policy: Arc<Policy>,
    generation: u64,
    announced: Option<Announced>,
    orders: watch::Sender<Orders>,
    parties: BTreeMap<String, Party>,
    reports: mpsc::Receiver<Seen>,
    reporting: mpsc::Sender<Seen>,
    policy_due: Arc<Due>,
    policy_changed: mpsc::Receiver<()>,
    ears: Ears,
    witness: Option<Witness>,
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
            ears: Ears::new(&host),
            host,
            whose,
            policy,
            generation: 1,
            announced: Some(Announced { generation: 1, read: monotonic(), awaited: true }),
            orders,
            parties: BTreeMap::new(),
            reports,
            reporting,
            policy_due,
            policy_changed,
            witness: None,
            service: Service::default(),
            state,
        };
        daemon.watch_policy();
        daemon.call_witness();
        if daemon.whose == Whose::Everybodys {
            daemon.spawn(Live::LOCK, None, Live::default(), kinds::live());
            daemon.spawn(Named::LOCK, None, Named::default(), kinds::named());
            daemon.spawn(Boot::LOCK, None, Boot::default(), kinds::boot());
            daemon.spawn(Sshd::LOCK, None, Sshd::default(), kinds::sshd());
        }
        let whose = daemon.whose.clone();
        let client = SshClient { policy: daemon.policy.path.clone(), whose };
        daemon.spawn(SshClient::LOCK, None, client, kinds::ssh_client());
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
            let message = format!(
                "{error}; instances of sshd that the policy no longer names are not put back"
            );
            say(Weight::Warning, Line::Notice, &message);
            self.policy.sshd_instances.iter().cloned().collect()
        });
        for instance in instances {
            let name = format!("{} {}", Sshd::LOCK, instance.file.display());
            if !self.parties.contains_key(&name) {
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
        let wiring = Wiring {
            name: name.to_owned(),
            due: Arc::clone(&due),
            busy: Arc::clone(&busy),
            orders: self.orders.subscribe(),
            reports: self.reporting.clone(),
        };
        let run = reconciler::run(Arc::new(resource), self.host.clone(), kind, wiring);
        let task = tokio::spawn(run);
        self.parties.insert(name.to_owned(), Party { due, busy, task, instance });
    }

    /// Something happened to what these watch.
    fn hear(&self, names: &Names) {
        for name in names {
            match self.parties.get(&**name) {
                Some(party) => party.due.mark(),
                None => self.policy_due.mark(),
            }
        }
    }

    fn take(&mut self, mut seen: Seen) {
        let watched = std::mem::take(&mut seen.report.watched);
        let name = seen.name.clone();
        let done_with = self.is_done_with(&seen);
        let lines = self.state.take(&self.host, seen);
        match &self.witness {
            Some(witness) => witness.tell(lines),
            None => lines.log(),
        }
        if done_with {
            self.retire(&name);
            self.publish();
            return;
        }
        let armed = self.ears.set(&name, &watched);
        if let (Some(witness), false) = (&self.witness, name == Live::LOCK) {
            self.ears.places().for_each(|place| witness.observe(place));
        }
        self.armed(armed);
        if [Boot::LOCK, SshClient::LOCK].contains(&name.as_str()) {
            self.watch_policy();
        }
        self.publish();
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
        self.ears.forget(name);
        self.state.forget(name);
    }

    fn armed(&mut self, armed: Armed) {
        self.state.tell_unwatched(armed.troubles, self.policy.resync_interval);
        self.hear(&armed.more);
    }

    /// Tells the world, once everything has been looked at.
    fn publish(&mut self) {
        let names: Vec<String> = self.parties.keys().cloned().collect();
        if !self.state.complete(&names, 1) {
            return;
        }
        if let Some(announced) = &self.announced
            && self.state.complete(&names, announced.generation)
        {
            self.state.in_force_since(announced.read);
            if announced.awaited {
                // Before the status file: whoever waits for that finds the unit active.
                self.service.ready();
            }
            self.announced = None;
        }
        self.state.publish(&self.host, &self.policy, &mut self.service);
    }

    /// SIGHUP: the service manager waits for READY=1, whatever the file holds.
    fn reload(&mut self) {
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
    fn reload_if_changed(&mut self) {
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
        let _ = self
            .orders
            .send(Orders { generation: self.generation, policy: Arc::clone(&self.policy) });
        self.spawn_instances();
    }

    /// The files of the policy, also those that may come.
    fn watch_policy(&mut self) {
        let main = self.policy.path.clone();
        let files = BTreeSet::from([policy::fragment::directory(&main), main]);
        let armed = self.ears.set_policy(&files);
        self.armed(armed);
    }

    fn call_witness(&mut self) {
        self.witness = None;
        if !self.policy.witness {
            return;
        }
        match Witness::start() {
            Ok(witness) => self.witness = Some(witness),
            Err(error) => self.state.tell_no_witness(&error),
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
        let Self { host, orders, parties, mut reports, service, mut state, .. } = self;
        service.stopping();
        drop(orders);
        reports.close();
        for (name, party) in parties {
            if timeout(LAST_PASS, party.task).await.is_err() {
                let message = format!("{name}: the last pass did not end in time");
                say(Weight::Warning, Line::Stop, &message);
            }
        }
        state.withdraw(&host).await;
        say(Weight::Info, Line::Stop, "stopped; what is in force stays as it is");
    }
}
