//! `restore`: undo everything that this tool ever changed.

use super::{Invocation, complain, verdict};
use crate::governed::Governed;
use crate::host::Host;
use crate::report::json;
use crate::report::status::Status;
use crate::report::text::{self, Style};

pub(super) fn run(invocation: &Invocation) -> u8 {
    if let Err(code) = refuse_beside_daemon(&invocation.host, "systemctl") {
        return code;
    }
    if let Err(error) = invocation.host.trust_root() {
        return complain(&error);
    }
    let reports = Governed::default().restore(&invocation.host);
    invocation.print(&json::Applied::of(&reports), || text::restored(&reports, Style::of_stdout()));
    verdict(&reports)
}

/// A daemon that runs would take for drift what is restored. `manager` is the command that stops it.
pub(super) fn refuse_beside_daemon(host: &Host, manager: &str) -> Result<(), u8> {
    match Status::read(host) {
        Ok(None) => Ok(()),
        Ok(Some(status)) => Err(complain(&format!(
            "the daemon runs (process {}) and would put everything back at once; stop it first: \
             {manager} disable --now keepalive-policy",
            status.pid
        ))),
        Err(error) => Err(complain(&error)),
    }
}
