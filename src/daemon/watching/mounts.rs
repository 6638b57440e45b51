//! Mounts: something mounted over a watched directory or file makes no inotify event at all, and
//! what is watched from then on is no longer what programs read.

use std::collections::BTreeSet;
use std::fs::File;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::ready::{ready, register};
use crate::host::files::{LARGEST_FILE, beyond};
use crate::host::mounts::point;

/// Between two readings pass so many times what a reading takes of the processor, so that a host that
/// mounts without end costs half a percent of a core at most. Time that other processes had in between
/// doesn't count: on a busy host it would make every mount go unseen for seconds.
const SHARE: u32 = 200;

/// What it takes to be woken, beside the reading.
const WOKEN: Duration = Duration::from_micros(100);

/// The longest time without looking: thousands of mounts are read in milliseconds.
const LONGEST: Duration = Duration::from_secs(10);

/// `/proc/self/mountinfo`, which poll(2) reports as exceptional when it changes.
#[derive(Debug)]
pub(super) struct Mounts {
    change: Change,
    /// The same file, opened once more: each open file remembers for itself which changes it has told.
    text: File,
    /// The lines that mattered when it was last read.
    known: Option<BTreeSet<String>>,
}

#[derive(Debug)]
enum Change {
    Awaited(AsyncFd<OwnedFd>),
    /// Out of the poll until then, where each mount would wake us.
    Unheard(OwnedFd, Instant),
    /// epoll takes no more: the rereading finds what it would have told.
    Lost,
}

impl Mounts {
    /// `None` where there is no such file: the rereading finds what it would have told.
    pub fn open() -> Option<Self> {
        let open = || File::open("/proc/self/mountinfo").ok();
        let change = register(OwnedFd::from(open()?), Interest::PRIORITY)?;
        Some(Self { change: Change::Awaited(change), text: open()?, known: None })
    }

    /// Reads it again; says whether a mount on, above or below one of `places` came or went. Then it
    /// rests, the longer the more there was to read.
    pub fn reread(&mut self, places: &BTreeSet<&Path>) -> bool {
        let begun = processor_time();
        let differs = self.differs(places);
        let spent = processor_time().saturating_sub(begun);
        let rest = (spent + WOKEN).saturating_mul(SHARE).min(LONGEST);
        self.change = match std::mem::replace(&mut self.change, Change::Lost) {
            Change::Awaited(change) => Change::Unheard(change.into_inner(), Instant::now() + rest),
            resting => resting,
        };
        differs
    }

    fn differs(&mut self, places: &BTreeSet<&Path>) -> bool {
        // Before it is read: what changes from here on is told at the end of the rest.
        self.has_changed();
        // What is not known may have changed.
        let Ok(text) = whole(&self.text) else { return true };
        let now = relevant(&String::from_utf8_lossy(&text), places);
        let before = self.known.replace(now.clone());
        before != Some(now)
    }

    /// Whether a mount came or went since this was last asked.
    fn has_changed(&self) -> bool {
        let mut file = [PollFd::new(&self.text, PollFlags::PRI)];
        poll(&mut file, Some(&Timespec::default())).is_ok_and(|found| found > 0)
    }

    /// Joins the poll again; says whether a mount came or went meanwhile. epoll does not: it asks the
    /// file when it takes it in, and the file tells each change only once.
    fn listen(&mut self) -> bool {
        self.change = match std::mem::replace(&mut self.change, Change::Lost) {
            Change::Unheard(file, _) => {
                register(file, Interest::PRIORITY).map_or(Change::Lost, Change::Awaited)
            }
            listening => listening,
        };
        self.has_changed()
    }
}

/// Waits until a mount came or went. Cancel-safe.
pub(super) async fn changed(mounts: &mut Option<Mounts>) {
    let Some(mounts) = mounts else { return pending().await };
    if let Change::Unheard(_, until) = mounts.change {
        sleep_until(until).await;
        if mounts.listen() {
            return;
        }
    }
    match &mounts.change {
        Change::Awaited(change) => ready(change, Interest::PRIORITY).await,
        Change::Unheard(..) | Change::Lost => pending().await,
    }
}

/// What this thread has had of the processor.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn whole(file: &File) -> std::io::Result<Vec<u8>> {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let at = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if at > LARGEST_FILE {
            return Err(beyond(LARGEST_FILE, "bytes"));
        }
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(text),
            length => text.extend(buffer.iter().take(length)),
        }
    }
}

/// The lines about a mount point that is one of `places`, or below one, or on the way to one. The
/// root is on the way to all, and never mounted over.
fn relevant(mountinfo: &str, places: &BTreeSet<&Path>) -> BTreeSet<String> {
    let matters = |point: &Path| {
        let near = |place: &Path| place.starts_with(point) || point.parent() == Some(place);
        point != Path::new("/") && places.iter().any(|place| near(place))
    };
    let point = |line: &&str| point(line.as_bytes()).is_some_and(|point| matters(&point));
    mountinfo.lines().filter(point).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_on_the_way_or_on_an_entry_matter() {
        let places = ["/", "/etc", "/etc/ssh"].map(Path::new);
        let line = |point: &str| format!("36 35 98:0 /x {point} rw master:1 - ext4 /dev/root rw");
        let points = ["/", "/etc", "/etc/ssh", "/etc/ssh/sshd_config", "/run/user/0", "/etc/a/b"];
        let mountinfo = points.map(line).join("\n");
        let found = relevant(&mountinfo, &BTreeSet::from(places));
        let expected = ["/etc", "/etc/ssh", "/etc/ssh/sshd_config"].map(line);
        assert_eq!(found, BTreeSet::from(expected));
    }
}
