//! Which processes hold which sockets. Other users' processes show theirs only to root.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::files::LARGEST_DIRECTORY;
use super::process::Process;

/// Ticks in a second, as /proc counts them.
const TICKS: u64 = 100;

/// No title of sshd's is longer. Another user's process may have the name and any title, and there may
/// be thousands of them.
const LONGEST_TITLE: usize = 4096;

/// A process, with what tells what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// That of the process that started it.
    pub parent: u32,
    /// Its title: what it was called with, or what it wrote over that; empty where that is
    /// longer than sshd's are.
    pub title: String,
    /// When it was started, since 1970, to 10 ms.
    pub started: Option<Duration>,
    /// The inodes of its sockets, each with its lowest descriptor; empty where we may not look.
    pub sockets: BTreeMap<u64, u32>,
}

/// Every process whose program's name begins with `prefix`.
#[must_use]
pub fn named(prefix: &str) -> Vec<Holder> {
    let processes = Process::all();
    let named = processes.iter().filter(|process| process.name.starts_with(prefix));
    named.map(holder).collect()
}

fn holder(process: &Process) -> Holder {
    let mut arguments = process.command_line();
    if arguments.len() > LONGEST_TITLE {
        arguments.clear();
    }
    let words: Vec<_> = arguments
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    Holder {
        pid: process.pid,
        parent: process.parent,
        title: words.join(" ").trim().to_owned(),
        started: since_1970(process.started),
        sockets: sockets(process.pid),
    }
}

/// Ticks since boot, by the clocks: `btime` of /proc/stat is off by up to a second.
fn since_1970(ticks: u64) -> Option<Duration> {
    let read = |clock| Duration::try_from(clock_gettime(clock)).ok();
    let boot = read(ClockId::Realtime)?.checked_sub(read(ClockId::Boottime)?)?;
    boot.checked_add(Duration::from_millis(ticks.checked_mul(1000 / TICKS)?))
}

fn sockets(pid: u32) -> BTreeMap<u64, u32> {
    let mut sockets = BTreeMap::new();
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return sockets };
    // The lowest ones come first; a process of any user may have half a million.
    for descriptor in descriptors.filter_map(Result::ok).take(LARGEST_DIRECTORY) {
        let number = descriptor.file_name().to_str().and_then(|name| name.parse().ok());
        let inode = std::fs::read_link(descriptor.path()).ok().as_deref().and_then(inode);
        if let (Some(number), Some(inode)) = (number, inode) {
            let lowest = sockets.entry(inode).or_insert(number);
            *lowest = number.min(*lowest);
        }
    }
    sockets
}

/// The number in `socket:[12345]`.
fn inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn our_own_sockets_are_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pid = std::process::id();
        let own = Process::find(pid).unwrap();
        let found = named(&own.name).into_iter().find(|holder| holder.pid == pid).unwrap();
        assert_eq!(found.parent, std::os::unix::process::parent_id());
        let descriptor = u32::try_from(listener.as_raw_fd()).unwrap();
        assert!(found.sockets.values().any(|number| *number == descriptor), "{found:?}");
        assert!(!found.title.is_empty());
        let age = std::time::UNIX_EPOCH.elapsed().unwrap().abs_diff(found.started.unwrap());
        assert!(age < Duration::from_secs(600), "{age:?}");
    }

    #[test]
    fn only_links_to_sockets_have_an_inode() {
        for (link, expected) in [
            ("socket:[42]", Some(42)),
            ("pipe:[42]", None),
            ("/dev/null", None),
            ("socket:[]", None),
        ] {
            assert_eq!(inode(Path::new(link)), expected);
        }
    }
}
