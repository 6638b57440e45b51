use super::*;

fn connection(local: &str, peer: &str, inode: u64, timer: Timer) -> Connection {
    Connection {
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        inode,
        timer,
        unacknowledged: 0,
        quiet: Some(Duration::from_secs(30)),
    }
}

fn keepalive(seconds: u64) -> Timer {
    Timer::Keepalive { expires: Duration::from_secs(seconds), probes: 0 }
}

fn process(pid: u32, parent: u32, title: &str, started: u64, sockets: &[(u64, u32)]) -> Holder {
    Holder {
        pid,
        parent,
        title: title.to_owned(),
        started: Some(Duration::from_secs(started)),
        sockets: sockets.iter().copied().collect(),
    }
}

const LISTENER: &str = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups";

/// Two sessions, each of a privileged and an unprivileged process; bob's is an old one, and
/// forwards a port.
fn seen() -> Seen {
    Seen {
        networks: vec![Network {
            name: None,
            connections: vec![
                connection("10.0.0.1:22", "10.0.0.9:50001", 101, keepalive(7000)),
                connection("10.0.0.1:22", "10.0.0.9:50002", 102, keepalive(550)),
                connection("10.0.0.1:41000", "10.0.0.7:5432", 103, Timer::Off),
                connection("10.0.0.1:443", "10.0.0.9:50003", 104, Timer::Off),
            ],
            keepalive_time: Some(600),
        }],
        processes: vec![
            process(10, 1, LISTENER, 1000, &[(90, 3)]),
            process(20, 10, "sshd: bob [priv]", 2000, &[(101, 4)]),
            process(21, 20, "sshd: bob@pts/0", 2001, &[(101, 4), (103, 3)]),
            process(30, 10, "sshd: root@pts/1", 5000, &[(102, 4)]),
        ],
        listeners: vec![Listener {
            unit: None,
            pid: Some(10),
            ports: BTreeSet::from([22]),
            loaded: Some(Duration::from_secs(4000)),
            tcp_keepalive: Some(true),
        }],
        now: Duration::from_secs(6000),
    }
}

fn summary(session: &Session) -> (String, Option<&str>, Option<u64>, &[Outdated], Option<String>) {
    let Session { peer, user, age, outdated, .. } = session;
    (peer.to_string(), user.as_deref(), *age, outdated, session.exposure())
}

#[test]
fn a_flood_of_connections_and_processes_costs_time_in_proportion() {
    const FLOOD: u32 = 50_000;
    let mut seen = seen();
    let own = sessions(&seen);
    for at in 0..FLOOD {
        let peer = format!("10.1.{}.{}:{}", at % 250, at / 250 % 250, 1024 + at % 60_000);
        let inode = u64::from(1_000 + at);
        seen.networks[0].connections.push(connection("10.0.0.1:22", &peer, inode, Timer::Off));
        seen.processes.push(process(1_000 + at, 999, "sshd: x [priv]", 5_000, &[(inode, 4)]));
    }
    // Each with each other one would take a minute and more.
    let begun = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let found = sessions(&seen);
    let ended = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let spent = Duration::try_from(ended).unwrap() - Duration::try_from(begun).unwrap();
    assert_eq!(found.len(), own.len() + usize::try_from(FLOOD).unwrap());
    assert!(spent < Duration::from_secs(10), "{spent:?}");
}

#[test]
fn a_session_is_found_by_its_first_process() {
    let sessions = sessions(&seen());
    let expected: [(String, _, _, &[Outdated], _); 2] = [
        (
            "10.0.0.9:50001".to_owned(),
            Some("bob"),
            Some(4000),
            &[Outdated::OpenedBeforeLoad, Outdated::TimerArmedEarlier],
            Some("until it ends".to_owned()),
        ),
        ("10.0.0.9:50002".to_owned(), Some("root"), Some(1000), &[], None),
    ];
    assert_eq!(sessions.iter().map(summary).collect::<Vec<_>>(), expected);
}

#[test]
fn a_timer_that_was_armed_earlier_is_exposed_until_it_fires() {
    let mut seen = seen();
    seen.listeners[0].loaded = None;
    let sessions = sessions(&seen);
    let bob = sessions.first().unwrap();
    assert_eq!(bob.outdated, [Outdated::TimerArmedEarlier]);
    assert_eq!(bob.exposure().as_deref(), Some("for 1 h 56 min 40 s"));
}

#[test]
fn probes_are_compared_with_what_sshd_asks_for_now() {
    for (timer, now, expected) in [
        (Timer::Off, Some(true), Some(Outdated::NoProbes)),
        (Timer::Off, Some(false), None),
        (Timer::Off, None, None),
        (keepalive(600), Some(false), Some(Outdated::Probes)),
        (keepalive(600), Some(true), None),
        (keepalive(601), None, Some(Outdated::TimerArmedEarlier)),
        (Timer::Retransmission { expires: Duration::ZERO, retries: 3 }, Some(true), None),
    ] {
        let mut seen = seen();
        (seen.listeners[0].loaded, seen.listeners[0].tcp_keepalive) = (None, now);
        seen.networks[0].connections = vec![connection("10.0.0.1:22", "10.0.0.9:1", 101, timer)];
        let sessions = sessions(&seen);
        let outdated = &sessions.first().unwrap().outdated;
        assert_eq!(outdated.first().copied(), expected, "{timer:?} {now:?}");
    }
}

#[test]
fn of_several_sockets_the_one_at_sshds_port_is_the_sessions() {
    let mut seen = seen();
    seen.processes = vec![process(30, 10, "sshd: root@pts/1", 1, &[(103, 3), (102, 5)])];
    let sessions = sessions(&seen);
    assert_eq!(sessions[0].peer.port(), 50_002);
    // A listener that is gone, or one of a socket unit with a port of its own.
    let mut other = seen;
    other.listeners[0].ports.clear();
    assert_eq!(super::sessions(&other)[0].peer.port(), 5432);
}

/// Not root: no process shows its sockets.
#[test]
fn a_hidden_session_is_known_by_its_port() {
    let mut seen = seen();
    for process in &mut seen.processes {
        process.sockets.clear();
    }
    let sessions = sessions(&seen);
    let peers: Vec<u16> = sessions.iter().map(|session| session.peer.port()).collect();
    assert_eq!(peers, [50_001, 50_002]);
    assert!(sessions.iter().all(|session| session.user.is_none() && session.age.is_none()));
}

/// An instance in a network namespace of its own, at the same port as the host's own sshd.
#[test]
fn a_session_is_judged_by_the_sshd_that_took_it() {
    let mut seen = seen();
    seen.listeners.push(Listener {
        unit: Some("sftp.service".to_owned()),
        pid: Some(40),
        ports: BTreeSet::from([22]),
        loaded: Some(Duration::from_secs(1)),
        tcp_keepalive: Some(false),
    });
    seen.networks.push(Network {
        name: Some("blue".to_owned()),
        connections: vec![connection("10.1.0.1:22", "10.1.0.9:50004", 105, keepalive(900))],
        keepalive_time: Some(1000),
    });
    seen.processes.push(process(50, 40, "sshd: carol [priv]", 3000, &[(105, 4)]));
    let sessions = sessions(&seen);
    let carol = sessions.iter().find(|session| session.user.as_deref() == Some("carol")).unwrap();
    assert_eq!(
        (carol.unit.as_deref(), carol.netns.as_deref()),
        (Some("sftp.service"), Some("blue"))
    );
    assert_eq!(carol.outdated, [Outdated::Probes]);
    let root = sessions.iter().find(|session| session.user.as_deref() == Some("root")).unwrap();
    assert_eq!((&root.unit, &root.netns), (&None, &None));
    assert_eq!(root.outdated, []);
}
