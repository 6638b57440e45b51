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
