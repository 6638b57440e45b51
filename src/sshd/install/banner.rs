//! Whether the listener answers with its banner.

use std::fmt::{self, Display};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::host::Host;
use crate::sshd::judge::Dump;

/// This machine answers itself at once, unless a filter (the unit's own) drops the packets.
const CONNECT: Duration = Duration::from_secs(1);

/// sshd sends its banner at once; a loaded machine may take a while to fork.
const READ: Duration = Duration::from_secs(3);

/// What one connection showed. There is never a second one: from 9.8 on sshd penalises an address
/// that connects and hangs up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Banner {
    /// sshd answered.
    Answered(SocketAddr),
    /// Nobody listens there.
    Refused(SocketAddr),
    /// Could not be checked, and why: says nothing about sshd.
    Unknown(String),
}

impl Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(address) => write!(f, "sshd answers on {address}"),
            Self::Refused(address) => write!(f, "nobody listens on {address}"),
            Self::Unknown(reason) => write!(f, "sshd's banner could not be checked ({reason})"),
        }
    }
}

/// Connects once to where sshd with these values listens.
#[must_use]
pub fn check(dump: &Dump) -> Banner {
    let Some(address) = address(dump) else {
        return Banner::Unknown("no address to connect to".to_owned());
    };
    match Host::greeting(address, CONNECT, READ) {
        Ok(greeting) => read(address, &greeting),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Banner::Refused(address),
        // No permission (the unit's sandbox), no route, no answer in time: not sshd's fault.
        Err(error) => Banner::Unknown(format!("{address}: {error}")),
    }
}

fn read(address: SocketAddr, greeting: &[u8]) -> Banner {
    if greeting.starts_with(b"SSH-") {
        return Banner::Answered(address);
    }
    // MaxStartups and penalties: sshd accepts and hangs up, or says "Not allowed at this time".
    let words = String::from_utf8_lossy(greeting);
    Banner::Unknown(format!("{address}: connected, but was told {:?}", words.trim_end()))
}

/// One address of the dump's `listenaddress` lines: of this machine, over IPv4 if there is a
/// choice. An address in another routing domain is not reachable from here.
fn address(dump: &Dump) -> Option<SocketAddr> {
    let addresses = dump.0.get("listenaddress")?;
    let mut reachable: Vec<SocketAddr> =
        addresses.iter().filter_map(|text| text.parse().ok()).map(nearest).collect();
    reachable.sort_by_key(|address| (!address.ip().is_loopback(), address.is_ipv6()));
    reachable.first().copied()
}

fn nearest(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

#[cfg(test)]
mod tests;
