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
    /// This network namespace, and those that have a name.
    pub networks: Vec<Network>,
    /// Every process of sshd.
    pub processes: Vec<Holder>,
    /// The sshds of the host, its own first.
    pub listeners: Vec<Listener>,
    /// Now, since 1970.
    pub now: Duration,
}

/// The connections of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Its name; `None` for the one that this program is in.
    pub name: Option<String>,
    /// Every established TCP connection.
    pub connections: Vec<Connection>,
    /// Its `net.ipv4.tcp_keepalive_time`, seconds.
    pub keepalive_time: Option<i64>,
}

/// An sshd, and what connections get that it takes now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listener {
    /// The unit of a declared instance; `None` for the host's own.
    pub unit: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// The ports that it listens at.
    pub ports: BTreeSet<u16>,
    /// When it had loaded the `ClientAlive` values that it gives, since 1970.
    pub loaded: Option<Duration>,
    /// Its `TCPKeepAlive`.
    pub tcp_keepalive: Option<bool>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The client's end.
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// The unit of the sshd, where it is a declared instance.
    pub unit: Option<String>,
    /// The name of the network namespace, where it is another than ours.
    pub netns: Option<String>,
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
    /// It was opened before sshd had these `ClientAlive` values: it keeps the older ones.
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
            Self::OpenedBeforeLoad => "opened while sshd had other values",
            Self::NoProbes => "opened while TCPKeepAlive was off",
            Self::Probes => "opened while TCPKeepAlive was on",
            Self::TimerArmedEarlier => "its timer was armed when tcp_keepalive_time was longer",
        }
    }
}

/// A connection, and where it is.
type Found<'s> = (&'s Network, &'s Connection);

/// The sessions, the oldest first.
#[must_use]
pub fn sessions(seen: &Seen) -> Vec<Session> {
    // Another user can open ten thousands of connections, and run processes of any name.
    let by_inode = seen.connections().map(|found| (found.1.inode, found)).collect();
    let mut sessions = Vec::new();
    for process in first_processes(&seen.processes) {
        if let Some((network, connection)) = connection_of(process, seen, &by_inode) {
            sessions.push(session(network, connection, Some(process), seen));
        }
    }
    // Where we may not see who holds a socket, its port tells.
    let held: BTreeSet<u64> =
        seen.processes.iter().flat_map(|process| process.sockets.keys().copied()).collect();
    let hidden = seen.connections().filter(|(_, connection)| {
        !held.contains(&connection.inode) && seen.is_port(connection.local.port())
    });
    sessions.extend(hidden.map(|(network, connection)| session(network, connection, None, seen)));
    sessions.sort_by_key(|session| (std::cmp::Reverse(session.age), session.peer));
    sessions
}

impl Seen {
    fn connections(&self) -> impl Iterator<Item = (&Network, &Connection)> {
        self.networks
            .iter()
            .flat_map(|network| network.connections.iter().map(move |one| (network, one)))
    }

    fn is_port(&self, port: u16) -> bool {
        self.listeners.iter().any(|listener| listener.ports.contains(&port))
    }

    /// The sshd that took a connection: it is the session's parent, or listens at that port. The
    /// host's own, where a service manager started each session, or nobody knows.
    fn listener_of(&self, connection: &Connection, process: Option<&Holder>) -> Option<&Listener> {
        let parent = process.map(|process| process.parent);
        let port = connection.local.port();
        let parents = |listener: &&Listener| parent.is_some() && listener.pid == parent;
        let listens = |listener: &&Listener| listener.ports.contains(&port);
        let mut all = self.listeners.iter();
        all.clone().find(parents).or_else(|| all.clone().find(listens)).or_else(|| all.next())
    }
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
fn connection_of<'s>(
    process: &Holder,
    seen: &Seen,
    by_inode: &BTreeMap<u64, Found<'s>>,
) -> Option<Found<'s>> {
    let held = process
        .sockets
        .iter()
        .filter_map(|(inode, descriptor)| Some((*descriptor, *by_inode.get(inode)?)));
    held.min_by_key(|(descriptor, (_, connection))| {
        (!seen.is_port(connection.local.port()), *descriptor)
    })
    .map(|(_, found)| found)
}

fn session(
    network: &Network,
    connection: &Connection,
    process: Option<&Holder>,
    seen: &Seen,
) -> Session {
    let listener = seen.listener_of(connection, process);
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
    let outdated = outdated(connection, started, listener, network.keepalive_time);
    let only_timer = outdated == [Outdated::TimerArmedEarlier];
    Session {
        peer: connection.peer,
        local: connection.local,
        unit: listener.and_then(|listener| listener.unit.clone()),
        netns: network.name.clone(),
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
    listener: Option<&Listener>,
    keepalive_time: Option<i64>,
) -> Vec<Outdated> {
    let mut outdated = Vec::new();
    let before = |(started, loaded): (Duration, _)| started.saturating_add(COARSE) < loaded;
    if started.zip(listener.and_then(|listener| listener.loaded)).is_some_and(before) {
        outdated.push(Outdated::OpenedBeforeLoad);
    }
    let armed_longer = |expires: Duration| {
        let time = keepalive_time.and_then(|time| u64::try_from(time).ok());
        time.is_some_and(|time| expires > Duration::from_secs(time))
    };
    match (connection.timer, listener.and_then(|listener| listener.tcp_keepalive)) {
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
