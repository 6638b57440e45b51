//! `reload`: has the daemon read its policy again, and waits until that is in force. It is what
//! `systemctl reload` runs: a bare signal would return before anything has happened, and not say that
//! the policy was refused.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Invocation, complain, refuse};
use crate::host::wait::wait_until;
use crate::report::status::{Status, monotonic};

const NOT_RUNNING: u8 = 3;

/// The longest that a pass takes which is not stuck, and a pass that was under way before.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn run(invocation: &Invocation, user: bool) -> u8 {
    let host = match invocation.daemons_host(user) {
        Ok(host) => host,
        Err(error) => return complain(&error),
    };
    let pid = match Status::read(&host) {
        Ok(Some(status)) => i32::try_from(status.pid).ok().and_then(Pid::from_raw),
        Ok(None) => {
            complain(&"the daemon does not run, or has not looked at everything yet");
            return NOT_RUNNING;
        }
        Err(error) => return complain(&error),
    };
    let asked = monotonic();
    let signalled = pid.map(|pid| kill_process(pid, Signal::HUP));
    if let Some(Err(error)) = signalled {
        return complain(&format!("cannot signal the daemon: {error}"));
    }
    let answer = wait_until(LIMIT, || match Status::read(&host) {
        Ok(Some(status)) if status.policy_read >= asked => Some(Ok(status)),
        Ok(Some(_)) => None,
        Ok(None) => Some(Err(complain(&"the daemon has ended"))),
        Err(error) => Some(Err(complain(&error))),
    });
    match answer {
        None => complain(&format!("no answer within {} s", LIMIT.as_secs())),
        Some(Err(code)) => code,
        Some(Ok(status)) => verdict(invocation, &status),
    }
}

fn verdict(invocation: &Invocation, status: &Status) -> u8 {
    if let Some(refusal) = &status.policy_refused {
        return refuse(&format!(
            "the policy is refused, the previous one stays in force\n{refusal}"
        ));
    }
    let data = json!({ "version": 1, "in_force": status.in_force, "summary": status.summary });
    invocation.print(&data, || format!("{}.\n", status.summary));
    0
}
