//! Our reading of ssh_config against the real `ssh -G`, on seeded random trees of user and system
//! files. Needs root for a mount namespace in which these trees are /etc/ssh and /home.
//!
//! `KEEPALIVE_ORACLE_TREES` says how many trees, `KEEPALIVE_ORACLE_SEED` where to begin.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use keepalive_policy::host::Host;
use keepalive_policy::reconcile::Value;
use keepalive_policy::ssh_client::Keyword;
use keepalive_policy::ssh_client::accounts::Reader;
use keepalive_policy::ssh_client::evaluate::{self, Destination, Reading};
use keepalive_policy::ssh_client::snapshot::{self, Scope};
use keepalive_policy::ssh_client::tree::{Tree, UserFile};
use keepalive_policy::sshd::dialect::Dialect;

const ALICE: u32 = 4711;
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nalice:x:4711:4711::/home/alice:/bin/sh\n\
                      bob:x:4712:4712::/home/bob:/bin/sh\n";
const GROUP: &str = "root:x:0:\nalice:x:4711:\nbob:x:4712:alice\n";

const HOSTS: [&str; 9] = [
    "web1",
    "WEB1",
    "web2.example.org",
    "db",
    "bob@db",
    "10.0.0.7",
    "nowhere.invalid",
    "jump",
    "alias",
];

/// A small generator: the same seed gives the same tree on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len())]
    }
}

const PATTERNS: [&str; 16] = [
    "*",
    "web*",
    "web1",
    "WEB1",
    "!web1",
    "db",
    "d?",
    "*.example.org",
    "10.0.0.*",
    "jump",
    "real.*",
    "alias",
    "\"web1\"",
    "web1,db",
    "!*.org",
    "REAL.example",
];

const CRITERIA: [&str; 22] = [
    "all",
    "canonical",
    "final",
    "final all",
    "host web*,db",
    "host !web1,*",
    "!host web1",
    "originalhost WEB1",
    "originalhost alias",
    "user bob",
    "user alice,!bob",
    "!user bob",
    "localuser alice",
    "localuser root",
    "host=db",
    "host real.example",
    "user carol",
    "!final",
    "exec true",
    "!all",
    "host \"db\" # why",
    "host db !user bob",
];

const BAD: [&str; 15] = [
    "ServerAliveInterval 5 6",
    "ServerAliveInterval 5x",
    "ServerAliveInterval",
    "TCPKeepAlive maybe",
    "ServerAliveCountMax -1",
    "ServerAliveCountMax many",
    "Match nonsense",
    "Match host",
    "Match user bob host db all",
    "Host \"\"",
    "ServerAliveInterval '5",
    "Match all extra",
    "Include \"\"",
    "BatchMode perhaps",
    "Match host db \"\" x",
];

fn line(dice: &mut Dice, dialect: &Dialect) -> String {
    let number = dice.roll(9) + 1;
    match dice.roll(30) {
        0..=5 => format!("ServerAliveInterval {number}{}", dice.pick(&["", "", "m", " # c", "s5"])),
        6..=8 => format!("ServerAliveCountMax {number}"),
        9..=11 => format!(
            "{} {}",
            dice.pick(&["TCPKeepAlive", "KeepAlive"]),
            dice.pick(&["yes", "no", "TRUE", "False"])
        ),
        12 => "ServerAliveInterval none".to_owned(),
        13..=16 => {
            let count = dice.roll(3) + 1;
            let patterns: Vec<&str> = (0..count).map(|_| dice.pick(&PATTERNS)).collect();
            format!("Host{}{}", dice.pick(&[" ", "=", "\t"]), patterns.join(" "))
        }
        17..=19 => format!("Match {}", dice.pick(&CRITERIA)),
        20 => format!(
            "HostName {}",
            dice.pick(&["real.example", "%h.example.org", "Web1", "10.0.0.7", "REAL.Example"])
        ),
        21 => format!("User {}", dice.pick(&["bob", "carol"])),
        22 => format!("BatchMode {}", dice.pick(&["yes", "no"])),
        23 => dice.pick(&["# comment", "", "  ", "Port 2222", "Compression yes"]).to_owned(),
        24 => format!("serveraliveinterval={number}"),
        25 => format!("\"ServerAliveInterval\" \"{number}\""),
        26 => dice
            .pick(&[
                "=ServerAliveCountMax 4",
                "\"TCPKeepAlive no",
                "\t TCPKeepAlive\tno \r",
                "ServerAliveCountMax 8\0 x",
                "\0",
                "  \"\" TCPKeepAlive no",
            ])
            .to_owned(),
        27 if dialect.is_debian() => {
            format!("{} {number}", dice.pick(&["SetupTimeOut", "ProtocolKeepAlives"]))
        }
        28 => "Include".to_owned(),
        _ => format!("ServerAliveInterval {number}"),
    }
}

fn text(dice: &mut Dice, dialect: &Dialect, includes: &[&str], bad: bool) -> String {
    let mut text = String::new();
    let count = dice.roll(9);
    for _ in 0..count {
        let mut line = line(dice, dialect);
        if line == "Include" {
            line = format!("Include {}", dice.pick(includes));
        }
        if bad && dice.one_in(40) {
            line = dice.pick(&BAD).to_owned();
        }
        let indent = dice.pick(&["", "", "", "    ", "\t"]);
        text.push_str(&format!("{indent}{line}{}", dice.pick(&["\n", "\n", "\n", "\r\n"])));
    }
    if dice.one_in(6) {
        text.truncate(text.trim_end().len());
    }
    text
}

/// A host's files, below a directory of this machine.
struct Files {
    root: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { root: tempfile::tempdir().unwrap() };
        for directory in ["etc/ssh/ssh_config.d", "home/alice/.ssh/conf.d", "home/bob"] {
            fs::create_dir_all(files.root.path().join(directory)).unwrap();
        }
        files.put("etc/passwd", PASSWD, 0o644, 0);
        files.put("etc/group", GROUP, 0o644, 0);
        files
    }

    fn put(&self, path: &str, text: &str, mode: u32, owner: u32) {
        let path = self.root.path().join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
    }

    fn random(dice: &mut Dice, dialect: &Dialect, with_user: bool) -> Self {
        let files = Self::new();
        let bad = dice.one_in(4);
        let system = [
            "/etc/ssh/ssh_config.d/*.conf",
            "ssh_config.d/*",
            "ssh_config.d/1?.conf missing",
            "/etc/ssh/ssh_config.d",
        ];
        let user = [
            "conf.d/*",
            "~/.ssh/conf.d/a",
            "/home/alice/.ssh/conf.d/[a-b]",
            "\"conf.d/b\" conf.d/a",
        ];
        let mut main = text(dice, dialect, &system, bad);
        if dice.one_in(2) {
            main = format!("Include /etc/ssh/ssh_config.d/*.conf\n{main}");
        }
        let mode = if !with_user && dice.one_in(12) { 0o600 } else { 0o666 };
        // The main file's own mode is never looked at, but it has to be readable.
        files.put("etc/ssh/ssh_config", &main, mode, 0);
        for name in ["10-a.conf", "20-b.conf", "README"] {
            let mode = [0o644, 0o644, 0o664, 0o644, 0o600, 0o666]
                [if bad { dice.roll(6) } else { dice.roll(2) }];
            let mode = if with_user && mode == 0o600 { 0o644 } else { mode };
            let owner = if bad && dice.one_in(9) { 4712 } else { 0 };
            let bad = bad && dice.one_in(3);
            let text = text(dice, dialect, &["/etc/ssh/x.conf"], bad);
            files.put(&format!("etc/ssh/ssh_config.d/{name}"), &text, mode, owner);
        }
        files.put("etc/ssh/x.conf", &text(dice, dialect, &["missing"], false), 0o644, 0);
        if !with_user && dice.one_in(15) {
            let directory = files.root.path().join("etc/ssh/ssh_config.d");
            let mode = [0o700, 0o711, 0o744][dice.roll(3)];
            fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
        }
        if with_user {
            let mode = [0o600, 0o644, 0o664, 0o666][if bad { dice.roll(4) } else { dice.roll(3) }];
            files.put("home/alice/.ssh/config", &text(dice, dialect, &user, bad), mode, ALICE);
            for name in ["a", "b"] {
                let owner = [ALICE, 0, 4712][if bad { dice.roll(3) } else { dice.roll(2) }];
                let text = text(dice, dialect, &user[1..2], false);
                files.put(&format!("home/alice/.ssh/conf.d/{name}"), &text, 0o644, owner);
            }
        }
        if dice.one_in(10) {
            let link = files.root.path().join("etc/ssh/ssh_config.d/15-gone.conf");
            std::os::unix::fs::symlink("/etc/ssh/gone", link).unwrap();
        }
        files
    }

    fn tree(&self, dialect: &Dialect, with_user: bool) -> Tree {
        let scope = Scope {
            user: with_user.then(|| UserFile::of(PathBuf::from("/home/alice"))),
            system: PathBuf::from("/etc/ssh/ssh_config"),
            reader: if with_user { Reader::Account(ALICE) } else { Reader::Everyone },
            besides: Vec::new(),
        };
        snapshot::read(&Host::at(self.root.path()), &scope, dialect).unwrap().tree
    }

    /// What the real ssh says for each host; `None` where it refuses.
    fn ask(&self, hosts: &[&str]) -> Vec<Result<Answer, String>> {
        const SCRIPT: &str = r#"
            for there in etc/ssh etc/passwd etc/group home; do
                mount --bind "$1/$there" "/$there" || exit
            done
            shift
            for host; do
                setpriv --reuid 4711 --regid 4711 --clear-groups \
                    env -i PATH=/usr/bin:/bin ssh -G "$host" 2>&1 </dev/null
                echo "== $?"
            done"#;
        let output = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-uc", SCRIPT, "oracle"])
            .arg(self.root.path())
            .args(hosts)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut answers = Vec::new();
        let mut current = String::new();
        for line in text.lines() {
            match line.strip_prefix("== ") {
                Some("0") => answers.push(Ok(Answer::parse(&std::mem::take(&mut current)))),
                Some(_) => answers.push(Err(std::mem::take(&mut current))),
                None => current.push_str(&format!("{line}\n")),
            }
        }
        assert_eq!(
            answers.len(),
            hosts.len(),
            "{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        answers
    }

    fn show(&self) -> String {
        let mut text = String::new();
        let listing = Command::new("sh")
            .args(["-c", "ls -lnR . && grep -rn '' etc/ssh home | cat -A", "show"])
            .current_dir(self.root.path())
            .output()
            .unwrap();
        text.push_str(&String::from_utf8_lossy(&listing.stdout));
        text
    }
}

/// The three values that ssh uses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer([Value; 3]);

impl Answer {
    fn parse(text: &str) -> Self {
        let find = |name: &str| {
            let line =
                text.lines().find(|line| line.to_lowercase().starts_with(&format!("{name} ")));
            line.and_then(|line| line.split_once(' ')).map(|(_, value)| value.to_owned()).unwrap()
        };
        let number = |name| Value::Number(find(name).parse().unwrap());
        let keepalive = matches!(find("tcpkeepalive").as_str(), "yes" | "true");
        Self([Value::Bool(keepalive), number("serveraliveinterval"), number("serveralivecountmax")])
    }
}

fn dialect() -> Dialect {
    let output = Command::new("ssh").arg("-V").output().expect("ssh is installed");
    Dialect::from_banner(&output.stderr).unwrap().of_client()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What differs between our reading and ssh's answers; and how many values could not be told.
fn compare(
    reading: &Reading,
    hosts: &[&str],
    answers: &[Result<Answer, String>],
) -> Result<usize, String> {
    let mut untold = 0;
    for (host, answer) in hosts.iter().zip(answers) {
        let answer = match (answer, reading.refusals.first()) {
            (Err(_), Some(_)) => continue,
            (Ok(answer), None) => answer,
            (Err(words), None) => return Err(format!("{host}: only ssh refuses: {words}")),
            (Ok(_), Some(refusal)) => return Err(format!("{host}: only we refuse: {refusal:?}")),
        };
        let values = reading.values_for(&Destination::new(host.as_bytes(), Some(b"alice")));
        for (keyword, real) in Keyword::ALL.into_iter().zip(answer.0) {
            match &values[&keyword] {
                None => untold += 1,
                Some(ours) if ours.value == real => {}
                Some(ours) => return Err(format!("{host}: {keyword:?} is {real}, not {ours:?}")),
            }
            let mut possible =
                reading.deviations(keyword).into_iter().map(|one| one.effective.value);
            let batch = keyword == Keyword::ServerAliveInterval && real == Value::Number(300);
            if real != reading.global(keyword).value
                && !possible.any(|value| value == real)
                && !batch
            {
                return Err(format!(
                    "{host}: {keyword:?} {real} is neither global nor a deviation"
                ));
            }
        }
    }
    Ok(untold)
}

#[test]
fn every_value_is_the_one_that_ssh_uses() {
    let dialect = dialect();
    let (first, count) =
        (setting("KEEPALIVE_ORACLE_SEED", 1), setting("KEEPALIVE_ORACLE_TREES", 200));
    let (mut untold, mut refused) = (0, 0);
    for seed in first..first + count {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let with_user = !dice.one_in(3);
        let files = Files::random(&mut dice, &dialect, with_user);
        let reading = evaluate::read(&files.tree(&dialect, with_user), &dialect);
        if !with_user {
            let _ = fs::remove_dir_all(files.root.path().join("home/alice/.ssh"));
        }
        let first = dice.roll(HOSTS.len());
        let hosts: Vec<&str> = HOSTS.iter().cycle().skip(first).take(4).copied().collect();
        let answers = files.ask(&hosts);
        assert_eq!(reading.opaque, [], "seed {seed}\n{}", files.show());
        refused += u64::from(!reading.refusals.is_empty());
        match compare(&reading, &hosts, &answers) {
            Ok(more) if reading.runs_commands().is_some() => untold += more,
            Ok(0) => {}
            Ok(more) => panic!("seed {seed}: {more} values not told\n{}", files.show()),
            Err(difference) => panic!("seed {seed}: {difference}\n{}", files.show()),
        }
    }
    eprintln!("{count} trees, {refused} refused, {untold} values that a command decides");
    assert!(count < 50 || refused > 0 && refused < count / 2, "{refused} of {count} were refused");
}
