//! Which connections a `Match` line is meant for.

use std::collections::BTreeMap;

use keepalive_policy::host::Host;
use keepalive_policy::sshd::Keyword;
use keepalive_policy::sshd::evaluate::evaluate;
use keepalive_policy::sshd::match_criteria::Connection;
use keepalive_policy::sshd::tree::snapshot;

use super::random::Random;
use super::real::Sshd;
use super::trees;
use super::{count, first_seed};

const NAMES: [&str; 10] = ["a", "b", "ab", "ba", "aab", "bob", "B", "a.b", "abab", "b.a.ab"];
const PIECES: [&str; 12] = ["a", "b", "ab", "*", "*", "?", ".", "A", "B", "o", "**", "*?"];
const ADDRESSES: [&str; 10] = [
    "192.0.2.7",
    "192.0.2.200",
    "10.0.0.1",
    "127.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "2001:db8::1",
    "::1",
    "fe80::1:2",
    "::ffff:192.0.2.7",
];
const NETWORKS: [&str; 30] = [
    "192.0.2.0/24",
    "192.0.2.0/25",
    "192.0.2.128/25",
    "192.0.2.7",
    "192.0.2.7/32",
    "192.0.2.6/31",
    "0.0.0.0/0",
    "10/8",
    "10.0.0.0/8",
    "10.0.1",
    "0xa.0.0.1",
    "012.0.0.1",
    "4294967295",
    "3221225991",
    "192.0.2.*",
    "*.7",
    "*",
    "?.*",
    "192.0.2.300",
    "192.0.2.0/024",
    "192.0.2.0/+24",
    "2001:db8::/32",
    "2001:DB8:0::1",
    "::/0",
    "::1/128",
    "fe80::/10",
    "::ffff:192.0.2.7",
    "::ffff:192.0.2.0/120",
    "2001:db8::*",
    "name",
];
const BAD_NETWORKS: [&str; 5] = ["192.0.2.1/24", "10.0.0.0/33", "::1/64", "", "::/129"];

fn list(random: &mut Random, item: impl Fn(&mut Random) -> String) -> String {
    let items: Vec<String> = (0..=random.below(3))
        .map(|_| {
            let negated = if random.chance(30) { "!" } else { "" };
            format!("{negated}{}", item(random))
        })
        .collect();
    let end = if random.chance(4) { "," } else { "" };
    items.join(",") + end
}

fn criterion(random: &mut Random) -> String {
    let names = |random: &mut Random| {
        let pieces: Vec<&str> = (0..=random.below(3)).map(|_| random.pick(&PIECES)).collect();
        pieces.concat()
    };
    let networks = |random: &mut Random| {
        let bad = random.chance(1);
        let among: &[&str] = if bad { &BAD_NETWORKS } else { &NETWORKS };
        random.pick(among).to_owned()
    };
    match random.below(8) {
        0..3 => format!("User {}", list(random, names)),
        3 => format!("Host {}", list(random, names)),
        4..6 => format!("Address {}", list(random, networks)),
        6 => format!("LocalAddress {}", list(random, networks)),
        _ => format!("LocalPort {}", random.pick(&["22", "+22", "2222", "022", "0", "65535"])),
    }
}

#[test]
fn every_block_is_for_whom_sshd_thinks_it_is() {
    let sshd = Sshd::new();
    let dialect = sshd.dialect();
    let mut met = 0;
    for seed in first_seed()..first_seed() + count(150) {
        let mut random = Random::seeded(seed ^ 0xc417);
        let mut text = String::new();
        for block in 1..=4 {
            let mut criteria = criterion(&mut random);
            if random.chance(25) {
                criteria = format!("{criteria} {}", criterion(&mut random));
            }
            text.push_str(&format!("Match {criteria}\nClientAliveInterval {block}\n"));
        }
        let root = tempfile::tempdir().unwrap();
        let main = root.path().join("sshd_config");
        trees::put(&main, text.as_bytes());
        let found = snapshot::read(&Host::live(), &main, &[], &dialect).unwrap();
        let evaluation = evaluate(&found.tree, &BTreeMap::new(), &dialect);
        for _ in 0..3 {
            let name = |random: &mut Random| random.pick(&NAMES).to_owned();
            let (user, host) = (name(&mut random), name(&mut random));
            let address = random.pick(&ADDRESSES).to_owned();
            let local = random.pick(&ADDRESSES).to_owned();
            let port = if random.chance(50) { 22 } else { 2222 };
            let asked =
                format!("user={user},host={host},addr={address},laddr={local},lport={port}");
            let known = Connection {
                user: Some(user.into_bytes()),
                groups: Some(Vec::new()),
                host: Some(host.into_bytes()),
                address: Some(address.into_bytes()),
                local_address: Some(local.into_bytes()),
                local_port: Some(port),
                rdomain: None,
            };
            let about = format!("seed {seed}: {asked}\n{text}");
            match sshd.dump(&main, &asked) {
                Ok(dump) => {
                    assert_eq!(evaluation.refusals, [], "{about}");
                    let keyword = Keyword::ClientAliveInterval;
                    let ours = evaluation.for_connection(keyword, &known, &dialect).unwrap();
                    assert_eq!(Some(ours.value), dump.value(keyword), "{about}");
                    met += usize::from(ours.source.is_some());
                }
                Err(words) => assert_ne!(evaluation.refusals, [], "{about}{words}"),
            }
        }
    }
    println!("{met} connections met a block");
    assert!(met > 0);
}
