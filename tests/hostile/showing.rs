//! What others wrote, on root's terminal: names and words with escape sequences, bells, newlines and
//! marks of direction, and what is long.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::program;

/// Clears the screen, retitles the terminal, rings, goes back to the start of the line, turns the
/// reading direction around; C1 in UTF-8, and one that is no UTF-8.
const EVIL: &str = "\x1b[2J\x1b]0;root\x07\x08\u{202e}\u{9b}31m\u{200b}";

const POLICY: &str = "\
    [sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
    [sshd_config]\nClientAliveInterval = 120\nmatch_blocks = \"report\"\n\
    [ssh_config]\nServerAliveInterval = 60\n\
    [path]\nhops = [{ name = \"a\\u202eb\", idle = \"350s\", tcp_keepalive = true }]\n";

fn write(root: &Path, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// A tree in which every name and word that can be is EVIL.
fn tree(policy: &str) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path();
    let named = |directory: &str| {
        let mut name = directory.as_bytes().to_vec();
        name.extend_from_slice(b"/10-\xff\nok   FORGED\n");
        name.extend_from_slice(EVIL.as_bytes());
        name.extend_from_slice(b".conf");
        Path::new(OsStr::from_bytes(&name)).to_owned()
    };
    write(root, "etc/keepalive-policy.toml", policy);
    write(root, "usr/bin/ssh", "");
    write(root, named("etc/sysctl.d"), format!("net.ipv4.tcp_keepalive_time = 7{EVIL}\n"));
    write(root, named("run/sysctl.d"), "net.ipv4.tcp_keepalive_time = 900\n");
    let main = format!("# {EVIL}\nInclude /etc/ssh/sshd_config.d/*.conf\n#\tlast {EVIL}\r\n");
    write(root, "etc/ssh/sshd_config", main);
    let block = format!("Match User a{EVIL},bob\nClientAliveInterval 7\n");
    write(root, named("etc/ssh/sshd_config.d"), format!("ClientAliveInterval 7\n{block}"));
    let hosts = format!("Host A,{EVIL} Web{EVIL}\nServerAliveInterval 9\n");
    write(root, named("etc/ssh/ssh_config.d"), &hosts);
    let main = format!("Include /etc/ssh/ssh_config.d/*.conf\n{hosts}# {EVIL}\n");
    write(root, "etc/ssh/ssh_config", main);
    write(
        root,
        "etc/passwd",
        format!("root:x:0:0::/root:\nal{EVIL}ice:x:1000:1000::/home/alice:\n"),
    );
    write(root, "home/alice/.ssh/config", hosts);
    tree
}

fn run(root: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program()).arg("--root").arg(root).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// What a terminal would act upon, or the reader not see.
fn hidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_harmless(said: &str, of: &str) {
    let found = said.char_indices().find(|(_, c)| hidden(*c));
    assert_eq!(found, None, "{of}: {said}");
    let forged = said.lines().find(|line| line.starts_with("ok   FORGED"));
    assert_eq!(forged, None, "{of}: {said}");
}

#[test]
fn names_and_words_of_others_do_not_reach_the_terminal_raw() {
    let tree = tree(POLICY);
    let mut quoted = 0;
    for command in ["check", "diff", "explain", "validate", "apply", "check", "restore"] {
        let (out, err) = run(tree.path(), &[command]);
        // A diff keeps what patch(1) needs.
        let out =
            if command == "diff" { out.replace("\r\n", "\n").replace('\t', " ") } else { out };
        let kept = |c: char| command == "diff" && c == '\u{200b}';
        is_harmless(&out.replace(kept, ""), command);
        is_harmless(&err, command);
        quoted += out.matches("\\x1b[2J").count();
    }
    assert!(quoted > 20, "only {quoted} are shown");
}

#[test]
fn data_holds_the_same_and_is_harmless_too() {
    let tree = tree(POLICY);
    for command in ["check", "diff", "explain", "validate"] {
        let (out, err) = run(tree.path(), &["--format", "json", command]);
        is_harmless(&(out.clone() + &err), command);
        let data: serde_json::Value = serde_json::from_str(&out).unwrap();
        let found = data
            .to_string()
            .contains(EVIL.trim_start_matches('\x1b').split('\x1b').next().unwrap());
        assert!(found || command == "validate", "{command}: {out}");
    }
}

#[test]
fn findings_of_a_policy_mark_what_they_show() {
    let policy = format!("[sshd_config]\n'Client{EVIL}' = 1\nx = '{EVIL}'\n{EVIL}\n");
    let tree = tree(&policy);
    for command in ["validate", "check", "daemon"] {
        let (out, err) = run(tree.path(), &[command]);
        is_harmless(&(out + &err), command);
        assert!(err.contains(":2:"), "{err}");
        assert!(err.contains("\n'Client\\x1b[2J"), "{err}");
    }
}

/// sshd and ssh quote the file in what they complain about.
#[test]
fn words_of_sshd_and_ssh_about_a_file_are_escaped() {
    let tree = tree(POLICY);
    write(tree.path(), "etc/ssh/sshd_config", format!("No{EVIL}Word 1\n"));
    write(tree.path(), "etc/ssh/ssh_config", format!("No{EVIL}Word 1\n"));
    for command in ["check", "explain", "diff"] {
        let (out, err) = run(tree.path(), &[command]);
        is_harmless(&(out.clone() + &err), command);
        assert!(out.contains("/etc/ssh/ssh"), "{out}");
    }
}

#[test]
fn what_is_long_is_shortened_with_its_count_and_a_path_stays_whole() {
    let tree = tree(POLICY);
    let word = "x".repeat(100_000);
    let name = format!("etc/ssh/sshd_config.d/{}.conf", "y".repeat(240));
    write(
        tree.path(),
        &name,
        format!("ClientAliveInterval 9\nMatch User {word}\nClientAliveInterval 7\n"),
    );
    write(tree.path(), "etc/ssh/ssh_config", format!("Host B{word},c\nServerAliveInterval 9\n"));
    let (out, err) = run(tree.path(), &["check"]);
    assert!(out.len() + err.len() < 50_000, "{} bytes", out.len());
    assert!(out.contains(" characters)…"), "{out}");
    assert!(out.contains(&format!("/{name}:3")), "{out}");
    let (out, err) = run(tree.path(), &["explain"]);
    assert!(out.len() + err.len() < 100_000, "{} bytes", out.len());
}

/// The sibling of users' notes in the host's own file, and in the caller's for `client`.
#[test]
fn odd_lines_of_one_kind_are_counted() {
    let tree = tree(POLICY);
    let lines: String = (0..5000).map(|host| format!("Host h{host},Web\n")).collect();
    write(tree.path(), "etc/ssh/ssh_config", lines);
    let (out, err) = run(tree.path(), &["check"]);
    assert!(out.len() + err.len() < 10_000, "{} bytes", out.len());
    for counted in ["4,997 more patterns of Host lines have commas", "have capitals"] {
        assert!(out.contains(counted), "{out}");
    }
}

/// The caller's own file, which they may have copied from anywhere.
#[test]
fn client_commands_show_the_callers_file_escaped() {
    let tree = tempfile::tempdir().unwrap();
    let many: String =
        (0..3).map(|at| format!("Host {EVIL}{at},b\nServerAliveInterval 9\n")).collect();
    write(tree.path(), ".ssh/config", format!("# {EVIL}\n{many}Host {}\n", "x".repeat(50_000)));
    write(tree.path(), "policy.toml", "[ssh_config]\nServerAliveInterval = 60\n");
    let evil = format!("a{EVIL}");
    for arguments in [
        &["show"][..],
        &["show", &evil],
        &["check", &evil],
        &["check", "web"],
        &["diff"],
        &["no\x1b[2J"],
    ] {
        let script = "mount --bind \"$1\" /root && cd / && shift && exec \"$@\"";
        let mut run = Command::new("unshare");
        run.args(["--mount", "sh", "-c", script, "sh"]).arg(tree.path()).arg(program());
        run.args(["--policy", "/root/policy.toml", "client"]).args(arguments);
        let output = run.env_remove("SUDO_UID").output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let kept = |c: char| arguments == ["diff"] && c == '\u{200b}';
        is_harmless(&said.replace(kept, ""), &arguments.concat());
        assert!(said.contains("\\x1b["), "{arguments:?}: {said}");
        assert!(said.len() < 20_000 || arguments == ["diff"], "{arguments:?}: {}", said.len());
    }
}

/// What the daemon writes to the journal, and where that is not connected to standard error.
#[test]
fn lines_of_the_daemon_are_escaped() {
    let tree = tree(&POLICY.replace("[sysctl]", "mode = \"audit\"\n[sysctl]"));
    // Where the line does not come the daemon is ended, and the test with it.
    let mut daemon = Command::new("timeout");
    daemon
        .arg("60")
        .arg(program())
        .arg("--root")
        .arg(tree.path())
        .arg("daemon")
        .stderr(Stdio::piped());
    let mut daemon = daemon.spawn().unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let mut said = String::new();
    // Its last words before it waits are about the client's settings.
    while !said.contains("ssh_config: would") {
        said.push_str(&(lines.next().unwrap().unwrap() + "\n"));
    }
    // timeout(1) hands the signal on.
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    daemon.wait().unwrap();
    is_harmless(&said, "daemon");
    assert!(said.matches("\\x1b[2J").count() > 3, "{said}");
}
