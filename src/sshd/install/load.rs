//! Making a running sshd take up the configuration, and looking whether it survived that.

use std::path::PathBuf;
use std::time::Duration;

use super::banner::{self, Banner};
use super::restarts;
use super::restless::Marks;
use crate::host::process::Process;
use crate::host::wait::wait_until;
use crate::host::{Host, HostError};
use crate::reconcile::Outcome;
use crate::sshd::judge::Dump;
use crate::sshd::lost;
use crate::sshd::service::Service;
use crate::sshd::service::listener::{self, Traces};
use crate::sshd::service::state::{self, UnitState};
use crate::sshd::service::way::Way;
use crate::sshd::tree::Tree;

/// sshd is back 50 ms after a reload; under load it waits for connections that are just being set
/// up, and for the machine.
const RELOAD_LIMIT: Duration = Duration::from_secs(10);

/// systemd 253 and later wait until sshd says that it is ready; before, until `sshd -t` and `kill`
/// are done.
const JOB_LIMIT: Duration = Duration::from_secs(20);

/// Where nothing shows that a load is done, an sshd that still runs after this long is taken to have
/// survived it: one that can't use its configuration or port gives up within milliseconds.
const SETTLED: Duration = Duration::from_secs(2);

/// How long a restart by another process is waited for, before a lost sshd is started.
const MOMENT: Duration = Duration::from_secs(2);

/// How sshd is after a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It runs with the new configuration, or none had to be loaded.
    Good,
    /// Nothing shows that it took up the new configuration, and nothing is to be taken back: it runs,
    /// or somebody stopped it.
    Unconfirmed,
    /// It runs with the old configuration: the service manager refused.
    Unchanged,
    /// It is gone, or no longer listens.
    Lost,
}

/// One load of the configuration on disk.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// This machine.
    pub host: &'a Host,
    /// How sshd runs.
    pub service: &'a Service,
    /// The configuration on disk.
    pub tree: &'a Tree,
    /// What sshd says about it.
    pub dump: &'a Dump,
    /// The files as they were when sshd was asked.
    pub marks: &'a Marks,
}

/// A load that went well.
#[derive(Debug)]
pub struct Loaded {
    /// The listener that has the new configuration.
    pub listener: Process,
    /// What it said when it was spoken to.
    pub banner: Banner,
}

/// Why a load failed, and how sshd is now.
#[derive(Debug)]
pub struct Failure {
    /// How sshd is now.
    pub health: Health,
    /// Why.
    pub reason: String,
}

impl Failure {
    fn lost(reason: impl Into<String>) -> Self {
        Self { health: Health::Lost, reason: reason.into() }
    }
}

impl Load<'_> {
    /// Loads and verifies, in the way that fits the service.
    pub fn run(&self, outcomes: &mut Vec<Outcome>) -> Health {
        let Some(action) = self.service.way().action() else { return Health::Good };
        let mut health = Health::Good;
        let mut banner = None;
        // Written before sshd can be lost: the daemon may be killed before it sees that.
        let noted = lost::note(self.host, self.service, &format!("{action} was under way"));
        if let Ok(Some(kept)) = noted {
            outcomes.push(Outcome::of_look(kept.to_string(), || Ok::<_, HostError>(())));
        }
        outcomes.push(Outcome::of(action, || {
            let loaded = self.load().map_err(|failure| {
                health = failure.health;
                failure.reason
            })?;
            if let Some(path) = self.changed() {
                health = Health::Unconfirmed;
                return Err(format!(
                    "another process changed {} at that moment, so that what sshd has loaded can't \
                     be told; it is judged and loaded again",
                    path.display()
                ));
            }
            self.service.note_load(self.host, &loaded.listener, self.tree, Some(self.dump));
            banner = Some(loaded.banner);
            Ok::<_, String>(())
        }));
        if health == Health::Lost && self.was_stopped() {
            health = Health::Unconfirmed;
        }
        if matches!(health, Health::Good | Health::Unchanged) {
            // What can't be removed now is removed by the next look: sshd listens.
            let _ = lost::forget(self.host, self.service);
        }
        if let Some(banner) = banner {
            outcomes.push(Outcome {
                action: banner.to_string(),
                error: None,
                micros: 0,
                changed: false,
                put_off: false,
            });
        }
        health
    }

    /// What another process has changed since sshd was asked.
    pub fn changed(&self) -> Option<PathBuf> {
        Marks::of(self.host, self.tree).changed_since(self.marks)
    }

    fn load(&self) -> Result<Loaded, Failure> {
        let listener = self.service.listener.as_ref();
        if let Some(path) = self.changed() {
            let reason = format!(
                "another process changed {} a moment ago; it is judged and loaded again",
                path.display()
            );
            return Err(Failure { health: Health::Unconfirmed, reason });
        }
        match (self.service.way(), listener) {
            (Way::Reload(unit), Some(listener)) => {
                self.reload(listener, || self.host.unit_job_within("reload", &unit, JOB_LIMIT))
            }
            (Way::HangUp, Some(listener)) => self.reload(listener, || listener.hang_up()),
            (Way::Restart(unit), Some(listener)) => self.restart(&unit, listener),
            (_, _) => Err(Failure {
                health: Health::Unconfirmed,
                reason: "its process was not found".to_owned(),
            }),
        }
    }

    fn reload(
        &self,
        listener: &Process,
        send: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<Loaded, Failure> {
        let before = self.traces(listener);
        if !listener.is_alive() {
            // Stopped or started anew by somebody, since it was looked at: nothing that we did.
            let reason = format!("sshd (process {}) ended before that", listener.pid);
            return Err(Failure { health: Health::Unconfirmed, reason });
        }
        if let Err(error) = send() {
            let deaf = before.any() && !self.traces(listener).any();
            let lost = deaf || !listener.is_alive();
            let health = match error.source.kind() {
                _ if lost => Health::Lost,
                // The job goes on without us, and sshd will load what is there by then.
                std::io::ErrorKind::TimedOut => Health::Unconfirmed,
                _ => Health::Unchanged,
            };
            return Err(Failure { health, reason: self.with_state(&error.to_string()) });
        }
        let loaded =
            self.wait_for_load(listener, &before).and_then(|()| self.verify(listener.clone()));
        match (loaded, self.service.unit.as_deref()) {
            (Err(Failure { health: Health::Lost, .. }), Some(unit))
                if self.was_restarted(unit, listener) =>
            {
                let new = self.await_start(unit)?;
                self.verify(new)
            }
            (loaded, _) => loaded,
        }
    }

    /// Whether another process restarted sshd meanwhile, as an upgrade does. It has the files on disk
    /// then as well, and did not die of the load.
    fn was_restarted(&self, unit: &str, old: &Process) -> bool {
        let state = wait_until(MOMENT, || {
            let state = UnitState::ask(self.host, unit).ok()?;
            let is_changing = state.is_changing() || state.has_job && !state.waits_for_restart();
            (!is_changing).then_some(state)
        });
        let by_others = |state: UnitState| {
            state.is_active() && state.result == "success" && !state.restarted_itself
        };
        !old.is_alive() && state.is_some_and(by_others)
    }

    fn wait_for_load(&self, listener: &Process, before: &Traces) -> Result<(), Failure> {
        let limit = if before.any() { RELOAD_LIMIT } else { SETTLED };
        let loaded = wait_until(limit, || {
            if !listener.is_alive() {
                return Some(Err(Failure::lost(format!(
                    "sshd (process {}) died of the reload",
                    listener.pid
                ))));
            }
            self.traces(listener).renewed_since(before).then_some(Ok(()))
        });
        match loaded {
            Some(result) => result,
            None if !before.any() => Ok(()),
            None if !self.traces(listener).any() => {
                Err(Failure::lost(format!("sshd (process {}) no longer listens", listener.pid)))
            }
            None => Err(Failure {
                health: Health::Unconfirmed,
                reason: format!(
                    "sshd (process {}) runs, but did not load its configuration within {} s",
                    listener.pid,
                    limit.as_secs()
                ),
            }),
        }
    }

    fn restart(&self, unit: &str, old: &Process) -> Result<Loaded, Failure> {
        restarts::begin(self.host, unit)
            .map_err(|reason| Failure { health: Health::Unconfirmed, reason })?;
        self.host
            .unit_job("try-restart", unit)
            .map_err(|error| Failure::lost(self.with_state(&error.to_string())))?;
        let new = self.await_start(unit)?;
        if new.pid == old.pid && new.started == old.started {
            return Err(Failure::lost(format!("{unit} still has the process {}", old.pid)));
        }
        self.verify(new)
    }

    /// The unit's new listener, once it listens.
    pub fn await_start(&self, unit: &str) -> Result<Process, Failure> {
        let started = wait_until(RELOAD_LIMIT, || {
            let found = self.host.units(&[unit], &state::PROPERTIES).ok()?.into_iter().next()?;
            let state = UnitState::of(&found);
            if state.active == "failed" || state.waits_for_restart() {
                return Some(None);
            }
            let process = found.main_pid().and_then(Process::find)?;
            (found.is_active() && listener::is_sshd(&process)).then_some(Some(process))
        });
        let Some(process) = started.flatten() else {
            return Err(Failure::lost(format!("{unit} did not start: {}", self.state(unit))));
        };
        // A unit that does not tell systemd when it is ready counts as active from the first
        // instant; what sshd leaves once it listens is its pid file.
        wait_until(SETTLED, || {
            let ready = !process.is_alive() || self.traces(&process).has_pid_file();
            ready.then_some(())
        });
        if process.is_alive() {
            return Ok(process);
        }
        Err(Failure::lost(format!("{unit} started, then ended: {}", self.state(unit))))
    }

    /// That the unit agrees, and that the listener answers.
    pub fn verify(&self, listener: Process) -> Result<Loaded, Failure> {
        if let Some(unit) = &self.service.unit {
            let found = self.host.units(&[unit], &[]).map_err(|error| Failure {
                health: Health::Unconfirmed,
                reason: error.to_string(),
            })?;
            let found = found.into_iter().next().unwrap_or_default();
            if !found.is_active() || found.main_pid() != Some(listener.pid) {
                return Err(Failure::lost(format!("{unit} is {}", self.state(unit))));
            }
        }
        self.wait_for_socket(&listener)?;
        if !listener::shares_network(&listener) {
            let reason = "no connection was made, since its network is not ours".to_owned();
            return Ok(Loaded { listener, banner: Banner::NotTried(reason) });
        }
        match banner::check(self.dump) {
            refused @ Banner::Refused(_) => Err(Failure::lost(refused.to_string())),
            // What could not be checked is no failure: its socket has shown that it listens.
            banner => Ok(Loaded { listener, banner }),
        }
    }

    /// A listening socket on one of its ports: sshd ends where it can get none.
    fn wait_for_socket(&self, listener: &Process) -> Result<(), Failure> {
        let ports = listener::ports(self.dump);
        let listens = wait_until(SETTLED, || {
            let open = listener.listening();
            let found = open.iter().any(|socket| ports.contains(&socket.port));
            (found || ports.is_empty()).then_some(())
        });
        listens.ok_or_else(|| {
            let pid = listener.pid;
            Failure::lost(format!("sshd (process {pid}) listens on none of its ports"))
        })
    }

    /// Whether sshd does not run because it was stopped while it was being loaded: that is not undone.
    fn was_stopped(&self) -> bool {
        let unit = self.service.unit.as_deref();
        let state = unit.and_then(|unit| UnitState::ask(self.host, unit).ok());
        state.is_some_and(|state| state.was_stopped())
    }

    fn traces(&self, listener: &Process) -> Traces {
        Traces::of(listener, &listener::ports(self.dump), &self.pid_files())
    }

    /// Where the listener's pid file may be: where the configuration says, or where it was.
    pub fn pid_files(&self) -> Vec<PathBuf> {
        let configured = self.dump.first("pidfile").map(PathBuf::from);
        configured.into_iter().chain(self.service.pid_files()).collect()
    }

    /// A reason, and what the service manager says about the unit.
    fn with_state(&self, reason: &str) -> String {
        match &self.service.unit {
            Some(unit) => format!("{reason} {unit} is {}", self.state(unit)),
            None => reason.to_owned(),
        }
    }

    /// The unit's state, for a message.
    fn state(&self, unit: &str) -> String {
        match UnitState::ask(self.host, unit) {
            Ok(state) => state.to_string(),
            Err(error) => format!("in an unknown state ({error})"),
        }
    }
}
