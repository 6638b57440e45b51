//! A further sshd of a host that runs several: its main file and its unit, as the policy names them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[[sshd_config.instance]]`. The host's own sshd is found without being declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance {
    /// Its main file: what its unit gives sshd as `-f`. Absolute.
    pub file: PathBuf,
    /// Its service unit, `sftp.service`.
    pub unit: String,
}

impl Instance {
    /// The socket unit that would start it.
    #[must_use]
    pub fn socket(&self) -> String {
        let base = self.unit.strip_suffix(".service").unwrap_or(&self.unit);
        // The socket of `sftp@1.service` has the whole name too.
        format!("{base}.socket")
    }

    /// What a marked block in its main file includes to beat `Match` blocks. Each instance has one
    /// of its own, since its owner alone may remove it.
    #[must_use]
    pub fn beside(&self) -> PathBuf {
        PathBuf::from(format!("/etc/ssh/keepalive-policy.{}.conf", self.file_name()))
    }

    /// The note of what its listener loaded, in the runtime directory.
    #[must_use]
    pub fn note(&self) -> String {
        format!("sshd-loaded.{}.json", self.file_name())
    }

    /// Its unit's name without what a shell or sshd's glob would take for something else.
    fn file_name(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':');
        self.unit.chars().map(|c| if plain(c) { c } else { '_' }).collect()
    }
}
