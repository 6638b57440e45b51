use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::host::Host;
use crate::host::process::Process;
use crate::sshd::dialect::Dialect;
use crate::sshd::service::listener::pid_file_of;
use crate::sshd::service::{Kind, Service, observe};
use crate::sshd::tree::{Tree, snapshot};

/// A host in a directory, whose listener is this process.
struct Image {
    directory: tempfile::TempDir,
}

impl Image {
    fn new(remembers: bool) -> Self {
        let image = Self { directory: tempfile::tempdir().unwrap() };
        image.make("etc/ssh/sshd_config.d");
        image.make("run");
        if remembers {
            image.make("run/keepalive-policy");
        }
        image.put("etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nAllowUsers alice\n");
        image.put("etc/ssh/sshd_config.d/10-a.conf", "ClientAliveInterval 60\n");
        image.put("run/sshd.pid", &std::process::id().to_string());
        image
    }

    fn make(&self, directory: &str) {
        std::fs::create_dir_all(self.directory.path().join(directory)).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
    fn put(&self, path: &str, text: &str) {
        std::fs::write(self.directory.path().join(path), text).unwrap();
    }

    /// The listener loaded so long from now.
    fn load(&self, from_now: i64) {
        let away = Duration::from_secs(from_now.unsigned_abs());
        let now = SystemTime::now();
        let when = if from_now < 0 { now - away } else { now + away };
        File::options()
            .write(true)
            .open(self.directory.path().join("run/sshd.pid"))
            .and_then(|file| file.set_modified(when))
            .unwrap();
    }

    fn host(&self) -> Host {
        Host::at(self.directory.path())
    }

    fn tree(&self) -> Tree {
        let main = Path::new("/etc/ssh/sshd_config");
        snapshot::read(&self.host(), main, &[], &Dialect::default()).unwrap().tree
    }

    fn is_stale(&self) -> bool {
        !self.service(Kind::Plain).freshness(&self.host(), &self.tree(), None).is_current()
    }

    fn service(&self, kind: Kind) -> Service {
        let mut service = observe(&self.host()).unwrap();
        let process = Process::find(std::process::id()).unwrap();
        service.kind = kind;
        service.pid_file = pid_file_of(&process, &[self.directory.path().join("run/sshd.pid")]);
        assert!(service.pid_file.is_some());
        service.listener = Some(process);
        service
    }
}

#[test]
fn without_a_note_every_later_change_counts() {
    let image = Image::new(false);
    image.load(60);
    assert!(!image.is_stale());
    image.load(-60);
    assert!(image.is_stale(), "files");
    image.load(60);
    assert!(!image.is_stale(), "one load ends it");
}

#[test]
fn with_a_note_only_other_keepalive_settings_count() {
    let image = Image::new(true);
    image.load(60);
    assert!(!image.is_stale());
    image.load(-60);
    assert!(image.is_stale(), "another load, of which there is no note");
    image.load(60);
    assert!(!image.is_stale());
    image.put("etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nAllowUsers bob\n");
    image.put("etc/ssh/sshd_config.d/20-b.conf", "Banner none\n");
    assert!(!image.is_stale(), "somebody else's business");
    image.put("etc/ssh/sshd_config.d/10-a.conf", "ClientAliveInterval 61\n");
    assert!(image.is_stale());
    image.put("etc/ssh/sshd_config.d/10-a.conf", "ClientAliveInterval 60 # as it was\n");
    assert!(!image.is_stale(), "as it was loaded");
    std::fs::remove_file(image.directory.path().join("etc/ssh/sshd_config.d/10-a.conf")).unwrap();
    assert!(image.is_stale(), "a file that is gone has no time");
    let process = Process::find(std::process::id()).unwrap();
    image.service(Kind::Plain).note_load(&image.host(), &process, &image.tree(), None);
    assert!(!image.is_stale());
    image.put(
        "etc/ssh/sshd_config",
        "Include sshd_config.d/*.conf\nMatch User bob\nClientAliveInterval 9\n",
    );
    assert!(image.is_stale());
}

#[test]
fn a_load_that_changes_no_value_begins_nothing_new() {
    let image = Image::new(true);
    let since = || image.service(Kind::Plain).values_since(&image.host(), &image.tree());
    image.load(60);
    assert_eq!(since(), None, "no note");
    assert!(!image.is_stale());
    let first = since().unwrap();
    image.put("etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nTCPKeepAlive no\n");
    image.load(70);
    assert_eq!(since(), None, "a load that was not seen yet");
    assert!(!image.is_stale());
    assert_eq!(since(), Some(first));
    image.put("etc/ssh/sshd_config.d/10-a.conf", "ClientAliveInterval 61\n");
    image.load(80);
    assert!(!image.is_stale());
    assert!(since().unwrap() > first);
}

#[test]
fn a_pid_file_that_is_missing_while_sshd_loads_is_waited_for() {
    let image = Image::new(true);
    image.load(60);
    assert!(!image.is_stale());
    let service = image.service(Kind::Plain);
    std::fs::remove_file(image.directory.path().join("run/sshd.pid")).unwrap();
    let fresh = std::thread::scope(|scope| {
        let look = scope.spawn(|| service.freshness(&image.host(), &image.tree(), None));
        image.put("run/sshd.pid", &std::process::id().to_string());
        image.load(70);
        look.join().unwrap()
    });
    assert!(fresh.is_current(), "{fresh:?}");
}

#[test]
fn a_damaged_note_is_no_note() {
    let image = Image::new(true);
    image.put("run/keepalive-policy/sshd-loaded.json", "{\"pid\":");
    image.load(60);
    assert!(!image.is_stale());
    image.load(-60);
    assert!(image.is_stale());
}

#[test]
fn a_configured_pid_file_tells_the_time() {
    let image = Image::new(false);
    let pid_file = image.directory.path().join("run/other.pid");
    let text = format!("ClientAliveInterval 60\nPidFile {}\n", pid_file.display());
    image.put("etc/ssh/sshd_config.d/10-a.conf", &text);
    image.put("run/other.pid", &std::process::id().to_string());
    let later = SystemTime::now() + Duration::from_secs(60);
    File::options().write(true).open(&pid_file).and_then(|file| file.set_modified(later)).unwrap();
    image.load(-60);
    assert!(!image.is_stale());
}

#[test]
fn what_loads_nothing_is_never_stale() {
    let image = Image::new(false);
    image.load(-60);
    let kinds = [
        (Kind::Plain, true),
        (Kind::SocketActive, true),
        (Kind::NoServiceManager, true),
        (Kind::SocketIdle, false),
        (Kind::PerConnection, false),
        (Kind::NotRunning, false),
        (Kind::NotSshd, false),
        (Kind::NotLive, false),
    ];
    for (kind, stale) in kinds {
        let service = image.service(kind);
        let freshness = service.freshness(&image.host(), &image.tree(), None);
        assert_eq!(!freshness.is_current(), stale, "{kind:?}");
    }
    let idle = Service { listener: None, ..image.service(Kind::Plain) };
    assert!(idle.freshness(&image.host(), &image.tree(), None).is_current());
    let empty = Tree { main: "/etc/ssh/sshd_config".into(), entries: BTreeMap::new() };
    assert!(image.service(Kind::Plain).freshness(&image.host(), &empty, None).is_current());
}
