use std::time::Duration;

use super::*;
use crate::reconcile::Value;
use crate::sshd::{Keyword, MatchBlocks};
use crate::sysctl::Key;

mod advice;
mod file;
mod refused;
mod robust;

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The policy, which must be valid.
fn policy(text: &str) -> Policy {
    parse(text.as_bytes(), Path::new("p.toml")).unwrap_or_else(|rejection| panic!("{rejection}"))
}

/// What is said about a policy that must be refused.
fn refused(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    match parse(text, Path::new("p.toml")) {
        Ok(policy) => panic!("{} was taken: {policy:?}", String::from_utf8_lossy(text)),
        Err(rejection) => rejection.to_string(),
    }
}

#[test]
fn the_example_declares_what_the_documentation_says() {
    let policy = policy(EXAMPLE);
    assert_eq!(policy.mode, Mode::Enforce);
    assert_eq!(
        policy.sysctl.values.into_iter().collect::<Vec<_>>(),
        [(Key::KeepaliveTime, 600), (Key::KeepaliveIntvl, 75), (Key::KeepaliveProbes, 9)]
    );
    assert_eq!(
        policy.sshd_config.values.into_iter().collect::<Vec<_>>(),
        [
            (Keyword::TcpKeepAlive, Value::Bool(true)),
            (Keyword::ClientAliveInterval, Value::Number(120)),
            (Keyword::ClientAliveCountMax, Value::Number(30)),
        ]
    );
    assert_eq!(policy.ssh_config.server_alive_interval, Some(120));
    assert_eq!(policy.ssh_config.server_alive_count_max, Some(30));
    assert_eq!(policy.notices, [""; 0]);
}

/// What the example shows commented out are the defaults, and valid once it is not commented out.
#[test]
fn the_commented_lines_of_the_example_are_the_defaults() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") && !setting.contains('*') => setting,
            Some("[[sshd_config.instance]]") => "[[sshd_config.instance]]",
            Some("[path]") => "[path]",
            Some("[objective]") => "[objective]",
            Some("[daemon]") => "[daemon]",
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let (default, mut shown) = (policy(EXAMPLE), policy(&uncommented));
    let retries = shown.sysctl.values.remove(&Key::Retries2);
    assert_eq!(retries, Some(Key::Retries2.kernel_default()));
    assert_eq!(shown.hops.len(), 2);
    // What it sets explicitly meets the objective, so that nothing is left to derive.
    let derived = shown.objective.as_ref().unwrap();
    assert_eq!((derived.interval, derived.count, derived.unmet.len()), (None, None, 0));
    assert_eq!(shown.sshd_instances.len(), 1);
    let (hops, sshd_instances) = (Vec::new(), Vec::new());
    let notices = default.notices.clone();
    assert_eq!(Policy { hops, sshd_instances, objective: None, notices, ..shown }, default);
    let set: Vec<&str> = uncommented.lines().filter(|line| !line.starts_with('#')).collect();
    for key in [
        "namespaces",
        "never_disconnect",
        "match_blocks",
        "hops",
        "live_interval",
        "resync_interval",
    ] {
        assert!(set.iter().any(|line| line.starts_with(key)), "{key} is not in the example");
    }
    assert!(set.iter().any(|line| line.starts_with("reload_spacing")));
}

#[test]
fn an_empty_policy_manages_nothing_and_says_so() {
    let nothing = "p.toml: nothing is declared in [sysctl], [sshd_config] or [ssh_config]: nothing is managed";
    for text in ["", "\n", "# nothing\r\n", "mode = \"audit\"\n[sysctl]\n[sshd_config]\n[path]\n"] {
        let policy = policy(text);
        assert_eq!(policy.notices, [nothing]);
        assert!(policy.sysctl.values.is_empty() && policy.sshd_config.values.is_empty());
    }
    let policy = policy("");
    assert_eq!((policy.mode, policy.hops.len()), (Mode::Enforce, 0));
    assert_eq!(policy.sshd_config.match_blocks, MatchBlocks::Override);
    assert_eq!(policy.live_interval, Duration::from_secs(5));
    assert_eq!(policy.resync_interval, Duration::from_secs(60));
    assert_eq!(policy.reload_spacing, Duration::from_secs(2));
}

#[test]
fn a_sysctl_is_the_same_in_every_spelling_of_toml() {
    for text in [
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600",
        "[sysctl]\n\"net.ipv4.tcp_keepalive_time\" = 600",
        "[sysctl]\nnet.'ipv4.tcp_keepalive_time' = +6_00",
        "[sysctl.net.ipv4]\ntcp_keepalive_time = 600",
        "[sysctl]\nnet = { ipv4 = { tcp_keepalive_time = 600 } }",
        "sysctl.net.ipv4.tcp_keepalive_time = 600\r\n",
    ] {
        let values = policy(text).sysctl.values;
        assert_eq!(values.into_iter().collect::<Vec<_>>(), [(Key::KeepaliveTime, 600)], "{text}");
    }
}

#[test]
fn few_retries_are_taken_with_a_notice() {
    let notices =
        |value: u32| policy(&format!("[sysctl]\nnet.ipv4.tcp_retries2 = {value}")).notices;
    assert_eq!(
        notices(5),
        [
            "p.toml:2: net.ipv4.tcp_retries2 = 5 ends every connection in use, also of others than sshd, after an outage of 12 to 24 s; RFC 1122 asks for at least 100 s, which is 8"
        ]
    );
    assert_eq!(notices(8), [""; 0]);
}

#[test]
fn named_namespaces_get_the_same_values_where_they_are_asked_for() {
    let of = |line: &str| policy(&format!("[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n{line}"));
    for line in ["", "namespaces = [\"host\"]"] {
        assert!(of(line).namespaces.values.is_empty());
    }
    let asked = of("namespaces = [\"host\", \"named\"]");
    assert_eq!(asked.namespaces, asked.sysctl);
}

#[test]
fn values_at_the_edges_are_taken() {
    for (text, key, value) in [
        ("net.ipv4.tcp_keepalive_time = 1", Key::KeepaliveTime, 1),
        ("net.ipv4.tcp_keepalive_time = 2147483", Key::KeepaliveTime, 2_147_483),
        ("net.ipv4.tcp_keepalive_intvl = 1", Key::KeepaliveIntvl, 1),
        ("net.ipv4.tcp_keepalive_probes = 1", Key::KeepaliveProbes, 1),
        ("net.ipv4.tcp_keepalive_probes = 255", Key::KeepaliveProbes, 255),
        ("net.ipv4.tcp_retries2 = 3", Key::Retries2, 3),
        ("net.ipv4.tcp_retries2 = 255", Key::Retries2, 255),
    ] {
        assert_eq!(policy(&format!("[sysctl]\n{text}")).sysctl.values.get(&key), Some(&value));
    }
    for (text, keyword, value) in [
        ("TCPKeepAlive = false", Keyword::TcpKeepAlive, Value::Bool(false)),
        ("TCPKeepAlive = \"Yes\"", Keyword::TcpKeepAlive, Value::Bool(true)),
        ("TCPKeepAlive = \"no\"", Keyword::TcpKeepAlive, Value::Bool(false)),
        ("ClientAliveInterval = 0", Keyword::ClientAliveInterval, Value::Number(0)),
        ("ClientAliveInterval = \"2m\"", Keyword::ClientAliveInterval, Value::Number(120)),
        (
            "ClientAliveInterval = 2147483647",
            Keyword::ClientAliveInterval,
            Value::Number(2_147_483_647),
        ),
        (
            "ClientAliveCountMax = 0\nnever_disconnect = true",
            Keyword::ClientAliveCountMax,
            Value::Number(0),
        ),
        (
            "ClientAliveCountMax = 1\nnever_disconnect = false",
            Keyword::ClientAliveCountMax,
            Value::Number(1),
        ),
    ] {
        let policy = policy(&format!("[sshd_config]\n{text}"));
        assert_eq!(policy.sshd_config.values.get(&keyword), Some(&value), "{text}");
    }
}

#[test]
fn time_and_interval_may_be_equal_or_stand_alone() {
    policy("[sysctl]\nnet.ipv4.tcp_keepalive_time = 60\nnet.ipv4.tcp_keepalive_intvl = 60");
    policy("[sysctl]\nnet.ipv4.tcp_keepalive_time = 60");
}

#[test]
fn the_other_sections_are_read() {
    let policy = policy(
        "mode = 'audit'\n[sshd_config]\nmatch_blocks = 'report'\nClientAliveInterval = 0\n\
         ClientAliveCountMax = 3\n[path]\nhops = ['cgnat', {name = ' box ', idle = '1h'},\n\
         {name = 'b', idle = 60, tcp_keepalive = true}]\n[daemon]\nlive_interval = '1s'\n\
         resync_interval = '1d'\nreload_spacing = 600",
    );
    assert_eq!(policy.mode, Mode::Audit);
    assert_eq!(policy.sshd_config.match_blocks, MatchBlocks::Report);
    let own = |name: &str, idle, tcp_keepalive| {
        Hop::Own(OwnHop { name: name.into(), idle, tcp_keepalive })
    };
    let cgnat = hops::by_id("cgnat").map(Hop::Known).unwrap();
    assert_eq!(policy.hops, [cgnat, own("box", 3600, false), own("b", 60, true)]);
    assert_eq!(policy.live_interval, Duration::from_secs(1));
    assert_eq!(policy.resync_interval, Duration::from_secs(86_400));
    assert_eq!(policy.reload_spacing, Duration::from_secs(600));
    assert_eq!(
        policy.notices,
        [
            "p.toml:5: ClientAliveCountMax has no effect while ClientAliveInterval is 0: sshd asks nothing",
            "p.toml:7: cgnat forgets after 300 s, and an idle session is silent for 7200 s \
             (tcp_keepalive_time 7200 s)",
            "p.toml:7: box forgets after 3600 s, and hears nothing (ClientAliveInterval 0; it does \
             not count bare TCP keepalives)",
            "p.toml:7: b forgets after 60 s, and an idle session is silent for 7200 s \
             (tcp_keepalive_time 7200 s)",
        ]
    );
}

#[test]
fn instances_get_what_is_declared_for_sshd_and_strangers_nothing() {
    let policy = policy(
        "[sshd_config]\nClientAliveInterval = 60\n\n[[sshd_config.instance]]\n\
         file = \"/etc/ssh/sftp_config\"\nunit = \"sshd@sftp.service\"\n\
         [[sshd_config.instance]]\nfile = \"/etc/sftp-2\"\nunit = \"b.service\"\n",
    );
    let units: Vec<&str> = policy.sshd_instances.iter().map(|one| one.unit.as_str()).collect();
    assert_eq!(units, ["sshd@sftp.service", "b.service"]);
    assert_eq!(policy.sshd_of(None), policy.sshd_config);
    assert_eq!(policy.sshd_of(policy.sshd_instances.first()), policy.sshd_config);
    let stranger = Instance { file: "/etc/ssh/sftp_config".into(), unit: "c.service".into() };
    assert!(policy.sshd_of(Some(&stranger)).values.is_empty());
    assert_eq!(policy.notices, [""; 0]);
}

#[test]
fn instances_without_a_setting_have_no_effect() {
    let text = "[[sshd_config.instance]]\nfile = \"/etc/ssh/b\"\nunit = \"b.service\"\n[sysctl]\n\
                net.ipv4.tcp_keepalive_time = 600\n";
    let expected = "p.toml:1: an instance has no effect: no setting is declared";
    assert_eq!(policy(text).notices, [expected]);
}
