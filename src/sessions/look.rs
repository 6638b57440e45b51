//! Reads from the host what [`super::sessions`] decides about.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use super::{InForce, Seen};
use crate::host::{Host, HostError, holders, sock_diag};
use crate::reconcile::{ObserveError, Resource, Value};
use crate::sshd::evaluate::evaluate;
use crate::sshd::judge::Verdict;
use crate::sshd::service::listener;
use crate::sshd::{Keyword, Observed, Sshd};
use crate::sysctl::Key;
use crate::sysctl::live::Live;

/// What is in force, and the ports of sshd: what does not change from one look to the next, unless
/// somebody changes the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Background {
    ports: BTreeSet<u16>,
    in_force: InForce,
}

impl Background {
    /// Looks at sshd and at the kernel's values.
    ///
    /// # Errors
    /// When either can't be observed.
    pub fn of(host: &Host) -> Result<Self, ObserveError> {
        let sshd = Sshd::default().observe(host)?;
        let live = Live::default().observe(host)?;
        let time = live.values.get(&Key::KeepaliveTime).and_then(|value| value.as_ref().ok());
        Ok(Self {
            ports: ports(&sshd),
            in_force: InForce {
                loaded: loaded(&sshd),
                tcp_keepalive: tcp_keepalive(&sshd),
                keepalive_time: time.copied(),
            },
        })
    }

    /// Looks at connections and processes.
    ///
    /// # Errors
    /// When the kernel does not list its connections.
    pub fn look(&self) -> Result<Seen, HostError> {
        // Processes first: a connection that is listed and has no process yet shows as hidden, one
        // that is not listed yet shows the next time.
        let processes = holders::named("sshd");
        Ok(Seen {
            connections: sock_diag::established()?,
            processes,
            ports: self.ports.clone(),
            now: UNIX_EPOCH.elapsed().unwrap_or_default(),
            in_force: self.in_force,
        })
    }
}

fn ports(sshd: &Observed) -> BTreeSet<u16> {
    match &sshd.verdict {
        Verdict::Accepted(dump) => listener::ports(dump),
        Verdict::Refused(_) | Verdict::NoSshd => BTreeSet::from([22]),
    }
}

/// The pid file is written anew at each load.
fn loaded(sshd: &Observed) -> Option<Duration> {
    let seconds = |seconds: i64| u64::try_from(seconds).ok();
    if let Some(file) = &sshd.service.pid_file {
        let (since, nanoseconds) = file.written;
        return Some(Duration::from_secs(seconds(since)?) + Duration::from_nanos(nanoseconds));
    }
    let started = sshd.service.listener.as_ref()?.started_at()?;
    Some(Duration::from_secs(seconds(started)?))
}

fn tcp_keepalive(sshd: &Observed) -> Option<bool> {
    // A listener that has not loaded what is on disk gives new connections something else.
    if !sshd.freshness.is_current() {
        return None;
    }
    let evaluation = evaluate(&sshd.tree, &sshd.preset, &sshd.dialect);
    match evaluation.global(Keyword::TcpKeepAlive).value {
        Value::Bool(value) => Some(value),
        Value::Number(_) => None,
    }
}
