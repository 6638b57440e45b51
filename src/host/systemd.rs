//! The service manager, asked through `systemctl`: what it says can be repeated by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::command::Output;
use super::program::TrustedProgram;
use super::{Host, HostError};

/// Enough for a `systemctl reload` that runs `sshd -t` first on a loaded machine.
const LIMIT: Duration = Duration::from_secs(90);

/// A unit's properties, as `systemctl show` prints them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Its name, `ssh.service`.
    pub name: String,
    properties: BTreeMap<String, Vec<String>>,
}

impl Unit {
    /// A property's text, the first of several; empty when the unit has none of that name.
    #[must_use]
    pub fn property(&self, name: &str) -> &str {
        self.properties(name).first().map_or("", String::as_str)
    }

    /// All texts of a property: `systemctl` prints lists like `EnvironmentFiles` one a line.
    #[must_use]
    pub fn properties(&self, name: &str) -> &[String] {
        self.properties.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a unit file for it was found.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.property("LoadState") == "loaded"
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.property("ActiveState"), "active" | "reloading")
    }

    /// The main process; `None` when there is none.
    #[must_use]
    pub fn main_pid(&self) -> Option<u32> {
        self.property("MainPID").parse().ok().filter(|pid| *pid != 0)
    }
}

impl Host {
    /// Whether systemd is this machine's service manager, as `sd_booted(3)` decides it.
    #[must_use]
    pub fn has_systemd(&self) -> bool {
        self.is_live() && Path::new("/run/systemd/system").is_dir()
    }

    /// Reads some properties of some units; units that don't exist come back as not loaded.
    ///
    /// # Errors
    /// When `systemctl` can't be run or the manager does not answer.
    pub fn units(&self, names: &[&str], properties: &[&str]) -> Result<Vec<Unit>, HostError> {
        let mut arguments = vec!["show".to_owned(), "--no-pager".to_owned()];
        arguments
            .push(format!("--property=Id,LoadState,ActiveState,MainPID,{}", properties.join(",")));
        arguments.push("--".to_owned());
        arguments.extend(names.iter().map(|name| (*name).to_owned()));
        let output = systemctl(&arguments, LIMIT)?;
        if !output.success() {
            return Err(complaint(&output));
        }
        Ok(parse_units(&String::from_utf8_lossy(&output.stdout)))
    }

    /// `systemctl VERB UNIT`, for `reload`, `restart`, `start`, `reset-failed`.
    ///
    /// # Errors
    /// When it fails: with the words of `systemctl`.
    pub fn unit_job(&self, verb: &str, unit: &str) -> Result<(), HostError> {
        self.unit_job_within(verb, unit, LIMIT)
    }

    /// The same, for who must know earlier: after `limit` nobody waits for the job any more, but it
    /// is not cancelled.
    ///
    /// # Errors
    /// When it fails: with the words of `systemctl`. When it takes longer.
    pub fn unit_job_within(
        &self,
        verb: &str,
        unit: &str,
        limit: Duration,
    ) -> Result<(), HostError> {
        let output = systemctl(&[verb.to_owned(), "--".to_owned(), unit.to_owned()], limit)?;
        if output.success() { Ok(()) } else { Err(complaint(&output)) }
    }
}

impl Host {
    /// Whether the daemon is started at the next boot.
    #[must_use]
    pub fn is_daemon_enabled(&self) -> bool {
        let unit = "keepalive-policy.service";
        let arguments = ["is-enabled", "--quiet", "--", unit].map(str::to_owned);
        systemctl(&arguments, LIMIT).is_ok_and(|output| output.success())
    }

    /// Has a unit started at the next boot.
    ///
    /// # Errors
    /// When it can't be: with the words of `systemctl`.
    pub fn enable_unit(&self, unit: &str) -> Result<(), HostError> {
        self.unit_job("enable", unit)
    }

    /// Takes that back.
    ///
    /// # Errors
    /// When it can't be: with the words of `systemctl`.
    pub fn disable_unit(&self, unit: &str) -> Result<(), HostError> {
        self.unit_job("disable", unit)
    }
}

fn systemctl(arguments: &[String], limit: Duration) -> Result<Output, HostError> {
    TrustedProgram::named("systemctl")?.run(arguments, limit)
}

fn complaint(output: &Output) -> HostError {
    let text = output.complaint();
    // "See "systemctl status ssh.service" and …": what it points to is in the journal beside us.
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("See ")).collect();
    HostError {
        path: "systemctl".into(),
        action: "failed",
        source: std::io::Error::other(lines.join(" ")),
    }
}

/// What `systemctl show` prints: one unit after another, an empty line between them.
pub(crate) fn parse_units(text: &str) -> Vec<Unit> {
    text.split("\n\n").map(parse_unit).filter(|unit| !unit.name.is_empty()).collect()
}

fn parse_unit(text: &str) -> Unit {
    let mut properties: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        properties.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    let mut unit = Unit { name: String::new(), properties };
    unit.name = unit.property("Id").to_owned();
    unit
}
