//! What hears the events: called on notify's own thread, it notes whom one concerns, and reads no
//! faster than it may.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{Event, EventKind, ModifyKind};
use tokio::sync::Notify;

use super::Names;
use super::place::Wanted;
use super::throttle::Throttle;

/// For so long reading is not slowed down, so that watches can be added and dropped in between.
const HURRY: Duration = Duration::from_millis(200);

/// What the watcher's thread and the daemon share.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// How long what matters may lie unread behind what does not.
    patience: Duration,
    book: Mutex<Book>,
    told: Notify,
    pace: Mutex<Pace>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Book {
    wanted: BTreeMap<PathBuf, Arc<Wanted>>,
    heard: Names,
    stale: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Pace {
    throttle: Throttle,
    told_all: Option<Instant>,
    hurry_until: Option<Instant>,
}

/// Ends the hurry when it is dropped.
#[derive(Debug)]
pub(super) struct Hurried<'a>(&'a Listener);

impl Drop for Hurried<'_> {
    fn drop(&mut self) {
        lock(&self.0.pace).hurry_until = None;
    }
}

impl Listener {
    pub fn new(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Waits until somebody is concerned. Cancel-safe.
    pub async fn news(&self) {
        self.told.notified().await;
    }

    /// Whom something concerned since this was called last.
    pub fn take(&self) -> Names {
        std::mem::take(&mut lock(&self.book).heard)
    }

    /// What events mean from now on.
    pub fn want(&self, wanted: BTreeMap<PathBuf, Arc<Wanted>>) {
        lock(&self.book).wanted = wanted;
    }

    /// The places whose watch may be gone, or follow what was moved away.
    pub fn take_stale(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut lock(&self.book).stale)
    }

    pub fn has_stale(&self) -> bool {
        !lock(&self.book).stale.is_empty()
    }

    pub fn all_stale(&self) {
        let mut book = lock(&self.book);
        book.stale = book.wanted.keys().cloned().collect();
    }

    /// Tells these as if an event had.
    pub fn tell(&self, names: impl IntoIterator<Item = Arc<str>>) {
        let mut book = lock(&self.book);
        let before = book.heard.len();
        book.heard.extend(names);
        if book.heard.len() > before {
            self.told.notify_one();
        }
    }

    /// Lets a thread that waits go on, and lets none wait for a while.
    pub fn hurry(&self) -> Hurried<'_> {
        lock(&self.pace).hurry_until = Some(Instant::now() + HURRY);
        self.changed.notify_all();
        Hurried(self)
    }

    /// Takes one event in; when there are too many, returns only after a while: what is not read
    /// waits in the kernel, where equal events merge, and no more than it has room for is kept.
    pub fn hear(&self, event: &notify::Result<Event>) {
        // Events were lost, nobody knows whose; or they can't be read.
        let lost = match event {
            Ok(event) if !event.need_rescan() => {
                self.note(event);
                false
            }
            Ok(_) | Err(_) => true,
        };
        let mut pace = lock(&self.pace);
        let now = Instant::now();
        let pause = pace.throttle.took(now);
        if pause.is_none() && !lost {
            return;
        }
        let mut until = now + pause.unwrap_or_default();
        if let (Some(then), true) = (pace.told_all, lost) {
            // A flood overflows the kernel's queue again and again.
            until = until.max(then + self.patience);
        }
        pace = self.wait(pace, until);
        // What matters may lie far behind what is read next.
        let now = Instant::now();
        let patient = |then| now.saturating_duration_since(then) < self.patience;
        if lost || !pace.told_all.is_some_and(patient) {
            pace.told_all = Some(now);
            drop(pace);
            self.tell_all();
        }
    }

    /// Lies still, unless somebody is in a hurry.
    fn wait<'a>(&self, mut pace: MutexGuard<'a, Pace>, until: Instant) -> MutexGuard<'a, Pace> {
        loop {
            let now = Instant::now();
            let hurries = pace.hurry_until.is_some_and(|until| now < until);
            if hurries || now >= until {
                return pace;
            }
            pace = self
                .changed
                .wait_timeout(pace, until - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Holds up the thread that reads.
    #[cfg(test)]
    pub fn while_nothing_is_read(&self, act: impl FnOnce()) {
        let _held = lock(&self.book);
        act();
    }

    fn note(&self, event: &Event) {
        let mut book = lock(&self.book);
        let Book { wanted, heard, stale } = &mut *book;
        let before = heard.len();
        for path in &event.paths {
            if let Some(itself) = wanted.get(path) {
                itself.concerned(None, heard);
            }
            let parent = path.parent().and_then(|parent| wanted.get(parent));
            if let Some(parent) = parent {
                parent.concerned(path.file_name(), heard);
            }
            if replaces(event.kind) {
                let below = wanted.range(path.clone()..);
                for (place, wanted) in below.take_while(|(place, _)| place.starts_with(path)) {
                    wanted.concerned(None, heard);
                    stale.insert(place.clone());
                }
            }
        }
        if heard.len() > before {
            self.told.notify_one();
        }
    }

    fn tell_all(&self) {
        let everybody: Names = {
            let book = lock(&self.book);
            book.wanted.values().flat_map(|wanted| wanted.whole.iter().cloned()).collect()
        };
        self.tell(everybody);
    }
}

/// Whether something else may stand at the path now, a watch there and below is gone, or follows
/// what was moved away and reports it under its old name.
const fn replaces(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
