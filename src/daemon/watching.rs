//! inotify: directories, not files, so that a file may be replaced, removed or made later; for
//! every link on the way the directory of its target too. Events are hints: they say whose resource
//! is due, and what is true is read afterwards.
//!
//! By hand, and not by a crate that hides the mask: one that asks for `IN_OPEN` would wake us for
//! each program that any process starts, since every one opens `/etc/ld.so.cache`; and one that reads
//! until nothing is left never gets to anything else while somebody writes as fast as he can.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::inotify::{self, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::time::sleep_until;

use crate::host::Host;

mod eye;
mod mounts;
mod place;
mod ready;
#[cfg(test)]
mod tests;
mod throttle;

use eye::Eye;
use mounts::Mounts;
use place::{Interest, Wanted};
use throttle::Throttle;

/// What changes something, and nothing that only looks.
const MASK: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Room for a few hundred events a call.
const BUFFER: usize = 16 * 1024;

/// No more than this many calls in one go: the queue holds 16384 events unless it was made larger,
/// and a writer that is quicker than we read must not keep us from everything else.
const CALLS: usize = 64;

/// Who is told, by the name that was given to [`Watch::set`].
pub type Names = BTreeSet<Arc<str>>;

/// The watches of some parties.
#[derive(Debug)]
pub struct Watch {
    host: Host,
    eye: Option<Eye>,
    mounts: Option<Mounts>,
    throttle: Throttle,
    /// The last reading left something in the queue, which then makes no new readiness.
    unread: bool,
    interests: BTreeMap<Arc<str>, Interest>,
    /// What an event of each watch descriptor means.
    wanted: BTreeMap<i32, Wanted>,
}

/// What came of asking for watches.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Armed {
    /// Those for whom something is watched now that wasn't: they must look once more, for what
    /// happened before.
    pub more: Names,
    /// What could not be watched, and why.
    pub troubles: Vec<String>,
}

impl Watch {
    /// Nothing yet; inside the runtime, whose poll it joins.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            host,
            eye: None,
            mounts: None,
            throttle: Throttle::default(),
            unread: false,
            interests: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// Replaces what `name` wants to hear of, paths as the host names them, and brings all watches
    /// into line with what is on the paths now: to be called after each look, since links and
    /// directories may have come, gone or been swapped.
    pub fn set(&mut self, name: &str, watched: &BTreeSet<PathBuf>) -> Armed {
        let host = self.host.clone();
        self.set_on(&host, name, watched)
    }

    /// Where watches are, or should be.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        self.interests.values().flat_map(|interest| &interest.places).map(PathBuf::as_path)
    }

    /// The same for paths of this machine, whatever the root: the policy file.
    pub fn set_located(&mut self, name: &str, watched: &BTreeSet<PathBuf>) -> Armed {
        self.set_on(&Host::live(), name, watched)
    }

    /// `name` wants to hear of nothing any more.
    pub fn forget(&mut self, name: &str) {
        self.interests.remove(name);
        // Nothing is added, so nothing can fail.
        let _ = self.arm();
    }

    fn set_on(&mut self, host: &Host, name: &str, watched: &BTreeSet<PathBuf>) -> Armed {
        self.interests.insert(name.into(), Interest::trace(host, watched));
        match self.arm() {
            Ok(armed) => armed,
            Err(error) => Armed { more: Names::new(), troubles: vec![explain(error)] },
        }
    }

    /// Asks for all watches again. One that is there already stays as it is; one whose directory
    /// was replaced, mounted over or dropped from the cache comes back with another descriptor.
    fn arm(&mut self) -> Result<Armed, Errno> {
        if self.eye.as_ref().and_then(Eye::fd).is_none() {
            self.eye = Some(Eye::new()?);
            self.mounts = Mounts::open();
        }
        let Some(fd) = self.eye.as_ref().and_then(Eye::fd) else { return Ok(Armed::default()) };
        let mut armed = Armed::default();
        let mut wanted: BTreeMap<i32, Wanted> = BTreeMap::new();
        for (name, interest) in &self.interests {
            for place in &interest.places {
                match inotify::add_watch(fd, place, MASK) {
                    Ok(descriptor) => {
                        let known = self.wanted.get(&descriptor);
                        if known.is_none_or(|known| !known.whole.contains(name)) {
                            armed.more.insert(Arc::clone(name));
                        }
                        wanted.entry(descriptor).or_default().add(name, place, &interest.paths);
                    }
                    // It will be made in a directory that is watched.
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    Err(error) => {
                        armed.troubles.push(format!("{}: {}", place.display(), explain(error)));
                    }
                }
            }
        }
        for stale in self.wanted.keys().filter(|descriptor| !wanted.contains_key(descriptor)) {
            // One whose directory is gone is gone already.
            let _ = inotify::remove_watch(fd, *stale);
        }
        self.wanted = wanted;
        Ok(armed)
    }

    /// Waits until something happened that concerns somebody, and says whom. Cancel-safe: what it
    /// has taken from the queue it returns without waiting again.
    pub async fn heard(&mut self) -> Names {
        loop {
            let Some(eye) = &mut self.eye else { return pending().await };
            if let Some(then) = self.throttle.until().filter(|then| *then > Instant::now()) {
                eye.shut();
                sleep_until(then.into()).await;
            }
            eye.open();
            let names = tokio::select! {
                () = eye.readable(), if !self.unread => self.take(),
                () = std::future::ready(()), if self.unread => self.take(),
                () = mounts::changed(&mut self.mounts) => self.mounted(),
            };
            if !names.is_empty() {
                return names;
            }
        }
    }

    /// Reads what is queued.
    fn take(&mut self) -> Names {
        let mut names = Names::new();
        let Some(fd) = self.eye.as_ref().and_then(Eye::fd) else { return names };
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(fd, &mut buffer);
        let (mut events, mut calls) = (0, 0);
        loop {
            calls += usize::from(reader.is_buffer_empty());
            self.unread = calls > CALLS;
            if self.unread {
                break;
            }
            let Ok(event) = reader.next() else { break };
            events += 1;
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                // Events were lost, nobody knows whose.
                names.extend(self.interests.keys().cloned());
            } else if let Some(wanted) = self.wanted.get(&event.wd()) {
                wanted.concerned(event.file_name(), &mut names);
            }
        }
        self.throttle.took(Instant::now(), events);
        names
    }

    /// A mount came or went, which no event tells where it is: all look, where it matters to them.
    fn mounted(&mut self) -> Names {
        self.throttle.took(Instant::now(), 1);
        let Some(mounts) = &mut self.mounts else { return Names::new() };
        let interests = self.interests.values();
        let places = interests.flat_map(|interest| &interest.places).map(PathBuf::as_path);
        match mounts.reread(&places.collect()) {
            true => self.interests.keys().cloned().collect(),
            false => Names::new(),
        }
    }
}

/// What to do about it, where the number alone does not say.
fn explain(error: Errno) -> String {
    match error {
        Errno::MFILE => format!("{error}: raise fs.inotify.max_user_instances"),
        Errno::NOSPC => format!("{error}: raise fs.inotify.max_user_watches"),
        _ => error.to_string(),
    }
}
