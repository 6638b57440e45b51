//! Our edits, judged by the real sshd, and taken back.

use std::collections::BTreeMap;
use std::path::Path;

use keepalive_policy::host::Host;
use keepalive_policy::reconcile::{Plan, Resource, Severity, Value};
use keepalive_policy::sshd::judge::{self, Connection, Daemon, Dump, Verdict};
use keepalive_policy::sshd::plan::Change;
use keepalive_policy::sshd::tree::Tree;
use keepalive_policy::sshd::{Desired, Keyword, MatchBlocks, Sshd};

use super::random::Random;
use super::trees::{self, Oddity};
use super::{count, first_seed};

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
        Connection::default(),
        Connection::default().with("user", "root").with("addr", "192.0.2.7"),
        Connection::default()
            .with("user", "bob")
            .with("host", "web1")
            .with("addr", "192.0.2.200")
            .with("laddr", "198.51.100.1")
            .with("lport", "2222"),
        Connection::default()
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

/// Somebody else adds a line to the main file or a drop-in of theirs.
struct Edit {
    path: String,
    line: String,
    first: bool,
}

impl Edit {
    fn random(random: &mut Random, root: &Path) -> Self {
        let line = random.pick(&[
            "ClientAliveInterval 9\n",
            "TCPKeepAlive no\n",
            "Match User bob\nClientAliveCountMax 9\n",
            "Match all\nClientAliveInterval 9\n",
            "Include /etc/ssh/sshd_config.d/*.conf\n",
            "# a comment\n",
        ]);
        let name = random.pick(&["sshd_config", "sshd_config", "sshd_config.d/00-0-new.conf"]);
        let path = root.join("etc/ssh").join(name).display().to_string();
        Self { path, line: line.to_owned(), first: random.chance(50) }
    }

    fn of(&self, files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
        let before = files.get(&self.path).map(Vec::as_slice).unwrap_or_default();
        if self.first {
            [self.line.as_bytes(), before].concat()
        } else {
            [before, b"\n", self.line.as_bytes()].concat()
        }
    }
}

/// One tree, corrected and put back.
struct Correction<'a> {
    resource: Sshd,
    host: Host,
    desired: Desired,
    about: &'a dyn Fn(&str) -> String,
}

impl Correction<'_> {
    /// `None` where sshd crashes: it reads beyond the end of a glob whose brackets are not closed.
    fn look(&self, desired: &Desired) -> Option<(Plan<Change>, Tree)> {
        let observed = match self.resource.observe(&self.host) {
            Err(error) if error.to_string().contains("ended with status 139") => return None,
            observed => observed.unwrap(),
        };
        Some((self.resource.plan(desired, &observed), observed.tree))
    }

    fn apply(&self, plan: &Plan<Change>) {
        for outcome in self.resource.apply(&self.host, plan) {
            assert_eq!(outcome.error, None, "{}", (self.about)(&outcome.action));
        }
    }

    /// Gives whether there was anything to do.
    fn check(&self) -> bool {
        let Some((plan, tree)) = self.look(&self.desired) else { return false };
        if plan.problems.iter().any(|problem| problem.severity == Severity::Blocked) {
            assert_eq!(plan.changes, [], "{}", (self.about)("a refused tree is left alone"));
            let accepted = judged(&self.host, &tree).is_ok();
            assert!(!accepted, "{}", (self.about)(&format!("blocked: {:?}", plan.problems)));
            return false;
        }
        // A tree that only a file of ours makes sshd refuse is compared as it would be without it.
        let reference = plan.changes.iter().find_map(|change| match change {
            Change::Install { install, .. } => install.reference.as_ref(),
            Change::Reload { .. } | Change::Start { .. } => None,
        });
        let before = judged(&self.host, reference.unwrap_or(&tree));
        let before = before.unwrap_or_else(|why| panic!("{}", (self.about)(&why)));
        self.apply(&plan);
        let (again, corrected) = self.look(&self.desired).unwrap();
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
        for keyword in Keyword::ALL {
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
    for seed in first_seed()..first_seed() + count(15) {
        let mut random = Random::seeded(seed ^ 0xed17);
        let root = tempfile::tempdir().unwrap();
        let damaged = if random.chance(20) { 20 } else { 0 };
        let format = if random.chance(50) { 40 } else { 5 };
        let oddity = Oddity { refused: 1, damaged, format };
        let nodes = trees::tree(&mut random, "", oddity);
        trees::write(root.path(), &nodes);
        let mut original = files(&root.path().join("etc"));
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
            resource: Sshd::default(),
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
        if random.chance(60) {
            let edit = Edit::random(&mut random, root.path());
            trees::put(Path::new(&edit.path), &edit.of(&files(&root.path().join("etc"))));
            let edited = edit.of(&original);
            original.insert(edit.path, edited);
            correction.check();
        }
        let Some((restore, _)) = correction.look(&Desired::default()) else { continue };
        correction.apply(&restore);
        if restore.problems.is_empty() {
            assert_eq!(files(&root.path().join("etc")), original, "{}", about("restored"));
            let copies = root.path().join("var/lib/keepalive-policy/originals");
            let copies = if copies.is_dir() { files(&copies) } else { BTreeMap::new() };
            assert_eq!(copies, BTreeMap::new(), "{}", about("no copy is kept any longer"));
        }
    }
    println!("{corrected} of {total} trees corrected and put back");
    assert!(corrected > 0);
}
