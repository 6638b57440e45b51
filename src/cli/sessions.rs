//! `sessions`: the live connections of sshd, their kernel timers, and which ones run on older
//! settings.

use serde_json::json;

use super::watch::watching;
use super::{Invocation, Watch, complain};
use crate::policy;
use crate::report::sessions::table;
use crate::report::text::Style;
use crate::sessions::look::Background;
use crate::sessions::sessions;

pub(super) fn run(invocation: &Invocation, watch: Watch) -> u8 {
    if !invocation.host.is_live() {
        return complain(&"sessions live on the running machine: leave out --root");
    }
    watching(invocation, watch, |invocation| {
        // Without a policy there are sessions too, of the host's own sshd.
        let policy = policy::load(&invocation.policy);
        let instances = policy.map(|policy| policy.sshd_instances).unwrap_or_default();
        // Anew each time: a reload of sshd is what makes sessions old.
        let seen = match Background::of(&invocation.host, &instances) {
            Ok(background) => background.look(&invocation.host).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return (complain(&error), false),
        };
        let sessions = sessions(&seen);
        let data = json!({ "version": 1, "sessions": sessions });
        let root = rustix::process::geteuid().is_root();
        let printed = invocation.print(&data, || table(&sessions, root, Style::of_stdout()));
        (0, printed)
    })
}
