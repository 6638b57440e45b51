//! The first line that a TCP service sends.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::Host;

/// More than any greeting of interest; RFC 4253 limits sshd's line to 255 bytes.
const LONGEST: usize = 1024;

impl Host {
    /// Connects once and reads up to the first newline, or to the end of what is sent. An address
    /// of this machine is connected at once or, behind a filter, not at all: hence the two limits.
    ///
    /// # Errors
    /// What `connect(2)` and `read(2)` say; `TimedOut` or `WouldBlock` after a limit.
    pub fn greeting(address: SocketAddr, connect: Duration, read: Duration) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, connect)?;
        let deadline = Instant::now() + read;
        let mut greeting = Vec::new();
        let mut part = [0; LONGEST];
        while !greeting.contains(&b'\n') && greeting.len() < LONGEST {
            let left = deadline.saturating_duration_since(Instant::now());
            // A timeout of zero would mean none.
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(length) => greeting.extend_from_slice(part.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(greeting)
    }
}
