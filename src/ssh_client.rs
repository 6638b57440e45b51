//! ssh's keepalive settings: ssh_config, exactly as ssh reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::accounts;
use crate::host::files::Node;
use crate::host::links::Obstacle;
use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::policy::SshConfig;
use crate::reconcile::{ObserveError, Outcome, Plan, Problem, Resource, Value};
use crate::sshd::dialect::Dialect;

pub mod condition;
pub mod edit;
pub mod evaluate;
pub mod findings;
pub mod homes;
pub mod install;
pub mod judge;
pub mod modes;
pub mod overrides;
pub mod place;
pub mod plan;
pub mod snapshot;
pub mod tree;
pub mod value;

/// A keyword of ssh_config that can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

impl SshConfig {
    /// The declared values.
    #[must_use]
    pub fn values(&self) -> BTreeMap<Keyword, Value> {
        let number = |number: Option<u32>| number.map(|number| Value::Number(i64::from(number)));
        let all = [
            (Keyword::TcpKeepAlive, self.tcp_keep_alive.map(Value::Bool)),
            (Keyword::ServerAliveInterval, number(self.server_alive_interval)),
            (Keyword::ServerAliveCountMax, number(self.server_alive_count_max)),
        ];
        all.into_iter().filter_map(|(keyword, value)| Some((keyword, value?))).collect()
    }
}

/// Whose client is governed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The host's, for every user: files below /etc.
    Everybodys,
    /// One user's own: `~/.ssh/config`. The one who runs this program.
    Users(tree::UserFile),
}

/// `[ssh_config]` of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshClient {
    /// The policy file, to be named in what is written.
    pub policy: PathBuf,
    /// Whose client.
    pub whose: Whose,
}

impl Default for SshClient {
    /// The host's client and the host's policy.
    fn default() -> Self {
        let policy = PathBuf::from("/etc/keepalive-policy.toml");
        Self { policy, whose: Whose::Everybodys }
    }
}

/// What there is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Everything that ssh reads.
    pub tree: tree::Tree,
    /// What it says.
    pub reading: evaluate::Reading,
    /// What ssh says about it.
    pub verdict: judge::Verdict,
    /// Whether there is an ssh at all.
    pub installed: bool,
    /// The grammar of the ssh that judged.
    pub dialect: Dialect,
    /// Modes of the user's own that are not wanted. `reading` and `verdict` are of the files as
    /// ssh reads them with the wanted ones.
    pub modes: Vec<modes::Mode>,
    /// What users' own files say; of interest for the host's client.
    pub homes: homes::Homes,
    /// The links that keep us from writing the main file or a drop-in by its path.
    pub closed: BTreeMap<PathBuf, Obstacle>,
    /// Files as they were before our first edit.
    pub copies: BTreeMap<PathBuf, Vec<u8>>,
    /// What to watch.
    pub watched: BTreeSet<PathBuf>,
}

impl Observed {
    /// Whether ssh ends with an error for every host, as things are.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.verdict, judge::Verdict::Refused(_))
            || self.modes.iter().any(|mode| mode.refused)
    }

    /// The file in which a block of ours stands, where one does.
    #[must_use]
    pub fn main(&self) -> &Path {
        self.tree.user.as_ref().map_or(&self.tree.system, |user| &user.path)
    }
}

impl SshClient {
    /// What ssh reads, for whom it is read, and where something of ours may stand besides.
    ///
    /// # Errors
    /// When the host can't be read.
    pub fn scope(&self, host: &Host) -> Result<snapshot::Scope, HostError> {
        let (user, reader, besides) = match &self.whose {
            Whose::Everybodys => (None, accounts::Reader::Everyone, place::own_paths()),
            Whose::Users(user) => {
                let uid = rustix::process::geteuid().as_raw();
                (Some(user.clone()), accounts::Reader::Account(uid), Vec::new())
            }
        };
        Ok(snapshot::Scope { user, system: system_file(host)?, reader, besides })
    }
}

impl SshClient {
    /// Reads the files, and asks nobody.
    fn look(&self, host: &Host, dialect: Dialect) -> Result<Observed, HostError> {
        let mut found = snapshot::read(host, &self.scope(host)?, &dialect)?;
        let user = found.tree.user.clone();
        let closed = closed(host, &found.tree);
        let modes = user.map(|user| modes::unwanted(host, &user, &found.tree));
        let mut modes = modes.unwrap_or_default();
        modes.retain(|mode| !closed.contains_key(&mode.path));
        for path in modes.iter().filter(|mode| mode.refused).map(|mode| &mode.path) {
            found.tree.trust(path);
        }
        let mut copies = BTreeMap::new();
        let main = found.tree.user.as_ref().map_or(&found.tree.system, |user| &user.path).clone();
        for path in place::own_paths().into_iter().chain([main]) {
            if let Some(copy) = Originals::kept_copy(host, &path)? {
                copies.insert(path, copy);
            }
        }
        let program = Path::new("/usr/bin/ssh");
        let installed = if host.is_live() {
            !matches!(judge::program(), Ok(None))
        } else {
            host.exists(program)
        };
        Ok(Observed {
            installed,
            modes,
            homes: homes::Homes::default(),
            reading: evaluate::read(&found.tree, &dialect),
            tree: found.tree,
            watched: found.watched,
            verdict: judge::Verdict::NoSsh,
            dialect,
            closed,
            copies,
        })
    }
}

/// What is behind a link that we don't write through.
fn closed(host: &Host, tree: &tree::Tree) -> BTreeMap<PathBuf, Obstacle> {
    let paths = match &tree.user {
        Some(user) => vec![user.path.clone()],
        None => place::own_paths().into_iter().chain([tree.system.clone()]).collect(),
    };
    let found = |path: PathBuf| host.obstacle(&path).map(|obstacle| (path, obstacle));
    paths.into_iter().filter_map(found).collect()
}

/// openSUSE's ssh falls back to the vendor's file.
fn system_file(host: &Host) -> Result<PathBuf, HostError> {
    let default = Path::new("/etc/ssh/ssh_config");
    let vendor = Path::new("/usr/etc/ssh/ssh_config");
    let missing = |path| Ok::<_, HostError>(matches!(host.read(path), Ok(Node::Missing)));
    let falls_back = missing(default)? && !missing(vendor)?;
    Ok(if falls_back { vendor } else { default }.to_owned())
}

impl Resource for SshClient {
    type Desired = SshConfig;
    type Observed = Observed;
    type Change = plan::Change;

    const NAME: &'static str = plan::NAME;
    const LOCK: &'static str = plan::NAME;

    fn observe(&self, host: &Host) -> Result<Observed, ObserveError> {
        let mut observed = self.look(host, judge::dialect()?)?;
        observed.verdict = match observed.dialect.too_old() {
            Some(why) => judge::Verdict::Unasked(why),
            None => judge::judge(host, &observed.tree, &observed.reading, &[judge::NOBODY])?,
        };
        if self.whose == Whose::Everybodys {
            observed.homes = homes::read(host, &observed.dialect)?;
        }
        Ok(observed)
    }

    /// Where nothing is declared, no ssh is started: the files tell whether something of ours is
    /// left in them, and the daemon's passes stay quiet.
    fn observe_for(&self, host: &Host, desired: &SshConfig) -> Result<Observed, ObserveError> {
        if desired.values().is_empty() {
            let observed = self.look(host, Dialect::default().of_client())?;
            if place::without_ours(&observed) == observed.tree {
                return Ok(observed);
            }
        }
        self.observe(host)
    }

    fn plan(&self, desired: &SshConfig, observed: &Observed) -> Plan<plan::Change> {
        plan::plan(&desired.values(), observed, &self.policy)
    }

    fn remember(
        &self,
        host: &Host,
        desired: &Self::Desired,
        _observed: &Observed,
    ) -> Result<Vec<Problem>, HostError> {
        let is_hosts = matches!(self.whose, Whose::Everybodys) && !desired.values().is_empty();
        let note = is_hosts.then(|| Originals::note_enforced(host, Self::NAME)).flatten();
        Ok(note.into_iter().collect())
    }

    fn apply(&self, host: &Host, plan: &Plan<plan::Change>) -> Vec<Outcome> {
        plan.changes.iter().flat_map(|change| install::install(host, self, change)).collect()
    }

    fn files(change: &plan::Change) -> Vec<&Path> {
        // Modes that are set right first may be what is in the way now.
        let edits = change.edits.iter().filter(|_| change.modes.is_empty());
        edits.map(|edit| edit.path.as_path()).collect()
    }

    fn watched(&self, observed: &Observed) -> BTreeSet<PathBuf> {
        observed.watched.clone()
    }
}
