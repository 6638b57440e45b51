use super::*;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        crate::sysctl::tests::write(&path, content.as_bytes());
    }
    let host = Host::at(directory.path());
    find(&host, true, &mut BTreeSet::new()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_host_without_them_has_none() {
    assert!(found(&[]).is_empty());
}

#[test]
fn tuned_is_named_with_profile_and_line() {
    let own = "[main]\nsummary=x\ninclude=base, ../evil\n[sysctl]\nvm.x=1\n";
    let base = "[sysctl]\n# a note\nnet.ipv4.tcp_keepalive_time = 300\n[vm]\n\
                net.ipv4.tcp_keepalive_intvl=1\n";
    let files = [
        ("/etc/tuned/active_profile", "mine\n"),
        ("/etc/tuned/mine/tuned.conf", own),
        ("/usr/lib/tuned/base/tuned.conf", base),
        ("/etc/evil/tuned.conf", base),
    ];
    assert_eq!(
        found(&files),
        ["/usr/lib/tuned/base/tuned.conf:3: TuneD's profile base sets \
          net.ipv4.tcp_keepalive_time to 300 whenever it is applied, after boot; by default it then \
          applies /etc/sysctl.d again"]
    );
}

#[test]
fn all_that_tuned_would_set_is_named() {
    let site = "[main]\ninclude=throughput-performance\n\n[sysctl]\n\
                net.ipv4.tcp_keepalive_intvl = >30\n";
    let db = "[variables]\nka=240\n[sysctl]\n# quoted, and from a variable\n\
              net.ipv4.tcp_keepalive_time=\"${ka}\"\n[db_sysctl]\ntype=sysctl\n\
              net.ipv4.tcp_keepalive_intvl=33\n[off]\ntype=sysctl\nenabled=0\n\
              net.ipv4.tcp_keepalive_intvl=34\n";
    let files = [
        ("/etc/tuned/active_profile", "base-site my-db\n"),
        ("/etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n"),
        ("/etc/tuned/profiles/base-site/tuned.conf", site),
        ("/etc/tuned/my-db/tuned.conf", db),
        (
            "/usr/lib/tuned/profiles/throughput-performance/tuned.conf",
            "[sysctl]\nnet.ipv4.tcp_keepalive_probes=5\nnet.core.somaxconn=>2048\n",
        ),
    ];
    let tail = "whenever it is applied, after boot; with reapply_sysctl = 0 it does not apply \
                /etc/sysctl.d again";
    assert_eq!(
        found(&files),
        [
            format!(
                "/etc/tuned/profiles/base-site/tuned.conf:5: TuneD's profile base-site raises \
                 net.ipv4.tcp_keepalive_intvl to at least 30 {tail}"
            ),
            format!(
                "/usr/lib/tuned/profiles/throughput-performance/tuned.conf:2: TuneD's profile \
                 throughput-performance sets net.ipv4.tcp_keepalive_probes to 5 {tail}"
            ),
            format!(
                "/etc/tuned/my-db/tuned.conf:5: TuneD's profile my-db sets \
                 net.ipv4.tcp_keepalive_time to 240 {tail}"
            ),
            format!(
                "/etc/tuned/my-db/tuned.conf:8: TuneD's profile my-db sets \
                 net.ipv4.tcp_keepalive_intvl to 33 {tail}"
            ),
        ]
    );
}

#[test]
fn ufw_counts_only_where_it_is_enabled() {
    let mut files = vec![
        ("/etc/default/ufw", "export IPT_SYSCTL=\"/etc/ufw/sysctl.conf\"   # why\n"),
        ("/etc/ufw/sysctl.conf", "#\nnet/ipv4/tcp_keepalive_probes=3\n"),
        ("/etc/ufw/ufw.conf", "ENABLED=no\n"),
    ];
    assert!(found(&files).is_empty());
    files[2].1 = "ENABLED=yes\n";
    assert_eq!(
        found(&files),
        ["/etc/ufw/sysctl.conf:2: ufw sets net.ipv4.tcp_keepalive_probes to 3 when the firewall \
          starts, after boot (IPT_SYSCTL in /etc/default/ufw)"]
    );
}

#[test]
fn an_encrypted_credential_is_named() {
    let found = found(&[("/etc/credstore.encrypted/sysctl.extra", "x")]);
    assert_eq!(
        found,
        [
            "/etc/credstore.encrypted/sysctl.extra: an encrypted credential, which systemd-sysctl reads \
          after every file; what it sets can't be told"
        ]
    );
}
