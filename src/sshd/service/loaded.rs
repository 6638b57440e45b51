//! Whether the listener uses what is on disk. It can't be asked, so this is told from times, and
//! where we saw it load from a note of what it loaded.
//!
//! sshd reads its files when it starts and at a SIGHUP, and gives every connection its own copy. A
//! file that changed since then makes the listener stale; but only a change of the keepalive
//! settings is reason for a reload: another edit may be half done, and is for its author to load.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::listener;
use super::{Kind, Service};
use crate::host::files::Node;
use crate::host::process::Process;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::sshd::Keyword;
use crate::sshd::dialect::Dialect;
use crate::sshd::evaluate::evaluate;
use crate::sshd::syntax::directives;
use crate::sshd::tree::{Entry, Tree};

#[cfg(test)]
mod tests;

const FILE: &str = "sshd-loaded.json";

/// Seconds and nanoseconds since 1970.
type Timestamp = (i64, u64);

/// The note: which load of which listener, and the settings that it took up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Loaded {
    pid: u32,
    started: u64,
    pid_file: Option<Timestamp>,
    settings: Vec<String>,
}

impl Service {
    /// Whether a listener runs that took up other keepalive settings than `tree`, which is what is
    /// on disk. One load ends it. Where a load was not seen, any change of the files since then
    /// counts.
    #[must_use]
    pub fn is_stale(&self, host: &Host, tree: &Tree) -> bool {
        let Some(listener) = self.listener_that_loads() else { return false };
        let now = self.load_of(listener, tree);
        match note(host) {
            Some(note) if now.same_load(&note) => note.settings != now.settings,
            _ => {
                let loaded = now.pid_file.or_else(|| Some((listener.started_at()?, 0)));
                let stale = loaded.is_some_and(|loaded| changed_since(host, tree, loaded));
                if !stale {
                    // Only a better answer next time depends on it.
                    let _ = now.write(host);
                }
                stale
            }
        }
    }

    /// Notes that the listener has just taken up `tree`.
    pub(in crate::sshd) fn note_load(&self, host: &Host, listener: &Process, tree: &Tree) {
        // Without the note the times tell, at worst with one reload too many.
        let _ = self.load_of(listener, tree).write(host);
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

    fn load_of(&self, listener: &Process, tree: &Tree) -> Loaded {
        let mut pid_files = configured_pid_files(tree);
        pid_files.extend(self.pid_files());
        Loaded {
            pid: listener.pid,
            started: listener.started,
            pid_file: listener::pid_file_of(listener, &pid_files).map(|file| file.written),
            settings: settings(tree),
        }
    }
}

impl Loaded {
    fn same_load(&self, other: &Self) -> bool {
        (self.pid, self.started, self.pid_file) == (other.pid, other.started, other.pid_file)
    }

    fn write(&self, host: &Host) -> Result<(), HostError> {
        let path = host.runtime_dir().join(FILE);
        let bytes = serde_json::to_vec(self).map_err(|error| HostError {
            path: path.clone(),
            action: "cannot encode",
            source: error.into(),
        })?;
        match host.read(&path)? {
            Node::File(file) if file.bytes == bytes => Ok(()),
            Node::File(file) => host.replace(&path, Expect::Content(&file.bytes), &bytes),
            _ => host.replace(&path, Expect::Absent { mode: 0o644 }, &bytes),
        }
    }
}

fn note(host: &Host) -> Option<Loaded> {
    match host.read(&host.runtime_dir().join(FILE)) {
        Ok(Node::File(file)) => serde_json::from_slice(&file.bytes).ok(),
        _ => None,
    }
}

/// The keepalive settings of a tree, as text that is only compared. Which release reads it makes
/// no difference to that, as long as it is the same one.
fn settings(tree: &Tree) -> Vec<String> {
    let evaluation = evaluate(tree, &std::collections::BTreeMap::new(), &Dialect::default());
    let global = Keyword::ALL
        .into_iter()
        .map(|keyword| format!("{} {}", keyword.name(), evaluation.without_blocks(keyword).value));
    let in_blocks = evaluation.in_blocks.iter().map(|assignment| {
        let criteria: Vec<String> = assignment.criteria.iter().map(ToString::to_string).collect();
        let (keyword, value) = (assignment.keyword.name(), assignment.effective.value);
        format!("Match {}: {keyword} {value}", criteria.join(" "))
    });
    global.chain(in_blocks).collect()
}

/// The pid files that the tree names, whichever of these counts.
fn configured_pid_files(tree: &Tree) -> Vec<PathBuf> {
    let files = tree.entries.values().filter_map(|entry| match entry {
        Entry::File { bytes, .. } => Some(bytes),
        Entry::Directory | Entry::Dangling | Entry::Opaque => None,
    });
    files
        .flat_map(|bytes| directives(bytes, &Dialect::default()))
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
