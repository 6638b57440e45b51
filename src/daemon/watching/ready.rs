//! Descriptors in the runtime's poll.

use std::future::pending;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Joins the runtime's poll; `None` without a runtime, or when epoll takes no more.
#[expect(
    deprecated,
    reason = "unsound only for types whose descriptor changes, which an OwnedFd's never does; what \
              replaces it is an unsafe function"
)]
pub(super) fn register(fd: OwnedFd, interest: Interest) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest).ok()
}

/// Waits until there is something new. What was there before and has not been read is not new.
pub(super) async fn ready(fd: &AsyncFd<OwnedFd>, interest: Interest) {
    match fd.ready(interest).await {
        Ok(mut guard) => guard.clear_ready(),
        Err(_) => pending().await,
    }
}
