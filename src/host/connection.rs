//! One TCP connection to a service of this machine, with an end to all waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use super::Host;

/// A connection that is given up at its deadline.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    deadline: Instant,
}

impl Host {
    /// Connects, from `source` where one is given. An address of this machine is connected at once
    /// or, behind a filter, not at all: hence the two limits, of which the second is for all that
    /// follows.
    ///
    /// # Errors
    /// What `bind(2)` and `connect(2)` say; `TimedOut` or `WouldBlock` after the limit.
    pub fn connect(
        address: SocketAddr,
        source: Option<IpAddr>,
        limit: Duration,
        whole: Duration,
    ) -> io::Result<Connection> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        if let Some(source) = source {
            bind(&socket, &SocketAddr::new(source, 0))?;
        }
        // socket(7): it limits connect(2) as well, which then fails with EINPROGRESS.
        set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
        match connect(&socket, &address) {
            Err(rustix::io::Errno::INPROGRESS) => return Err(ErrorKind::TimedOut.into()),
            connected => connected?,
        }
        Ok(Connection { stream: TcpStream::from(socket), deadline: Instant::now() + whole })
    }
}

impl Connection {
    /// Reads up to and with the first newline, or to the end of what is sent; at most `longest`
    /// bytes.
    ///
    /// # Errors
    /// What `read(2)` says; `WouldBlock` at the deadline.
    pub fn line(&mut self, longest: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < longest && line.last() != Some(&b'\n') {
            if self.read(&mut byte)? == 0 {
                break;
            }
            line.extend(byte);
        }
        Ok(line)
    }

    /// Reads this many bytes.
    ///
    /// # Errors
    /// As [`Connection::line`]; `UnexpectedEof` where fewer are sent.
    pub fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                more => filled += more,
            }
        }
        Ok(bytes)
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// What `write(2)` says; `WouldBlock` where they are not taken within the limit of the
    /// connect.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(part) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}
