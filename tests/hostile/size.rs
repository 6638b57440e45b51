//! More input than an honest host has: large files, many files, many lines.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A policy that declares something of each resource.
const POLICY: &str = "\
    [sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
    [sshd_config]\nClientAliveInterval = 120\n\
    [ssh_config]\nServerAliveInterval = 60\n";

/// What `check` may have of address space, in kB. It is more than memory: what is mapped and not
/// touched counts as well.
const ROOM: u64 = 160_000;

struct Tree(TempDir);

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

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs a command on the tree in little memory, so that one that takes much aborts.
    fn run(&self, arguments: &[&str]) -> Said {
        run_in(ROOM, self.0.path(), arguments)
    }
}

/// Ours, or what KEEPALIVE_POLICY names, as in the tests of a host: to see a test fail with another.
fn program() -> OsString {
    let ours = env!("CARGO_BIN_EXE_keepalive-policy");
    std::env::var_os("KEEPALIVE_POLICY").unwrap_or_else(|| ours.into())
}

fn run_in(room: u64, root: &Path, arguments: &[&str]) -> Said {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {room}; exec \"$@\""), "sh"])
        .arg(program())
        .arg("--root")
        .arg(root)
        .args(arguments)
        .output()
        .unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_file_of_1_gb_is_refused_at_once_with_its_name() {
    for file in [
        "etc/sysctl.d/50-large.conf",
        "etc/sysctl.conf",
        "etc/ssh/sshd_config.d/50-large.conf",
        "etc/ssh/ssh_config.d/50-large.conf",
    ] {
        let tree = Tree::new(POLICY);
        tree.write(file, "");
        fs::File::options().write(true).open(tree.at(file)).unwrap().set_len(1 << 30).unwrap();
        for command in ["check", "diff", "apply"] {
            let Said { code, out, err } = tree.run(&[command]);
            assert_eq!(code, Some(2), "{command} {file}: {out}{err}");
            let line = out.lines().chain(err.lines()).find(|line| line.contains(file));
            assert!(line.unwrap().contains("16777216 bytes"), "{command} {file}: {out}{err}");
        }
        assert_eq!(fs::metadata(tree.at(file)).unwrap().len(), 1 << 30);
    }
}
