use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

/// The connection with this local address.
fn of(stream: &TcpStream) -> Connection {
    let local = stream.local_addr().unwrap();
    established()
        .unwrap()
        .into_iter()
        .find(|connection| connection.local.port() == local.port())
        .unwrap_or_else(|| panic!("{local} is not listed"))
}

fn pair(listen: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(listen).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn connections_of_both_families_are_listed_with_their_ends() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let (client, server) = pair(listen);
        let found = of(&client);
        assert_eq!(found.local, client.local_addr().unwrap());
        assert_eq!(found.peer, server.local_addr().unwrap());
        assert!(found.inode > 0);
        assert_eq!(found.timer, Timer::Off);
        assert_eq!(found.unacknowledged, 0);
    }
}

#[test]
fn an_address_of_ipv4_in_one_of_ipv6_is_shown_as_such() {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (_server, _) = listener.accept().unwrap();
    let peer = client.local_addr().unwrap();
    let found = established().unwrap().into_iter().find(|found| found.peer == peer);
    assert_eq!(found.unwrap().local.ip(), Ipv4Addr::LOCALHOST);
}

#[test]
fn a_keepalive_shows_when_it_fires() {
    let (client, _server) = pair("127.0.0.1:0");
    rustix::net::sockopt::set_tcp_keepidle(&client, Duration::from_secs(1000)).unwrap();
    rustix::net::sockopt::set_socket_keepalive(&client, true).unwrap();
    let Timer::Keepalive { expires, probes: 0 } = of(&client).timer else {
        panic!("{:?}", of(&client).timer)
    };
    assert!((990..=1000).contains(&expires.as_secs()), "{expires:?}");
}

#[test]
fn data_that_nobody_reads_is_unacknowledged_in_the_end() {
    let (mut client, mut server) = pair("127.0.0.1:0");
    client.set_nonblocking(true).unwrap();
    let block = [0; 65_536];
    while client.write(&block).is_ok() {}
    assert!(of(&client).unacknowledged > 0);
    assert!(of(&server).quiet.unwrap() < Duration::from_secs(60));
    let mut byte = [0];
    server.read_exact(&mut byte).unwrap();
}

#[test]
fn torn_answers_are_no_reason_to_panic() {
    let mut message = Vec::new();
    message.extend(88_u32.to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.resize(88, 0);
    message[HEADER] = AF_INET;
    let mut found = Vec::new();
    assert!(!parse(&message, &mut found).unwrap());
    assert_eq!(found.len(), 1);
    for length in 0..message.len() {
        let mut found = Vec::new();
        assert!(!parse(&message[..length], &mut found).unwrap());
        assert_eq!(found, [], "{length}");
    }
    for length in [0_u32, 3, 15, u32::MAX] {
        message[..4].copy_from_slice(&length.to_ne_bytes());
        assert!(!parse(&message, &mut Vec::new()).unwrap());
    }
}

#[test]
fn the_kernels_refusal_is_an_error() {
    let mut message = Vec::new();
    message.extend(20_u32.to_ne_bytes());
    message.extend(NLMSG_ERROR.to_ne_bytes());
    message.resize(HEADER, 0);
    message.extend((-1_i32).to_ne_bytes());
    assert_eq!(
        parse(&message, &mut Vec::new()).unwrap_err().kind(),
        io::ErrorKind::PermissionDenied
    );
}
