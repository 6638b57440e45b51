//! The TCP connections of this network namespace as the kernel lists them, with their timers.
//!
//! By `NETLINK_SOCK_DIAG`, sock_diag(7), which needs no privilege; /proc/net/tcp rounds the timers
//! and names neither what is armed nor when data last came.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

use super::{Context, HostError};

/// An established connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// This end; an IPv4 address also where the socket is of IPv6.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// The socket's inode: 0 where no process holds it any more.
    pub inode: u64,
    /// The timer that is armed.
    pub timer: Timer,
    /// Bytes that were written and are not acknowledged.
    pub unacknowledged: u32,
    /// Since data was last received.
    pub quiet: Option<Duration>,
}

/// The timer of a socket, of which the kernel shows the most urgent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Nothing is armed: nothing in flight, and no `SO_KEEPALIVE`.
    Off,
    /// Data is in flight, and will be sent again at that time for the `retries + 1`th time.
    Retransmission {
        /// Until it fires.
        expires: Duration,
        /// How often it has fired.
        retries: u8,
    },
    /// The keepalive: the next look whether to send a probe.
    Keepalive {
        /// Until it fires.
        expires: Duration,
        /// Probes that are unanswered.
        probes: u8,
    },
    /// The peer's window is closed, and it will be asked whether it still is.
    Window {
        /// Until it fires.
        expires: Duration,
        /// Questions that are unanswered.
        probes: u8,
    },
    /// One that this program does not know.
    Other(u8),
}

/// `TCPDIAG_GETSOCK`'s successor, and the netlink messages around its answers.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x1 | 0x300;

const IPPROTO_TCP: u8 = 6;
const ESTABLISHED: u32 = 1 << 1;
/// `INET_DIAG_INFO`, the attribute that holds a `struct tcp_info`; asked for by its bit.
const INFO: u16 = 2;
const INFO_BIT: u8 = 1 << (INFO - 1);

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// `sizeof(struct inet_diag_msg)`.
const MESSAGE: usize = 72;
/// `offsetof(struct tcp_info, tcpi_last_data_recv)`.
const LAST_DATA_RECEIVED: usize = 52;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Where errors are placed: the kernel has no path for it.
const PLACE: &str = "NETLINK_SOCK_DIAG";

/// All established TCP connections of this network namespace.
///
/// # Errors
/// When the kernel has no sock_diag, or a sandbox forbids netlink sockets.
pub fn established() -> Result<Vec<Connection>, HostError> {
    let mut connections = Vec::new();
    for family in [AF_INET, AF_INET6] {
        connections.extend(dump(family).on(Path::new(PLACE), "cannot list TCP connections")?);
    }
    Ok(connections)
}

fn dump(family: u8) -> io::Result<Vec<Connection>> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &request(family), SendFlags::empty(), &kernel)?;
    let mut connections = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (length, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        if parse(buffer.get(..length).unwrap_or_default(), &mut connections)? {
            return Ok(connections);
        }
    }
}

/// A header, and a `struct inet_diag_req_v2` that leaves addresses and ports open.
fn request(family: u8) -> Vec<u8> {
    const LENGTH: usize = HEADER + 56;
    let mut request = Vec::with_capacity(LENGTH);
    request.extend(u32::try_from(LENGTH).unwrap_or_default().to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, IPPROTO_TCP, INFO_BIT, 0]);
    request.extend(ESTABLISHED.to_ne_bytes());
    request.resize(LENGTH, 0);
    request
}

/// Reads the messages of one datagram; whether the last one was among them.
fn parse(mut bytes: &[u8], connections: &mut Vec<Connection>) -> io::Result<bool> {
    while let Some((length, kind)) = u32_at(bytes, 0).zip(u16_at(bytes, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(payload) = bytes.get(HEADER..length) else { break };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = u32_at(payload, 0).unwrap_or_default().cast_signed();
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            SOCK_DIAG_BY_FAMILY => connections.extend(connection(payload)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// A `struct inet_diag_msg` and its attributes.
fn connection(message: &[u8]) -> Option<Connection> {
    let family = *message.first()?;
    let port = |at| Some(u16::from_be_bytes(array(message, at)?));
    let local = SocketAddr::new(address(family, message, 8)?, port(4)?);
    let peer = SocketAddr::new(address(family, message, 24)?, port(6)?);
    let expires = Duration::from_millis(u32_at(message, 52)?.into());
    let (timer, count) = (*message.get(2)?, *message.get(3)?);
    let info = attribute(message.get(MESSAGE..)?, INFO);
    let quiet = info.and_then(|info| u32_at(info, LAST_DATA_RECEIVED));
    Some(Connection {
        local,
        peer,
        inode: u32_at(message, 68)?.into(),
        timer: match timer {
            0 => Timer::Off,
            1 => Timer::Retransmission { expires, retries: count },
            2 => Timer::Keepalive { expires, probes: count },
            4 => Timer::Window { expires, probes: count },
            other => Timer::Other(other),
        },
        unacknowledged: u32_at(message, 60)?,
        quiet: quiet.map(|millis| Duration::from_millis(millis.into())),
    })
}

/// An address of `struct inet_diag_sockid`. One of IPv4 may hide in one of IPv6, because sshd
/// listens with a socket that takes both.
fn address(family: u8, message: &[u8], at: usize) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(array::<4>(message, at)?).into()),
        AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(array::<16>(message, at)?)).to_canonical()),
        _ => None,
    }
}

fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(bytes, 0)?);
        let content = bytes.get(ATTRIBUTE_HEADER..length)?;
        if u16_at(bytes, 2)? == wanted {
            return Some(content);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests;
