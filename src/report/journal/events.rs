//! From a report to the lines about it. Pure.

use super::{Event, Kind};
use crate::escape;
use crate::reconcile::{Mode, Report, Setting, Severity, micros};
use crate::report::text::duration;

/// What this pass set right: again, where `was_right` says that it was.
pub(super) fn corrections(report: &Report, was_right: impl Fn(&Setting) -> bool) -> Vec<Event> {
    let took = duration(micros(report.took));
    // What a listener had loaded is a row only while it differs from the files.
    let held = |row: &&Setting| {
        let mut now = report.settings.iter().filter(|now| now.same_row(row));
        let gone = row.is_of_listener() && !report.outcomes.is_empty() && !report.blocked();
        !row.compliant && now.next().map_or(gone, |now| now.compliant)
    };
    let (drifted, new): (Vec<&Setting>, Vec<&Setting>) =
        report.found.iter().filter(held).partition(|row| was_right(row));
    let event = |(row, contexts): (&Setting, String), outcome: String| Event {
        message: format!("{}: found {}, {outcome} in {took} ({contexts})", row.name, found(row)),
        ..Event::of_row(Kind::Corrected, row)
    };
    let mut events: Vec<Event> = Vec::new();
    for (row, contexts) in grouped(drifted.into_iter()) {
        events.push(event((row, contexts), format!("{} again", row.desired)));
    }
    for (row, contexts) in grouped(new.into_iter()) {
        events.push(event((row, contexts), format!("set to {}", row.desired)));
    }
    let done: Vec<&str> = report
        .outcomes
        .iter()
        .filter(|outcome| outcome.took_effect())
        .map(|outcome| outcome.action.as_str())
        .collect();
    if !done.is_empty() {
        events.push(Event {
            message: format!("{}: {}", report.resource, done.join(", ")),
            ..Event::plain(Kind::Applied, report.resource)
        });
    }
    events
}

/// What this pass leaves wrong.
pub(super) fn standing(report: &Report) -> impl Iterator<Item = Event> {
    let drift =
        grouped(report.drifted(&report.settings)).into_iter().map(|(row, contexts)| Event {
            warning: true,
            message: format!(
                "{}: found {}, {} is declared ({contexts})",
                row.name,
                found(row),
                row.desired
            ),
            ..Event::of_row(Kind::Drift, row)
        });
    let failures = report.outcomes.iter().filter_map(|outcome| {
        outcome.error.as_ref().map(|error| Event {
            warning: true,
            message: format!(
                "{}: could not {}: {}",
                report.resource,
                outcome.action,
                escape::message(error)
            ),
            ..Event::plain(Kind::Failed, report.resource)
        })
    });
    let problems = report.problems.iter().map(|problem| Event {
        warning: problem.severity != Severity::Notice,
        source: problem.file.as_deref().map(escape::path),
        message: format!("{}: {problem}", problem.resource),
        ..Event::plain(
            match problem.severity {
                Severity::Blocked => Kind::Refused,
                Severity::Conflict => Kind::Conflict,
                Severity::Notice => Kind::Notice,
            },
            problem.resource,
        )
    });
    drift.chain(failures).chain(problems)
}

/// What this pass would have done, had it been allowed to.
pub(super) fn would(report: &Report, mode: Mode) -> Option<Event> {
    if mode == Mode::Enforce || report.pending.is_empty() {
        return None;
    }
    let steps: Vec<String> =
        report.pending.iter().flat_map(|pending| brief(&pending.text)).collect();
    Some(Event {
        message: format!(
            "{}: would {} ({}: nothing is changed)",
            report.resource,
            steps.join(", "),
            mode.as_str()
        ),
        ..Event::plain(Kind::Would, report.resource)
    })
}

/// A change in words that fit a line: a unified diff shrinks to what it does to which file.
fn brief(text: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(before) = line.strip_prefix("--- ") {
            let after = lines.next().and_then(|line| line.strip_prefix("+++ ")).unwrap_or_default();
            // `a/etc/…` and `b/etc/…`, as patch(1) wants them.
            let path =
                |side: &str| format!("/{}", side.split_once('/').map_or("", |(_, path)| path));
            steps.push(match (before, after) {
                ("/dev/null", after) => format!("create {}", path(after)),
                (before, "/dev/null") => format!("remove {}", path(before)),
                (before, _) => format!("edit {}", path(before)),
            });
        } else if !line.starts_with(['+', '-', '@', ' ', '\\']) && !line.is_empty() {
            steps.push(line.to_owned());
        }
    }
    steps
}

impl Event {
    fn of_row(kind: Kind, row: &Setting) -> Self {
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
                contexts.push_str(&escape::name(&row.context));
            }
            None => groups.push((row, escape::name(&row.context).into_owned())),
        }
    }
    groups
}
