use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::host::Host;
use crate::policy::SshConfig;
use crate::reconcile::{Mode, Report, Resource, Severity, Value, reconcile};
use crate::ssh_client::judge::Verdict;
use crate::ssh_client::tree::UserFile;
use crate::ssh_client::{Keyword, SshClient, Whose};
use crate::sshd::dialect::Dialect;

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

/// Issue 13: a look-up or a command must be avoided, not the whole judgement. `Bogus` is for ssh alone
/// to know.
#[test]
fn ssh_refuses_a_bad_line_also_beside_a_command_or_a_look_up() {
    let scratch = tempfile::tempdir().unwrap();
    let ran = scratch.path().join("ran");
    let touch = format!("touch {}", ran.display());
    for above in [
        "CanonicalizeHostname yes\nCanonicalDomains example.org".to_owned(),
        "CanonicalizePermittedCNAMEs *.example.org:*".to_owned(),
        format!("Match exec \"{touch}\""),
        format!("Match !exec \"{touch}\""),
        format!("Match=exec \"{touch}\""),
        format!("Match host * exec \"{touch}\" user *"),
        format!("Match final exec \"{touch}\""),
        format!("Match exec \"{touch}\" all"),
        format!("Match exec \"{touch} ${{HOME}}\""),
    ] {
        let good = format!("{INCLUDES}{above}\n    ServerAliveInterval 9\n");
        let tree = Tree::new(&format!("{good}    Bogus yes\n"));
        let report = tree.reconcile(Mode::Enforce);
        assert!(report.blocked() && report.outcomes.is_empty(), "{above}: {report:#?}");
        let problem = report.problems[0].to_string();
        assert!(problem.contains("bogus"), "{above}: {problem}");
        assert!(problem.starts_with("/etc/ssh/ssh_config:"), "{above}: {problem}");
        let tree = Tree::new(&good);
        let report = tree.reconcile(Mode::Enforce);
        assert!(report.in_force() && report.outcomes.len() == 3, "{above}: {report:#?}");
        assert!(!ran.exists(), "{above}: ssh ran the command");
    }
}

/// What the two readings of a release make of names that are made canonical is not what ssh says
/// when the look-up is switched off.
#[test]
fn a_block_for_canonical_names_is_no_disagreement() {
    let above = "CanonicalizeHostname yes\nMatch canonical\n    ServerAliveInterval 9\n";
    let tree = Tree::new(&format!("{above}{INCLUDES}"));
    let report = tree.reconcile(Mode::Audit);
    assert!(!report.blocked(), "{report:#?}");
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
    assert!(tree.get("etc/ssh/ssh_config").unwrap().starts_with("# BEGIN keepalive-policy"));
    tree.restore();
    assert_eq!(tree.get("etc/ssh/ssh_config").unwrap(), main);
}

#[test]
fn what_is_put_in_the_place_of_ours_later_is_not_replaced_by_what_was_there_before() {
    let tree = Tree::new("Include /etc/ssh/ssh_config.d/*.conf\n");
    tree.put(DROP_IN, "ServerAliveInterval 7\n", 0o644);
    tree.reconcile(Mode::Enforce);
    assert!(tree.get(DROP_IN).unwrap().contains("ServerAliveInterval 120\n"));
    let theirs = "Host *.example\n    User bob\n";
    tree.put(DROP_IN, theirs, 0o644);
    tree.reconcile(Mode::Enforce);
    assert_eq!(tree.get(DROP_IN).as_deref(), Some(theirs));
    tree.restore();
    assert_eq!(tree.get(DROP_IN).as_deref(), Some(theirs));
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

/// What ssh was not asked about may end every ssh.
#[test]
fn files_that_ssh_did_not_judge_are_not_called_in_force() {
    let tree = Tree::new("ServerAliveInterval 120\n");
    let (host, client) = (Host::at(tree.0.path()), SshClient::default());
    let desired = SshConfig { server_alive_interval: Some(120), ..SshConfig::default() };
    let mut observed = client.observe_for(&host, &desired).unwrap();
    let severities = |observed: &crate::ssh_client::Observed| {
        let problems = client.plan(&desired, observed).problems;
        problems.into_iter().map(|problem| problem.severity).collect::<Vec<Severity>>()
    };
    assert_eq!(severities(&observed), []);
    observed.verdict = Verdict::Unasked("why".to_owned());
    assert_eq!(severities(&observed), [Severity::Blocked]);
    observed.verdict = Verdict::NoSsh;
    assert_eq!(severities(&observed), [Severity::Notice]);
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

/// alice is who runs this.
fn alice() -> SshClient {
    let user = UserFile::of("/home/alice".into());
    SshClient { whose: Whose::Users(user), ..SshClient::default() }
}

fn of_alice(file: Option<&str>) -> Tree {
    let tree = Tree::new("");
    fs::create_dir_all(tree.0.path().join("home/alice/.ssh")).unwrap();
    if let Some(text) = file {
        tree.put("home/alice/.ssh/config", text, 0o600);
    }
    tree.set_mode("home/alice/.ssh", 0o700);
    tree
}

impl Tree {
    fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.0.path().join(path), Permissions::from_mode(mode)).unwrap();
    }

    fn of_alice(&self, mode: Mode) -> Report {
        let desired = SshConfig { server_alive_interval: Some(120), ..SshConfig::default() };
        reconcile(&alice(), &Host::at(self.0.path()), &desired, mode)
    }
}

fn told(report: &Report) -> Vec<String> {
    report.problems.iter().map(ToString::to_string).filter(|told| !told.contains("asked")).collect()
}

#[test]
fn what_others_can_write_of_a_users_is_closed() {
    let tree = of_alice(Some("Host web1\n"));
    tree.set_mode("home/alice/.ssh", 0o775);
    tree.set_mode("home/alice/.ssh/config", 0o666);
    let looked = tree.of_alice(Mode::Audit);
    assert_eq!(looked.settings[0].effective, None, "ssh ends with an error");
    assert!(!looked.in_force());
    assert!(
        looked.pending[0].text.starts_with(
            "mode of /home/alice/.ssh: 0775 becomes 0700\nmode of /home/alice/.ssh/config: 0666 \
             becomes 0644\n--- "
        ),
        "{}",
        looked.pending[0].text
    );
    assert_eq!(
        told(&looked),
        [
            "/home/alice/.ssh: others can write it (mode 0775), so sshd takes no key from it; 0700 \
             is wanted",
            "/home/alice/.ssh/config: Bad owner or permissions: ssh ends with an error for every \
             host, because others can write it (mode 0666); 0644 is wanted"
        ]
    );
    let done = tree.of_alice(Mode::Enforce);
    assert!(done.in_force(), "{done:#?}");
    assert_eq!(told(&done), [""; 0]);
    assert_eq!(tree.mode("home/alice/.ssh"), 0o700);
    assert_eq!(tree.mode("home/alice/.ssh/config"), 0o644);
    assert!(tree.of_alice(Mode::Enforce).outcomes.is_empty());
}

#[test]
fn what_others_can_only_see_is_told_and_stays() {
    let tree = of_alice(Some(""));
    tree.set_mode("home/alice/.ssh", 0o755);
    let done = tree.of_alice(Mode::Enforce);
    assert!(done.in_force(), "{done:#?}");
    let expected = "/home/alice/.ssh: others can look into it (mode 0755); ssh recommends 0700";
    assert_eq!(told(&done), [expected]);
    assert_eq!(tree.mode("home/alice/.ssh"), 0o755);
}

#[test]
fn a_users_own_blocks_that_say_otherwise_are_told_and_stay() {
    let config = "Host web1\n    ServerAliveInterval 9\nHost db\n    ServerAliveInterval 120\n";
    let tree = of_alice(Some(config));
    let done = tree.of_alice(Mode::Enforce);
    assert!(done.in_force(), "{done:#?}");
    let expected = "/home/alice/.ssh/config:2: ServerAliveInterval is 9 for Host web1, 120 is \
                    declared: a block of its own comes before the defaults, and stays";
    assert_eq!(told(&done), [expected]);
    assert!(tree.get("home/alice/.ssh/config").unwrap().starts_with(config));
}

#[test]
fn of_an_ssh_that_is_too_old_nothing_is_edited() {
    let tree = Tree::new(INCLUDES);
    let host = Host::at(tree.0.path());
    let mut observed = SshClient::default().observe(&host).unwrap();
    observed.dialect = Dialect::of(7, 4).of_client();
    let values = BTreeMap::from([(Keyword::ServerAliveInterval, Value::Number(120))]);
    let plan = super::plan(&values, &observed, Path::new("/p.toml"));
    assert_eq!(plan.changes, []);
    let found: Vec<_> =
        plan.problems.iter().map(|one| (one.severity, one.message.as_str())).collect();
    assert_eq!(found, [(Severity::Blocked, observed.dialect.too_old().unwrap().as_str())]);
}

/// A pass of the daemon costs no process where nothing is declared.
#[test]
fn where_nothing_is_declared_no_ssh_is_asked() {
    let tree = Tree::new(INCLUDES);
    let (host, client) = (Host::at(tree.0.path()), SshClient::default());
    let observed = client.observe_for(&host, &SshConfig::default()).unwrap();
    assert_eq!(observed.verdict, Verdict::NoSsh);
    tree.reconcile(Mode::Enforce);
    let observed = client.observe_for(&host, &SshConfig::default()).unwrap();
    assert!(matches!(observed.verdict, Verdict::Accepted(_)), "something of ours is left");
}

/// The file of a user who keeps dotfiles elsewhere, or whose home is made by a store.
#[test]
fn a_users_linked_file_is_edited_where_it_is_the_users_and_not_in_a_store() {
    const OWN: &str = "Host web\n    User alice\n";
    let user = UserFile::of("/home/alice".into());
    let client = SshClient { whose: Whose::Users(user), ..SshClient::default() };
    let desired = SshConfig { server_alive_interval: Some(120), ..SshConfig::default() };
    for (target, followed) in [
        ("/home/alice/dotfiles/ssh_config", true),
        ("/nix/store/abc-home/ssh_config", false),
        ("/usr/share/skel/ssh_config", false),
    ] {
        let tree = Tree::new("");
        let at = |path: &str| tree.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(at(target).parent().unwrap()).unwrap();
        fs::create_dir_all(at("home/alice/.ssh")).unwrap();
        fs::set_permissions(at("home/alice/.ssh"), Permissions::from_mode(0o700)).unwrap();
        tree.put(target.trim_start_matches('/'), OWN, 0o444);
        std::os::unix::fs::symlink(target, at("home/alice/.ssh/config")).unwrap();
        let report = reconcile(&client, &Host::at(tree.0.path()), &desired, Mode::Enforce);
        assert_eq!(report.in_force(), followed, "{report:#?}");
        assert_eq!(tree.get(target.trim_start_matches('/')).unwrap() != OWN, followed);
        assert!(at("home/alice/.ssh/config").is_symlink());
        let said = report.problems.iter().any(|problem| {
            problem.severity == Severity::Conflict
                && problem.message.contains("/home/alice/.ssh/config is a link that leads to")
                && problem.message.contains(target)
        });
        assert_eq!(said, !followed, "{report:#?}");
    }
}
