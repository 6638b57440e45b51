//! Work beside the daemon's one thread: passes and files that may take their time.
//!
//! tokio's `spawn_blocking` ends the process where the kernel refuses a thread (`TasksMax=`,
//! `RLIMIT_NPROC`, no memory for a stack), and with it the transactions that other threads are in.
//! Here the work is then done on the thread that asks: the daemon hears nothing for as long as that
//! takes, but it is done.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

#[cfg(test)]
mod tests;

/// So many work at once, each with at most one program: with 64 declared sshds all are due at the start, and the unit
/// may have 64 tasks.
static TURNS: Semaphore = Semaphore::const_new(16);

/// How many are at work.
static AT_WORK: Mutex<usize> = Mutex::new(0);
static LESS: Condvar = Condvar::new();

/// Counts a thread for as long as it works.
struct AtWork;

impl AtWork {
    fn begin() -> Self {
        *lock(&AT_WORK) += 1;
        Self
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *lock(&AT_WORK) -= 1;
        LESS.notify_all();
    }
}

/// Does `work` on a thread of its own, and where none can be made, right here. `None` when it
/// panicked.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // Fails only where it is closed, which it never is.
    let _turn = TURNS.acquire().await;
    let at_work = AtWork::begin();
    let (sender, receiver) = oneshot::channel();
    // The closure of a thread that can't be made is lost, but what it shares is not.
    let shared = Arc::new(Mutex::new(Some((work, at_work))));
    let theirs = Arc::clone(&shared);
    let spawned = thread::Builder::new().name("pass".to_owned()).spawn(move || {
        let taken = lock(&theirs).take();
        if let Some((work, _at_work)) = taken {
            // Fails only when the result is no longer waited for.
            let _ = sender.send(work());
        }
    });
    match spawned {
        Ok(_) => receiver.await.ok(),
        Err(_) => lock(&shared).take().map(|(work, _at_work)| work()),
    }
}

/// Waits until no such work is under way: a transaction that has begun is ended.
pub fn wait_for_all() {
    let mut at_work = lock(&AT_WORK);
    while *at_work > 0 {
        at_work = LESS.wait(at_work).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
