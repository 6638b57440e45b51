//! Whether the files stay as they were judged while sshd loads them. Between our last look and
//! sshd's own reading of the files another process may change one, and a change that is taken back a
//! moment later leaves the same bytes: so names, links and the times of the inodes are compared too.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::host::Host;
use crate::host::wait::wait_until;
use crate::sshd::tree::{Entry, Tree};

#[cfg(test)]
mod tests;

/// A load is made this long after the last change by another process. What led to this load is
/// older: looking at it and having sshd judge it takes longer.
const QUIET: Duration = Duration::from_millis(250);

/// After a change that came while a load was being prepared: its author is at work.
const LONG_QUIET: Duration = Duration::from_secs(1);

/// How long a load waits for that in all; then it is put off, and that is said.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many changes that looks have seen
const OFTEN: usize = 2;

/// within this time make the files restless.
const MEMORY: Duration = Duration::from_secs(10);

/// What stands at one place: device, inode, and when that last changed in any way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    changed: Duration,
}

/// The marks of all that sshd reads, and of the directories in which it looks for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks(BTreeMap<PathBuf, Option<Mark>>);

impl Marks {
    /// Those of a tree now.
    #[must_use]
    pub fn of(host: &Host, tree: &Tree) -> Self {
        let paths = tree.entries.keys().chain([&tree.main]);
        Self(paths.map(|path| (path.clone(), mark(host, path))).collect())
    }

    /// The first place that has changed since `before`.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Option<PathBuf> {
        let places = self.0.keys().chain(before.0.keys());
        let mut changed = places.filter(|path| self.0.get(*path) != before.0.get(*path));
        changed.next().cloned()
    }

    /// How long ago the last change was, at `now` since 1970; that of places in `ours` is our own.
    fn age(&self, now: Duration, ours: &[&Path]) -> Duration {
        let others = self.0.iter().filter(|(path, _)| !is_ours(path, ours));
        let times = others.filter_map(|(_, mark)| mark.as_ref()).map(|mark| mark.changed);
        // A time to come was written before the clock was set back.
        let last = times.filter(|changed| *changed <= now).max().unwrap_or_default();
        now.saturating_sub(last)
    }
}

/// What other processes changed lately, as far as looks have seen it.
#[derive(Debug, Default)]
pub struct Recent {
    last: Option<Marks>,
    changes: VecDeque<Instant>,
}

impl Recent {
    /// Takes note of a look at `now`: `marks` without the places in `ours`, and without directories,
    /// which our own files change.
    pub fn note(&mut self, marks: Marks, tree: &Tree, ours: &[&Path], now: Instant) {
        let is_file = |path: &Path| matches!(tree.entries.get(path), Some(Entry::File { .. }));
        let files =
            |path: &PathBuf, _: &mut Option<Mark>| is_file(path) && !ours.contains(&&**path);
        let Marks(mut marks) = marks;
        marks.retain(files);
        let marks = Marks(marks);
        if self.last.as_ref().is_some_and(|last| marks.changed_since(last).is_some()) {
            self.changes.push_back(now);
        }
        self.last = Some(marks);
        while self.changes.front().is_some_and(|at| now.duration_since(*at) > MEMORY) {
            self.changes.pop_front();
        }
    }

    /// Whether they change the files again and again.
    #[must_use]
    pub fn is_restless(&self) -> bool {
        self.changes.len() >= OFTEN
    }
}

/// Waits until no other process has changed the files for a while, from `judged` on for longer. Gives
/// whether they are as they were judged.
///
/// # Errors
/// The file that changes again and again.
pub fn wait(
    host: &Host,
    tree: &Tree,
    judged: &Marks,
    ours: &[&Path],
    is_restless: bool,
) -> Result<bool, PathBuf> {
    let mut last = judged.clone();
    let mut restless = None;
    let quiet = wait_until(PATIENCE, || {
        let marks = Marks::of(host, tree);
        if let Some(path) = marks.changed_since(&last) {
            restless = Some(path);
            last = marks.clone();
        }
        let wanted = if is_restless || restless.is_some() { LONG_QUIET } else { QUIET };
        (marks.age(now(), ours) >= wanted).then_some(())
    });
    match (quiet, restless) {
        (Some(()), restless) => Ok(restless.is_none()),
        (None, restless) => Err(restless.unwrap_or_else(|| tree.main.clone())),
    }
}

/// A place of ours, or the directory in which we made or removed it.
fn is_ours(path: &Path, ours: &[&Path]) -> bool {
    ours.iter().any(|own| *own == path || own.parent() == Some(path))
}

/// Of a link, what it leads to: a link that is changed leads to another inode.
fn mark(host: &Host, path: &Path) -> Option<Mark> {
    let resolved = host.resolve(path).ok()?;
    let stat = rustix::fs::stat(host.locate(&resolved.path)).ok()?;
    let seconds = u64::try_from(stat.st_ctime).unwrap_or(0);
    let nanoseconds = u32::try_from(stat.st_ctime_nsec).unwrap_or(0);
    let changed = Duration::new(seconds, nanoseconds);
    Some(Mark { device: stat.st_dev, inode: stat.st_ino, changed })
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
