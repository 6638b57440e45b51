use super::*;

#[test]
fn what_stands_in_the_way_is_told_with_its_place() {
    let status: Status = serde_json::from_value(json!({
        "version": 1, "pid": 7, "process_start": 0, "since": 100,
        "policy": "/etc/keepalive-policy.toml", "mode": "enforce", "in_force": false,
        "summary": "1 of 3 settings in force", "corrections": 9, "last_drift": null,
        "policy_refused": "/etc/keepalive-policy.toml:3:1: unknown key `x`\nx = 1\n^",
        "contested": ["ClientAliveInterval"],
        "settings": [
            {"name": "TCPKeepAlive", "context": "global", "desired": true, "effective": null,
             "compliant": false},
            {"name": "ClientAliveCountMax", "context": "global", "desired": 3, "effective": 3,
             "compliant": true}],
        "problems": [
            {"file": "/etc/ssh/sshd_config", "line": 9, "message": "sets it", "severity": "conflict"},
            {"file": null, "line": null, "message": "by the way", "severity": "notice"}],
    }))
    .unwrap();
    let expected = "\
1 of 3 settings in force.

  policy      /etc/keepalive-policy.toml (enforce)
  process     7, up 5 s
  corrections 9
  refused     /etc/keepalive-policy.toml:3:1: unknown key `x`; the previous policy stays in force
  contested   ClientAliveInterval: somebody else keeps changing it
  DRIFT       TCPKeepAlive (global) is not set, or not known, yes is declared
  conflict    /etc/ssh/sshd_config:9: sets it
  note        by the way

`keepalive-policy check` shows each setting, `journalctl -u keepalive-policy`
what was tried.
";
    assert_eq!(render(&status, 105, Style::PLAIN), expected);
}

#[test]
fn what_the_file_quotes_does_not_steer_a_terminal() {
    let evil = "a\x1b[2J\x07\nok\u{202e}\u{9b}";
    let status: Status = serde_json::from_value(json!({
        "version": 1, "pid": 7, "process_start": 0, "since": 100,
        "policy": evil, "mode": evil, "in_force": false,
        "summary": evil, "corrections": 9,
        "last_drift": {"at": 3, "setting": evil, "corrected_in_us": null},
        "policy_refused": evil, "contested": [evil],
        "settings": [{"name": evil, "context": evil, "desired": evil, "effective": evil,
                      "compliant": false}],
        "problems": [{"file": evil, "line": 9, "message": evil, "severity": evil},
                     {"file": null, "line": null, "message": evil, "severity": "notice"}],
    }))
    .unwrap();
    let shown = render(&status, 105, Style::PLAIN);
    assert!(!shown.replace('\n', "").contains(escape::is_hidden), "{shown:?}");
    assert!(shown.lines().all(|line| !line.starts_with("ok")), "{shown}");
}
