//! Reads from the host what is explained.

use std::path::Path;
use std::time::Duration;

use crate::host::Host;
use crate::host::files::Node;
use crate::policy::Policy;
use crate::reconcile::{ObserveError, Problem, Resource, Severity};
use crate::ssh_client::{self, SshClient};
use crate::sshd::{self, Sshd};
use crate::sysctl::boot::{self, Boot};
use crate::sysctl::live::{self, Live};

const RTO_MAX: &str = "/proc/sys/net/ipv4/tcp_rto_max_ms";

/// One look at everything that decides.
#[derive(Debug)]
pub struct Seen {
    /// The configuration of the host's own sshd, and how it runs.
    pub sshd: sshd::Observed,
    /// Those of the declared instances.
    pub instances: Vec<sshd::Observed>,
    /// The configuration of the host's own client.
    pub ssh: ssh_client::Observed,
    /// The kernel's values; empty with `--root`.
    pub live: live::Observed,
    /// The files of sysctl.d.
    pub boot: boot::Observed,
    /// `net.ipv4.tcp_rto_max_ms`, since Linux 6.15.
    pub rto_max: Option<Duration>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Looks, also at the instances of sshd that the policy declares.
///
/// # Errors
/// When a part of the host can't be observed.
pub fn look(host: &Host, policy: &Policy) -> Result<Seen, ObserveError> {
    let sshd = Sshd::default().observe(host)?;
    let instances = policy.sshd_instances.iter().cloned();
    let instances = instances.map(|instance| Sshd::of(instance).observe(host));
    let instances = instances.collect::<Result<Vec<_>, _>>()?;
    let ssh = SshClient::default().observe(host)?;
    let live = Live::default().observe(host)?;
    let boot = Boot::default().observe(host)?;
    let mut problems: Vec<Problem> = live
        .values
        .values()
        .filter_map(|value| value.as_ref().err())
        .map(|reason| Problem::new(Live::NAME, Severity::Blocked, reason))
        .collect();
    problems.extend(boot.other_sources.iter().cloned());
    let number = |path: &str| -> Option<u32> {
        let Ok(Node::File(file)) = host.read(Path::new(path)) else { return None };
        std::str::from_utf8(&file.bytes).ok()?.trim().parse().ok()
    };
    let rto_max = if host.is_live() { number(RTO_MAX) } else { None };
    let rto_max = rto_max.map(|millis| Duration::from_millis(millis.into()));
    Ok(Seen { sshd, instances, ssh, live, boot, rto_max, problems })
}
