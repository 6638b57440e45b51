//! What the service manager passed to this very process.

use std::path::PathBuf;

use super::Host;
use super::files::Node;

impl Host {
    /// The credential of this name, as `LoadCredential=` of the unit passes it (systemd.exec(5));
    /// `None` where the unit passes none at all, `Some(None)` where it would and there is none.
    #[must_use]
    pub fn passed_credential(&self, name: &str) -> Option<Option<Vec<u8>>> {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|_| self.is_live())?;
        match self.read(&PathBuf::from(directory).join(name)) {
            Ok(Node::File(file)) => Some(Some(file.bytes)),
            _ => Some(None),
        }
    }
}
