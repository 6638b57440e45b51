//! `Match` lines: their criteria, and whether a connection meets them.

use std::borrow::Cow;
use std::fmt;

use super::dialect::Dialect;
use super::syntax::{Directive, token};
use super::value::leading_number;

mod address;
pub(crate) mod pattern;

#[cfg(test)]
mod tests;

/// What a block demands of a connection: all of these. None at all is `Match all`.
pub type Criteria = Vec<Criterion>;

/// One criterion of a `Match` line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Criterion {
    /// What is looked at.
    pub attribute: Attribute,
    /// What it is compared with, quotes resolved; empty for `invalid-user`.
    pub pattern: Vec<u8>,
}

/// What a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// The name of the account.
    User,
    /// The account's groups.
    Group,
    /// The client's name in the DNS, or its address where `UseDNS` is off.
    Host,
    /// The client's address.
    Address,
    /// The server's address.
    LocalAddress,
    /// The server's port.
    LocalPort,
    /// The routing domain of the connection.
    RDomain,
    /// That there is no such account.
    InvalidUser,
    /// The release of sshd itself.
    Version,
}

impl Attribute {
    const WITH_PATTERN: [Self; 8] = [
        Self::User,
        Self::Group,
        Self::Host,
        Self::Address,
        Self::LocalAddress,
        Self::LocalPort,
        Self::RDomain,
        Self::Version,
    ];

    /// The spelling of the manual page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Host => "Host",
            Self::Address => "Address",
            Self::LocalAddress => "LocalAddress",
            Self::LocalPort => "LocalPort",
            Self::RDomain => "RDomain",
            Self::InvalidUser => "invalid-user",
            Self::Version => "version",
        }
    }

    fn find(name: &[u8], dialect: &Dialect) -> Option<Self> {
        let named = |one: &Self| one.name().as_bytes().eq_ignore_ascii_case(name);
        Self::WITH_PATTERN
            .into_iter()
            .find(named)
            .filter(|found| *found != Self::Version || dialect.has_version_criterion())
    }
}

impl fmt::Display for Criterion {
    /// As one would write it: `User bob`, quoted where it has to be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.attribute.name())?;
        let pattern = String::from_utf8_lossy(&self.pattern);
        if pattern.contains([' ', '\t', '\'', '#', '=']) {
            write!(f, " \"{pattern}\"")
        } else if !pattern.is_empty() {
            write!(f, " {pattern}")
        } else {
            Ok(())
        }
    }
}

/// Why sshd refuses a `Match` line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMatch {
    /// No criterion at all.
    #[error("Match needs at least one criterion")]
    Empty,
    /// `all` beside another criterion.
    #[error("'all' cannot be combined with other criteria")]
    AllNotAlone,
    /// A criterion without its pattern.
    #[error("Match {0} has nothing to compare with")]
    NoPattern(String),
    /// A criterion that this sshd does not have.
    #[error("{0} is no criterion of Match")]
    Unknown(String),
    /// An address list or port that can't be one.
    #[error("'{pattern}' is not valid for Match {attribute}")]
    Invalid {
        /// The criterion.
        attribute: &'static str,
        /// What it was given.
        pattern: String,
    },
    /// Something behind the last criterion.
    #[error("extra arguments at the end of the Match line")]
    Extra,
}

/// The criteria of a `Match` line.
///
/// # Errors
/// When sshd refuses the line.
pub fn parse(directive: &Directive, dialect: &Dialect) -> Result<Criteria, BadMatch> {
    if dialect.matches_by_arguments() {
        let arguments = directive.arguments.as_deref().unwrap_or_default();
        let mut words = arguments.iter().map(|argument| Cow::Borrowed(argument.bytes.as_slice()));
        let criteria = read(&mut words, dialect)?;
        return if words.next().is_none() { Ok(criteria) } else { Err(BadMatch::Extra) };
    }
    let mut cursor = token::Cursor::new(&directive.rest);
    let mut ended = false;
    let mut words = std::iter::from_fn(|| {
        let word = cursor.word()?.bytes;
        ended |= word.starts_with(b"#");
        Some(Cow::Owned(word))
    });
    let criteria = read(&mut words, dialect)?;
    let left = if dialect.splits_like_keywords() {
        cursor.word().is_some_and(|word| !word.bytes.is_empty())
    } else {
        !ended && cursor.position().is_some_and(|at| at < directive.rest.len())
    };
    if left { Err(BadMatch::Extra) } else { Ok(criteria) }
}

/// Reads criteria up to the end, an empty word (which the old tokeniser takes for one) or a
/// comment.
fn read<'a>(
    words: &mut impl Iterator<Item = Cow<'a, [u8]>>,
    dialect: &Dialect,
) -> Result<Criteria, BadMatch> {
    let mut criteria = Vec::new();
    let empty_ends = !dialect.matches_by_arguments();
    while let Some(word) = words.next() {
        if word.is_empty() && empty_ends {
            break;
        }
        if word.starts_with(b"#") {
            // Whatever follows belongs to the comment.
            if dialect.matches_by_arguments() {
                words.by_ref().for_each(drop);
            }
            break;
        }
        if word.eq_ignore_ascii_case(b"all") {
            return all_alone(&criteria, words);
        }
        if word.eq_ignore_ascii_case(b"invalid-user") && dialect.has_invalid_user() {
            criteria.push(Criterion { attribute: Attribute::InvalidUser, pattern: Vec::new() });
            continue;
        }
        let (name, pattern) = match joined(&word, dialect) {
            Some((name, pattern)) => (name.to_vec(), Some(pattern.to_vec())),
            None => (word.to_vec(), words.next().map(Cow::into_owned)),
        };
        criteria.push(criterion(&name, pattern, dialect)?);
    }
    if criteria.is_empty() { Err(BadMatch::Empty) } else { Ok(criteria) }
}

fn all_alone<'a>(
    criteria: &[Criterion],
    words: &mut impl Iterator<Item = Cow<'a, [u8]>>,
) -> Result<Criteria, BadMatch> {
    let next = words.next();
    let comment = next.as_ref().is_some_and(|word| word.starts_with(b"#"));
    if !criteria.is_empty() || next.is_some_and(|word| !word.is_empty() && !comment) {
        return Err(BadMatch::AllNotAlone);
    }
    if comment {
        words.for_each(drop);
    }
    Ok(Vec::new())
}

/// `User=bob` in one word.
fn joined<'a>(word: &'a [u8], dialect: &Dialect) -> Option<(&'a [u8], &'a [u8])> {
    let equals = word.iter().position(|byte| *byte == b'=')?;
    let (name, pattern) = word.split_at_checked(equals)?;
    let known = dialect.has_version_criterion() && Attribute::find(name, dialect).is_some();
    known.then(|| (name, pattern.get(1..).unwrap_or_default()))
}

fn criterion(
    name: &[u8],
    pattern: Option<Vec<u8>>,
    dialect: &Dialect,
) -> Result<Criterion, BadMatch> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pattern = pattern
        .filter(|pattern| !pattern.is_empty() && !pattern.starts_with(b"#"))
        .ok_or_else(|| BadMatch::NoPattern(text(name)))?;
    let attribute = Attribute::find(name, dialect).ok_or_else(|| BadMatch::Unknown(text(name)))?;
    let valid = match attribute {
        Attribute::Address | Attribute::LocalAddress => address::is_valid_list(&pattern, dialect),
        // The services' names are in a database that is not looked at here.
        Attribute::LocalPort => {
            port(&pattern).is_some() || pattern.iter().any(u8::is_ascii_alphabetic)
        }
        _ => true,
    };
    if valid {
        Ok(Criterion { attribute, pattern })
    } else {
        Err(BadMatch::Invalid { attribute: attribute.name(), pattern: text(&pattern) })
    }
}

/// A port as sshd reads it; `None` when it is no number, and so perhaps a service's name.
fn port(pattern: &[u8]) -> Option<u16> {
    match leading_number(pattern) {
        Some((number, [])) => u16::try_from(number).ok(),
        _ => None,
    }
}

/// One connection, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// The account's name.
    pub user: Option<Vec<u8>>,
    /// The names of its groups; `None` when they are not known, empty for an account that does not
    /// exist.
    pub groups: Option<Vec<Vec<u8>>>,
    /// The client's name.
    pub host: Option<Vec<u8>>,
    /// The client's address.
    pub address: Option<Vec<u8>>,
    /// The server's address.
    pub local_address: Option<Vec<u8>>,
    /// The server's port.
    pub local_port: Option<u16>,
    /// The routing domain.
    pub rdomain: Option<Vec<u8>>,
}

impl Connection {
    /// Whether it meets all of `criteria`; `None` when that depends on what is not known.
    #[must_use]
    pub fn meets(&self, criteria: &[Criterion], dialect: &Dialect) -> Option<bool> {
        let verdicts = || criteria.iter().map(|criterion| self.meets_one(criterion, dialect));
        if verdicts().any(|verdict| verdict == Some(false)) {
            Some(false)
        } else {
            verdicts().all(|verdict| verdict == Some(true)).then_some(true)
        }
    }

    /// What is absent meets nothing, as in `sshd -T -C`.
    fn meets_one(&self, criterion: &Criterion, dialect: &Dialect) -> Option<bool> {
        let list = criterion.pattern.as_slice();
        let text = |value: &Option<Vec<u8>>| {
            Some(value.as_ref().is_some_and(|value| pattern::in_list(value, list, false, dialect)))
        };
        let within = |value: &Option<Vec<u8>>| {
            Some(value.as_ref().is_some_and(|value| address::in_list(value, list, dialect)))
        };
        match criterion.attribute {
            Attribute::User => text(&self.user),
            Attribute::RDomain => text(&self.rdomain),
            Attribute::Host => Some(self.host.as_ref().is_some_and(|host| {
                pattern::in_list(&host.to_ascii_lowercase(), list, true, dialect)
            })),
            Attribute::Group => {
                let groups = self.groups.as_ref();
                groups.map(|groups| {
                    self.user.is_some() && pattern::any_in_list(groups, list, dialect)
                })
            }
            Attribute::Address => within(&self.address),
            Attribute::LocalAddress => within(&self.local_address),
            Attribute::LocalPort => match (self.local_port, port(list)) {
                (None, _) => Some(false),
                (Some(_), None) => None,
                (Some(ours), Some(theirs)) => Some(ours == theirs),
            },
            Attribute::InvalidUser => Some(false),
            Attribute::Version => Some(pattern::in_list(dialect.release(), list, false, dialect)),
        }
    }
}

/// Whether sshd takes the criteria for met when it starts, when there is no connection yet.
#[must_use]
pub fn met_at_start(criteria: &[Criterion], dialect: &Dialect) -> bool {
    criteria.iter().all(|criterion| match criterion.attribute {
        Attribute::Version => {
            pattern::in_list(dialect.release(), &criterion.pattern, false, dialect)
        }
        Attribute::InvalidUser => dialect.takes_invalid_user_for_all(),
        _ => false,
    })
}

/// What the criteria demand of a connection, those left out that this sshd always meets; `None`
/// when no connection whatever can meet them, as with a list of negations only.
#[must_use]
pub fn possible(criteria: Criteria, dialect: &Dialect) -> Option<Criteria> {
    let negations_only =
        |list: &[u8]| list.split(|byte| *byte == b',').all(|part| part.starts_with(b"!"));
    let mut demands = Vec::with_capacity(criteria.len());
    for criterion in criteria {
        let list = criterion.pattern.as_slice();
        match criterion.attribute {
            Attribute::Version if pattern::in_list(dialect.release(), list, false, dialect) => {}
            Attribute::Version => return None,
            Attribute::LocalPort | Attribute::InvalidUser => demands.push(criterion),
            _ if negations_only(list) => return None,
            _ => demands.push(criterion),
        }
    }
    Some(demands)
}
