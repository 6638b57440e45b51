//! What people and programs are told: tables, JSON, the status file, the journal.

use std::collections::BTreeMap;

use crate::reconcile::{Report, Setting};

pub mod explain;
pub mod journal;
pub mod json;
pub mod sessions;
pub mod status;
pub mod text;
pub mod timeline;
pub mod wrap;

/// How many declared settings are in force. A setting counts once, and only if it is right in
/// every context: now, after the next boot, and for every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Those that are right everywhere.
    pub in_force: usize,
    /// All that are declared and could be looked at.
    pub declared: usize,
}

impl Tally {
    /// Counts over rows.
    pub fn of<'a>(settings: impl IntoIterator<Item = &'a Setting>) -> Self {
        let mut compliant = BTreeMap::new();
        for setting in settings {
            *compliant.entry((setting.resource, setting.name)).or_insert(true) &= setting.compliant;
        }
        Self {
            in_force: compliant.values().filter(|compliant| **compliant).count(),
            declared: compliant.len(),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.declared == 1 { "setting" } else { "settings" };
        write!(f, "{} of {} {plural} in force", self.in_force, self.declared)
    }
}

/// All rows of several reports.
pub fn settings(reports: &[Report]) -> impl Iterator<Item = &Setting> {
    reports.iter().flat_map(|report| &report.settings)
}
