//! What the daemon knows of its resources, and what it says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::metrics_file::{MetricsFile, Page};
use super::reconciler::{POLL, Seen};
use super::rival;
use super::service::Service;
use super::trigger::Trigger;
use crate::brake::Brake;
use crate::escape;
use crate::host::Host;
use crate::policy::Policy;
use crate::reconcile::{Mode, Outcome, Report, Resource, Setting, micros};
use crate::report::journal::{Event, Kind, Told, Weight, Writer, say, say_lines};
use crate::report::metrics::{self, Counts};
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
    contested: BTreeMap<String, BTreeSet<&'static str>>,
    told: Told,
    /// Who was last recognised by what he wrote.
    writers: BTreeMap<&'static str, Writer>,
    unwatched: BTreeSet<String>,
    rejection: Option<String>,
    corrections: u64,
    counts: Counts,
    last_drift: Option<LastDrift>,
    since: u64,
    policy_loaded: u64,
    policy_read: u64,
    written: Option<Status>,
    write_failed: bool,
    metrics: Option<MetricsFile>,
    brake: Brake,
}

impl Default for State {
    fn default() -> Self {
        Self {
            reports: BTreeMap::new(),
            generations: BTreeMap::new(),
            contested: BTreeMap::new(),
            told: Told::default(),
            writers: BTreeMap::new(),
            unwatched: BTreeSet::new(),
            rejection: None,
            corrections: 0,
            counts: Counts::default(),
            last_drift: None,
            since: status::now(),
            policy_loaded: status::now(),
            policy_read: 0,
            written: None,
            write_failed: false,
            metrics: None,
            brake: Brake::Off,
        }
    }
}

/// Lines that are to be written to the journal.
#[derive(Debug, Default)]
pub struct Lines {
    /// What they say.
    pub events: Vec<Event>,
    /// What woke the reconciler.
    pub trigger: &'static str,
    /// How long its pass took, in microseconds.
    pub micros: u64,
}

impl Lines {
    /// Writes them.
    pub fn log(&self) {
        self.events.iter().for_each(|event| event.log(self.trigger, self.micros));
    }
}

impl State {
    /// Says who wrote what an event is about, as far as that can be told.
    fn name_writer(&mut self, host: &Host, report: &Report, event: &mut Event) {
        let (Kind::Corrected | Kind::Drift | Kind::Contested, Some(name)) =
            (event.kind, event.setting)
        else {
            return;
        };
        // Of one setting there may be values from several files, each with a line of its own. A
        // quarrel is about all of them.
        let is_meant = |row: &&Setting| {
            let source = row.source.as_ref().map(ToString::to_string);
            row.name == name
                && !row.compliant
                && (event.kind == Kind::Contested || source == event.source)
        };
        // It may also be seen at a moment when nothing has drifted.
        event.writer = match report.found.iter().find(is_meant) {
            Some(row) => rival::recognise(host, row),
            None => self.writers.get(name).cloned(),
        };
        if let Some(writer) = &event.writer {
            self.writers.insert(name, writer.clone());
        }
    }

    /// Takes in a report, and gives what is new in it.
    pub fn take(&mut self, host: &Host, seen: Seen) -> Lines {
        let took = micros(seen.report.took);
        let contested = self.note_contest(&seen);
        let last = self.reports.get(&seen.name);
        let mut events = self.told.news(&seen.name, &seen.report, last, seen.mode, Instant::now());
        // For a kernel value the correction's own line says it all. What is contested changes all
        // the time, and has been told.
        events.retain(|event| match event.kind {
            Kind::Applied => ![Live::LOCK, Named::LOCK].contains(&seen.name.as_str()),
            Kind::Drift => event.setting.is_none_or(|name| !seen.contested.contains(name)),
            _ => true,
        });
        let unheard = self.count(&seen, took);
        if unheard {
            events.push(Event {
                warning: true,
                message: format!(
                    "{}: found by rereading, no event told of it",
                    seen.report.resource
                ),
                ..Event::plain(Kind::Unheard, seen.report.resource)
            });
        }
        events.extend(contested);
        // After a start or another policy the value may be one that we declared before.
        if matches!(seen.trigger, Trigger::Event | Trigger::Resync) {
            events.iter_mut().for_each(|event| self.name_writer(host, &seen.report, event));
        }
        self.note_drift(&seen.report, took, !events.is_empty());
        let generation = self.generations.entry(seen.name.clone()).or_default();
        *generation = seen.generation.max(*generation);
        self.contested.insert(seen.name.clone(), seen.contested);
        self.reports.insert(seen.name, seen.report);
        Lines { events, trigger: seen.trigger.as_str(), micros: took }
    }

    /// Counts what the report shows; says whether it is drift that no event had announced.
    fn count(&mut self, seen: &Seen, took: u64) -> bool {
        let report = &seen.report;
        let before = self.reports.get(&seen.name);
        let was_wrong = |name: &str| {
            before.is_some_and(|before| {
                before.settings.iter().any(|row| row.name == name && !row.compliant)
                    && !before.outcomes.iter().any(Outcome::took_effect)
            })
        };
        let names: BTreeSet<(&'static str, &'static str)> =
            report.drifted(&report.found).map(|row| (row.resource, row.name)).collect();
        let news: Vec<_> = names.iter().filter(|(_, name)| !was_wrong(name)).collect();
        for (resource, setting) in &news {
            self.counts.drift(resource, setting);
        }
        let corrected = report.outcomes.iter().any(Outcome::took_effect);
        if corrected {
            self.corrections += 1;
        }
        if !report.outcomes.is_empty() {
            let failed = report.outcomes.iter().any(Outcome::failed);
            let result = match report.pending.is_empty() {
                _ if failed => "failed",
                true => "done",
                false => "undone",
            };
            self.counts.correction(report.resource, result, took);
        }
        for outcome in report.outcomes.iter().filter(|outcome| outcome.changed && loads(outcome)) {
            self.counts.reload(!outcome.failed());
        }
        // In a quarrel what is looked at late was held back, not missed.
        let unheard =
            seen.trigger == Trigger::Resync && !news.is_empty() && seen.contested.is_empty();
        if unheard {
            self.counts.unheard(report.resource);
        }
        unheard
    }

    fn note_drift(&mut self, report: &Report, took: u64, is_news: bool) {
        let corrected = report.outcomes.iter().any(Outcome::took_effect);
        if let (Some(row), true) = (report.drifted(&report.found).next(), is_news) {
            self.last_drift = Some(LastDrift {
                at: status::now(),
                setting: row.name.to_owned(),
                corrected_in_us: (corrected && report.in_force()).then_some(took),
            });
        }
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

    /// The policy that was read at `read` is in force everywhere, as far as it can be.
    pub fn in_force_since(&mut self, read: u64) {
        self.policy_read = self.policy_read.max(read);
        self.policy_loaded = status::now();
    }

    /// Tells the service manager, the status file and the metrics, if there is anything new.
    pub fn publish(&mut self, host: &Host, policy: &Policy, service: &mut Service) {
        let reports: Vec<Report> = self.reports.values().cloned().collect();
        let tally = Tally::of(settings(&reports));
        let pause = self.brake.brief();
        let last = self.last_drift.as_ref();
        let summary = status::sentence(tally, policy.mode, pause.as_deref(), last);
        service.status(&summary);
        self.publish_metrics(&reports, policy);
        let status = self.status(&reports, policy, summary);
        if self.written.as_ref() == Some(&status) {
            return;
        }
        match status.write(host) {
            Ok(()) => {
                self.write_failed = false;
                self.written = Some(status);
            }
            Err(error) if !self.write_failed => {
                self.write_failed = true;
                let message = format!(
                    "{error}; `keepalive-policy status` shows nothing until this is mended"
                );
                say(Weight::Warning, Kind::Failed, &message);
            }
            Err(_) => {}
        }
    }

    fn status(&self, reports: &[Report], policy: &Policy, summary: String) -> Status {
        let pid = std::process::id();
        let (settings, problems) = status::rows(reports);
        let start = self.written.as_ref().map(|before| before.process_start);
        Status {
            version: 1,
            pid,
            process_start: start.or_else(|| status::process_start(pid)).unwrap_or(0),
            since: self.since,
            policy: policy.path.clone(),
            mode: policy.mode.as_str().to_owned(),
            in_force: reports.iter().all(Report::in_force),
            summary,
            corrections: self.corrections,
            last_drift: self.last_drift.clone(),
            policy_read: self.policy_read,
            policy_refused: self.rejection.clone(),
            contested: self.contested.values().flatten().map(|name| (*name).to_owned()).collect(),
            unheard: self.counts.unheard_total(),
            listening: reports.iter().filter_map(|report| report.listening.clone()).collect(),
            paused: self.brake.sentence(),
            paused_until: self.brake.until(),
            settings,
            problems,
        }
    }

    fn publish_metrics(&mut self, reports: &[Report], policy: &Policy) {
        let page = policy.metrics_textfile.as_ref().map(|path| {
            let rows = settings(reports);
            let contested = self.contested.values().flatten().collect::<BTreeSet<_>>();
            let names: BTreeSet<(&str, &str)> = rows.map(|row| (row.resource, row.name)).collect();
            let row = |row: &'_ Setting| (row.resource, row.name, row.compliant);
            let now = metrics::Now {
                settings: settings(reports)
                    .map(|found| (row(found).0, row(found).1, found.context.as_str(), row(found).2))
                    .collect(),
                contested: names
                    .into_iter()
                    .map(|(resource, name)| (resource, name, contested.contains(&name)))
                    .collect(),
                listening: reports
                    .iter()
                    .filter_map(|report| report.listening.as_ref())
                    .map(|found| (found.unit.as_str(), found.listens))
                    .collect(),
                enforcing: policy.mode == Mode::Enforce && !self.brake.is_on(),
                paused: self.brake.is_on(),
                policy_loaded: self.policy_loaded,
                started: self.since,
            };
            Page { path: path.clone(), text: metrics::render(&self.counts, &now) }
        });
        if page.is_some() || self.metrics.is_some() {
            self.metrics.get_or_insert_with(MetricsFile::start).write(page);
        }
    }

    /// The daemon stops: what it wrote about itself is no longer true.
    pub async fn withdraw(&mut self, host: &Host) {
        if let Some(metrics_file) = self.metrics.take() {
            metrics_file.withdraw().await;
        }
        if let Err(error) = Status::clear(host) {
            say(Weight::Warning, Kind::Failed, &error.to_string());
        }
    }

    /// Says why a policy that was read at `read` was not taken; once, when SIGHUP and the change of
    /// the file both come.
    pub fn tell_rejection(&mut self, path: &Path, rejection: &impl std::fmt::Display, read: u64) {
        self.policy_read = self.policy_read.max(read);
        let rejection = rejection.to_string();
        if self.rejection.as_ref() != Some(&rejection) {
            self.counts.policy(false);
            let message =
                format!("{}: keeping the previous policy\n{rejection}", escape::path(path));
            say_lines(Weight::Error, Kind::PolicyRefused, &message);
            self.rejection = Some(rejection);
        }
    }

    /// The file says again what is in force; whether it had been refused in between.
    pub fn forgive_rejection(&mut self) -> bool {
        self.rejection.take().is_some()
    }

    /// Says that a policy is in force now.
    pub fn tell_policy(&mut self, policy: &Policy) {
        self.rejection = None;
        self.counts.policy(true);
        let path = escape::path(&policy.path);
        let message = format!("{path}: in force, mode {}", policy.mode.as_str());
        say(Weight::Info, Kind::Policy, &message);
        for notice in &policy.notices {
            say(Weight::Info, Kind::Policy, notice);
        }
    }

    /// Takes in what the brake is now, and says what became of it; whether that is another one.
    pub fn take_brake(&mut self, brake: Brake) -> bool {
        let is_news = self.brake.is_other(&brake);
        if is_news {
            match brake.sentence() {
                Some(sentence) => {
                    let weight = if brake.is_planned() { Weight::Info } else { Weight::Error };
                    say(weight, Kind::Paused, &sentence);
                }
                None => {
                    let message = "the pause is over: corrections are made again";
                    say(Weight::Info, Kind::Resumed, message);
                }
            }
        }
        self.brake = brake;
        is_news
    }

    /// Says what can't be watched, once for each reason.
    pub fn tell_unwatched(&mut self, troubles: BTreeMap<String, BTreeSet<PathBuf>>) {
        for (why, places) in troubles {
            if self.unwatched.contains(&why) {
                continue;
            }
            let places: Vec<_> = places.iter().map(|place| escape::path(place)).collect();
            let message = format!(
                "cannot watch {}: {why}; until then what changes there is found by looking every \
                 {} s",
                places.join(", "),
                POLL.as_secs()
            );
            say(Weight::Warning, Kind::Unwatched, &message);
            self.unwatched.insert(why);
        }
    }

    /// Says why nobody is seen writing.
    pub fn tell_no_witness(&self, error: &std::io::Error) {
        let message = format!(
            "[witness] is enabled, and the kernel does not tell who writes: {error}; the unit needs \
             the drop-in witness.conf, and the kernel fanotify. Everything else works"
        );
        say(Weight::Warning, Kind::Notice, &message);
    }

    /// What is contested since this report, and what is no longer.
    fn note_contest(&self, seen: &Seen) -> Vec<Event> {
        let none = BTreeSet::new();
        let before = self.contested.get(&seen.name).unwrap_or(&none);
        let resource = seen.report.resource;
        let begun = seen.contested.difference(before).map(|name| Event {
            warning: true,
            setting: Some(name),
            message: format!(
                "{name}: somebody else keeps changing what is set right; corrections are spaced \
                 out, up to one a minute, until it stops"
            ),
            ..Event::plain(Kind::Contested, resource)
        });
        let over = before.difference(&seen.contested).map(|name| Event {
            setting: Some(name),
            message: format!("{name}: no longer contested"),
            ..Event::plain(Kind::InForce, resource)
        });
        begun.chain(over).collect()
    }
}

/// Whether a step made sshd take up its configuration.
fn loads(outcome: &Outcome) -> bool {
    ["reload ", "restart ", "send SIGHUP"].iter().any(|verb| outcome.action.starts_with(verb))
}
