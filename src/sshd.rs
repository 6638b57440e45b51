//! sshd's keepalive settings, exactly as sshd reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::reconcile::{ObserveError, Outcome, Plan, Resource, Value};

pub mod dialect;
pub mod edit;
pub mod evaluate;
pub mod glob;
pub mod install;
pub mod judge;
pub mod match_criteria;
pub mod plan;
pub mod preset;
pub mod service;
pub mod shadow;
pub mod syntax;
pub mod tree;
pub mod value;

#[cfg(test)]
mod tests;

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

/// `[sshd_config]` of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sshd {
    /// The policy file, to be named in what is written.
    pub policy: PathBuf,
}

/// What the host has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Everything that sshd reads.
    pub tree: tree::Tree,
    /// What sshd says about it.
    pub verdict: judge::Verdict,
    /// How sshd is run.
    pub service: service::Service,
    /// The grammar of the sshd that judged.
    pub dialect: dialect::Dialect,
    /// Values from the daemon's command line.
    pub preset: BTreeMap<Keyword, Value>,
    /// Strangers' files that stood at our paths before us.
    pub copies: BTreeMap<PathBuf, Vec<u8>>,
    /// Whether this is the running machine.
    pub live: bool,
    /// Whether the listener has not loaded what is on disk.
    pub stale: bool,
    /// What to watch.
    pub watched: BTreeSet<PathBuf>,
}

impl Default for Sshd {
    fn default() -> Self {
        Self { policy: PathBuf::from("/etc/keepalive-policy.toml") }
    }
}

impl Resource for Sshd {
    type Desired = Desired;
    type Observed = Observed;
    type Change = plan::Change;

    const NAME: &'static str = plan::NAME;
    const LOCK: &'static str = "sshd_config";

    fn observe(&self, host: &Host) -> Result<Observed, ObserveError> {
        let service = service::observe(host)?;
        let dialect = dialect::ask::ask(host, service.daemon())?;
        let main = main_file(host, &service)?;
        let snapshot = tree::snapshot::read(host, &main, &places(), &dialect)?;
        let verdict = judge::judge_for(
            host,
            &snapshot.tree,
            service.daemon(),
            &[judge::Connection::default()],
        )?;
        let mut copies = BTreeMap::new();
        for path in plan::place::own_paths() {
            match Originals::kept_copy(host, &path) {
                Ok(Some(copy)) => drop(copies.insert(path, copy)),
                Ok(None) => {}
                // Kept for root's eyes only; others look, but change nothing.
                Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Observed {
            preset: preset::values(service.options(), &dialect),
            verdict: verdict.into_iter().next().unwrap_or(judge::Verdict::NoSshd),
            stale: service.is_stale(host, &snapshot.tree),
            tree: snapshot.tree,
            watched: snapshot.watched,
            live: host.is_live(),
            service,
            dialect,
            copies,
        })
    }

    fn plan(&self, desired: &Desired, observed: &Observed) -> Plan<plan::Change> {
        plan::plan(desired, observed, &self.policy)
    }

    fn apply(&self, host: &Host, plan: &Plan<plan::Change>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for change in &plan.changes {
            let service = match service::observe(host) {
                Ok(service) => service,
                Err(error) => {
                    outcomes.push(Outcome::of_look("find out how sshd runs", || Err(error)));
                    break;
                }
            };
            match change {
                plan::Change::Install { install, .. } => {
                    outcomes.extend(carry_out(host, install, &service));
                }
                plan::Change::Reload { tree, .. } => {
                    outcomes.extend(install::reload(host, &service, tree));
                }
            }
        }
        outcomes
    }

    fn watched(&self, observed: &Observed) -> BTreeSet<PathBuf> {
        observed.watched.clone()
    }
}

/// Where something of ours may stand, besides what sshd reads.
fn places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from(plan::place::DROP_IN_DIRECTORY)];
    places.extend(plan::place::own_paths());
    places
}

/// `-f` of the daemon, or the default. openSUSE's sshd falls back to the vendor's file.
fn main_file(host: &Host, service: &service::Service) -> Result<PathBuf, HostError> {
    let default = Path::new("/etc/ssh/sshd_config");
    let vendor = Path::new("/usr/etc/ssh/sshd_config");
    if let Some(main) = service.main_file() {
        return Ok(main.to_owned());
    }
    let missing = |path| Ok::<_, HostError>(host.read(path)? == crate::host::files::Node::Missing);
    let falls_back = missing(default)? && !missing(vendor)?;
    Ok(if falls_back { vendor } else { default }.to_owned())
}

/// Installs, and forgets the copies of files in which nothing of ours is left.
fn carry_out(host: &Host, install: &install::Install, service: &service::Service) -> Vec<Outcome> {
    for edit in &install.edits {
        let directory = edit.path.parent().filter(|_| edit.before.is_none());
        if let Some(Err(error)) = directory.map(|path| host.make_directory(path, 0o755)) {
            return vec![Outcome::of("make the directory of drop-ins", || Err(error))];
        }
    }
    let mut outcomes = install::install(host, install, service);
    if outcomes.iter().any(Outcome::failed) {
        return outcomes;
    }
    let is_free = |content: &Vec<u8>| !edit::has_header(content) && !edit::has_block(content);
    for edit in install.edits.iter().filter(|edit| edit.after.as_ref().is_none_or(is_free)) {
        let forgotten = Originals::drop_copy(host, &edit.path);
        if forgotten.is_err() {
            outcomes.push(Outcome::of("forget a kept copy", || forgotten));
        }
    }
    outcomes
}
