use super::*;

/// An event as the kernel writes it: metadata, and one record with a handle and a name.
fn event(pid: i32, handle: &[u8], name: &str) -> Vec<u8> {
    let mut record = vec![2, 0, 0, 0];
    record.extend([0; 8]);
    record.extend(u32::try_from(handle.len()).unwrap().to_ne_bytes());
    record.extend(1_i32.to_ne_bytes());
    record.extend(handle);
    record.extend(name.as_bytes());
    record.push(0);
    record.resize(record.len().next_multiple_of(4), 0);
    let length = u16::try_from(record.len()).unwrap().to_ne_bytes();
    record[2..4].copy_from_slice(&length);
    let mut bytes = u32::try_from(24 + record.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend([3, 0, 24, 0]);
    bytes.extend(8_u64.to_ne_bytes());
    bytes.extend((-1_i32).to_ne_bytes());
    bytes.extend(pid.to_ne_bytes());
    bytes.extend(record);
    bytes
}

#[test]
fn names_and_processes_are_read_from_what_the_kernel_gives() {
    let mut bytes = event(4711, &[1, 2, 3, 4, 5, 6, 7, 8], "sshd_config");
    bytes.extend(event(12, &[], "50-x.conf"));
    let expected = [("sshd_config".to_owned(), 4711), ("50-x.conf".to_owned(), 12)];
    assert_eq!(group::parse(&bytes), expected);
    // Whatever is cut off or nonsense gives nothing, and no panic.
    for length in 0..bytes.len() {
        assert!(group::parse(&bytes[..length]).len() < 2);
    }
    for at in 0..bytes.len() {
        let mut spoiled = bytes.clone();
        spoiled[at] = 0xff;
        group::parse(&spoiled);
    }
}

#[test]
fn a_process_is_described_while_it_is_there() {
    let own = process::describe(i32::try_from(std::process::id()).unwrap());
    assert!(own.command.unwrap().contains("keepalive_policy"));
    assert!(own.exe.unwrap().contains("keepalive_policy"));
    let gone = process::describe(i32::MAX);
    assert_eq!(gone.sentence(), format!("gone before it could be looked at (pid {})", i32::MAX));
}

#[test]
fn the_unit_is_the_last_one_on_the_way() {
    let table = [
        ("0::/system.slice/cron.service\n", Some("cron.service")),
        ("0::/user.slice/user-0.slice/session-3.scope\n", Some("session-3.scope")),
        ("0::/user.slice/user@0.service/app.slice/x.service/sub\n", Some("x.service")),
        ("2:cpu:/\n1:name=systemd:/system.slice/ssh.service\n0::/\n", Some("ssh.service")),
        ("1:name=systemd:/system.slice/ssh.service\n", Some("ssh.service")),
        ("0::/\n", None),
    ];
    for (cgroup, expected) in table {
        assert_eq!(process::unit(cgroup).as_deref(), expected, "{cgroup}");
    }
}

#[tokio::test]
async fn a_line_finds_who_is_behind_it_also_when_he_is_seen_later() {
    let seen = Arc::new(Seen::default());
    let event = Event {
        setting: Some("net.ipv4.tcp_keepalive_time"),
        ..Event::plain(Kind::Corrected, "sysctl")
    };
    let mut lines = Lines { events: vec![event], ..Lines::default() };
    let later = Arc::clone(&seen);
    let own = i32::try_from(std::process::id()).unwrap();
    tokio::join!(seen.find_all(&mut lines), async move {
        later.note("tcp_keepalive_probes".to_owned(), 1);
        later.note("tcp_keepalive_time".to_owned(), own);
    });
    assert_eq!(lines.events[0].writer.as_ref().unwrap().pid, Some(own));
}

#[test]
fn a_write_is_matched_with_the_file_that_decides() {
    let event = |resource, setting, source: Option<&str>| Event {
        setting: Some(setting),
        source: source.map(str::to_owned),
        ..Event::plain(Kind::Corrected, resource)
    };
    let interval = |source| event("sshd_config", "ClientAliveInterval", source);
    let time = |source| event("sysctl", "net.ipv4.tcp_keepalive_time", source);
    let table = [
        ("50-x.conf", interval(Some("/etc/ssh/sshd_config.d/50-x.conf:3")), true),
        ("sshd_config", interval(Some("/etc/ssh/sshd_config.d/50-x.conf:3")), false),
        ("00-keepalive-policy.conf", interval(None), true),
        ("tcp_keepalive_time", time(None), true),
        ("tcp_keepalive_probes", time(None), false),
        ("99-zz-keepalive-policy.conf", time(None), true),
        ("db.conf", time(Some("/etc/sysctl.d/db.conf:1")), true),
    ];
    for (entry, event, expected) in table {
        assert_eq!(concerns(entry, &event), expected, "{entry} {event:?}");
    }
}
