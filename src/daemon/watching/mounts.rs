//! Mounts: something mounted over a watched directory or file makes no inotify event at all, and
//! what is watched from then on is no longer what programs read.

use std::collections::BTreeSet;
use std::fs::File;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::ready::{ready, register};
use crate::host::mounts::point;

/// Between two readings pass so many times what a reading takes, so that a host that mounts without
/// end costs half a percent of a core at most.
const SHARE: u32 = 200;

/// What it takes to be woken, beside the reading.
const WOKEN: Duration = Duration::from_micros(100);

/// The longest time without looking: thousands of mounts are read in milliseconds.
const LONGEST: Duration = Duration::from_secs(10);

/// `/proc/self/mountinfo`, which poll(2) reports as exceptional when it changes.
#[derive(Debug)]
pub(super) struct Mounts {
    change: Change,
    text: File,
    /// The lines that mattered when it was last read.
    known: Option<BTreeSet<String>>,
}

#[derive(Debug)]
enum Change {
    Awaited(AsyncFd<OwnedFd>),
    /// Out of the poll until then, where each mount would wake us: what comes meanwhile is reported at
    /// the return.
    Unheard(OwnedFd, Instant),
    /// epoll takes no more: the rereading finds what it would have told.
    Lost,
}

impl Mounts {
    /// `None` where there is no such file: the rereading finds what it would have told.
    pub fn open() -> Option<Self> {
        let text = File::open("/proc/self/mountinfo").ok()?;
        let change = register(OwnedFd::from(text.try_clone().ok()?), Interest::PRIORITY)?;
        Some(Self { change: Change::Awaited(change), text, known: None })
    }

    /// Reads it again; says whether a mount on, above or below one of `places` came or went. Then it
    /// rests, the longer the more there was to read.
    pub fn reread(&mut self, places: &BTreeSet<&Path>) -> bool {
        let begun = Instant::now();
        let differs = self.differs(places);
        let rest = (begun.elapsed() + WOKEN).saturating_mul(SHARE).min(LONGEST);
        self.change = match std::mem::replace(&mut self.change, Change::Lost) {
            Change::Awaited(change) => Change::Unheard(change.into_inner(), begun + rest),
            resting => resting,
        };
        differs
    }

    fn differs(&mut self, places: &BTreeSet<&Path>) -> bool {
        let Ok(text) = whole(&self.text) else { return true };
        let now = relevant(&String::from_utf8_lossy(&text), places);
        let before = self.known.replace(now.clone());
        before != Some(now)
    }

    fn listen(&mut self) {
        self.change = match std::mem::replace(&mut self.change, Change::Lost) {
            Change::Unheard(file, _) => {
                register(file, Interest::PRIORITY).map_or(Change::Lost, Change::Awaited)
            }
            listening => listening,
        };
    }
}

/// Waits until a mount came or went. Cancel-safe.
pub(super) async fn changed(mounts: &mut Option<Mounts>) {
    let Some(mounts) = mounts else { return pending().await };
    if let Change::Unheard(_, until) = mounts.change {
        sleep_until(until).await;
        mounts.listen();
    }
    match &mounts.change {
        Change::Awaited(change) => ready(change, Interest::PRIORITY).await,
        Change::Unheard(..) | Change::Lost => pending().await,
    }
}

fn whole(file: &File) -> std::io::Result<Vec<u8>> {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let at = u64::try_from(text.len()).unwrap_or(u64::MAX);
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
