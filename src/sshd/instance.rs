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
        format!("{}.socket", self.unit.strip_suffix(".service").unwrap_or(&self.unit))
    }

    /// What a marked block in its main file includes to beat `Match` blocks.
    #[must_use]
    pub fn beside(&self) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(".keepalive-policy");
        path.into()
    }

    /// The note of what its listener loaded, in the runtime directory.
    #[must_use]
    pub fn note(&self) -> String {
        format!("sshd-loaded.{}.json", self.unit)
    }
}
