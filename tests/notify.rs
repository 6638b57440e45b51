//! What the service manager is told, word for word: sd_notify(3).

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The daemon on a tree with nothing but a policy, and the service manager's end of the socket.
struct Managed {
    daemon: Child,
    socket: UnixDatagram,
    _tree: tempfile::TempDir,
}

impl Managed {
    fn start() -> Self {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("etc")).unwrap();
        let policy = tree.path().join("etc/keepalive-policy.toml");
        fs::write(&policy, "mode = \"audit\"\n").unwrap();
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o644)).unwrap();
        let address = tree.path().join("notify");
        let socket = UnixDatagram::bind(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
            .arg("--root")
            .arg(tree.path())
            .arg("daemon")
            .env("NOTIFY_SOCKET", &address)
            .env("WATCHDOG_USEC", "200000")
            .env_remove("WATCHDOG_PID")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { daemon, socket, _tree: tree }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.daemon.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The next message that begins so; those before it are of another kind.
    fn hears(&self, beginning: &str) -> String {
        loop {
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).unwrap();
            let message = String::from_utf8(buffer.get(..length).unwrap().to_vec()).unwrap();
            if message.starts_with(beginning) {
                return message;
            }
        }
    }
}

#[test]
fn the_whole_life_is_told() {
    let mut managed = Managed::start();
    managed.hears("READY=1");
    managed.hears("STATUS=");
    managed.hears("WATCHDOG=1");
    managed.hears("WATCHDOG=1");
    managed.signal(Signal::HUP);
    let reloading = managed.hears("RELOADING=1");
    let monotonic = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(monotonic.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    managed.hears("READY=1");
    managed.signal(Signal::TERM);
    managed.hears("STOPPING=1");
    assert!(managed.daemon.wait().unwrap().success());
}

/// A daemon that hangs says nothing any more; so it is for the service manager to end it.
#[test]
fn a_daemon_that_does_not_run_on_is_silent() {
    let mut managed = Managed::start();
    managed.hears("WATCHDOG=1");
    managed.signal(Signal::STOP);
    managed.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut buffer = [0; 4096];
    while managed.socket.recv(&mut buffer).is_ok() {}
    managed.socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    managed.signal(Signal::CONT);
    managed.hears("WATCHDOG=1");
    managed.daemon.kill().unwrap();
    managed.daemon.wait().unwrap();
}
