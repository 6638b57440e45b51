//! What the daemon knows of its resources, and what it says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use super::reconciler::Seen;
use super::service::Service;
use super::trigger::Trigger;
use crate::host::Host;
use crate::policy::Policy;
use crate::reconcile::{Outcome, Report, Resource, micros};
use crate::report::journal::Told;
use crate::report::status::{self, LastDrift, Status};
use crate::report::{Tally, settings};
use crate::sysctl::live::Live;
use crate::sysctl::live::named::Named;

#[cfg(test)]
mod tests;

/// The last report of each reconciler, and the history in short.
#[derive(Debug)]
pub struct State {
    reports: BTreeMap<String, Report>,
    generations: BTreeMap<String, u64>,
    contested: BTreeMap<String, bool>,
    told: Told,
    unwatched: BTreeSet<String>,
    rejection: Option<String>,
    corrections: u64,
    last_drift: Option<LastDrift>,
    since: u64,
    written: Option<Status>,
    write_failed: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            reports: BTreeMap::new(),
            generations: BTreeMap::new(),
            contested: BTreeMap::new(),
            told: Told::default(),
            unwatched: BTreeSet::new(),
            rejection: None,
            corrections: 0,
            last_drift: None,
            since: status::now(),
            written: None,
            write_failed: false,
        }
    }
}

impl State {
    /// Takes in a report and writes what is new in it to the journal. Gives whether it found drift
    /// that no event had announced: the watches may be deaf.
    pub fn take(&mut self, seen: Seen) -> bool {
        let took = micros(seen.report.took);
        let news = self.told.news(&seen.name, &seen.report);
        let drifted = seen.report.found.iter().find(|row| !row.compliant);
        let corrected = seen.report.outcomes.iter().any(Outcome::took_effect);
        for event in &news {
            // For a kernel value the correction's own line says it all.
            if [Live::LOCK, Named::LOCK].contains(&seen.name.as_str()) && event.kind == "applied" {
                continue;
            }
            event.log(seen.trigger.as_str(), took);
        }
        if corrected {
            self.corrections += 1;
        }
        if let (Some(row), false) = (drifted, news.is_empty()) {
            self.last_drift = Some(LastDrift {
                at: status::now(),
                setting: row.name.to_owned(),
                corrected_in_us: (corrected && seen.report.in_force()).then_some(took),
            });
        }
        self.tell_contest(&seen);
        let unannounced = seen.trigger == Trigger::Resync && drifted.is_some() && corrected;
        self.generations.insert(seen.name.clone(), seen.generation);
        self.reports.insert(seen.name, seen.report);
        unannounced
    }

    /// Drops what is known of a reconciler that has ended.
    pub fn forget(&mut self, name: &str) {
        self.reports.remove(name);
        self.generations.remove(name);
        self.contested.remove(name);
    }

    /// Whether every one of `names` has reported on this policy.
    #[must_use]
    pub fn complete(&self, names: &[String], generation: u64) -> bool {
        names.iter().all(|name| self.generations.get(name).is_some_and(|at| *at >= generation))
    }

    /// Tells the service manager and the status file, if there is anything new.
    pub fn publish(&mut self, host: &Host, policy: &Policy, service: &mut Service) {
        let reports: Vec<Report> = self.reports.values().cloned().collect();
        let tally = Tally::of(settings(&reports));
        let summary = status::sentence(tally, policy.mode, self.last_drift.as_ref());
        service.status(&summary);
        let status = self.status(&reports, policy, summary);
        if self.written.as_ref() == Some(&status) {
            return;
        }
        match status.write(host) {
            Ok(()) => self.write_failed = false,
            Err(error) if !self.write_failed => {
                self.write_failed = true;
                warn!("{error}; `keepalive-policy status` shows nothing until this is mended");
            }
            Err(_) => {}
        }
        self.written = Some(status);
    }

    fn status(&self, reports: &[Report], policy: &Policy, summary: String) -> Status {
        let pid = std::process::id();
        let (settings, problems) = status::rows(reports);
        Status {
            version: 1,
            pid,
            process_start: status::process_start(pid).unwrap_or(0),
            since: self.since,
            policy: policy.path.clone(),
            mode: policy.mode.as_str().to_owned(),
            in_force: reports.iter().all(Report::in_force),
            summary,
            corrections: self.corrections,
            last_drift: self.last_drift.clone(),
            settings,
            problems,
        }
    }

    /// Says why a policy was not taken; once, when SIGHUP and the change of the file both come.
    pub fn tell_rejection(&mut self, path: &Path, rejection: &impl std::fmt::Display) {
        let rejection = rejection.to_string();
        if self.rejection.as_ref() != Some(&rejection) {
            error!(
                keepalive_event = "policy",
                "{}: keeping the previous policy\n{rejection}",
                path.display()
            );
            self.rejection = Some(rejection);
        }
    }

    /// Says that a policy is in force now.
    pub fn tell_policy(&mut self, policy: &Policy) {
        self.rejection = None;
        info!(
            keepalive_event = "policy",
            "{}: in force, mode {}",
            policy.path.display(),
            policy.mode.as_str()
        );
        for notice in &policy.notices {
            info!(keepalive_event = "policy", "{notice}");
        }
    }

    /// Says what can't be watched, once.
    pub fn tell_unwatched(&mut self, troubles: &[String], every: Duration) {
        for trouble in troubles {
            if self.unwatched.insert(trouble.clone()) {
                warn!(
                    keepalive_event = "notice",
                    "cannot watch {trouble}; changes there are found by rereading every {} s",
                    every.as_secs()
                );
            }
        }
    }

    fn tell_contest(&mut self, seen: &Seen) {
        let before = self.contested.insert(seen.name.clone(), seen.contested).unwrap_or(false);
        let resource = seen.report.resource;
        if seen.contested && !before {
            warn!(
                keepalive_event = "contested",
                keepalive_resource = resource,
                "{resource}: somebody else keeps changing what is set right; corrections are \
                 spaced out, up to one a minute, until it stops"
            );
        } else if before && !seen.contested {
            info!(
                keepalive_event = "in-force",
                keepalive_resource = resource,
                "{resource}: no longer contested"
            );
        }
    }
}
