//! The server's own view of its files: this machine's programs, or those of another release.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::bed::run;

/// A process in the server's network namespace, and in a mount namespace in which /etc/ssh and
/// /run are the test's own. With a root below, its programs are those of that Debian release, by an
/// overlay over a root that is built once.
pub fn hold(server: &str, lower: Option<&Path>, directory: &Path) -> (Child, PathBuf) {
    const SCRIPT: &str = r#"
        set -eu
        directory=$1 lower=$2 binary=$3 root=/
        if [ -n "$lower" ]; then
            root=$directory/root
            mount -t tmpfs tmpfs "$directory/layers"
            mkdir "$directory/layers/upper" "$directory/layers/work"
            mount -t overlay overlay "$root" \
                -o "lowerdir=$lower,upperdir=$directory/layers/upper,workdir=$directory/layers/work"
            mount --rbind /dev "$root/dev"
            mount -t proc proc "$root/proc"
        fi
        mount --bind "$directory/ssh" "$root/etc/ssh"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mkdir -m 755 "$root/run/sshd"
        cp "$binary" "$root/run/keepalive-policy-under-test"
        echo ready
        read -r _
    "#;
    for name in ["ssh", "root", "layers"] {
        fs::create_dir(directory.join(name)).expect("made");
    }
    let mut holder = Command::new("ip")
        .args(["netns", "exec", server, "unshare", "--mount", "--propagation", "private"])
        .args(["bash", "-c", SCRIPT, "_"])
        .args([directory, lower.unwrap_or(Path::new(""))])
        .arg(env!("CARGO_BIN_EXE_keepalive-policy"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the namespaces are made");
    let mut ready = [0; 6];
    holder.stdout.take().expect("a pipe").read_exact(&mut ready).expect("the server is set up");
    let root = if lower.is_some() { directory.join("root") } else { PathBuf::from("/") };
    (holder, root)
}

/// The root of a Debian release, which is built at the first use.
pub fn built_root(suite: &str) -> PathBuf {
    let script = format!(
        "export KEEPALIVE_BOX_SUITE={suite}; . '{}/tests/host/box.sh'; box_root",
        env!("CARGO_MANIFEST_DIR")
    );
    let root = run("bash", ["-euc", &script]);
    PathBuf::from(root.trim())
}
