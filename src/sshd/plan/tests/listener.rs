use super::*;
use crate::host::mounts::Mounts;
use crate::sshd::service::loaded::LoadedValue;
use crate::sshd::service::view::{self, OtherView};

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
    seen.service.doubt = Some("its main process is bash, not sshd".to_owned());
    let expected = "Notice ssh.service is not reloaded: its main process is bash, not sshd; \
                    new connections use the configuration on disk once sshd is reloaded by hand";
    assert_eq!(messages(&planned(&desired(MatchBlocks::Override), &seen)), [expected]);
    // The files are kept right all the same.
    let mut drifted = observed(&[(MAIN, "ClientAliveInterval 7\n")]);
    drifted.service.kind = Kind::NotSshd;
    let plan = planned(&desired(MatchBlocks::Override), &drifted);
    assert!(shown(&plan)[0].contains("+ClientAliveInterval 120\n"));
    assert!(!shown(&plan)[0].contains("reload"));
}

#[test]
fn where_sshd_may_not_be_asked_nothing_is_edited_or_reloaded() {
    let mut seen = observed(&[(MAIN, "ClientAliveInterval 7\n")]);
    seen.verdict = Verdict::Unasked("ssh.service: its ExecStart= is a script".to_owned());
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(plan.changes, []);
    assert_eq!(messages(&plan), ["Blocked ssh.service: its ExecStart= is a script"]);
}

/// A view in which /var/tmp is another directory.
fn elsewhere(is_essential: bool) -> OtherView {
    let theirs = Mounts::parse(b"1 0 8:1 / / rw - ext4 x rw\n");
    let view = view::difference(&Mounts::default(), &theirs, &["/var/tmp".into()]);
    let mut view = view.unwrap();
    view.is_essential = is_essential;
    view
}

#[test]
fn an_sshd_that_sees_other_files_is_reloaded_only_where_that_tests_first() {
    let mut seen = observed(&[(MAIN, "ClientAliveInterval 7\n")]);
    seen.service.view = Some(elsewhere(false));
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert!(
        shown(&plan)[0].contains("+ClientAliveInterval 120\n")
            && !shown(&plan)[0].contains("reload")
    );
    let said = messages(&plan).concat();
    assert!(
        said.starts_with("Notice ssh.service is not reloaded: sshd does not see the same /var/tmp")
    );
    seen.service.reload_tests = true;
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert!(shown(&plan)[0].contains("reload ssh.service"));
    assert!(messages(&plan).concat().contains("what is there is not judged"));
    // A restart ends it first, and then it may not start.
    seen.service.can_reload = false;
    assert!(!shown(&planned(&desired(MatchBlocks::Override), &seen))[0].contains("restart"));
}

#[test]
fn an_sshd_that_reads_another_main_file_is_left_alone() {
    let mut seen = observed(&[(MAIN, "ClientAliveInterval 7\n")]);
    (seen.service.view, seen.service.reload_tests) = (Some(elsewhere(true)), true);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(plan.changes, []);
    assert!(
        messages(&plan)[0].starts_with("Blocked ssh.service: sshd does not see the same /var/tmp")
    );
}
