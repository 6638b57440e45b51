//! A brake for people: what `pause` and `resume` do without a daemon.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A tree with a policy that declares something.
fn tree(policy: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("etc/sysctl.d")).unwrap();
    fs::write(directory.path().join("etc/keepalive-policy.toml"), policy).unwrap();
    directory
}

const POLICY: &str = "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n";

fn run(root: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .arg("--root")
        .arg(root)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn data(root: &Path, arguments: &[&str]) -> Value {
    let (_, stdout, stderr) = run(root, &[&["--format", "json"], arguments].concat());
    assert!(stdout.starts_with('{'), "{stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn a_pause_is_shown_by_every_look_and_ends_with_resume() {
    let tree = tree(POLICY);
    let root = tree.path();
    assert_eq!(data(root, &["status"])["paused_until"], Value::Null);
    let (code, stdout, stderr) = run(root, &["pause", "2h"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("Paused until 20") && stdout.contains("resume"), "{stdout}");
    let until = data(root, &["status"])["paused_until"].as_u64().unwrap();
    assert_eq!(data(root, &["pause", "2h"])["version"], 1);
    assert!(until > 1_700_000_000);
    for command in ["status", "check"] {
        let (_, stdout, _) = run(root, &[command]);
        assert!(stdout.contains("paused until"), "{command}: {stdout}");
    }
    let problems = data(root, &["check"])["problems"].to_string();
    assert!(problems.contains("corrections are paused until"), "{problems}");
    assert_eq!(data(root, &["resume"])["was_paused"], true);
    assert_eq!(data(root, &["resume"])["was_paused"], false);
    assert!(!run(root, &["check"]).1.contains("paused"));
}

#[test]
fn a_pause_needs_no_valid_policy() {
    let tree = tree("mode = \"nonsense\"\n");
    assert_eq!(run(tree.path(), &["pause", "10m"]).0, 0);
    assert_eq!(run(tree.path(), &["resume"]).0, 0);
}

#[test]
fn a_time_out_of_bounds_is_refused_and_changes_nothing() {
    let tree = tree(POLICY);
    for time in ["0", "31d", "-5", "1.5h", "forever", "", "99999999999d"] {
        let (code, _, stderr) = run(tree.path(), &["pause", time]);
        assert_eq!(code, 2, "{time}: {stderr}");
    }
    assert!(!tree.path().join("var/lib/keepalive-policy/pause.json").exists());
}

/// Who runs `apply` wants it now.
#[test]
fn apply_by_hand_goes_on_during_a_pause_and_says_so() {
    let tree = tree(POLICY);
    assert_eq!(run(tree.path(), &["pause", "1h"]).0, 0);
    let (code, stdout, _) = run(tree.path(), &["apply"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("paused until"), "{stdout}");
    assert!(tree.path().join("etc/sysctl.d/99-zz-keepalive-policy.conf").exists());
}

#[test]
fn a_damaged_record_is_a_pause_that_is_said_and_resume_keeps_it_aside() {
    let tree = tree(POLICY);
    let state = tree.path().join("var/lib/keepalive-policy");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("pause.json"), "{\"version\": 7, \"span\": 1}").unwrap();
    let (code, stdout, _) = run(tree.path(), &["check"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("conflict: daemon: ") && stdout.contains("version 7"), "{stdout}");
    assert_eq!(data(tree.path(), &["resume"])["was_paused"], true);
    assert!(!state.join("pause.json").exists());
    let kept = fs::read_dir(&state)
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert!(kept.into_iter().any(|name| name.starts_with("pause.json.unusable-")));
}
