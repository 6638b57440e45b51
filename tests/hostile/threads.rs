//! A host that has no thread left to give: clone3 fails, as it does at `TasksMax=`, or when there is
//! no memory for a stack. Nothing may abort in the middle of a transaction.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Tree, program};

const POLICY: &str = "\
    [sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
    [sshd_config]\nClientAliveInterval = 120\nmatch_blocks = \"report\"\n";

const DROP_IN: &str = "etc/sysctl.d/99-zz-keepalive-policy.conf";

fn tree() -> Tree {
    let tree = Tree::new(POLICY);
    tree.write("etc/sysctl.d/50-other.conf", "net.ipv4.tcp_keepalive_time = 5\n");
    tree.write("etc/ssh/sshd_config", "Port 22\nClientAliveInterval 5\n");
    tree
}

/// Runs under strace, which makes the calls that `inject` names fail.
fn strace(tree: &Tree, log: &str, options: &[&str], command: &str) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-e", "trace=clone,clone3,vfork,fork", "-o"]).arg(tree.at(log));
    strace.args(options).arg(program()).arg("--root").arg(tree.path()).arg(command);
    strace.stdout(Stdio::null()).stderr(Stdio::null());
    strace
}

#[test]
fn apply_makes_no_thread_and_ends_in_order_when_no_program_can_be_started() {
    let whole = tree();
    assert!(strace(&whole, "trace", &[], "apply").status().unwrap().success());
    let trace = fs::read_to_string(whole.at("trace")).unwrap();
    assert!(!trace.contains("CLONE_THREAD"), "{trace}");
    let calls: Vec<&str> = trace.lines().filter_map(|line| line.split('(').next()).collect();
    assert!(calls.len() >= 3, "sshd must be asked several times: {trace}");
    for name in ["clone", "clone3", "vfork", "fork"] {
        for number in 1..=calls.iter().filter(|call| **call == name).count() {
            let tree = tree();
            let inject = format!("inject={name}:error=EAGAIN:when={number}");
            let status = strace(&tree, "trace", &["-e", &inject], "apply").status().unwrap();
            // A signal has no code: 134 is how strace passes an abort on.
            assert!(matches!(status.code(), Some(0..=2)), "{inject}: {status}");
            assert_eq!(tree.run(&["apply"]).code, Some(0), "{inject}: the next run");
            for file in [DROP_IN, "etc/ssh/sshd_config"] {
                let content = |tree: &super::Tree| fs::read_to_string(tree.at(file)).unwrap();
                assert_eq!(content(&tree), content(&whole), "{inject}: {file}");
            }
        }
    }
}

#[test]
fn the_daemon_goes_on_and_corrects_when_no_thread_can_be_made() {
    let tree = tree();
    let options = ["-f", "-e", "inject=clone3:error=EAGAIN:when=1+"];
    let mut daemon = strace(&tree, "trace", &options, "daemon").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !tree.at(DROP_IN).exists() {
        assert!(Instant::now() < deadline, "the drop-in is not written");
        assert!(daemon.try_wait().unwrap().is_none(), "the daemon ended");
        std::thread::yield_now();
    }
    // The first to be seen is the daemon itself.
    let trace = fs::read_to_string(tree.at("trace")).unwrap();
    let pid = trace.split_whitespace().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let status = daemon.wait().unwrap();
    assert!(status.success(), "{status}: {trace}");
    assert!(trace.contains("CLONE_THREAD") && trace.contains("INJECTED"), "{trace}");
}
