//! What is valid and still worth a word, and objectives.

use super::*;

fn notices(text: &str) -> Vec<String> {
    policy(text).notices
}

#[test]
fn a_count_of_zero_is_said_to_keep_dead_sessions() {
    assert_eq!(
        notices("[sshd_config]\nnever_disconnect = true\nClientAliveCountMax = 0\n"),
        ["p.toml:3: ClientAliveCountMax 0: sshd never gives up a client whose kernel still \
             answers; one that vanished is left to net.ipv4.tcp_retries2"]
    );
}

#[test]
fn tuned_sysctls_without_tcp_keepalive_are_for_others() {
    let sysctl = "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n";
    assert_eq!(
        notices(&format!("{sysctl}[sshd_config]\nTCPKeepAlive = 'no'\n")),
        ["p.toml:4: TCPKeepAlive is off, so sshd's connections take no part in what [sysctl] \
             declares: that is then for other programs only"]
    );
    assert_eq!(notices(&format!("{sysctl}[sshd_config]\nTCPKeepAlive = 'yes'\n")), [""; 0]);
    assert_eq!(notices("[sshd_config]\nTCPKeepAlive = 'no'\n"), [""; 0]);
}

#[test]
fn giving_up_within_a_minute_is_hasty() {
    let notices = notices(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 20\nnet.ipv4.tcp_keepalive_intvl = 10\n\
         net.ipv4.tcp_keepalive_probes = 3\n[sshd_config]\nClientAliveInterval = 5\n\
         ClientAliveCountMax = 3\n",
    );
    assert_eq!(
        notices,
        [
            "p.toml:2: a peer counts as dead after less than a minute (tcp_keepalive_time 20 + \
             tcp_keepalive_probes 3 * tcp_keepalive_intvl 10 = 50 s): on a path that loses packets \
             for as long, live sessions are cut",
            "p.toml:6: a peer counts as dead after less than a minute (2 * ClientAliveInterval 5 * \
             (ClientAliveCountMax 3 + 1) = 40 s: OpenSSH 9.2 asks at twice the interval): on a \
             path that loses packets for as long, live sessions are cut",
        ]
    );
    for count in [6, 5] {
        let text = format!("[sshd_config]\nClientAliveInterval = 5\nClientAliveCountMax = {count}");
        assert_eq!(super::policy(&text).notices.len(), usize::from(count < 5), "{count}");
    }
}

#[test]
fn a_client_that_speaks_first_keeps_sshd_from_asking() {
    let text = "[sshd_config]\nClientAliveInterval = 120\n[ssh_config]\nServerAliveInterval = 60\n";
    let message = "p.toml:4: ServerAliveInterval 60 is below ClientAliveInterval 120: a client \
                   that is set like this always speaks first, so that sshd never asks it while it \
                   lives";
    assert!(notices(text).iter().any(|notice| notice == message), "{:?}", notices(text));
    let same = text.replace("60", "120");
    assert!(!notices(&same).iter().any(|notice| notice.contains("speaks first")));
}

#[test]
fn a_silence_that_a_hop_does_not_forgive_is_said() {
    let on_path = |interval: u32, hops: &str| {
        notices(&format!(
            "[sshd_config]\nClientAliveInterval = {interval}\n[path]\nhops = [{hops}]"
        ))
    };
    assert_eq!(on_path(120, "'aws-nlb'"), [""; 0]);
    assert_eq!(
        on_path(150, "'aws-nlb', 'azure-lb'"),
        [
            "p.toml:4: aws-nlb forgets after 350 s, and a silence of 300 s (2 * ClientAliveInterval \
             150 = 300 s, as OpenSSH 9.2 does) uses more than 75 % of that",
            "p.toml:4: azure-lb forgets after 240 s, and an idle session is silent for 300 s (2 * \
             ClientAliveInterval 150 = 300 s, as OpenSSH 9.2 does)",
        ]
    );
    assert_eq!(
        on_path(0, "'aws-clb'"),
        ["p.toml:4: aws-clb forgets after 60 s, and hears nothing (ClientAliveInterval 0; it \
             does not count bare TCP keepalives)"]
    );
    assert_eq!(
        notices("[sysctl]\nnet.ipv4.tcp_keepalive_time = 200\n[path]\nhops = ['aws-nlb']"),
        [""; 0]
    );
    assert_eq!(
        notices("[path]\nhops = ['aws-nlb']"),
        [
            "p.toml: nothing is declared in [sysctl], [sshd_config] or [ssh_config]: nothing is managed",
            "p.toml:2: nothing that is declared here breaks the silence on this path",
        ]
    );
}

/// The release that `parse` supposes asks at twice the interval.
#[test]
fn an_objective_declares_what_follows_from_it() {
    let policy = policy("[objective]\nsurvive_idle = '350s'\nnotice_dead_peer = '10m'\n");
    assert_eq!(
        policy.sshd_config.values.into_iter().collect::<Vec<_>>(),
        [
            (Keyword::ClientAliveInterval, Value::Number(75)),
            (Keyword::ClientAliveCountMax, Value::Number(3)),
        ]
    );
    assert_eq!(
        policy.notices.first().map(String::as_str),
        Some("p.toml:2: [objective] makes it ClientAliveInterval = 75 and ClientAliveCountMax = 3")
    );
    assert_eq!(policy.notices.len(), 4, "{:?}", policy.notices);
}

#[test]
fn an_objective_yields_to_what_is_set() {
    let text = "[objective]\nsurvive_idle = 350\n[sshd_config]\nClientAliveInterval = 300\n";
    let policy = policy(text);
    assert_eq!(
        policy.sshd_config.values.into_iter().collect::<Vec<_>>(),
        [(Keyword::ClientAliveInterval, Value::Number(300))]
    );
    assert_eq!(
        policy.notices,
        [
            "p.toml:2: [objective] changes nothing: what it needs is set explicitly",
            "p.toml:2: survive_idle is not met by what is set explicitly: 2 * ClientAliveInterval \
             300 = 600 s, as OpenSSH 9.2 does; safe is 75 % of survive_idle 350 s = 262 s",
        ]
    );
}

#[test]
fn an_impossible_objective_is_refused_where_it_stands() {
    assert_eq!(
        refused(
            "[objective]\nnotice_dead_peer = '10m'\n[sshd_config]\nClientAliveInterval = 400\n"
        ),
        "p.toml:2:20: `notice_dead_peer` can't be reached: with ClientAliveInterval 400 sshd takes \
         at least 1600 s (2 * ClientAliveInterval 400 * (ClientAliveCountMax 1 + 1) = 1600 s: \
         OpenSSH 9.2 asks at twice the interval)\n\
         notice_dead_peer = '10m'\n                   ^~~~~"
    );
    assert_eq!(
        refused("[objective]\nsurvive_idle = 2\n").lines().next(),
        Some(
            "p.toml:2:16: `survive_idle` can't be reached: 75 % of 2 s is less than the 2 s \
             between two questions that OpenSSH 9.2 needs at least"
        )
    );
    assert!(refused("[objective]\nsurvive_idle = 0\n").contains("use 1 to 2147483647 s"));
    assert!(refused("[objective]\nsurvive = 9\n").contains("did you mean `survive_idle`?"));
}
