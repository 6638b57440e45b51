//! How each resource is governed: its part of the policy, and its rhythm.

use std::time::Duration;

use super::reconciler::Kind;
use crate::ssh_client::SshClient;
use crate::sshd::Sshd;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::Live;
use crate::sysctl::live::named::Named;

/// Cheap to reread, and never half-written.
pub(super) fn live() -> Kind<Live> {
    Kind {
        desired: |_, policy| policy.sysctl.clone(),
        resync: |policy| policy.live_interval,
        spacing: |_| Duration::ZERO,
        settle: false,
    }
}

/// Not worth a wake-up of its own while nobody asks for namespaces.
pub(super) fn named() -> Kind<Named> {
    Kind {
        desired: |_, policy| policy.namespaces.clone(),
        resync: |policy| match policy.namespaces.values.is_empty() {
            true => policy.resync_interval,
            false => policy.live_interval,
        },
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

/// Files, which settle.
pub(super) fn boot() -> Kind<Boot> {
    Kind {
        desired: |_, policy| policy.sysctl.clone(),
        resync: |policy| policy.resync_interval,
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}

/// Files, and a reload that costs something.
pub(super) fn sshd() -> Kind<Sshd> {
    Kind {
        desired: |sshd, policy| policy.sshd_of(sshd.instance.as_ref()),
        resync: |policy| policy.resync_interval,
        spacing: |policy| policy.reload_spacing,
        settle: true,
    }
}

/// Files, which settle.
pub(super) fn ssh_client() -> Kind<SshClient> {
    Kind {
        desired: |_, policy| policy.ssh_config.clone(),
        resync: |policy| policy.resync_interval,
        spacing: |_| Duration::ZERO,
        settle: true,
    }
}
