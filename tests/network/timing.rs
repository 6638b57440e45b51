//! What `explain` says of dead peers, held against a real sshd, a real ssh and the real kernel.
//!
//! One sshd listens at a port for each case, and `Match LocalPort` gives each its settings; the
//! kernel's values are small enough to wait for. Measured is from the last packet of the peer, or
//! where the server keeps writing from the cut.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::bed::{Network, Session, await_some};

const SYSCTLS: [(&str, u32); 4] = [
    ("net.ipv4.tcp_keepalive_time", 9),
    ("net.ipv4.tcp_keepalive_intvl", 1),
    ("net.ipv4.tcp_keepalive_probes", 2),
    ("net.ipv4.tcp_retries2", 5),
];

/// What the policy declares, and what is in force: `explain` is about the latter.
const POLICY: &str = "[ssh_config]\nServerAliveInterval = 9\n";
const CLIENT: &str = "ServerAliveInterval 2\nServerAliveCountMax 2\n";

/// Longer than anything that is measured here; what is there for as long counts as never gone.
const LIMIT: Duration = Duration::from_secs(32);

/// Port, `ClientAliveInterval`, `ClientAliveCountMax`, what becomes of the client, what the session
/// does meanwhile.
const CASES: [(u16, u32, u32, &str, &str); 9] = [
    (2201, 2, 2, "frozen", "idle"),
    (2202, 2, 2, "vanished", "idle"),
    (2203, 2, 30, "vanished", "idle"),
    (2204, 0, 3, "vanished", "idle"),
    (2205, 2, 2, "vanished", "writing"),
    (2206, 2, 0, "frozen", "idle"),
    (2207, 2, 0, "vanished", "idle"),
    (2208, 20, 2, "vanished", "idle"),
    (2209, 2, 2, "frozen", "writing"),
];
/// The session whose server hangs, and the one that lives.
const CLIENTS: u16 = 2210;
const LIVING: u16 = 2211;

#[test]
fn on_this_machine() {
    hold_against_reality(None);
}

#[test]
fn on_debian_13() {
    hold_against_reality(Some("trixie"));
}

fn hold_against_reality(suite: Option<&str>) {
    let mut network = Network::new(suite, &SYSCTLS);
    network.configure(2201..=LIVING, &blocks());
    network.configure_client(CLIENT);
    network.write_policy(POLICY);
    let explained = network.keepalive_policy("explain");
    network.start_sshd();
    let mut running: Vec<Running> =
        CASES.iter().map(|case| Running::start(&network, case)).collect();
    let mut client =
        network.session(CLIENTS, "cat", &["ServerAliveInterval=2", "ServerAliveCountMax=2"]);
    let _living = network.session(LIVING, "cat", &[]);
    for case in &mut running {
        case.lose_the_peer(&network);
    }
    client.say();
    let client_heard = Instant::now();
    network.stop_server_side(&client);
    let (mut client_gone, mut quietest) = (None, Duration::ZERO);
    let begin = Instant::now();
    await_some(LIMIT.as_secs() + 5, "the time of the test", || {
        for case in running.iter_mut().filter(|case| case.gone.is_none()) {
            case.gone = network.ss(case.port).is_none().then(|| case.since.elapsed());
        }
        if client_gone.is_none() && client.has_ended() {
            client_gone = Some(client_heard.elapsed());
        }
        quietest = quietest.max(network.last_heard(LIVING).elapsed());
        (begin.elapsed() > LIMIT).then_some(())
    });
    let mut measured: BTreeMap<String, (Json, Option<Duration>)> = BTreeMap::new();
    for (case, (port, interval, count, loss, traffic)) in running.iter().zip(CASES) {
        let said =
            noticed(&explained, &format!("to this host, Match LocalPort {port}"), loss, traffic);
        let name = format!("{interval} {count}, {traffic}, {loss}");
        measured.insert(name, (said, case.gone));
    }
    let said = noticed(&explained, "from this host", "frozen", "idle");
    measured.insert("the client, server frozen".to_owned(), (said, client_gone));
    let living = population(&explained, &format!("to this host, Match LocalPort {LIVING}"));
    measured.insert("silence".to_owned(), (living["signs"][0]["every_s"].clone(), Some(quietest)));
    for (name, (said, measured)) in &measured {
        let measured = measured.map_or(f64::NAN, |measured| measured.as_secs_f64());
        eprintln!("{}: {name}: said {said} s, measured {measured:.2} s", explained["openssh"]);
    }
    let off: Vec<String> = measured
        .iter()
        .filter(|(_, (said, measured))| !agree(said, *measured))
        .map(|(name, (said, measured))| format!("{name}: said {said}, measured {measured:?}"))
        .collect();
    assert!(off.is_empty(), "{}\n{}", explained["openssh"], off.join("\n"));
}

fn blocks() -> String {
    let blocks = CASES.iter().map(|(port, interval, count, ..)| (*port, *interval, *count));
    blocks
        .chain([(CLIENTS, 0, 3), (LIVING, 3, 3)])
        .map(|(port, interval, count)| {
            format!(
                "Match LocalPort {port}\nClientAliveInterval {interval}\nClientAliveCountMax {count}\n"
            )
        })
        .collect()
}

struct Running {
    port: u16,
    session: Session,
    frozen: bool,
    writing: bool,
    since: Instant,
    gone: Option<Duration>,
}

impl Running {
    fn start(network: &Network, (port, _, _, loss, traffic): &(u16, u32, u32, &str, &str)) -> Self {
        let writing = *traffic == "writing";
        let command = if writing { "while echo x; do sleep 0.2; done" } else { "cat" };
        Self {
            port: *port,
            session: network.session(*port, command, &[]),
            frozen: *loss == "frozen",
            writing,
            since: Instant::now(),
            gone: None,
        }
    }

    fn lose_the_peer(&mut self, network: &Network) {
        if !self.writing {
            self.session.say();
        }
        if self.frozen {
            self.session.freeze();
        } else {
            network.cut(&self.session);
        }
        self.since = if self.writing { Instant::now() } else { network.last_heard(self.port) };
    }
}

fn population<'e>(explained: &'e Json, name: &str) -> &'e Json {
    let populations = explained["sessions"].as_array().unwrap();
    // Settings that are also those outside of the blocks are not told apart.
    let global = || populations.iter().find(|population| population["sessions"] == "to this host");
    populations.iter().find(|population| population["sessions"] == name).or_else(global).unwrap()
}

/// What is said of one case.
fn noticed(explained: &Json, name: &str, loss: &str, traffic: &str) -> Json {
    let cases = population(explained, name)["dead_peer"].as_array().unwrap();
    let case = cases.iter().find(|case| case["peer"] == loss && case["session"] == traffic);
    case.unwrap()["noticed_after_s"].clone()
}

fn agree(said: &Json, measured: Option<Duration>) -> bool {
    match (said.as_f64(), measured) {
        (Some(said), Some(measured)) => (measured.as_secs_f64() - said).abs() < 1.0,
        (None, None) => said.is_null(),
        _ => false,
    }
}
