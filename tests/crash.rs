//! `apply` interrupted at each of its system calls that change or may lose something: killed there,
//! or the call failing. Every file is then the old one or the new one, whole; the next `apply`
//! finishes the work; and `restore` still brings everything back.

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls by which files are written.
const CALLS: &str = "open,openat,write,fsync,fchmod,fchown,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,flock";

/// What a disk or a file system may answer.
const ERRORS: [&str; 3] = ["ENOSPC", "EROFS", "EIO"];

const POLICY: &str = "\
[sysctl]
net.ipv4.tcp_keepalive_time = 600
[sshd_config]
ClientAliveInterval = 120
";

type Files = BTreeMap<PathBuf, Vec<u8>>;

#[test]
fn killed_at_any_system_call_every_file_is_whole_and_the_next_run_finishes() {
    let bed = Bed::new();
    let mut states = BTreeMap::new();
    for (call, nth) in bed.calls() {
        let root = bed.fresh();
        bed.injected(root.path(), &format!("{call}:signal=KILL:when={nth}"));
        let left = bed.judge(root.path(), &format!("killed at {call} number {nth}"));
        *states.entry(left).or_insert(0) += 1;
    }
    // Otherwise the calls that matter were not among those that were hit.
    assert!(states.len() >= 3, "too few different states: {states:?}");
}

#[test]
fn a_failing_call_leaves_every_file_whole_and_is_not_called_success() {
    let bed = Bed::new();
    for (index, (call, nth)) in bed.calls().into_iter().enumerate() {
        let root = bed.fresh();
        let error = ERRORS[index % ERRORS.len()];
        let code = bed.injected(root.path(), &format!("{call}:error={error}:when={nth}"));
        let changed = bed.judge(root.path(), &format!("{call} number {nth}: {error}"));
        assert!(
            code != Some(0) || changed == bed.planned(),
            "{call} number {nth}, {error}: said 0, but only {changed:?} changed"
        );
    }
}

/// A tree before and after an undisturbed run.
struct Bed {
    scratch: tempfile::TempDir,
    before: Files,
    after: Files,
}

impl Bed {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("policy.toml"), POLICY).unwrap();
        let mut bed = Self { scratch, before: Files::new(), after: Files::new() };
        let root = bed.fresh();
        bed.before = files(root.path());
        assert!(bed.keepalive(root.path(), "apply").status().unwrap().success());
        bed.after = files(root.path());
        assert!(bed.planned().len() >= 2, "the run must change several files: {:?}", bed.planned());
        bed
    }

    /// A host whose main file must be edited in place, beside a sysctl.d.
    fn fresh(&self) -> tempfile::TempDir {
        let root = tempfile::tempdir_in(self.scratch.path()).unwrap();
        fs::create_dir_all(root.path().join("etc/ssh")).unwrap();
        fs::create_dir_all(root.path().join("etc/sysctl.d")).unwrap();
        let main = "# the host's own\nPort 22\nClientAliveInterval 5\n";
        fs::write(root.path().join("etc/ssh/sshd_config"), main).unwrap();
        root
    }

    fn command(&self, mut command: Command, root: &Path, verb: &str) -> Command {
        command
            .arg("--root")
            .arg(root)
            .arg("--policy")
            .arg(self.scratch.path().join("policy.toml"));
        command.arg(verb).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    }

    fn keepalive(&self, root: &Path, verb: &str) -> Command {
        self.command(Command::new(env!("CARGO_BIN_EXE_keepalive-policy")), root, verb)
    }

    /// Every call of the main thread that writes below the root, by name and number, as strace
    /// counts them.
    fn calls(&self) -> Vec<(String, usize)> {
        let root = self.fresh();
        let trace = self.scratch.path().join("trace");
        let mut strace = Command::new("strace");
        // With -y descriptors are shown with their paths: what is written elsewhere, the copies that
        // sshd judges, is nobody's loss.
        strace.args(["-qq", "-y", "-e"]).arg(format!("trace={CALLS}")).arg("-o").arg(&trace);
        strace.arg(env!("CARGO_BIN_EXE_keepalive-policy"));
        assert!(self.command(strace, root.path(), "apply").status().unwrap().success());
        let mut counts = BTreeMap::new();
        let mut calls = Vec::new();
        let below = root.path().to_str().unwrap();
        for line in fs::read_to_string(trace).unwrap().lines() {
            let Some((name, _)) = line.split_once('(') else { continue };
            let count = counts.entry(name.to_owned()).or_insert(0);
            *count += 1;
            let reads = name.starts_with("open") && !line.contains("O_CREAT");
            if line.contains(below) && !reads {
                calls.push((name.to_owned(), *count));
            }
        }
        assert!(calls.len() >= 15, "strace saw only {calls:?}");
        calls
    }

    fn injected(&self, root: &Path, inject: &str) -> Option<i32> {
        let call = inject.split(':').next().unwrap();
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
        strace.arg("-e").arg(format!("inject={inject}"));
        strace.arg(env!("CARGO_BIN_EXE_keepalive-policy"));
        self.command(strace, root, "apply").status().unwrap().code()
    }

    /// The files that an undisturbed run changes.
    fn planned(&self) -> Vec<PathBuf> {
        changed(&self.before, &self.after)
    }

    /// Fails unless each file is the old or the new one, and the next runs do their work. Gives the
    /// files that were new.
    fn judge(&self, root: &Path, when: &str) -> Vec<PathBuf> {
        let left = files(root);
        for path in left.keys().chain(self.before.keys()).chain(self.after.keys()) {
            let now = left.get(path);
            let temporary = path.to_string_lossy().contains("keepalive-policy-new");
            let whole = now == self.before.get(path) || now == self.after.get(path);
            assert!(whole || temporary, "{when}: {} is torn", path.display());
        }
        assert!(self.keepalive(root, "apply").status().unwrap().success(), "{when}: the next run");
        let finished: Files = without_temporary(files(root));
        assert_eq!(finished, self.after, "{when}: the next run did not finish");
        assert!(self.keepalive(root, "restore").status().unwrap().success(), "{when}: restore");
        assert_eq!(without_temporary(files(root)), self.before, "{when}: restore");
        changed(&self.before, &without_temporary(left))
    }
}

fn without_temporary(mut files: Files) -> Files {
    files.retain(|path, _| !path.to_string_lossy().ends_with("keepalive-policy-new"));
    files
}

fn changed(before: &Files, after: &Files) -> Vec<PathBuf> {
    after
        .iter()
        .filter(|(path, content)| before.get(*path) != Some(content))
        .map(|(path, _)| path.clone())
        .collect()
}

/// All files but the tool's own state.
fn files(root: &Path) -> Files {
    let mut files = Files::new();
    let mut pending = vec![root.join("etc")];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}
