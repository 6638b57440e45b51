//! inotify, by way of `notify`: directories, not files, so that a file may be replaced, removed or
//! made later; for every link on the way the directory of its target too. Events are hints: they say
//! whose resource is due, and what is true is read afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::RecommendedWatcher;
use tokio::sync::oneshot;

use crate::host::Host;

mod arming;
mod identity;
mod listener;
mod mounts;
mod place;
mod ready;
#[cfg(test)]
mod tests;
mod throttle;

use arming::{Done, Job, Trouble};
use identity::Identity;
use listener::Listener;
use mounts::Mounts;
use place::{Interest, Wanted};

/// Who is told, by the name that was given to [`Watch::set`].
pub type Names = BTreeSet<Arc<str>>;

/// The watches of some parties.
#[derive(Debug)]
pub struct Watch {
    host: Host,
    listener: Arc<Listener>,
    keeper: Keeper,
    mounts: Option<Mounts>,
    interests: BTreeMap<Arc<str>, Interest>,
    /// What is watched, and what stood there when it was asked for.
    armed: BTreeMap<PathBuf, Identity>,
    /// What could not be watched when it was last tried.
    troubles: BTreeMap<PathBuf, String>,
}

/// Where notify's watcher is.
#[derive(Debug)]
enum Keeper {
    /// Nowhere yet, or the kernel refused one.
    None,
    Idle(RecommendedWatcher),
    /// With the thread that adds and drops watches.
    Arming(oneshot::Receiver<Done>),
}

/// What [`Watch::heard`] has to tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// To whom something happened, or may have happened while it was not watched for.
    pub names: Names,
    /// Given when watches were added or dropped.
    pub hearing: Option<Hearing>,
}

/// How well the parties hear from now on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hearing {
    /// Whom this is about.
    pub parties: Names,
    /// Those for whom something can't be watched: they have to look by themselves.
    pub deaf: Names,
    /// Why something can't be watched, and what.
    pub troubles: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Watch {
    /// Nothing yet; inside the runtime, whose poll it joins. While somebody writes faster than is
    /// read, all parties are told once in `patience`, whatever has been read by then.
    #[must_use]
    pub fn new(host: Host, patience: Duration) -> Self {
        Self {
            host,
            listener: Arc::new(Listener::new(patience)),
            keeper: Keeper::None,
            mounts: Mounts::open(),
            interests: BTreeMap::new(),
            armed: BTreeMap::new(),
            troubles: BTreeMap::new(),
        }
    }

    /// Replaces what `name` wants to hear of, paths as the host names them, and brings all watches
    /// into line with what is on the paths now: to be called after each look, since links and
    /// directories may have come, gone or been swapped. What changed between that look and the new
    /// watches [`Watch::heard`] makes good.
    pub fn set(&mut self, name: &str, watched: &BTreeSet<PathBuf>) {
        let host = self.host.clone();
        self.set_on(&host, name, watched);
    }

    /// The same for paths of this machine, whatever the root: the policy file.
    pub fn set_located(&mut self, name: &str, watched: &BTreeSet<PathBuf>) {
        self.set_on(&Host::live(), name, watched);
    }

    /// Where watches are, or should be.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        self.interests.values().flat_map(|interest| &interest.places).map(PathBuf::as_path)
    }

    /// `name` wants to hear of nothing any more.
    pub fn forget(&mut self, name: &str) {
        self.interests.remove(name);
        self.arm();
    }

    fn set_on(&mut self, host: &Host, name: &str, watched: &BTreeSet<PathBuf>) {
        let name: Arc<str> = name.into();
        let interest = Interest::trace(host, watched);
        let before = self.interests.insert(Arc::clone(&name), interest);
        let now = self.interests.get(&name);
        if let (Some(before), Some(now)) = (before, now)
            && !now.paths.is_subset(&before.paths)
        {
            // An event in a directory that was watched already may have been for one of these.
            self.listener.tell([name]);
        }
        self.arm();
    }

    /// Has watches added and dropped until there is one wherever one is needed, on what stands there
    /// now.
    fn arm(&mut self) {
        let found: BTreeMap<PathBuf, Identity> = self
            .places()
            .filter_map(|place| Some((place.to_owned(), Identity::of(place)?)))
            .collect();
        self.listener.want(wanted(&self.interests, &found));
        let watcher = match std::mem::replace(&mut self.keeper, Keeper::None) {
            Keeper::Idle(watcher) => Some(watcher),
            Keeper::None => None,
            // When it is done this is called again.
            arming @ Keeper::Arming(_) => {
                self.keeper = arming;
                return;
            }
        };
        let stale = self.listener.take_stale();
        let is_right = |place: &Path, identity: &Identity| {
            self.armed.get(place) == Some(identity) && !stale.contains(place)
        };
        let add: BTreeMap<_, _> = found
            .iter()
            .filter(|(place, identity)| !is_right(place, identity))
            .map(|(place, identity)| (place.clone(), *identity))
            .collect();
        let needless = |place: &&PathBuf| !found.contains_key(*place) || add.contains_key(*place);
        let drop: Vec<_> = self.armed.keys().filter(needless).cloned().collect();
        self.troubles.retain(|place, _| found.contains_key(place));
        if add.is_empty() && drop.is_empty() {
            self.keeper = watcher.map_or(Keeper::None, Keeper::Idle);
            return;
        }
        self.armed.retain(|place, _| !drop.contains(place));
        let job = Job { watcher, listener: Arc::clone(&self.listener), drop, add };
        self.keeper = Keeper::Arming(job.start());
    }

    /// Waits until something happened that concerns somebody, and says whom. Cancel-safe: what it
    /// has taken it returns without waiting again.
    pub async fn heard(&mut self) -> Heard {
        loop {
            let heard = tokio::select! {
                () = self.listener.news() => Heard { names: self.listener.take(), hearing: None },
                done = arming::done(&mut self.keeper) => self.armed(done),
                () = mounts::changed(&mut self.mounts) => self.mounted(),
            };
            if heard != Heard::default() {
                return heard;
            }
        }
    }

    /// Takes back the watcher; whoever has a new watch must look once more, for what happened
    /// before.
    fn armed(&mut self, done: Done) -> Heard {
        let mut names = Names::new();
        self.keeper = done.watcher.map_or(Keeper::None, Keeper::Idle);
        let mut retry = false;
        for (place, identity, result) in done.results {
            match result {
                Ok(()) => {
                    names.extend(self.interested(&place));
                    self.troubles.remove(&place);
                    self.armed.insert(place, identity);
                }
                // Its going was an event in a directory above.
                Err(Trouble::Gone) => retry = true,
                Err(Trouble::Refused(why)) => {
                    self.troubles.insert(place, why);
                }
            }
        }
        if retry || self.listener.has_stale() {
            self.arm();
        }
        Heard { names, hearing: Some(self.hearing()) }
    }

    fn hearing(&self) -> Hearing {
        let parties = self.interests.keys().cloned().collect();
        let mut hearing = Hearing { parties, ..Hearing::default() };
        for (place, why) in &self.troubles {
            hearing.deaf.extend(self.interested(place));
            hearing.troubles.entry(why.clone()).or_default().insert(place.clone());
        }
        hearing
    }

    fn interested(&self, place: &Path) -> Names {
        let interests = self.interests.iter();
        let interested = interests.filter(|(_, interest)| interest.places.contains(place));
        interested.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// A mount came or went, which no event tells where it is: all look, where it matters to them.
    fn mounted(&mut self) -> Heard {
        let Some(mounts) = &mut self.mounts else { return Heard::default() };
        let interests = self.interests.values();
        let places = interests.flat_map(|interest| &interest.places).map(PathBuf::as_path);
        if !mounts.reread(&places.collect()) {
            return Heard::default();
        }
        // A file system that went and came again looks the same, and its watches are gone.
        self.listener.all_stale();
        Heard { names: self.interests.keys().cloned().collect(), hearing: None }
    }
}

/// What an event in each place means. A directory with two names has one watch, whose events come
/// under either.
fn wanted(
    interests: &BTreeMap<Arc<str>, Interest>,
    found: &BTreeMap<PathBuf, Identity>,
) -> BTreeMap<PathBuf, Arc<Wanted>> {
    let mut by_identity: BTreeMap<Identity, Wanted> = BTreeMap::new();
    for (name, interest) in interests {
        for place in &interest.places {
            if let Some(identity) = found.get(place) {
                by_identity.entry(*identity).or_default().add(name, place, &interest.paths);
            }
        }
    }
    let shared: BTreeMap<_, _> =
        by_identity.into_iter().map(|(identity, wanted)| (identity, Arc::new(wanted))).collect();
    let of = |identity| shared.get(identity).cloned();
    found.iter().filter_map(|(place, identity)| Some((place.clone(), of(identity)?))).collect()
}
