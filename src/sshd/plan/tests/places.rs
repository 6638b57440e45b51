//! Where our lines go, on every layout; each plan is carried out, planned again, and taken back.

use proptest::prelude::*;

use super::*;

/// The files after the plan; checks on the way that a second plan is empty, that everybody gets
/// the declared values unless there is a conflict, and that restoring gives back every byte.
fn corrected(seen: &Observed, wanted: &Desired) -> (Vec<(String, String)>, Vec<String>) {
    let plan = planned(wanted, seen);
    let now = after(&plan, seen);
    let again = planned(wanted, &now);
    assert_eq!(again.changes, [], "a second plan is empty");
    if plan.problems.is_empty() {
        assert!(again.settings.iter().all(|row| row.compliant), "{:#?}", again.settings);
    }
    let restored = after(&planned(&Desired::default(), &now), &now);
    assert_eq!(files(&restored), files(seen), "restored");
    (files(&now), messages(&plan))
}

fn ours(seen: &[(&str, &str)], match_blocks: MatchBlocks) -> Vec<(String, String)> {
    let (now, problems) = corrected(&observed(seen), &desired(match_blocks));
    assert_eq!(problems, [""; 0]);
    let same = |file: &(String, String)| seen.contains(&(file.0.as_str(), file.1.as_str()));
    now.into_iter().filter(|file| !same(file)).collect()
}

fn names(files: &[(String, String)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

const HEADER: &str = "# Written by keepalive-policy from /p.toml; a change made here is undone.\n\
                      # To undo this file: change the policy, or run `keepalive-policy restore`.\n";
const VALUES: &str = "TCPKeepAlive yes\nClientAliveInterval 120\nClientAliveCountMax 30\n";
const MATCH_ALL: &str = "# The first block that matches wins: these values hold in every block.\n\
                         Match all\nClientAliveInterval 120\nClientAliveCountMax 30\n";
const BESIDE: &str = "keepalive-policy.conf";
const BOB: &str = "Match User bob\nClientAliveInterval 7\n";

#[test]
fn a_drop_in_where_it_wins() {
    let debian = format!("# comment\n\n{INCLUDE}\nKbdInteractiveAuthentication no\n");
    let made = ours(&[(MAIN, &debian)], MatchBlocks::Override);
    assert_eq!(made, [(DROP_IN.to_owned(), format!("{HEADER}{VALUES}"))]);
    // Values below the include, and files that sort later, lose.
    let main = format!("{INCLUDE}ClientAliveInterval 5\n");
    let later = ("sshd_config.d/50-cloud-init.conf", "ClientAliveInterval 6\nTCPKeepAlive no\n");
    let made = ours(&[(MAIN, &main), later], MatchBlocks::Override);
    assert_eq!(made, [(DROP_IN.to_owned(), format!("{HEADER}{VALUES}"))]);
}

#[test]
fn a_block_where_no_drop_in_wins() {
    for main in [
        "Port 22\n".to_owned(),
        format!("ClientAliveInterval 5\n{INCLUDE}"),
        format!("Match User bob\n{INCLUDE}"),
        format!("{INCLUDE}Match User bob\n{INCLUDE}"),
        "Include /etc/ssh/sshd_config.d/[1-9]*.conf\n".to_owned(),
    ] {
        let made = ours(&[(MAIN, &main)], MatchBlocks::Override);
        let expected = format!("{BLOCK}{VALUES}# END keepalive-policy\n{main}");
        assert_eq!(made, [(MAIN.to_owned(), expected)], "{main}");
    }
}

#[test]
fn a_name_that_sorts_before_its_neighbours() {
    for (neighbour, expected) in [
        ("00-z.conf", DROP_IN),
        ("00-a.conf", "sshd_config.d/00-00-keepalive-policy.conf"),
        ("00-.conf", "sshd_config.d/0-keepalive-policy.conf"),
        ("0-a.conf", "sshd_config.d/+keepalive-policy.conf"),
        ("+a.conf", "sshd_config.d/!keepalive-policy.conf"),
        ("!a.conf", MAIN),
    ] {
        let neighbour = format!("sshd_config.d/{neighbour}");
        let seen = [(MAIN, INCLUDE), (neighbour.as_str(), "ClientAliveInterval 7\n")];
        assert_eq!(names(&ours(&seen, MatchBlocks::Override)), [expected], "{neighbour}");
    }
}

#[test]
fn an_older_name_goes_when_a_new_one_comes() {
    let first = after(
        &planned(&desired(MatchBlocks::Override), &observed(&[(MAIN, INCLUDE)])),
        &observed(&[(MAIN, INCLUDE)]),
    );
    let mut now = first;
    let neighbour = path("sshd_config.d/00-a.conf");
    now.tree.set(&neighbour, Some(b"ClientAliveInterval 7\n"));
    ask(&mut now);
    let plan = planned(&desired(MatchBlocks::Override), &now);
    let Change::Install { install, .. } = &plan.changes[0] else { panic!() };
    let actions: Vec<String> = install.edits.iter().map(FileEdit::action).collect();
    assert_eq!(
        actions,
        [
            "create /etc/ssh/sshd_config.d/00-00-keepalive-policy.conf",
            "remove /etc/ssh/sshd_config.d/00-keepalive-policy.conf"
        ]
    );
    // It wins there without the neighbour, too.
    let mut now = after(&plan, &now);
    now.tree.set(&neighbour, None);
    assert_eq!(planned(&desired(MatchBlocks::Override), &now).changes, []);
}

#[test]
fn blocks_are_beaten_from_a_file_of_ours() {
    let main = format!("{INCLUDE}{BOB}");
    let made = ours(&[(MAIN, &main)], MatchBlocks::Override);
    assert_eq!(made, [(DROP_IN.to_owned(), format!("{HEADER}{VALUES}{MATCH_ALL}"))]);
    let made = ours(&[(MAIN, BOB)], MatchBlocks::Override);
    let block = format!("{BLOCK}{VALUES}Include /etc/ssh/{BESIDE}\n# END keepalive-policy\n{BOB}");
    assert_eq!(
        made,
        [(BESIDE.to_owned(), format!("{HEADER}{MATCH_ALL}")), (MAIN.to_owned(), block)]
    );
    // A block that sets the same value, or that nobody can be in, needs no beating.
    for harmless in
        ["Match User bob\nClientAliveInterval 2m\n", "Match User !bob\nClientAliveInterval 7\n"]
    {
        let main = format!("{INCLUDE}{harmless}");
        let made = ours(&[(MAIN, &main)], MatchBlocks::Override);
        assert_eq!(made, [(DROP_IN.to_owned(), format!("{HEADER}{VALUES}"))]);
    }
}

#[test]
fn blocks_are_only_reported_under_report() {
    let main = format!("{INCLUDE}{BOB}Match all\nClientAliveCountMax 1\n");
    let seen = observed(&[(MAIN, &main)]);
    let (now, problems) = corrected(&seen, &desired(MatchBlocks::Report));
    assert_eq!(names(&now), [MAIN, DROP_IN]);
    assert_eq!(
        problems,
        [
            "Conflict /etc/ssh/sshd_config:3: sets ClientAliveInterval 7 for Match User bob; wanted \
             120. match_blocks = \"report\" leaves blocks as they are: change this line",
            "Conflict /etc/ssh/sshd_config:5: sets ClientAliveCountMax 1; wanted 30. match_blocks = \
             \"report\" leaves blocks as they are: change this line",
        ]
    );
}

#[test]
fn what_must_not_be_edited_is_a_conflict() {
    let nul = "ClientAliveInterval 5\n# \0\n\n";
    let seen = observed(&[(MAIN, nul)]);
    let (now, problems) = corrected(&seen, &desired(MatchBlocks::Override));
    assert_eq!(now, files(&seen));
    assert_eq!(
        problems,
        [
            "Conflict /etc/ssh/sshd_config:1: sets ClientAliveInterval 5; wanted 120. No drop-in \
             wins, and /etc/ssh/sshd_config is not edited: it has a NUL byte, which joins lines \
             unseen; remove that first: change this line",
            "Conflict ClientAliveCountMax is 3; wanted 30. No drop-in wins, and \
             /etc/ssh/sshd_config is not edited: it has a NUL byte, which joins lines unseen; \
             remove that first",
        ]
    );
    // A drop-in is as good as ever.
    let main = format!("{INCLUDE}# \0\n\n");
    assert_eq!(names(&ours(&[(MAIN, &main)], MatchBlocks::Override)), [DROP_IN]);
}

#[test]
fn a_vendors_file_gets_a_drop_in_or_nothing() {
    let vendor = PathBuf::from("/usr/etc/ssh/sshd_config");
    let seen = |text: &str| {
        let mut seen = observed(&[]);
        seen.tree.entries.clear();
        seen.tree.main.clone_from(&vendor);
        seen.tree.set(&vendor, Some(text.as_bytes()));
        ask(&mut seen);
        seen
    };
    let includes = seen(INCLUDE);
    let plan = planned(&desired(MatchBlocks::Override), &includes);
    let Change::Install { install, .. } = &plan.changes[0] else { panic!() };
    let actions: Vec<String> = install.edits.iter().map(FileEdit::action).collect();
    assert_eq!(actions, ["create /etc/ssh/sshd_config.d/00-keepalive-policy.conf"]);
    // openSUSE's: what stands above its Include is beaten by a block, where a block may set it.
    let set_above = seen(&format!("ClientAliveInterval 7\nTCPKeepAlive no\n{INCLUDE}"));
    let wanted = desired(MatchBlocks::Override);
    let plan = planned(&wanted, &set_above);
    assert_eq!(messages(&plan).len(), 1, "{:?}", messages(&plan));
    assert!(messages(&plan)[0].contains("sets TCPKeepAlive no; wanted yes. No drop-in wins"));
    let now = after(&plan, &set_above);
    let drop_in = now.tree.content(&path(DROP_IN)).unwrap();
    assert_eq!(drop_in, format!("{HEADER}{VALUES}{MATCH_ALL}").as_bytes());
    let again = planned(&wanted, &now);
    assert_eq!((again.changes.len(), rows(&again).len()), (0, 1), "{:?}", rows(&again));
    let alone = planned(&desired(MatchBlocks::Override), &seen("Port 22\n"));
    assert_eq!(alone.changes, []);
    assert_eq!(
        messages(&alone)[0],
        "Conflict ClientAliveInterval is 0; wanted 120. No drop-in wins, and \
         /usr/etc/ssh/sshd_config is not edited: it is the vendor's file, and a file of the same \
         name in /etc would replace it whole"
    );
}

#[test]
fn releases_without_a_way_to_beat_blocks_report_them() {
    for (version, main) in [((8, 2), format!("{INCLUDE}{BOB}")), ((7, 9), BOB.to_owned())] {
        let mut seen = observed(&[(MAIN, &main)]);
        seen.dialect = Dialect::of(version.0, version.1);
        let (_, problems) = corrected(&seen, &desired(MatchBlocks::Override));
        assert_eq!(problems.len(), 1, "{version:?} {problems:?}");
        assert!(problems[0].ends_with(
            "sets ClientAliveInterval 7 for Match User bob; wanted 120. This sshd has no way to \
             beat a block from another file: change this line"
        ));
    }
}

#[test]
fn our_drop_in_is_put_right() {
    let wanted = desired(MatchBlocks::Override);
    let seen = observed(&[(MAIN, INCLUDE)]);
    let good = after(&planned(&wanted, &seen), &seen);
    for damage in [
        None,
        Some(""),
        Some("ClientAliveInterval 7\n"),
        Some("# Written by keepalive-policy x\nClientAliveInterval 7\n"),
    ] {
        let mut damaged = good.clone();
        damaged.tree.set(&path(DROP_IN), damage.map(str::as_bytes));
        ask(&mut damaged);
        let plan = planned(&wanted, &damaged);
        assert_eq!(files(&after(&plan, &damaged)), files(&good), "{damage:?}");
    }
}

#[test]
fn a_line_of_others_in_our_drop_in_stays_whatever_becomes_of_ours() {
    let wanted = desired(MatchBlocks::Override);
    let shared = format!("{HEADER}ClientAliveInterval 7\n# why\nPort 22\n");
    let seen = observed(&[(MAIN, INCLUDE), (DROP_IN, &shared)]);
    let plan = planned(&wanted, &seen);
    let said = plan.problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(said[0].starts_with(&format!("/etc/ssh/{DROP_IN}:4: this line")), "{said:?}");
    let now = after(&plan, &seen);
    let values = "TCPKeepAlive yes\nClientAliveInterval 120\nClientAliveCountMax 30\n";
    assert_eq!(files(&now)[1].1, format!("{HEADER}{values}# why\nPort 22\n"));
    assert!(planned(&wanted, &now).changes.is_empty(), "written once");
    let left = after(&planned(&Desired::default(), &now), &now);
    assert_eq!(files(&left)[1].1, "# why\nPort 22\n");
}

#[test]
fn a_setting_that_leaves_the_policy_leaves_the_files() {
    let seen = observed(&[(MAIN, INCLUDE)]);
    let mut wanted = desired(MatchBlocks::Override);
    let now = after(&planned(&wanted, &seen), &seen);
    wanted.values.remove(&Keyword::ClientAliveInterval);
    let now = after(&planned(&wanted, &now), &now);
    let values = "TCPKeepAlive yes\nClientAliveCountMax 30\n";
    assert_eq!(files(&now)[1].1, format!("{HEADER}{values}"));
}

#[test]
fn strangers_at_our_path_are_spared_or_kept() {
    // Something else would be lost with it: another name is taken.
    let stranger = (DROP_IN, "ClientAliveInterval 7\nPort 2222\n");
    let made = ours(&[(MAIN, INCLUDE), stranger], MatchBlocks::Override);
    assert_eq!(names(&made), ["sshd_config.d/00-00-keepalive-policy.conf"]);
    // Keepalive settings alone are replaced, kept, and come back.
    let made =
        ours(&[(MAIN, INCLUDE), (DROP_IN, "ClientAliveInterval 7\n")], MatchBlocks::Override);
    assert_eq!(names(&made), [DROP_IN]);
}

#[test]
fn a_link_at_our_path_is_not_followed() {
    let mut seen = observed(&[(MAIN, INCLUDE)]);
    let masked = Entry::File { bytes: [].into(), real: "/dev/null".into() };
    seen.tree.entries.insert(path(DROP_IN), masked);
    let (now, _) = corrected(&seen, &desired(MatchBlocks::Override));
    assert_eq!(names(&now), [MAIN, "sshd_config.d/00-00-keepalive-policy.conf", DROP_IN]);
}

#[test]
fn a_linked_main_file_is_edited_where_it_is() {
    let mut seen = observed(&[]);
    let real = PathBuf::from("/srv/sshd_config");
    let file = Entry::File { bytes: (*b"Port 22\n").into(), real: real.clone() };
    seen.tree.entries.insert(path(MAIN), file);
    ask(&mut seen);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let Change::Install { install, .. } = &plan.changes[0] else { panic!() };
    assert_eq!(install.edits[0].path, real);
    assert!(install.edits[0].foreign);
}

/// Lines of a main file and of two drop-ins.
fn lines() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "ClientAliveInterval 5",
        "ClientAliveInterval 120",
        "clientalivecountmax=1",
        "TCPKeepAlive no",
        "Match User bob",
        "Match all",
        "Match Host x",
        "Include /etc/ssh/sshd_config.d/*.conf",
        "Include /etc/ssh/keepalive-policy.conf",
        "# comment",
        "",
        "Port 22",
        "# BEGIN keepalive-policy",
        "# END keepalive-policy",
        "\"",
        "# \0",
    ]);
    (prop::collection::vec(line, 0..7), any::<bool>(), any::<bool>()).prop_map(
        |(lines, crlf, end)| {
            let newline = if crlf { "\r\n" } else { "\n" };
            lines.join(newline) + if end { newline } else { "" }
        },
    )
}

proptest! {
    #[test]
    fn every_plan_is_complete_and_can_be_taken_back(
        main in lines(),
        first in prop::option::of(lines()),
        last in prop::option::of(lines()),
        own in prop::option::of(lines()),
        report in any::<bool>(),
        keywords in 1_usize..8,
    ) {
        let mut all = vec![(MAIN, main.as_str())];
        all.extend(first.as_deref().map(|text| ("sshd_config.d/00-a.conf", text)));
        all.extend(last.as_deref().map(|text| ("sshd_config.d/99-z.conf", text)));
        all.extend(own.as_deref().map(|text| (DROP_IN, text)));
        let seen = observed(&all);
        let mut wanted =
            desired(if report { MatchBlocks::Report } else { MatchBlocks::Override });
        for (bit, keyword) in Keyword::ALL.into_iter().enumerate() {
            if keywords >> bit & 1 == 0 {
                wanted.values.remove(&keyword);
            }
        }
        let plan = planned(&wanted, &seen);
        if plan.problems.iter().any(|problem| problem.severity == Severity::Blocked) {
            prop_assert_eq!(plan.changes, []);
            return Ok(());
        }
        let now = after(&plan, &seen);
        let again = planned(&wanted, &now);
        prop_assert_eq!(&again.changes, &[]);
        let conflict = |name: &str| {
            again.problems.iter().any(|problem| problem.message.contains(name))
        };
        for row in &again.settings {
            prop_assert!(row.compliant || conflict(row.name), "{:?}", row);
        }
        // Restoring twice is restoring once.
        let restored = after(&planned(&Desired::default(), &now), &now);
        prop_assert_eq!(planned(&Desired::default(), &restored).changes, []);
        let before = place::without_ours(&seen);
        prop_assert_eq!(&restored.tree, &before);
    }
}

const AGENT_BEGIN: &str = "#### Google OS Login control. Do not edit this section. ####\n";
const AGENT_END: &str = "#### End Google OS Login control section. ####\n";

/// What Google's guest agent makes of a file at each of its runs: its block is taken out and put at the
/// top (`updateSSHConfig` in its `oslogin.go`).
fn guest_agent(text: &str) -> String {
    let (mut kept, mut inside) = (String::new(), false);
    for line in text.split_inclusive('\n') {
        inside |= line == AGENT_BEGIN;
        if !inside {
            kept.push_str(line);
        }
        inside &= line != AGENT_END;
    }
    format!("{AGENT_BEGIN}AuthorizedKeysCommandUser root\n{AGENT_END}{kept}")
}

#[test]
fn another_tool_that_keeps_its_block_at_the_top_finds_nothing_to_change() {
    let desired = desired(MatchBlocks::Override);
    let main = |observed: &Observed| {
        String::from_utf8_lossy(observed.tree.content(&path(MAIN)).unwrap()).into_owned()
    };
    // It was there before us, and it comes after us.
    for text in [guest_agent("# Ports\nPort 22\n"), "Port 22\n".to_owned()] {
        let mut host = observed(&[(MAIN, &text)]);
        for pass in 0..3 {
            host = after(&planned(&desired, &host), &host);
            let ours = main(&host);
            let theirs = guest_agent(&ours);
            assert!(pass == 0 || theirs == ours, "{pass}: {ours}\n{theirs}");
            host.tree.set(&path(MAIN), Some(theirs.as_bytes()));
            ask(&mut host);
        }
        assert!(planned(&desired, &host).changes.is_empty());
        assert!(
            main(&host).contains("#### End Google OS Login control section. ####\n# BEGIN keep")
        );
    }
}

#[test]
fn no_other_tools_block_surrounds_ours_and_no_comment_is_parted_from_its_directive() {
    let desired = desired(MatchBlocks::Override);
    let ansible = |lines: &str| {
        format!("# BEGIN ANSIBLE MANAGED BLOCK\n{lines}# END ANSIBLE MANAGED BLOCK\n")
    };
    for (text, above) in [
        (ansible("Ciphers a\n") + "UsePAM yes\n", ansible("Ciphers a\n")),
        (ansible("ClientAliveInterval 300\n") + "UsePAM yes\n", String::new()),
        (ansible("Ciphers a\n"), String::new()),
        ("# head\n\n# why\nUsePAM yes\n".to_owned(), "# head\n\n".to_owned()),
    ] {
        let host = observed(&[(MAIN, &text)]);
        let host = after(&planned(&desired, &host), &host);
        let edited = String::from_utf8_lossy(host.tree.content(&path(MAIN)).unwrap()).into_owned();
        assert!(edited.starts_with(&format!("{above}# BEGIN keepalive-policy")), "{edited}");
        assert!(planned(&desired, &host).changes.is_empty(), "{edited}");
    }
}
