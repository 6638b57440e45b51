//! Where sshd listens now and would not after a load. A load opens its sockets anew: one whose address
//! has gone from this machine, or whose `Port` somebody changed for a reload of his own to come, is
//! lost by it, and with the last one the way in. `sshd -t` says nothing of this.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::{Kind, Service, listener};
use crate::host::Host;
use crate::host::process::{ListeningSocket, Process};
use crate::host::wait::wait_until;
use crate::sshd::judge::Dump;
use crate::sshd::tree::Tree;

#[cfg(test)]
mod tests;

/// sshd listens on nothing for about 50 ms of a load.
const LOAD: Duration = Duration::from_millis(500);

/// What the listener has, as far as it can be told.
#[derive(Debug, Default)]
struct Sockets {
    /// All that listen in its network namespace, whosever they are.
    open: BTreeSet<SocketAddr>,
    /// Those that it opened when it was last seen to load.
    noted: Option<BTreeSet<SocketAddr>>,
}

impl Service {
    /// The same, knowing what a load of `tree`, from which sshd has the values of `dump`, would lose.
    #[must_use]
    pub fn with_endangered(mut self, host: &Host, tree: &Tree, dump: &Dump) -> Self {
        let listener = match self.kind {
            Kind::Plain | Kind::NoServiceManager => self.listener.as_ref(),
            // The socket is the service manager's, or nothing of it is loaded.
            _ => None,
        };
        self.endangered = listener.and_then(|process| {
            let configured = addresses(dump);
            let open = open(process, &configured);
            if !process.is_alive() {
                // Its successor is looked at next.
                return None;
            }
            let sockets = Sockets { open, noted: self.noted_addresses(host, tree) };
            sockets.lost(&configured, |ip| is_local(ip) || !listener::shares_network(process))
        });
        self
    }
}

/// What is listened on; where nothing of that is `expected`, once a load that is under way is over.
fn open(process: &Process, expected: &BTreeSet<SocketAddr>) -> BTreeSet<SocketAddr> {
    let address = |socket: &ListeningSocket| SocketAddr::new(socket.address, socket.port);
    let look = || process.listening().iter().map(address).collect::<BTreeSet<_>>();
    let settled = wait_until(LOAD, || {
        let open = look();
        (expected.is_empty() || !open.is_disjoint(expected) || !process.is_alive()).then_some(open)
    });
    settled.unwrap_or_else(look)
}

impl Sockets {
    /// What a load with these addresses would lose, where `exists` tells which there are.
    fn lost(
        &self,
        configured: &BTreeSet<SocketAddr>,
        exists: impl Fn(IpAddr) -> bool,
    ) -> Option<String> {
        let mut kept = configured.intersection(&self.open);
        if let Some(address) = kept.clone().find(|address| !exists(address.ip())) {
            return Some(format!(
                "sshd listens on {address}, which it would lose, as no interface has that address at \
                 the moment"
            ));
        }
        let mut before = self.noted.iter().flatten().filter(|address| self.open.contains(address));
        if let Some(address) = before.find(|address| !configured.contains(address)) {
            return Some(format!(
                "sshd listens on {address}, which it would lose, as its configuration names other \
                 addresses or ports by now"
            ));
        }
        let elsewhere = configured.first().filter(|_| kept.next().is_none())?;
        Some(format!(
            "sshd does not listen on {elsewhere} now, where its configuration says that it should, but \
             elsewhere"
        ))
    }
}

/// The addresses of `sshd -T` that can be told: not those of another routing domain or link.
pub(super) fn addresses(dump: &Dump) -> BTreeSet<SocketAddr> {
    let listed = dump.values.get("listenaddress").map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|address| address.parse().ok()).collect()
}

/// Whether this machine has the address: whatever else may keep a socket from it, that is not this.
fn is_local(address: IpAddr) -> bool {
    let bound = UdpSocket::bind((address, 0));
    !matches!(bound, Err(error) if error.kind() == ErrorKind::AddrNotAvailable)
}
