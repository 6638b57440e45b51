//! Users' `~/.ssh/config`, read by a process of our own program that may be left behind: a home, or
//! where a link in it leads, may be on a file system that never answers. It becomes each account
//! before it looks, so that nothing is read that the account itself could not read.
//!
//! Only `~/.ssh/config` itself is read, not what it includes: the patterns of another user are no
//! reason for root to walk about the file system.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::overrides::Said;
use super::tree::UserFile;
use crate::host::accounts::Accounts;
use crate::host::command::own::Spoken;
use crate::host::mounts::{Kind, Mounts};
use crate::host::{Host, HostError};
use crate::sshd::dialect::Dialect;

pub mod child;
#[cfg(test)]
mod tests;

/// The hidden command that reads homes.
pub const COMMAND: &str = "read-homes";

/// An account on which the child says nothing for so long is given up. A file of 1 MiB takes a tenth
/// of it.
pub const SILENCE: Duration = Duration::from_secs(2);

/// All homes together take no longer than this.
pub const LONGEST: Duration = Duration::from_secs(10);

/// The largest file that is read, in bytes. One of 5,000 hosts has half of it.
const LARGEST: u64 = 1 << 20;

/// How many accounts one child serves, so that what it says stays below the limit of a program's
/// output, whatever they write.
const SERVED: usize = 250;

/// The longest answer about one account, in bytes.
const LONGEST_ANSWER: usize = 1 << 14;

/// The files on which a child was left behind: `apply` and `check --watch` look again, and must not
/// leave one more each time.
static HUNG: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What was found in users' homes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Homes {
    /// The accounts whose file sets something.
    pub said: Vec<Home>,
    /// Those whose home was not looked at, by name and file, and why.
    pub unread: BTreeMap<Why, Vec<(String, PathBuf)>>,
}

/// The file of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The account.
    pub user: String,
    /// Its `~/.ssh/config`.
    pub path: PathBuf,
    /// What that says.
    pub said: Vec<Said>,
}

/// Why a home was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It did not answer.
    Silent,
    /// No time was left.
    Late,
    /// The file is too large.
    Large,
    /// It could not be tried.
    Failed(String),
}

/// An account that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    /// Its home: bytes, since JSON has no other paths than UTF-8.
    home: Vec<u8>,
    /// For messages.
    #[serde(skip)]
    user: String,
    /// Where its home is mounted, if that is on another machine.
    #[serde(skip)]
    remote: Option<PathBuf>,
}

/// What the child is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    /// The release of ssh.
    release: Vec<u8>,
    /// Whether to become each account.
    become_them: bool,
    accounts: Vec<Due>,
}

/// What the child says about one account, on a line of its own.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    /// The file is read; empty where there is none, or the account itself may not read it.
    Read(Vec<Said>),
    /// It is too large.
    Large,
    /// The child could not become the account.
    Failed(String),
}

impl Due {
    fn file(&self) -> UserFile {
        UserFile::of(PathBuf::from(OsStr::from_bytes(&self.home)))
    }
}

/// Reads the files of all local accounts where this program may run itself: the daemon may not, and
/// sees no homes.
///
/// # Errors
/// When the accounts can't be read.
pub fn read(host: &Host, dialect: &Dialect) -> Result<Homes, HostError> {
    if !host.runs_itself() {
        return Ok(Homes::default());
    }
    let mounts = Mounts::own();
    let due = due(&Accounts::read(host)?, &mounts.clone().unwrap_or_default(), host);
    let mut hung = HUNG.lock().unwrap_or_else(PoisonError::into_inner);
    let (again, due): (VecDeque<Due>, VecDeque<Due>) =
        due.into_iter().partition(|due| hung.contains(&due.file().path));
    let mut looking = Looking { due, homes: Homes::default() };
    looking.skip(again, &Why::Silent);
    if mounts.is_none() {
        // Any of them could be mounted by looking at it.
        let reason = "/proc/self/mountinfo can't be read".to_owned();
        let due = std::mem::take(&mut looking.due);
        looking.skip(due, &Why::Failed(reason));
        return Ok(looking.homes);
    }
    let deadline = Instant::now() + LONGEST;
    let homes = looking.look(|accounts| {
        let question = Question {
            release: dialect.release().to_vec(),
            become_them: rustix::process::geteuid().is_root(),
            accounts: accounts.to_vec(),
        };
        let question = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
        let spoken = host.run_itself(COMMAND, &question, SILENCE, deadline);
        Ok((spoken.map_err(|error| error.to_string())?, Instant::now() >= deadline))
    });
    let silent = homes.unread.get(&Why::Silent).into_iter().flatten();
    hung.extend(silent.map(|(_, path)| path.clone()));
    Ok(homes)
}

/// The homes in the order in which they are looked at: those of this machine before those of others,
/// which may be down. Many system accounts share one, and / belongs to no person. What would be mounted by looking is
/// left alone.
fn due(accounts: &Accounts, mounts: &Mounts, host: &Host) -> VecDeque<Due> {
    let memberships = accounts.memberships();
    let mut known: BTreeSet<&Path> = BTreeSet::from([Path::new("/")]);
    let (mut near, mut far) = (VecDeque::new(), Vec::new());
    for account in accounts.with_homes().filter(|account| known.insert(account.home)) {
        let due = |remote| Due {
            uid: account.uid,
            gid: account.gid,
            groups: memberships.get(account.name).cloned().unwrap_or_default(),
            home: account.home.as_os_str().as_bytes().to_vec(),
            user: String::from_utf8_lossy(account.name).into_owned(),
            remote,
        };
        match mounts.holder(&host.locate(account.home)) {
            (_, Kind::Local) => near.push_back(due(None)),
            (point, Kind::Remote) => far.push(due(Some(point.to_owned()))),
            (_, Kind::MountedByLooking) => {}
        }
    }
    near.extend(far);
    near
}

struct Looking {
    due: VecDeque<Due>,
    homes: Homes,
}

impl Looking {
    /// Asks a child about the accounts that are due, and another one about the rest where one of
    /// them hangs. `ask` also says whether the time is over.
    fn look(mut self, mut ask: impl FnMut(&[Due]) -> Result<(Spoken, bool), String>) -> Homes {
        while !self.due.is_empty() {
            let length = self.due.len().min(SERVED);
            let asked: Vec<Due> = self.due.drain(..length).collect();
            let (spoken, over) = match ask(&asked) {
                Ok(answer) => answer,
                Err(reason) => {
                    self.skip(asked, &Why::Failed(reason));
                    break;
                }
            };
            let mut left = asked.into_iter();
            for line in spoken.said.split_inclusive(|byte| *byte == b'\n') {
                // What does not end in a newline was cut off.
                let Some(line) = line.strip_suffix(b"\n") else { break };
                let Some(account) = left.next() else { break };
                self.take(account, line);
            }
            let Some(hung) = left.next() else { continue };
            self.due = left.chain(self.due).collect();
            if over {
                self.due.push_front(hung);
                break;
            }
            if !spoken.given_up {
                let reason = format!("our own program ended early: {}", spoken.complaint);
                self.skip([hung], &Why::Failed(reason));
                break;
            }
            self.give_up(hung);
        }
        let late = std::mem::take(&mut self.due);
        let known = self.homes.unread.keys().find(|why| matches!(why, Why::Failed(_))).cloned();
        self.skip(late, &known.unwrap_or(Why::Late));
        self.homes
    }

    /// The child answers as root, yet what it says is made of what a user wrote.
    fn take(&mut self, account: Due, line: &[u8]) {
        let answer = match line.len() {
            0..=LONGEST_ANSWER => serde_json::from_slice(line).ok(),
            _ => None,
        };
        match answer {
            Some(Answer::Read(said)) if said.is_empty() => {}
            Some(Answer::Read(said)) => {
                let path = account.file().path;
                self.homes.said.push(Home { user: account.user, path, said });
            }
            Some(Answer::Large) => self.skip([account], &Why::Large),
            Some(Answer::Failed(reason)) => self.skip([account], &Why::Failed(reason)),
            None => {
                let reason = "our own program gave no sound answer".to_owned();
                self.skip([account], &Why::Failed(reason));
            }
        }
    }

    /// A file server that hangs for one home hangs for all of them.
    fn give_up(&mut self, hung: Due) {
        if let Some(point) = hung.remote.clone() {
            let due = std::mem::take(&mut self.due);
            let (same, other): (VecDeque<Due>, VecDeque<Due>) =
                due.into_iter().partition(|due| due.remote.as_ref() == Some(&point));
            self.due = other;
            self.skip([hung], &Why::Silent);
            self.skip(same, &Why::Silent);
        } else {
            self.skip([hung], &Why::Silent);
        }
    }

    fn skip(&mut self, accounts: impl IntoIterator<Item = Due>, why: &Why) {
        for account in accounts {
            let path = account.file().path;
            self.homes.unread.entry(why.clone()).or_default().push((account.user, path));
        }
    }
}
