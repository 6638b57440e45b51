use super::*;
use crate::host::systemd::parse_units;

/// What `systemctl show` says of `ssh.service`, with these lines in place of a running one's.
fn state(lines: &str) -> UnitState {
    let running = "Id=ssh.service\nActiveState=active\nSubState=running\nResult=success\n\
                   ExecMainCode=0\nExecMainStatus=0\nUnitFileState=enabled\nConditionResult=yes\n\
                   InactiveExitTimestampMonotonic=5\nJob=0\n";
    let mut text = String::new();
    for line in running.lines() {
        let name = line.split_once('=').unwrap().0;
        let other = lines.lines().find(|other| other.split_once('=').unwrap().0 == name);
        text.push_str(other.unwrap_or(line));
        text.push('\n');
    }
    UnitState::of(&parse_units(&text)[0])
}

/// What differs from a running unit, whether it ought to run, and how it is shown.
const CASES: [(&str, bool, &str); 10] = [
    ("", true, "active"),
    (
        "ActiveState=failed\nResult=exit-code\nExecMainStatus=255",
        true,
        "failed (result exit-code, status 255 of sshd)",
    ),
    (
        "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=255",
        true,
        "activating (auto-restart, result exit-code, status 255 of sshd)",
    ),
    // `systemctl stop`, and `reset-failed` after a failure.
    (
        "ActiveState=inactive\nSubState=dead\nExecMainCode=1",
        false,
        "inactive (result success, status 0 of sshd)",
    ),
    (
        "ActiveState=inactive\nSubState=dead\nExecMainCode=1\nExecMainStatus=255",
        false,
        "inactive (result success, status 255 of sshd)",
    ),
    // Stopped while it waited for its restart, and on the way there.
    (
        "ActiveState=inactive\nSubState=dead\nResult=exit-code\nExecMainStatus=255",
        false,
        "inactive (result exit-code, status 255 of sshd)",
    ),
    (
        "ActiveState=inactive\nSubState=dead-before-auto-restart\nResult=exit-code",
        true,
        "inactive (result exit-code, status 0 of sshd)",
    ),
    // Of a SIGHUP before sshd has a handler for it.
    (
        "ActiveState=inactive\nSubState=dead\nExecMainCode=2\nExecMainStatus=1",
        true,
        "inactive (result success, status 1 of sshd)",
    ),
    // Enabled, and the boot did not start it; the same for one that is not enabled.
    (
        "ActiveState=inactive\nSubState=dead\nInactiveExitTimestampMonotonic=0\nConditionResult=no",
        true,
        "inactive (result success, status 0 of sshd)",
    ),
    (
        "ActiveState=inactive\nSubState=dead\nInactiveExitTimestampMonotonic=0\nUnitFileState=disabled",
        false,
        "inactive (result success, status 0 of sshd)",
    ),
];

#[test]
fn a_unit_ought_to_run_unless_it_was_stopped_or_never_asked_for() {
    for (lines, ought, shown) in CASES {
        let state = state(lines);
        assert_eq!((state.ought_to_run(), state.to_string().as_str()), (ought, shown), "{lines}");
    }
}

#[test]
fn a_unit_that_waits_for_its_restart_is_not_about_to_change() {
    let waits = state("ActiveState=activating\nSubState=auto-restart-queued");
    assert!(waits.waits_for_restart() && !waits.is_changing());
    let starts = state("ActiveState=activating\nSubState=start");
    assert!(!starts.waits_for_restart() && starts.is_changing());
}
