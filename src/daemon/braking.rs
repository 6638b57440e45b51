//! The brake: passes look at it themselves, before they correct. Here it is watched, so that they look
//! at once when it changes, and told.

use std::collections::BTreeSet;
use std::future::pending;

use tokio::time::{Instant, sleep_until};

use super::Daemon;
use crate::brake;
use crate::report::journal::{Kind as Line, Weight, say};
use crate::ssh_client::Whose;

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
        if !brake.is_on()
            && let Err(error) = brake::tidy(&self.host)
        {
            say(Weight::Warning, Line::Notice, &error.to_string());
        }
        self.state.take_brake(brake)
    }
}
