//! Random sshd configurations: what people write, what tools leave behind, and what a damaged disk
//! makes of both.

use std::path::Path;

use crate::random::Random;

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
const NAMES: [&str; 14] = [
    "00-a.conf",
    "00-keepalive.conf",
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
    let mut generator = Generator { random, prefix, oddity };
    nodes.push(("sshd_config".to_owned(), Node::File(generator.file(2))));
    for directory in DIRECTORIES {
        nodes.push((directory.to_owned(), Node::Directory));
        let files = generator.random.below(5);
        for _ in 0..files {
            let name = generator.random.pick(&NAMES);
            let path = format!("{directory}/{name}");
            if nodes.iter().all(|(other, _)| *other != path) {
                let node = generator.node();
                nodes.push((path, node));
            }
        }
    }
    nodes
}

struct Generator<'a> {
    random: &'a mut Random,
    prefix: &'a str,
    oddity: Oddity,
}

impl Generator<'_> {
    fn node(&mut self) -> Node {
        match self.random.below(40) {
            0 => Node::Directory,
            1 => Node::Link("/dev/null"),
            2 => Node::Link("../sshd_config.target"),
            _ => {
                let inclusions = usize::from(self.random.chance(15));
                Node::File(self.file(inclusions))
            }
        }
    }

    fn file(&mut self, inclusions: usize) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for _ in 0..self.random.below(9) {
            let line = self.line();
            lines.push(line);
        }
        for _ in 0..inclusions {
            if self.random.chance(75) {
                let at = self.random.below(lines.len() + 1);
                let at = if self.random.chance(50) { 0 } else { at };
                let line = self.include();
                lines.insert(at, line);
            }
        }
        let end: &[u8] = if self.random.chance(12) { b"\r\n" } else { b"\n" };
        let mut bytes = lines.join(end);
        if !self.random.chance(15) && !bytes.is_empty() {
            bytes.extend_from_slice(end);
        }
        if self.random.chance(self.oddity.damaged) {
            self.damage(&mut bytes);
        }
        bytes
    }

    fn line(&mut self) -> Vec<u8> {
        if self.random.below(1000) < self.oddity.refused {
            return self.refused();
        }
        match self.random.below(100) {
            0..48 => self.keepalive(),
            48..66 => self.block(),
            66..76 => {
                let comments =
                    ["# a comment", "#", "  # ClientAliveInterval 5", "\t#\"", "#'unbalanced"];
                self.random.pick(&comments).as_bytes().to_vec()
            }
            76..84 => self.random.pick(&["", " ", "\t", "\r", " \t "]).as_bytes().to_vec(),
            84..96 => {
                let others = [
                    "PermitRootLogin no",
                    "X11Forwarding yes",
                    "MaxAuthTries 4",
                    "Banner /etc/a#b",
                    "AllowUsers \"a #b\" c # d",
                    "ForceCommand echo \"a' # b\"'",
                    "AcceptEnv LANG LC_*",
                    "LogLevel VERBOSE",
                    "AuthorizedKeysFile .ssh/a\\ b '.ssh/c d'",
                ];
                self.random.pick(&others).as_bytes().to_vec()
            }
            _ => self.ignored(),
        }
    }

    fn keepalive(&mut self) -> Vec<u8> {
        let times: [&str; 16] = [
            "0",
            "5",
            "7",
            "60",
            "120",
            "1m",
            "2M",
            "1h",
            "1h30m",
            "90s",
            "1m30",
            "5s5",
            "007",
            "1d",
            "1w",
            "2147483647",
        ];
        let odd_times = ["+5", " 5", "1h+30m", " 1h 30m", "-0", "\t7"];
        let counts = ["0", "1", "3", "30", "007", "2147483647"];
        let odd_counts = ["+5", " 4", "-0", "\t2"];
        match self.random.below(10) {
            0..2 => {
                let value = self.random.pick(&["yes", "no", "YES", "No"]);
                self.directive("TCPKeepAlive", value)
            }
            2 => {
                let value = self.random.pick(&["yes", "no"]);
                self.directive("KeepAlive", value)
            }
            3..7 if self.random.chance(8) => {
                let value = format!("\"{}\"", self.random.pick(&odd_times));
                self.directive("ClientAliveInterval", &value)
            }
            3..7 => {
                let value = self.random.pick(&times);
                self.directive("ClientAliveInterval", value)
            }
            _ if self.random.chance(8) => {
                let value = format!("'{}'", self.random.pick(&odd_counts));
                self.directive("ClientAliveCountMax", &value)
            }
            _ => {
                let value = self.random.pick(&counts);
                self.directive("ClientAliveCountMax", value)
            }
        }
    }

    /// A keyword and its arguments, written in one of the ways that sshd takes.
    fn directive(&mut self, keyword: &str, arguments: &str) -> Vec<u8> {
        if !self.random.chance(self.oddity.format) {
            let indent = if self.random.chance(20) { "    " } else { "" };
            return format!("{indent}{keyword} {arguments}").into_bytes();
        }
        let before = self
            .random
            .pick(&["", "", " ", "\t", "\r", " \t\r ", "=", "= ", "\"\" ", "\"\"", " ="]);
        let keyword = match self.random.below(4) {
            0 => keyword.to_ascii_lowercase(),
            1 => keyword.to_ascii_uppercase(),
            _ => keyword.to_owned(),
        };
        let quote = if self.random.chance(15) { "\"" } else { "" };
        let separators = [" ", "\t", "=", " = ", "= ", " =", "  ", " \t ", "\r", "=\r", " \r= \t"];
        let separator = self.random.pick(&separators);
        let arguments = match self.random.below(8) {
            0 if !arguments.contains(['"', '\'', ' ']) => format!("\"{arguments}\""),
            1 if !arguments.contains(['"', '\'', ' ']) => format!("'{arguments}'"),
            2 if arguments.len() > 1 && !arguments.contains(['"', '\'', ' ']) => {
                let (one, two) = arguments.split_at(1);
                format!("{one}'{two}'")
            }
            3 if !arguments.contains(['"', '\'', ' ']) => format!("{arguments}''\"\""),
            _ => arguments.to_owned(),
        };
        let after = self.random.pick(&[
            "", "", " ", "\t", "\r", "\x0c", " \x0c\r ", " # c", "\t#\"", " #", " #'x", "  # \\",
        ]);
        format!("{before}{quote}{keyword}{quote}{separator}{arguments}{after}").into_bytes()
    }

    fn block(&mut self) -> Vec<u8> {
        let criteria = [
            "all",
            "ALL",
            "all",
            "User bob",
            "User=bob",
            "user \"bob\"",
            "User bob,root",
            "User *",
            "User r*t,!root",
            "User !bob",
            "User !bob,*",
            "User ?ob",
            "User BOB",
            "User bob User *",
            "User bob Host web1",
            "Group root",
            "Group nogroup,!root",
            "Group *",
            "Group !root,*",
            "Host WEB1",
            "Host web?,!web2",
            "Host *.example.org",
            "Address 192.0.2.0/24",
            "Address 192.0.2.7",
            "Address 192.0.2.*,!192.0.2.9",
            "Address !192.0.2.7,192.0.2.0/24",
            "Address 2001:db8::/32",
            "Address 10.1,192.0.2.0/25",
            "Address 0xc0.0.2.7",
            "Address *:*",
            "LocalAddress 127.0.0.1",
            "LocalAddress 198.51.100.0/24 User bob",
            "LocalPort 22",
            "LocalPort 2222",
            "LocalPort \" 22\"",
            "RDomain blue",
            "User bob # c",
            "User bob#c",
            "all # c",
            "all \"\"",
            "User bob \"\"",
            "User \"bob, root\"",
            "User = root",
            "User \"ro\"ot",
            "Host=web1 User=root",
        ];
        let criteria = self.random.pick(&criteria);
        if !self.random.chance(self.oddity.format) {
            return format!("Match {criteria}").into_bytes();
        }
        let before = self.random.pick(&["", " ", "\t", "=", "\"\" "]);
        let keyword = self.random.pick(&["Match", "match", "MATCH", "\"Match\""]);
        let separator = self.random.pick(&[" ", "\t", "=", " = ", "  "]);
        let after = self.random.pick(&["", " ", "\r", "\t", " # c", "\x0c"]);
        format!("{before}{keyword}{separator}{criteria}{after}").into_bytes()
    }

    fn include(&mut self) -> Vec<u8> {
        let p = self.prefix;
        let (one, two) = (DIRECTORIES[0], DIRECTORIES[1]);
        let mut patterns = Vec::new();
        for _ in 0..=usize::from(self.random.chance(15)) {
            let pattern = match self.random.below(36) {
                0..10 => format!("{p}/etc/ssh/{one}/*.conf"),
                10..14 => format!("{p}/etc/ssh/{two}/*.conf"),
                14 => format!("{p}/etc/ssh/*.d/*.conf"),
                15 => format!("{p}/etc/ssh/{one}/*"),
                16 => format!("{p}/etc/ssh/{one}/[!a-z]*.conf"),
                17 => format!("{p}/etc/ssh/{one}/[[:digit:]]*"),
                18 => format!("{p}/etc/ssh/{two}/?0-*.conf"),
                19 => format!("{p}/etc/ssh/{one}/.*"),
                20 => format!("{p}/etc/ssh/{one}"),
                21 => format!("{p}/etc/ssh/{two}/"),
                22 => format!("\"{p}/etc/ssh/{one}/b [[]1].conf\""),
                23 => format!("'{p}/etc/ssh/{one}/b \\[1\\].conf'"),
                24 => format!("{p}/etc/ssh/{one}/b\\ *.conf"),
                25 => format!("{p}//etc/ssh/./{two}//*.conf"),
                26 => format!("{p}/etc/ssh/{two}/../{one}/*.conf"),
                27 => format!("{p}/etc/ssh/{one}/[0-9/]*.conf"),
                28 => format!("{p}/etc/ssh/{one}/**.conf"),
                29 => format!("{p}/etc/ssh/{one}/[a.conf"),
                30 => format!("{p}/etc/ssh/{two}/00-a.conf"),
                31 => format!("{p}/etc/ssh/{two}/{{a,A}}.conf"),
                32 => format!("{p}/etc/ssh/{one}/[[:upper:][:punct:]]*.conf"),
                33 => format!("{p}/etc/ssh/{one}/*.conf/"),
                34 => format!("{p}/etc/ssh/{two}/[]_A-]*"),
                _ => "keepalive-policy-nowhere.d/*.conf".to_owned(),
            };
            patterns.push(pattern);
        }
        self.directive("Include", &patterns.join(" "))
    }

    /// Lines that sshd passes over without a word.
    fn ignored(&mut self) -> Vec<u8> {
        let lines = [
            "==ClientAliveInterval 5",
            "\"\" \"\" TCPKeepAlive no",
            "=",
            "\"",
            "\"TCPKeepAlive no",
            "TCPKeepAlive\"no",
            "\"#x\" y",
            "= # c",
            "= = ClientAliveInterval 9",
            "\"\"\"\"ClientAliveInterval 9",
        ];
        self.random.pick(&lines).as_bytes().to_vec()
    }

    fn refused(&mut self) -> Vec<u8> {
        let lines = [
            "TCPKeepAlive true",
            "TCPKeepAlive no#c",
            "TCPKeepAlive yes no",
            "TCPKeepAlive",
            "TCPKeepAlive \"\"",
            "TCPKeepAlive\"no\"",
            "ClientAliveInterval none",
            "ClientAliveInterval 1.5",
            "ClientAliveInterval -1",
            "ClientAliveInterval \"5 \"",
            "ClientAliveInterval 5ms",
            "ClientAliveInterval 0x5",
            "ClientAliveInterval m",
            "ClientAliveInterval 2147483648",
            "ClientAliveInterval 3551w",
            "ClientAliveInterval == 5",
            "ClientAliveInterval 5 \\# c",
            "ClientAliveInterval 5 \r#",
            "ClientAliveInterval 5\r#",
            "ClientAliveInterval 5\x0b",
            "ClientAliveInterval '5",
            "ClientAliveInterval 5\\",
            "ClientAliveCountMax 3x",
            "ClientAliveCountMax -1",
            "ClientAliveCountMax 2147483648",
            "ClientAliveCountMax \"3 \"",
            "ClientAliveCountMax 1m",
            "Match",
            "Match User",
            "Match \"\" User bob",
            "Match User bob \"\" Host x",
            "Match all User bob",
            "Match User bob all",
            "Match user bob bogus",
            "Match Bogus x",
            "Match Address 192.0.2.1/24",
            "Match Address 192.0.2.0/33",
            "Match Address 192.0.2.1,",
            "Match LocalPort 70000",
            "Match User o'brien",
            "Match User ==bob",
            "Match # c",
            "Include",
            "Include # c",
            "Include \"\"",
            "Include '",
        ];
        self.random.pick(&lines).as_bytes().to_vec()
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.random.below(2) {
            let at = self.random.below(bytes.len() + 1);
            match self.random.below(8) {
                0..3 => bytes.insert(at, 0),
                3 => bytes.splice(at..at, [0; 5]).for_each(drop),
                4 => {
                    let byte = self.random.pick(&["\r", "\x0c", "\n", " ", "=", "\"", "\\", "#"]);
                    bytes.splice(at..at, byte.bytes()).for_each(drop);
                }
                5 => bytes.truncate(at),
                6 if at < bytes.len() => {
                    bytes.remove(at);
                }
                7 => bytes.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
                _ => {}
            }
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

#[expect(clippy::disallowed_methods, reason = "a test's own tree: nothing can be torn by a crash")]
fn put(path: &Path, bytes: &[u8]) {
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
