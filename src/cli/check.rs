//! `check`: every declared setting, desired and effective.

use super::watch::watching;
use super::{ERROR, Invocation, Watch};
use crate::brake;
use crate::governed::Governed;
use crate::reconcile::{Mode, Report, Resource};
use crate::report::json;
use crate::report::text::{self, Style};
use crate::sysctl::live::{Live, containers};

pub(super) fn run(invocation: &Invocation, watch: Watch) -> u8 {
    watching(invocation, watch, once)
}

fn once(invocation: &Invocation) -> (u8, bool) {
    let policy = match invocation.load() {
        Ok(policy) => policy,
        Err(code) => return (code, false),
    };
    let mut reports = Governed::default().reconcile(&invocation.host, &policy, Mode::Audit);
    let containers = containers::notices(&invocation.host, &policy.sysctl, &policy.namespaces);
    reports.push(Report::of_problems(Live::NAME, containers));
    let paused = brake::look(&invocation.host).notice().into_iter().collect();
    reports.push(Report::of_problems(brake::NAME, paused));
    let read = invocation.print(&json::Check::of(&reports), || {
        text::check(&reports, policy.mode, Style::of_stdout())
    });
    let blocked = reports.iter().any(Report::blocked);
    (if blocked { ERROR } else { u8::from(!json::compliant(&reports)) }, read)
}
