use std::io::Read;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::{ListeningSocket, Process, has_network, listening, outer_unit_of, unit_of};

#[test]
fn a_name_may_hold_brackets_and_blanks() {
    let stat = "51 (ss) (hd) S 1 51 51 0 -1 4194560 1146 0 0 0 2 0 0 0 20 0 1 0 131494 15826944";
    let process = Process::parse(51, stat).unwrap();
    assert_eq!((process.name.as_str(), process.started), ("ss) (hd", 131_494));
}

#[test]
fn a_zombie_has_ended() {
    let stat = "51 (sshd) Z 1 51 51 0 -1 4194560 1146 0 0 0 2 0 0 0 20 0 1 0 131494 0";
    assert_eq!(Process::parse(51, stat), None);
}

#[test]
fn this_process_is_alive_and_began_before_now() {
    let process = Process::find(std::process::id()).unwrap();
    assert!(process.is_alive());
    assert!(!Process { started: process.started + 1, ..process.clone() }.is_alive());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = i64::try_from(now.as_secs()).unwrap() - process.started_at().unwrap();
    assert!((0..3600).contains(&age), "{age}");
}

#[test]
fn a_listening_socket_of_ours_is_found() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let process = Process::find(std::process::id()).unwrap();
    assert_eq!(process.listening().iter().filter(|found| found.port == port).count(), 1);
}

#[test]
fn other_users_sockets_are_passed_over() {
    let line = |port: u16, owner: u32, inode: u64| {
        format!("0: 00000000:{port:04X} 00000000:0000 0A 0:0 0:0 0 {owner} 0 {inode} 1 0 100\n")
    };
    let table: String = (0..100_000).map(|at| line(2000, 1001, at)).collect();
    let table = format!("title\n{table}{}{}", line(22, 0, 7), line(23, 1000, 8));
    let found: Vec<u16> =
        listening(table.as_bytes(), 1000).iter().map(|socket| socket.port).collect();
    assert_eq!(found, [22, 23]);
}

#[test]
fn a_network_is_more_than_the_loopback_interface() {
    let titles = "Inter-|   Receive\n face |bytes\n    lo:       0       0\n";
    assert!(!has_network(titles) && !has_network(""));
    assert!(has_network(&format!("{titles}  eth0: 1 2\n")));
    // Cut off in the middle of the next name.
    assert!(has_network(&format!("{titles}  eth0: 1 2\n  et")));
}

#[test]
fn only_listening_sockets_are_taken() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31379 1 00000000e839f6e8 100 0 0 10 0
   1: 0100007F:0016 0100007F:A2C4 01 00000000:00000000 02:000AF0D1 00000000     0        0 31400 2 00000000b8ea2126 20 4 1 10 -1
";
    let any = std::net::Ipv4Addr::UNSPECIFIED.into();
    assert_eq!(
        listening(table.as_bytes(), 1000),
        [ListeningSocket { inode: 31379, address: any, port: 22 }]
    );
}

#[test]
fn listening_sockets_have_their_addresses() {
    let process = Process::find(std::process::id()).unwrap();
    for address in ["127.0.0.2:0", "[::1]:0"] {
        let socket = std::net::TcpListener::bind(address).unwrap();
        let bound = socket.local_addr().unwrap();
        let is_it = |found: &&ListeningSocket| found.port == bound.port();
        let listening = process.listening();
        assert_eq!(listening.iter().find(is_it).unwrap().address, bound.ip());
    }
}

#[test]
fn the_unit_is_found_in_every_hierarchy() {
    let cases = [
        ("0::/system.slice/ssh.service\n", Some("ssh.service")),
        (
            "9:name=systemd:/\n8:pids:/\n0::/kp/payload/system.slice/sshd.service\n",
            Some("sshd.service"),
        ),
        ("8:pids:/\n1:name=systemd:/system.slice/sshd.service\n0::/\n", Some("sshd.service")),
        ("0::/user.slice/user-0.slice/session-1.scope\n", None),
        ("0::/\n", None),
    ];
    for (text, unit) in cases {
        assert_eq!(unit_of(text).as_deref(), unit, "{text}");
    }
}

#[test]
fn what_runs_in_a_container_is_known_by_the_unit_around_it() {
    let cases = [
        ("0::/system.slice/docker-3f2a.scope\n", Some("docker-3f2a.scope")),
        (
            "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service\n",
            Some("systemd-nspawn@web.service"),
        ),
        ("0::/\n", None),
    ];
    for (text, unit) in cases {
        assert_eq!(outer_unit_of(text).as_deref(), unit, "{text}");
    }
}

#[test]
fn root_is_who_has_all_four_ids() {
    for (status, expected) in [
        ("Name:\tsshd\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n", true),
        ("Uid:\t1000\t0\t0\t0\n", false),
        ("Uid:\t0\t0\t1000\t0\n", false),
        ("Name:\tUid:\t0\t0\t0\t0\n", false),
        ("Uid:\t0\t0\t0\n", false),
        ("", false),
    ] {
        assert_eq!(super::is_roots(status), expected, "{status:?}");
    }
}

#[test]
fn a_process_was_not_started_before_it_was() {
    let own = Process::find(std::process::id()).unwrap();
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
    assert!(own.was_started_by(now));
    let child = Process { started: own.started + 500, ..own };
    assert!(!child.was_started_by(Duration::from_millis(child.started * 10 - 300)));
}

#[test]
fn a_control_group_is_the_whole_path() {
    let group = "/system.slice/ssh.service";
    for (text, expected) in [
        ("0::/system.slice/ssh.service\n", true),
        ("9:pids:/x\n1:name=systemd:/system.slice/ssh.service\n0::/\n", true),
        ("0::/system.slice/ssh.service/part\n", true),
        ("0::/system.slice/ssh.service2\n", false),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service\n", false),
        ("0::/\n", false),
        ("", false),
    ] {
        assert_eq!(super::is_in_control_group(text, group), expected, "{text:?}");
        assert!(!super::is_in_control_group(text, ""));
        assert!(!super::is_in_control_group(text, "/"));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a process of the test's own")]
fn a_command_line_of_more_than_a_megabyte_is_not_read() {
    let word = "x".repeat(100_000);
    for (words, is_read) in [(1, true), (11, false)] {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo; read wait", "sh"])
            .args(vec![word.as_str(); words])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Once it is spawned the kernel may still be about to give it its command line.
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let process = Process::find(child.id()).unwrap();
        assert_eq!(process.command_line().len() > 100_000, is_read, "{words}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
