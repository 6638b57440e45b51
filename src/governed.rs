//! The parts of the host that are governed, together, for the commands that take them one by one.

use crate::host::Host;
use crate::policy::Policy;
use crate::reconcile::{Mode, Report, reconcile};
use crate::ssh_client::SshClient;
use crate::sshd::Sshd;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::Live;

/// All resources, with what they keep open.
#[derive(Debug, Default)]
pub struct Governed {
    /// The kernel's values now.
    pub live: Live,
    /// The kernel's values after the next boot.
    pub boot: Boot,
    /// sshd's settings.
    pub sshd: Sshd,
    /// ssh's settings, the host's.
    pub ssh_client: SshClient,
}

impl Governed {
    /// One pass over each. The kernel's values come first: nothing needs to wait for them.
    #[must_use]
    pub fn reconcile(&self, host: &Host, policy: &Policy, mode: Mode) -> Vec<Report> {
        let mut reports = vec![
            reconcile(&self.live, host, &policy.sysctl, mode),
            reconcile(&self.boot, host, &policy.sysctl, mode),
            reconcile(&self.sshd, host, &policy.sshd_config, mode),
            reconcile(&self.ssh_client, host, &policy.ssh_config, mode),
        ];
        reports.retain(|report| !report.is_empty());
        reports
    }

    /// One pass towards a policy that declares nothing: everything of ours is taken back.
    #[must_use]
    pub fn restore(&self, host: &Host) -> Vec<Report> {
        vec![
            reconcile(&self.boot, host, &Default::default(), Mode::Enforce),
            reconcile(&self.live, host, &Default::default(), Mode::Enforce),
            reconcile(&self.sshd, host, &Default::default(), Mode::Enforce),
            reconcile(&self.ssh_client, host, &Default::default(), Mode::Enforce),
        ]
    }
}
