//! sshd's keepalive settings, exactly as sshd reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::host::links::Obstacle;
use crate::host::{Host, HostError};
use crate::originals::Originals;
use fatal::Fatal;
use install::Install;
use install::restless::{Marks, Recent};
use instance::Instance;
use serde::{Deserialize, Serialize};

use crate::reconcile::{Listening, ObserveError, Outcome, Plan, Problem, Resource, Value};

pub mod dialect;
pub mod edit;
pub mod evaluate;
pub mod fatal;
pub mod glob;
pub mod idle_limit;
pub mod install;
pub mod instance;
pub mod judge;
pub mod lost;
pub mod match_criteria;
pub mod outside;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// One sshd of the host.
#[derive(Debug)]
pub struct Sshd {
    /// The policy file, to be named in what is written.
    pub policy: PathBuf,
    /// Which one; `None` for the host's own.
    pub instance: Option<Instance>,
    /// What it did not survive.
    pub fatal: Fatal,
    /// What other processes changed lately.
    pub recent: Mutex<Recent>,
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
    /// Those that it would have when it is started next.
    pub preset_at_start: BTreeMap<Keyword, Value>,
    /// Strangers' files that stood at our paths before us.
    pub copies: BTreeMap<PathBuf, Vec<u8>>,
    /// Whether this is the running machine.
    pub live: bool,
    /// Whether sshd refuses the tree, and accepts it without what is of our making: an `Include`
    /// of our drop-in has come to stand in a `Match` block, where `TCPKeepAlive` is not allowed.
    pub ours_to_blame: bool,
    /// Whether the listener has loaded what is on disk.
    pub freshness: service::loaded::Freshness,
    /// What somebody has open for writing.
    pub being_written: BTreeSet<PathBuf>,
    /// What is known of an sshd that failed by our doing.
    pub lost: lost::Look,
    /// Whether an sshd that ought to run listens.
    pub listening: Option<Listening>,
    /// Where something of ours may stand.
    pub places: plan::place::Places,
    /// The links that keep us from writing one of these, or the main file, by its path.
    pub closed: BTreeMap<PathBuf, Obstacle>,
    /// What to watch.
    pub watched: BTreeSet<PathBuf>,
}

impl Default for Sshd {
    fn default() -> Self {
        let policy = PathBuf::from("/etc/keepalive-policy.toml");
        Self { policy, instance: None, fatal: Fatal::default(), recent: Mutex::default() }
    }
}

impl Sshd {
    /// A declared instance.
    #[must_use]
    pub fn of(instance: Instance) -> Self {
        Self { instance: Some(instance), ..Self::default() }
    }

    fn note_changes(&self, host: &Host, tree: &tree::Tree, places: &plan::place::Places) {
        if host.is_live() {
            let ours: Vec<&Path> = places.paths().map(PathBuf::as_path).collect();
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.note(Marks::of(host, tree), tree, &ours, Instant::now());
        }
    }

    fn service(&self, host: &Host) -> Result<service::Service, HostError> {
        let mut service = match &self.instance {
            None => service::observe(host),
            Some(instance) => service::observe_instance(host, instance),
        }?;
        service.dialect = dialect::ask::ask(host, service.daemon())?;
        service.restless = self.recent.lock().unwrap_or_else(PoisonError::into_inner).is_restless();
        Ok(service)
    }
}

impl Resource for Sshd {
    type Desired = Desired;
    type Observed = Observed;
    type Change = plan::Change;

    const NAME: &'static str = plan::NAME;
    const LOCK: &'static str = "sshd_config";

    fn observe(&self, host: &Host) -> Result<Observed, ObserveError> {
        let mut service = self.service(host)?;
        let dialect = service.dialect.clone();
        let main = main_file(host, &service)?;
        let places = plan::place::Places::of(self.instance.as_ref());
        let mut looked_at = vec![PathBuf::from(plan::place::DROP_IN_DIRECTORY)];
        looked_at.extend(places.paths().cloned());
        let snapshot = tree::snapshot::read(host, &main, &looked_at, &dialect)?;
        self.note_changes(host, &snapshot.tree, &places);
        let verdict = judged(host, &snapshot.tree, &service)?;
        let dump = match &verdict {
            judge::Verdict::Accepted(dump) => Some(dump),
            judge::Verdict::Refused(_) | judge::Verdict::NoSshd | judge::Verdict::Unasked(_) => {
                None
            }
        };
        service = service.with_view(host, &snapshot.tree);
        let freshness = service.freshness(host, &snapshot.tree, dump);
        let listening = service.listening(host, &snapshot.tree, dump);
        if let Some(dump) = dump {
            service = service.with_endangered(host, &snapshot.tree, dump);
        }
        let mut watched = &snapshot.watched | &service.watched();
        if host.is_live() {
            watched.extend(outside::paths(&snapshot.tree, dump, service.options(), &dialect));
        }
        let copies = copies(host, &places)?;
        let mut observed = Observed {
            closed: closed(host, &snapshot.tree, &places),
            preset: preset::values(service.options(), &dialect),
            preset_at_start: preset::values(&service.at_start.options, &dialect),
            verdict,
            ours_to_blame: false,
            freshness,
            places,
            tree: snapshot.tree,
            watched,
            being_written: snapshot.being_written,
            lost: lost::look(host, &service, listening.as_ref(), self.fatal.is_down())?,
            listening,
            live: host.is_live(),
            service,
            dialect,
            copies,
        };
        observed.ours_to_blame = observed.is_ours_to_blame(host)?;
        Ok(observed)
    }

    fn plan(&self, desired: &Desired, observed: &Observed) -> Plan<plan::Change> {
        let plan = plan::plan(desired, observed, &self.policy);
        match &self.instance {
            None => plan,
            Some(instance) => plan::instance::named(plan, instance),
        }
    }

    /// An sshd that listens again, or was stopped on purpose, is no longer one that we lost.
    fn remember(
        &self,
        host: &Host,
        desired: &Desired,
        observed: &Observed,
    ) -> Result<Vec<Problem>, HostError> {
        let mut notes = Vec::new();
        if !desired.values.is_empty() {
            notes.extend(Originals::note_enforced(host, Self::NAME));
        }
        if !observed.lost.is_over {
            return Ok(notes);
        }
        // Another process that starts it at this moment stops it, in between.
        let _held = host.lock(Self::LOCK)?;
        let service = &observed.service;
        let listening = service.listening(host, &observed.tree, observed.dump());
        if lost::look(host, service, listening.as_ref(), self.fatal.is_down())?.is_over {
            self.fatal.forget();
            // Nothing is lost where the record can't be written now: the next look forgets it.
            let _ = lost::forget(host, service);
        }
        Ok(notes)
    }

    fn apply(&self, host: &Host, plan: &Plan<plan::Change>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for change in &plan.changes {
            let service = match self.service(host) {
                Ok(service) => service,
                Err(error) => {
                    outcomes.push(Outcome::of_look("find out how sshd runs", || Err(error)));
                    break;
                }
            };
            match change {
                plan::Change::Install { install, .. } => {
                    let instance = self.instance.as_ref();
                    outcomes.extend(self.fatal.guard(host, instance, install, || {
                        carry_out(host, install, &service, instance)
                    }));
                }
                plan::Change::Reload { tree, .. } => {
                    outcomes.extend(install::reload(host, &service, tree));
                }
                plan::Change::Start { unit, tree } => {
                    outcomes.extend(install::start(host, &service, unit, tree));
                }
            }
            self.fatal.note(&outcomes);
        }
        if let Some(instance) = &self.instance {
            for outcome in &mut outcomes {
                outcome.action = format!("{}: {}", instance.unit, outcome.action);
            }
        }
        outcomes
    }

    fn makes_good(change: &plan::Change) -> bool {
        matches!(change, plan::Change::Start { .. })
    }

    fn files(change: &plan::Change) -> Vec<&Path> {
        match change {
            plan::Change::Install { install, .. } => {
                install.edits.iter().map(|edit| edit.path.as_path()).collect()
            }
            plan::Change::Reload { .. } | plan::Change::Start { .. } => Vec::new(),
        }
    }

    fn watched(&self, observed: &Observed) -> BTreeSet<PathBuf> {
        observed.watched.clone()
    }

    fn listening(&self, observed: &Observed) -> Option<Listening> {
        observed.listening.clone()
    }
}

/// The files of others that stood at our places before us.
fn copies(
    host: &Host,
    places: &plan::place::Places,
) -> Result<BTreeMap<PathBuf, Vec<u8>>, HostError> {
    let mut copies = BTreeMap::new();
    for path in places.paths() {
        match Originals::kept_copy(host, path) {
            Ok(Some(copy)) => drop(copies.insert(path.clone(), copy)),
            Ok(None) => {}
            // Kept for root's eyes only; others look, but change nothing.
            Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(copies)
}

/// What sshd says of a tree, to a connection that no block treats apart.
fn judged(
    host: &Host,
    tree: &tree::Tree,
    service: &service::Service,
) -> Result<judge::Verdict, HostError> {
    let connections = [judge::Connection::default()];
    let verdicts = judge::judge_for(host, tree, service.daemon(), &connections)?;
    Ok(verdicts.into_iter().next().unwrap_or(judge::Verdict::NoSshd))
}

impl Observed {
    fn dump(&self) -> Option<&judge::Dump> {
        match &self.verdict {
            judge::Verdict::Accepted(dump) => Some(dump),
            judge::Verdict::Refused(_) | judge::Verdict::NoSshd | judge::Verdict::Unasked(_) => {
                None
            }
        }
    }

    fn is_ours_to_blame(&self, host: &Host) -> Result<bool, HostError> {
        let bare = plan::place::without_ours(self);
        if !matches!(self.verdict, judge::Verdict::Refused(_)) || bare == self.tree {
            return Ok(false);
        }
        let verdict = judged(host, &bare, &self.service)?;
        Ok(matches!(verdict, judge::Verdict::Accepted(_)))
    }
}

/// What is behind a link that we don't write through. Names that are not taken are judged once for
/// each directory.
fn closed(
    host: &Host,
    tree: &tree::Tree,
    places: &plan::place::Places,
) -> BTreeMap<PathBuf, Obstacle> {
    let mut judged: BTreeMap<&Path, Option<Obstacle>> = BTreeMap::new();
    let mut closed = BTreeMap::new();
    for path in places.paths().chain([&tree.main]) {
        let obstacle = match path.parent() {
            Some(parent) if !tree.entries.contains_key(path) => {
                judged.entry(parent).or_insert_with(|| host.obstacle(path)).clone()
            }
            _ => host.obstacle(path),
        };
        if let Some(obstacle) = obstacle {
            closed.insert(path.clone(), obstacle);
        }
    }
    closed
}

/// `-f` of the daemon, or the default. openSUSE's sshd falls back to the vendor's file.
fn main_file(host: &Host, service: &service::Service) -> Result<PathBuf, HostError> {
    if let Some(instance) = &service.instance {
        return Ok(instance.file.clone());
    }
    let default = Path::new("/etc/ssh/sshd_config");
    let vendor = Path::new("/usr/etc/ssh/sshd_config");
    if let Some(main) = service.main_file() {
        return Ok(main.to_owned());
    }
    let missing = |path| Ok::<_, HostError>(host.read(path)? == crate::host::files::Node::Missing);
    let falls_back = missing(default)? && !missing(vendor)?;
    Ok(if falls_back { vendor } else { default }.to_owned())
}

/// Installs, and forgets the copies of files in which nothing of ours is left. An instance is
/// remembered as long as something of ours is in its files, however the policy changes.
fn carry_out(
    host: &Host,
    install: &Install,
    service: &service::Service,
    instance: Option<&Instance>,
) -> Vec<Outcome> {
    if let Err(error) = prepare(host, install, instance) {
        return vec![Outcome::of("get ready to write", || Err(error))];
    }
    let mut outcomes = install::install(host, install, service);
    if outcomes.iter().any(Outcome::failed) {
        return outcomes;
    }
    let is_free = |content: &Vec<u8>| !edit::has_header(content) && !edit::has_block(content);
    let mut free = install.edits.iter().filter(|edit| edit.after.as_ref().is_none_or(is_free));
    let mut forgotten = free.try_for_each(|edit| Originals::drop_copy(host, &edit.path));
    if let Some(instance) = instance.filter(|one| is_out_of(one, &install.candidate)) {
        forgotten = forgotten.and(Originals::update(host, |originals| {
            originals.sshd_instances.remove(instance);
        }));
    }
    if forgotten.is_err() {
        outcomes.push(Outcome::of("forget what was kept", || forgotten));
    }
    outcomes
}

fn prepare(host: &Host, install: &Install, instance: Option<&Instance>) -> Result<(), HostError> {
    if let Some(instance) = instance {
        Originals::update(host, |originals| {
            originals.sshd_instances.insert(instance.clone());
        })?;
    }
    // A stranger's file at one of our paths is what comes back, not one that was there before it.
    let places = plan::place::Places::of(instance);
    let is_place = |path: &PathBuf| places.paths().any(|own| own == path);
    for edit in install.edits.iter().filter(|edit| edit.foreign && is_place(&edit.path)) {
        Originals::drop_copy(host, &edit.path)?;
    }
    let made = install.edits.iter().filter(|edit| edit.before.is_none());
    for directory in made.filter_map(|edit| edit.path.parent()) {
        host.make_directory(directory, 0o755)?;
    }
    Ok(())
}

/// Whether nothing of ours is in the instance's files any more.
fn is_out_of(instance: &Instance, tree: &tree::Tree) -> bool {
    let has_block = tree.content(&instance.file).is_some_and(edit::has_block);
    !has_block && !tree.content(&instance.beside()).is_some_and(edit::has_header)
}
