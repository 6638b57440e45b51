//! The journal is the history: one line an event, with fields to query by, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::text::duration;
use crate::reconcile::{Report, Setting, Severity, Value, micros};

#[cfg(test)]
mod tests;

/// Installs the subscriber: the journal with its fields when standard error is connected to it,
/// else lines on standard error; never both, or every line would stand in the journal twice.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let journal = if stderr_is_journal() { tracing_journald::layer().ok() } else { None };
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match journal {
        // With the default prefix the fields would be called F_KEEPALIVE_…, and no MESSAGE_ID.
        Some(layer) => layer.with_field_prefix(None).boxed(),
        None => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .fmt_fields(tracing_subscriber::fmt::format::debug_fn(|writer, field, value| {
                // The fields repeat the sentence; on a terminal the sentence is enough.
                if field.name() == "message" { write!(writer, "{value:?}") } else { Ok(()) }
            }))
            .boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
    // A second call in one process keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// `$JOURNAL_STREAM` is `DEVICE:INODE` of the socket that systemd connected (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    rustix::fs::fstat(std::io::stderr().as_fd())
        .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Something worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `corrected`, `drift`, `applied`, `failed`, `refused`, `conflict`, `notice`, `in-force`.
    pub kind: &'static str,
    /// Whether somebody should look.
    pub warning: bool,
    /// The resource.
    pub resource: &'static str,
    /// The setting, when it is about one.
    pub setting: Option<&'static str>,
    /// What the policy declares.
    pub desired: Option<Value>,
    /// What was found.
    pub found: Option<Value>,
    /// Where that came from.
    pub source: Option<String>,
    /// The line.
    pub message: String,
}

/// What has been told, so that a standing trouble is told once, and its end too.
#[derive(Debug, Default)]
pub struct Told {
    standing: BTreeMap<String, BTreeSet<String>>,
}

impl Told {
    /// The events of a report that have not been told yet. `reconciler` tells reports of the same
    /// resource apart.
    pub fn news(&mut self, reconciler: &str, report: &Report) -> Vec<Event> {
        let mut events = corrections(report);
        let standing: Vec<Event> = standing(report).collect();
        let now: BTreeSet<String> = standing.iter().map(|event| event.message.clone()).collect();
        let before = self.standing.insert(reconciler.to_owned(), now.clone()).unwrap_or_default();
        let over = before.difference(&now).next().is_some();
        events.extend(standing.into_iter().filter(|event| !before.contains(&event.message)));
        if over && report.in_force() && events.is_empty() {
            events.push(Event {
                message: format!("{}: in force again", report.resource),
                ..Event::plain("in-force", report.resource)
            });
        }
        events
    }
}

impl Event {
    const fn plain(kind: &'static str, resource: &'static str) -> Self {
        Self {
            kind,
            warning: false,
            resource,
            setting: None,
            desired: None,
            found: None,
            source: None,
            message: String::new(),
        }
    }

    /// Writes the line.
    pub fn log(&self, trigger: &str, micros: u64) {
        let text = |value: Option<Value>| value.map(|value| value.to_string()).unwrap_or_default();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    keepalive_event = self.kind,
                    keepalive_resource = self.resource,
                    keepalive_setting = self.setting,
                    keepalive_desired = text(self.desired),
                    keepalive_found = text(self.found),
                    keepalive_source = self.source.as_deref(),
                    keepalive_trigger = trigger,
                    keepalive_duration_us = micros,
                    "{}",
                    self.message
                )
            };
        }
        if self.warning { line!(warn) } else { line!(info) }
    }
}

/// What this pass set right.
fn corrections(report: &Report) -> Vec<Event> {
    let took = duration(micros(report.took));
    // What a listener had loaded is a row only while it differs from the files.
    let held = |row: &&Setting| {
        let mut now = report.settings.iter().filter(|now| now.same_row(row));
        let gone = row.is_of_listener() && !report.outcomes.is_empty() && !report.blocked();
        !row.compliant && now.next().map_or(gone, |now| now.compliant)
    };
    let mut events: Vec<Event> = grouped(report.found.iter().filter(held))
        .into_iter()
        .map(|(row, contexts)| Event {
            message: format!(
                "{}: found {}, {} again in {took} ({contexts})",
                row.name,
                found(row),
                row.desired
            ),
            ..Event::of_row("corrected", row)
        })
        .collect();
    let done: Vec<&str> = report
        .outcomes
        .iter()
        .filter(|outcome| outcome.took_effect())
        .map(|outcome| outcome.action.as_str())
        .collect();
    if !done.is_empty() {
        events.push(Event {
            message: format!("{}: {}", report.resource, done.join(", ")),
            ..Event::plain("applied", report.resource)
        });
    }
    events
}

/// What this pass leaves wrong.
fn standing(report: &Report) -> impl Iterator<Item = Event> {
    let drift = grouped(report.settings.iter().filter(|row| !row.compliant)).into_iter().map(
        |(row, contexts)| Event {
            warning: true,
            message: format!(
                "{}: found {}, {} is declared ({contexts})",
                row.name,
                found(row),
                row.desired
            ),
            ..Event::of_row("drift", row)
        },
    );
    let failures = report.outcomes.iter().filter_map(|outcome| {
        outcome.error.as_ref().map(|error| Event {
            warning: true,
            message: format!("{}: could not {}: {error}", report.resource, outcome.action),
            ..Event::plain("failed", report.resource)
        })
    });
    let problems = report.problems.iter().map(|problem| Event {
        warning: problem.severity != Severity::Notice,
        source: problem.file.as_ref().map(|file| file.display().to_string()),
        message: format!("{}: {problem}", problem.resource),
        ..Event::plain(
            match problem.severity {
                Severity::Blocked => "refused",
                Severity::Conflict => "conflict",
                Severity::Notice => "notice",
            },
            problem.resource,
        )
    });
    drift.chain(failures).chain(problems)
}

impl Event {
    fn of_row(kind: &'static str, row: &Setting) -> Self {
        Self {
            setting: Some(row.name),
            desired: Some(row.desired),
            found: row.effective,
            source: row.source.as_ref().map(ToString::to_string),
            ..Self::plain(kind, row.resource)
        }
    }
}

/// `420 (/etc/ssh/sshd_config.d/50-cloud-init.conf:1)`, `nothing`.
fn found(row: &Setting) -> String {
    match (row.effective, &row.source) {
        (Some(value), Some(source)) => format!("{value} ({source})"),
        (Some(value), None) => value.to_string(),
        (None, Some(source)) => format!("no valid value ({source})"),
        (None, None) if row.is_of_listener() => "an unknown value".to_owned(),
        (None, None) => "nothing".to_owned(),
    }
}

/// One event for the contexts of a setting in which the same was found.
fn grouped<'a>(rows: impl Iterator<Item = &'a Setting>) -> Vec<(&'a Setting, String)> {
    let mut groups: Vec<(&Setting, String)> = Vec::new();
    for row in rows {
        let same = groups.iter_mut().find(|(first, _)| {
            (first.name, first.effective, &first.source) == (row.name, row.effective, &row.source)
        });
        match same {
            Some((_, contexts)) => {
                contexts.push_str(", ");
                contexts.push_str(&row.context);
            }
            None => groups.push((row, row.context.clone())),
        }
    }
    groups
}
