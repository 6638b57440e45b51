use std::cell::Cell;

use super::*;
use crate::originals::Originals;

/// A number that somebody else may hold on to.
struct Number {
    value: Cell<i64>,
    /// What a write does: take the new value, or be ignored.
    obeys: bool,
    /// What the write says.
    says: Result<(), &'static str>,
}

#[derive(Serialize)]
struct Set(i64);

impl Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "set {}", self.0)
    }
}

impl Resource for Number {
    type Desired = i64;
    type Observed = i64;
    type Change = Set;
    const NAME: &'static str = "number";
    const LOCK: &'static str = "number";

    fn observe(&self, _: &Host) -> Result<i64, ObserveError> {
        Ok(self.value.get())
    }

    fn plan(&self, desired: &i64, observed: &i64) -> Plan<Set> {
        let compliant = desired == observed;
        Plan {
            settings: vec![Setting {
                resource: Self::NAME,
                name: "n",
                context: "live".to_owned(),
                desired: Value::Number(*desired),
                effective: Some(Value::Number(*observed)),
                source: None,
                compliant,
            }],
            changes: if compliant { Vec::new() } else { vec![Set(*desired)] },
            problems: Vec::new(),
        }
    }

    fn remember(&self, host: &Host, _: &i64, observed: &i64) -> Result<Vec<Problem>, HostError> {
        Originals::update(host, |originals| {
            originals.live.insert("n".to_owned(), *observed);
        })?;
        Ok(Vec::new())
    }

    fn apply(&self, _: &Host, plan: &Plan<Set>) -> Vec<Outcome> {
        let step = |change: &Set| {
            if self.obeys {
                self.value.set(change.0);
            }
            self.says
        };
        plan.changes.iter().map(|change| Outcome::of("set it", || step(change))).collect()
    }

    fn watched(&self, _: &i64) -> BTreeSet<PathBuf> {
        BTreeSet::new()
    }
}

fn run(obeys: bool, says: Result<(), &'static str>, mode: Mode) -> (Report, i64) {
    let directory = tempfile::tempdir().unwrap();
    let number = Number { value: Cell::new(1), obeys, says };
    let report = reconcile(&number, &Host::at(directory.path()), &2, mode);
    (report, number.value.get())
}

#[test]
fn only_the_second_look_is_believed() {
    // What a write does, what it says, and whether the report may say that it is in force.
    let table = [
        (true, Ok(()), true),
        (true, Err("failed"), true),
        (false, Ok(()), false),
        (false, Err("failed"), false),
    ];
    for (obeys, says, in_force) in table {
        let (report, _) = run(obeys, says, Mode::Enforce);
        assert_eq!(report.in_force(), in_force, "obeys {obeys}, says {says:?}");
        assert_eq!(report.outcomes.first().unwrap().error.as_deref(), says.err());
        assert!(!report.found.first().unwrap().compliant);
    }
}

#[test]
fn audit_changes_nothing_and_says_what_it_would_do() {
    let (report, value) = run(true, Ok(()), Mode::Audit);
    assert_eq!(value, 1);
    assert!(report.outcomes.is_empty() && !report.in_force());
    assert!(!report.blocked(), "nothing was recorded: {:?}", report.problems);
    assert_eq!(report.pending.first().unwrap().text, "set 2");
    assert_eq!(report.pending.first().unwrap().change, serde_json::json!(2));
}

#[test]
fn what_was_there_is_recorded_also_where_nothing_has_to_be_done() {
    for (found, desired) in [(1, 2), (2, 2)] {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::at(directory.path());
        let number = Number { value: Cell::new(found), obeys: true, says: Ok(()) };
        reconcile(&number, &host, &desired, Mode::Audit);
        assert!(Originals::load_usable(&host).unwrap().live.is_empty());
        assert!(reconcile(&number, &host, &desired, Mode::Enforce).in_force());
        assert_eq!(Originals::load_usable(&host).unwrap().live.get("n"), Some(&found));
    }
}

#[test]
fn nothing_is_done_where_nothing_can_be_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let number = Number { value: Cell::new(1), obeys: true, says: Ok(()) };
    // A root that is a file: no state directory can be made in it.
    let report = reconcile(&number, &Host::at(&file), &2, Mode::Enforce);
    assert_eq!(number.value.get(), 1);
    assert!(report.outcomes.is_empty() && report.blocked());
    assert!(report.problems.first().unwrap().message.contains("can't be recorded"));
}

#[test]
fn nothing_is_done_where_the_lock_cannot_be_had() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    std::fs::create_dir_all(directory.path().join("var/lib/keepalive-policy/number.lock")).unwrap();
    let number = Number { value: Cell::new(1), obeys: true, says: Ok(()) };
    let report = reconcile(&number, &host, &2, Mode::Enforce);
    assert_eq!(number.value.get(), 1);
    assert!(report.outcomes.first().unwrap().failed());
}
