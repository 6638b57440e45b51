//! Whether a new connection gets as far as the key exchange: up to there it is as for any user, and
//! nothing is tried that could fail. Only where that harms no one: sshd counts connections without a
//! login against their address (`PerSourcePenalties`, `PerSourceMaxStartups`).

use std::collections::hash_map::RandomState;
use std::fmt::{self, Display};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::exchange;
use crate::host::Host;
use crate::sshd::judge::Dump;

/// This machine answers itself at once, unless a filter (the unit's own) drops the packets.
const CONNECT: Duration = Duration::from_secs(1);

/// sshd answers at once; a loaded machine may take a while to fork.
const ANSWER: Duration = Duration::from_secs(3);

/// RFC 4253 limits sshd's line to 255 bytes.
const LONGEST: usize = 256;

/// The first half of our addresses in 127.0.0.0/8: 127.107.0.0/16 is used by no other program that
/// we know, while 127.0.0.0/16 has 127.0.0.1, Debian's 127.0.1.1 and systemd-resolved's 127.0.0.53.
const OWN: [u8; 2] = [127, 107];

/// A prefix of IPv4 addresses that sshd counts together: any shorter one has other addresses than
/// [`OWN`] in it.
const OWN_PREFIX: u8 = 16;

/// What one connection showed. There is never a second one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Banner {
    /// sshd sent its key exchange.
    Answered(SocketAddr),
    /// No process listens there.
    Refused(SocketAddr),
    /// Nothing was connected, and why: the listening socket and the service manager's word are
    /// what shows that sshd is well.
    NotTried(String),
    /// Could not be checked, and why: says nothing about sshd.
    Unknown(String),
}

impl Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(address) => write!(f, "sshd answers on {address}"),
            Self::Refused(address) => write!(f, "no process listens on {address}"),
            Self::NotTried(reason) => {
                write!(f, "sshd listens, by its sockets and the service manager; {reason}")
            }
            Self::Unknown(reason) => {
                write!(f, "sshd listens, but its answer could not be checked ({reason})")
            }
        }
    }
}

/// A connection that harms no one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Probe {
    address: SocketAddr,
    /// Whether it needs an address of our own to come from.
    from_own: bool,
}

/// Connects once to where sshd with these values listens, where that harms no one.
#[must_use]
pub fn check(dump: &Dump) -> Banner {
    let Probe { address, from_own } = match probe(dump) {
        Ok(probe) => probe,
        Err(reason) => return Banner::NotTried(reason),
    };
    let source = from_own.then(own_address);
    match speak(address, source) {
        Ok(None) => Banner::Answered(address),
        // MaxStartups and penalties: sshd accepts and hangs up, or says "Not allowed at this time".
        Ok(Some(words)) => {
            Banner::Unknown(format!("{address}: connected, but was told {:?}", words.trim_end()))
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Banner::Refused(address),
        // No permission (the unit's sandbox), no route, no answer in time: not sshd's fault.
        Err(error) => Banner::Unknown(format!("{address}: {error}")),
    }
}

/// Gives what was said in place of sshd's banner, if anything else was.
fn speak(address: SocketAddr, source: Option<IpAddr>) -> io::Result<Option<String>> {
    let mut connection = Host::connect(address, source, CONNECT, ANSWER)?;
    let banner = connection.line(LONGEST)?;
    if !banner.starts_with(b"SSH-") {
        return Ok(Some(String::from_utf8_lossy(&banner).into_owned()));
    }
    connection.send(exchange::BANNER)?;
    let theirs = exchange::receive(&mut connection)?;
    let ours = exchange::answer(&theirs).ok_or_else(|| {
        io::Error::new(ErrorKind::InvalidData, "the answer is no SSH_MSG_KEXINIT")
    })?;
    connection.send(&exchange::packet(&ours))?;
    connection.send(&exchange::packet(&exchange::goodbye()))?;
    // sshd hangs up: without waiting for that it would meet a closed connection, and log that.
    let _ = connection.line(1);
    Ok(None)
}

/// Where a connection would harm no one, or why there is none.
fn probe(dump: &Dump) -> Result<Probe, String> {
    let listed = dump.values.get("listenaddress").map(Vec::as_slice).unwrap_or_default();
    // An address in another routing domain is not reachable from here.
    let addresses: Vec<SocketAddr> = listed.iter().filter_map(|text| text.parse().ok()).collect();
    let mut reachable: Vec<SocketAddr> = addresses.iter().filter_map(on_loopback).collect();
    reachable.sort_by_key(SocketAddr::is_ipv6);
    let Some(address) = reachable.first().copied() else {
        return Err("no connection was made, since it listens on no loopback address".to_owned());
    };
    let from_own = address.is_ipv4();
    let Some(keyword) = counts_by_source(dump) else { return Ok(Probe { address, from_own }) };
    if !from_own {
        return Err(format!(
            "no connection was made, since {keyword} would count it against [::1], which others use"
        ));
    }
    let prefix = dump.first("persourcenetblocksize").and_then(ipv4_prefix);
    if prefix.is_none_or(|prefix| prefix < OWN_PREFIX) {
        return Err(format!(
            "no connection was made, since {keyword} with this PerSourceNetBlockSize would count it \
             against 127.0.0.1"
        ));
    }
    Ok(Probe { address, from_own })
}

/// Which keyword makes sshd count connections without a login by their address, if one does.
fn counts_by_source(dump: &Dump) -> Option<&'static str> {
    let is_off = |value: Option<&str>| matches!(value, None | Some("no" | "none"));
    if !is_off(dump.first("persourcepenalties")) {
        return Some("PerSourcePenalties");
    }
    (!is_off(dump.first("persourcemaxstartups"))).then_some("PerSourceMaxStartups")
}

/// `32:128`: the prefix lengths of IPv4 and IPv6.
fn ipv4_prefix(value: &str) -> Option<u8> {
    value.split(':').next()?.parse().ok()
}

/// The loopback address at which a listener with this address can be reached.
fn on_loopback(address: &SocketAddr) -> Option<SocketAddr> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    ip.is_loopback().then(|| SocketAddr::new(ip, address.port()))
}

/// An address of our own to come from, another one each time.
fn own_address() -> IpAddr {
    let [first, second] = OWN;
    let [third, fourth, ..] = RandomState::new().build_hasher().finish().to_ne_bytes();
    IpAddr::V4(Ipv4Addr::new(first, second, third, fourth))
}

#[cfg(test)]
mod tests;
