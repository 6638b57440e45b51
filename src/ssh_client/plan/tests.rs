use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::host::Host;
use crate::policy::SshConfig;
use crate::reconcile::{Mode, Report, Severity, Value, reconcile};
use crate::ssh_client::SshClient;

const DROP_IN: &str = "etc/ssh/ssh_config.d/00-keepalive-policy.conf";

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(main: &str) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for directory in ["etc/ssh/ssh_config.d", "usr/bin"] {
            fs::create_dir_all(tree.0.path().join(directory)).unwrap();
        }
        tree.put("usr/bin/ssh", "", 0o755);
        tree.put("etc/ssh/ssh_config", main, 0o644);
        tree
    }

    fn put(&self, path: &str, text: &str, mode: u32) {
        let path = self.0.path().join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    fn get(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.path().join(path)).ok()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.0.path().join(path)).unwrap().permissions().mode() & 0o777
    }

    fn reconcile(&self, mode: Mode) -> Report {
        let desired = SshConfig { server_alive_interval: Some(120), ..SshConfig::default() };
        reconcile(&SshClient::default(), &Host::at(self.0.path()), &desired, mode)
    }

    fn restore(&self) {
        let desired = SshConfig::default();
        let host = Host::at(self.0.path());
        let report = reconcile(&SshClient::default(), &host, &desired, Mode::Enforce);
        assert!(report.in_force(), "{report:#?}");
    }
}

const INCLUDES: &str = "Include /etc/ssh/ssh_config.d/*.conf\nHost *\n    ServerAliveInterval 60\n";

#[test]
fn a_drop_in_that_everybody_can_read_is_made_where_it_wins() {
    let tree = Tree::new(INCLUDES);
    let report = tree.reconcile(Mode::Enforce);
    assert!(report.in_force(), "{report:#?}");
    assert!(tree.get(DROP_IN).unwrap().ends_with("\nServerAliveInterval 120\n"));
    assert_eq!(tree.mode(DROP_IN), 0o644);
    assert_eq!(tree.get("etc/ssh/ssh_config").unwrap(), INCLUDES);
    tree.restore();
    assert_eq!(tree.get(DROP_IN), None);
}

#[test]
fn a_drop_in_of_ours_that_only_root_can_read_would_end_every_ssh_and_is_mended() {
    let tree = Tree::new(INCLUDES);
    tree.reconcile(Mode::Enforce);
    for mode in [0o600, 0o666] {
        let path = tree.0.path().join(DROP_IN);
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let report = tree.reconcile(Mode::Enforce);
        assert!(report.in_force() && !report.outcomes.is_empty(), "{mode:o}: {report:#?}");
        assert_eq!(tree.mode(DROP_IN), 0o644);
    }
}

#[test]
fn somebody_elses_drop_in_that_only_root_can_read_is_named_in_the_words_of_ssh() {
    let tree = Tree::new(INCLUDES);
    tree.put("etc/ssh/ssh_config.d/50-x.conf", "Compression yes\n", 0o600);
    let report = tree.reconcile(Mode::Enforce);
    assert!(report.outcomes.is_empty() && report.blocked(), "{report:#?}");
    let problem = report.problems[0].to_string();
    assert!(problem.starts_with("/etc/ssh/ssh_config:1: ssh ends with an error for every host"));
    assert!(problem.contains("/etc/ssh/ssh_config.d/50-x.conf: Permission denied"), "{problem}");
}

#[test]
fn without_an_include_a_block_stands_at_the_top_of_the_main_file() {
    let main = "# mine\nHost web1\n    ServerAliveInterval 5\n";
    let tree = Tree::new(main);
    let found = tree.reconcile(Mode::Audit).settings;
    let rows: Vec<(&str, Option<Value>)> =
        found.iter().map(|row| (row.context.as_str(), row.effective)).collect();
    assert_eq!(rows, [("global", Some(Value::Number(0))), ("Host web1", Some(Value::Number(5)))]);
    let report = tree.reconcile(Mode::Enforce);
    assert!(report.in_force(), "{report:#?}");
    assert!(
        tree.get("etc/ssh/ssh_config").unwrap().starts_with("# mine\n# BEGIN keepalive-policy")
    );
    tree.restore();
    assert_eq!(tree.get("etc/ssh/ssh_config").unwrap(), main);
}

#[test]
fn a_tree_that_ssh_refuses_is_left_alone() {
    let tree = Tree::new("Include /etc/ssh/ssh_config.d/*.conf\nNonsense yes\n");
    let report = tree.reconcile(Mode::Enforce);
    assert!(report.outcomes.is_empty() && report.blocked(), "{report:#?}");
    let problem = report.problems[0].to_string();
    assert!(problem.starts_with("/etc/ssh/ssh_config:2: "), "{problem}");
    assert!(problem.contains("Bad configuration option: nonsense"), "{problem}");
}

#[test]
fn a_tree_with_match_exec_is_edited_without_ssh_being_asked() {
    let tree = Tree::new("Match exec \"touch /tmp/keepalive-policy-was-here\"\n");
    let report = tree.reconcile(Mode::Enforce);
    assert!(report.in_force(), "{report:#?}");
    let told = |one: &crate::reconcile::Problem| {
        one.severity == Severity::Notice && one.message.contains("would run the command")
    };
    assert!(report.problems.iter().any(told), "{report:#?}");
    assert!(!std::path::Path::new("/tmp/keepalive-policy-was-here").exists());
}

#[test]
fn patterns_that_match_nothing_are_named_with_their_line() {
    let tree = Tree::new("Host web1,web2\nPort 2222\nHost !x\nHost WEB\n");
    let report = tree.reconcile(Mode::Enforce);
    let words: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert!(report.in_force(), "{report:#?}");
    assert_eq!(words.len(), 3, "{words:?}");
    assert!(words[0].contains("commas don't separate patterns"), "{words:?}");
}
