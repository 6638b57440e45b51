//! Hostile and heavy input. Each test names what was tried; what is right is a finding with the
//! file's name, bounded time and memory, and a host that goes on working.

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

#[path = "hostile/size.rs"]
mod size;
