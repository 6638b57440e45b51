//! What the service manager says of a unit: whether it runs, whether it ought to, and who ended it.

use std::fmt::{self, Display};

use super::{Kind, Service};
use crate::host::process::Process;
use crate::host::systemd::Unit;
use crate::host::wait::wait_until;
use crate::host::{Host, HostError};
use crate::reconcile::Listening;
use crate::sshd::judge::Dump;
use crate::sshd::tree::Tree;

#[cfg(test)]
mod tests;

/// What [`UnitState::of`] reads.
pub const PROPERTIES: [&str; 9] = [
    "SubState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "UnitFileState",
    "ConditionResult",
    "InactiveExitTimestampMonotonic",
    "Job",
    "NRestarts",
];

/// A start takes about 50 ms, and a load as long; on a busy machine more.
const MOMENT: std::time::Duration = std::time::Duration::from_secs(2);

/// `ExecMainCode=` of a process that a signal ended: `CLD_KILLED` of waitid(2).
const KILLED: &str = "2";

/// `ExecMainStatus=` of one that SIGHUP ended.
const HANGUP: &str = "1";

/// The state of one unit, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitState {
    /// Its name.
    pub name: String,
    /// `ActiveState=`: `active`, `activating`, `failed`.
    pub active: String,
    /// `SubState=`: `running`, `auto-restart`, `dead`.
    pub sub: String,
    /// `Result=`: `success`, `exit-code`, `start-limit-hit`.
    pub result: String,
    /// `ExecMainCode=`: how the main process ended.
    pub exit_code: String,
    /// `ExecMainStatus=`: its exit status, or the signal that ended it.
    pub exit_status: String,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// Whether a job for it is queued or under way.
    pub has_job: bool,
    /// Whether it was started since boot.
    pub was_started: bool,
    /// Whether its `Condition…=` lines let it start.
    pub may_start: bool,
    /// Whether systemd itself started it again (`Restart=`), and no other process since.
    pub restarted_itself: bool,
}

impl UnitState {
    /// Reads [`PROPERTIES`] of the unit.
    #[must_use]
    pub fn of(unit: &Unit) -> Self {
        let text = |name| unit.property(name).to_owned();
        let condition = unit.property("ConditionResult") == "yes";
        let was_started = !matches!(unit.property("InactiveExitTimestampMonotonic"), "" | "0");
        Self {
            name: unit.name.clone(),
            active: text("ActiveState"),
            sub: text("SubState"),
            result: text("Result"),
            exit_code: text("ExecMainCode"),
            exit_status: text("ExecMainStatus"),
            enabled: matches!(unit.property("UnitFileState"), "enabled" | "enabled-runtime"),
            has_job: !matches!(unit.property("Job"), "" | "0"),
            was_started,
            // Before its first start a unit has no result of its conditions: systemd shows "no".
            may_start: condition || !was_started,
            restarted_itself: !matches!(unit.property("NRestarts"), "" | "0"),
        }
    }

    /// Asks the service manager.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(host: &Host, unit: &str) -> Result<Self, HostError> {
        let units = host.units(&[unit], &PROPERTIES)?;
        Ok(units.first().map(Self::of).unwrap_or_default())
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }

    /// Whether it failed and waits for systemd to start it again (`Restart=`, `RestartSec=`).
    #[must_use]
    pub fn waits_for_restart(&self) -> bool {
        self.active == "activating" && self.sub.starts_with("auto-restart")
    }

    /// Whether it is between two states, so that another look a moment later tells more.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        let changing = matches!(self.active.as_str(), "activating" | "deactivating" | "reloading");
        changing && !self.waits_for_restart()
    }

    /// Whether a process or the administrator stopped it, or gave it up with `reset-failed`. An
    /// sshd that a SIGHUP ended before it had a handler for it has not failed for systemd either,
    /// and was not stopped.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        let stopped = match self.active.as_str() {
            // One that was stopped while it waited for its restart keeps the result of its failure;
            // systemd 254 and later pass through `dead-before-auto-restart` on the way there.
            "inactive" => self.sub == "dead",
            "deactivating" => self.result == "success",
            _ => false,
        };
        let hung_up = self.exit_code == KILLED && self.exit_status == HANGUP;
        stopped && self.was_started && !hung_up
    }

    /// Whether it ought to run: it runs, has failed, is about to be started, or would have been
    /// started at boot and was not; but not where it was stopped, or where a condition of its own
    /// keeps it from starting.
    #[must_use]
    pub fn ought_to_run(&self) -> bool {
        match self.active.as_str() {
            "inactive" if self.was_stopped() || !self.may_start => false,
            "inactive" => self.enabled || self.has_job || self.was_started,
            "deactivating" => !self.was_stopped(),
            "" => false,
            _ => true,
        }
    }
}

/// `failed (result exit-code, status 255 of sshd)`, `activating (auto-restart, …)`, `active`.
impl Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.active.is_empty() {
            return f.write_str("in an unknown state");
        }
        if self.is_active() {
            return f.write_str(&self.active);
        }
        write!(f, "{} (", self.active)?;
        if self.waits_for_restart() {
            write!(f, "{}, ", self.sub)?;
        }
        if self.name.ends_with(".socket") {
            return write!(f, "result {})", self.result);
        }
        write!(f, "result {}, status {} of sshd)", self.result, self.exit_status)
    }
}

impl Service {
    /// Whether an sshd that ought to run listens; `None` where there is none that ought to, or where
    /// no service manager tells. Waits a moment for one that is just being started or loads.
    #[must_use]
    pub fn listening(&self, host: &Host, tree: &Tree, dump: Option<&Dump>) -> Option<Listening> {
        let state = self.state.as_ref()?;
        let listens = match self.kind {
            // The service manager listens.
            Kind::SocketIdle | Kind::SocketActive | Kind::PerConnection => true,
            Kind::Plain => {
                let found = wait_until(MOMENT, || {
                    let has_socket = self.has_socket(host, tree, dump);
                    (has_socket || self.has_ended()).then_some(has_socket)
                });
                found.unwrap_or(false)
            }
            // What its main process is not can't be told from what it should be.
            Kind::NotSshd => true,
            Kind::NotRunning => false,
            Kind::NoServiceManager | Kind::NotLive => return None,
        };
        // What was asked of a process that has ended meanwhile may be of another one by now.
        if listens || !(state.is_changing() || self.has_ended()) {
            return of(state, listens);
        }
        let settled = wait_until(MOMENT, || {
            let now = UnitState::ask(host, &state.name).ok()?;
            (!now.is_changing()).then_some(now)
        });
        settled.map_or_else(|| of(state, false), |now| of(&now, now.is_active()))
    }

    /// Whether the listener has ended since it was looked at: stopped, or restarted.
    pub(super) fn has_ended(&self) -> bool {
        self.listener.as_ref().is_some_and(|listener| !listener.is_alive())
    }

    /// Whether the listener has a socket, as far as can be told: one of the ports that it is
    /// configured for, or that it was last seen to open, is open in its network namespace. Where
    /// neither is known, a process that runs counts: sshd ends where it can't listen.
    fn has_socket(&self, host: &Host, tree: &Tree, dump: Option<&Dump>) -> bool {
        let Some(listener) = self.listener.as_ref().filter(|process| process.is_alive()) else {
            return false;
        };
        let noted = self.noted_addresses(host, tree);
        let Some(noted) = noted.filter(|noted| !noted.is_empty()) else { return true };
        let mut ports = dump.map(super::listener::ports).unwrap_or_default();
        ports.extend(noted.iter().map(std::net::SocketAddr::port));
        has_port(listener, |port| ports.contains(&port))
    }
}

fn has_port(listener: &Process, is_meant: impl Fn(u16) -> bool) -> bool {
    listener.listening().iter().any(|socket| is_meant(socket.port))
}

fn of(state: &UnitState, listens: bool) -> Option<Listening> {
    (listens || state.ought_to_run()).then(|| Listening {
        unit: state.name.clone(),
        listens,
        state: state.to_string(),
    })
}
