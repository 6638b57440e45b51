//! The real daemon on real hosts: each script in `tests/host` boots a throw-away Debian of its own.
//!
//! They need root, systemd-nspawn and mmdebstrap, and fail where these are missing.

#![expect(clippy::disallowed_methods, reason = "a test starts its script itself")]
#![expect(clippy::expect_used, reason = "a test that can't go on must fail")]

use std::process::Command;

fn passes(script: &str) {
    let output = Command::new("bash")
        .arg(format!("{}/tests/host/{script}", env!("CARGO_MANIFEST_DIR")))
        .env("KEEPALIVE_POLICY", env!("CARGO_BIN_EXE_keepalive-policy"))
        .env("KEEPALIVE_BUILD", if cfg!(debug_assertions) { "debug" } else { "release" })
        .output()
        .expect("bash runs");
    assert!(
        output.status.success(),
        "{script}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

#[test]
fn lifecycle() {
    passes("lifecycle.sh");
}

#[test]
fn demo() {
    passes("demo.sh");
}

#[test]
fn client() {
    passes("client.sh");
}

#[test]
fn client_idle() {
    passes("client-idle.sh");
}

#[test]
fn disk() {
    passes("disk.sh");
}

#[test]
fn environment() {
    passes("environment.sh");
}

/// An sshd that no service manager has started.
#[test]
fn unmanaged() {
    passes("unmanaged.sh");
}

/// sshd under units of other kinds than Debian's.
#[test]
fn units() {
    passes("units.sh");
}

/// The newest Debian, whose socket unit starts one sshd for all.
#[test]
fn socket() {
    passes("socket.sh");
}

/// Rows of hostile input: what looks like sshd, and what is put in its place.
#[test]
fn hostile_programs() {
    passes("hostile-programs.sh");
}

/// Rows of hostile input: an sshd whose mounts show it other files than the daemon's.
#[test]
fn hostile_view() {
    passes("hostile-view.sh");
}

#[test]
fn instances() {
    passes("instances.sh");
}

#[test]
fn fatal() {
    passes("fatal.sh");
}

/// A lost sshd is remembered, and one that does not listen is told of.
#[test]
fn hostile_lost() {
    passes("hostile-lost.sh");
}

/// Files that change between the judgement and the reload.
#[test]
fn hostile_window() {
    passes("hostile-window.sh");
}

/// Host keys that are made after the daemon's start.
#[test]
fn hostile_outside() {
    passes("hostile-outside.sh");
}

/// The connection after a reload harms no one.
#[test]
fn hostile_penalties() {
    passes("hostile-penalties.sh");
}

/// Reloads that would take the way in away.
#[test]
fn endangered() {
    passes("endangered.sh");
}

/// 25 drifts; `make test-long` makes it 200.
#[test]
fn storm() {
    passes("storm.sh");
}

#[test]
fn live() {
    passes("live.sh");
}

#[test]
fn netns() {
    passes("netns.sh");
}

/// Every way of changing a file, by the programs that do it.
#[test]
fn watching() {
    passes("watching.sh");
}

/// Three writers at full speed.
#[test]
fn rivals() {
    passes("rivals.sh");
}

/// Programs that are busy beside what is watched.
#[test]
fn neighbours() {
    passes("neighbours.sh");
}

/// A minute; `make test-long` makes it an hour.
#[test]
fn soak() {
    passes("soak.sh");
}

/// A minute of rest.
#[test]
fn idle() {
    passes("idle.sh");
}

/// As the real promtool and the real node exporter read them.
#[test]
fn metrics() {
    passes("metrics.sh");
}

/// Fragments, audit mode, reloads, the catalog.
#[test]
fn policy() {
    passes("policy.sh");
}

/// A brake for people: `pause` and `resume`.
#[test]
fn hostile_brake() {
    passes("hostile-brake.sh");
}

/// A brake for people: `apply --confirm` and `confirm`.
#[test]
fn hostile_confirm() {
    passes("hostile-confirm.sh");
}

/// Row of hostile input: names and words with ESC, BEL, newline, in the journal and on root's terminal.
#[test]
fn hostile_showing() {
    passes("hostile-showing.sh");
}
