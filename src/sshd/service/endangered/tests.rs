use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Sockets, addresses, is_local};
use crate::sshd::judge::Dump;

fn set(addresses: &[&str]) -> BTreeSet<SocketAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

#[test]
fn a_load_must_not_lose_where_sshd_listens() {
    type Case<'a> = (&'a [&'a str], Option<&'a [&'a str]>, &'a [&'a str], Option<&'a str>);
    const GONE: &str = "10.9.9.9:22";
    let any = ["0.0.0.0:22", "[::]:22"];
    let cases: [Case<'_>; 9] = [
        // Nothing changed; a host without IPv6; another port or address besides.
        (&any, Some(&any), &any, None),
        (&["0.0.0.0:22"], None, &any, None),
        (&any, Some(&any), &["0.0.0.0:22", "[::]:22", "0.0.0.0:2222"], None),
        // Where the address that is not there is not listened on either.
        (&["10.0.0.1:22"], Some(&["10.0.0.1:22", GONE]), &["10.0.0.1:22", GONE], None),
        (&[GONE], Some(&[GONE]), &[GONE], Some("no interface has")),
        (&["0.0.0.0:22"], None, &["0.0.0.0:2222"], Some("does not listen on 0.0.0.0:2222")),
        // Somebody else has the new port.
        (
            &["0.0.0.0:22", "0.0.0.0:8080"],
            Some(&["0.0.0.0:22"]),
            &["0.0.0.0:8080"],
            Some("listens on 0.0.0.0:22, which it would lose, as its configuration names other"),
        ),
        (&any, Some(&any), &["10.0.0.1:22"], Some("names other addresses")),
        // Nothing can be told.
        (&any, None, &[], None),
    ];
    for (open, noted, configured, expected) in cases {
        let sockets = Sockets { open: set(open), noted: noted.map(set) };
        let lost = sockets.lost(&set(configured), |ip| ip.to_string() != "10.9.9.9");
        match expected {
            None => assert_eq!(lost, None, "{configured:?}"),
            Some(words) => assert!(lost.as_ref().unwrap().contains(words), "{lost:?}"),
        }
    }
}

#[test]
fn addresses_are_those_that_can_be_told() {
    let dump = Dump::parse(
        "listenaddress [::]:22\nlistenaddress 10.0.0.1:23 rdomain blue\nListenAddress 1.2.3.4:5\n",
        None,
    );
    assert_eq!(addresses(&dump), set(&["[::]:22", "1.2.3.4:5"]));
}

#[test]
fn the_machine_is_asked_for_its_addresses() {
    for (address, expected) in
        [("127.0.0.1", true), ("0.0.0.0", true), ("::", true), ("192.0.2.77", false)]
    {
        assert_eq!(is_local(address.parse().unwrap()), expected, "{address}");
    }
}
