//! The brake: passes look at it themselves, before they correct. Here it is watched, so that they look
//! at once when it changes, and told.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Daemon;
use crate::brake::unconfirmed::{self, Settled};
use crate::brake::undo::Undone;
use crate::brake::{self, Brake};
use crate::host::{Host, wait};
use crate::report::journal::{self, Kind as Line, Weight, say};
use crate::ssh_client::Whose;

/// After which time an undo that failed is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How often the process that undoes tries before it leaves it to the daemon.
const TRIES: u32 = 30;

/// How much later than the timer the daemon undoes a change that was not confirmed: should the timer
/// be gone, it does.
const GRACE: Duration = Duration::from_secs(5);

/// Between two tries of the daemon, when it is overdue.
const OVERDUE: Duration = Duration::from_secs(60);

/// Waits until then; for ever without a time. Cancel-safe.
pub(super) async fn over(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => pending().await,
    }
}

impl Daemon {
    /// From the start on, and whenever the records may have changed.
    pub(super) fn watch_brake(&mut self) {
        if self.whose != Whose::Everybodys {
            return;
        }
        let files: BTreeSet<_> = brake::files(&self.host).into_iter().collect();
        self.watches.set_brake(&files);
        self.turn_brake();
    }

    /// A record came, changed or went, or the time of a pause is over.
    pub(super) fn look_at_brake(&mut self) {
        // The state directory may have been made since, and with it a place to watch.
        let files: BTreeSet<_> = brake::files(&self.host).into_iter().collect();
        self.watches.set_brake(&files);
        if self.turn_brake() {
            self.brake_turns += 1;
            // Fails only when no reconciler is left, and then nothing is to be told.
            let _ = self.orders.send(self.orders());
            self.publish();
        }
    }

    /// Takes in what the brake is now; whether it is another one.
    fn turn_brake(&mut self) -> bool {
        let brake = brake::look(&self.host);
        // The clock that this sleeps by stands still while the machine does: looked at again then.
        self.brake_over = brake.left().map(|left| Instant::now() + left);
        if let Brake::Awaiting { left, .. } = &brake {
            let grace = if self.brake_overdue { OVERDUE } else { GRACE };
            self.brake_over = Some(Instant::now() + *left + grace);
            if left.is_zero() && self.brake_overdue {
                let host = self.host.clone();
                // Not waited for: its end shows by the records.
                drop(tokio::task::spawn_blocking(move || settle(&host)));
            }
            self.brake_overdue = left.is_zero();
        }
        if !brake.is_on()
            && let Err(error) = brake::tidy(&self.host)
        {
            say(Weight::Warning, Line::Notice, &error.to_string());
        }
        self.state.take_brake(brake)
    }
}

/// What is to be told of an undo, and whether it is done with.
fn tell(undone: &Undone) -> bool {
    let failures = undone.outcomes.iter().filter_map(|outcome| {
        let error = outcome.error.as_ref()?;
        Some(format!("could not {}: {error}", outcome.action))
    });
    let failures: Vec<String> = failures.collect();
    if !failures.is_empty() {
        let message = format!(
            "a change was not confirmed, and can't be undone yet: {}; it is tried again",
            failures.join("; ")
        );
        say(Weight::Error, Line::Unconfirmed, &message);
        return false;
    }
    let steps = match undone.steps() {
        steps if steps.is_empty() => "nothing was left of it".to_owned(),
        steps => steps,
    };
    let mut message = format!("a change was undone because it was not confirmed: {steps}");
    if !undone.kept.is_empty() {
        message.push_str(&format!("; but not {}", undone.kept.join("; ")));
    }
    message.push_str("; corrections are paused until `keepalive-policy resume`");
    say(Weight::Warning, Line::Unconfirmed, &message);
    true
}

/// Undoes a change that waits to be confirmed and whose time is over, as after a reboot. Needs no
/// policy, so that it is done before there is one.
pub fn settle_unconfirmed(host: &Host) {
    // Others than root see nothing of it, and can't do it either.
    if !host.is_live() || !brake::look(host).is_on() {
        return;
    }
    journal::init();
    settle(host);
}

/// How long until it has to be looked at again; `None` when there is nothing more to do.
fn settle(host: &Host) -> Option<Duration> {
    match unconfirmed::settle(host, false) {
        Ok(Settled::Nothing) => None,
        Ok(Settled::Waits(left)) => Some(left),
        Ok(Settled::Undone(undone)) => (!tell(&undone)).then_some(AGAIN),
        Err(error) => {
            say(Weight::Error, Line::Unconfirmed, &error.to_string());
            Some(AGAIN)
        }
    }
}

/// Waits until the time of a change is over, and undoes it unless it was confirmed. Gives the exit
/// code.
pub fn undo_unconfirmed(host: &Host) -> u8 {
    for _ in 0..TRIES {
        loop {
            match unconfirmed::settle(host, false) {
                // It may have been given more time meanwhile.
                Ok(Settled::Waits(left)) => wait::pause(left),
                Ok(Settled::Nothing) => return 0,
                Ok(Settled::Undone(undone)) if tell(&undone) => return 0,
                Ok(Settled::Undone(_)) => break,
                Err(error) => {
                    say(Weight::Error, Line::Unconfirmed, &error.to_string());
                    break;
                }
            }
        }
        wait::pause(AGAIN);
    }
    1
}
