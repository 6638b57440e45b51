//! `check`: every declared setting, desired and effective.

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
    invocation.print(&json::Check::of(&reports), || text::check(&reports, Style::of_stdout()));
    if reports.iter().any(Report::blocked) { ERROR } else { u8::from(!json::compliant(&reports)) }
}
