//! Users' homes, which root's commands read: file systems that never answer, links to what only root
//! can read, thousands of accounts, and thousands of lines.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Tree, program};

const POLICY: &str = "[ssh_config]\nServerAliveInterval = 60\nServerAliveCountMax = 3\n";

/// A command that hangs is not waited for.
const HANGS: Duration = Duration::from_secs(60);

/// A FUSE file system that takes every request but the first, and never answers.
const SILENT_FUSE: &str = r#"
import ctypes, os, struct, sys
fd = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f'fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other'.encode()
if libc.mount(b'silent', sys.argv[1].encode(), b'fuse', 6, options):
    sys.exit(os.strerror(ctypes.get_errno()))
request = os.read(fd, 1 << 17)
length, opcode, unique = struct.unpack_from('<IIQ', request)
assert opcode == 26, opcode
answer = struct.pack('<IIIIHHIIHHII6I', 7, 31, 0, 0, 12, 10, 1 << 16, 1, 0, 0, 0, 0, *[0] * 6)
os.write(fd, struct.pack('<IiQ', 16 + len(answer), 0, unique) + answer)
print('mounted', flush=True)
while True:
    os.read(fd, 1 << 17)
"#;

/// The mount lasts as long as its server, which is ended with the test.
struct Silent {
    server: Child,
    point: PathBuf,
}

impl Silent {
    fn mount(point: &Path) -> Self {
        fs::create_dir_all(point).unwrap();
        let mut python = Command::new("python3");
        python.args(["-c", SILENT_FUSE]).arg(point).stdout(Stdio::piped());
        let mut server = python.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n", "root and /dev/fuse are needed");
        Self { server, point: point.to_owned() }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Every process that waits for an answer gets ENOTCONN.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.point).status();
    }
}

/// A tree with an ssh, and a home for each user, each with its own id from 1000.
fn tree(users: &[&str]) -> Tree {
    let tree = Tree::new(POLICY);
    // Its users must be able to look into their homes.
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    tree.write("etc/ssh/ssh_config", "ServerAliveInterval 60\nServerAliveCountMax 3\n");
    tree.write("usr/bin/ssh", "");
    let mut passwd = "root:x:0:0::/root:/bin/sh\n".to_owned();
    for (uid, user) in (1000..).zip(users) {
        passwd.push_str(&format!("{user}:x:{uid}:{uid}::/home/{user}:/bin/sh\n"));
        let ssh = tree.at(&format!("home/{user}/.ssh"));
        fs::create_dir_all(&ssh).unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&ssh, Some(uid), Some(uid)).unwrap();
    }
    tree.write("etc/passwd", passwd);
    tree
}

fn config(tree: &Tree, uid: u32, user: &str, text: &str) {
    let path = format!("home/{user}/.ssh/config");
    tree.write(&path, text);
    fs::set_permissions(tree.at(&path), fs::Permissions::from_mode(0o600)).unwrap();
    chown(tree.at(&path), Some(uid), Some(uid)).unwrap();
}

/// What a command says, and how long that takes. Fails where it hangs.
fn said(mut command: Command) -> (String, Duration) {
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    std::thread::spawn(move || sender.send(command.output()));
    // An error here means that it hangs.
    let output = receiver.recv_timeout(HANGS).unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), start.elapsed())
}

fn on(tree: &Tree, command: &str) -> Command {
    let mut run = Command::new(program());
    run.arg("--root").arg(tree.path()).arg(command);
    run
}

fn notes(text: &str) -> Vec<String> {
    // `explain` breaks its lines.
    let text = text.replace("\n    ", " ");
    text.lines().filter(|line| line.contains("/.ssh/config")).map(str::to_owned).collect()
}

/// Row of hostile.md: ~/.ssh or ~/.ssh/config is a link to a FUSE mount that never answers.
#[test]
fn a_home_that_never_answers_costs_two_seconds_and_is_named() {
    let tree = tree(&["mallory", "eve", "alice"]);
    let _silent = Silent::mount(&tree.at("srv/silent"));
    fs::remove_dir(tree.at("home/mallory/.ssh")).unwrap();
    symlink("/srv/silent/x", tree.at("home/mallory/.ssh")).unwrap();
    symlink("/srv/silent/config", tree.at("home/eve/.ssh/config")).unwrap();
    config(&tree, 1002, "alice", "ServerAliveInterval 9\n");
    for command in ["check", "explain"] {
        let (text, took) = said(on(&tree, command));
        assert!(took < Duration::from_secs(9), "{command}: {took:?} {text}");
        let notes = notes(&text);
        let hung = notes.iter().find(|note| note.contains("mallory, eve were not looked at"));
        assert!(hung.unwrap().contains("did not answer within 2 s"), "{command}: {text}");
        assert!(text.replace("\n    ", " ").contains("alice sets ServerAliveInterval 9"), "{text}");
    }
}

/// The same on the running host, in a namespace in which accounts and homes are ours.
#[test]
fn nor_does_a_home_of_the_running_host() {
    let tree = tree(&["mallory", "alice"]);
    let silent = Silent::mount(&tree.at("srv/silent"));
    fs::remove_dir(tree.at("home/mallory/.ssh")).unwrap();
    symlink(silent.point.join("x"), tree.at("home/mallory/.ssh")).unwrap();
    config(&tree, 1001, "alice", "ServerAliveInterval 9\n");
    let mut live = Command::new("unshare");
    let script = "mount --bind \"$1/etc/passwd\" /etc/passwd && mount --bind \"$1/home\" /home && \
                  exec \"$2\" --policy \"$1/etc/keepalive-policy.toml\" check";
    live.args(["--mount", "sh", "-c", script, "sh"]).arg(tree.path()).arg(program());
    let (text, took) = said(live);
    assert!(took < Duration::from_secs(9), "{took:?} {text}");
    assert!(text.contains("the home of mallory was not looked at"), "{text}");
    assert!(text.contains("alice sets ServerAliveInterval 9 for every host"), "{text}");
}

/// A link of a user's must not have root read for them what they can't read.
#[test]
fn what_the_user_cannot_read_is_not_read_for_them() {
    let tree = tree(&["mallory", "member", "other"]);
    for (path, mode, gid) in [("secret", 0o600, 0), ("shared", 0o640, 700)] {
        tree.write(path, "Host hidden\nServerAliveInterval 9\n");
        fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).unwrap();
        chown(tree.at(path), Some(0), Some(gid)).unwrap();
    }
    tree.write("etc/group", "ops:x:700:member\n");
    symlink("/secret", tree.at("home/mallory/.ssh/config")).unwrap();
    symlink("/shared", tree.at("home/member/.ssh/config")).unwrap();
    symlink("/shared", tree.at("home/other/.ssh/config")).unwrap();
    let (text, _) = said(on(&tree, "check"));
    assert_eq!(notes(&text).len(), 1, "{text}");
    assert!(text.contains("member sets ServerAliveInterval 9 for Host hidden"), "{text}");
}

/// Row of hostile.md: one user's 1 MB ssh config; 3,000 accounts.
#[test]
fn many_lines_and_many_accounts_are_counted() {
    let names: Vec<String> = (0..3000).map(|number| format!("user{number}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let tree = tree(&users);
    for (uid, user) in (1000..).zip(&users) {
        config(&tree, uid, user, "ServerAliveInterval 9\n");
    }
    let many: String =
        (0..26_000).map(|host| format!("Host h{host}\n ServerAliveInterval 8\n")).collect();
    assert!((800_000..1 << 20).contains(&many.len()), "{}", many.len());
    config(&tree, 1000, "user0", &many);
    let too_many = many.clone() + &many;
    config(&tree, 1001, "user1", &too_many);
    for command in ["check", "explain"] {
        let (text, took) = said(on(&tree, command));
        assert!(took < Duration::from_secs(10), "{command}: {took:?}");
        assert!(text.len() < 10_000, "{command}: {} bytes", text.len());
        let notes = notes(&text);
        assert_eq!(notes.len(), 2, "{command}: {text}");
        let expected = "2,999 accounts set another ServerAliveInterval than 60, which is declared \
                        (user0, user2, user3 and 2,996 more), user0 8 for Host h0 and another value \
                        on 25,999 more lines";
        assert!(notes.iter().any(|note| note.contains(expected)), "{command}: {notes:?}");
        assert!(
            notes.iter().any(|note| note.contains("home of user1 was not looked at")),
            "{notes:?}"
        );
    }
}

/// A file server is waited for once, whoever has a home on it.
#[test]
fn homes_on_a_file_system_that_never_answers_cost_two_seconds_together() {
    let tree = tree(&["alice"]);
    config(&tree, 1000, "alice", "ServerAliveInterval 9\n");
    let _silent = Silent::mount(&tree.at("srv/silent"));
    let far =
        (2000..2020).map(|uid| format!("far{uid}:x:{uid}:{uid}::/srv/silent/{uid}:/bin/sh\n"));
    let passwd = far.collect::<String>() + &fs::read_to_string(tree.at("etc/passwd")).unwrap();
    tree.write("etc/passwd", passwd);
    // `apply` looks twice, and does not wait again.
    for command in ["check", "apply"] {
        let (text, took) = said(on(&tree, command));
        assert!(took < Duration::from_secs(7), "{command}: {took:?} {text}");
        assert!(
            text.contains("far2000, far2001, far2002 and 17 more were not looked at"),
            "{text}"
        );
        assert!(text.contains("alice sets ServerAliveInterval 9"), "{text}");
    }
}

#[test]
fn what_keeps_us_from_reading_homes_is_said() {
    let tree = tree(&["alice"]);
    config(&tree, 1000, "alice", "ServerAliveInterval 9\n");
    for (before, expected) in [
        (
            &["setpriv", "--bounding-set", "-setuid"][..],
            "its owner's rights can't be taken: Operation not permitted",
        ),
        (
            &["unshare", "--mount", "sh", "-c", "mount -t tmpfs x /proc && exec \"$@\"", "sh"],
            "/proc/self/mountinfo can't be read",
        ),
    ] {
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg(program());
        command.arg("--root").arg(tree.path()).arg("check");
        let (text, _) = said(command);
        assert!(notes(&text).iter().any(|note| note.contains(expected)), "{text}");
        assert!(!text.contains("alice sets"), "{text}");
    }
}
