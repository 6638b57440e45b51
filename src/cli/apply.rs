//! `apply`: one reconciliation now, with verification.

use super::{Invocation, complain, verdict};
use crate::brake;
use crate::governed::Governed;
use crate::reconcile::{Mode, Report};
use crate::report::json;
use crate::report::text::{self, Style};

pub(super) fn run(invocation: &Invocation) -> u8 {
    let policy = match invocation.load() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    if policy.mode == Mode::Enforce
        && let Err(error) = invocation.host.trust_root()
    {
        return complain(&error);
    }
    // Under `mode = "audit"` nothing is changed by this command either.
    let mut reports = Governed::default().reconcile(&invocation.host, &policy, policy.mode);
    // Who runs this wants it now, pause or not; and should know that it will not last.
    let paused = brake::look(&invocation.host).notice().into_iter().collect();
    reports.push(Report::of_problems(brake::NAME, paused));
    invocation.print(&json::Applied::of(&reports), || {
        text::applied(&reports, policy.mode, "keepalive-policy diff", Style::of_stdout())
    });
    verdict(&reports)
}
