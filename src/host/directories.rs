//! Making directories, and removing those that we made.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;

use super::trust::{Directory, Refused};
use super::{Context, Host, HostError, open};

#[cfg(test)]
mod tests;

impl Host {
    /// Makes a directory and its parents, with this mode for those that are new.
    ///
    /// # Errors
    /// When another party can change the way there, and what `mkdir(2)` says, other than that it
    /// exists.
    pub fn make_directory(&self, path: &Path, mode: u32) -> Result<(), HostError> {
        const ACTION: &str = "cannot make the directory";
        self.make_and_open(path, mode).on(path, ACTION).map(drop)
    }

    /// The same, held open.
    pub(super) fn make_and_open(&self, path: &Path, mode: u32) -> io::Result<Directory> {
        let resolved = self.resolve(path).map_err(|error| error.source)?;
        let mut directory = self.way(&resolved, Path::new("/"))?;
        for name in open::names(&resolved.path) {
            directory = step_or_make(&directory, name, mode)?;
        }
        Ok(directory)
    }

    /// Removes a directory if nothing is in it; one that is not there counts as removed.
    ///
    /// # Errors
    /// What `rmdir(2)` says, other than that something is in it: then it is somebody else's now.
    pub fn remove_empty_directory(&self, path: &Path) -> Result<(), HostError> {
        const ACTION: &str = "cannot remove the directory";
        if !self.exists(path) {
            return Ok(());
        }
        let place = self.place(path).on(path, ACTION)?;
        match rustix::fs::unlinkat(&place.directory, &place.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(error).on(path, ACTION),
        }
    }
}

fn step_or_make(directory: &Directory, name: &OsStr, mode: u32) -> io::Result<Directory> {
    match directory.step(name) {
        Err(Refused::Unreachable { source: Errno::NOENT, .. }) => {}
        stepped => return Ok(stepped?),
    }
    // In a shared directory what we make is ours, and stays so.
    directory.keeps(&directory.path().join(name), rustix::process::geteuid().as_raw())?;
    match rustix::fs::mkdirat(directory, name, Mode::from(mode)) {
        Ok(()) => {}
        // Another process was quicker.
        Err(Errno::EXIST) => return Ok(directory.step(name)?),
        Err(error) => return Err(error.into()),
    }
    let made = directory.step(name)?;
    // After it is made, because a umask would take from the mode.
    rustix::fs::fchmod(open::listing_of(&made)?, Mode::from(mode))?;
    Ok(made)
}
