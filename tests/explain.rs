//! The command line of `explain` and `hops`: exit codes, data, what is refused.

#![expect(clippy::disallowed_methods, reason = "a test starts the program itself")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

fn tree(policy: &str, sshd_config: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("etc/ssh")).unwrap();
    let path = directory.path().join("etc/keepalive-policy.toml");
    fs::write(&path, policy).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(directory.path().join("etc/ssh/sshd_config"), sshd_config).unwrap();
    directory
}

fn run(tree: &TempDir, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .arg("--root")
        .arg(tree.path())
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

fn data(tree: &TempDir, command: &str) -> (i32, Json) {
    let (code, text) = run(tree, &["--format", "json", command]);
    (code, serde_json::from_str(&text).unwrap())
}

#[test]
fn a_path_is_survived_or_not() {
    for (hops, interval, code) in [
        ("", 0, 0),
        ("'aws-nlb'", 60, 0),
        ("'aws-nlb', 'azure-lb'", 60, 0),
        ("'aws-nlb', 'azure-lb'", 300, 1),
        ("'aws-clb'", 0, 1),
        // 75 % is what counts.
        ("{ name = 'own', idle = 1000 }", 900, 1),
    ] {
        let policy = format!("[path]\nhops = [{hops}]\n");
        let tree = tree(&policy, &format!("ClientAliveInterval {interval}\n"));
        let (found, explained) = data(&tree, "explain");
        assert_eq!(found, code, "{hops} {interval}: {explained}");
        assert_eq!(explained["survives"], code == 0);
        assert_eq!(explained["sessions"][0]["change"].is_string(), code == 1);
    }
}

#[test]
fn the_line_that_is_proposed_makes_the_path_safe() {
    let policy = "[path]\nhops = ['aws-clb', 'azure-lb']\n";
    let before = tree(policy, "ClientAliveInterval 300\n");
    let (_, explained) = data(&before, "explain");
    let change = explained["sessions"][0]["change"].as_str().unwrap();
    let (section, line) = change.split_once('\n').unwrap();
    assert_eq!(section, "[sshd_config]");
    let after = tree(&format!("{policy}{change}\n"), &line.replace(" = ", " "));
    assert_eq!(data(&after, "explain").0, 0, "{change}");
    let notices = data(&after, "validate").1["notices"].to_string();
    assert!(!notices.contains("forgets"), "{notices}");
}

/// TCPKeepAlive is a keyword of both ends, and what [objective] sets stands in no line.
#[test]
fn each_setting_is_said_to_be_declared_where_it_is() {
    let policy = "[ssh_config]\nTCPKeepAlive = false\nServerAliveInterval = 9\n\
                  [sshd_config]\nClientAliveCountMax = 3\n[objective]\nsurvive_idle = 350\n";
    let tree = tree(policy, "");
    fs::write(tree.path().join("etc/ssh/ssh_config"), "Host *\n    TCPKeepAlive yes\n").unwrap();
    let (_, text) = run(&tree, &["explain"]);
    let place = format!("{}/etc/keepalive-policy.toml", tree.path().display());
    for line in [
        "TCPKeepAlive".to_owned(),
        format!("TCPKeepAlive (ssh_config), declared in {place}:2"),
        "ClientAliveInterval, derived from [objective]".to_owned(),
        format!("ClientAliveCountMax, declared in {place}:5"),
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn what_sshd_refuses_is_not_explained() {
    let tree = tree("", "ClientAliveInterval never\n");
    let (code, explained) = data(&tree, "explain");
    assert_eq!(code, 2);
    let problem = &explained["problems"][0];
    assert_eq!((&problem["severity"], &problem["line"]), (&"blocked".into(), &1.into()));
}

#[test]
fn every_population_is_explained_with_its_winner_and_losers() {
    let config = "ClientAliveInterval 60\nMatch User bob\nClientAliveInterval 20\n";
    let (_, explained) = data(&tree("", config), "explain");
    let names: Vec<&str> = explained["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|population| population["sessions"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["to this host", "to this host, Match User bob"]);
    let global =
        explained["settings"].as_array().unwrap().iter().find(|setting| {
            setting["name"] == "ClientAliveInterval" && setting["context"] == "global"
        });
    let global = global.unwrap();
    assert_eq!(global["source"]["line"], 1);
    assert_eq!(
        global["losers"],
        serde_json::json!([{
            "file": "/etc/ssh/sshd_config", "line": 3, "value": "20",
            "why": "only inside Match User bob"
        }])
    );
}

/// `name` of each population, with its interval, count and TCPKeepAlive.
fn populations(explained: &Json) -> Vec<String> {
    let populations = explained["sessions"].as_array().unwrap().iter();
    populations
        .map(|one| {
            let name = one["sessions"].as_str().unwrap();
            format!("{name}: {} {} {}", one["interval"], one["count"], one["tcp_keepalive"])
        })
        .collect()
}

#[test]
fn the_hosts_client_is_explained_by_the_values_in_force() {
    let policy = "[ssh_config]\nServerAliveInterval = 120\n[path]\nhops = ['azure-lb']\n";
    let tree = tree(policy, "ClientAliveInterval 60\nTCPKeepAlive no\n");
    let ssh = "Host web*\n  ServerAliveInterval 5\n  TCPKeepAlive no\nHost *\n  \
               ServerAliveInterval 200\n  ServerAliveInterval 120\nMatch !all\n  \
               ServerAliveInterval 3\n";
    fs::write(tree.path().join("etc/ssh/ssh_config"), ssh).unwrap();
    let (code, explained) = data(&tree, "explain");
    assert_eq!(
        populations(&explained),
        [
            "to this host: 60 3 false",
            // Not what is declared: that is not in force.
            "from this host: 200 3 true",
            "from this host, Host web*: 5 3 false",
        ]
    );
    assert_eq!(code, 1);
    assert_eq!(
        explained["sessions"][1]["change"], "[ssh_config]\nServerAliveInterval = 180",
        "{explained}"
    );
    let settings = explained["settings"].as_array().unwrap();
    let found = settings
        .iter()
        .find(|one| one["name"] == "ServerAliveInterval" && one["context"] == "global");
    let found = found.unwrap();
    assert_eq!((&found["effective"], &found["source"]["line"]), (&200.into(), &5.into()));
    let why: Vec<&str> = found["losers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|loser| loser["why"].as_str().unwrap())
        .collect();
    assert_eq!(
        why,
        ["only inside Host web*", "/etc/ssh/ssh_config:5 comes first", "Match !all is never met"]
    );
}

#[test]
fn a_client_that_nobody_set_is_not_talked_about() {
    let tree = tree("", "");
    fs::write(tree.path().join("etc/ssh/ssh_config"), "Host *\n  SendEnv LANG\n").unwrap();
    let (_, explained) = data(&tree, "explain");
    assert_eq!(populations(&explained), ["to this host: 0 3 true"]);
    assert!(!explained["settings"].to_string().contains("ssh_config\",\"name\":\"Server"));
}

#[test]
fn a_client_that_ends_with_an_error_blocks_only_who_declares_it() {
    let broken = "ServerAliveInterval often\n";
    for (policy, expected) in [("", 0), ("[ssh_config]\nServerAliveInterval = 120\n", 2)] {
        let tree = tree(policy, "");
        fs::write(tree.path().join("etc/ssh/ssh_config"), broken).unwrap();
        let (code, explained) = data(&tree, "explain");
        assert_eq!(code, expected, "{explained}");
        let problem = &explained["problems"][0];
        assert_eq!((&problem["resource"], &problem["line"]), (&"ssh_config".into(), &1.into()));
    }
}

#[test]
fn instances_of_sshd_are_explained_too() {
    let policy = "[sshd_config]\nClientAliveInterval = 60\n[[sshd_config.instance]]\n\
                  file = '/etc/ssh/sftp_config'\nunit = 'sftp.service'\n";
    let tree = tree(policy, "ClientAliveInterval 60\n");
    let config = "TCPKeepAlive no\nClientAliveInterval 300\nMatch User bob\n\
                  ClientAliveInterval 20\n";
    fs::write(tree.path().join("etc/ssh/sftp_config"), config).unwrap();
    let (_, explained) = data(&tree, "explain");
    assert_eq!(
        populations(&explained),
        [
            "to this host: 60 3 true",
            "to this host, sftp.service: 300 3 false",
            "to this host, sftp.service, Match User bob: 20 3 false",
        ]
    );
    let contexts: Vec<&str> = explained["settings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["name"] == "ClientAliveInterval")
        .map(|one| one["context"].as_str().unwrap())
        .collect();
    assert_eq!(contexts, ["global", "sftp.service: global", "sftp.service: Match User bob"]);
    fs::write(tree.path().join("etc/ssh/sftp_config"), "ClientAliveInterval never\n").unwrap();
    let (code, explained) = data(&tree, "explain");
    assert_eq!(code, 2);
    let message = explained["problems"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("sftp.service: sshd refuses it"), "{message}");
}

#[test]
fn text_fits_80_columns() {
    let policy = "[path]\nhops = ['aws-sg-conntrack-nitro6', { name = 'a hop with a name that is much \
                  longer than anybody would like it to be', idle = '100w' }]\n\
                  [objective]\nsurvive_idle = 350\nnotice_dead_peer = '1h'\n";
    let tree = tree(policy, "ClientAliveInterval 2147483647\nClientAliveCountMax 2147483647\n");
    for command in ["explain", "hops"] {
        let (_, text) = run(&tree, &[command]);
        assert!(text.lines().count() > 20);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn the_table_of_hops_is_data_too() {
    let (code, table) = data(&tree("", ""), "hops");
    assert_eq!(code, 0);
    assert_eq!(table["hops"].as_array().unwrap().len(), keepalive_policy::hops::TABLE.len());
}

#[test]
fn sessions_are_not_looked_for_in_a_tree() {
    assert_eq!(run(&tree("", ""), &["sessions"]).0, 2);
}

#[test]
fn watching_ends_when_nobody_reads() {
    let tree = tree("", "");
    let mut child = Command::new(env!("CARGO_BIN_EXE_keepalive-policy"))
        .args(["--root", tree.path().to_str().unwrap(), "check", "--watch"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
