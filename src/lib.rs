//! Keeps the keepalive settings of the kernel and of sshd as declared in `/etc/keepalive-policy.toml`,
//! proves that they are in force, and undoes drift as it happens.
//!
//! # How data flows
//!
//! ```text
//! policy.toml ─► Policy ─┐
//!                        ▼
//! host ─► observe ─► plan ─► apply ─► observe again ─► report ─► journal, status, exit code
//!         (reads)   (pure)  (writes)  verify, not believe
//! ```
//!
//! # Reading order
//!
//! [`reconcile`] is the flow and its vocabulary; [`policy`] what is declared; [`sysctl`] and [`sshd`]
//! the parts of the host that are governed; [`host`] the only door to the system; [`originals`] what
//! is put back when a setting leaves the policy; [`report`] and [`cli`] what people see; [`daemon`]
//! what runs it all at the right moment, and the only asynchronous code.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod brake;
pub mod cli;
pub mod client;
pub mod daemon;
pub mod escape;
pub mod explain;
pub mod file_edit;
pub mod governed;
pub mod hops;
pub mod host;
pub mod marked;
pub mod objective;
pub mod originals;
pub mod policy;
pub mod reconcile;
pub mod record;
pub mod report;
pub mod sessions;
pub mod ssh_client;
pub mod sshd;
pub mod sysctl;
pub mod timing;
pub mod user;
