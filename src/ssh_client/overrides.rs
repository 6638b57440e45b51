//! What users' own files say, which ssh reads before the host's: their choice, reported and never
//! touched. There is no way to enforce a client's settings from /etc.
//!
//! It is reported once for each keyword with the number of accounts: a host may have thousands of
//! accounts, and a file thousands of lines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Keyword;
use super::evaluate::read;
use super::homes::{self, Home, Homes, Why};
use super::plan::NAME;
use super::tree::{Entry, Tree, UserFile};
use crate::escape::{self, counted};
use crate::host::accounts::Reader;
use crate::reconcile::{Problem, Severity, Value};
use crate::sshd::dialect::Dialect;

/// Of a keyword so many values of one file are told apart; a person with more of them uses the last
/// lines of a file that a program wrote.
const VALUES: usize = 4;

/// How many accounts a notice names.
const NAMED: usize = 3;

/// The longest context that is handed on, in characters: a notice quotes it between other words.
const LONGEST_CONTEXT: usize = 100;

/// What the lines of one file say that set one keyword to one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The keyword.
    pub keyword: Keyword,
    /// What they set.
    pub value: Value,
    /// The first of them, from 1.
    pub line: usize,
    /// In which block that is: `Host web*`; `None` for every host.
    pub context: Option<String>,
    /// How many they are. From the fourth value on those of all other values are counted with it.
    pub lines: usize,
}

/// What the file of an account says.
#[must_use]
pub fn of_file(uid: u32, file: UserFile, bytes: Vec<u8>, dialect: &Dialect) -> Vec<Said> {
    let real = file.path.clone();
    let entry = Entry::File { bytes: bytes.into(), real, readable: true, trusted: true };
    let tree = Tree {
        entries: BTreeMap::from([(file.path.clone(), entry)]),
        user: Some(file),
        system: PathBuf::new(),
        reader: Reader::Account(uid),
    };
    let reading = read(&tree, dialect);
    let mut said: Vec<Said> = Vec::new();
    for keyword in Keyword::ALL {
        let before = said.len();
        for line in reading.lines(keyword) {
            let Some(source) = &line.effective.source else { continue };
            if line.for_everybody == Some(false) {
                continue;
            }
            let value = line.effective.value;
            let of_keyword = said.get_mut(before..).unwrap_or_default();
            let full = of_keyword.len() == VALUES;
            let known = of_keyword.iter().position(|known| known.value == value);
            match known.or_else(|| full.then_some(VALUES - 1)).and_then(|at| of_keyword.get_mut(at))
            {
                Some(known) => known.lines += 1,
                None => said.push(Said {
                    keyword,
                    value,
                    line: source.line,
                    context: line
                        .context
                        .filter(|_| line.for_everybody.is_none())
                        .map(|context| escape::short(&context, LONGEST_CONTEXT).into_owned()),
                    lines: 1,
                }),
            }
            // Nothing after it has a say.
            if line.for_everybody == Some(true) {
                break;
            }
        }
    }
    said
}

/// One notice for each keyword that accounts set to another value than `declared`, and one for each
/// reason why homes were not looked at. None where nothing is declared.
#[must_use]
pub fn problems(homes: &Homes, declared: &BTreeMap<Keyword, Value>) -> Vec<Problem> {
    if declared.is_empty() {
        return Vec::new();
    }
    let set = declared.iter().filter_map(|(keyword, wanted)| overrides(homes, *keyword, *wanted));
    set.chain(unread(homes)).collect()
}

fn overrides(homes: &Homes, keyword: Keyword, wanted: Value) -> Option<Problem> {
    let other = |said: &&Said| said.keyword == keyword && said.value != wanted;
    let accounts: Vec<&Home> =
        homes.said.iter().filter(|home| home.said.iter().any(|said| other(&said))).collect();
    let first = accounts.first()?;
    let said = first.said.iter().find(other)?;
    let lines: usize = first.said.iter().filter(other).map(|said| said.lines).sum();
    let whom = said.context.as_deref().unwrap_or("every host");
    let name = keyword.name();
    let (user, value) = (escape::name(&first.user), said.value);
    let more = match lines {
        1 => String::new(),
        2 => " and another value on one more line".to_owned(),
        lines => format!(" and another value on {} more lines", counted(lines - 1)),
    };
    let what = match accounts.len() {
        1 => format!("{user} sets {name} {value} for {whom}{more}, {wanted} is declared"),
        count => format!(
            "{} accounts set another {name} than {wanted}, which is declared ({}), {user} {value} \
             for {whom}{more}",
            counted(count),
            some(accounts.iter().map(|home| home.user.as_str()), count)
        ),
    };
    let message = format!("{what}: a user's own file comes before the host's, and is not touched");
    let problem = Problem::new(NAME, Severity::Notice, message);
    Some(problem.at(&first.path, Some(said.line)))
}

/// `alice, bob, carol and 2,997 more`.
fn some<'n>(names: impl Iterator<Item = &'n str>, count: usize) -> String {
    let named: Vec<_> = names.take(NAMED).map(escape::name).collect();
    match count.saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {} more", named.join(", "), counted(more)),
    }
}

fn unread(homes: &Homes) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (why, accounts) in &homes.unread {
        let Some((_, path)) = accounts.first() else { continue };
        let count = accounts.len();
        let names = some(accounts.iter().map(|(user, _)| user.as_str()), count);
        let whose = if count == 1 { "the home of" } else { "the homes of" };
        let because = match why {
            Why::Silent => format!(
                "what stands there did not answer within {}, as where a link leads to a file system \
                 that hangs",
                seconds(homes::SILENCE)
            ),
            Why::Late => format!("the others took {} already", seconds(homes::LONGEST)),
            Why::Large => "a file of more than 1 MiB is not read".to_owned(),
            Why::Failed(reason) => reason.clone(),
        };
        let message = format!(
            "{whose} {names} {} not looked at for ssh settings: {because}",
            if count == 1 { "was" } else { "were" }
        );
        problems.push(Problem::new(NAME, Severity::Notice, message).at(path, None));
    }
    problems
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

#[cfg(test)]
mod tests;
