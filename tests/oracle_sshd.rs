//! Our evaluation and our edits before the real sshd, on random trees.
//!
//! `KEEPALIVE_ORACLE_TREES` sets how many trees each test tries, `KEEPALIVE_ORACLE_SEED` where it
//! begins. A failure prints its seed and the tree.

#[path = "oracle/random.rs"]
mod random;
#[path = "oracle/trees.rs"]
mod trees;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use keepalive_policy::host::Host;
use keepalive_policy::reconcile::{Plan, Resource, Severity, Value};
use keepalive_policy::sshd::dialect::Dialect;
use keepalive_policy::sshd::evaluate::{Evaluation, evaluate};
use keepalive_policy::sshd::judge::{self, Daemon, Dump, Verdict};
use keepalive_policy::sshd::match_criteria::Connection;
use keepalive_policy::sshd::plan::{Change, place};
use keepalive_policy::sshd::tree::{Tree, snapshot};
use keepalive_policy::sshd::{Desired, Keyword, MatchBlocks, Sshd as Resourceful};
use random::Random;
use trees::Oddity;

const LIMIT: Duration = Duration::from_secs(30);

fn count(default: u64) -> u64 {
    std::env::var("KEEPALIVE_ORACLE_TREES").map_or(default, |text| text.parse().unwrap())
}

fn first_seed() -> u64 {
    std::env::var("KEEPALIVE_ORACLE_SEED").map_or(1, |text| text.parse().unwrap())
}

/// The real sshd with a key of its own.
struct Sshd {
    directory: tempfile::TempDir,
}

impl Sshd {
    fn new() -> Self {
        // sshd insists on it, and Debian has it only while ssh.service runs.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-f"].map(OsStr::new);
        let arguments = arguments.into_iter().chain([key.as_os_str()]);
        assert!(Host::run(OsStr::new("ssh-keygen"), arguments, LIMIT).unwrap().success());
        Self { directory }
    }

    /// `sshd -T` for a connection, or why it refuses.
    fn dump(&self, main: &Path, connection: &str) -> Result<Dump, String> {
        let key = self.directory.path().join("key");
        let arguments = [
            OsStr::new("-T"),
            OsStr::new("-f"),
            main.as_os_str(),
            OsStr::new("-h"),
            key.as_os_str(),
            OsStr::new("-C"),
            OsStr::new(connection),
        ];
        let output = Host::run(OsStr::new("/usr/sbin/sshd"), arguments, LIMIT).unwrap();
        if output.success() {
            Ok(Dump::parse(&String::from_utf8_lossy(&output.stdout), None))
        } else {
            Err(output.complaint())
        }
    }
}

/// A connection as sshd is asked about it, and as we are.
fn connection(
    user: &str,
    groups: &[&str],
    host: &str,
    address: &str,
    local: (&str, u16),
) -> (String, Connection) {
    let (laddr, lport) = local;
    let asked = format!("user={user},host={host},addr={address},laddr={laddr},lport={lport}");
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let known = Connection {
        user: bytes(user),
        groups: Some(groups.iter().map(|group| group.as_bytes().to_vec()).collect()),
        host: bytes(host),
        address: bytes(address),
        local_address: bytes(laddr),
        local_port: Some(lport),
        rdomain: None,
    };
    (asked, known)
}

fn connections() -> Vec<(String, Connection)> {
    let nobody =
        Connection { groups: Some(Vec::new()), local_port: Some(1), ..Connection::default() };
    vec![
        ("lport=1".to_owned(), nobody),
        connection("root", &["root"], "web1", "192.0.2.7", ("127.0.0.1", 22)),
        connection("bob", &[], "Web1", "192.0.2.200", ("198.51.100.1", 2222)),
        connection("nobody", &["nogroup"], "web2", "10.0.0.1", ("127.0.0.1", 22)),
        connection("bob", &[], "a.example.org", "2001:db8::1", ("::1", 22)),
    ]
}

/// In sshd's words about lines that damage has made of others than ours.
const FOREIGN: [&str; 10] = [
    "Bad configuration option",
    "Banner",
    "PermitRootLogin",
    "X11Forwarding",
    "MaxAuthTries",
    "AllowUsers",
    "AcceptEnv",
    "LogLevel",
    "log level",
    "AuthorizedKeysFile",
];

const KEYWORDS: [Keyword; 3] = Keyword::ALL;

fn computed(evaluation: &Evaluation, connection: &Connection) -> BTreeMap<Keyword, String> {
    let dialect = Dialect::default();
    let value = |keyword| {
        let found = evaluation.for_connection(keyword, connection, &dialect);
        found.map_or("unknown".to_owned(), |effective| effective.value.to_string())
    };
    KEYWORDS.map(|keyword| (keyword, value(keyword))).into()
}

fn real(dump: &Dump) -> BTreeMap<Keyword, String> {
    let value = |keyword| dump.value(keyword).map_or("none".to_owned(), |value| value.to_string());
    KEYWORDS.map(|keyword| (keyword, value(keyword))).into()
}

#[test]
fn every_value_is_the_one_that_sshd_uses() {
    let sshd = Sshd::new();
    let (mut accepted, mut refused) = (0, 0);
    for seed in first_seed()..first_seed() + count(250) {
        let mut random = Random::seeded(seed);
        let root = tempfile::tempdir().unwrap();
        let odd = random.chance(50);
        let oddity = Oddity {
            refused: if odd { 15 } else { 3 },
            damaged: if odd { 12 } else { 2 },
            format: if odd { 60 } else { 15 },
        };
        let nodes = trees::tree(&mut random, root.path().to_str().unwrap(), oddity);
        trees::write(root.path(), &nodes);
        let main = root.path().join("etc/ssh/sshd_config");
        let found = snapshot::read(&Host::live(), &main, &[], &Dialect::default()).unwrap();
        let evaluation = evaluate(&found.tree, &BTreeMap::new(), &Dialect::default());
        let about = |what: &str| format!("seed {seed}: {what}\n{}", trees::show(&nodes));
        for (asked, known) in connections() {
            match sshd.dump(&main, &asked) {
                Ok(dump) => {
                    let refusals = format!("{:?}", evaluation.refusals);
                    assert_eq!(refusals, "[]", "{}", about("sshd accepts it"));
                    let (ours, theirs) = (computed(&evaluation, &known), real(&dump));
                    assert_eq!(ours, theirs, "{}", about(&asked));
                    accepted += 1;
                }
                Err(words) => {
                    // Other keywords and their grammar are not ours to know.
                    let foreign = FOREIGN.iter().any(|word| words.contains(word));
                    // It reads beyond the end of a glob whose brackets are not closed, and crashes.
                    let crashed = words.is_empty();
                    let known = foreign || crashed || !evaluation.refusals.is_empty();
                    assert!(known, "{}", about(&format!("sshd refuses it: {words}")));
                    refused += 1;
                    break;
                }
            }
        }
    }
    println!("{accepted} connections compared, {refused} trees refused by both");
    assert!(accepted > 0);
}

fn desired(random: &mut Random) -> Desired {
    let mut values = BTreeMap::new();
    if random.chance(70) {
        values.insert(Keyword::TcpKeepAlive, Value::Bool(random.chance(50)));
    }
    if random.chance(85) {
        let seconds = [60, 120, 7].map(Value::Number);
        values.insert(Keyword::ClientAliveInterval, seconds[random.below(3)]);
    }
    if random.chance(70) || values.is_empty() {
        let counts = [3, 30].map(Value::Number);
        values.insert(Keyword::ClientAliveCountMax, counts[random.below(2)]);
    }
    let match_blocks = if random.chance(70) { MatchBlocks::Override } else { MatchBlocks::Report };
    Desired { values, match_blocks }
}

/// What the real sshd says about a tree, for each of the connections.
fn judged(host: &Host, tree: &Tree) -> Result<Vec<Dump>, String> {
    let asked = [
        judge::Connection::default(),
        judge::Connection::default().with("user", "root").with("addr", "192.0.2.7"),
        judge::Connection::default()
            .with("user", "bob")
            .with("host", "web1")
            .with("addr", "192.0.2.200")
            .with("laddr", "198.51.100.1")
            .with("lport", "2222"),
        judge::Connection::default()
            .with("user", "nobody")
            .with("host", "web2")
            .with("laddr", "127.0.0.1")
            .with("lport", "22"),
    ];
    let verdicts = judge::judge_for(host, tree, Daemon::default(), &asked).unwrap();
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Accepted(dump) => Ok(dump),
            other => Err(format!("{other:?}")),
        })
        .collect()
}

/// Every file below a directory, with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_symlink() {
            found.insert(
                name,
                std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            );
        } else if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

/// One tree, corrected and put back.
struct Correction<'a> {
    resource: Resourceful,
    host: Host,
    desired: Desired,
    about: &'a dyn Fn(&str) -> String,
}

impl Correction<'_> {
    fn look(&self, desired: &Desired) -> (Plan<Change>, Tree) {
        let observed = self.resource.observe(&self.host).unwrap();
        (self.resource.plan(desired, &observed), observed.tree)
    }

    fn apply(&self, plan: &Plan<Change>) {
        for outcome in self.resource.apply(&self.host, plan) {
            assert_eq!(outcome.error, None, "{}", (self.about)(&outcome.action));
        }
    }

    /// Gives whether there was anything to do.
    fn check(&self) -> bool {
        let (plan, tree) = self.look(&self.desired);
        if plan.problems.iter().any(|problem| problem.severity == Severity::Blocked) {
            assert_eq!(plan.changes, [], "{}", (self.about)("a refused tree is left alone"));
            let accepted = judged(&self.host, &tree).is_ok();
            assert!(!accepted, "{}", (self.about)(&format!("blocked: {:?}", plan.problems)));
            return false;
        }
        let before = judged(&self.host, &tree).unwrap();
        self.apply(&plan);
        let (again, corrected) = self.look(&self.desired);
        assert_eq!(again.changes, [], "{}", (self.about)("a second plan is empty"));
        let after = judged(&self.host, &corrected).unwrap();
        for (before, after) in before.iter().zip(&after) {
            let foreign = before.foreign_changes(after);
            assert!(foreign.is_empty(), "{}", (self.about)(&format!("changed: {foreign:?}")));
            self.compare(before, after, &again);
        }
        !plan.changes.is_empty()
    }

    fn compare(&self, before: &Dump, after: &Dump, plan: &Plan<Change>) {
        for keyword in KEYWORDS {
            let now = after.value(keyword);
            match self.desired.values.get(&keyword) {
                Some(wanted) if now == Some(*wanted) => {}
                Some(wanted) => {
                    let told = plan.problems.iter().any(|problem| {
                        problem.severity == Severity::Conflict
                            && problem.message.contains(keyword.name())
                    });
                    let what = format!("{keyword:?} is {now:?}, wanted {wanted}: {plan:#?}");
                    assert!(told, "{}", (self.about)(&what));
                }
                None => {
                    let what = format!("{keyword:?} is not declared and changed");
                    assert_eq!(before.value(keyword), now, "{}", (self.about)(&what));
                }
            }
        }
    }
}

#[test]
fn every_edit_is_right_and_can_be_taken_back() {
    let (mut corrected, mut total) = (0, 0);
    for seed in first_seed()..first_seed() + count(40) {
        let mut random = Random::seeded(seed ^ 0xed17);
        let root = tempfile::tempdir().unwrap();
        let damaged = if random.chance(20) { 20 } else { 0 };
        let format = if random.chance(50) { 40 } else { 5 };
        let oddity = Oddity { refused: 1, damaged, format };
        let nodes = trees::tree(&mut random, "", oddity);
        trees::write(root.path(), &nodes);
        let original = files(&root.path().join("etc"));
        let desired = desired(&mut random);
        let text = format!("seed {seed}, {desired:?}");
        let about = |what: &str| {
            let now: Vec<String> = files(&root.path().join("etc"))
                .into_iter()
                .map(|(path, bytes)| format!("=== {path}\n{}", bytes.escape_ascii()))
                .collect();
            format!("{text}: {what}\n{}{}", trees::show(&nodes), now.join("\n"))
        };
        let correction = Correction {
            resource: Resourceful { policy: "/etc/keepalive-policy.toml".into() },
            host: Host::at(root.path()),
            desired,
            about: &about,
        };
        total += 1;
        if !correction.check() {
            assert_eq!(files(&root.path().join("etc")), original, "{}", about("nothing was done"));
            continue;
        }
        corrected += 1;
        let (restore, _) = correction.look(&Desired::default());
        correction.apply(&restore);
        assert_eq!(files(&root.path().join("etc")), original, "{}", about("restored"));
        for path in place::own_paths() {
            let kept = correction.host.state_dir().join(&path);
            assert!(!kept.exists());
        }
    }
    println!("{corrected} of {total} trees corrected and put back");
    assert!(corrected > 0);
}
