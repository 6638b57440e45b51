//! Removing a directory that we made.

use std::path::Path;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::{Context, Host, HostError};

impl Host {
    /// Removes a directory if nothing is in it; one that is not there counts as removed.
    ///
    /// # Errors
    /// What `rmdir(2)` says, other than that something is in it: then it is somebody else's now.
    pub fn remove_empty_directory(&self, path: &Path) -> Result<(), HostError> {
        let located = self.locate(&self.resolve(path)?.path);
        match rustix::fs::unlinkat(rustix::fs::CWD, located, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(error).on(path, "cannot remove the directory"),
        }
    }
}
