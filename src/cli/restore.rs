//! `restore`: undo everything that this tool ever changed.

use super::{Invocation, complain, verdict};
use crate::governed::Governed;
use crate::report::json;
use crate::report::status::Status;
use crate::report::text::{self, Style};

pub(super) fn run(invocation: &Invocation) -> u8 {
    match Status::read(&invocation.host) {
        Ok(None) => {}
        Ok(Some(status)) => {
            return complain(&format!(
                "the daemon runs (process {}) and would put everything back at once; stop it first: \
                 systemctl disable --now keepalive-policy",
                status.pid
            ));
        }
        Err(error) => return complain(&error),
    }
    let reports = Governed::default().restore(&invocation.host);
    invocation.print(&json::Applied::of(&reports), || text::restored(&reports, Style::of_stdout()));
    verdict(&reports)
}
