//! The policy: what `/etc/keepalive-policy.toml` declares, validated.

use std::path::PathBuf;
use std::time::Duration;

use crate::reconcile::Mode;
use crate::{sshd, sysctl};

/// A valid policy. Only what is declared in it is managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The file it was read from.
    pub path: PathBuf,
    /// `mode`: enforce, or only report.
    pub mode: Mode,
    /// `[sysctl]`.
    pub sysctl: sysctl::Desired,
    /// `[sshd_config]`.
    pub sshd_config: sshd::Desired,
    /// `[ssh_config]`.
    pub ssh_config: SshConfig,
    /// `[path] hops`: ids of the table of middleboxes.
    pub hops: Vec<String>,
    /// `[daemon] live_interval`: how often the kernel's values are reread.
    pub live_interval: Duration,
    /// `[daemon] resync_interval`: how often the files are reread.
    pub resync_interval: Duration,
    /// What is declared but has no effect, one sentence each: sections that are not enforced yet.
    pub notices: Vec<String>,
}

/// `[ssh_config]`: the host's own ssh client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshConfig {
    /// Seconds.
    pub server_alive_interval: Option<u32>,
    /// A count.
    pub server_alive_count_max: Option<u32>,
}
