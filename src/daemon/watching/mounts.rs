//! Mounts: something mounted over a watched directory or file makes no inotify event at all, and
//! what is watched from then on is no longer what programs read.

use std::collections::BTreeSet;
use std::fs::File;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ready::{ready, register};

/// `/proc/self/mountinfo`, which poll(2) reports as exceptional when it changes.
#[derive(Debug)]
pub(super) struct Mounts {
    change: AsyncFd<OwnedFd>,
    text: File,
    /// The lines that mattered when it was last read.
    known: Option<BTreeSet<String>>,
}

impl Mounts {
    /// `None` where there is no such file: the rereading finds what it would have told.
    pub fn open() -> Option<Self> {
        let text = File::open("/proc/self/mountinfo").ok()?;
        let change = register(OwnedFd::from(text.try_clone().ok()?), Interest::PRIORITY)?;
        Some(Self { change, text, known: None })
    }

    /// Reads it again; says whether a mount on, above or below one of `places` came or went.
    pub fn reread(&mut self, places: &BTreeSet<&Path>) -> bool {
        let Ok(text) = whole(&self.text) else { return true };
        let now = relevant(&String::from_utf8_lossy(&text), places);
        let before = self.known.replace(now.clone());
        before != Some(now)
    }
}

/// Waits until a mount came or went.
pub(super) async fn changed(mounts: &mut Option<Mounts>) {
    let Some(mounts) = mounts else { return pending().await };
    ready(&mounts.change, Interest::PRIORITY).await;
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
    // Field 5 is the mount point; a blank in one is written \040, and none of ours has any.
    let point = |line: &&str| line.split(' ').nth(4).is_some_and(|point| matters(Path::new(point)));
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
