//! Adding and dropping watches, on a thread of its own. notify does it on the thread that reads its
//! events, and only when nothing is left to read: while somebody writes faster than that thread reads,
//! whoever asks for a watch waits. That must not be the daemon.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Config, ErrorKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::oneshot;

use super::Keeper;
use super::identity::Identity;
use super::listener::Listener;

/// What changes something, and nothing that only looks: the kernel does not even queue the rest.
const KINDS: EventKindMask = EventKindMask::CORE.union(EventKindMask::ACCESS_CLOSE);

/// What is to be done.
#[derive(Debug)]
pub(super) struct Job {
    /// The watcher; a new one is made where there is none.
    pub watcher: Option<RecommendedWatcher>,
    pub listener: Arc<Listener>,
    pub drop: Vec<PathBuf>,
    pub add: BTreeMap<PathBuf, Identity>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Done {
    pub watcher: Option<RecommendedWatcher>,
    /// Of all that was to be added.
    pub results: Vec<(PathBuf, Identity, Result<(), Trouble>)>,
}

/// Why something is not watched.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is no longer there.
    Gone,
    Refused(String),
}

/// Waits for the end of the job that is under way, if any.
pub(super) async fn done(keeper: &mut Keeper) -> Done {
    let Keeper::Arming(receiver) = keeper else { return pending().await };
    // A job that ended without a word left no watcher behind.
    receiver.await.unwrap_or(Done { watcher: None, results: Vec::new() })
}

impl Job {
    pub fn start(self) -> oneshot::Receiver<Done> {
        let (sender, receiver) = oneshot::channel();
        let add = self.add.clone();
        let spawned = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            // Fails only when the daemon has ended.
            let _ = sender.send(self.carry_out());
        });
        match spawned {
            Ok(_) => receiver,
            Err(error) => refused(add, &format!("no thread to ask for it: {error}")),
        }
    }

    fn carry_out(self) -> Done {
        let Self { watcher, listener, drop, add } = self;
        let mut watcher = match watcher.map_or_else(|| new_watcher(&listener), Ok) {
            Ok(watcher) => watcher,
            Err(error) => return Done { watcher: None, results: all(add, &explain(&error)) },
        };
        let _hurried = listener.hurry();
        for place in drop {
            // One whose directory is gone is gone already.
            let _ = watcher.unwatch(&place);
        }
        let results = add
            .into_iter()
            .map(|(place, identity)| {
                let result = watch(&mut watcher, &place);
                (place, identity, result)
            })
            .collect();
        Done { watcher: Some(watcher), results }
    }
}

fn new_watcher(listener: &Arc<Listener>) -> notify::Result<RecommendedWatcher> {
    let listener = Arc::clone(listener);
    let config = Config::default().with_event_kinds(KINDS);
    let watcher = RecommendedWatcher::new(move |event| listener.hear(&event), config)?;
    match watcher.watched_paths() {
        Ok(_) => Ok(watcher),
        Err(_) => {
            // It passes over that its thread could not be made, and would panic when it is dropped.
            std::mem::forget(watcher);
            Err(notify::Error::io(std::io::Error::other("no thread to listen on")))
        }
    }
}

fn watch(watcher: &mut RecommendedWatcher, place: &Path) -> Result<(), Trouble> {
    watcher.watch(place, RecursiveMode::NonRecursive).map_err(|error| match error.kind {
        ErrorKind::PathNotFound => Trouble::Gone,
        _ => Trouble::Refused(explain(&error)),
    })
}

fn all(
    add: BTreeMap<PathBuf, Identity>,
    why: &str,
) -> Vec<(PathBuf, Identity, Result<(), Trouble>)> {
    let refused = |(place, identity)| (place, identity, Err(Trouble::Refused(why.to_owned())));
    add.into_iter().map(refused).collect()
}

fn refused(add: BTreeMap<PathBuf, Identity>, why: &str) -> oneshot::Receiver<Done> {
    let (sender, receiver) = oneshot::channel();
    // The other end is there.
    let _ = sender.send(Done { watcher: None, results: all(add, why) });
    receiver
}

/// What to do about it, where the error alone does not say. notify repeats the path, which is told
/// already.
fn explain(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "no watch is left: raise fs.inotify.max_user_watches".to_owned()
        }
        ErrorKind::Io(error) if is_no_instance(error) => {
            format!("{error}: raise fs.inotify.max_user_instances")
        }
        ErrorKind::Io(error) => error.to_string(),
        kind => format!("{kind:?}"),
    }
}

fn is_no_instance(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error())
}
