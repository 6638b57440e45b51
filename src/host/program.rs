//! Programs that we may run: files that no other user can have made or changed.
//!
//! The daemon is root. A process of another user can give itself any name and any command line, and
//! a script runs whatever it says: neither may decide what root runs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, OFlags, readlinkat};
use rustix::io::Errno;

use super::command::Output;
use super::open::Seen;
use super::permissions::Permissions;
use super::trust::{Directory, Distrust, Parties, Refused};
use super::{Host, HostError};

#[cfg(test)]
mod tests;

/// The kernel's own limit (`MAXSYMLINKS`).
const LINK_LIMIT: usize = 40;

/// Where programs are looked for by name: what [`Host::run`] gives a program as its `PATH`.
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// An ELF file that only root can change, on a path that only root can change. Where we are not
/// root, our own user counts as root does. Only [`TrustedProgram::at`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProgram {
    path: PathBuf,
    resolved: PathBuf,
}

/// Why a program is not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// Nothing is there.
    #[error("{path} is not there", path = .0.display())]
    Missing(PathBuf),
    /// It can't be looked at.
    #[error("{path} can't be examined: {error}", path = .path.display())]
    Unreadable {
        /// Which file or directory.
        path: PathBuf,
        /// What the kernel said.
        error: Errno,
    },
    /// A user other than root could change it, or exchange it for another program.
    #[error("{}: who can change it decides what root runs; {}", .0.fault(), .0.remedy())]
    Changeable(Box<Distrust>),
    /// It runs what another file says, or is no program.
    #[error("{path} is a script or another file that is not an ELF program", path = .0.display())]
    NotElf(PathBuf),
}

impl TrustedProgram {
    /// The program at an absolute path of this machine. The way to it is judged by descriptors: what
    /// was judged is what the next step starts from.
    ///
    /// # Errors
    /// Why it must not be run.
    pub fn at(path: &Path) -> Result<Self, NotRun> {
        if !path.is_absolute() {
            return Err(NotRun::Missing(path.to_owned()));
        }
        let parties = Parties::of_caller();
        let mut way = Way::from_root(parties)?;
        let mut pending = parts(path);
        let mut links = 0;
        while let Some(part) = pending.pop() {
            if part == ".." {
                way.below.pop();
                continue;
            }
            let here = way.here();
            let entry = here.path().join(&part);
            match Seen::within(here, &part) {
                Ok(seen) if seen.kind() == FileType::Directory => {
                    let below = here.step(&part)?;
                    way.below.push(below);
                }
                Ok(seen) if pending.is_empty() => {
                    here.is_ours_alone()?;
                    judge_file(&seen, &entry, parties)?;
                    return Ok(Self { path: path.to_owned(), resolved: entry });
                }
                Ok(_) => return Err(NotRun::Missing(path.to_owned())),
                Err(Errno::LOOP) if links < LINK_LIMIT => {
                    links += 1;
                    // What a link says is changed by exchanging it.
                    here.is_ours_alone()?;
                    let target = target(here, &part, &entry)?;
                    if target.is_absolute() {
                        way = Way::from_root(parties)?;
                    }
                    pending.extend(parts(&target));
                }
                Err(error) => return Err(failed(entry, error)),
            }
        }
        // A directory.
        Err(NotRun::NotElf(path.to_owned()))
    }

    /// The first of `candidates` that may be run; `None` where none of them exists.
    ///
    /// # Errors
    /// Why the first of those that exist must not be run, where none may.
    pub fn first(candidates: &[&str]) -> Result<Option<Self>, NotRun> {
        let mut why = None;
        for candidate in candidates {
            match Self::at(Path::new(candidate)) {
                Ok(program) => return Ok(Some(program)),
                Err(NotRun::Missing(_)) => {}
                Err(not_run) => why = why.or(Some(not_run)),
            }
        }
        why.map_or(Ok(None), Err)
    }

    /// The program that has this name in one of the directories of the usual `PATH`.
    ///
    /// # Errors
    /// When there is none, or none that may be run.
    pub fn named(name: &str) -> Result<Self, NotRun> {
        let paths = DIRECTORIES.map(|directory| format!("{directory}/{name}"));
        let found = Self::first(&paths.each_ref().map(String::as_str))?;
        found.ok_or_else(|| NotRun::Missing(name.into()))
    }

    /// As it was asked for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file, with all symbolic links followed.
    #[must_use]
    pub fn resolved(&self) -> &Path {
        &self.resolved
    }

    /// Runs it, as [`Host::run`] does.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Result<Output, HostError> {
        Host::run(self.path.as_os_str(), arguments, limit)
    }

    /// Starts it, as [`Host::run_daemon`] does.
    ///
    /// # Errors
    /// As [`Host::run_daemon`].
    pub fn run_daemon<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Result<Output, HostError> {
        Host::run_daemon(self.path.as_os_str(), arguments, limit)
    }
}

impl From<Refused> for NotRun {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Distrusted(distrust) => Self::Changeable(distrust),
            Refused::Unreachable { path, source } => failed(path, source),
        }
    }
}

impl From<NotRun> for HostError {
    fn from(not_run: NotRun) -> Self {
        let path = match &not_run {
            NotRun::Missing(path) | NotRun::NotElf(path) => path,
            NotRun::Unreadable { path, .. } => path,
            NotRun::Changeable(distrust) => &distrust.path,
        };
        let path = path.clone();
        Self { path, action: "is not run", source: io::Error::other(not_run) }
    }
}

/// The directories from `/` to where the walk stands, each of them trusted.
struct Way {
    root: Directory,
    below: Vec<Directory>,
}

impl Way {
    fn from_root(parties: Parties) -> Result<Self, NotRun> {
        Ok(Self { root: parties.root()?, below: Vec::new() })
    }

    fn here(&self) -> &Directory {
        self.below.last().unwrap_or(&self.root)
    }
}

/// The parts of a path, last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let mut parts = Vec::new();
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => parts.push(name.to_owned()),
            Component::ParentDir => parts.push("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    parts
}

fn target(directory: &Directory, name: &OsStr, link: &Path) -> Result<PathBuf, NotRun> {
    match readlinkat(directory.as_fd(), name, Vec::new()) {
        Ok(target) => Ok(PathBuf::from(OsString::from_vec(target.into_bytes()))),
        Err(error) => Err(failed(link.to_owned(), error)),
    }
}

fn judge_file(seen: &Seen<'_>, path: &Path, parties: Parties) -> Result<(), NotRun> {
    if seen.kind() != FileType::RegularFile {
        return Err(NotRun::NotElf(path.to_owned()));
    }
    let permissions = Permissions::of(seen.stat());
    parties.alone_change(path, permissions).map_err(NotRun::Changeable)?;
    let is_elf = is_elf(seen).map_err(|error| failed(path.to_owned(), error))?;
    if permissions.mode & 0o111 == 0 || !is_elf {
        return Err(NotRun::NotElf(path.to_owned()));
    }
    Ok(())
}

/// Reads the beginning of the file that was judged, not of what may have its name by now.
fn is_elf(seen: &Seen<'_>) -> Result<bool, Errno> {
    let file = seen.open(OFlags::RDONLY)?;
    let mut start = [0; 4];
    let length = rustix::io::pread(&file, &mut start, 0)?;
    Ok(start.get(..length) == Some(b"\x7fELF".as_slice()))
}

fn failed(path: PathBuf, error: Errno) -> NotRun {
    match error {
        Errno::NOENT | Errno::NOTDIR => NotRun::Missing(path),
        error => NotRun::Unreadable { path, error },
    }
}
