//! The contract of the command line: exit codes, output forms, what goes where.

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A tree with nothing but a policy.
fn tree(policy: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("etc")).unwrap();
    write_policy(directory.path(), policy, 0o644);
    directory
}

fn write_policy(root: &Path, policy: &str, mode: u32) {
    let path = root.join("etc/keepalive-policy.toml");
    fs::write(&path, policy).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn keepalive(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .arg("--root")
        .arg(root)
        .args(arguments)
        .output()
        .unwrap()
}

fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_command_refuses_a_bad_policy_with_78_and_all_findings() {
    let tree = tree("mode = \"enforced\"\n[sysctl]\nnet.ipv4.tcp_keepalive_probes = 0\n");
    for command in ["validate", "check", "diff", "apply", "daemon"] {
        let (code, stdout, stderr) = outcome(&keepalive(tree.path(), &[command]));
        assert_eq!((code, stdout.as_str()), (78, ""), "{command}: {stderr}");
        assert!(stderr.contains("etc/keepalive-policy.toml:1:8: "), "{command}: {stderr}");
        assert!(stderr.contains("etc/keepalive-policy.toml:3:33: "), "{command}: {stderr}");
    }
}

#[test]
fn validate_says_it_as_data_too() {
    let tree = tree("mode = \"enforced\"\n");
    let (code, stdout, _) = outcome(&keepalive(tree.path(), &["--format", "json", "validate"]));
    let data: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 78);
    assert_eq!(data["valid"], false);
    assert_eq!(
        (&data["findings"][0]["line"], &data["findings"][0]["column"]),
        (&1.into(), &8.into())
    );
    write_policy(tree.path(), "mode = \"audit\"\n", 0o644);
    let (code, stdout, _) = outcome(&keepalive(tree.path(), &["--format", "json", "validate"]));
    let data: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &data["valid"]), (0, &true.into()));
    assert!(data["notices"].to_string().contains("nothing is managed"), "{stdout}");
}

#[test]
fn a_policy_that_others_can_write_is_refused_with_the_command_that_mends_it() {
    let tree = tree("");
    write_policy(tree.path(), "", 0o664);
    let (code, _, stderr) = outcome(&keepalive(tree.path(), &["validate"]));
    assert_eq!(code, 78);
    assert!(stderr.contains("0664") && stderr.contains("chmod go-w"), "{stderr}");
}

#[test]
fn status_says_3_when_no_daemon_runs() {
    let tree = tree("");
    let (code, stdout, _) = outcome(&keepalive(tree.path(), &["status"]));
    assert_eq!(code, 3);
    assert!(stdout.starts_with("The daemon does not run."), "{stdout}");
}

#[test]
fn a_root_that_is_not_there_is_an_error_that_names_it() {
    let (code, _, stderr) = outcome(&keepalive(Path::new("/nonexistent"), &["check"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("/nonexistent: cannot use as --root"), "{stderr}");
}

#[test]
fn usage_errors_go_to_stderr_and_help_to_stdout() {
    let (code, stdout, stderr) = outcome(&keepalive(Path::new("/"), &["chekc"]));
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("check"), "{stderr}");
    let (code, stdout, _) = outcome(&keepalive(Path::new("/"), &["--help"]));
    assert_eq!(code, 0);
    for command in [
        "daemon", "check", "diff", "apply", "confirm", "pause", "resume", "status", "validate",
        "restore",
    ] {
        assert!(stdout.contains(&format!("\n  {command} ")), "{command} is not in the help");
    }
}

/// Nothing wraps it: a terminal would, in the middle of words.
#[test]
fn help_fits_into_80_columns() {
    for command in [
        "",
        "daemon",
        "check",
        "diff",
        "apply",
        "confirm",
        "pause",
        "resume",
        "status",
        "sessions",
        "explain",
        "hops",
        "validate",
        "reload",
        "restore",
        "client",
        "client show",
        "client check",
        "client apply",
        "client diff",
        "client restore",
        "client export",
    ] {
        for help in ["-h", "--help"] {
            let arguments: Vec<&str> = command.split_whitespace().chain([help]).collect();
            let (code, stdout, _) = outcome(&keepalive(Path::new("/"), &arguments));
            assert_eq!(code, 0);
            // The list of other clients is clap's.
            for line in stdout.lines().filter(|line| !line.contains("securecrt, teraterm")) {
                assert!(line.chars().count() <= 80, "{command} {help}: {line}");
            }
        }
    }
}

#[test]
fn a_drop_in_of_ours_that_makes_sshd_refuse_is_moved_where_it_does_not() {
    let tree = tree("[sshd_config]\nTCPKeepAlive = true\nClientAliveInterval = 120\n");
    let main = tree.path().join("etc/ssh/sshd_config");
    let drop_in = tree.path().join("etc/ssh/sshd_config.d/00-keepalive-policy.conf");
    fs::create_dir_all(tree.path().join("etc/ssh/sshd_config.d")).unwrap();
    fs::write(&main, "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n").unwrap();
    let code = |command| outcome(&keepalive(tree.path(), &[command])).0;
    assert_eq!(code("apply"), 0);
    assert!(drop_in.exists());
    // Somebody puts a block above the Include: TCPKeepAlive is not allowed in it.
    let moved = "Match User bob\nInclude /etc/ssh/sshd_config.d/*.conf\n";
    fs::write(&main, moved).unwrap();
    assert_eq!((code("check"), code("apply"), code("check")), (1, 0, 0));
    assert!(!drop_in.exists());
    assert_eq!(code("restore"), 0);
    assert_eq!(fs::read_to_string(&main).unwrap(), moved);
}

#[test]
fn output_that_is_lost_is_an_error() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [&["hops"][..], &["--format", "json", "hops"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
            .args(arguments)
            .stdout(full())
            .output()
            .unwrap();
        let (code, _, stderr) = outcome(&output);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("standard output: cannot write"), "{stderr}");
    }
}

#[test]
fn a_daemon_whose_lines_go_into_a_file_paints_nothing() {
    let tree = tree("mode = \"audit\"\n");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .arg("--root")
        .arg(tree.path())
        .arg("daemon")
        .env_remove("NO_COLOR")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(daemon.stderr.take().unwrap()).read_line(&mut line).unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(line.contains("in force, mode audit") && !line.contains('\x1b'), "{line:?}");
}
