use super::*;

fn observed(values: [i64; 4], recorded: &[(&str, i64)]) -> Observed {
    let values = Key::ALL.into_iter().zip(values.map(Ok)).collect();
    let seen = Seen { values, watched: BTreeSet::from(["/proc/self/fd/9".into()]) };
    let recorded = recorded.iter().map(|(name, value)| ((*name).to_owned(), *value));
    let recorded: BTreeMap<String, i64> = recorded.collect();
    let recorded = Some(("blue".to_owned(), recorded)).filter(|(_, values)| !values.is_empty());
    Observed {
        namespaces: BTreeMap::from([("blue".into(), seen)]),
        asked: true,
        recorded: recorded.into_iter().collect(),
        ..Observed::default()
    }
}

fn desired(values: &[(Key, u32)]) -> Desired {
    Desired { values: values.iter().copied().collect() }
}

fn changes(desired: &Desired, observed: &Observed) -> Vec<String> {
    Named::default().plan(desired, observed).changes.iter().map(ToString::to_string).collect()
}

#[test]
fn each_namespace_is_a_context_of_its_own() {
    let found = observed([7200, 75, 9, 15], &[]);
    let plan = Named::default().plan(&desired(&[(Key::KeepaliveTime, 600)]), &found);
    assert_eq!(plan.settings.len(), 1);
    assert_eq!(
        (plan.settings[0].context.as_str(), plan.settings[0].compliant),
        ("netns blue", false)
    );
    assert_eq!(plan.changes[0].to_string(), "netns blue: net.ipv4.tcp_keepalive_time: 7200 -> 600");
    assert_eq!(
        serde_json::to_string(&plan.changes[0]).unwrap(),
        r#"{"namespace":"blue","name":"net.ipv4.tcp_keepalive_time","from":7200,"to":600,"put_back":false}"#
    );
    assert!(changes(&desired(&[(Key::KeepaliveTime, 7200)]), &found).is_empty());
}

#[test]
fn what_is_recorded_and_not_declared_is_put_back_or_forgotten() {
    let name = Key::KeepaliveTime.name();
    let found = observed([600, 75, 9, 15], &[(name, 7200)]);
    let put_back = "netns blue: net.ipv4.tcp_keepalive_time: 600 -> 7200, as before the policy";
    assert_eq!(changes(&Desired::default(), &found), [put_back]);
    assert!(changes(&desired(&[(Key::KeepaliveTime, 600)]), &found).is_empty());
    let gone = Observed { namespaces: BTreeMap::new(), ..found.clone() };
    assert_eq!(changes(&Desired::default(), &gone), ["netns blue: gone, forgotten"]);
    let locked = Observed { obstacles: BTreeSet::from(["why".to_owned()]), ..gone };
    assert!(changes(&Desired::default(), &locked).is_empty());
}

#[test]
fn a_missing_capability_is_one_notice_and_no_failure() {
    let obstacles = BTreeSet::from([explain(Errno::PERM)]);
    let found = Observed { obstacles, asked: true, ..Observed::default() };
    let plan = Named::default().plan(&desired(&[(Key::KeepaliveTime, 600)]), &found);
    assert!(plan.settings.is_empty() && plan.changes.is_empty());
    assert_eq!(plan.problems.len(), 1);
    assert_eq!(plan.problems[0].severity, Severity::Notice);
    assert!(plan.problems[0].message.contains("CAP_SYS_ADMIN"));
}

#[test]
fn without_the_record_values_are_corrected() {
    let found = Observed { unrecorded: true, ..observed([7200, 75, 9, 15], &[]) };
    let plan = Named::default().plan(&desired(&[(Key::KeepaliveTime, 600)]), &found);
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.problems, []);
}

#[test]
fn nothing_is_looked_at_or_watched_where_nothing_is_asked_for() {
    let tree = tempfile::tempdir().unwrap();
    let found = Named::default().observe(&Host::at(tree.path())).unwrap();
    assert_eq!(found, Observed::default());
    assert!(Named::default().watched(&found).is_empty());
    let watched = Named::default().watched(&observed([7200, 75, 9, 15], &[]));
    assert_eq!(watched, BTreeSet::from(["/proc/self/fd/9".into(), DIRECTORY.into()]));
}

#[test]
fn a_name_is_shown_without_what_upsets_a_terminal() {
    assert_eq!(shown_as(OsStr::new("blue\u{1b}[31m")), "blue\\x1b[31m");
}
