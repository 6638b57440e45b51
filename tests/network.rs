//! Real sessions of a real sshd in network namespaces: what `explain` and `sessions` say of them,
//! held against what happens. Needs root, iproute2 and OpenSSH, and mmdebstrap for the sshd of
//! another release; fails where these are missing.

#![expect(clippy::disallowed_methods, reason = "a test starts its programs itself")]
#![expect(clippy::expect_used, reason = "a test that can't go on must fail")]
#![expect(
    clippy::indexing_slicing,
    reason = "an index that is not there fails the test, as it must"
)]
#![expect(clippy::panic, reason = "a test that can't go on must fail")]
#![expect(clippy::print_stderr, reason = "what was measured is of interest")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

#[path = "network/bed.rs"]
mod bed;
#[path = "network/idle_limit.rs"]
mod idle_limit;
#[path = "network/server.rs"]
mod server;
#[path = "network/sessions.rs"]
mod sessions;
#[path = "network/timing.rs"]
mod timing;
