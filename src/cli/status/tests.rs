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
