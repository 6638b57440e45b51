use std::io::Write;
use std::net::TcpListener;

use super::{Banner, address, check};
use crate::sshd::judge::Dump;

fn dump(lines: &str) -> Dump {
    Dump::parse(lines, None)
}

#[test]
fn the_nearest_address_is_asked() {
    let cases = [
        ("listenaddress [::]:22\nlistenaddress 0.0.0.0:22\n", Some("127.0.0.1:22")),
        ("ListenAddress [::]:2222\n", Some("[::1]:2222")),
        ("listenaddress 10.0.0.5:22\nlistenaddress 127.0.0.1:23\n", Some("127.0.0.1:23")),
        ("listenaddress 10.0.0.5:22\n", Some("10.0.0.5:22")),
        ("listenaddress 10.0.0.5:22 rdomain blue\n", None),
        ("port 22\n", None),
    ];
    for (lines, expected) in cases {
        let found = address(&dump(lines)).map(|address| address.to_string());
        assert_eq!(found.as_deref(), expected, "{lines}");
    }
}

/// What a listener that says `greeting` to one connection and hangs up is taken for.
fn speak(greeting: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let speaker = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(greeting).unwrap();
    });
    let banner = check(&dump(&format!("listenaddress {address}\n")));
    speaker.join().unwrap();
    banner.to_string().replace(&address.to_string(), "ADDRESS")
}

#[test]
fn only_a_refused_connection_counts_against_sshd() {
    let answered = speak(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n");
    assert_eq!(answered, "sshd answers on ADDRESS");
    assert_eq!(
        speak(b"Not allowed at this time\r\n"),
        "sshd's banner could not be checked (ADDRESS: connected, but was told \"Not allowed at this time\")"
    );
    assert_eq!(
        speak(b""),
        "sshd's banner could not be checked (ADDRESS: connected, but was told \"\")"
    );
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(check(&dump(&format!("listenaddress {closed}\n"))), Banner::Refused(closed));
    assert!(matches!(check(&dump("")), Banner::Unknown(_)));
}
