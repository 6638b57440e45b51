//! The daemon: triggers, reconcilers, reports. The only asynchronous code; all that decides and all
//! that touches the host is called from here and knows nothing of it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::host::Host;
use crate::host::lock::{DAEMON, WriteLock};
use crate::policy::Policy;
use crate::reconcile::{Mode, Resource};
use crate::report::journal::{self, Kind as Line, Weight, say};
use crate::report::status::{Status, monotonic};
use crate::ssh_client::{SshClient, Whose};
use crate::sysctl::boot::Boot;
use crate::sysctl::live::Live;

mod braking;
mod kinds;
pub mod metrics_file;
pub mod pace;
mod policy_change;
pub mod reconciler;
mod reconcilers;
pub mod rival;
pub mod service;
pub mod state;
pub mod sweep;
pub mod threads;
pub mod trigger;
pub mod watches;
pub mod watching;
pub mod witness;

pub use braking::{settle_unconfirmed, undo_unconfirmed};
use policy_change::Announced;
use reconciler::{Due, Orders, Seen};
use reconcilers::Reconciler;
use service::Service;
use state::State;
use trigger::Trigger;
use watches::Watches;
use watching::{Heard, Hearing, Names};
use witness::Witness;

/// A pass that takes longer is stuck: the longest that is not is one `systemctl reload` on a
/// loaded machine, after which sshd is given time to come back.
const STUCK: Duration = Duration::from_secs(180);

/// How long a running pass may go on after SIGTERM; the unit's `TimeoutStopSec=` is longer.
const LAST_PASS: Duration = Duration::from_secs(75);

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
    threads::wait_for_all();
    match result {
        Ok(code) => code,
        Err(error) => {
            say(Weight::Error, Line::Stop, &format!("cannot run: {error}"));
            1
        }
    }
}

async fn serve(host: Host, policy: Policy, whose: Whose) -> std::io::Result<u8> {
    let misplaced = policy_change::misplaced(&host, &policy, &whose);
    for problem in &misplaced {
        say(Weight::Error, Line::Refused, &problem.to_string());
    }
    if !misplaced.is_empty() {
        return Ok(BAD_ENVIRONMENT);
    }
    let _lock = match only_one(&host, policy.mode) {
        Ok(lock) => lock,
        Err(message) => {
            say(Weight::Error, Line::Stop, &message);
            return Ok(1);
        }
    };
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
        let brake_over = daemon.brake_over;
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => daemon.reload(),
            heard = daemon.watches.heard() => daemon.take_in(heard),
            Some(seen) = daemon.reports.recv() => daemon.take(seen),
            Some(()) = daemon.policy_changed.recv() => daemon.reload_if_changed(),
            () = braking::over(brake_over) => daemon.look_at_brake(),
            () = tick(&mut ping) => daemon.ping(),
        }
    }
    daemon.stop().await;
    Ok(0)
}

/// The lock that says that we run, or that another daemon runs: two would write the same files and
/// the same status, which the first to end removes.
fn only_one(host: &Host, mode: Mode) -> Result<Option<WriteLock>, String> {
    let lock = match mode {
        Mode::Enforce => host.try_lock(DAEMON),
        // Not even a lock is made then, and two that only report do no harm.
        Mode::Audit | Mode::Paused => Ok(None),
    };
    let lock = lock.unwrap_or_else(|error| {
        let message = format!("{error}; whether another daemon runs is told by its status alone");
        say(Weight::Warning, Line::Notice, &message);
        None
    });
    let other = Status::read(host).ok().flatten().map(|other| other.pid);
    if other.is_some() || lock.is_none() && host.daemon_runs() == Some(true) {
        let process = other.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        return Err(format!("the daemon runs already{process}: this one ends"));
    }
    Ok(lock)
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => pending().await,
    }
}

#[derive(Debug)]
struct Daemon {
    host: Host,
    whose: Whose,
    policy: Arc<Policy>,
    generation: u64,
    announced: Option<Announced>,
    orders: watch::Sender<Orders>,
    reconcilers: BTreeMap<String, Reconciler>,
    reports: mpsc::Receiver<Seen>,
    reporting: mpsc::Sender<Seen>,
    policy_due: Arc<Due>,
    policy_changed: mpsc::Receiver<()>,
    watches: Watches,
    witness: Option<Witness>,
    service: Service,
    state: State,
    /// How often a pause has begun or ended.
    brake_turns: u64,
    /// When the pause is over, unless it is ended before.
    brake_over: Option<Instant>,
    /// Whether a change should have been confirmed or undone when it was looked at last.
    brake_overdue: bool,
}

impl Daemon {
    fn start(host: Host, policy: Policy, whose: Whose) -> Self {
        let mut state = State::default();
        state.tell_policy(&policy);
        let policy = Arc::new(policy);
        let (orders, _) =
            watch::channel(Orders { generation: 1, policy: Arc::clone(&policy), brake: 0 });
        let (reporting, reports) = mpsc::channel(16);
        let policy_due = Arc::new(Due::default());
        let policy_changed = reconciler::settled(Arc::clone(&policy_due));
        let mut daemon = Self {
            watches: Watches::new(&host),
            host,
            whose,
            policy,
            generation: 1,
            announced: Some(Announced { generation: 1, read: monotonic(), awaited: true }),
            orders,
            reconcilers: BTreeMap::new(),
            reports,
            reporting,
            policy_due,
            policy_changed,
            witness: None,
            service: Service::default(),
            state,
            brake_turns: 0,
            brake_over: None,
            brake_overdue: false,
        };
        daemon.watch_brake();
        daemon.watch_policy();
        daemon.call_witness();
        daemon.spawn_all();
        daemon
    }

    /// Something happened to what these watch, or they hear better or worse from now on.
    fn take_in(&mut self, heard: Heard) {
        if let Some(Hearing { parties, deaf, troubles }) = heard.hearing {
            self.state.tell_unwatched(troubles);
            self.deafen(&parties, &deaf);
        }
        self.hear(&heard.names);
    }

    fn hear(&mut self, names: &Names) {
        for name in names {
            match self.reconcilers.get(&**name) {
                Some(reconciler) => reconciler.due.mark(),
                None if &**name == watches::BRAKE => self.look_at_brake(),
                None => self.policy_due.mark(),
            }
        }
    }

    fn take(&mut self, mut seen: Seen) {
        let watched = std::mem::take(&mut seen.report.watched);
        let blind = watched.is_empty() && seen.report.blocked();
        let name = seen.name.clone();
        let done_with = self.is_done_with(&seen);
        let rereads_files = [Boot::LOCK, SshClient::LOCK].contains(&name.as_str());
        if rereads_files && seen.trigger == Trigger::Resync {
            // The policy's own files are no better heard than others.
            self.policy_due.mark();
        }
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
        // What could not be looked at says nothing of where to listen.
        if !blind {
            self.watches.set(&name, &watched);
        }
        if let (Some(witness), false) = (&self.witness, name == Live::LOCK) {
            self.watches.places().for_each(|place| witness.observe(place));
        }
        if rereads_files {
            self.watch_policy();
        }
        self.publish();
    }

    /// Tells the world, once everything has been looked at.
    fn publish(&mut self) {
        let names: Vec<String> = self.reconcilers.keys().cloned().collect();
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

    /// Says that we are alive, unless a pass is stuck: then the service manager shall restart us.
    fn ping(&self) {
        let stuck = self.reconcilers.values().any(|reconciler| {
            reconciler.task.is_finished()
                || reconciler.busy.elapsed().is_some_and(|since| since > STUCK)
        });
        if !stuck {
            self.service.ping();
        }
    }

    /// Lets running passes end, so that nothing is left half-done.
    async fn stop(self) {
        let Self { host, orders, reconcilers, mut reports, service, mut state, .. } = self;
        service.stopping();
        drop(orders);
        reports.close();
        for (name, reconciler) in reconcilers {
            if timeout(LAST_PASS, reconciler.task).await.is_err() {
                let message = format!("{name}: the last pass did not end in time");
                say(Weight::Warning, Line::Stop, &message);
            }
        }
        state.withdraw(&host).await;
        say(Weight::Info, Line::Stop, "stopped; what is in force stays as it is");
    }
}
