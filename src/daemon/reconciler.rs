//! One task a resource: wait until there is a reason, make a pass, report.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep_until, timeout};

use super::pace::{Name, Pace, Pass};
use super::threads;
use super::trigger::Trigger;
use crate::brake;
use crate::host::Host;
use crate::policy::Policy;
use crate::reconcile::{Mode, Plan, Report, Resource, Setting, reconcile_if};

/// A writer that is not done yet writes again within this time; then the file is read.
const SETTLED: Duration = Duration::from_millis(50);

/// But a file that never settles is read all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often at least a resource is looked at whose changes can't be watched.
pub const POLL: Duration = Duration::from_secs(10);

/// Which policy is in force, counted so that a report says which one it is about.
#[derive(Debug, Clone)]
pub struct Orders {
    /// Grows by one with each policy.
    pub generation: u64,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Grows by one each time that a pause begins or ends.
    pub brake: u64,
}

/// A report on its way to the daemon.
#[derive(Debug)]
pub struct Seen {
    /// The reconciler's name.
    pub name: String,
    /// What woke it.
    pub trigger: Trigger,
    /// Of the policy that was applied.
    pub generation: u64,
    /// Whether it was enforced.
    pub mode: Mode,
    /// What it saw and did.
    pub report: Report,
    /// The settings that somebody else keeps changing.
    pub contested: BTreeSet<Name>,
}

/// Marks a resource as due. Any number of marks make one pass.
#[derive(Debug, Default)]
pub struct Due {
    notify: Notify,
}

impl Due {
    /// Something happened that may concern the resource.
    pub fn mark(&self) {
        self.notify.notify_one();
    }

    /// Waits for a mark. Cancel-safe: a mark that nobody took stays.
    pub async fn marked(&self) {
        self.notify.notified().await;
    }
}

/// A channel that says when `due` was marked and has been quiet since.
#[must_use]
pub fn settled(due: Arc<Due>) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            due.marked().await;
            settle(&due).await;
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// Since when a pass has been running, in milliseconds since the daemon's start plus one; 0 when
/// none is.
#[derive(Debug)]
pub struct Busy {
    epoch: Instant,
    since: AtomicU64,
}

impl Busy {
    /// Idle.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: Instant::now(), since: AtomicU64::new(0) }
    }

    /// For how long the running pass has been running.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.epoch.elapsed().saturating_sub(Duration::from_millis(since)))
    }

    fn begin(&self) {
        let since = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.since.store(since.saturating_add(1), Ordering::Relaxed);
    }

    fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }
}

impl Default for Busy {
    fn default() -> Self {
        Self::new()
    }
}

/// How a resource is governed: what differs between kernel values, sysctl.d and sshd.
#[derive(Debug)]
pub struct Kind<R: Resource> {
    /// Its part of the policy.
    pub desired: fn(&R, &Policy) -> R::Desired,
    /// How often it is looked at although nothing happened.
    pub resync: fn(&Policy) -> Duration,
    /// The least time between a correction and the next pass.
    pub spacing: fn(&Policy) -> Duration,
    /// How passes are made.
    pub manner: Manner,
}

/// How passes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Right away, on the thread that heard of it: a kernel value is never half-written, and reading
    /// or writing one takes less than waking another thread.
    AtOnce,
    /// When the writer has finished, and on a thread of its own: sshd and systemctl take their time,
    /// and signals, the watchdog and the kernel's values don't wait.
    Settled,
}

/// What a reconciler shares with the daemon.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// By which its reports are told from those of others: [`Resource::LOCK`]; for an instance of
    /// sshd with its main file.
    pub name: String,
    /// Marked by the watcher.
    pub due: Arc<Due>,
    /// Read by the watchdog.
    pub busy: Arc<Busy>,
    /// Whether events don't tell of everything: then it is looked at more often.
    pub deaf: Arc<AtomicBool>,
    /// The policy in force; closed when the daemon stops.
    pub orders: watch::Receiver<Orders>,
    /// Where reports go.
    pub reports: mpsc::Sender<Seen>,
}

/// Runs until the daemon stops, that is until the orders end or nobody takes reports. Never stops
/// in the middle of a pass.
pub async fn run<R>(resource: Arc<R>, host: Host, kind: Kind<R>, mut wiring: Wiring)
where
    R: Resource + Send + Sync + 'static,
    R::Desired: Send + 'static,
{
    let mut trigger = Trigger::Start;
    let mut pace = Pace::default();
    loop {
        let orders = wiring.orders.borrow_and_update().clone();
        if trigger == Trigger::Policy {
            // What was declared anew is not what was quarrelled over.
            pace = Pace::default();
        }
        pace.set_spacing((kind.spacing)(&orders.policy));
        wiring.busy.begin();
        let passed = pass(Arc::clone(&resource), host.clone(), &kind, &orders.policy, pace).await;
        wiring.busy.end();
        // The task of a pass ends without a report only when the runtime is being torn down.
        let Some((report, mode, after)) = passed else { return };
        pace = after;
        let (generation, contested) = (orders.generation, pace.contested());
        let name = wiring.name.clone();
        let seen = Seen { name, trigger, generation, mode, report, contested };
        if wiring.reports.send(seen).await.is_err() {
            return;
        }
        match next(&kind, &orders, &pace, &mut wiring).await {
            Some(reason) => trigger = reason,
            None => return,
        }
    }
}

async fn pass<R>(
    resource: Arc<R>,
    host: Host,
    kind: &Kind<R>,
    policy: &Policy,
    pace: Pace,
) -> Option<(Report, Mode, Pace)>
where
    R: Resource + Send + Sync + 'static,
    R::Desired: Send + 'static,
{
    let (desired, mode) = ((kind.desired)(&resource, policy), policy.mode);
    let pass = move || {
        let mut pace = pace;
        let mut held = false;
        let is_paused = || brake::look(&host).is_on();
        let mode = if mode == Mode::Enforce && is_paused() { Mode::Paused } else { mode };
        let may = |found: &[Setting]| {
            held = !pace.may_correct(Instant::now(), &drifted(found));
            !held
        };
        // Under the lock once more: who sets the brake waits for the locks, and then nothing is
        // corrected any more.
        let last_word = |_: &Plan<R::Change>| Ok(mode == Mode::Paused || !is_paused());
        let report = reconcile_if(&*resource, &host, &desired, mode, may, last_word);
        let became = became(&report, mode, held);
        pace.record(Instant::now(), report.took, became, &drifted(&report.found));
        (report, mode, pace)
    };
    match kind.manner {
        Manner::AtOnce => Some(pass()),
        Manner::Settled => threads::beside(pass).await,
    }
}

fn drifted(rows: &[Setting]) -> BTreeSet<Name> {
    rows.iter().filter(|row| !row.compliant).map(|row| row.name).collect()
}

fn became(report: &Report, mode: Mode, held: bool) -> Pass {
    if mode == Mode::Audit {
        Pass::Quiet
    } else if mode == Mode::Paused && report.outcomes.is_empty() {
        // What is wrong stays so without anything being tried.
        Pass::Quiet
    } else if held {
        Pass::Held
    } else if report.outcomes.iter().any(|outcome| outcome.failed() && !outcome.put_off) {
        Pass::Failed
    } else if report.outcomes.is_empty() {
        Pass::Quiet
    } else if report.pending.is_empty() {
        Pass::Corrected
    } else {
        Pass::Undone
    }
}

/// Waits for the next reason; `None` when the daemon stops.
async fn next<R: Resource>(
    kind: &Kind<R>,
    orders: &Orders,
    pace: &Pace,
    wiring: &mut Wiring,
) -> Option<Trigger> {
    let mut every = (kind.resync)(&orders.policy);
    if wiring.deaf.load(Ordering::Relaxed) {
        every = every.min(POLL);
    }
    let resync = Instant::now() + every;
    let (until, reason) = match pace.retry_at() {
        Some(retry) if retry < resync => (retry, Trigger::Retry),
        _ => (resync, Trigger::Resync),
    };
    // Cancel-safe: a mark or a policy that comes while another branch wins stays marked.
    let reason = tokio::select! {
        changed = wiring.orders.changed() => {
            changed.ok()?;
            return Some(ordered(orders, &wiring.orders));
        }
        () = wiring.due.marked() => {
            if kind.manner == Manner::Settled {
                settle(&wiring.due).await;
            }
            Trigger::Event
        }
        () = sleep_until(until.into()) => reason,
    };
    if let Some(then) = pace.not_before() {
        tokio::select! {
            changed = wiring.orders.changed() => {
                changed.ok()?;
                return Some(ordered(orders, &wiring.orders));
            }
            () = sleep_until(then.into()) => {}
        }
    }
    Some(reason)
}

/// What the new orders are about.
fn ordered(before: &Orders, now: &watch::Receiver<Orders>) -> Trigger {
    match now.borrow().generation == before.generation {
        true => Trigger::Brake,
        false => Trigger::Policy,
    }
}

async fn settle(due: &Due) {
    let cap = Instant::now() + PATIENCE;
    while Instant::now() < cap && timeout(SETTLED, due.marked()).await.is_ok() {}
}
