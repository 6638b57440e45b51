use super::*;

fn page() -> String {
    let mut counts = Counts::default();
    counts.drift("sysctl", "net.ipv4.tcp_keepalive_time");
    counts.correction("sysctl", "done", 80);
    counts.correction("sysctl", "done", 2_500_000);
    counts.correction("sysctl", "failed", 9);
    counts.reload(true);
    counts.policy(true);
    counts.unheard("sysctl");
    let now = Now {
        settings: vec![
            ("sysctl", "net.ipv4.tcp_keepalive_time", "live", true),
            ("sshd_config", "ClientAliveInterval", "Match User \"a\\b\"", false),
        ],
        contested: vec![
            ("sysctl", "net.ipv4.tcp_keepalive_time", true),
            ("sshd_config", "ClientAliveInterval", false),
        ],
        listening: vec![("ssh.service", true), ("sftp.service", false)],
        enforcing: true,
        paused: false,
        policy_loaded: 1_700_000_000,
        started: 1_600_000_000,
    };
    render(&counts, &now)
}

#[test]
fn samples_are_what_was_counted() {
    let page = page();
    for line in [
        "keepalive_policy_enforcing 1",
        "keepalive_policy_sshd_listening{unit=\"ssh.service\"} 1",
        "keepalive_policy_sshd_listening{unit=\"sftp.service\"} 0",
        "keepalive_policy_paused 0",
        "keepalive_policy_policy_loaded_timestamp_seconds 1700000000",
        "keepalive_policy_policy_loads_total{result=\"taken\"} 1",
        "keepalive_policy_setting_in_force{resource=\"sysctl\",setting=\"net.ipv4.tcp_keepalive_time\",context=\"live\"} 1",
        "keepalive_policy_setting_in_force{resource=\"sshd_config\",setting=\"ClientAliveInterval\",context=\"Match User \\\"a\\\\b\\\"\"} 0",
        "keepalive_policy_setting_contested{resource=\"sysctl\",setting=\"net.ipv4.tcp_keepalive_time\"} 1",
        "keepalive_policy_drifts_total{resource=\"sshd_config\",setting=\"ClientAliveInterval\"} 0",
        "keepalive_policy_corrections_total{resource=\"sysctl\",result=\"done\"} 2",
        "keepalive_policy_corrections_total{resource=\"sysctl\",result=\"failed\"} 1",
        "keepalive_policy_correction_duration_seconds_bucket{resource=\"sysctl\",le=\"0.0001\"} 1",
        "keepalive_policy_correction_duration_seconds_bucket{resource=\"sysctl\",le=\"5\"} 2",
        "keepalive_policy_correction_duration_seconds_sum{resource=\"sysctl\"} 2.500080",
        "keepalive_policy_correction_duration_seconds_count{resource=\"sysctl\"} 2",
        "keepalive_policy_sshd_reloads_total{result=\"done\"} 1",
        "keepalive_policy_resync_findings_total{resource=\"sysctl\"} 1",
        "keepalive_policy_resync_findings_total{resource=\"sshd_config\"} 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

#[test]
fn every_family_is_declared_once_and_before_its_samples() {
    let page = page();
    let mut declared = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!declared.contains(&name), "{name} twice");
            declared.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(name.starts_with(declared.last().unwrap()), "{line} in a foreign family");
        }
    }
}

#[test]
fn two_labels_stay_two_whatever_they_hold() {
    let labels = ["a\x1b", "a\x07", "a\u{202e}", "a?", "a\n"].map(label);
    assert_eq!(labels, ["a\\\\x1b", "a\\\\x07", "a\\\\u{202e}", "a?", "a\\n"]);
}
