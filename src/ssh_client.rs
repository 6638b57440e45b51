//! ssh's keepalive settings: ssh_config, exactly as ssh reads it.

use crate::reconcile::Value;

pub mod accounts;
pub mod condition;
pub mod evaluate;
pub mod snapshot;
pub mod tree;
pub mod value;

/// A keyword of ssh_config that can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyword {
    /// Whether the kernel's keepalive is used on ssh's connections.
    TcpKeepAlive,
    /// Seconds of silence after which ssh asks the server for a sign of life.
    ServerAliveInterval,
    /// How many such requests may stay unanswered.
    ServerAliveCountMax,
}

impl Keyword {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 3] =
        [Self::TcpKeepAlive, Self::ServerAliveInterval, Self::ServerAliveCountMax];

    /// The canonical spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpKeepAlive => "TCPKeepAlive",
            Self::ServerAliveInterval => "ServerAliveInterval",
            Self::ServerAliveCountMax => "ServerAliveCountMax",
        }
    }

    /// What ssh uses when no file sets it; Debian's has another interval with `BatchMode yes`.
    #[must_use]
    pub const fn default_value(self) -> Value {
        match self {
            Self::TcpKeepAlive => Value::Bool(true),
            Self::ServerAliveInterval => Value::Number(0),
            Self::ServerAliveCountMax => Value::Number(3),
        }
    }
}
