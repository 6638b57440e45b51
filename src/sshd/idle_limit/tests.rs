use std::collections::BTreeMap;

use super::*;
use crate::sshd::evaluate::evaluate;
use crate::sshd::tree::{Entry, Tree};

fn told(text: &str, release: (u16, u16)) -> Vec<String> {
    let dialect = Dialect::of(release.0, release.1);
    let file = Entry::File { bytes: text.as_bytes().into(), real: "/c".into() };
    let tree = Tree { main: "/c".into(), entries: [("/c".into(), file)].into() };
    let evaluation = evaluate(&tree, &BTreeMap::new(), &dialect);
    evaluation.idle_limits.iter().map(ToString::to_string).collect()
}

#[test]
fn which_types_of_channel_end_a_session() {
    for (argument, release, expected) in [
        ("session:*=4s", (9, 2), Some(4)),
        ("*=1m", (9, 2), Some(60)),
        ("ses*=2s", (9, 2), Some(2)),
        ("session:command=2", (9, 2), Some(2)),
        ("session=4s", (9, 2), None),
        ("x11-connection=4s", (9, 2), None),
        ("global=2s", (9, 2), None),
        ("global=2s", (10, 0), Some(2)),
        ("session:*=0", (9, 2), None),
        ("none", (9, 2), None),
        // The first that matches counts for each type.
        ("session:shell=9 session:*=4", (9, 2), Some(4)),
        ("session:*=9 *=4", (9, 2), Some(9)),
        ("agent-connection=5 *=4", (9, 2), Some(4)),
        // Unknown before 9.2, where sshd refuses it.
        ("session:*=4s", (9, 1), None),
    ] {
        let limits = told(&format!("ChannelTimeout {argument}\n"), release);
        let expected = expected.map(|seconds| format!("ends an idle session after {seconds} s"));
        match expected {
            Some(words) => assert!(limits.concat().ends_with(&words), "{argument}: {limits:?}"),
            None => assert!(limits.is_empty(), "{argument}: {limits:?}"),
        }
    }
}

#[test]
fn in_blocks_only_the_limit_for_unused_connections_counts() {
    let text = "ChannelTimeout session:*=1h\nChannelTimeout session:*=5s\n\
                UnusedConnectionTimeout 90\n\
                Match User bob\nUnusedConnectionTimeout none\n\
                Match User eve\nChannelTimeout session:*=7s\nUnusedConnectionTimeout 7\n";
    let unused = "ends a connection without a session (ssh -N, an idle ControlMaster) after";
    assert_eq!(
        told(text, (10, 0)),
        [
            "ChannelTimeout session:*=1h ends an idle session after 3600 s".to_owned(),
            format!("UnusedConnectionTimeout 90 {unused} 90 s"),
            format!("UnusedConnectionTimeout 7 {unused} 7 s for Match User eve"),
        ]
    );
    // Read at the start.
    assert_eq!(
        told("Match all\nChannelTimeout *=3\n", (10, 0)),
        ["ChannelTimeout *=3 ends an idle session after 3 s"]
    );
}
