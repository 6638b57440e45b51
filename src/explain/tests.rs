use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::host::Host;
use crate::reconcile::{Resource, Value};
use crate::sshd::Keyword;
use crate::sshd::dialect::Dialect;
use crate::sshd::evaluate::evaluate;
use crate::sshd::tree::{Entry, Tree};
use crate::sysctl::boot::Boot;
use crate::sysctl::live;

/// `context value source`, then a line for each loser.
fn told(explanations: &[Explanation], name: &str) -> Vec<String> {
    let mut told = Vec::new();
    for one in explanations.iter().filter(|one| one.name == name) {
        let value = one.effective.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let source = one.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default();
        told.push(format!("{} {value} {source}{}", one.context, one.rule));
        told.extend(
            one.losers
                .iter()
                .map(|loser| format!("  {} {}: {}", loser.value, loser.source, loser.why)),
        );
    }
    told
}

fn sshd(files: &[(&str, &str)], preset: &[(Keyword, Value)]) -> Vec<Explanation> {
    let entry = |(path, text): &(&str, &str)| {
        let path = PathBuf::from(path);
        (path.clone(), Entry::File { bytes: text.as_bytes().into(), real: path })
    };
    let tree = Tree {
        main: PathBuf::from("/etc/ssh/sshd_config"),
        entries: files.iter().map(entry).collect(),
    };
    let preset: BTreeMap<Keyword, Value> = preset.iter().copied().collect();
    sshd_sources::explanations(&evaluate(&tree, &preset, &Dialect::default()), &preset)
}

#[test]
fn sshds_first_value_wins() {
    let explanations = sshd(
        &[
            (
                "/etc/ssh/sshd_config",
                "Include /etc/ssh/a.conf\nClientAliveInterval 300\nMatch User bob\nClientAliveInterval 7\n",
            ),
            ("/etc/ssh/a.conf", "# ours\nClientAliveInterval 120\n"),
        ],
        &[],
    );
    assert_eq!(
        told(&explanations, "ClientAliveInterval"),
        [
            "global 120 /etc/ssh/a.conf:2: the first value wins",
            "  7 /etc/ssh/sshd_config:4: only inside Match User bob",
            "  300 /etc/ssh/sshd_config:2: /etc/ssh/a.conf:2 comes first",
            "Match User bob 7 /etc/ssh/sshd_config:4: the first block that applies wins, and beats \
             what is outside",
            "  120 /etc/ssh/a.conf:2: a block beats what stands outside",
            "  300 /etc/ssh/sshd_config:2: a block beats what stands outside",
        ]
    );
    assert_eq!(told(&explanations, "TCPKeepAlive"), ["global yes nothing sets it: sshd's default"]);
}

#[test]
fn match_all_beats_what_is_outside_and_the_command_line_beats_files() {
    let file = "ClientAliveInterval 5\nTCPKeepAlive no\nMatch all\nClientAliveInterval 7\n";
    let explanations =
        sshd(&[("/etc/ssh/sshd_config", file)], &[(Keyword::TcpKeepAlive, Value::Bool(true))]);
    assert_eq!(
        told(&explanations, "ClientAliveInterval"),
        [
            "global 7 /etc/ssh/sshd_config:4: the first block that applies wins, and beats what is \
             outside",
            "  5 /etc/ssh/sshd_config:1: a block beats what stands outside",
        ]
    );
    assert_eq!(
        told(&explanations, "TCPKeepAlive"),
        [
            "global yes an option on sshd's command line, which beats every file",
            "  no /etc/ssh/sshd_config:2: sshd's command line beats it",
        ]
    );
}

#[test]
fn the_last_file_of_sysctl_d_wins() {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("usr/lib/systemd/systemd-sysctl", ""),
        ("etc/sysctl.d/99-z.conf", "net.ipv4.tcp_keepalive_time = 600\n"),
        ("etc/sysctl.d/50-db.conf", "#\nnet.ipv4.tcp_keepalive_time = 900\n"),
        ("usr/lib/sysctl.d/50-db.conf", "net/ipv4/tcp_keepalive_time = 1900\n"),
        ("etc/sysctl.d/60-x.conf", "net.ipv4.tcp_keepalive_probes = 600s\n"),
        ("etc/sysctl.conf", "net.ipv4.tcp_keepalive_intvl = 30\n"),
    ] {
        let path: PathBuf = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }
    let boot = Boot::default().observe(&Host::at(directory.path())).unwrap();
    let live = live::Observed {
        values: BTreeMap::from([(Key::KeepaliveTime, Ok(7200))]),
        recorded: Ok(crate::sysctl::live::Recorded::default()),
    };
    let explanations = sysctl_sources::explanations(&boot, &live);
    assert_eq!(
        told(&explanations, "net.ipv4.tcp_keepalive_time"),
        [
            "live 7200 what the kernel uses now, whoever wrote it last",
            "boot 600 /etc/sysctl.d/99-z.conf:1: the last line in the order of file names wins",
            "  900 /etc/sysctl.d/50-db.conf:2: /etc/sysctl.d/99-z.conf:1 comes later",
            "  1900 /usr/lib/sysctl.d/50-db.conf:1: masked by /etc/sysctl.d/50-db.conf",
        ]
    );
    assert_eq!(
        told(&explanations, "net.ipv4.tcp_keepalive_intvl"),
        [
            "boot - no file sets it: the kernel's default, 75",
            "procps 30 /etc/sysctl.conf:1: the last line that the kernel takes wins; \
             /etc/sysctl.conf is read last",
        ]
    );
    assert_eq!(
        told(&explanations, "net.ipv4.tcp_keepalive_probes"),
        ["boot - /etc/sysctl.d/60-x.conf:1: the kernel refuses its text: it stays 9"]
    );
}
