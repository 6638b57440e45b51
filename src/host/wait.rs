//! Waiting for what no descriptor announces.

use std::time::{Duration, Instant};

/// Between two looks. A look costs a few reads of /proc; sshd's restart takes about 50 ms.
const STEP: Duration = Duration::from_millis(10);

/// Looks until `condition` gives something, at most `limit` long; then `None`.
pub fn wait_until<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        #[expect(clippy::disallowed_methods, reason = "this is the one bounded wait")]
        std::thread::sleep(STEP);
    }
}

/// Waits for time alone, between two looks that a person asked for.
pub fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "nothing is waited for but time")]
    std::thread::sleep(time);
}
