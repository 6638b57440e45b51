use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::*;
use crate::file_edit::FileEdit;
use crate::reconcile::Source;
use crate::sshd::dialect::Dialect;
use crate::sshd::instance::Instance;
use crate::sshd::plan::place::Places;
use crate::sshd::service::command_line::CommandLine;
use crate::sshd::service::loaded::{Freshness, LoadedValue};
use crate::sshd::service::{Kind, Service};
use crate::sshd::tree::Entry;
use crate::sshd::{MatchBlocks, preset};

mod places;

pub(super) const MAIN: &str = "sshd_config";
pub(super) const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf\n";
pub(super) const DROP_IN: &str = "sshd_config.d/00-keepalive-policy.conf";
pub(super) const BLOCK: &str = "# BEGIN keepalive-policy: written from /p.toml; undone by \
                                `keepalive-policy restore`\n";

fn path(name: &str) -> PathBuf {
    PathBuf::from("/etc/ssh").join(name)
}

/// What a live host with these files below `/etc/ssh` looks like; sshd says what we compute.
pub(super) fn observed(files: &[(&str, &str)]) -> Observed {
    let mut entries = BTreeMap::from([(path("sshd_config.d"), Entry::Directory)]);
    for (name, text) in files {
        let file = Entry::File { bytes: text.as_bytes().to_vec(), real: path(name) };
        entries.insert(path(name), file);
    }
    let mut observed = Observed {
        tree: Tree { main: path(MAIN), entries },
        verdict: Verdict::NoSshd,
        service: Service {
            instance: None,
            kind: Kind::Plain,
            unit: Some("ssh.service".to_owned()),
            listener: None,
            pid_file: None,
            command_line: CommandLine::default(),
            sessions_survive_restart: true,
            can_reload: true,
        },
        dialect: Dialect::default(),
        preset: BTreeMap::new(),
        copies: BTreeMap::new(),
        live: true,
        freshness: Freshness::Current,
        places: Places::of(None),
        watched: BTreeSet::new(),
    };
    ask(&mut observed);
    observed
}

/// Puts our evaluation in sshd's mouth.
pub(super) fn ask(observed: &mut Observed) {
    let evaluation = evaluate(&observed.tree, &observed.preset, &observed.dialect);
    let complaints = evaluation.refusals.iter().map(|refusal| Complaint {
        file: Some(refusal.file.clone()),
        line: refusal.line,
        message: refusal.message.clone(),
    });
    let complaints: Vec<Complaint> = complaints.collect();
    observed.verdict = if complaints.is_empty() {
        let value = |keyword: Keyword| vec![evaluation.global(keyword).value.to_string()];
        let name = |keyword: Keyword| keyword.name().to_ascii_lowercase();
        Verdict::Accepted(Dump(Keyword::ALL.map(|one| (name(one), value(one))).into()))
    } else {
        Verdict::Refused(complaints)
    };
}

pub(super) fn desired(match_blocks: MatchBlocks) -> Desired {
    let values = BTreeMap::from([
        (Keyword::TcpKeepAlive, Value::Bool(true)),
        (Keyword::ClientAliveInterval, Value::Number(120)),
        (Keyword::ClientAliveCountMax, Value::Number(30)),
    ]);
    Desired { values, match_blocks }
}

pub(super) fn planned(desired: &Desired, observed: &Observed) -> Plan<Change> {
    plan(desired, observed, Path::new("/p.toml"))
}

/// The host after the plan.
pub(super) fn after(plan: &Plan<Change>, observed: &Observed) -> Observed {
    let mut after = observed.clone();
    for change in &plan.changes {
        if let Change::Install { install, .. } = change {
            for edit in install.edits.iter().filter(|edit| edit.foreign) {
                if let Some(before) = &edit.before {
                    after.copies.entry(edit.path.clone()).or_insert_with(|| before.clone());
                }
            }
            after.tree = install.candidate.clone();
        }
    }
    let places = after.places.clone();
    after.copies.retain(|path, _| places.paths().any(|own| own == path));
    ask(&mut after);
    after
}

/// Every file below `/etc/ssh`, as text.
pub(super) fn files(observed: &Observed) -> Vec<(String, String)> {
    let text = |(path, entry): (&PathBuf, &Entry)| match entry {
        Entry::File { bytes, .. } => Some((
            path.strip_prefix("/etc/ssh").unwrap().display().to_string(),
            String::from_utf8_lossy(bytes).into_owned(),
        )),
        _ => None,
    };
    observed.tree.entries.iter().filter_map(text).collect()
}

fn messages(plan: &Plan<Change>) -> Vec<String> {
    let show = |problem: &Problem| format!("{:?} {problem}", problem.severity);
    plan.problems.iter().map(show).collect()
}

#[test]
fn what_is_in_force_is_left_alone() {
    let main = "TCPKeepAlive yes\nClientAliveInterval 2m\nClientAliveCountMax 30\n";
    let plan = planned(&desired(MatchBlocks::Override), &observed(&[(MAIN, main)]));
    assert_eq!(plan.changes, []);
    assert_eq!(messages(&plan), [""; 0]);
    let source = |line| Some(Source { file: path(MAIN), line });
    let sources: Vec<_> = plan.settings.iter().map(|setting| setting.source.clone()).collect();
    assert_eq!(sources, [source(1), source(2), source(3)]);
    assert!(plan.settings.iter().all(|setting| setting.compliant));
}

#[test]
fn every_population_has_its_row() {
    let main = "Match User bob\nClientAliveInterval 7\nMatch all\nClientAliveCountMax 1\n";
    let plan = planned(&desired(MatchBlocks::Report), &observed(&[(MAIN, main)]));
    let rows: Vec<_> = plan
        .settings
        .iter()
        .map(|row| {
            let line = row.source.as_ref().map(|source| source.line);
            (row.name, row.context.as_str(), row.effective, line, row.compliant)
        })
        .collect();
    let number = |number| Some(Value::Number(number));
    assert_eq!(
        rows,
        [
            ("TCPKeepAlive", "global", Some(Value::Bool(true)), None, true),
            ("ClientAliveInterval", "global", number(0), None, false),
            ("ClientAliveInterval", "Match User bob", number(7), Some(2), false),
            ("ClientAliveCountMax", "global", number(1), Some(4), false),
        ]
    );
}

#[test]
fn a_tree_that_sshd_refuses_is_left_alone() {
    let refused = "ClientAliveInterval 5\nClientAliveInterval x\n";
    let ours = "# BEGIN keepalive-policy\n# END keepalive-policy\n";
    let (theirs, with_ours) = (refused.to_owned(), format!("{ours}{refused}"));
    // To restore is to wait as well, when something of ours is in it.
    for (main, wanted, line) in [
        (&theirs, desired(MatchBlocks::Override), 2),
        (&with_ours, desired(MatchBlocks::Override), 4),
        (&with_ours, Desired::default(), 4),
    ] {
        let plan = planned(&wanted, &observed(&[(MAIN, main)]));
        assert_eq!(plan.changes, []);
        let message = format!(
            "Blocked /etc/ssh/sshd_config:{line}: sshd refuses its configuration \
             (ClientAliveInterval: must be a time such as 120, 2m or 1h30m, at most 2147483647 \
             seconds); nothing is edited or reloaded until that is repaired"
        );
        assert_eq!(messages(&plan), [message]);
        assert_eq!(plan.settings.len(), wanted.values.len());
        assert!(plan.settings.iter().all(|row| row.effective.is_none() && !row.compliant));
    }
}

#[test]
fn a_refused_tree_without_anything_of_ours_is_not_our_business() {
    let refused = observed(&[(MAIN, "ClientAliveInterval x\n")]);
    assert_eq!(planned(&Desired::default(), &refused), Plan::default());
}

#[test]
fn where_sshd_says_otherwise_nothing_is_edited() {
    let mut seen = observed(&[(MAIN, "ClientAliveInterval 5\n")]);
    let Verdict::Accepted(dump) = &mut seen.verdict else { panic!() };
    dump.0.insert("clientaliveinterval".to_owned(), vec!["9".to_owned()]);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(plan.changes, []);
    assert_eq!(
        messages(&plan),
        [
            "Blocked /etc/ssh/sshd_config:1: sshd says ClientAliveInterval 9, but ClientAliveInterval 5 \
          was computed from the files; nothing is edited, because what an edit does can't be \
          foretold"
        ]
    );
    assert_eq!(plan.settings[1].effective, Some(Value::Number(9)));
}

#[test]
fn without_sshd_there_is_nothing_to_govern() {
    let mut seen = observed(&[(MAIN, "ClientAliveInterval 5\n")]);
    seen.verdict = Verdict::NoSshd;
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!((plan.settings.len(), plan.changes.len()), (0, 0));
    assert_eq!(messages(&plan), ["Notice sshd is not installed"]);
    seen.live = false;
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!((plan.settings.len(), plan.changes.len()), (3, 1));
    assert_eq!(
        messages(&plan),
        ["Notice no sshd on this machine could judge the tree; its values are computed"]
    );
    seen.tree.entries.clear();
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!((plan.settings.len(), plan.changes.len()), (0, 0));
    assert_eq!(
        messages(&plan),
        ["Notice /etc/ssh/sshd_config is not there, so no sshd is configured"]
    );
}

#[test]
fn what_the_command_line_says_is_a_conflict() {
    let mut seen = observed(&[(MAIN, INCLUDE)]);
    let options = ["-o", "ClientAliveInterval=5"].map(std::ffi::OsString::from);
    seen.preset = preset::values(&options, &seen.dialect);
    ask(&mut seen);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(
        messages(&plan),
        ["Conflict sshd is started with -o ClientAliveInterval=5, which beats every file; wanted \
          120: remove it from the options of ssh.service"]
    );
    // The others are in force all the same, and ours stands there for when the option goes.
    let corrected = after(&plan, &seen);
    let again = planned(&desired(MatchBlocks::Override), &corrected);
    assert_eq!(again.changes, []);
    let compliant: Vec<bool> = again.settings.iter().map(|row| row.compliant).collect();
    assert_eq!(compliant, [true, false, true]);
}

const COMPLIANT: &str = "ClientAliveInterval 120\nClientAliveCountMax 30\n";

/// A listener that has not loaded what is on disk by now.
fn behind(values: &[(Keyword, i64, Option<&str>)]) -> Observed {
    let mut seen = observed(&[(MAIN, COMPLIANT)]);
    let loaded = |(keyword, value, context): &(Keyword, i64, Option<&str>)| LoadedValue {
        keyword: *keyword,
        value: Value::Number(*value),
        context: context.map(str::to_owned),
    };
    seen.freshness = Freshness::Outdated(values.iter().map(loaded).collect());
    seen
}

fn rows(plan: &Plan<Change>) -> Vec<String> {
    let drift = plan.settings.iter().filter(|row| !row.compliant);
    drift
        .map(|row| {
            let effective = row.effective.map_or("?".to_owned(), |value| value.to_string());
            format!("{} {} {effective}", row.context, row.name)
        })
        .collect()
}

fn shown(plan: &Plan<Change>) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_listener_that_is_behind_is_drift_and_is_reloaded() {
    let cases: [(&[_], &[&str]); 4] = [
        (
            &[(Keyword::ClientAliveInterval, 7, None), (Keyword::ClientAliveCountMax, 30, None)],
            &["listener ClientAliveInterval 7"],
        ),
        (
            &[
                (Keyword::ClientAliveInterval, 120, None),
                (Keyword::ClientAliveInterval, 9, Some("Match User bob")),
            ],
            &["listener ClientAliveInterval 9"],
        ),
        // Others' changes are for others to load.
        (&[(Keyword::ClientAliveInterval, 120, Some("Match User bob"))], &[]),
        (&[(Keyword::ClientAliveInterval, 120, None)], &[]),
    ];
    for (loaded, expected) in cases {
        let plan = planned(&desired(MatchBlocks::Override), &behind(loaded));
        assert_eq!(rows(&plan), expected);
        let reload: &[&str] = if expected.is_empty() { &[] } else { &["reload ssh.service\n"] };
        assert_eq!(shown(&plan), reload);
    }
    let mut seen = observed(&[(MAIN, COMPLIANT)]);
    seen.freshness = Freshness::Unknown;
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let unknown = ["TCPKeepAlive", "ClientAliveInterval", "ClientAliveCountMax"];
    assert_eq!(rows(&plan), unknown.map(|name| format!("listener {name} ?")));
    assert_eq!(shown(&plan), ["reload ssh.service\n"]);
    assert_eq!(planned(&Desired::default(), &seen), Plan::default());
}

#[test]
fn a_listener_that_nothing_safe_can_bring_up_to_date_is_told_of_and_left_alone() {
    let mut seen = behind(&[(Keyword::ClientAliveInterval, 7, None)]);
    (seen.service.can_reload, seen.service.sessions_survive_restart) = (false, false);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!((rows(&plan).len(), shown(&plan).len()), (1, 0));
    let expected = "Conflict ssh.service is not restarted: without KillMode=process in it that \
                    would end all sessions; new connections use the configuration on disk after its \
                    next start";
    assert_eq!(messages(&plan), [expected]);
    seen.freshness = Freshness::Current;
    assert_eq!(messages(&planned(&desired(MatchBlocks::Override), &seen)), [""; 0]);
    seen.service.kind = Kind::NotSshd;
    let expected = "Notice ssh.service is not reloaded: its main process is no process, not sshd; \
                    new connections use the configuration on disk once sshd is reloaded by hand";
    assert_eq!(messages(&planned(&desired(MatchBlocks::Override), &seen)), [expected]);
    // The files are kept right all the same.
    let mut drifted = observed(&[(MAIN, "ClientAliveInterval 7\n")]);
    drifted.service.kind = Kind::NotSshd;
    let plan = planned(&desired(MatchBlocks::Override), &drifted);
    assert!(shown(&plan)[0].contains("+ClientAliveInterval 120\n"));
    assert!(!shown(&plan)[0].contains("reload"));
}

/// An instance whose main file shares the drop-ins of the host's own sshd.
fn instance(files: &[(&str, &str)]) -> Observed {
    let mut seen = observed(files);
    let instance = Instance { file: path("sftp_config"), unit: "sftp.service".to_owned() };
    seen.tree.main = instance.file.clone();
    seen.places = Places::of(Some(&instance));
    seen.service.instance = Some(instance);
    seen.service.unit = Some("sftp.service".to_owned());
    ask(&mut seen);
    seen
}

#[test]
fn an_instance_is_edited_in_its_own_main_file_only() {
    let foreign = format!("{INCLUDE}Match User bob\nClientAliveInterval 7\n");
    let seen = instance(&[(MAIN, INCLUDE), ("sftp_config", &foreign)]);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let Change::Install { install, load } = &plan.changes[0] else { panic!("{plan:?}") };
    let edited: Vec<&Path> = install.edits.iter().map(|edit| edit.path.as_path()).collect();
    assert_eq!(edited, [path("sftp_config.keepalive-policy"), path("sftp_config")]);
    assert_eq!(load.as_deref(), Some("reload sftp.service"));
    let corrected = after(&plan, &seen);
    let again = planned(&desired(MatchBlocks::Override), &corrected);
    assert_eq!((again.changes.len(), rows(&again)), (0, vec![]));
    let back = after(&planned(&Desired::default(), &corrected), &corrected);
    assert_eq!(files(&back), files(&seen));
    // Values that come from the drop-in of the host's own sshd are good enough, and are left there.
    let shared = "# Written by keepalive-policy\nClientAliveInterval 120\nClientAliveCountMax 30\n";
    let seen = instance(&[(DROP_IN, shared), ("sftp_config", INCLUDE)]);
    for wanted in [desired(MatchBlocks::Override), Desired::default()] {
        assert_eq!(planned(&wanted, &seen).changes, []);
    }
}

#[test]
fn everything_that_is_said_of_an_instance_names_its_unit() {
    let mut seen = instance(&[("sftp_config", "ClientAliveInterval 7\n")]);
    let unit = seen.service.instance.clone().unwrap();
    seen.service.unit = None;
    seen.service.kind = Kind::NotRunning;
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let plan = instance::named(plan, &unit);
    assert_eq!(
        rows(&plan),
        ["ClientAliveInterval 7", "ClientAliveCountMax 3"]
            .map(|row| format!("sftp.service: global {row}"))
    );
    assert_eq!(
        messages(&plan),
        ["Notice sftp.service is not a unit of this host's service manager: the file is kept as \
          declared, and nothing is reloaded"]
    );
}

#[test]
fn an_instance_whose_unit_reads_another_file_is_left_alone() {
    let mut seen = instance(&[("sftp_config", "ClientAliveInterval 7\n")]);
    seen.service.command_line.program = Some("/usr/sbin/sshd".into());
    seen.service.command_line.main = Some(path("sftp_config"));
    assert_eq!(planned(&desired(MatchBlocks::Override), &seen).changes.len(), 1);
    for (main, named) in [(None, path(MAIN)), (Some(path("other")), path("other"))] {
        seen.service.command_line.main = main;
        let plan = planned(&desired(MatchBlocks::Override), &seen);
        assert_eq!(plan.changes, []);
        let expected = format!(
            "Blocked /etc/ssh/sftp_config: sftp.service runs sshd with {}, not with this file, which the policy declares \
             for it; nothing is changed until the policy names the right one",
            named.display()
        );
        assert_eq!(messages(&plan), [expected]);
    }
    let link = Entry::File { bytes: b"Port 22\n".to_vec(), real: path(MAIN) };
    seen.tree.entries.insert(path("sftp_config"), link);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let expected = "Blocked /etc/ssh/sftp_config: leads to /etc/ssh/sshd_config, which is governed already; nothing is \
                    changed";
    assert_eq!((messages(&plan), plan.changes), (vec![expected.to_owned()], vec![]));
}

#[test]
fn a_change_shows_its_diff_and_its_reload() {
    let seen = observed(&[(MAIN, "Port 22\n")]);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let shown: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
    let expected = format!(
        "--- a/etc/ssh/sshd_config\n+++ b/etc/ssh/sshd_config\n@@ -1 +1,6 @@\n+{BLOCK}\
         +TCPKeepAlive yes\n+ClientAliveInterval 120\n+ClientAliveCountMax 30\n\
         +# END keepalive-policy\n Port 22\nreload ssh.service\n"
    );
    assert_eq!(shown, [expected]);
    let json = serde_json::to_value(&plan.changes[0]).unwrap();
    assert_eq!(json["load"], "reload ssh.service");
    assert_eq!(json["edits"][0]["file"], "/etc/ssh/sshd_config");
}
