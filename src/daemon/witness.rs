//! Who did it: fanotify tells the process behind each write. Optional, since it takes a capability
//! that the unit withholds; best effort, since most writers are gone a moment later; and beside
//! everything else, since no correction waits for it.
//!
//! A BPF program on cgroup/sysctl would see writers in other mounts of /proc too, and could even veto
//! them. It is not used: it takes three more capabilities, a compiler for BPF or an object built
//! elsewhere, and slows down every access to any sysctl on the host by microseconds.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::state::Lines;
use crate::report::journal::{Event, Kind, Writer};

mod group;
mod process;
#[cfg(test)]
mod tests;

use group::Groups;

/// How long the line about a drift waits for who it was.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long ago a write may be that explains a drift. A file is looked at when its writer is done, a
/// second later at most.
const MEMORY: Duration = Duration::from_secs(5);

/// More writers than this within that time are not remembered.
const MOST: usize = 256;

/// The observer; its thread ends with it.
#[derive(Debug)]
pub struct Witness {
    seen: Arc<Seen>,
    groups: Arc<Groups>,
    /// The thread ends when the other end is closed.
    _alive: UnixStream,
}

#[derive(Debug, Default)]
struct Seen {
    sightings: Mutex<VecDeque<Sighting>>,
    news: Notify,
}

/// One write.
#[derive(Debug, Clone)]
struct Sighting {
    at: Instant,
    /// The name of the file, without its directory.
    entry: String,
    writer: Writer,
}

impl Witness {
    /// Starts to observe the kernel's values.
    ///
    /// # Errors
    /// EPERM without `CAP_SYS_ADMIN`; ENOSYS where the kernel has no fanotify, or a sandbox hides it.
    pub fn start() -> io::Result<Self> {
        let groups = Arc::new(Groups::open()?);
        let seen = Arc::new(Seen::default());
        let (alive, over) = UnixStream::pair()?;
        let (eyes, told) = (Arc::clone(&groups), Arc::clone(&seen));
        std::thread::Builder::new()
            .name("witness".to_owned())
            .spawn(move || eyes.watch(&over, |entry, pid| told.note(entry, pid)))?;
        Ok(Self { seen, groups, _alive: alive })
    }

    /// Observes what happens to the entries of a directory, too.
    pub fn observe(&self, directory: &Path) {
        self.groups.observe(directory);
    }

    /// Writes lines to the journal as soon as it is known who is behind them, or it is clear that
    /// nobody knows.
    pub fn tell(&self, lines: Lines) {
        if !lines.events.iter().any(asks) {
            lines.log();
            return;
        }
        let seen = Arc::clone(&self.seen);
        tokio::spawn(async move {
            let mut lines = lines;
            // Woken by each sighting, until each line has its own or the time is over.
            let _ = timeout(PATIENCE, seen.find_all(&mut lines)).await;
            for event in lines.events.iter_mut().filter(|event| asks(event)) {
                let writer = event.writer.get_or_insert_default();
                if writer.pid.is_none() && writer.name.is_none() {
                    writer.name = Some("an unknown program".to_owned());
                }
            }
            lines.log();
        });
    }
}

/// Whether it is about something that somebody did.
fn asks(event: &Event) -> bool {
    matches!(event.kind, Kind::Corrected | Kind::Drift | Kind::Contested) && event.setting.is_some()
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Sighting>> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called on the witness's thread, at once: the process may end any moment.
    fn note(&self, entry: String, pid: i32) {
        let (at, writer) = (Instant::now(), process::describe(pid));
        let mut sightings = self.lock();
        while sightings.front().is_some_and(|first| first.at.elapsed() > MEMORY)
            || sightings.len() >= MOST
        {
            sightings.pop_front();
        }
        sightings.push_back(Sighting { at, entry, writer });
        drop(sightings);
        self.news.notify_waiters();
    }

    async fn find_all(&self, lines: &mut Lines) {
        loop {
            let news = self.news.notified();
            let mut open = 0;
            for event in lines.events.iter_mut().filter(|event| asks(event)) {
                open += u32::from(!self.find(event));
            }
            if open == 0 {
                return;
            }
            news.await;
        }
    }

    fn find(&self, event: &mut Event) -> bool {
        let sightings = self.lock();
        let sighting = sightings.iter().rev().find(|sighting| concerns(&sighting.entry, event));
        let Some(sighting) = sighting else { return false };
        let name = event.writer.take().and_then(|writer| writer.name);
        let writer = sighting.writer.clone();
        event.writer = Some(Writer { name: name.or_else(|| Some(writer.sentence())), ..writer });
        true
    }
}

/// Whether a write to `entry` may be what the event is about.
fn concerns(entry: &str, event: &Event) -> bool {
    let file = |source: &str| {
        let path = source.rsplit_once(':').map_or(source, |(path, _)| path);
        Path::new(path).file_name().is_some_and(|name| name == entry)
    };
    match (&event.source, event.setting) {
        (Some(source), _) => file(source),
        (None, Some(setting)) if event.resource == "sysctl" => {
            setting.rsplit('.').next() == Some(entry) || entry.contains("keepalive-policy")
        }
        // A value that no file sets any more: somebody took ours away.
        (None, _) => entry.contains("keepalive-policy") || entry == "sshd_config",
    }
}
