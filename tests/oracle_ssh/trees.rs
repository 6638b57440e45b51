//! Random hosts, as directories of this machine; and what the real ssh says in a namespace where
//! these are /etc/ssh and /home.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use keepalive_policy::host::Host;
use keepalive_policy::host::accounts::Reader;
use keepalive_policy::reconcile::Value;
use keepalive_policy::ssh_client::snapshot::{self, Scope};
use keepalive_policy::ssh_client::tree::{Tree, UserFile};
use keepalive_policy::sshd::dialect::Dialect;

use super::lines::{Dice, text};

pub const ALICE: u32 = 4711;
pub const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nalice:x:4711:4711::/home/alice:/bin/sh\n\
                      bob:x:4712:4712::/home/bob:/bin/sh\n";
pub const GROUP: &str = "root:x:0:\nalice:x:4711:\nbob:x:4712:alice\n";

/// A host's files, below a directory of this machine.
pub struct Files {
    pub root: tempfile::TempDir,
}

impl Files {
    pub fn new() -> Self {
        let files = Self { root: tempfile::tempdir().unwrap() };
        for directory in ["etc/ssh/ssh_config.d", "home/alice/.ssh/conf.d", "home/bob"] {
            fs::create_dir_all(files.root.path().join(directory)).unwrap();
        }
        files.put("etc/passwd", PASSWD, 0o644, 0);
        files.put("etc/group", GROUP, 0o644, 0);
        files
    }

    pub fn put(&self, path: &str, text: &str, mode: u32, owner: u32) {
        let path = self.root.path().join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
    }

    /// The user's file may be new: made by root here, and ssh is asked as alice.
    pub fn show_to_alice(&self) {
        let file = self.root.path().join("home/alice/.ssh/config");
        if file.exists() {
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
    }

    /// A host with nothing that ssh refuses: for edits.
    pub fn sound(dice: &mut Dice, dialect: &Dialect, with_user: bool) -> Self {
        let files = Self::new();
        let include =
            ["", "Include /etc/ssh/ssh_config.d/*.conf\n", "Host web*\nInclude ssh_config.d/*\n"];
        let include = dice.pick(&include);
        let main =
            include.to_owned() + &text(dice, dialect, &["/etc/ssh/ssh_config.d/*.conf"], false);
        files.put("etc/ssh/ssh_config", &main, 0o644, 0);
        for name in ["00-a.conf", "20-b.conf"] {
            if dice.one_in(2) {
                let text = text(dice, dialect, &["/etc/ssh/missing"], false);
                files.put(&format!("etc/ssh/ssh_config.d/{name}"), &text, 0o644, 0);
            }
        }
        if with_user && !dice.one_in(8) {
            let text = text(dice, dialect, &["conf.d/*"], false);
            files.put("home/alice/.ssh/config", &text, 0o644, 0);
            files.put(
                "home/alice/.ssh/conf.d/a",
                &self::text(dice, dialect, &["missing"], false),
                0o644,
                0,
            );
        }
        files
    }

    pub fn random(dice: &mut Dice, dialect: &Dialect, with_user: bool) -> Self {
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

    pub fn tree(&self, dialect: &Dialect, with_user: bool) -> Tree {
        let scope = Scope {
            user: with_user.then(|| UserFile::of(PathBuf::from("/home/alice"))),
            system: PathBuf::from("/etc/ssh/ssh_config"),
            reader: if with_user { Reader::Account(ALICE) } else { Reader::Everyone },
            besides: Vec::new(),
        };
        snapshot::read(&Host::at(self.root.path()), &scope, dialect).unwrap().tree
    }

    /// What the real ssh says for each host; `None` where it refuses.
    pub fn ask(&self, hosts: &[&str]) -> Vec<Result<Answer, String>> {
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

    pub fn show(&self) -> String {
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
pub struct Answer {
    /// In the order of `Keyword::ALL`.
    pub values: [Value; 3],
    /// Everything else that ssh printed.
    pub others: Vec<String>,
}

impl Answer {
    pub fn parse(text: &str) -> Self {
        let find = |name: &str| {
            let line =
                text.lines().find(|line| line.to_lowercase().starts_with(&format!("{name} ")));
            line.and_then(|line| line.split_once(' ')).map(|(_, value)| value.to_owned()).unwrap()
        };
        let number = |name| Value::Number(find(name).parse().unwrap());
        let keepalive = matches!(find("tcpkeepalive").as_str(), "yes" | "true");
        let values =
            [Value::Bool(keepalive), number("serveraliveinterval"), number("serveralivecountmax")];
        let ours = ["tcpkeepalive ", "serveraliveinterval ", "serveralivecountmax "];
        let other = |line: &&str| !ours.iter().any(|name| line.to_lowercase().starts_with(name));
        Self { values, others: text.lines().filter(other).map(str::to_owned).collect() }
    }
}
