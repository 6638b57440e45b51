//! `restore`: undo everything that this tool ever changed.

use super::{Invocation, complain, verdict};
use crate::brake::unconfirmed;
use crate::governed::{Governed, unknown};
use crate::host::Host;
use crate::reconcile::{Report, Resource};
use crate::report::json;
use crate::report::status::Status;
use crate::report::text::{self, Style};
use crate::sysctl::boot::Boot;

pub(super) fn run(invocation: &Invocation) -> u8 {
    if let Err(code) = refuse_beside_daemon(&invocation.host, "systemctl") {
        return code;
    }
    let host = &invocation.host;
    if let Err(error) = host.trust_root() {
        return complain(&error);
    }
    // What waits to be confirmed goes first: it can still be told from what others change.
    if let Err(error) = unconfirmed::settle(host, true) {
        return complain(&error);
    }
    let unknown = unknown::find(host);
    let mut reports = Governed::default().restore(host);
    let mut code = verdict(&reports);
    if code == 0 {
        if let Err(error) = unknown::forget(host) {
            return complain(&error);
        }
        code = u8::from(!unknown.is_empty());
    }
    reports.push(Report::of_problems(Boot::NAME, unknown));
    invocation.print(&json::Applied::of(&reports), || text::restored(&reports, Style::of_stdout()));
    code
}

/// A daemon that runs would take for drift what is restored. `manager` is the command that stops it.
pub(super) fn refuse_beside_daemon(host: &Host, manager: &str) -> Result<(), u8> {
    let process = match (Status::read(host), host.daemon_runs()) {
        (Ok(Some(status)), _) => format!(" (process {})", status.pid),
        // Its status is gone, damaged, or not written yet.
        (_, Some(true)) => String::new(),
        (_, Some(false)) | (Ok(None), None) => return Ok(()),
        (Err(error), None) => return Err(complain(&error)),
    };
    Err(complain(&format!(
        "the daemon runs{process} and would put everything back at once; stop it first: {manager} \
         disable --now keepalive-policy"
    )))
}
