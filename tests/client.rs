//! `client`, as its user runs it: exports read back by somebody else's parser, session files edited in
//! place.

#![expect(clippy::disallowed_methods, reason = "a test starts the program itself")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const POLICY: &str = "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
                      net.ipv4.tcp_keepalive_intvl = 75\nnet.ipv4.tcp_keepalive_probes = 9\n\
                      [ssh_config]\nServerAliveInterval = 150\nTCPKeepAlive = true\n";

fn client(directory: &Path, arguments: &[&str]) -> Output {
    let policy = directory.join("policy.toml");
    fs::write(&policy, POLICY).unwrap();
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o644)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .arg("--policy")
        .arg(&policy)
        .arg("client")
        .args(arguments)
        .current_dir(directory)
        .env_remove("SUDO_UID")
        .output()
        .unwrap()
}

/// What Python's codecs and configparser make of a registry file: `key|name|value` lines.
fn registry(file: &Path) -> String {
    const READ: &str = r#"
import configparser, sys
text = open(sys.argv[1], 'rb').read().decode('utf-16')
header, body = text.split('\r\n', 1)
assert header == 'Windows Registry Editor Version 5.00', header
parser = configparser.RawConfigParser(comment_prefixes=(';',), delimiters=('=',))
parser.optionxform = str
parser.read_string(body)
for key in parser.sections():
    for name, value in parser.items(key):
        kind, digits = value.split(':')
        assert kind == 'dword' and len(digits) == 8, value
        print(key, name.strip('"'), int(digits, 16), sep='|')
"#;
    let output = Command::new("python3").args(["-c", READ]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn registry_files_are_read_back_by_a_library() {
    let directory = tempfile::tempdir().unwrap();
    let putty = r"HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\Default%20Settings";
    let winscp = r"HKEY_CURRENT_USER\Software\Martin Prikryl\WinSCP 2\Sessions\Default%20Settings";
    let tcp = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
    for (target, key, values) in [
        ("putty", putty, &["PingInterval|2", "PingIntervalSecs|30", "TCPKeepalives|1"][..]),
        ("winscp", winscp, &["PingType|1", "PingInterval|2", "PingIntervalSecs|30"]),
        ("windows-tcp", tcp, &["KeepAliveTime|600000", "KeepAliveInterval|75000"]),
    ] {
        let exported = client(directory.path(), &["export", "--for", target]);
        assert_eq!(exported.status.code(), Some(0));
        let file = directory.path().join("export.reg");
        fs::write(&file, exported.stdout).unwrap();
        let expected: String = values.iter().map(|value| format!("{key}|{value}\n")).collect();
        assert_eq!(registry(&file), expected, "{target}");
        let json = client(directory.path(), &["export", "--format", "json", "--for", target]);
        let data: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!((&data["version"], &data["client"]), (&1.into(), &target.into()));
        let text = data["text"].as_str().unwrap();
        assert!(text.starts_with("Windows Registry Editor") && text.contains(key), "{text}");
    }
}

#[test]
fn a_session_of_securecrt_is_edited_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("host.ini");
    let text = |on, seconds| {
        let lines = format!(
            "S:\"Hostname\"=h\u{fc}\r\nD:\"Idle NO-OP Check\"={on:08x}\r\n\
             D:\"Idle NO-OP Timeout\"={seconds:08x}\r\nD:\"Port\"=00000016\r\n"
        );
        [b"\xef\xbb\xbf", lines.as_bytes()].concat()
    };
    fs::write(&file, text(0, 60)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let done = client(directory.path(), &["export", "--for", "securecrt", "--into", "host.ini"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(fs::read(&file).unwrap(), text(1, 150));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    fs::write(&file, "[not a session]\n").unwrap();
    let refused = client(directory.path(), &["export", "--for", "securecrt", "--into", "host.ini"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(fs::read(&file).unwrap(), b"[not a session]\n");
    for (name, content) in [
        ("half.ini", &b"D:\"Port\"\r\n"[..]),
        ("empty.ini", b""),
        ("big-endian.ini", b"\xfe\xff\0D\0:\0\"\0P\0\"\0=\x001"),
        ("torn.ini", b"\xff\xfeD\0:\0\"\0P\0\"\0=\x001"),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
        let refused = client(directory.path(), &["export", "--for", "securecrt", "--into", name]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert_eq!(fs::read(directory.path().join(name)).unwrap(), content);
    }
    let refused = client(directory.path(), &["export", "--for", "securecrt", "--into", "none.ini"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no such file"));
    let refused = client(directory.path(), &["export", "--for", "putty", "--into", "host.ini"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn the_real_ssh_takes_the_export() {
    let directory = tempfile::tempdir().unwrap();
    let exported = client(directory.path(), &["export", "--for", "openssh"]);
    let file = directory.path().join("config");
    fs::write(&file, exported.stdout).unwrap();
    let said = Command::new("ssh").arg("-GF").arg(&file).arg("any.invalid").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("\nserveraliveinterval 150\n"), "{said}");
    assert!(said.contains("\ntcpkeepalive yes\n"), "{said}");
}

#[test]
fn a_session_file_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"h\xff.ini");
    fs::write(directory.path().join(name), "S:\"Hostname\"=h\r\n").unwrap();
    let policy = directory.path().join("policy.toml");
    fs::write(&policy, POLICY).unwrap();
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o644)).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .args(["--format", "json", "client", "export", "--for", "securecrt", "--policy"])
        .arg(&policy)
        .arg("--into")
        .arg(name)
        .current_dir(directory.path())
        .env_remove("SUDO_UID")
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("h\u{fffd}.ini"));
}

/// The daemon would put the block back within milliseconds.
#[test]
fn nothing_is_restored_beside_a_daemon_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = directory.path().join("keepalive-policy");
    fs::create_dir(&runtime).unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let start = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap();
    let status = format!(
        r#"{{"version": 1, "pid": {}, "process_start": {start}, "since": 0, "policy": "/p.toml",
        "mode": "enforce", "in_force": true, "summary": "", "corrections": 0, "last_drift": null,
        "settings": [], "problems": []}}"#,
        std::process::id()
    );
    fs::write(runtime.join("status.json"), status).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .args(["client", "restore"])
        .env_remove("SUDO_UID")
        .env("XDG_RUNTIME_DIR", directory.path())
        .env("XDG_STATE_HOME", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("systemctl --user disable --now keepalive-policy"), "{said}");
}
