//! What ends an idle session although it is kept alive: `ChannelTimeout` and
//! `UnusedConnectionTimeout`, in sshd since 9.2. Pure.
//!
//! Only what the user or the server sends through a channel counts for these; the questions of
//! `ClientAlive` do not. Measured on 9.2 and 10.0: `session:command=2s`, `session:*=4s` and `ses*=2s`
//! end a session, the bare type `session=2s` does not; `global=2s` ends it on 10.0 and not on 9.2.
//! `ChannelTimeout` in a block does nothing on either, though `sshd -T -C` prints it: a session gets what
//! sshd read at its start. `UnusedConnectionTimeout` counts in blocks.

use std::fmt::{self, Display};
use std::time::Duration;

use super::dialect::Dialect;
use super::evaluate::Context;
use super::match_criteria::Criteria;
use super::match_criteria::pattern::matches;
use super::syntax::Directive;
use super::value;
use crate::reconcile::Source;

#[cfg(test)]
mod tests;

/// The types that sshd gives to the channel of a session once it is known what runs in it.
const SESSIONS: [&[u8]; 3] = [b"session:shell", b"session:command", b"session:subsystem:sftp"];

/// All channels together, since 9.7 by its release notes.
const ALL_CHANNELS: &[u8] = b"global";

/// A keyword that ends idle sessions or connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keyword {
    /// Ends a session in which nothing is typed and nothing is shown.
    ChannelTimeout,
    /// Ends a connection that has no session: `ssh -N`, an idle `ControlMaster`.
    UnusedConnectionTimeout,
}

impl Keyword {
    const ALL: [Self; 2] = [Self::ChannelTimeout, Self::UnusedConnectionTimeout];

    /// The canonical spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelTimeout => "ChannelTimeout",
            Self::UnusedConnectionTimeout => "UnusedConnectionTimeout",
        }
    }

    const fn counts_in_blocks(self) -> bool {
        matches!(self, Self::UnusedConnectionTimeout)
    }

    /// The keyword that a directive is about.
    #[must_use]
    pub fn of(directive: &Directive) -> Option<Self> {
        Self::ALL.into_iter().find(|keyword| directive.is(keyword.name()))
    }
}

/// A line with one of these keywords, as the walk over the configuration meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The keyword.
    pub keyword: Keyword,
    /// Its arguments.
    pub arguments: Vec<Vec<u8>>,
    /// Where it stands.
    pub source: Source,
    /// Whether sshd reads it at its start.
    pub at_start: bool,
    /// The block that it stands in, if a connection can be in one.
    pub block: Option<Criteria>,
}

/// A line that ends idle sessions or connections of some population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleLimit {
    /// The keyword.
    pub keyword: Keyword,
    /// The argument that decides: `session:*=4s`.
    pub argument: String,
    /// After this long.
    pub after: Duration,
    /// For whom; `None` for every connection that no block treats apart.
    pub context: Option<Context>,
    /// Where it stands.
    pub source: Source,
}

impl Display for IdleLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.keyword {
            Keyword::ChannelTimeout => "an idle session",
            Keyword::UnusedConnectionTimeout => {
                "a connection without a session (ssh -N, an idle ControlMaster)"
            }
        };
        let seconds = self.after.as_secs();
        write!(f, "{} {} ends {what} after {seconds} s", self.keyword.name(), self.argument)?;
        match &self.context {
            Some(context) => write!(f, " for {context}"),
            None => Ok(()),
        }
    }
}

impl IdleLimit {
    /// What `check` and `explain` say of it.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{self}, although ClientAlive keeps its connection up")
    }
}

/// The limits that are in force, for connections outside of blocks first.
#[must_use]
pub fn limits(lines: &[Line], dialect: &Dialect) -> Vec<IdleLimit> {
    let mut found = Vec::new();
    for keyword in Keyword::ALL {
        let lines: Vec<&Line> = lines.iter().filter(|line| line.keyword == keyword).collect();
        let everybody = Criteria::new();
        let mut populations = vec![&everybody];
        for block in lines.iter().filter_map(|line| line.block.as_ref()) {
            if keyword.counts_in_blocks() && !populations.contains(&block) {
                populations.push(block);
            }
        }
        let global = deciding(&lines, &everybody);
        for population in populations {
            let Some(line) = deciding(&lines, population) else { continue };
            // A block that leaves everything as it is outside of blocks needs no row of its own.
            if !population.is_empty() && global == Some(line) {
                continue;
            }
            let Some((argument, seconds)) = limit(line, dialect) else { continue };
            found.push(IdleLimit {
                keyword,
                argument: String::from_utf8_lossy(argument).into_owned(),
                after: Duration::from_secs(seconds),
                context: (!population.is_empty()).then(|| Context { criteria: population.clone() }),
                source: line.source.clone(),
            });
        }
    }
    found
}

/// The line that decides for connections that meet exactly these criteria: the first one in a block
/// that they meet, else the first one that sshd reads at its start.
fn deciding<'l>(lines: &[&'l Line], population: &Criteria) -> Option<&'l Line> {
    for line in lines {
        if let Some(block) = &line.block
            && line.keyword.counts_in_blocks()
            && block.iter().all(|criterion| population.contains(criterion))
        {
            return Some(line);
        }
    }
    lines.iter().find(|line| line.at_start).copied()
}

/// The argument of a line that ends idle sessions, and after how many seconds.
fn limit<'l>(line: &'l Line, dialect: &Dialect) -> Option<(&'l [u8], u64)> {
    let mut shortest: Option<(&[u8], u64)> = None;
    match line.keyword {
        Keyword::UnusedConnectionTimeout => {
            let argument = line.arguments.first()?;
            shortest = Some((argument, seconds(argument, dialect)?));
        }
        Keyword::ChannelTimeout => {
            for channel in SESSIONS {
                let limit = first_of_type(line, dialect, |kind| matches(channel, kind, dialect));
                shortest = shorter(shortest, limit);
            }
            if dialect.has_global_channel_timeout() {
                let limit = first_of_type(line, dialect, |kind| kind == ALL_CHANNELS);
                shortest = shorter(shortest, limit);
            }
        }
    }
    shortest
}

/// The first `TYPE=TIME` of a line whose type is meant: sshd takes the first that matches.
fn first_of_type<'l>(
    line: &'l Line,
    dialect: &Dialect,
    meant: impl Fn(&[u8]) -> bool,
) -> Option<(&'l [u8], u64)> {
    for argument in &line.arguments {
        let equals = argument.iter().position(|byte| *byte == b'=')?;
        let (kind, time) = argument.split_at_checked(equals)?;
        if meant(kind) {
            return Some((argument, seconds(time.get(1..)?, dialect)?));
        }
    }
    None
}

fn shorter<'l>(
    one: Option<(&'l [u8], u64)>,
    other: Option<(&'l [u8], u64)>,
) -> Option<(&'l [u8], u64)> {
    match (one, other) {
        (Some(one), Some(other)) if other.1 < one.1 => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

/// A time; none for `none` and 0, which end nothing.
fn seconds(text: &[u8], dialect: &Dialect) -> Option<u64> {
    let seconds = value::time(text, dialect)?;
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}
