//! More input than an honest host has: large files, many files, many lines.

use std::fs;
use std::time::{Duration, Instant};

use super::{Said, Tree};

/// A policy that declares something of each resource.
const POLICY: &str = "\
    [sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
    [sshd_config]\nClientAliveInterval = 120\n\
    [ssh_config]\nServerAliveInterval = 60\n";

#[test]
fn a_file_of_1_gb_is_refused_at_once_with_its_name() {
    for file in [
        "etc/sysctl.d/50-large.conf",
        "etc/sysctl.conf",
        "etc/ssh/sshd_config.d/50-large.conf",
        "etc/ssh/ssh_config.d/50-large.conf",
    ] {
        let tree = Tree::new(POLICY);
        tree.write(file, "");
        fs::File::options().write(true).open(tree.at(file)).unwrap().set_len(1 << 30).unwrap();
        for command in ["check", "diff", "apply"] {
            let Said { code, out, err } = tree.run(&[command]);
            assert_eq!(code, Some(2), "{command} {file}: {out}{err}");
            let line = out.lines().chain(err.lines()).find(|line| line.contains(file));
            assert!(line.unwrap().contains("16777216 bytes"), "{command} {file}: {out}{err}");
        }
        assert_eq!(fs::metadata(tree.at(file)).unwrap().len(), 1 << 30);
    }
}

const SYSCTL: &str = "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n";

/// What fits a machine that is busy with other tests, and not a step that looks at all for each.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_sysctl_d_of_20000_files_is_read_in_little_time_and_memory() {
    for key in ["net.core.other", "net.ipv4.tcp_keepalive_time"] {
        let tree = Tree::new(SYSCTL);
        for number in 0..20_000 {
            tree.write(&format!("etc/sysctl.d/{number:05}.conf"), format!("{key} = {number}\n"));
        }
        let begun = Instant::now();
        let Said { code, out, err } = tree.run(&["check"]);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(begun.elapsed() < PATIENCE, "{key}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_file_of_200000_lines_is_read_in_little_time_and_memory() {
    for key in ["net.core.other", "net.ipv4.tcp_keepalive_time"] {
        let tree = Tree::new(SYSCTL);
        let line = |number| format!("{key} = {}\n", number % 700 + 1);
        let text: String = (0..200_000).map(line).collect();
        tree.write("etc/sysctl.d/50-many.conf", text);
        let begun = Instant::now();
        let Said { code, out, err } = tree.run(&["check"]);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(begun.elapsed() < PATIENCE, "{key}: {:?}", begun.elapsed());
    }
}

#[test]
fn names_that_are_patterns_are_followed_up_to_a_limit_that_is_said() {
    let tree = Tree::new(SYSCTL);
    for number in 0..2000 {
        tree.write(&format!("etc/sysctl.d/*{number}*.conf"), "net.core.x = 1\n");
    }
    let Said { code, out, err } = tree.run(&["check"]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.contains("etc/sysctl.d") && out.contains("2000 of its names"), "{out}{err}");
}

/// What is said of a tree that makes us read more than a limit.
fn is_refused(tree: &Tree, words: &str) {
    let begun = Instant::now();
    let Said { code, out, err } = tree.run(&["check"]);
    assert_eq!(code, Some(2), "{words}: {out}{err}");
    assert!(out.contains(words) && out.contains("/"), "{words}: {out}{err}");
    assert!(begun.elapsed() < PATIENCE, "{words}: {:?}", begun.elapsed());
}

#[test]
fn include_lines_are_followed_up_to_limits_that_are_said() {
    for (main, policy) in [
        ("etc/ssh/sshd_config", "[sshd_config]\nClientAliveInterval = 120\n"),
        ("etc/ssh/ssh_config", "[ssh_config]\nServerAliveInterval = 60\n"),
    ] {
        let stars = Tree::new(policy);
        let line = |number| format!("Include /etc/ssh/d/*{number}*.conf\n");
        stars.write(main, (0..3000).map(line).collect::<String>());
        is_refused(&stars, "1000 different Include patterns");

        let deep = Tree::new(policy);
        deep.write(main, "Include /*/*/*/*/*\n");
        for (a, b) in (0..70).flat_map(|a| (0..70).map(move |b| (a, b))) {
            fs::create_dir_all(deep.at(&format!("srv/{a}/{b}"))).unwrap();
        }
        is_refused(&deep, "4096 directories");

        let large = Tree::new(policy);
        large.write(main, "Include /etc/ssh/d/*\n");
        for number in 0..3 {
            large.write(&format!("etc/ssh/d/{number}"), vec![b'\n'; 6 << 20]);
        }
        is_refused(&large, "12582912 bytes");
    }
}

#[test]
fn a_policy_has_64_instances_of_sshd_at_most() {
    let instance = |number| {
        format!(
            "[[sshd_config.instance]]\nfile = \"/etc/i{number}\"\nunit = \"i{number}.service\"\n"
        )
    };
    let begin = "[sshd_config]\nClientAliveInterval = 120\n".to_owned();
    let tree = Tree::new(&(begin + &(0..15_000).map(instance).collect::<String>()));
    let Said { code, out, err } = tree.run(&["check"]);
    assert_eq!(code, Some(78), "{out}{err}");
    assert!(err.contains("15000 instances; 64 is the most"), "{out}{err}");
}

#[test]
fn explain_grows_with_the_number_of_blocks_and_not_with_its_square() {
    let lines = |blocks: usize| {
        let tree = Tree::new("[sshd_config]\nClientAliveInterval = 120\n");
        let block = |number| format!("Match User u{number}\n ClientAliveInterval {}\n", number + 1);
        tree.write("etc/ssh/sshd_config", (0..blocks).map(block).collect::<String>());
        let Said { code, out, err } = tree.run(&["explain"]);
        assert_eq!(code, Some(0), "{err}");
        out.lines().count()
    };
    let (some, twice) = (lines(40), lines(80));
    assert!(twice < some * 9 / 4, "{some} lines for 40 blocks, {twice} for 80");
}
