//! The contract's JSON, version 1: fields may be added, never changed.

use serde::Serialize;

use crate::reconcile::{Outcome, Pending, Problem, Report, Setting};

const VERSION: u32 = 1;

/// `check --format json`.
#[derive(Debug, Serialize)]
pub struct Check<'a> {
    version: u32,
    compliant: bool,
    settings: Vec<&'a Setting>,
    problems: Vec<&'a Problem>,
}

impl<'a> Check<'a> {
    /// From the reports of a look that changed nothing.
    #[must_use]
    pub fn of(reports: &'a [Report]) -> Self {
        Self {
            version: VERSION,
            compliant: compliant(reports),
            settings: super::settings(reports).collect(),
            problems: problems(reports),
        }
    }
}

/// `diff --format json`.
#[derive(Debug, Serialize)]
pub struct Diff<'a> {
    version: u32,
    changes: Vec<&'a Pending>,
    problems: Vec<&'a Problem>,
}

impl<'a> Diff<'a> {
    /// From the reports of a look that changed nothing.
    #[must_use]
    pub fn of(reports: &'a [Report]) -> Self {
        Self {
            version: VERSION,
            changes: reports.iter().flat_map(|report| &report.pending).collect(),
            problems: problems(reports),
        }
    }
}

/// `apply --format json` and `restore --format json`.
#[derive(Debug, Serialize)]
pub struct Applied<'a> {
    version: u32,
    in_force: bool,
    outcomes: Vec<&'a Outcome>,
    settings: Vec<&'a Setting>,
    problems: Vec<&'a Problem>,
}

impl<'a> Applied<'a> {
    /// From the reports of a pass.
    #[must_use]
    pub fn of(reports: &'a [Report]) -> Self {
        Self {
            version: VERSION,
            in_force: reports.iter().all(Report::in_force),
            outcomes: reports.iter().flat_map(|report| &report.outcomes).collect(),
            settings: super::settings(reports).collect(),
            problems: problems(reports),
        }
    }
}

/// Whether every row is compliant and every value could be told.
#[must_use]
pub fn compliant(reports: &[Report]) -> bool {
    super::settings(reports).all(|setting| setting.compliant)
        && !reports.iter().any(Report::blocked)
}

fn problems(reports: &[Report]) -> Vec<&Problem> {
    reports.iter().flat_map(|report| &report.problems).collect()
}
