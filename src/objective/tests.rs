use super::*;

const BOOKWORM: Release = Release(9, 2);
const TRIXIE: Release = Release(10, 0);

fn wanted(survive_idle: Option<u32>, notice_dead_peer: Option<u32>) -> Objective {
    Objective { survive_idle, notice_dead_peer }
}

fn set(interval: Option<u32>, count: Option<u32>) -> Explicit {
    Explicit { interval, count }
}

#[test]
fn settings_follow_from_the_objective_and_the_release() {
    let free = set(None, None);
    for (objective, explicit, release, interval, count) in [
        (wanted(Some(350), None), free, TRIXIE, Some(262), None),
        (wanted(Some(350), None), free, BOOKWORM, Some(131), None),
        (wanted(None, Some(600)), free, TRIXIE, Some(150), Some(3)),
        (wanted(None, Some(600)), free, BOOKWORM, Some(75), Some(3)),
        (wanted(Some(350), Some(600)), free, TRIXIE, Some(150), Some(3)),
        (wanted(Some(60), Some(600)), free, TRIXIE, Some(45), Some(12)),
        (wanted(Some(60), Some(600)), free, BOOKWORM, Some(22), Some(12)),
        (wanted(None, Some(2)), free, TRIXIE, Some(1), Some(1)),
        (wanted(None, Some(5)), free, BOOKWORM, Some(1), Some(1)),
        (wanted(None, None), free, TRIXIE, None, None),
        (wanted(Some(350), Some(600)), set(Some(60), None), TRIXIE, None, Some(9)),
        (wanted(Some(350), Some(600)), set(None, Some(5)), TRIXIE, Some(100), None),
        (wanted(Some(350), Some(600)), set(Some(60), Some(2)), TRIXIE, None, None),
        (wanted(Some(u32::MAX), Some(u32::MAX)), free, TRIXIE, Some(1_073_741_823), Some(3)),
    ] {
        let derived = derive(objective, explicit, release).unwrap();
        assert_eq!(
            (derived.interval, derived.count),
            (interval, count),
            "{objective:?} {explicit:?}"
        );
        assert_eq!(derived.unmet, [""; 0], "{objective:?} {explicit:?}");
    }
}

/// Whatever is derived meets both objectives by the formulas of the release.
#[test]
fn what_is_derived_meets_the_objective() {
    for release in [Release(8, 4), BOOKWORM, TRIXIE] {
        for idle in [3, 10, 60, 240, 350, 3600] {
            for dead in [4, 10, 61, 600, 86_400] {
                let derived = derive(wanted(Some(idle), Some(dead)), Explicit::default(), release);
                let Derived { interval: Some(interval), count: Some(count), .. } = derived.unwrap()
                else {
                    panic!("nothing derived for {idle} {dead}")
                };
                let alive = Alive { interval, count, side: Side::Server(release) };
                assert!(alive.gives_up().after.unwrap().as_secs() <= dead.into(), "{alive:?}");
                assert!(alive.step().unwrap() <= safe(idle), "{alive:?}");
                assert!(count >= 1);
            }
        }
    }
}

#[test]
fn the_derivation_is_shown() {
    let derived = derive(wanted(Some(350), Some(600)), Explicit::default(), BOOKWORM).unwrap();
    assert_eq!(
        derived.steps,
        [
            "an idle session is never silent for longer than 2 * ClientAliveInterval 75 = 150 s, as \
             OpenSSH 9.2 does; that is at most 75 % of survive_idle 350 s = 262 s",
            "a client that is gone is given up after 2 * ClientAliveInterval 75 * \
             (ClientAliveCountMax 3 + 1) = 600 s: OpenSSH 9.2 asks at twice the interval; \
             notice_dead_peer is 600 s",
            "while the server side keeps writing OpenSSH 9.2 asks nothing: there \
             net.ipv4.tcp_retries2 decides, which no objective changes",
        ]
    );
}

#[test]
fn what_is_set_explicitly_stays_and_what_it_misses_is_said() {
    let derived = derive(wanted(Some(350), None), set(Some(300), None), TRIXIE).unwrap();
    assert_eq!((derived.interval, derived.count), (None, None));
    assert_eq!(
        derived.unmet,
        ["survive_idle is not met by what is set explicitly: ClientAliveInterval 300 s; safe is \
             75 % of survive_idle 350 s = 262 s"]
    );
    let derived = derive(wanted(None, Some(60)), set(Some(60), Some(3)), TRIXIE).unwrap();
    assert_eq!(
        derived.unmet,
        ["notice_dead_peer 60 s is not met by what is set explicitly: ClientAliveInterval 60 * \
             (ClientAliveCountMax 3 + 1) = 240 s"]
    );
}

fn impossible(objective: Objective, explicit: Explicit, release: Release) -> String {
    match derive(objective, explicit, release) {
        Ok(derived) => panic!("{derived:?}"),
        Err(Impossible::SurviveIdle(why)) => format!("survive_idle: {why}"),
        Err(Impossible::NoticeDeadPeer(why)) => format!("notice_dead_peer: {why}"),
    }
}

#[test]
fn what_no_release_can_do_is_refused_with_the_reason() {
    assert_eq!(
        impossible(wanted(Some(1), None), set(None, None), TRIXIE),
        "survive_idle: 75 % of 1 s is less than the 1 s between two questions that OpenSSH 10.0 \
         needs at least"
    );
    assert_eq!(
        impossible(wanted(None, Some(3)), set(None, None), BOOKWORM),
        "notice_dead_peer: one question, and as long again for its answer, take OpenSSH 9.2 at \
         least 4 s (2 * ClientAliveInterval 1 * (ClientAliveCountMax 1 + 1) = 4 s: OpenSSH 9.2 asks \
         at twice the interval)"
    );
}

#[test]
fn what_is_set_explicitly_can_make_it_impossible() {
    for (explicit, expected) in [
        (
            set(Some(400), None),
            "with ClientAliveInterval 400 sshd takes at least 800 s (ClientAliveInterval 400 * \
             (ClientAliveCountMax 1 + 1) = 800 s)",
        ),
        (set(None, Some(0)), "with ClientAliveCountMax 0 sshd never disconnects"),
        (set(Some(0), None), "with ClientAliveInterval 0 sshd asks nothing, and notices nothing"),
        (
            set(None, Some(700)),
            "with ClientAliveCountMax 700 sshd takes at least 701 s (ClientAliveInterval 1 * \
             (ClientAliveCountMax 700 + 1) = 701 s)",
        ),
    ] {
        let why = impossible(wanted(None, Some(600)), explicit, TRIXIE);
        assert_eq!(why, format!("notice_dead_peer: {expected}"));
    }
}

#[test]
fn what_ends_idle_sessions_all_the_same_counts_against_the_objective() {
    let limit = |seconds| IdleLimit {
        keyword: Keyword::ChannelTimeout,
        argument: "session:*=1".to_owned(),
        after: std::time::Duration::from_secs(seconds),
        context: None,
        source: crate::reconcile::Source { file: "/etc/ssh/sshd_config".into(), line: 7 },
    };
    let derived = || derive(wanted(Some(350), None), set(None, None), TRIXIE).unwrap();
    let short = derived().with_limits(&[limit(350)]);
    assert_eq!(
        short.unmet,
        [
            "survive_idle 350 s is not met: ChannelTimeout session:*=1 ends an idle session after 350 s \
          (/etc/ssh/sshd_config:7)"
        ]
    );
    assert_eq!(derived().with_limits(&[limit(351)]).unmet, [""; 0]);
}
