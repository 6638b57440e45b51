//! Reads from the host what [`super::sessions`] decides about.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::{Listener, Network, Seen};
use crate::host::files::Node;
use crate::host::{Host, HostError, holders, netns, sock_diag};
use crate::reconcile::{ObserveError, Resource, Value};
use crate::sshd::evaluate::evaluate;
use crate::sshd::instance::Instance;
use crate::sshd::judge::Verdict;
use crate::sshd::service::listener;
use crate::sshd::{Keyword, Observed, Sshd};

/// The sshds of the host: what does not change from one look to the next, unless somebody changes
/// the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Background {
    listeners: Vec<Listener>,
}

impl Background {
    /// Looks at the host's own sshd, and at `instances`.
    ///
    /// # Errors
    /// When one can't be observed.
    pub fn of(host: &Host, instances: &[Instance]) -> Result<Self, ObserveError> {
        let own = std::iter::once(Sshd::default());
        let sshds = own.chain(instances.iter().cloned().map(Sshd::of));
        let listeners = sshds.map(|sshd| Ok(of(host, &sshd.observe(host)?)));
        Ok(Self { listeners: listeners.collect::<Result<_, ObserveError>>()? })
    }

    /// Looks at connections and processes.
    ///
    /// # Errors
    /// When the kernel does not list its connections.
    pub fn look(&self, host: &Host) -> Result<Seen, HostError> {
        // Processes first: a connection that is listed and has no process yet shows as hidden, one
        // that is not listed yet shows the next time.
        let processes = holders::named("sshd");
        let mut networks = vec![network(host, None)?];
        for name in netns::named(host)? {
            let shown = name.to_string_lossy().into_owned();
            // Others than root may enter none, and one can be gone by now: then it has no sessions
            // that we could show.
            if let Ok(Some(found)) = netns::inside(host, &name, || network(host, Some(shown))) {
                networks.push(found?);
            }
        }
        Ok(Seen {
            networks,
            processes,
            listeners: self.listeners.clone(),
            now: UNIX_EPOCH.elapsed().unwrap_or_default(),
        })
    }
}

/// What the calling thread's network namespace has.
fn network(host: &Host, name: Option<String>) -> Result<Network, HostError> {
    let text = match host.read(Path::new("/proc/sys/net/ipv4/tcp_keepalive_time")) {
        Ok(Node::File(file)) => file.bytes,
        _ => Vec::new(),
    };
    Ok(Network {
        name,
        connections: sock_diag::established()?,
        keepalive_time: std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()),
    })
}

fn of(host: &Host, sshd: &Observed) -> Listener {
    Listener {
        unit: sshd.service.instance.as_ref().map(|instance| instance.unit.clone()),
        pid: sshd.service.listener.as_ref().map(|process| process.pid),
        ports: ports(sshd),
        loaded: loaded(host, sshd),
        tcp_keepalive: tcp_keepalive(sshd),
    }
}

fn ports(sshd: &Observed) -> BTreeSet<u16> {
    match &sshd.verdict {
        Verdict::Accepted(dump) => listener::ports(dump),
        Verdict::Refused(_) | Verdict::NoSshd | Verdict::Unasked(_) => BTreeSet::from([22]),
    }
}

/// Since when it gives the values that it gives now, else when it loaded its files: the pid file is
/// written anew at each load.
fn loaded(host: &Host, sshd: &Observed) -> Option<Duration> {
    let seconds = |seconds: i64| u64::try_from(seconds).ok();
    let since = sshd.service.values_since(host, &sshd.tree);
    if let Some((since, nanoseconds)) =
        since.or_else(|| Some(sshd.service.pid_file.as_ref()?.written))
    {
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
