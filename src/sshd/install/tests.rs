use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Install, install, reload};
use crate::file_edit::FileEdit;
use crate::host::Host;
use crate::host::process::Process;
use crate::host::program::TrustedProgram;
use crate::host::wait::wait_until;
use crate::reconcile::{Outcome, Value};
use crate::sshd::Keyword;
use crate::sshd::service::command_line::CommandLine;
use crate::sshd::service::listener;
use crate::sshd::service::program::Program;
use crate::sshd::service::{Kind, Service, observe};
use crate::sshd::tree::{Entry, Tree};

const MAIN: &str = "/etc/ssh/sshd_config";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-keepalive-policy.conf";
const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf\nBanner none\n";

/// A tree with `/etc/ssh/sshd_config` that includes an empty directory.
struct Image {
    directory: tempfile::TempDir,
}

impl Image {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("etc/ssh/sshd_config.d")).unwrap();
        let image = Self { directory };
        put(&image.host().locate(Path::new(MAIN)), INCLUDE);
        image
    }

    fn host(&self) -> Host {
        Host::at(self.directory.path())
    }

    fn install(&self, edits: Vec<FileEdit>, interval: i64) -> Vec<Outcome> {
        let mut candidate = Tree { main: MAIN.into(), entries: BTreeMap::new() };
        let mut set = |path: &str, bytes: &[u8]| {
            let file = Entry::File { bytes: bytes.into(), real: path.into() };
            candidate.entries.insert(path.into(), file);
        };
        set(MAIN, INCLUDE.as_bytes());
        for edit in &edits {
            set(edit.path.to_str().unwrap(), edit.after.as_deref().unwrap());
        }
        let expect = BTreeMap::from([(Keyword::ClientAliveInterval, Value::Number(interval))]);
        let host = self.host();
        install(
            &host,
            &Install { edits, candidate, expect, reference: None },
            &observe(&host).unwrap(),
        )
    }

    fn content(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.host().locate(Path::new(path))).ok()
    }
}

fn edit(path: impl Into<PathBuf>, before: Option<&str>, after: &str) -> FileEdit {
    FileEdit {
        path: path.into(),
        before: before.map(|text| text.as_bytes().to_vec()),
        after: Some(after.as_bytes().to_vec()),
        foreign: false,
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn told(outcomes: &[Outcome]) -> Vec<String> {
    let tell = |outcome: &Outcome| match &outcome.error {
        None => outcome.action.clone(),
        Some(error) => format!("{} FAILED {error}", outcome.action),
    };
    outcomes.iter().map(tell).collect()
}

#[test]
fn a_good_edit_of_an_image_is_judged_and_written() {
    let image = Image::new();
    let outcomes = image.install(vec![edit(DROP_IN, None, "ClientAliveInterval 120\n")], 120);
    let expected = [
        "have sshd judge the changed configuration",
        "create /etc/ssh/sshd_config.d/00-keepalive-policy.conf",
        "have sshd judge what is on disk now",
    ];
    assert_eq!(told(&outcomes), expected);
    assert_eq!(image.content(DROP_IN).as_deref(), Some("ClientAliveInterval 120\n"));
}

#[test]
fn nothing_is_written_that_sshd_refuses_or_that_means_something_else() {
    let cases = [
        (
            "ClientAliveInterval 2 m\n",
            "have sshd judge the changed configuration FAILED sshd refuses it: \
             /etc/ssh/sshd_config.d/00-keepalive-policy.conf:1: keyword ClientAliveInterval \
             extra arguments at end of line",
        ),
        (
            "Match User bob\nClientAliveInterval 120\n",
            "have sshd judge the changed configuration FAILED not what was meant: \
             ClientAliveInterval would be 0, not 120",
        ),
        (
            "ClientAliveInterval 120\nBanner /etc/issue\n",
            "have sshd judge the changed configuration FAILED not what was meant: \
             it would change banner: none → /etc/issue",
        ),
        (
            "Match User bob,eve\nBanner /etc/issue\nMatch all\nClientAliveInterval 120\n",
            "have sshd judge the changed configuration FAILED not what was meant: \
             it would change banner: none → /etc/issue for lport=1,user=bob",
        ),
    ];
    for (text, expected) in cases {
        let image = Image::new();
        assert_eq!(told(&image.install(vec![edit(DROP_IN, None, text)], 120)), [expected]);
        assert_eq!(image.content(DROP_IN), None);
    }
}

#[test]
fn an_edit_that_fails_takes_the_earlier_ones_back() {
    let image = Image::new();
    let outcomes = image.install(
        vec![
            edit(DROP_IN, None, "ClientAliveInterval 120\n"),
            edit(MAIN, Some("Banner none\n"), INCLUDE),
        ],
        120,
    );
    let expected = [
        "have sshd judge the changed configuration",
        "create /etc/ssh/sshd_config.d/00-keepalive-policy.conf",
        "edit /etc/ssh/sshd_config FAILED /etc/ssh/sshd_config: left as it is: \
         somebody else changed it at the same moment",
        "put back /etc/ssh/sshd_config.d/00-keepalive-policy.conf",
    ];
    assert_eq!(told(&outcomes), expected);
    assert_eq!(image.content(DROP_IN), None);
    assert_eq!(image.content(MAIN).as_deref(), Some(INCLUDE));
}

#[test]
fn what_somebody_else_broke_meanwhile_takes_the_edit_back() {
    let image = Image::new();
    put(&image.host().locate(Path::new("/etc/ssh/sshd_config")), "Foo 1\n");
    let outcomes = image.install(vec![edit(DROP_IN, None, "ClientAliveInterval 120\n")], 120);
    let expected = [
        "have sshd judge the changed configuration",
        "create /etc/ssh/sshd_config.d/00-keepalive-policy.conf",
        "have sshd judge what is on disk now FAILED sshd refuses it: \
         /etc/ssh/sshd_config:1: Bad configuration option: Foo",
        "put back /etc/ssh/sshd_config.d/00-keepalive-policy.conf",
    ];
    assert_eq!(told(&outcomes), expected);
    assert_eq!(image.content(DROP_IN), None);
}

/// A real sshd without a service manager, on a port of its own.
struct Running {
    directory: tempfile::TempDir,
    address: std::net::SocketAddr,
}

impl Running {
    /// `wrapper` runs before sshd at each start, with its arguments: what it makes fail is a start
    /// or a reload.
    fn new(wrapper: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let running = Self { directory, address: free.local_addr().unwrap() };
        drop(free);
        std::fs::create_dir(running.path("real")).unwrap();
        std::fs::copy("/usr/sbin/sshd", running.path("real/sshd")).unwrap();
        let real = running.path("real/sshd");
        let program = running.path("sshd");
        let script = format!(
            "program=${{0%.sh}}\n{wrapper}\nexec -a \"$program\" {} \"$@\"\n",
            real.display()
        );
        put(&running.path("sshd.sh"), &script);
        // sshd is never a script: that would not be asked.
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand-in.c");
        run("cc", &["-o", text(&program), source]);
        let key = running.path("key");
        run("/usr/bin/ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", text(&key)]);
        put(&running.path("sshd_config"), &running.configuration(100));
        // Root's sshd insists on it, and nothing else on a test machine makes it.
        std::fs::create_dir_all("/run/sshd").unwrap();
        run(text(&program), &["-f", text(&running.path("sshd_config"))]);
        assert!(running.listener().is_some(), "sshd did not start");
        running
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configuration(&self, interval: u32) -> String {
        format!(
            "ListenAddress {}\nHostKey {}\nPidFile {}\nClientAliveInterval {interval}\n",
            self.address,
            self.path("key").display(),
            self.path("pid").display(),
        )
    }

    fn listener(&self) -> Option<Process> {
        let pid_files = [self.path("pid")];
        wait_until(Duration::from_secs(10), || listener::find(&pid_files))
            .map(|(process, _)| process)
    }

    fn service(&self) -> Service {
        let process = self.listener().unwrap();
        let line = CommandLine::of_process(&process.command_line());
        assert_eq!(line.main, Some(self.path("sshd_config")));
        let mut service = observe(&Host::at(self.directory.path())).unwrap();
        service.kind = Kind::NoServiceManager;
        service.pid_file = listener::pid_file_of(&process, &[self.path("pid")]);
        service.program = Program::Known(TrustedProgram::at(&self.path("sshd")).unwrap());
        assert!(Program::of_process(&process).is_some());
        service.listener = Some(process);
        service.command_line = line;
        service
    }

    fn tree(&self) -> Tree {
        let main = self.path("sshd_config");
        let file = Entry::File { bytes: std::fs::read(&main).unwrap().into(), real: main.clone() };
        Tree { entries: BTreeMap::from([(main.clone(), file)]), main }
    }

    fn install(&self, interval: u32) -> Vec<Outcome> {
        let before = std::fs::read_to_string(self.path("sshd_config")).unwrap();
        let edit = edit(self.path("sshd_config"), Some(&before), &self.configuration(interval));
        let mut candidate = self.tree();
        let file = Entry::File {
            bytes: edit.after.clone().unwrap().into(),
            real: self.path("sshd_config"),
        };
        candidate.entries.insert(self.path("sshd_config"), file);
        let expect =
            BTreeMap::from([(Keyword::ClientAliveInterval, Value::Number(interval.into()))]);
        let install_ = Install { edits: vec![edit], candidate, expect, reference: None };
        install(&Host::live(), &install_, &self.service())
    }

    /// What was done, the changing names taken out.
    fn told(&self, outcomes: &[Outcome]) -> Vec<String> {
        let plain = |line: String| {
            line.replace(text(self.directory.path()), "")
                .replace(&self.address.to_string(), "ADDRESS")
                .split([' ', ')'])
                .map(|word| if word.parse::<u32>().is_ok() { "N" } else { word })
                .collect::<Vec<_>>()
                .join(" ")
        };
        told(outcomes).into_iter().map(plain).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let found = listener::find(&[self.path("pid")]);
        let pid = found.and_then(|(process, _)| i32::try_from(process.pid).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) {
    // A program that was just written is busy while a fork of another test still has it open.
    let limit = Duration::from_secs(20);
    let output = wait_until(limit, || Host::run(program.as_ref(), arguments, limit).ok()).unwrap();
    assert!(output.success(), "{program}: {}", output.complaint());
}

#[test]
fn a_listener_of_no_unit_takes_up_the_edit_and_keeps_its_process() {
    let running = Running::new("");
    let before = running.service();
    let outcomes = running.install(120);
    let expected = [
        "have sshd judge the changed configuration",
        "edit /sshd_config",
        "have sshd judge what is on disk now",
        "send SIGHUP to sshd",
        "sshd answers on ADDRESS",
    ];
    assert_eq!(running.told(&outcomes), expected);
    let after = running.service();
    assert_eq!(after.listener, before.listener);
    assert_ne!(after.pid_file, before.pid_file);
    assert!(after.freshness(&Host::live(), &running.tree(), None).is_current());
}

#[test]
fn an_edit_by_somebody_else_makes_the_listener_stale_until_one_reload() {
    let running = Running::new("");
    let host = Host::live();
    assert!(running.service().freshness(&host, &running.tree(), None).is_current());
    put(&running.path("sshd_config"), &running.configuration(120));
    let service = running.service();
    assert!(!service.freshness(&host, &running.tree(), None).is_current());
    let outcomes = reload(&host, &service, &running.tree());
    let expected =
        ["have sshd judge what is on disk now", "send SIGHUP to sshd", "sshd answers on ADDRESS"];
    assert_eq!(running.told(&outcomes), expected);
    assert!(running.service().freshness(&host, &running.tree(), None).is_current());
}

#[test]
fn a_refused_configuration_is_never_reloaded() {
    let running = Running::new("");
    let before = running.service();
    put(&running.path("sshd_config"), "Foo 1\n");
    let outcomes = reload(&Host::live(), &before, &running.tree());
    let expected = "have sshd judge what is on disk now FAILED sshd refuses it: \
                    /sshd_config:1: Bad configuration option: Foo";
    assert_eq!(running.told(&outcomes), [expected]);
    assert_eq!(running.service(), before);
}

#[test]
fn an_sshd_that_dies_of_the_reload_is_started_with_the_previous_files() {
    let dies = "case \" $* \" in *' -T '*) ;; \
                *) grep -q 'ClientAliveInterval 666' \"${program%sshd}sshd_config\" && exit 255 ;; esac";
    let running = Running::new(dies);
    let before = running.service();
    let outcomes = running.install(666);
    let expected = [
        "have sshd judge the changed configuration",
        "edit /sshd_config",
        "have sshd judge what is on disk now",
        "send SIGHUP to sshd FAILED sshd (process N  died of the reload",
        "put back /sshd_config",
        "recover sshd FAILED send SIGHUP to sshd: sshd (process N  died of the reload; \
         /sshd_config is as it was before; sshd runs again (process N ",
    ];
    assert_eq!(running.told(&outcomes), expected);
    assert_ne!(running.service().listener, before.listener);
    let content = std::fs::read_to_string(running.path("sshd_config")).unwrap();
    assert_eq!(content, running.configuration(100));
    let limit = Duration::from_secs(5);
    let banner = Host::connect(running.address, None, limit, limit).unwrap().line(255);
    assert!(banner.unwrap().starts_with(b"SSH-2.0-"));
}
