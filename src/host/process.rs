//! Other processes, as far as /proc shows them to a process without any capability: the unit's
//! capability set is empty, so `exe` and `fd` of sshd can't be read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};

use super::{Context, HostError, files};

/// Kernel ticks in a second, as /proc counts them (`USER_HZ`): 100 on every architecture that this
/// program is built for.
const TICKS: u64 = 100;

/// A process is started a moment before systemd notes the time, and its own time is rounded down to
/// a tick: one that has got the id of an earlier one is later than that.
const START_TOLERANCE: Duration = Duration::from_millis(100);

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The name of its program, cut to 15 bytes by the kernel; `exec` changes it.
    pub name: String,
    /// The process that started it, or took it over; 0 where that is none that we see.
    pub parent: u32,
    /// The process that leads its session; 0 where that is none that we see.
    pub session: u32,
    /// When it was started, in ticks since boot. `exec` does not change it, so with the id it
    /// tells one process from the next of that id.
    pub started: u64,
}

/// A TCP socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListeningSocket {
    /// Its inode: another number for each new socket.
    pub inode: u64,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

impl Process {
    /// The process with this id; `None` when there is none or it has ended (a zombie).
    #[must_use]
    pub fn find(pid: u32) -> Option<Self> {
        let stat = said(pid, "stat")?;
        Self::parse(pid, &String::from_utf8_lossy(&stat))
    }

    /// Every process that runs, by its id. The kernel has 4,194,304 of them at most.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(Self::find).collect()
    }

    /// The file that stands for its network namespace; it can be opened only by who may trace it.
    #[must_use]
    pub fn network_namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.pid))
    }

    /// Whether it sees a network interface beside the loopback one.
    #[must_use]
    pub fn has_network(&self) -> bool {
        // A user can make any number of interfaces; the first lines tell.
        const FIRST: u64 = 4096;
        let mut table = Vec::new();
        let file = File::open(format!("/proc/{}/net/dev", self.pid));
        let read = file.and_then(|file| file.take(FIRST).read_to_end(&mut table));
        read.is_ok() && has_network(&String::from_utf8_lossy(&table))
    }

    /// `/proc/PID/stat`: the name stands in brackets and may itself hold brackets and blanks.
    fn parse(pid: u32, stat: &str) -> Option<Self> {
        let (_, rest) = stat.split_once('(')?;
        let (name, rest) = rest.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // proc_pid_stat(5) counts from 1, and these begin with field 3.
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        Some(Self {
            pid,
            name: name.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether it still runs, and is not another one with its id.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Sends it SIGHUP, and to no other process that may have got its id meanwhile.
    ///
    /// # Errors
    /// When it has ended, or may not be signalled by us.
    pub fn hang_up(&self) -> Result<(), HostError> {
        let path = PathBuf::from(format!("/proc/{}", self.pid));
        let gone = || std::io::Error::other("it has ended");
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or_else(gone);
        let pid = pid.on(&path, "cannot send SIGHUP")?;
        // The descriptor stands for the process that has the id now; the look that follows tells
        // whether that is the one meant.
        let fd = pidfd_open(pid, PidfdFlags::empty());
        if !self.is_alive() {
            return Err(gone()).on(&path, "cannot send SIGHUP");
        }
        match fd {
            Ok(fd) => pidfd_send_signal(&fd, Signal::HUP),
            // A kernel before 5.3: between the look and the signal the id would have to come round.
            Err(_) => kill_process(pid, Signal::HUP),
        }
        .on(&path, "cannot send SIGHUP")
    }

    /// Its command line: arguments that end in NUL each, or what it wrote over them; empty where that
    /// is longer than a megabyte.
    #[must_use]
    pub fn command_line(&self) -> Vec<u8> {
        said(self.pid, "cmdline").unwrap_or_default()
    }

    /// Its program; `None` where we may not see it.
    #[must_use]
    pub fn executable(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{}/exe", self.pid)).ok()
    }

    /// Whether it runs as root by all of its four user ids: real, effective, saved, file system. No
    /// where that can't be read.
    #[must_use]
    pub fn is_roots(&self) -> bool {
        let status = said(self.pid, "status").unwrap_or_default();
        is_roots(&String::from_utf8_lossy(&status))
    }

    /// Whether it is in this control group or one below, as systemd's `ControlGroup` names it. No
    /// where that can't be read.
    #[must_use]
    pub fn is_in_control_group(&self, group: &str) -> bool {
        let text = said(self.pid, "cgroup").unwrap_or_default();
        is_in_control_group(&String::from_utf8_lossy(&text), group)
    }

    /// Whether it was started no later than this moment of `CLOCK_MONOTONIC`. The kernel counts a
    /// process's start with the time that the machine slept, systemd without.
    #[must_use]
    pub fn was_started_by(&self, moment: Duration) -> bool {
        let clock = |id| Duration::try_from(clock_gettime(id)).unwrap_or_default();
        let slept = clock(ClockId::Boottime).saturating_sub(clock(ClockId::Monotonic));
        Duration::from_millis(self.started * 1000 / TICKS) <= moment + slept + START_TOLERANCE
    }

    /// The unit whose control group it is in.
    #[must_use]
    pub fn unit(&self) -> Option<String> {
        let text = said(self.pid, "cgroup")?;
        unit_of(&String::from_utf8_lossy(&text))
    }

    /// The outermost unit around it: of what runs in a container, the one that the host knows it by.
    #[must_use]
    pub fn outer_unit(&self) -> Option<String> {
        let text = said(self.pid, "cgroup")?;
        outer_unit_of(&String::from_utf8_lossy(&text))
    }

    /// When it was started, in seconds since 1970, rounded down.
    #[must_use]
    pub fn started_at(&self) -> Option<i64> {
        // A line of hundreds of kilobytes about interrupts comes before it on large machines.
        let stat = files::kernel_file(Path::new("/proc/stat"), files::LARGEST_FILE).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
        let since = i64::try_from(self.started / TICKS).ok()?;
        boot.trim().parse::<i64>().ok()?.checked_add(since)
    }

    /// When it was started, in milliseconds of `CLOCK_BOOTTIME`, rounded down to a tick.
    #[must_use]
    pub const fn started_clock(&self) -> u64 {
        self.started.saturating_mul(1_000 / TICKS)
    }

    /// The TCP sockets that root, or we, have listening in its network namespace. Those of other
    /// users are none of sshd's, and may be a hundred thousand.
    #[must_use]
    pub fn listening(&self) -> BTreeSet<ListeningSocket> {
        let own = rustix::process::geteuid().as_raw();
        ["tcp", "tcp6"]
            .iter()
            .filter_map(|table| File::open(format!("/proc/{}/net/{table}", self.pid)).ok())
            .flat_map(|table| listening(BufReader::new(table), own))
            .collect()
    }
}

/// What the kernel says of a process in one file; `None` where we may not read it, or it is longer than
/// any that we need. A process decides itself how long its command line is (`PR_SET_MM_MAP`).
fn said(pid: u32, file: &str) -> Option<Vec<u8>> {
    const LARGEST: u64 = 1 << 20;
    files::kernel_file(Path::new(&format!("/proc/{pid}/{file}")), LARGEST).ok()
}

/// Whether `/proc/PID/net/dev` names an interface other than `lo`.
fn has_network(table: &str) -> bool {
    let names = table.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim()).any(|name| name != "lo")
}

/// The line `Uid:` of `/proc/PID/status`.
fn is_roots(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let ids: Vec<&str> = line.unwrap_or_default().split_ascii_whitespace().collect();
    ids == ["0"; 4]
}

fn is_in_control_group(text: &str, group: &str) -> bool {
    let (Some(own), Some(group)) = (control_group(text), group.strip_prefix('/')) else {
        return false;
    };
    !group.is_empty() && Path::new(own).starts_with(group)
}

/// The unit in `/proc/PID/cgroup`: in the unified hierarchy, else in systemd's own.
fn unit_of(text: &str) -> Option<String> {
    let mut parts = control_group(text)?.rsplit('/');
    parts.find(|part| part.ends_with(".service")).map(str::to_owned)
}

fn outer_unit_of(text: &str) -> Option<String> {
    let mut parts = control_group(text)?.split('/');
    let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
    parts.find(is_unit).map(str::to_owned)
}

fn control_group(text: &str) -> Option<&str> {
    let path = |prefix: &str| text.lines().find_map(|line| line.split_once(prefix));
    let (_, path) = path("0::/").filter(|(_, path)| !path.is_empty()).or(path("name=systemd:/"))?;
    Some(path)
}

/// The listening ones of `/proc/net/tcp` or `tcp6`, proc_net_tcp(5), that belong to root or `own`. They
/// come first, before what may be many thousands of connections.
fn listening(table: impl BufRead, own: u32) -> Vec<ListeningSocket> {
    let lines = table.lines().skip(1).map_while(|line| listening_socket(&line.ok()?));
    let ours = lines.filter(|(owner, _)| *owner == 0 || *owner == own);
    ours.map(|(_, socket)| socket).collect()
}

/// A line of that table, with the owner.
fn listening_socket(line: &str) -> Option<(u32, ListeningSocket)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = fields.get(1)?.rsplit_once(':')?;
    let socket = ListeningSocket {
        inode: fields.get(9)?.parse().ok()?,
        address: address_of(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
    };
    Some((fields.get(7)?.parse().ok()?, socket))
}

/// The kernel prints the address's 32-bit words as numbers of this machine.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at..at.checked_add(8)?)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Some(IpAddr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
