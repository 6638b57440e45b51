//! `Host` and `Match` lines: what they demand, and whether a destination meets it.

use std::borrow::Cow;
use std::fmt;

use crate::sshd::dialect::Dialect;
use crate::sshd::match_criteria::pattern::{in_list, matches};
use crate::sshd::syntax::{Directive, token};

mod show;
#[cfg(test)]
mod tests;

/// What one `Host` or `Match` line demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `Host`: one of the patterns, and none of the negated ones.
    Host(Vec<HostPattern>),
    /// `Match`: all of these.
    Match(Vec<Criterion>),
}

/// One pattern of a `Host` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// Whether it had a `!`.
    pub negated: bool,
    /// The pattern without it.
    pub text: Vec<u8>,
}

/// One criterion of a `Match` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// Whether it had a `!`.
    pub negated: bool,
    /// What is looked at.
    pub attribute: Attribute,
    /// What it is compared with; empty for those that are compared with nothing.
    pub pattern: Vec<u8>,
}

/// What a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// Nothing: met by all.
    All,
    /// The second reading, after the name was made canonical.
    Canonical,
    /// The second reading.
    Final,
    /// The name that is connected to.
    Host,
    /// The name as it was given.
    OriginalHost,
    /// The account there.
    User,
    /// The account here.
    LocalUser,
    /// The exit status of a shell command.
    Exec,
    /// The addresses of this machine.
    LocalNetwork,
    /// The value of `Tag`.
    Tagged,
    /// The release of ssh.
    Version,
    /// `shell`, `exec`, `subsystem` or `none`.
    SessionType,
    /// The command that is to run there.
    Command,
}

impl Attribute {
    const NAMES: [(&'static str, Self); 13] = [
        ("all", Self::All),
        ("canonical", Self::Canonical),
        ("final", Self::Final),
        ("host", Self::Host),
        ("originalhost", Self::OriginalHost),
        ("user", Self::User),
        ("localuser", Self::LocalUser),
        ("exec", Self::Exec),
        ("localnetwork", Self::LocalNetwork),
        ("tagged", Self::Tagged),
        ("version", Self::Version),
        ("sessiontype", Self::SessionType),
        ("command", Self::Command),
    ];

    fn find(name: &[u8], dialect: &Dialect) -> Option<Self> {
        let named = |(known, _): &&(&str, Self)| known.as_bytes().eq_ignore_ascii_case(name);
        let (_, found) = Self::NAMES.iter().find(named)?;
        let there = match found {
            Self::Final => dialect.has_final(),
            Self::LocalNetwork | Self::Tagged => dialect.has_tags(),
            Self::Version | Self::SessionType | Self::Command => dialect.has_version_criterion(),
            _ => true,
        };
        there.then_some(*found)
    }

    const fn stands_alone(self) -> bool {
        matches!(self, Self::All | Self::Canonical | Self::Final)
    }

    /// Whether an empty pattern is one: ssh compares a missing tag or command with it.
    const fn takes_empty(self) -> bool {
        matches!(self, Self::Tagged | Self::Command)
    }
}

/// What is known of a destination at one line: earlier lines may have changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject<'a> {
    /// What `Host` is compared with.
    pub alias: Option<&'a [u8]>,
    /// What `Match host` is compared with.
    pub host: Option<&'a [u8]>,
    /// The name as it was given.
    pub original: &'a [u8],
    /// The account there.
    pub user: Option<&'a [u8]>,
    /// The account here.
    pub local_user: Option<&'a [u8]>,
    /// Whether this is the second reading.
    pub final_pass: bool,
}

impl Condition {
    /// Reads a `Host` or `Match` line.
    ///
    /// # Errors
    /// When ssh refuses it, in its words.
    pub fn parse(line: &Directive, dialect: &Dialect) -> Result<Self, String> {
        if line.is("Host") { host(line) } else { criteria(line, dialect).map(Self::Match) }
    }

    /// Whether `subject` meets it; `None` when that depends on what is not known.
    #[must_use]
    pub fn is_met(&self, subject: &Subject<'_>, dialect: &Dialect) -> Option<bool> {
        match self {
            Self::Host(patterns) => {
                let alias = subject.alias?;
                let hit = |negated| {
                    let mut those = patterns.iter().filter(|one| one.negated == negated);
                    those.any(|one| matches(alias, &one.text, dialect))
                };
                Some(hit(false) && !hit(true))
            }
            Self::Match(criteria) => {
                let verdicts = || criteria.iter().map(|one| one.is_met(subject, dialect));
                if verdicts().any(|verdict| verdict == Some(false)) {
                    Some(false)
                } else {
                    verdicts().all(|verdict| verdict == Some(true)).then_some(true)
                }
            }
        }
    }

    /// Whether every destination meets it in that reading, or none does; `None` when it depends.
    #[must_use]
    pub fn is_met_by_all(&self, final_pass: bool) -> Option<bool> {
        match self {
            Self::Host(patterns) => {
                let any_negated = patterns.iter().any(|one| one.negated);
                let positive = || patterns.iter().filter(|one| !one.negated);
                if positive().next().is_none() {
                    Some(false)
                } else {
                    let all = positive().any(|one| is_everything(&one.text));
                    (all && !any_negated).then_some(true)
                }
            }
            Self::Match(criteria) => {
                let verdicts = || criteria.iter().map(|one| one.is_met_by_all(final_pass));
                if verdicts().any(|verdict| verdict == Some(false)) {
                    Some(false)
                } else {
                    verdicts().all(|verdict| verdict == Some(true)).then_some(true)
                }
            }
        }
    }

    /// Whether it asks for a second reading of all files, whether met or not.
    #[must_use]
    pub fn wants_final_pass(&self) -> bool {
        self.has(Attribute::Final)
    }

    /// Makes it one that nothing meets where it names a command.
    pub fn never_by_exec(&mut self) {
        let exec = self.has(Attribute::Exec);
        if let Self::Match(criteria) = self
            && exec
        {
            let attribute = Attribute::All;
            criteria.push(Criterion { negated: true, attribute, pattern: Vec::new() });
        }
    }

    /// Whether a criterion looks at this.
    #[must_use]
    pub fn has(&self, attribute: Attribute) -> bool {
        match self {
            Self::Host(_) => false,
            Self::Match(criteria) => criteria.iter().any(|one| one.attribute == attribute),
        }
    }
}

fn is_everything(pattern: &[u8]) -> bool {
    !pattern.is_empty() && pattern.iter().all(|byte| *byte == b'*')
}

fn host(line: &Directive) -> Result<Condition, String> {
    let arguments = line.arguments.as_deref().unwrap_or_default();
    let mut patterns = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let (negated, text) = match argument.bytes.as_slice() {
            [] => return Err("keyword host empty argument".to_owned()),
            [b'!', rest @ ..] => (true, rest),
            text => (false, text),
        };
        patterns.push(HostPattern { negated, text: text.to_vec() });
    }
    Ok(Condition::Host(patterns))
}

fn bad(reason: impl fmt::Display) -> String {
    format!("Bad Match condition: {reason}")
}

fn criteria(line: &Directive, dialect: &Dialect) -> Result<Vec<Criterion>, String> {
    const EXTRA: &str = "keyword match extra arguments at end of line";
    if dialect.matches_by_arguments() {
        let arguments = line.arguments.as_deref().unwrap_or_default();
        let mut words = arguments.iter().map(|argument| Cow::Borrowed(argument.bytes.as_slice()));
        let criteria = read(&mut words, dialect)?;
        return if words.next().is_none() { Ok(criteria) } else { Err(EXTRA.to_owned()) };
    }
    let mut cursor = token::Cursor::new(&line.rest);
    let mut comment = false;
    let mut words = std::iter::from_fn(|| {
        let word = cursor.word()?.bytes;
        comment |= word.starts_with(b"#");
        Some(Cow::Owned(word))
    });
    let criteria = read(&mut words, dialect)?;
    let left = !comment && cursor.position().is_some_and(|at| at < line.rest.len());
    if left { Err(EXTRA.to_owned()) } else { Ok(criteria) }
}

/// Reads criteria up to the end, a comment, `all`, or (with the old tokeniser) an empty word.
fn read<'a>(
    words: &mut impl Iterator<Item = Cow<'a, [u8]>>,
    dialect: &Dialect,
) -> Result<Vec<Criterion>, String> {
    let by_arguments = dialect.matches_by_arguments();
    let mut criteria: Vec<Criterion> = Vec::new();
    while let Some(word) = words.next().filter(|word| by_arguments || !word.is_empty()) {
        if word.starts_with(b"#") {
            skip(words, by_arguments);
            break;
        }
        let (word, negated) = match word.strip_prefix(b"!") {
            Some(rest) => (Cow::Owned(rest.to_vec()), true),
            None => (word, false),
        };
        let (name, joined) = split(&word, dialect);
        let attribute = Attribute::find(&name, dialect);
        if attribute == Some(Attribute::All) {
            alone(&criteria, words, by_arguments)?;
            criteria.push(Criterion { negated, attribute: Attribute::All, pattern: Vec::new() });
            return Ok(criteria);
        }
        let pattern = match attribute {
            Some(attribute) if attribute.stands_alone() => Vec::new(),
            _ => argument(&name, attribute, joined.or_else(|| words.next().map(Cow::into_owned)))?,
        };
        let attribute = attribute.ok_or_else(|| {
            bad(format_args!("Unsupported Match attribute {}", String::from_utf8_lossy(&name)))
        })?;
        criteria.push(Criterion { negated, attribute, pattern });
    }
    if criteria.is_empty() {
        return Err(bad("One or more attributes required for Match"));
    }
    Ok(criteria)
}

/// Whatever follows a `#` belongs to the comment; the old tokeniser's caller drops it.
fn skip<'a>(words: &mut impl Iterator<Item = Cow<'a, [u8]>>, by_arguments: bool) {
    if by_arguments {
        words.for_each(drop);
    }
}

/// `all` may follow one other criterion, for the sake of `Match final all`.
fn alone<'a>(
    criteria: &[Criterion],
    words: &mut impl Iterator<Item = Cow<'a, [u8]>>,
    by_arguments: bool,
) -> Result<(), String> {
    let refused = || bad("'all' cannot be combined with other Match attributes");
    if criteria.len() > 1 {
        return Err(refused());
    }
    match words.next() {
        Some(word) if word.starts_with(b"#") => skip(words, by_arguments),
        Some(word) if !word.is_empty() => return Err(refused()),
        _ => {}
    }
    Ok(())
}

/// `user=bob` in one word, since 10.0; the old tokeniser splits it anyway.
fn split(word: &[u8], dialect: &Dialect) -> (Vec<u8>, Option<Vec<u8>>) {
    let equals = word.iter().position(|byte| *byte == b'=');
    match equals.and_then(|at| word.split_at_checked(at)) {
        Some((name, rest)) if dialect.has_version_criterion() => {
            (name.to_vec(), Some(rest.get(1..).unwrap_or_default().to_vec()))
        }
        _ => (word.to_vec(), None),
    }
}

fn argument(
    name: &[u8],
    attribute: Option<Attribute>,
    pattern: Option<Vec<u8>>,
) -> Result<Vec<u8>, String> {
    let takes_empty = attribute.is_some_and(Attribute::takes_empty);
    pattern
        .filter(|pattern| takes_empty || !pattern.is_empty() && !pattern.starts_with(b"#"))
        .ok_or_else(|| {
            bad(format_args!("Missing Match criteria for {}", String::from_utf8_lossy(name)))
        })
}

impl Criterion {
    fn is_met(&self, subject: &Subject<'_>, dialect: &Dialect) -> Option<bool> {
        let list = self.pattern.as_slice();
        let name = |name: &[u8]| in_list(&name.to_ascii_lowercase(), list, true, dialect);
        let met = match self.attribute {
            Attribute::All => true,
            Attribute::Canonical | Attribute::Final => subject.final_pass,
            Attribute::Host => name(subject.host?),
            Attribute::OriginalHost => name(subject.original),
            Attribute::User => in_list(subject.user?, list, false, dialect),
            Attribute::LocalUser => in_list(subject.local_user?, list, false, dialect),
            Attribute::Version => in_list(dialect.release(), list, false, dialect),
            Attribute::Exec
            | Attribute::LocalNetwork
            | Attribute::Tagged
            | Attribute::SessionType
            | Attribute::Command => return None,
        };
        Some(met != self.negated)
    }

    fn is_met_by_all(&self, final_pass: bool) -> Option<bool> {
        let met = match self.attribute {
            Attribute::All => true,
            Attribute::Canonical | Attribute::Final => final_pass,
            Attribute::Host | Attribute::OriginalHost | Attribute::User | Attribute::LocalUser => {
                let parts = || self.pattern.split(|byte| *byte == b',');
                if parts().all(|part| part.starts_with(b"!")) {
                    false
                } else if parts().all(is_everything) {
                    true
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some(met != self.negated)
    }
}
