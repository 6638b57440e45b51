//! More input than an honest host has: large files, many files, many lines.

use std::fs;

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
