//! Random trees of sshd's configuration.

use std::path::Path;

use super::lines::Generator;
use super::random::Random;

/// What stands at a path of a generated tree.
#[derive(Debug, Clone)]
pub enum Node {
    File(Vec<u8>),
    Directory,
    Link(&'static str),
}

/// How odd a tree may be.
#[derive(Debug, Clone, Copy)]
pub struct Oddity {
    /// Chance in a thousand, for each line, of something that sshd refuses.
    pub refused: usize,
    /// Chance in a hundred, for each file, of damaged bytes.
    pub damaged: usize,
    /// Chance in a hundred, for each line, of unusual formatting.
    pub format: usize,
}

/// Names of files in the drop-in directories, all sorts of sorting.
const NAMES: [&str; 15] = [
    "00-a.conf",
    "00-keepalive.conf",
    "00-keepalive-policy.conf",
    "10-x.conf",
    "50-cloud-init.conf",
    "9-y.conf",
    "99-z.conf",
    "A.conf",
    "_b.conf",
    "a.conf",
    "a.conf~",
    ".hidden.conf",
    "b [1].conf",
    "é.conf",
    "-.conf",
];

pub const DIRECTORIES: [&str; 2] = ["sshd_config.d", "other.d"];

/// A tree below `/etc/ssh`: paths relative to it, the main file first. `prefix` stands before the
/// absolute patterns, with nothing in it that a pattern or tokeniser takes for special.
pub fn tree(random: &mut Random, prefix: &str, oddity: Oddity) -> Vec<(String, Node)> {
    let mut nodes = Vec::new();
    let mut generator = Generator { random, prefix, oddity, in_block: false };
    nodes.push(("sshd_config".to_owned(), Node::File(generator.file(2))));
    for directory in DIRECTORIES {
        nodes.push((directory.to_owned(), Node::Directory));
        let files = generator.random.below(5);
        for _ in 0..files {
            let name = generator.random.pick(&NAMES);
            let path = format!("{directory}/{name}");
            if nodes.iter().all(|(other, _)| *other != path) {
                let node = node(&mut generator);
                nodes.push((path, node));
            }
        }
    }
    nodes
}

fn node(generator: &mut Generator<'_>) -> Node {
    match generator.random.below(60) {
        0 => Node::Directory,
        1 => Node::Link("/dev/null"),
        2 => Node::Link("../sshd_config.target"),
        _ => {
            let inclusions = usize::from(generator.random.chance(15));
            Node::File(generator.file(inclusions))
        }
    }
}

/// Writes a generated tree below `root`.
pub fn write(root: &Path, nodes: &[(String, Node)]) {
    let directory = root.join("etc/ssh");
    std::fs::create_dir_all(&directory).unwrap();
    for (path, node) in nodes {
        let path = directory.join(path);
        match node {
            Node::File(bytes) => put(&path, bytes),
            Node::Directory => std::fs::create_dir_all(&path).unwrap(),
            Node::Link(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
        }
    }
}

/// Writes one file.
#[expect(clippy::disallowed_methods, reason = "a test's own tree: nothing can be torn by a crash")]
pub fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

/// The tree as one would show it in a report.
pub fn show(nodes: &[(String, Node)]) -> String {
    let mut text = String::new();
    for (path, node) in nodes {
        text.push_str(&match node {
            Node::File(bytes) => {
                format!("--- {path}\n{}\n", bytes.escape_ascii()).replace("\\n", "\\n\n")
            }
            Node::Directory => format!("--- {path}/\n"),
            Node::Link(target) => format!("--- {path} -> {target}\n"),
        });
    }
    text
}
