//! Hostile and heavy input. Each test names what was tried; what is right is a finding with the
//! file's name, bounded time and memory, and a host that goes on working.

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "hostile/brake.rs"]
mod brake;
#[path = "hostile/homes.rs"]
mod homes;
#[path = "hostile/reading.rs"]
mod reading;
#[path = "hostile/records.rs"]
mod records;
#[path = "hostile/showing.rs"]
mod showing;
#[path = "hostile/size.rs"]
mod size;
#[path = "hostile/threads.rs"]
mod threads;
#[path = "hostile/writing.rs"]
mod writing;

/// Ours, or what KEEPALIVE_POLICY names, as in the tests of a host: to see a test fail with another.
fn program() -> OsString {
    let ours = env!("CARGO_BIN_EXE_keepalive-policy");
    std::env::var_os("KEEPALIVE_POLICY").unwrap_or_else(|| ours.into())
}

/// What a command may have of address space, in kB. It is more than memory: what is mapped and not
/// touched counts as well.
const ROOM: u64 = 160_000;

/// A host for `--root`: a policy, and main files that include their drop-ins.
struct Tree(tempfile::TempDir);

/// What a command gave.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Tree {
    fn new(policy: &str) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write("etc/keepalive-policy.toml", policy);
        tree.write("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
        tree.write("etc/ssh/ssh_config", "Include /etc/ssh/ssh_config.d/*.conf\n");
        tree
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs a command on the tree in little memory, so that one that takes much aborts.
    fn run(&self, arguments: &[&str]) -> Said {
        self.run_in(ROOM, arguments)
    }

    fn run_in(&self, room: u64, arguments: &[&str]) -> Said {
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -v {room}; exec \"$@\""), "sh"])
            .arg(program())
            .arg("--root")
            .arg(self.path())
            .args(arguments)
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
