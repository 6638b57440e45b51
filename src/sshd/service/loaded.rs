//! Whether the listener uses what is on disk. It can't be asked, so this is told from times, and
//! where we saw it load from a note of what it loaded.
//!
//! sshd reads its files when it starts and at a SIGHUP, and gives every connection its own copy. A
//! file that changed since then makes the listener stale; but only a change of the keepalive
//! settings is reason for a reload: another edit may be half done, and is for its author to load.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::endangered::addresses;
use super::listener;
use super::{Kind, Service};
use crate::host::process::Process;
use crate::host::wait::wait_until;
use crate::host::{Host, HostError};
use crate::reconcile::Value;
use crate::record::{self, Found, Record, Rest};
use crate::sshd::Keyword;
use crate::sshd::dialect::Dialect;
use crate::sshd::evaluate::evaluate;
use crate::sshd::instance::Instance;
use crate::sshd::judge::Dump;
use crate::sshd::syntax::each;
use crate::sshd::tree::{Entry, Tree};

#[cfg(test)]
mod tests;

const FILE: &str = "sshd-loaded.json";

/// How long a pid file may be missing while sshd loads: 20 ms as a rule.
const MOMENT: Duration = Duration::from_secs(1);

/// Seconds and nanoseconds since 1970.
pub type Timestamp = (i64, u64);

/// Which load of which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Load {
    pid: u32,
    started: u64,
    pid_file: Option<Timestamp>,
}

/// The note: a load, and the settings that it took up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Loaded {
    #[serde(flatten)]
    load: Load,
    /// Since when new connections get these `ClientAlive` values: that of an earlier load, where this one
    /// changed none of them. A load that was not seen, with other values between the same ones, is not
    /// known; while the daemon runs it sees all.
    #[serde(default)]
    since: Option<Timestamp>,
    values: Vec<LoadedValue>,
    #[serde(default)]
    addresses: Option<BTreeSet<SocketAddr>>,
    /// What a later release has added.
    #[serde(flatten)]
    rest: Rest,
}

/// What the listener gives some of its connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedValue {
    /// The keyword.
    pub keyword: Keyword,
    /// Its value.
    pub value: Value,
    /// Which connections: `Match User bob`; `None` for all others.
    pub context: Option<String>,
}

/// What a listener has loaded, next to what is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// The keepalive settings that are on disk; or nothing runs that could be behind.
    Current,
    /// Other ones: these.
    Outdated(Vec<LoadedValue>),
    /// The files have changed since, and nobody saw what it loaded.
    Unknown,
}

impl Freshness {
    /// Whether nothing is known to be behind.
    #[must_use]
    pub fn is_current(&self) -> bool {
        *self == Self::Current
    }
}

impl Service {
    /// Whether the listener took up the keepalive settings of `tree`, which is what is on disk.
    /// Where its load was not seen, any change of the files since then counts; one load ends it.
    #[must_use]
    pub fn freshness(&self, host: &Host, tree: &Tree, dump: Option<&Dump>) -> Freshness {
        let Some(listener) = self.listener_that_loads() else { return Freshness::Current };
        let note = self.note(host);
        self.await_pid_file(listener, tree, note.as_ref());
        let now = self.loaded_by(listener, tree, dump);
        match note {
            Some(note) if note.load == now.load && note.values == now.values => Freshness::Current,
            Some(note) if note.load == now.load => Freshness::Outdated(note.values),
            _ => {
                let loaded = now.load.pid_file.or_else(|| Some((listener.started_at()?, 0)));
                if loaded.is_some_and(|loaded| changed_since(host, tree, loaded)) {
                    return Freshness::Unknown;
                }
                // A look writes over no note that it can't use; the next load does. Only a better
                // answer next time depends on it.
                if !matches!(self.read_note(host), Ok(Found::Unusable(_))) {
                    let _ = now.after(self.note(host)).write(host, &self.note_file());
                }
                Freshness::Current
            }
        }
    }

    /// sshd removes its pid file when it loads, and writes it again once it listens: a look in between
    /// would take that for a load of another configuration.
    fn await_pid_file(&self, listener: &Process, tree: &Tree, note: Option<&Loaded>) {
        let had_one = note.is_some_and(|note| {
            let same = (note.load.pid, note.load.started) == (listener.pid, listener.started);
            same && note.load.pid_file.is_some()
        });
        if had_one {
            wait_until(MOMENT, || {
                let is_over = self.load_of(listener, tree).pid_file.is_some();
                (is_over || !listener.is_alive()).then_some(())
            });
        }
    }

    /// Notes that the listener has just taken up `tree`.
    pub(in crate::sshd) fn note_load(
        &self,
        host: &Host,
        listener: &Process,
        tree: &Tree,
        dump: Option<&Dump>,
    ) {
        // Without the note the times tell, at worst with one reload too many.
        let now = self.loaded_by(listener, tree, dump).after(self.note(host));
        let _ = now.write(host, &self.note_file());
    }

    /// Since when new connections get the `ClientAlive` values that they get now, if all loads since then
    /// were seen.
    pub(crate) fn values_since(&self, host: &Host, tree: &Tree) -> Option<Timestamp> {
        let load = self.load_of(self.listener.as_ref()?, tree);
        self.note(host).filter(|note| note.load == load)?.since
    }

    /// The addresses of the listener's last load, if that was seen.
    pub(super) fn noted_addresses(&self, host: &Host, tree: &Tree) -> Option<BTreeSet<SocketAddr>> {
        let load = self.load_of(self.listener.as_ref()?, tree);
        self.note(host).filter(|note| note.load == load)?.addresses
    }

    fn note_file(&self) -> String {
        self.instance.as_ref().map_or_else(|| FILE.to_owned(), Instance::note)
    }

    /// The note; one that can't be used tells nothing, and the times tell then.
    fn note(&self, host: &Host) -> Option<Loaded> {
        match self.read_note(host) {
            Ok(Found::Known(note)) => Some(note),
            Ok(Found::Absent | Found::Unusable(_)) | Err(_) => None,
        }
    }

    fn read_note(&self, host: &Host) -> Result<Found<Loaded>, HostError> {
        record::read(host, &host.runtime_dir().join(self.note_file()))
    }

    fn listener_that_loads(&self) -> Option<&Process> {
        match self.kind {
            Kind::Plain | Kind::SocketActive | Kind::NoServiceManager => self.listener.as_ref(),
            Kind::SocketIdle
            | Kind::PerConnection
            | Kind::NotRunning
            | Kind::NotSshd
            | Kind::NotLive => None,
        }
    }

    fn load_of(&self, listener: &Process, tree: &Tree) -> Load {
        let mut pid_files = configured_pid_files(tree, &self.dialect);
        pid_files.extend(self.pid_files());
        let pid_file = listener::pid_file_of(listener, &pid_files).map(|file| file.written);
        Load { pid: listener.pid, started: listener.started, pid_file }
    }

    fn loaded_by(&self, listener: &Process, tree: &Tree, dump: Option<&Dump>) -> Loaded {
        Loaded {
            load: self.load_of(listener, tree),
            since: None,
            values: values(tree, &self.dialect),
            addresses: dump.map(addresses),
            rest: Rest::new(),
        }
    }
}

impl Record for Loaded {
    const VERSION: u64 = 1;

    /// A value for each context of a tree with thousands of `Match` blocks.
    const MAX_SIZE: u64 = 16 << 20;
}

impl Loaded {
    /// The note of this load, after that of the last one.
    fn after(self, before: Option<Self>) -> Self {
        let same = before.filter(|before| before.alive().eq(self.alive()));
        let since = same.and_then(|before| before.since).or(self.load.pid_file);
        Self { since, ..self }
    }

    /// The values that a connection keeps from its beginning. Of `TCPKeepAlive` its timer tells.
    fn alive(&self) -> impl Iterator<Item = &LoadedValue> {
        self.values.iter().filter(|value| value.keyword != Keyword::TcpKeepAlive)
    }

    fn write(&self, host: &Host, name: &str) -> Result<(), HostError> {
        record::write(host, &host.runtime_dir().join(name), self).map(|_| ())
    }
}

/// What a tree gives all connections.
fn values(tree: &Tree, dialect: &Dialect) -> Vec<LoadedValue> {
    let evaluation = evaluate(tree, &std::collections::BTreeMap::new(), dialect);
    let mut values = Vec::new();
    for keyword in Keyword::ALL {
        let value = evaluation.global(keyword).value;
        values.push(LoadedValue { keyword, value, context: None });
        let populations = evaluation.populations(keyword).all();
        values.extend(populations.iter().map(|(context, effective)| LoadedValue {
            keyword,
            value: effective.value,
            context: Some(context.to_string()),
        }));
    }
    values
}

/// The pid files that the tree names, whichever of these counts.
fn configured_pid_files(tree: &Tree, dialect: &Dialect) -> Vec<PathBuf> {
    let files = tree.entries.values().filter_map(|entry| match entry {
        Entry::File { bytes, .. } => Some(bytes),
        Entry::Directory | Entry::Dangling | Entry::Opaque => None,
    });
    files
        .flat_map(|bytes| each(bytes, dialect))
        .filter(|directive| directive.is("PidFile"))
        .filter_map(|directive| directive.arguments.ok()?.into_iter().next())
        .map(|argument| PathBuf::from(String::from_utf8_lossy(&argument.bytes).into_owned()))
        .collect()
}

/// Whether anything that sshd reads was changed later than `loaded`.
fn changed_since(host: &Host, tree: &Tree, loaded: Timestamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    changes(host, tree)
        // A time to come was written before the clock was set back: no load would ever be later.
        .filter(|(seconds, _)| *seconds <= now)
        // Equal means later: file times are those of the last tick, up to 10 ms ago, and sshd takes
        // longer from reading its files to writing the pid file.
        .any(|change| change >= loaded)
}

/// When each file came to be as it is, and when a name was last added to or taken from the
/// directories that sshd looks through.
fn changes<'a>(host: &'a Host, tree: &'a Tree) -> impl Iterator<Item = Timestamp> + 'a {
    tree.entries.iter().filter_map(|(path, entry)| {
        let resolved = host.resolve(path).ok()?;
        let stat = rustix::fs::stat(host.locate(&resolved.path)).ok()?;
        Some(match entry {
            Entry::Directory => (stat.st_mtime, stat.st_mtime_nsec),
            // A file that is moved into place keeps its time of modification, not this one.
            Entry::File { .. } | Entry::Dangling | Entry::Opaque => {
                (stat.st_ctime, stat.st_ctime_nsec)
            }
        })
    })
}
