//! The whole resource on a tree, with the real sshd as the judge.

use super::*;
use crate::host::files::Node;
use crate::host::replace::Expect;

const MAIN: &str = "/etc/ssh/sshd_config";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-keepalive-policy.conf";

struct Tested {
    _directory: tempfile::TempDir,
    host: Host,
    sshd: Sshd,
}

impl Tested {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::at(directory.path());
        host.make_directory(Path::new("/etc/ssh/sshd_config.d"), 0o755).unwrap();
        for (path, text) in files {
            let absent = Expect::Absent { mode: 0o640 };
            host.replace(Path::new(path), absent, text.as_bytes()).unwrap();
        }
        let sshd = Sshd::default();
        Self { _directory: directory, host, sshd }
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.host.read(Path::new(path)).unwrap() {
            Node::File(file) => Some(String::from_utf8(file.bytes).unwrap()),
            _ => None,
        }
    }

    /// Carries out what the policy needs; gives what was done.
    fn reconcile(&self, desired: &Desired) -> Vec<String> {
        let observed = self.sshd.observe(&self.host).unwrap();
        let plan = self.sshd.plan(desired, &observed);
        let outcomes = self.sshd.apply(&self.host, &plan);
        assert!(outcomes.iter().all(|outcome| !outcome.failed()), "{outcomes:#?}");
        let observed = self.sshd.observe(&self.host).unwrap();
        assert_eq!(self.sshd.plan(desired, &observed).changes, []);
        outcomes.into_iter().map(|outcome| outcome.action).collect()
    }
}

fn interval(seconds: i64) -> Desired {
    let values = BTreeMap::from([(Keyword::ClientAliveInterval, Value::Number(seconds))]);
    Desired { values, match_blocks: MatchBlocks::Override }
}

#[test]
fn a_strangers_file_comes_back() {
    let include = "Include /etc/ssh/sshd_config.d/*.conf\n";
    let stranger = "clientaliveinterval 7 # theirs";
    let tested = Tested::new(&[(MAIN, include), (DROP_IN, stranger)]);
    tested.reconcile(&interval(120));
    assert!(tested.text(DROP_IN).unwrap().ends_with("\nClientAliveInterval 120\n"));
    assert_eq!(
        Originals::kept_copy(&tested.host, Path::new(DROP_IN)).unwrap().as_deref(),
        Some(stranger.as_bytes())
    );
    tested.reconcile(&interval(60));
    tested.reconcile(&Desired::default());
    assert_eq!(tested.text(DROP_IN).as_deref(), Some(stranger));
    assert_eq!(Originals::kept_copy(&tested.host, Path::new(DROP_IN)).unwrap(), None);
    assert_eq!(tested.reconcile(&Desired::default()), [""; 0]);
}

#[test]
fn what_is_put_in_the_place_of_ours_later_is_kept_too() {
    let include = "Include /etc/ssh/sshd_config.d/*.conf\n";
    let tested = Tested::new(&[(MAIN, include), (DROP_IN, "ClientAliveInterval 7\n")]);
    tested.reconcile(&interval(120));
    let put = |text: &str| {
        let ours = tested.text(DROP_IN).unwrap();
        let expect = Expect::Content(ours.as_bytes());
        tested.host.replace(Path::new(DROP_IN), expect, text.as_bytes()).unwrap();
    };
    // The newer one of two that can be told again.
    put("ClientAliveInterval 8\n");
    tested.reconcile(&interval(120));
    tested.reconcile(&Desired::default());
    assert_eq!(tested.text(DROP_IN).as_deref(), Some("ClientAliveInterval 8\n"));
    // One that says more stays, whatever stood there before it, and whatever is taken back.
    tested.reconcile(&interval(120));
    let precious = "ClientAliveInterval 9\nMatch User bob\n    PasswordAuthentication no\n";
    put(precious);
    tested.reconcile(&interval(120));
    assert_eq!(tested.text(DROP_IN).as_deref(), Some(precious));
    tested.reconcile(&Desired::default());
    assert_eq!(tested.text(DROP_IN).as_deref(), Some(precious));
}

#[test]
fn a_strangers_block_in_a_file_of_ours_stays() {
    let include = "Include /etc/ssh/sshd_config.d/*.conf\n";
    let tested = Tested::new(&[(MAIN, include)]);
    tested.reconcile(&interval(120));
    let ours = tested.text(DROP_IN).unwrap();
    let expect = Expect::Content(ours.as_bytes());
    let block = format!("{ours}Match User bob\n    PasswordAuthentication no\n");
    tested.host.replace(Path::new(DROP_IN), expect, block.as_bytes()).unwrap();
    tested.reconcile(&interval(60));
    assert_eq!(tested.text(DROP_IN), Some(block.replace(" 120\n", " 60\n")));
    tested.reconcile(&Desired::default());
    let left = "Match User bob\n    PasswordAuthentication no\n";
    assert_eq!(tested.text(DROP_IN).as_deref(), Some(left));
}

#[test]
fn a_main_file_is_edited_and_given_back() {
    let main = "# mine\r\nPort 22\r\nMatch User bob\r\nClientAliveInterval 7";
    let tested = Tested::new(&[(MAIN, main)]);
    let done = tested.reconcile(&interval(120));
    let edits: Vec<&str> =
        done.iter().map(String::as_str).filter(|action| action.contains("/etc/ssh")).collect();
    assert_eq!(edits, ["create /etc/ssh/keepalive-policy.conf", "edit /etc/ssh/sshd_config"]);
    let Node::File(file) = tested.host.read(Path::new(MAIN)).unwrap() else { panic!() };
    assert_eq!(file.mode, 0o640);
    tested.reconcile(&Desired::default());
    assert_eq!(tested.text(MAIN).as_deref(), Some(main));
    assert_eq!(tested.text("/etc/ssh/keepalive-policy.conf"), None);
    assert_eq!(Originals::kept_copy(&tested.host, Path::new(MAIN)).unwrap(), None);
}

#[test]
fn a_vendors_tree_gets_its_directory() {
    let tested = Tested::new(&[]);
    let vendor = "/usr/etc/ssh/sshd_config";
    rustix::fs::rmdir(tested.host.locate(Path::new("/etc/ssh/sshd_config.d"))).unwrap();
    tested.host.make_directory(Path::new("/usr/etc/ssh"), 0o755).unwrap();
    let include = b"Include /etc/ssh/sshd_config.d/*.conf\n";
    tested.host.replace(Path::new(vendor), Expect::Absent { mode: 0o644 }, include).unwrap();
    tested.reconcile(&interval(120));
    assert!(tested.text(DROP_IN).is_some());
    assert_eq!(tested.text(MAIN), None);
    tested.reconcile(&Desired::default());
    assert_eq!(tested.text(DROP_IN), None);
}

#[test]
fn what_sshd_refuses_is_not_touched() {
    // The NUL makes sshd count one line less than an editor does.
    let tested = Tested::new(&[(MAIN, "# \0\n\nClientAliveInterval x\n")]);
    let observed = tested.sshd.observe(&tested.host).unwrap();
    let plan = tested.sshd.plan(&interval(120), &observed);
    assert_eq!(plan.changes, []);
    assert_eq!(
        plan.problems[0].to_string(),
        "/etc/ssh/sshd_config:3: sshd refuses its configuration (invalid time value.); nothing is \
         edited or reloaded until that is repaired"
    );
}
