use std::io::{Read, Write};
use std::net::TcpListener;

use super::{Banner, Probe, check, own_address, probe};
use crate::sshd::judge::Dump;

fn dump(lines: &str) -> Dump {
    Dump::parse(lines, None)
}

#[test]
fn only_what_harms_no_one_is_asked() {
    let any = "listenaddress [::]:22\nlistenaddress 0.0.0.0:22\n";
    let penalties = "persourcepenalties crash:90 authfail:5 noauth:60 max:600 min:1\n";
    let cases = [
        (any.to_owned(), Ok(("127.0.0.1:22", true))),
        ("ListenAddress [::]:2222\n".to_owned(), Ok(("[::1]:2222", false))),
        (
            "listenaddress 10.0.0.5:22\nlistenaddress 127.0.0.2:23\n".to_owned(),
            Ok(("127.0.0.2:23", true)),
        ),
        ("listenaddress 10.0.0.5:22\n".to_owned(), Err("listens on no loopback address")),
        ("listenaddress 127.0.0.1:22 rdomain blue\n".to_owned(), Err("no loopback address")),
        ("port 22\n".to_owned(), Err("no loopback address")),
        (
            format!("{any}persourcepenalties no\npersourcemaxstartups none\n"),
            Ok(("127.0.0.1:22", true)),
        ),
        (format!("{any}{penalties}persourcenetblocksize 32:128\n"), Ok(("127.0.0.1:22", true))),
        (format!("{any}{penalties}persourcenetblocksize 16:64\n"), Ok(("127.0.0.1:22", true))),
        (
            format!("{any}{penalties}persourcenetblocksize 8:64\n"),
            Err("PerSourcePenalties with this"),
        ),
        // What can't be told harms, perhaps.
        (format!("{any}{penalties}"), Err("PerSourcePenalties with this")),
        (
            format!("{any}persourcemaxstartups 3\npersourcenetblocksize 0:0\n"),
            Err("PerSourceMaxStartups with this PerSourceNetBlockSize"),
        ),
        (
            format!("listenaddress [::]:22\n{penalties}persourcenetblocksize 32:128\n"),
            Err("PerSourcePenalties would count it against [::1]"),
        ),
    ];
    for (lines, expected) in cases {
        match (probe(&dump(&lines)), expected) {
            (Ok(Probe { address, from_own }), Ok(wanted)) => {
                assert_eq!((address.to_string().as_str(), from_own), wanted, "{lines}");
            }
            (Err(reason), Err(words)) => assert!(reason.contains(words), "{reason}"),
            (found, _) => panic!("{lines}: {found:?}"),
        }
    }
}

#[test]
fn our_address_is_another_one_each_time() {
    let addresses: std::collections::BTreeSet<_> = (0..50).map(|_| own_address()).collect();
    assert!(addresses.len() > 40);
    assert!(addresses.iter().all(|address| address.to_string().starts_with("127.107.")));
}

/// What a listener that says `greeting` to one connection and hangs up is taken for.
fn speak(greeting: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let speaker = std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        stream.write_all(greeting).unwrap();
        if greeting.starts_with(b"SSH-") {
            let mut line = [0; 26];
            stream.read_exact(&mut line).unwrap();
            assert_eq!(&line, b"SSH-2.0-keepalive_policy\r\n");
        }
        peer.ip().to_string()
    });
    let banner = check(&dump(&format!("listenaddress {address}\n")));
    assert!(speaker.join().unwrap().starts_with("127.107."));
    banner.to_string().replace(&address.to_string(), "ADDRESS")
}

#[test]
fn only_a_refused_connection_counts_against_sshd() {
    let unchecked = "sshd listens, but its answer could not be checked (ADDRESS: ";
    for (greeting, reason) in [
        (
            &b"Not allowed at this time\r\n"[..],
            "connected, but was told \"Not allowed at this time\")",
        ),
        (b"", "connected, but was told \"\")"),
        (
            b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14\0\0\0\0\0\0\0\0\0\0",
            "the answer is no SSH_MSG_KEXINIT)",
        ),
        (b"SSH-2.0-x\r\n\xff\xff\xff\xff", "the answer is no packet of SSH)"),
    ] {
        assert_eq!(speak(greeting), format!("{unchecked}{reason}"));
    }
    assert!(speak(b"SSH-2.0-x\r\n").starts_with(unchecked));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(check(&dump(&format!("listenaddress {closed}\n"))), Banner::Refused(closed));
    assert!(matches!(check(&dump("")), Banner::NotTried(_)));
}
