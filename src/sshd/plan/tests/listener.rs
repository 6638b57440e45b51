use super::*;
use crate::sshd::service::loaded::LoadedValue;

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
