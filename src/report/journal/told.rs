//! What has been said already. A standing trouble is told once, again at growing intervals for those
//! who were not there, and its end is told too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::events::{corrections, standing, would};
use super::{Event, Kind};
use crate::reconcile::{Mode, Report, Setting, Value};

/// A trouble that stands is told again after this time, then after twice as much, and so on,
const FIRST: Duration = Duration::from_secs(5 * 60);

/// at last once a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The troubles that stand, by reconciler and line.
#[derive(Debug, Default)]
pub struct Told {
    standing: BTreeMap<String, BTreeMap<String, Reminder>>,
    /// By reconciler: the settings that were in force, with the value that was declared.
    in_force: BTreeMap<String, BTreeMap<&'static str, Value>>,
}

#[derive(Debug, Clone, Copy)]
struct Reminder {
    due: Instant,
    interval: Duration,
}

impl Told {
    /// The events of a report that are to be told at `now`. `reconciler` tells reports of the same
    /// resource apart.
    pub fn news(
        &mut self,
        reconciler: &str,
        report: &Report,
        last: Option<&Report>,
        mode: Mode,
        now: Instant,
    ) -> Vec<Event> {
        let in_force = self.in_force.entry(reconciler.to_owned()).or_default();
        // Not so at the first look, nor under another policy: there nothing has drifted.
        let was_right = |row: &Setting| {
            let before = last.and_then(|last| last.settings.iter().find(|one| one.same_row(row)));
            in_force.get(row.name) == Some(&row.desired)
                || before.is_some_and(|before| before.compliant && before.desired == row.desired)
        };
        let mut events = corrections(report, was_right);
        let wrong: BTreeSet<&str> =
            report.settings.iter().filter(|row| !row.compliant).map(|row| row.name).collect();
        let right = report.settings.iter().filter(|row| !wrong.contains(row.name));
        in_force.extend(right.map(|row| (row.name, row.desired)));
        let mut before = self.standing.remove(reconciler).unwrap_or_default();
        let mut stands = BTreeMap::new();
        for event in standing(report).chain(would(report, mode)) {
            let reminder = match before.remove(&event.message) {
                Some(reminder) if now < reminder.due => reminder,
                known => {
                    let interval = known.map_or(FIRST, |known| (known.interval * 2).min(LONGEST));
                    let reminder = Reminder { due: now + interval, interval };
                    if !stands.contains_key(&event.message) {
                        events.push(event.clone());
                    }
                    reminder
                }
            };
            stands.insert(event.message, reminder);
        }
        self.standing.insert(reconciler.to_owned(), stands);
        if !before.is_empty() && report.in_force() && events.is_empty() {
            events.push(Event {
                message: format!("{}: in force again", report.resource),
                ..Event::plain(Kind::InForce, report.resource)
            });
        }
        events
    }
}
