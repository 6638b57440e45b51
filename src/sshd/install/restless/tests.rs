use std::path::Path;

use super::*;
use crate::sshd::tree::snapshot;

struct Image(tempfile::TempDir);

impl Image {
    fn new() -> Self {
        let image = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(image.0.path().join("etc/ssh/d")).unwrap();
        image.put("sshd_config", "Include /etc/ssh/d/*.conf\n");
        image.put("d/a.conf", "ClientAliveInterval 7\n");
        image
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join("etc/ssh").join(name), text).unwrap();
    }

    fn host(&self) -> Host {
        Host::at(self.0.path())
    }

    fn tree(&self) -> Tree {
        let main = Path::new("/etc/ssh/sshd_config");
        snapshot::read(&self.host(), main, &[], &crate::sshd::dialect::Dialect::default())
            .unwrap()
            .tree
    }
}

#[test]
fn what_is_changed_and_changed_back_is_seen() {
    let image = Image::new();
    let (host, tree) = (image.host(), image.tree());
    let judged = Marks::of(&host, &tree);
    assert_eq!(Marks::of(&host, &tree).changed_since(&judged), None);
    // File times are those of the kernel's last tick, up to 10 ms ago.
    let changed = wait_until(Duration::from_secs(5), || {
        image.put("d/a.conf", "Broken\n");
        image.put("d/a.conf", "ClientAliveInterval 7\n");
        let marks = Marks::of(&host, &tree);
        marks.changed_since(&judged)
    });
    assert_eq!(image.tree(), tree);
    assert_eq!(changed.as_deref(), Some(Path::new("/etc/ssh/d/a.conf")));
    let judged = Marks::of(&host, &tree);
    let changed = wait_until(Duration::from_secs(5), || {
        image.put("d/b.conf", "");
        let marks = Marks::of(&host, &tree);
        marks.changed_since(&judged)
    });
    assert_eq!(changed.as_deref(), Some(Path::new("/etc/ssh/d")));
}

#[test]
fn a_load_waits_for_quiet_and_not_for_ever() {
    let image = Image::new();
    let (host, tree) = (image.host(), image.tree());
    let judged = Marks::of(&host, &tree);
    assert_eq!(wait(&host, &tree, &judged, &[], false), Ok(true));
    assert!(Marks::of(&host, &tree).age(now(), &[]) >= QUIET);
    // What we have just written ourselves is not waited for.
    image.put("d/a.conf", "ClientAliveInterval 8\n");
    let ours = [Path::new("/etc/ssh/d/a.conf"), Path::new("/etc/ssh/sshd_config")];
    assert!(Marks::of(&host, &tree).age(now(), &ours) >= QUIET);
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                image.put("d/a.conf", "ClientAliveInterval 9\n");
                crate::host::wait::pause(Duration::from_millis(100));
            }
        });
        let found = wait(&host, &tree, &Marks::of(&host, &tree), &[], false);
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(found, Err(PathBuf::from("/etc/ssh/d/a.conf")));
    });
}

#[test]
fn files_that_change_again_and_again_are_restless_for_a_while() {
    let image = Image::new();
    let (host, tree) = (image.host(), image.tree());
    let mut recent = Recent::default();
    let start = Instant::now();
    let mut change = |name: &str, ours: &[&Path], seconds: u64| {
        let before = Marks::of(&host, &tree);
        let path = Path::new("/etc/ssh").join(name);
        wait_until(Duration::from_secs(5), || {
            image.put(name, "ClientAliveInterval 7\n");
            let marks = Marks::of(&host, &tree);
            (marks.0.get(&path) != before.0.get(&path)).then_some(())
        });
        let at = start + Duration::from_secs(seconds);
        recent.note(Marks::of(&host, &tree), &tree, ours, at);
        recent.is_restless()
    };
    let own = [Path::new("/etc/ssh/d/a.conf")];
    for seconds in 0..5 {
        assert!(!change("d/a.conf", &own, seconds), "what is ours counts for nothing");
    }
    // The first look at a place has nothing to compare it with.
    let found: Vec<bool> = (5..10).map(|seconds| change("d/a.conf", &[], seconds)).collect();
    assert_eq!(found, [false, true, true, true, true]);
    assert!(!change("d/a.conf", &[], 30));
}
