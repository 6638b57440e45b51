use std::path::Path;

use super::*;
use crate::policy;

const POLICY: &str = "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
                      net.ipv4.tcp_keepalive_intvl = 75\nnet.ipv4.tcp_keepalive_probes = 9\n\
                      [ssh_config]\nServerAliveInterval = 150\nServerAliveCountMax = 4\nTCPKeepAlive = true\n";

fn rendered(target: Target) -> Vec<u8> {
    render(target, &policy::parse(POLICY.as_bytes(), Path::new("p.toml")).unwrap()).unwrap()
}

fn text(target: Target) -> String {
    String::from_utf8(rendered(target)).unwrap()
}

/// The settings alone, without comments.
fn settings(target: Target) -> Vec<String> {
    let comment = |line: &&str| !line.starts_with([';', '#']);
    text(target).lines().filter(comment).map(str::to_owned).collect()
}

#[test]
fn each_client_gets_its_own_names_and_units() {
    assert_eq!(
        settings(Target::Openssh),
        [
            "Host *",
            "    ServerAliveInterval 150",
            "    ServerAliveCountMax 4",
            "    TCPKeepAlive yes"
        ]
    );
    assert_eq!(
        settings(Target::SecureCrt),
        ["D:\"Idle NO-OP Check\"=00000001", "D:\"Idle NO-OP Timeout\"=00000096"]
    );
    assert_eq!(settings(Target::TeraTerm), ["[TTSSH]", "HeartBeat=150"]);
    assert_eq!(settings(Target::MobaXterm), ["[SSH]", "SSHKeepAlive2=1"]);
    assert!(text(Target::WindowsOpenssh).contains("Host *\r\n    ServerAliveInterval 150\r\n"));
}

#[test]
fn registry_files_are_as_regedit_writes_them() {
    for (target, expected) in [
        (
            Target::Putty,
            "[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\Default%20Settings]\r\n\
             \"PingInterval\"=dword:00000002\r\n\"PingIntervalSecs\"=dword:0000001e\r\n\
             \"TCPKeepalives\"=dword:00000001\r\n\r\n",
        ),
        (
            Target::Winscp,
            "[HKEY_CURRENT_USER\\Software\\Martin Prikryl\\WinSCP 2\\Sessions\\Default%20Settings]\r\n\
             \"PingType\"=dword:00000001\r\n\"PingInterval\"=dword:00000002\r\n\
             \"PingIntervalSecs\"=dword:0000001e\r\n\r\n",
        ),
        (
            Target::WindowsTcp,
            "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters]\r\n\
             \"KeepAliveTime\"=dword:000927c0\r\n\"KeepAliveInterval\"=dword:000124f8\r\n\r\n",
        ),
    ] {
        let bytes = rendered(target);
        assert!(bytes.starts_with(b"\xff\xfeW\0i\0n\0"));
        let units: Vec<u16> =
            bytes.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        let text = String::from_utf16(&units[1..]).unwrap();
        assert!(text.starts_with("Windows Registry Editor Version 5.00\r\n\r\n; "));
        assert!(text.ends_with(expected), "{text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }
}

#[test]
fn every_export_says_where_it_goes_what_it_does_and_how_sure_that_is() {
    use clap::ValueEnum;
    for target in Target::value_variants() {
        let text: String =
            rendered(*target).iter().filter(|byte| **byte != 0).map(|b| char::from(*b)).collect();
        for words in ["Where: ", "On the wire: ", "How sure: "] {
            assert!(text.contains(words), "{target:?} lacks {words}");
        }
    }
}

#[test]
fn what_the_policy_lacks_is_named() {
    let empty = policy::parse(b"", Path::new("p.toml")).unwrap();
    assert_eq!(render(Target::Putty, &empty), Err(Missing::Interval));
    assert_eq!(render(Target::WindowsTcp, &empty), Err(Missing::Times));
}
