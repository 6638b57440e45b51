use super::alive::Side;
use super::budget::{Verdict, budget, interval_for};
use super::dead_peer::{DeadPeer, Loss, Traffic};
use super::silence::{longest, signs};
use super::*;
use crate::hops;
use crate::policy::{Hop, OwnHop};

const BOOKWORM: Release = Release(9, 2);
const TRIXIE: Release = Release(10, 0);

fn server(release: Release, interval: u32, count: u32) -> End {
    End { tcp_keepalive: true, alive: Alive { interval, count, side: Side::Server(release) } }
}

fn client(release: Release, interval: u32, count: u32) -> End {
    End { tcp_keepalive: true, alive: Alive { interval, count, side: Side::Client(release) } }
}

fn shown(time: After) -> String {
    time.map_or_else(|| "never".to_owned(), seconds)
}

#[test]
fn a_silent_client_is_given_up_after_interval_times_count_plus_one() {
    for (release, interval, count, expected) in [
        (Release(8, 7), 2, 2, "6"),
        (Release(9, 1), 2, 2, "6"),
        (BOOKWORM, 2, 2, "12"),
        (Release(9, 4), 2, 2, "12"),
        (Release(9, 5), 2, 2, "6"),
        (TRIXIE, 2, 2, "6"),
        (TRIXIE, 120, 30, "3720"),
        (TRIXIE, 0, 30, "never"),
        (TRIXIE, 2, 0, "never"),
        (Release(8, 2), 2, 0, "never"),
        (Release(8, 0), 2, 0, "never"),
        (Release(7, 9), 2, 0, "2"),
        // Measured: 6.0 s with 3 s and 2.
        (Release(7, 9), 3, 2, "6"),
        (Release(7, 9), 3, 3, "6"),
        (Release(7, 9), 3, 1, "3"),
        (Release(8, 0), 3, 2, "9"),
    ] {
        let got = server(release, interval, count).alive.gives_up();
        assert_eq!(shown(got.after), expected, "{release} {interval} {count}: {}", got.reason);
    }
}

#[test]
fn a_silent_server_is_given_up_by_the_same_formula() {
    for (interval, count, expected) in [(2, 2, "6"), (0, 2, "never"), (2, 0, "2"), (60, 1, "120")] {
        let got = client(BOOKWORM, interval, count).alive.gives_up();
        assert_eq!(shown(got.after), expected, "{interval} {count}");
    }
}

#[test]
fn the_formula_is_shown_with_its_numbers() {
    for (end, expected) in [
        (
            server(TRIXIE, 120, 30),
            "ClientAliveInterval 120 * (ClientAliveCountMax 30 + 1) = 3720 s",
        ),
        (
            server(BOOKWORM, 120, 30),
            "2 * ClientAliveInterval 120 * (ClientAliveCountMax 30 + 1) = 7440 s: OpenSSH 9.2 asks \
             at twice the interval",
        ),
        (
            client(BOOKWORM, 120, 30),
            "ServerAliveInterval 120 * (ServerAliveCountMax 30 + 1) = 3720 s",
        ),
        (
            server(BOOKWORM, 120, 0),
            "ClientAliveCountMax 0: sshd asks every 240 s for ever and never disconnects (since 8.2)",
        ),
        (server(BOOKWORM, 0, 3), "ClientAliveInterval 0: sshd asks nothing"),
    ] {
        assert_eq!(end.alive.gives_up().reason, expected);
    }
}

#[test]
fn no_value_of_any_size_overflows() {
    for number in [0, 1, u32::MAX - 1, u32::MAX] {
        for release in [Release(7, 9), BOOKWORM, TRIXIE] {
            let end = server(release, number, number);
            let after = end.alive.gives_up().after;
            assert_eq!(after.is_some(), number > 0, "{release} {number}");
        }
        for time in [i64::MIN, -1, 0, i64::MAX] {
            let kernel =
                Kernel { time, intvl: time, probes: number, retries2: number, ..Kernel::default() };
            for case in DeadPeer::all(server(BOOKWORM, number, 1), kernel) {
                assert_eq!(case.findings.len(), 3);
            }
            assert!(kernel.probes().take(1000).count() <= 1000);
        }
        let rto_max = Duration::from_millis(number.into());
        let kernel = Kernel { retries2: number, rto_max, ..Kernel::default() };
        assert!(kernel.retransmission().after.is_some());
    }
}

/// The measured ones: `(time, intvl, probes)` and what became of an idle connection to a peer that
/// was gone.
#[test]
fn keepalive_probes_give_up_after_time_and_all_intervals() {
    for (time, intvl, probes, expected) in [
        (2, 1, 3, "5"),
        (1, 2, 2, "5"),
        (2, 1, 1, "3"),
        (2, 1, 2, "4"),
        (7200, 75, 9, "7875"),
        (-1, 75, 9, "never"),
        (600, -1, 9, "never"),
        (600, 75, 0, "600"),
    ] {
        let got = Kernel { time, intvl, probes, ..Kernel::default() }.keepalive();
        assert_eq!(shown(got.after), expected, "{time} {intvl} {probes}");
    }
}

/// 3, 5 and 6 were measured as 6.6, 13.3 and 27.5 s; 15 is the default.
#[test]
fn unacknowledged_data_is_given_up_by_tcp_retries2() {
    for (retries2, measured) in [(3, 6.6), (5, 13.3), (6, 27.5)] {
        let got = Kernel { retries2, ..Kernel::default() }.retransmission().after.unwrap();
        assert!((got.as_secs_f64() - measured).abs() < 1.0, "{retries2}: {got:?}");
    }
    let default = Kernel::default().retransmission();
    assert_eq!(
        default.reason,
        "tcp_retries2 15: sent again after 0.2 s, then after twice as long each time, up to 120 s, \
         given up after 943 s (978 s on a path with a delay of 0.3 s)"
    );
}

/// A peer that vanished: sshd's question is data that nobody acknowledges, so that the kernel's
/// retransmission competes with sshd's count.
#[test]
fn who_notices_first_depends_on_the_count_and_on_tcp_retries2() {
    let kernel = Kernel { time: 9, intvl: 1, probes: 2, retries2: 6, ..Kernel::default() };
    let no_probes = End { tcp_keepalive: false, ..server(TRIXIE, 0, 3) };
    for (end, loss, traffic, expected) in [
        (server(BOOKWORM, 2, 2), Loss::Vanished, Traffic::Idle, "sshd (ClientAlive) 12"),
        (server(TRIXIE, 2, 2), Loss::Vanished, Traffic::Idle, "sshd (ClientAlive) 6"),
        (server(BOOKWORM, 2, 30), Loss::Vanished, Traffic::Idle, "the kernel (retransmission) 31"),
        (server(TRIXIE, 2, 30), Loss::Vanished, Traffic::Idle, "the kernel (retransmission) 29"),
        (server(TRIXIE, 2, 0), Loss::Vanished, Traffic::Idle, "the kernel (retransmission) 29"),
        (server(TRIXIE, 0, 3), Loss::Vanished, Traffic::Idle, "the kernel (keepalive) 11"),
        (server(TRIXIE, 20, 2), Loss::Vanished, Traffic::Idle, "the kernel (keepalive) 11"),
        (no_probes, Loss::Vanished, Traffic::Idle, "nobody never"),
        (server(TRIXIE, 2, 30), Loss::Frozen, Traffic::Idle, "sshd (ClientAlive) 62"),
        (server(TRIXIE, 2, 0), Loss::Frozen, Traffic::Idle, "nobody never"),
        (server(TRIXIE, 0, 3), Loss::Frozen, Traffic::Idle, "nobody never"),
        (
            server(BOOKWORM, 2, 2),
            Loss::Vanished,
            Traffic::Writing,
            "the kernel (retransmission) 27",
        ),
        (server(TRIXIE, 2, 2), Loss::Vanished, Traffic::Writing, "the kernel (retransmission) 27"),
        (server(Release(8, 7), 2, 2), Loss::Vanished, Traffic::Writing, "sshd (ClientAlive) 6"),
        (server(TRIXIE, 2, 2), Loss::Frozen, Traffic::Writing, "nobody never"),
        (server(Release(8, 7), 2, 2), Loss::Frozen, Traffic::Writing, "sshd (ClientAlive) 6"),
        (client(TRIXIE, 2, 2), Loss::Vanished, Traffic::Writing, "the client (ServerAlive) 6"),
        (client(Release(8, 3), 2, 2), Loss::Frozen, Traffic::Writing, "nobody never"),
        (client(Release(8, 4), 2, 2), Loss::Frozen, Traffic::Writing, "the client (ServerAlive) 6"),
        (server(Release(7, 9), 3, 2), Loss::Frozen, Traffic::Writing, "sshd (ClientAlive) 6"),
    ] {
        let case = DeadPeer::of(loss, traffic, end, kernel);
        let first = case.first();
        let name = first.map_or("nobody", |finding| finding.by.name());
        let after = first.and_then(|finding| finding.after).map(|after| after.as_secs());
        let after = after.map_or_else(|| "never".to_owned(), |after| after.to_string());
        assert_eq!(format!("{name} {after}"), expected, "{end:?} {loss:?} {traffic:?}");
    }
}

#[test]
fn the_most_frequent_sign_breaks_the_silence() {
    let kernel = Kernel { time: 200, ..Kernel::default() };
    let silence = |end, bare| {
        let signs = signs(end, kernel);
        let sign = longest(&signs, bare);
        format!(
            "{} {}",
            sign.map_or("nobody", |sign| sign.by.name()),
            shown(sign.and_then(|s| s.every))
        )
    };
    assert_eq!(silence(server(TRIXIE, 120, 3), true), "sshd (ClientAlive) 120");
    assert_eq!(silence(server(BOOKWORM, 120, 3), true), "the kernel (keepalive) 200");
    assert_eq!(silence(server(BOOKWORM, 120, 3), false), "sshd (ClientAlive) 240");
    assert_eq!(silence(server(TRIXIE, 0, 3), false), "nobody never");
    assert_eq!(silence(client(TRIXIE, 60, 3), true), "the client (ServerAlive) 60");
    let slow = Kernel { time: 60, intvl: 75, ..Kernel::default() };
    let [_, probes] = signs(server(TRIXIE, 0, 3), slow);
    assert_eq!(probes.reason, "tcp_keepalive_intvl 75 s, which is above tcp_keepalive_time 60 s");
}

#[test]
fn a_hop_is_safe_up_to_three_quarters_of_its_patience() {
    let known = |id| Hop::Known(hops::by_id(id).unwrap());
    let own =
        |idle, tcp_keepalive| Hop::Own(OwnHop { name: "own".to_owned(), idle, tcp_keepalive });
    let hops = [
        known("aws-nlb"),
        known("aws-clb"),
        own(160, false),
        own(159, false),
        own(121, false),
        own(120, true),
    ];
    let signs = signs(server(TRIXIE, 120, 3), Kernel::default());
    let verdicts: Vec<Verdict> = budget(&hops, &signs).iter().map(|hop| hop.verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Survives,
            Verdict::Dies,
            Verdict::Survives,
            Verdict::Tight,
            Verdict::Tight,
            Verdict::Dies
        ]
    );
    assert_eq!(interval_for(&hops, 1), Some(45));
    assert_eq!(interval_for(&hops, 2), Some(20));
    assert_eq!(interval_for(&[own(1, true)], 1), None);
    assert_eq!(interval_for(&[], 1), None);
    assert_eq!(interval_for(&[known("aws-nlb")], 1), Some(260));
}

#[test]
fn times_are_spoken() {
    for (millis, expected) in [
        (0, "0 s"),
        (25_940, "25.9 s"),
        (119_000, "119 s"),
        (120_000, "2 min"),
        (928_700, "15 min 29 s"),
        (7_875_000, "2 h 11 min 15 s"),
        (432_000_000, "5 d"),
        (100_000_000, "1 d 3 h"),
        (40_000_000_000, "462 d"),
        (u64::MAX, "over 100 years"),
    ] {
        assert_eq!(spoken(Duration::from_millis(millis)), expected);
    }
}
