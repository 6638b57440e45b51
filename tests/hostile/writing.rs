//! Where root writes: only where another user can't put a link in the way.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::thread::set_thread_res_uid;
use tempfile::TempDir;

use super::program;

const BOB: u32 = 4711;

const POLICY: &str = "\
    [sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n\
    [sshd_config]\nClientAliveInterval = 120\n\
    [ssh_config]\nServerAliveInterval = 60\n";

struct Tree(TempDir);

impl Tree {
    /// A host whose files are root's, below a directory that all users share.
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(tree.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        tree.put("policy.toml", POLICY);
        tree.put("host/usr/bin/ssh", "");
        tree.put("host/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
        tree.put("host/etc/ssh/ssh_config", "Include /etc/ssh/ssh_config.d/*.conf\n");
        for directory in ["ssh/sshd_config.d", "ssh/ssh_config.d", "sysctl.d"] {
            fs::create_dir(tree.at("host/etc").join(directory)).unwrap();
        }
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.at(path);
        let _ = fs::remove_file(&path);
        symlink(target, path).unwrap();
    }

    fn get(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--root").arg(self.at("host")).arg("--policy").arg(self.at("policy.toml"));
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(&self.command(arguments).output().unwrap())
    }

    /// Every file below `directory`.
    fn files(&self, directory: &str) -> Vec<PathBuf> {
        let mut due = vec![self.at(directory)];
        let mut files = Vec::new();
        while let Some(directory) = due.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    due.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        files
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Row: `--root DIR` of another user. What is refused names the directory and its owner.
#[test]
fn a_tree_of_another_user_is_not_written() {
    for part in ["host", "host/etc/ssh", "host/var/lib", "host/var/lib/keepalive-policy"] {
        let tree = Tree::new();
        fs::create_dir_all(tree.at(part)).unwrap();
        chown(tree.at(part), Some(BOB), None).unwrap();
        let before = tree.files("host/etc/ssh");
        let (code, text) = tree.run(&["apply"]);
        assert_eq!(code, Some(2), "{part}: {text}");
        let whose = format!("{} belongs to uid {BOB}", tree.at(part).display());
        assert!(text.contains(&whose), "{part}: {text}");
        assert_eq!(tree.files("host/etc/ssh"), before, "{part}");
        if part == "host" {
            assert_eq!(tree.run(&["restore"]).0, Some(2));
            // Looking is free, and tells beforehand.
            let (code, text) = tree.run(&["check"]);
            assert!(code == Some(2) && text.contains(&whose), "{text}");
        }
    }
}

/// A sibling: the name of the tree is a link of another user's.
#[test]
fn a_link_of_another_user_does_not_say_which_tree_is_meant() {
    let tree = Tree::new();
    fs::create_dir(tree.at("bob")).unwrap();
    symlink(tree.at("host"), tree.at("bob/link")).unwrap();
    let apply = || {
        let mut command = Command::new(program());
        command.arg("--root").arg(tree.at("bob/link"));
        said(&command.arg("--policy").arg(tree.at("policy.toml")).arg("apply").output().unwrap())
    };
    chown(tree.at("bob"), Some(BOB), None).unwrap();
    let (code, text) = apply();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("bob belongs to uid 4711"), "{text}");
    chown(tree.at("bob"), Some(0), None).unwrap();
    assert_eq!(apply().0, Some(0));
}

/// Row: DIR/etc is swapped with a link, again and again, while `apply` runs.
#[test]
fn a_directory_that_is_swapped_with_a_link_meanwhile_leads_nowhere_else() {
    // Bob's tree is refused. In root's own, with root as the one who swaps, only the way down by
    // descriptors is left to hold.
    for (swapper, runs) in [(BOB, 30), (0, 60)] {
        let tree = Tree::new();
        tree.put("policy.toml", "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\n");
        fs::create_dir_all(tree.at("victim/sysctl.d")).unwrap();
        symlink(tree.at("victim"), tree.at("host/link")).unwrap();
        lchown(tree.at("host/link"), Some(swapper), None).unwrap();
        chown(tree.at("host"), Some(swapper), None).unwrap();
        let held = fs::File::open(tree.at("host/etc/sysctl.d")).unwrap();
        let etc = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        let done = AtomicBool::new(false);
        let mut landed = Vec::new();
        thread::scope(|scope| {
            let swapping = scope.spawn(|| swap(swapper, &tree.at("host"), &done));
            for _ in 0..runs {
                // A swap in the middle may make it fail; what counts is where it wrote.
                let _ = tree.run(&["apply"]);
                landed = tree.files("victim");
                if !landed.is_empty() {
                    break;
                }
                for made in fs::read_dir(&etc).unwrap() {
                    fs::remove_file(made.unwrap().path()).unwrap();
                }
            }
            done.store(true, Ordering::Relaxed);
            assert!(swapping.join().unwrap() > 100);
        });
        assert_eq!(landed, Vec::<PathBuf>::new(), "swapped by {swapper}");
    }
}

/// Swaps `etc` and `link` of a directory, as the user with this id; says how often.
fn swap(user: u32, directory: &Path, done: &AtomicBool) -> u64 {
    let uid = rustix::fs::Uid::from_raw(user);
    // Of this thread only.
    set_thread_res_uid(uid, uid, uid).unwrap();
    let (one, other) = (directory.join("etc"), directory.join("link"));
    let mut swaps = 0;
    while !done.load(Ordering::Relaxed) {
        renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
    }
    swaps
}

/// Row: `client export --into` a session file behind another user's link.
#[test]
fn a_session_file_behind_another_users_link_is_not_written() {
    const SESSION: &str = "S:\"Protocol Name\"=SSH2\r\nD:\"Send NOOPs\"=00000000\r\n\
                           D:\"NOOP Interval\"=0000003c\r\n";
    let tree = Tree::new();
    fs::create_dir(tree.at("bob")).unwrap();
    tree.put("session.ini", SESSION);
    symlink(tree.at("session.ini"), tree.at("bob/session.ini")).unwrap();
    chown(tree.at("bob"), Some(BOB), None).unwrap();
    let export = |into: &str| {
        let mut command = Command::new(program());
        command.arg("--policy").arg(tree.at("policy.toml")).env_remove("SUDO_UID");
        command.args(["client", "export", "--for", "securecrt", "--into"]).arg(tree.at(into));
        said(&command.output().unwrap())
    };
    let (code, text) = export("bob/session.ini");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("bob belongs to uid 4711"), "{text}");
    assert_eq!(tree.get("session.ini"), SESSION);
    let (code, text) = export("session.ini");
    assert_eq!(code, Some(0), "{text}");
    assert_ne!(tree.get("session.ini"), SESSION);
}

/// The input `link-into-usr`: nothing outside /etc is edited, in any resource; the rest goes on.
#[test]
fn a_link_into_a_package_is_a_conflict_that_names_both_ends() {
    let vendors = [
        ("host/etc/ssh/sshd_config", "/usr/share/vendor/sshd_config", "ClientAliveInterval 7\n"),
        ("host/etc/ssh/ssh_config", "/usr/share/vendor/ssh_config", "ServerAliveInterval 7\n"),
        ("host/etc/sysctl.conf", "/nix/store/x/sysctl.conf", "net.ipv4.tcp_keepalive_time = 7\n"),
    ];
    let tree = Tree::new();
    for (link, target, text) in vendors {
        tree.put(&format!("host{target}"), text);
        tree.link(link, target);
    }
    for _ in 0..2 {
        let (code, text) = tree.run(&["apply"]);
        assert_eq!(code, Some(1), "{text}");
        for (link, target, _) in vendors {
            let link = link.strip_prefix("host").unwrap();
            assert!(text.contains(link), "{link}: {text}");
            assert!(text.contains(&format!("a link that leads to {target}, which")), "{text}");
        }
        assert_eq!(text.matches("\nconflict: ").count(), 3, "{text}");
    }
    for (_, target, text) in vendors {
        assert_eq!(tree.get(&format!("host{target}")), text);
        fs::remove_file(tree.at(&format!("host{target}"))).unwrap();
    }
    assert_eq!(tree.files("host/nix"), Vec::<PathBuf>::new());
    assert_eq!(tree.files("host/usr"), [tree.at("host/usr/bin/ssh")]);
    assert_eq!(tree.files("host/etc/sysctl.d").len(), 1, "the rest does not go on");
}

/// Siblings: the directories of drop-ins, and /etc/ssh as a whole.
#[test]
fn a_directory_of_drop_ins_that_belongs_to_a_package_is_not_written_into() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("host/usr/share")).unwrap();
    for directory in ["ssh/sshd_config.d", "ssh/ssh_config.d", "sysctl.d"] {
        let directory = tree.at("host/etc").join(directory);
        let name = directory.file_name().unwrap();
        fs::rename(&directory, tree.at("host/usr/share").join(name)).unwrap();
        symlink(Path::new("/usr/share").join(name), directory).unwrap();
    }
    let (_, text) = tree.run(&["apply"]);
    assert!(text.contains("/etc/sysctl.d: a link that leads to /usr/share/sysctl.d"), "{text}");
    assert_eq!(tree.files("host/usr/share"), Vec::<PathBuf>::new());
    assert!(tree.get("host/etc/ssh/sshd_config").contains("ClientAliveInterval 120"), "{text}");

    let tree = Tree::new();
    fs::create_dir_all(tree.at("host/usr/share")).unwrap();
    fs::rename(tree.at("host/etc/ssh"), tree.at("host/usr/share/ssh")).unwrap();
    tree.link("host/etc/ssh", "../usr/share/ssh");
    let before = tree.files("host/usr/share");
    let (code, text) = tree.run(&["apply"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/etc/ssh is a link that leads to /usr/share/ssh"), "{text}");
    assert_eq!(tree.files("host/usr/share"), before);
}

/// What keeps working: /etc/ssh and /etc/sysctl.d on a volume that outlives the image.
#[test]
fn links_to_a_persistent_volume_are_followed() {
    let tree = Tree::new();
    fs::create_dir(tree.at("host/persist")).unwrap();
    for name in ["ssh", "sysctl.d"] {
        let name = Path::new(name);
        fs::rename(tree.at("host/etc").join(name), tree.at("host/persist").join(name)).unwrap();
        symlink(Path::new("/persist").join(name), tree.at("host/etc").join(name)).unwrap();
    }
    let (code, text) = tree.run(&["apply"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(tree.files("host/persist").len(), 5, "{text}");
    assert_eq!(tree.run(&["restore"]).0, Some(0));
    assert_eq!(tree.files("host/persist").len(), 2);
    // Once another user can change the volume, it is not followed.
    chown(tree.at("host/persist"), Some(BOB), None).unwrap();
    let (code, text) = tree.run(&["apply"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("persist belongs to uid 4711"), "{text}");
    assert_eq!(tree.files("host/persist").len(), 2);
}

/// Kernels before 5.6 and filters of system calls don't know `openat2`: all works without it.
#[test]
fn without_openat2_all_is_the_same() {
    for error in ["ENOSYS", "EPERM"] {
        let tree = Tree::new();
        tree.link("host/etc/sysctl.conf", "/usr/lib/sysctl.conf");
        let trace = tree.at("trace");
        let run = |arguments: &[&str]| {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq", "-e", "trace=openat2", "-e"]);
            strace.arg(format!("inject=openat2:error={error}")).arg("-o").arg(&trace);
            let ours = tree.command(arguments);
            said(&strace.arg("--").arg(ours.get_program()).args(ours.get_args()).output().unwrap())
        };
        assert_eq!(run(&["apply"]).0, Some(0));
        let traced = fs::read_to_string(&trace).unwrap();
        assert!(traced.contains(&format!("= -1 {error} ")), "openat2 is not called: {traced}");
        assert_eq!(run(&["check"]).0, Some(0));
        assert_eq!(tree.run(&["check"]).0, Some(0));
        chown(tree.at("host/etc/ssh"), Some(BOB), None).unwrap();
        assert_eq!(run(&["restore"]).0, Some(2));
    }
}

/// Row: a policy, or its directory, that others own or reach through a link. All commands take it
/// from one function; a draft of a user's own is the user's business.
#[test]
fn a_policy_that_another_user_can_exchange_is_refused() {
    let tree = Tree::new();
    for directory in ["bob", "kept.d", "kept"] {
        fs::create_dir(tree.at(directory)).unwrap();
    }
    tree.put("bob/policy.toml", POLICY);
    tree.put("kept/policy.toml", POLICY);
    symlink(tree.at("kept/policy.toml"), tree.at("bob/link.toml")).unwrap();
    chown(tree.at("bob"), Some(BOB), None).unwrap();
    tree.put("fragments.toml", POLICY);
    symlink(tree.at("bob"), tree.at("fragments.d")).unwrap();
    let host = tree.at("host");
    let validate = |policy: &str, user: u32| {
        let mut command = Command::new(program());
        command.arg("--root").arg(&host).arg("--policy").arg(tree.at(policy)).arg("validate");
        said(&command.uid(user).output().unwrap())
    };
    for policy in ["bob/policy.toml", "bob/link.toml", "fragments.toml"] {
        let (code, text) = validate(policy, 0);
        assert_eq!(code, Some(78), "{policy}: {text}");
        assert!(text.contains(&tree.at("bob").display().to_string()), "{policy}: {text}");
        assert!(text.contains("chown root"), "{policy}: {text}");
    }
    assert_eq!(validate("kept/policy.toml", 0).0, Some(0));
    let (code, text) = validate("bob/policy.toml", BOB);
    assert_eq!(code, Some(0), "{text}");
    for command in ["check", "apply", "diff", "explain"] {
        let policy = tree.at("bob/link.toml");
        let mut run = Command::new(program());
        run.arg("--root").arg(&host).arg("--policy").arg(policy).arg(command);
        assert_eq!(said(&run.output().unwrap()).0, Some(78), "{command}");
    }
    let (code, text) = validate("bob/policy.toml", BOB + 1);
    assert_eq!(code, Some(78), "another user's: {text}");
}

/// A process that stands on a root of its own, as in a container, until its standard input ends.
fn container(root: &Path) -> std::process::Child {
    const SCRIPT: &str = r#"
        set -eu
        mount -t tmpfs tmpfs "$1"
        mkdir -p "$1/old" "$1/etc/ssh"
        cd "$1"
        pivot_root . old
        echo ready
        read -r _ || true
    "#;
    let mut child = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "bash", "-c", SCRIPT, "_"])
        .arg(root)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    child
}

/// It reads as `/`: this machine was taken for the container.
#[test]
fn the_root_of_a_container_by_way_of_proc_is_refused() {
    let tree = Tree::new();
    let directory = tempfile::tempdir().unwrap();
    let mut child = container(directory.path());
    let root = format!("/proc/{}/root", child.id());
    let mut command = Command::new(program());
    command.args(["--root", &root, "--policy"]).arg(tree.at("policy.toml")).arg("check");
    let (code, text) = said(&command.output().unwrap());
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("another mount namespace"), "{text}");
}
