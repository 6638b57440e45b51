//! inotify, by way of `notify`: directories, not files, so that a file may be replaced, removed or
//! made later; for every link on the way the directory of its target too. Events are hints: they
//! mark a resource as due, and what is true is read afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::reconciler::Due;
use crate::host::Host;

#[cfg(test)]
mod tests;

/// What one party wants to hear of.
#[derive(Debug)]
struct Interest {
    due: Arc<Due>,
    /// Paths whose entry matters: what was asked for, where it leads, the links on the way. As
    /// this machine names them.
    paths: BTreeSet<PathBuf>,
}

/// What the watcher's thread needs to know.
#[derive(Debug, Default)]
struct Shared {
    interests: BTreeMap<String, Interest>,
    /// Where a watch is or should be.
    places: BTreeSet<PathBuf>,
}

/// The watches, and who is told.
#[derive(Debug)]
pub struct Watch {
    host: Host,
    watcher: RecommendedWatcher,
    shared: Arc<Mutex<Shared>>,
    /// What each party needs to be watched.
    needed: BTreeMap<String, BTreeSet<PathBuf>>,
    armed: BTreeSet<PathBuf>,
}

/// What came of asking for watches.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Armed {
    /// Whether something is watched now that wasn't: it must be looked at once more, for what
    /// happened before.
    pub more: bool,
    /// What could not be watched, and why.
    pub troubles: Vec<String>,
}

impl Watch {
    /// Nothing yet. `lost` is marked when a watched directory went away or the watcher fails: then
    /// a new `Watch` is needed, since inotify goes on reporting a moved directory under its old
    /// path.
    ///
    /// # Errors
    /// When inotify can't be had (`fs.inotify.max_user_instances`).
    pub fn new(host: Host, lost: Arc<Due>) -> notify::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let told = Arc::clone(&shared);
        let watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) => tell(&event, &lock(&told), &lost),
                Err(_) => lost.mark(),
            })?;
        let (needed, armed) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { host, watcher, shared, needed, armed })
    }

    /// Replaces what `name` wants to hear of: paths as the host names them.
    pub fn set(&mut self, name: &str, due: &Arc<Due>, watched: &BTreeSet<PathBuf>) -> Armed {
        let host = self.host.clone();
        self.set_on(&host, name, due, watched)
    }

    /// The same for paths of this machine, whatever the root: the policy file.
    pub fn set_located(
        &mut self,
        name: &str,
        due: &Arc<Due>,
        watched: &BTreeSet<PathBuf>,
    ) -> Armed {
        self.set_on(&Host::live(), name, due, watched)
    }

    /// `name` wants to hear of nothing any more.
    pub fn forget(&mut self, name: &str) {
        self.needed.remove(name);
        lock(&self.shared).interests.remove(name);
        // Nothing is added, so nothing can fail.
        self.arm();
    }

    fn set_on(
        &mut self,
        host: &Host,
        name: &str,
        due: &Arc<Due>,
        watched: &BTreeSet<PathBuf>,
    ) -> Armed {
        let (mut paths, mut places) = (BTreeSet::new(), BTreeSet::new());
        for path in watched {
            trace(host, path, &mut paths, &mut places);
        }
        self.needed.insert(name.to_owned(), places);
        {
            let mut shared = lock(&self.shared);
            shared.interests.insert(name.to_owned(), Interest { due: Arc::clone(due), paths });
            shared.places = self.needed.values().flatten().cloned().collect();
        }
        self.arm()
    }

    /// Brings the watches into line with what is needed.
    fn arm(&mut self) -> Armed {
        let needed: BTreeSet<PathBuf> = self.needed.values().flatten().cloned().collect();
        let gone: Vec<PathBuf> = self.armed.difference(&needed).cloned().collect();
        for place in gone {
            // A watch whose directory is gone is gone already.
            let _ = self.watcher.unwatch(&place);
            self.armed.remove(&place);
        }
        let mut result = Armed::default();
        for place in needed {
            if self.armed.contains(&place) {
                continue;
            }
            match self.watcher.watch(&place, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(place);
                    result.more = true;
                }
                // It will be made in a directory that is watched.
                Err(error) if is_missing(&error) => {}
                Err(error) => result.troubles.push(trouble(&place, error)),
            }
        }
        result
    }
}

/// Notes the paths that matter to `path`, and the places where a watch must be.
fn trace(host: &Host, path: &Path, paths: &mut BTreeSet<PathBuf>, places: &mut BTreeSet<PathBuf>) {
    let located = host.locate(path);
    paths.insert(located.clone());
    // A directory of procfs reports nothing of its grandchildren, and none of it is ever
    // replaced: the file itself is watched, its inode pinned by who reads it.
    if path.starts_with("/proc") {
        places.insert(located);
        return;
    }
    // A link that leads in a circle is watched where it stands.
    let Ok(resolved) = host.resolve(path) else {
        places.extend(located.parent().map(Path::to_owned));
        return;
    };
    let target = host.locate(&resolved.path);
    places.extend(resolved.directories.iter().map(|directory| host.locate(directory)));
    if target.is_dir() {
        places.insert(target.clone());
    }
    paths.insert(target);
    paths.extend(resolved.links.iter().map(|link| host.locate(link)));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// `notify` repeats the path, which is ours already.
fn trouble(place: &Path, mut error: notify::Error) -> String {
    error.paths.clear();
    format!("{}: {error}", place.display())
}

/// Marks whom an event concerns.
fn tell(event: &Event, shared: &Shared, lost: &Due) {
    let Shared { interests, places } = shared;
    // The queue overflowed: events were lost, nobody knows whose.
    if event.need_rescan() || event.paths.is_empty() {
        interests.values().for_each(|interest| interest.due.mark());
        return;
    }
    if !changes_something(event.kind) {
        return;
    }
    for path in &event.paths {
        for interest in interests.values().filter(|interest| concerns(&interest.paths, path)) {
            interest.due.mark();
        }
        // A directory on the way, or the watched one itself: its watch went with it, or follows it
        // to where it was moved, and what is in its place now is not watched. Or one that had been
        // missing.
        let wanted = || interests.values().any(|interest| interest.paths.contains(path));
        if replaces_place(event.kind) && (places.contains(path) || wanted() && path.is_dir()) {
            lost.mark();
        }
    }
}

/// Opening and reading change nothing; and our own reading must not wake us.
const fn changes_something(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if !matches!(access, AccessKind::Close(AccessMode::Write)))
}

const fn replaces_place(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    )
}

/// Whether `changed` is one of `paths`, an entry of one of them, or above one of them.
fn concerns(paths: &BTreeSet<PathBuf>, changed: &Path) -> bool {
    paths.contains(changed)
        || changed.parent().is_some_and(|parent| paths.contains(parent))
        || is_above(paths, changed)
}

/// Whether one of `paths` lies below `changed`.
fn is_above(paths: &BTreeSet<PathBuf>, changed: &Path) -> bool {
    paths.iter().any(|path| path != changed && path.starts_with(changed))
}
