//! How long a session that is alive and idle says nothing.

use serde::Serialize;

use super::alive::{Alive, Side};
use super::{After, End, Kernel, Party, as_seconds, seconds};

/// Something that is said on an idle session, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// Who says it.
    pub by: Party,
    /// Every so often; `None` for never.
    #[serde(rename = "every_s", serialize_with = "as_seconds")]
    pub every: After,
    /// Whether it is a bare TCP segment, which a hop that terminates TCP swallows.
    pub bare: bool,
    /// The formula with its numbers, or why never.
    pub reason: String,
}

/// What one end of a session says while nothing else is said.
#[must_use]
pub fn signs(end: End, kernel: Kernel) -> [Sign; 2] {
    [asks(end.alive), probes(end, kernel)]
}

/// What a program asks of a live peer that is idle.
#[must_use]
pub fn asks(alive: Alive) -> Sign {
    let every = alive.first_question();
    let (by, keyword) = match alive.side {
        Side::Server(_) => (Party::Sshd, "ClientAliveInterval"),
        Side::Client(_) => (Party::Ssh, "ServerAliveInterval"),
    };
    let (interval, factor) = (alive.interval, alive.intervals_between_questions());
    let reason = match every {
        Some(every) if factor > 1 => {
            let release = alive.release();
            format!("{factor} * {keyword} {interval} = {} s, as {release} does", seconds(every))
        }
        Some(every) => format!("{keyword} {} s", seconds(every)),
        None if interval == 0 => format!("{keyword} 0"),
        None => "a count of 0 disconnects instead of asking".to_owned(),
    };
    Sign { by, every, bare: false, reason }
}

fn probes(end: End, kernel: Kernel) -> Sign {
    let every = kernel.between_probes().filter(|_| end.tcp_keepalive);
    let Kernel { time, intvl, .. } = kernel;
    let reason = match every {
        _ if !end.tcp_keepalive => "TCPKeepAlive no".to_owned(),
        Some(_) if intvl > time => {
            format!("tcp_keepalive_intvl {intvl} s, which is above tcp_keepalive_time {time} s")
        }
        Some(_) => format!("tcp_keepalive_time {time} s"),
        None if kernel.probes == 0 => {
            "tcp_keepalive_probes 0: a reset instead of a probe".to_owned()
        }
        None => format!("tcp_keepalive_time {time}: not for weeks"),
    };
    Sign { by: Party::KernelKeepalive, every, bare: true, reason }
}

/// The longest silence, and who breaks it: the most frequent of the signs. A hop that does not
/// count bare segments hears only the others.
#[must_use]
pub fn longest(signs: &[Sign], counts_bare: bool) -> Option<&Sign> {
    signs
        .iter()
        .filter(|sign| sign.every.is_some() && (counts_bare || !sign.bare))
        .min_by_key(|sign| sign.every)
}
