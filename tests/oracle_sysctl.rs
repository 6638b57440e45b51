//! Our evaluation against the real systemd-sysctl and the real procps, on random adversarial trees.
//!
//! `KEEPALIVE_ORACLE_TREES` says how many trees, `KEEPALIVE_ORACLE_SEED` which ones; a failure
//! prints its seed. `KEEPALIVE_ORACLE_SYSTEMD` and `KEEPALIVE_ORACLE_PROCPS` name the loaders of
//! another release, as commands. Needs root, systemd-sysctl and procps, and fails without them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test is no library, and its panics are findings"
)]

#[path = "oracle_sysctl/arena.rs"]
mod arena;
#[path = "oracle_sysctl/random.rs"]
mod random;
#[path = "oracle_sysctl/text.rs"]
mod text;
#[path = "oracle_sysctl/trees.rs"]
mod trees;

use std::collections::BTreeMap;

use arena::{Arena, Values};
use keepalive_policy::host::Host;
use keepalive_policy::reconcile::{Outcome, Plan, Resource, Setting, Severity};
use keepalive_policy::sysctl::boot::{Boot, Change, Observed};
use keepalive_policy::sysctl::loader::{Loader, Scope, evaluate};
use keepalive_policy::sysctl::{Desired, Key};
use random::Random;

const SCOPES: [Scope; 4] = [
    Scope { loader: Loader::SystemdSysctl, run: true },
    Scope { loader: Loader::Procps, run: true },
    Scope { loader: Loader::SystemdSysctl, run: false },
    Scope { loader: Loader::Procps, run: false },
];

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect(variable),
        Err(_) => default,
    }
}

/// What we say that the loader sets, over the kernel's defaults.
fn predicted(observed: &Observed, scope: Scope) -> BTreeMap<Key, i64> {
    evaluate(&observed.tree, scope, observed.hz)
        .into_iter()
        .map(|(key, found)| (key, found.effective().unwrap_or(i64::from(key.kernel_default()))))
        .collect()
}

fn apply(host: &Host, desired: &Desired) -> (Plan<Change>, Observed) {
    let observed = Boot::default().observe(host).unwrap();
    let plan = Boot::default().plan(desired, &observed);
    let outcomes = Boot::default().apply(host, &plan);
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.failed()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    (plan, observed)
}

/// How often what happened.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    /// Trees in which a line of somebody else's file was edited.
    edited: u64,
    /// Trees that can't be won.
    conflicts: u64,
}

impl Tally {
    const fn plus(self, other: Self) -> Self {
        Self { edited: self.edited + other.edited, conflicts: self.conflicts + other.conflicts }
    }
}

struct Case<'a> {
    arena: &'a mut Arena,
    seed: u64,
    desired: Desired,
}

impl Case<'_> {
    /// Runs the real loaders and compares; gives what they set.
    fn compare(&mut self, when: &str) -> Vec<Values> {
        let observed = Boot::default().observe(self.arena.host()).unwrap();
        SCOPES
            .into_iter()
            .map(|scope| {
                let real = self.arena.load(scope);
                let ours = predicted(&observed, scope);
                assert_eq!(
                    ours,
                    real.ours,
                    "seed {}: {when}: {scope:?}: ours is left, the loader's is right\n{}",
                    self.seed,
                    self.arena.show()
                );
                real
            })
            .collect()
    }

    fn run(&mut self) -> Tally {
        let before = self.compare("as found");
        let files = self.arena.files();
        let host = self.arena.host().clone();
        let (plan, _) = apply(&host, &self.desired);
        let after = self.compare("after apply");
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(
                before.others,
                after.others,
                "seed {}: other keys\n{}",
                self.seed,
                self.arena.show()
            );
        }
        let conflict = self.verify(&host, &plan);
        let (restored, _) = apply(&host, &Desired::default());
        assert!(restored.settings.is_empty());
        let restored = self.arena.files();
        assert!(
            files == restored,
            "seed {}: restored\n{}instead of\n{}",
            self.seed,
            self.arena.show_files(restored),
            self.arena.show_files(files)
        );
        let (again, _) = apply(&host, &Desired::default());
        assert!(again.changes.is_empty(), "seed {}: {:?}", self.seed, again.changes);
        Tally {
            edited: u64::from(plan.changes.iter().any(|change| change.record.is_some())),
            conflicts: u64::from(conflict),
        }
    }

    /// The second plan is empty, and every row is compliant or a conflict says why not.
    fn verify(&self, host: &Host, first: &Plan<Change>) -> bool {
        let (second, _) = apply(host, &self.desired);
        let show = || self.arena.show();
        assert!(second.changes.is_empty(), "seed {}: {:?}\n{}", self.seed, second.changes, show());
        let missing: Vec<&Setting> = second.settings.iter().filter(|row| !row.compliant).collect();
        let conflict = |plan: &Plan<Change>| {
            plan.problems.iter().any(|problem| problem.severity == Severity::Conflict)
        };
        assert_eq!(
            missing.is_empty(),
            !conflict(&second),
            "seed {}: {missing:?} {:?}\n{}",
            self.seed,
            second.problems,
            show()
        );
        if !missing.is_empty() {
            assert!(conflict(first));
            if std::env::var_os("KEEPALIVE_ORACLE_SHOW").is_some() {
                let problems: Vec<String> =
                    second.problems.iter().map(ToString::to_string).collect();
                println!("seed {}: {}\n{}", self.seed, problems.join("\n  "), show());
            }
        }
        conflict(&second)
    }
}

fn trees(first: u64, step: u64, last: u64) -> Tally {
    let mut arena = Arena::new();
    let mut tally = Tally::default();
    for seed in (first..last).step_by(usize::try_from(step).unwrap()) {
        let mut random = Random::new(seed);
        arena.clear();
        trees::plant(&mut random, &arena);
        let desired = trees::desired(&mut random);
        tally = tally.plus(Case { arena: &mut arena, seed, desired }.run());
    }
    tally
}

#[test]
fn both_loaders_end_where_we_say_before_and_after_a_plan() {
    let count = number("KEEPALIVE_ORACLE_TREES", 150);
    let seed = number("KEEPALIVE_ORACLE_SEED", 1);
    println!("trees {seed}..{}", seed + count);
    let tally = std::thread::scope(|scope| {
        let workers =
            [0, 1].map(|worker| scope.spawn(move || trees(seed + worker, 2, seed + count)));
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(Tally::default(), Tally::plus)
    });
    println!("{count} trees: {tally:?}");
    // Or the trees would not show what they are for.
    assert!(count < 100 || (tally.edited > 0 && tally.conflicts > 0), "{tally:?}");
}

#[test]
fn the_kernel_takes_what_we_say_it_takes() {
    let mut arena = Arena::new();
    arena.clear();
    let mut random = Random::new(number("KEEPALIVE_ORACLE_SEED", 1));
    let hz = keepalive_policy::sysctl::value::Hz::of_this_kernel();
    for _ in 0..number("KEEPALIVE_ORACLE_TREES", 150) * 5 {
        let key = *random.pick(&Key::ALL);
        let text = text::raw_value(&mut random);
        let ours = keepalive_policy::sysctl::value::write(key, &text, hz).value();
        let real = arena.write(key, &text);
        let expected = ours.unwrap_or(i64::from(key.kernel_default()));
        assert_eq!(expected, real, "{}: {:?}", key.name(), text.escape_ascii().to_string());
    }
}
