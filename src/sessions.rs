//! The live connections of sshd: whose they are, what the kernel's timer does, and whether they run
//! on older settings than those in force. Pure; [`look`] reads the host.
//!
//! Settings reach only what comes after them. `ClientAlive` and `TCPKeepAlive` are fixed when a
//! session is opened. A keepalive timer that was armed stays armed: after `tcp_keepalive_time` is
//! lowered, a quiet connection still waits for as long as it was told before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::host::holders::Holder;
use crate::host::sock_diag::{Connection, Timer};
use crate::timing::{as_seconds, spoken};

pub mod look;
pub mod title;

#[cfg(test)]
mod tests;

/// How coarse the clocks of processes and files are. sshd refuses connections for longer than this
/// while it loads.
const COARSE: Duration = Duration::from_millis(20);

/// Everything that was seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Every established TCP connection.
    pub connections: Vec<Connection>,
    /// Every process of sshd.
    pub processes: Vec<Holder>,
    /// The ports that sshd listens at.
    pub ports: BTreeSet<u16>,
    /// Now, since 1970.
    pub now: Duration,
    /// What is in force for a connection that is opened now.
    pub in_force: InForce,
}

/// What new connections get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InForce {
    /// When the listener had loaded its configuration, since 1970.
    pub loaded: Option<Duration>,
    /// `TCPKeepAlive` of sshd.
    pub tcp_keepalive: Option<bool>,
    /// `net.ipv4.tcp_keepalive_time`, seconds.
    pub keepalive_time: Option<i64>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The client's end.
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// Who is logged in; `None` before that, or where it can't be told.
    pub user: Option<String>,
    /// The session's first process.
    pub pid: Option<u32>,
    /// Since that was started, in seconds.
    #[serde(rename = "age_s")]
    pub age: Option<u64>,
    /// `off`, `keepalive`, `retransmission`, `window`, `other`.
    pub timer: &'static str,
    /// Until it fires, in seconds.
    #[serde(rename = "timer_expires_s", serialize_with = "as_seconds")]
    pub expires: Option<Duration>,
    /// Unanswered probes, or how often the data was sent again.
    pub timer_count: Option<u8>,
    /// Bytes that were sent and are not acknowledged.
    pub unacknowledged: u32,
    /// Since the client's last packet, in seconds.
    #[serde(rename = "quiet_s", serialize_with = "as_seconds")]
    pub quiet: Option<Duration>,
    /// What older settings it runs on; empty for none that is known.
    pub outdated: Vec<Outdated>,
    /// How much longer it does, in seconds: `null` for as long as it is open; only of interest when
    /// `outdated` is not empty.
    #[serde(rename = "exposed_for_s", serialize_with = "as_seconds")]
    pub exposed: Option<Duration>,
}

/// A way in which a session runs on older settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outdated {
    /// It was opened before sshd loaded its configuration: it keeps the older `ClientAlive` values.
    OpenedBeforeLoad,
    /// sshd asks the kernel for probes by now, and did not when it was opened.
    NoProbes,
    /// sshd asks the kernel for no probes by now, and did when it was opened.
    Probes,
    /// Its keepalive timer was armed when `tcp_keepalive_time` was longer than it is.
    TimerArmedEarlier,
}

impl Outdated {
    /// In a sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OpenedBeforeLoad => "opened before sshd loaded its configuration",
            Self::NoProbes => "opened while TCPKeepAlive was off",
            Self::Probes => "opened while TCPKeepAlive was on",
            Self::TimerArmedEarlier => "its timer was armed when tcp_keepalive_time was longer",
        }
    }
}

/// The sessions, the oldest first.
#[must_use]
pub fn sessions(seen: &Seen) -> Vec<Session> {
    let mut sessions = Vec::new();
    let mut claimed = BTreeSet::new();
    for process in first_processes(&seen.processes) {
        if let Some(connection) = connection_of(process, seen) {
            claimed.insert(connection.inode);
            sessions.push(session(connection, Some(process), seen));
        }
    }
    // Where we may not see who holds a socket, its port tells.
    let rest = seen.connections.iter().filter(|connection| {
        !claimed.contains(&connection.inode) && seen.ports.contains(&connection.local.port())
    });
    let hidden = rest.filter(|connection| {
        !seen.processes.iter().any(|process| process.sockets.contains_key(&connection.inode))
    });
    sessions.extend(hidden.map(|connection| session(connection, None, seen)));
    sessions.sort_by_key(|session| (std::cmp::Reverse(session.age), session.peer));
    sessions
}

/// The first process of each session: one of sshd that no process of a session has started.
fn first_processes(processes: &[Holder]) -> impl Iterator<Item = &Holder> {
    let of_sessions: BTreeMap<u32, &Holder> = processes
        .iter()
        .filter(|process| !title::is_listener(&process.title))
        .map(|process| (process.pid, process))
        .collect();
    let parents: BTreeSet<u32> = of_sessions.keys().copied().collect();
    of_sessions.into_values().filter(move |process| !parents.contains(&process.parent))
}

/// Its own connection among the sockets that it holds: the others are forwarded ones. It came in
/// at a port of sshd, or else first, and so has the lowest descriptor.
fn connection_of<'s>(process: &Holder, seen: &'s Seen) -> Option<&'s Connection> {
    let held = seen
        .connections
        .iter()
        .filter_map(|connection| Some((*process.sockets.get(&connection.inode)?, connection)));
    held.min_by_key(|(descriptor, connection)| {
        (!seen.ports.contains(&connection.local.port()), *descriptor)
    })
    .map(|(_, connection)| connection)
}

fn session(connection: &Connection, process: Option<&Holder>, seen: &Seen) -> Session {
    let (timer, expires, timer_count) = match connection.timer {
        Timer::Off => ("off", None, None),
        Timer::Keepalive { expires, probes } => ("keepalive", Some(expires), Some(probes)),
        Timer::Retransmission { expires, retries } => {
            ("retransmission", Some(expires), Some(retries))
        }
        Timer::Window { expires, probes } => ("window", Some(expires), Some(probes)),
        Timer::Other(_) => ("other", None, None),
    };
    let started = process.and_then(|process| process.started);
    let outdated = outdated(connection, started, seen.in_force);
    let only_timer = outdated == [Outdated::TimerArmedEarlier];
    Session {
        peer: connection.peer,
        local: connection.local,
        user: process.and_then(|process| title::user(&process.title)).map(str::to_owned),
        pid: process.map(|process| process.pid),
        age: started.map(|started| seen.now.saturating_sub(started).as_secs()),
        timer,
        expires,
        timer_count,
        unacknowledged: connection.unacknowledged,
        quiet: connection.quiet,
        exposed: expires.filter(|_| only_timer),
        outdated,
    }
}

fn outdated(
    connection: &Connection,
    started: Option<Duration>,
    in_force: InForce,
) -> Vec<Outdated> {
    let mut outdated = Vec::new();
    let before = |(started, loaded): (Duration, _)| started.saturating_add(COARSE) < loaded;
    if started.zip(in_force.loaded).is_some_and(before) {
        outdated.push(Outdated::OpenedBeforeLoad);
    }
    let armed_longer = |expires: Duration| {
        let time = in_force.keepalive_time.and_then(|time| u64::try_from(time).ok());
        time.is_some_and(|time| expires > Duration::from_secs(time))
    };
    match (connection.timer, in_force.tcp_keepalive) {
        (Timer::Off, Some(true)) => outdated.push(Outdated::NoProbes),
        (Timer::Keepalive { .. }, Some(false)) => outdated.push(Outdated::Probes),
        (Timer::Keepalive { expires, .. }, _) if armed_longer(expires) => {
            outdated.push(Outdated::TimerArmedEarlier);
        }
        _ => {}
    }
    outdated
}

impl Session {
    /// Until when it runs on older settings: `until it ends`, `for 1 h 57 min`; `None` when it does
    /// not.
    #[must_use]
    pub fn exposure(&self) -> Option<String> {
        if self.outdated.is_empty() {
            return None;
        }
        Some(match self.exposed {
            Some(time) => format!("for {}", spoken(time)),
            None => "until it ends".to_owned(),
        })
    }
}
