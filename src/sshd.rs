//! sshd's keepalive settings, exactly as sshd reads them.

use std::collections::BTreeMap;

use crate::reconcile::Value;

pub mod dialect;
pub mod evaluate;
pub mod glob;
pub mod install;
pub mod judge;
pub mod match_criteria;
pub mod service;
pub mod shadow;
pub mod syntax;
pub mod tree;
pub mod value;

/// A keyword of sshd_config that can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyword {
    /// Whether the kernel's keepalive is used on sshd's connections. Not allowed in `Match`.
    TcpKeepAlive,
    /// Seconds of silence after which sshd asks the client for a sign of life.
    ClientAliveInterval,
    /// How many such requests may stay unanswered; 0 means for ever.
    ClientAliveCountMax,
}

impl Keyword {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 3] =
        [Self::TcpKeepAlive, Self::ClientAliveInterval, Self::ClientAliveCountMax];

    /// The canonical spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpKeepAlive => "TCPKeepAlive",
            Self::ClientAliveInterval => "ClientAliveInterval",
            Self::ClientAliveCountMax => "ClientAliveCountMax",
        }
    }

    /// What sshd uses when no file sets it.
    #[must_use]
    pub const fn default_value(self) -> Value {
        match self {
            Self::TcpKeepAlive => Value::Bool(true),
            Self::ClientAliveInterval => Value::Number(0),
            Self::ClientAliveCountMax => Value::Number(3),
        }
    }
}

/// What to do with Match blocks that set another value: `match_blocks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchBlocks {
    /// Beat them with a `Match all` of ours at the place that wins.
    #[default]
    Override,
    /// Only report them.
    Report,
}

/// `[sshd_config]`: the declared values; a keyword that is absent is not managed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// The declared values.
    pub values: BTreeMap<Keyword, Value>,
    /// What to do with Match blocks that set another value.
    pub match_blocks: MatchBlocks,
}
