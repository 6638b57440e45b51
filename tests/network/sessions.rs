//! What `sessions` lists, held against `ss -tno`; and which sessions it calls outdated.

use serde_json::Value as Json;

use crate::bed::Network;

const PORTS: std::ops::RangeInclusive<u16> = 2301..=2303;

/// `timer:(keepalive,59min,0)` of `ss -o`, in seconds: it rounds down, to minutes above one.
fn keepalive_of_ss(text: &str) -> Option<(f64, f64)> {
    let (_, timer) = text.split_once("timer:(keepalive,")?;
    let (left, _) = timer.split_once(',')?;
    let mut from = 0.0;
    let mut precision = 0.001;
    let mut number = String::new();
    let mut letters = String::new();
    let mut add = |number: &mut String, letters: &mut String| {
        let unit = match letters.as_str() {
            "min" => 60.0,
            "sec" => 1.0,
            "ms" => 0.001,
            _ => return,
        };
        from += number.parse::<f64>().unwrap() * unit;
        precision = unit;
        number.clear();
        letters.clear();
    };
    for c in left.chars() {
        if c.is_ascii_alphabetic() {
            letters.push(c);
        } else {
            add(&mut number, &mut letters);
            number.push(c);
        }
    }
    add(&mut number, &mut letters);
    Some((from, from + precision))
}

fn find(sessions: &Json, port: u16) -> &Json {
    let sessions = sessions["sessions"].as_array().unwrap();
    let found = sessions.iter().find(|session| {
        session["local"].as_str().is_some_and(|local| local.ends_with(&format!(":{port}")))
    });
    found.unwrap_or_else(|| panic!("no session at {port}: {sessions:?}"))
}

fn outdated(session: &Json) -> Vec<&str> {
    session["outdated"].as_array().unwrap().iter().map(|why| why.as_str().unwrap()).collect()
}

#[test]
fn sessions_are_those_of_ss() {
    let mut network = Network::new(None, &[("net.ipv4.tcp_keepalive_time", 3000)]);
    network.configure(PORTS, "TCPKeepAlive yes\n");
    network.write_policy("");
    network.start_sshd();
    let mut idle = network.session(2301, "cat", &["LocalForward=2399 127.0.0.1:2303"]);
    // Through the session to sshd itself: a socket more in a process that has one already, and a
    // session before its login.
    let mut forwarded = network.connect_to_self(2399);
    let busy = network.session(2302, "read -r; while echo x; do sleep 0.1; done", &[]);
    idle.say();
    network.cut(&busy);
    busy.type_line();
    crate::bed::await_some(10, "unacknowledged output", || {
        network.ss(2302).filter(|text| text.contains("timer:(on,"))
    });
    let sessions = network.keepalive_policy("sessions");
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 3, "{sessions}");
    assert_eq!(find(&sessions, 2303)["user"], Json::Null);
    for session in [&idle, &busy] {
        let found = find(&sessions, session.port);
        let ss = network.ss(session.port).unwrap();
        let ends: Vec<&str> = ss.split_whitespace().skip(2).take(2).collect();
        assert_eq!([&found["local"], &found["peer"]], [ends[0], ends[1]], "{ss}");
        assert_eq!(found["user"], "root");
        assert!(found["age_s"].as_u64().is_some_and(|age| age < 60), "{found}");
    }
    let (from, to) = keepalive_of_ss(&network.ss(2301).unwrap()).unwrap();
    let found = find(&sessions, 2301);
    let expires = found["timer_expires_s"].as_f64().unwrap();
    assert_eq!(found["timer"], "keepalive");
    assert!((from - 1.0..=to + 1.0).contains(&expires), "{from} to {to}, {expires}");
    assert_eq!(found["unacknowledged"], 0);
    let found = find(&sessions, 2302);
    assert_eq!(found["timer"], "retransmission");
    assert!(found["unacknowledged"].as_u64().is_some_and(|bytes| bytes > 0), "{found}");
    forwarded.kill().unwrap();
    forwarded.wait().unwrap();
}

#[test]
fn sessions_from_before_are_told_apart() {
    let mut network = Network::new(None, &[("net.ipv4.tcp_keepalive_time", 3000)]);
    network.configure(PORTS, "TCPKeepAlive no\n");
    network.write_policy("");
    network.start_sshd();
    let mut without = network.session(2301, "cat", &[]);
    network.next_second();
    network.configure(PORTS, "TCPKeepAlive yes\n");
    network.reload_sshd();
    let mut slow = network.session(2302, "cat", &[]);
    slow.say();
    without.say();
    network.set("net.ipv4.tcp_keepalive_time", 60);
    let mut current = network.session(2303, "cat", &[]);
    current.say();
    let sessions = network.keepalive_policy("sessions");
    let without = find(&sessions, 2301);
    assert_eq!(outdated(without), ["opened-before-load", "no-probes"]);
    assert_eq!(without["timer"], "off");
    assert_eq!(without["exposed_for_s"], Json::Null);
    let slow = find(&sessions, 2302);
    assert_eq!(outdated(slow), ["timer-armed-earlier"]);
    assert!(slow["exposed_for_s"].as_f64().is_some_and(|left| (2900.0..=3000.0).contains(&left)));
    let current = find(&sessions, 2303);
    assert_eq!(outdated(current), [""; 0]);
    assert!(current["timer_expires_s"].as_f64().is_some_and(|left| left <= 60.0), "{current}");
}

/// A second sshd, and namespaces seen from outside.
#[test]
fn sessions_of_instances_and_of_named_namespaces_are_listed() {
    let mut network = Network::new(None, &[("net.ipv4.tcp_keepalive_time", 1234)]);
    network.configure(2301..=2302, "TCPKeepAlive yes\n");
    network.write_policy(
        "[[sshd_config.instance]]\nfile = '/etc/ssh/sftp_config'\nunit = 'kp-sftp.service'\n",
    );
    network.start_sshd();
    network.start_instance("sftp_config", 2303, "TCPKeepAlive no\n");
    let _own = network.session(2301, "cat", &[]);
    let _instances = network.session(2303, "cat", &[]);
    let sessions = network.keepalive_policy("sessions");
    let (own, instances) = (find(&sessions, 2301), find(&sessions, 2303));
    assert_eq!((&own["unit"], &own["timer"]), (&Json::Null, &"keepalive".into()));
    assert_eq!(
        (&instances["unit"], &instances["timer"]),
        (&"kp-sftp.service".into(), &"off".into())
    );
    // By the host's own TCPKeepAlive it would be called outdated.
    assert_eq!(outdated(instances), [""; 0], "{instances}");
    let (name, mut sessions) = network.sessions_from_outside();
    // Other tests run beside this one, in namespaces of their own.
    let all = sessions["sessions"].as_array_mut().expect("a list");
    all.retain(|one| one["netns"] == name.as_str());
    let own = find(&sessions, 2301);
    assert_eq!(own["user"], "root", "{own}");
    assert!(own["timer_expires_s"].as_f64().is_some_and(|left| left <= 1234.0), "{own}");
}
