//! What the service manager is told. All of it does nothing where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::escape;

/// The connection to the service manager.
#[derive(Debug, Default)]
pub struct Service {
    status: String,
}

impl Service {
    /// The daemon has looked at everything once, or has taken over a new policy.
    pub fn ready(&self) {
        send(&[NotifyState::Ready]);
    }

    /// A new policy is being read. `MONOTONIC_USEC` is what `Type=notify-reload` wants with it.
    pub fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            send(&[NotifyState::Reloading, now]);
        }
    }

    /// The daemon is about to end.
    pub fn stopping(&self) {
        send(&[NotifyState::Stopping]);
    }

    /// The sentence that `systemctl status` shows; sent only when it changes.
    pub fn status(&mut self, sentence: &str) {
        if self.status != sentence {
            sentence.clone_into(&mut self.status);
            // A newline would begin another message to the service manager.
            send(&[NotifyState::Status(&escape::line(sentence))]);
        }
    }

    /// Alive.
    pub fn ping(&self) {
        send(&[NotifyState::Watchdog]);
    }

    /// How often to say so: half of `WatchdogSec=`, as sd_watchdog_enabled(3) recommends.
    #[must_use]
    pub fn ping_interval(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|limit| limit / 2)
    }
}

fn send(states: &[NotifyState<'_>]) {
    // Without a service manager there is nobody to tell, and no reason to stop.
    let _ = sd_notify::notify(states);
}
