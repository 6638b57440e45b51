//! `diff`: what `apply` would change.

use super::{ERROR, Invocation};
use crate::governed::Governed;
use crate::reconcile::{Mode, Report};
use crate::report::json;
use crate::report::text::{self, Style};

pub(super) fn run(invocation: &Invocation) -> u8 {
    let policy = match invocation.load() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    let reports = Governed::default().reconcile(&invocation.host, &policy, Mode::Audit);
    invocation.print(&json::Diff::of(&reports), || text::diff(&reports, Style::of_stdout()));
    if reports.iter().any(Report::blocked) {
        ERROR
    } else {
        u8::from(reports.iter().any(|report| !report.pending.is_empty()))
    }
}
