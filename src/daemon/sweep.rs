//! What a killed predecessor left: temporary files, never live, removed at start.

use std::collections::BTreeSet;
use std::path::Path;

use tracing::{info, warn};

use crate::host::Host;
use crate::policy::Policy;
use crate::reconcile::Resource;
use crate::sshd::Sshd;
use crate::sysctl::boot::Boot;

/// Where files are replaced. `sshd_config.d` and `sysctl.d` hold our drop-ins; the main files of
/// both are in the directories above.
const PLACES: [&str; 6] = [
    "/etc/ssh/sshd_config.d",
    "/etc/ssh",
    "/etc/sysctl.d",
    "/etc",
    "/var/lib/keepalive-policy",
    "/var/lib/keepalive-policy/originals",
];

/// Removes them, under the locks: another process that is writing now keeps its own.
pub fn leftovers(host: &Host, policy: &Policy) {
    let locks = [Sshd::LOCK, Boot::LOCK, "originals"].map(|name| host.lock(name));
    if let Some(error) = locks.iter().find_map(|lock| lock.as_ref().err()) {
        warn!("{error}; leftovers of an interrupted run are not looked for");
        return;
    }
    let instances = policy.sshd_instances.iter().filter_map(|one| one.file.parent());
    let places: BTreeSet<&Path> = PLACES.into_iter().map(Path::new).chain(instances).collect();
    for place in places {
        match host.sweep(place) {
            Ok(swept) if swept.is_empty() => {}
            Ok(swept) => info!(
                "{}: removed {} left by an interrupted run",
                place.display(),
                swept.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ")
            ),
            Err(error) => warn!("{error}"),
        }
    }
}
