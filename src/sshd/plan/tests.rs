use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::*;
use crate::file_edit::FileEdit;
use crate::reconcile::{Listening, Source};
use crate::sshd::dialect::Dialect;
use crate::sshd::lost::{Look, Standing};
use crate::sshd::plan::place::Places;
use crate::sshd::service::command_line::CommandLine;
use crate::sshd::service::loaded::Freshness;
use crate::sshd::service::program::Program;
use crate::sshd::service::{Kind, Service};
use crate::sshd::tree::Entry;
use crate::sshd::{MatchBlocks, preset};

mod instances;
mod listener;
mod next_start;
mod places;

pub(super) const MAIN: &str = "sshd_config";
pub(super) const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf\n";
pub(super) const DROP_IN: &str = "sshd_config.d/00-keepalive-policy.conf";
pub(super) const BLOCK: &str = "# BEGIN keepalive-policy: written from /p.toml; undone by \
                                `keepalive-policy restore`\n";

pub(super) fn path(name: &str) -> PathBuf {
    PathBuf::from("/etc/ssh").join(name)
}

/// What a live host with these files below `/etc/ssh` looks like; sshd says what we compute.
pub(super) fn observed(files: &[(&str, &str)]) -> Observed {
    let mut entries = BTreeMap::from([(path("sshd_config.d"), Entry::Directory)]);
    for (name, text) in files {
        let file = Entry::File { bytes: text.as_bytes().into(), real: path(name) };
        entries.insert(path(name), file);
    }
    let mut observed = Observed {
        ours_to_blame: false,
        tree: Tree { main: path(MAIN), entries },
        verdict: Verdict::NoSshd,
        service: Service {
            instance: None,
            dialect: Dialect::default(),
            kind: Kind::Plain,
            unit: Some("ssh.service".to_owned()),
            state: None,
            program: Program::Usual,
            listener: None,
            doubt: None,
            pid_file: None,
            command_line: CommandLine::default(),
            at_start: CommandLine::default(),
            option_files: BTreeSet::new(),
            sessions_survive_restart: true,
            can_reload: true,
            reload_tests: false,
            restless: false,
            endangered: None,
            view: None,
        },
        dialect: Dialect::default(),
        preset: BTreeMap::new(),
        preset_at_start: BTreeMap::new(),
        copies: BTreeMap::new(),
        live: true,
        freshness: Freshness::Current,
        places: Places::of(None),
        closed: BTreeMap::new(),
        watched: BTreeSet::new(),
        being_written: BTreeSet::new(),
        lost: crate::sshd::lost::Look::default(),
        listening: None,
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
        let values = Keyword::ALL.map(|one| (name(one), value(one))).into();
        Verdict::Accepted(Dump { values, ..Dump::default() })
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

pub(super) fn messages(plan: &Plan<Change>) -> Vec<String> {
    let show = |problem: &Problem| format!("{:?} {problem}", problem.severity);
    plan.problems.iter().map(show).collect()
}

/// The rows that are not compliant.
pub(super) fn rows(plan: &Plan<Change>) -> Vec<String> {
    let drift = plan.settings.iter().filter(|row| !row.compliant);
    drift
        .map(|row| {
            let effective = row.effective.map_or("?".to_owned(), |value| value.to_string());
            format!("{} {} {effective}", row.context, row.name)
        })
        .collect()
}

pub(super) fn shown(plan: &Plan<Change>) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
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
fn what_somebody_is_writing_is_neither_edited_nor_loaded() {
    let mut observed = observed(&[(MAIN, "Include /etc/ssh/sshd_config.d/*.conf\n")]);
    assert_eq!(planned(&desired(MatchBlocks::Override), &observed).changes.len(), 1);
    observed.being_written.insert(path(MAIN));
    let plan = planned(&desired(MatchBlocks::Override), &observed);
    assert_eq!(plan.changes, []);
    assert_eq!(rows(&plan).len(), 2);
    assert_eq!(
        messages(&plan),
        ["Blocked /etc/ssh/sshd_config: somebody has it open for writing; nothing is edited or \
          reloaded until that is closed (fuser(1) tells who)"]
    );
}

fn lost() -> Look {
    let standing = Standing {
        unit: Some("ssh.service".to_owned()),
        why: "reload ssh.service: it died".to_owned(),
        state: "failed (result exit-code, status 255 of sshd)".to_owned(),
    };
    Look { standing: Some(standing), ..Look::default() }
}

#[test]
fn an_sshd_of_no_service_manager_that_was_lost_is_told_and_not_started() {
    let mut observed = observed(&[(MAIN, "Include /etc/ssh/sshd_config.d/*.conf\n")]);
    let standing = Standing {
        unit: None,
        why: "send SIGHUP to sshd: it died".to_owned(),
        state: "sshd (started as `/usr/sbin/sshd -D`) does not run".to_owned(),
    };
    observed.lost = Look { standing: Some(standing), ..Look::default() };
    let plan = planned(&desired(MatchBlocks::Override), &observed);
    assert!(plan.changes.iter().all(|change| !matches!(change, Change::Start { .. })));
    assert!(messages(&plan)[0].starts_with(
        "Blocked sshd (started as `/usr/sbin/sshd -D`) does not run since a reload of ours, so that \
         new connections reach no sshd (send SIGHUP to sshd: it died); no service manager"
    ));
}

#[test]
fn an_sshd_that_was_lost_is_started_before_anything_else_and_whatever_else() {
    let mut observed = observed(&[(MAIN, "Include /etc/ssh/sshd_config.d/*.conf\n")]);
    observed.lost = lost();
    let plan = planned(&desired(MatchBlocks::Override), &observed);
    assert_eq!(shown(&plan)[0], "start ssh.service\n");
    assert_eq!(plan.changes.len(), 2);
    assert!(messages(&plan)[0].starts_with(
        "Blocked ssh.service is failed (result exit-code, status 255 of sshd): it does not listen \
         since a reload or restart of ours, so that new connections reach no sshd (reload \
         ssh.service: it died); we start it"
    ));
    observed.being_written.insert(path(MAIN));
    let plan = planned(&desired(MatchBlocks::Override), &observed);
    assert_eq!(shown(&plan), ["start ssh.service\n"]);
    // Also where nothing is declared: taking ours back loses it as well as putting it there.
    let plan = planned(&Desired::default(), &observed);
    assert_eq!(shown(&plan), ["start ssh.service\n"]);
}

#[test]
fn an_sshd_that_was_lost_waits_for_files_that_it_accepts() {
    let mut observed = observed(&[(MAIN, "Nonsense\n")]);
    let complaint = Complaint { file: None, line: None, message: "no".to_owned() };
    observed.verdict = Verdict::Refused(vec![complaint]);
    observed.lost = lost();
    let plan = planned(&desired(MatchBlocks::Override), &observed);
    assert_eq!(plan.changes, []);
    let found = messages(&plan);
    let wanted = "we start it as soon as sshd accepts its configuration";
    assert!(found.iter().any(|message| message.ends_with(wanted)), "{found:?}");
}

#[test]
fn an_sshd_that_others_ended_is_a_finding_and_is_not_started() {
    let mut observed = observed(&[(MAIN, "ClientAliveInterval 120\n")]);
    observed.listening = Some(Listening {
        unit: "ssh.service".to_owned(),
        listens: false,
        state: "failed (result start-limit-hit, status 0 of sshd)".to_owned(),
    });
    let plan = planned(&desired(MatchBlocks::Override), &observed);
    assert!(!shown(&plan).iter().any(|change| change.starts_with("start")));
    let found = messages(&plan);
    let wanted = "Blocked ssh.service is failed (result start-limit-hit, status 0 of sshd): it \
                  ought to run and does not listen";
    assert!(found.iter().any(|message| message.starts_with(wanted)), "{found:?}");
    // Where nothing is declared for it, it concerns us as little as its files do.
    assert_eq!(planned(&Desired::default(), &observed).problems, []);
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
    dump.values.insert("clientaliveinterval".to_owned(), vec!["9".to_owned()]);
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

/// 7.9 and 8.0 insist on a user as soon as a block names one, and any user meets `*`.
#[test]
fn an_answer_is_compared_for_the_connection_that_was_asked_about() {
    for pattern in ["*", "*,!x"] {
        let text =
            format!("ClientAliveInterval 120\nMatch User {pattern}\nClientAliveInterval 9\n");
        let mut seen = observed(&[(MAIN, &text)]);
        seen.dialect = Dialect::of(7, 9);
        let Verdict::Accepted(dump) = &mut seen.verdict else { panic!() };
        dump.values.insert("clientaliveinterval".to_owned(), vec!["9".to_owned()]);
        dump.asked = dump.asked.clone().with("user", "keepalive-policy-nobody");
        let plan = planned(&desired(MatchBlocks::Report), &seen);
        let rows = plan.settings.iter().filter(|one| one.name == "ClientAliveInterval");
        let found: Vec<_> = rows.map(|one| (one.context.as_str(), one.effective)).collect();
        let block = format!("Match User {pattern}");
        assert_eq!(
            found,
            [("global", Some(Value::Number(120))), (block.as_str(), Some(Value::Number(9))),]
        );
        assert!(!messages(&plan).iter().any(|message| message.starts_with("Blocked")));
        let plan = planned(&desired(MatchBlocks::Override), &seen);
        let Change::Install { install, .. } = &plan.changes[0] else { panic!() };
        // Without Include nothing beats the block, and sshd's answer after the edit is still its 9.
        assert_eq!(install.expect[&Keyword::ClientAliveInterval], Value::Number(9));
    }
}

#[test]
fn of_an_sshd_that_is_too_old_nothing_is_edited() {
    let mut seen = observed(&[(MAIN, "ClientAliveInterval 5\n")]);
    seen.dialect = Dialect::of(7, 4);
    let why = seen.dialect.too_old().unwrap();
    seen.verdict = Verdict::Unasked(why.clone());
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(plan.changes, []);
    assert_eq!(messages(&plan), [format!("Blocked {why}")]);
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

#[test]
fn what_the_command_line_puts_in_force_needs_no_edit() {
    let mut seen = observed(&[(MAIN, "ClientAliveCountMax 30\n")]);
    seen.preset = BTreeMap::from([(Keyword::ClientAliveInterval, Value::Number(120))]);
    ask(&mut seen);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(plan.changes, []);
    assert_eq!(messages(&plan), [""; 0]);
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

#[test]
fn what_ends_idle_sessions_all_the_same_is_a_notice() {
    let text = "TCPKeepAlive yes\nClientAliveInterval 120\nClientAliveCountMax 30\n\
                ChannelTimeout session:*=4s\n";
    let plan = planned(&desired(MatchBlocks::Report), &observed(&[(MAIN, text)]));
    assert_eq!(
        messages(&plan),
        [
            "Notice /etc/ssh/sshd_config:4: ChannelTimeout session:*=4s ends an idle session after 4 s, \
          although ClientAlive keeps its connection up"
        ]
    );
    assert!(plan.changes.is_empty());
}
