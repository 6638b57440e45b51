use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// Events take microseconds; this bounds a test that would otherwise wait for ever.
const LIMIT: Duration = Duration::from_secs(10);

struct Bed {
    directory: TempDir,
    watch: Watch,
    due: Arc<Due>,
    lost: Arc<Due>,
}

impl Bed {
    fn new(watched: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("etc/ssh/sshd_config.d")).unwrap();
        fs::write(directory.path().join("etc/ssh/sshd_config"), "x").unwrap();
        Self::over(directory, watched)
    }

    fn over(directory: TempDir, watched: &[&str]) -> Self {
        let host = Host::at(directory.path());
        let (due, lost) = (Arc::new(Due::default()), Arc::new(Due::default()));
        let mut watch = Watch::new(host, Arc::clone(&lost)).unwrap();
        let watched = watched.iter().map(PathBuf::from).collect();
        let armed = watch.set("sshd", &due, &watched);
        assert!(armed.more && armed.troubles.is_empty(), "{armed:?}");
        // The same again needs no new watch.
        assert_eq!(watch.set("sshd", &due, &watched), Armed::default());
        Self { directory, watch, due, lost }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    async fn sees(&self, what: &str) {
        timeout(LIMIT, self.due.marked()).await.unwrap_or_else(|_| panic!("did not see: {what}"));
    }

    /// Nothing came of all before: a change that is seen for sure comes first.
    async fn saw_nothing_but(&self, change: impl FnOnce()) {
        let before = timeout(Duration::ZERO, self.due.marked()).await;
        assert!(before.is_err(), "an event that concerns nobody was taken for one that does");
        change();
        self.sees("the change that is seen for sure").await;
    }
}

#[tokio::test]
async fn every_way_of_changing_a_file_is_seen() {
    let bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]);
    let main = bed.path("etc/ssh/sshd_config");
    fs::write(&main, "in place").unwrap();
    bed.sees("a write in place").await;
    fs::write(bed.path("etc/ssh/.new"), "renamed").unwrap();
    fs::rename(bed.path("etc/ssh/.new"), &main).unwrap();
    bed.sees("a rename over it").await;
    fs::remove_file(&main).unwrap();
    bed.sees("a removal").await;
    fs::write(&main, "made again").unwrap();
    bed.sees("the file being made again").await;
    fs::write(bed.path("etc/ssh/sshd_config.d/50-x.conf"), "new").unwrap();
    bed.sees("a new drop-in").await;
    symlink("/dev/null", bed.path("etc/ssh/sshd_config.d/60-y.conf")).unwrap();
    bed.sees("a new link").await;
}

#[tokio::test]
async fn the_target_of_a_link_is_watched_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("etc/sysctl.d")).unwrap();
    fs::create_dir_all(directory.path().join("srv")).unwrap();
    fs::write(directory.path().join("srv/sysctl.conf"), "x").unwrap();
    // Inside the root, as a chroot would follow it.
    symlink("/srv/sysctl.conf", directory.path().join("etc/sysctl.d/99.conf")).unwrap();
    let bed = Bed::over(directory, &["/etc/sysctl.d/99.conf"]);
    fs::write(bed.path("srv/sysctl.conf"), "y").unwrap();
    bed.sees("an edit of the target").await;
}

#[tokio::test]
async fn a_directory_that_comes_or_goes_asks_for_new_watches() {
    let bed = Bed::new(&["/etc/ssh/sshd_config.d", "/etc/sysctl.d"]);
    fs::create_dir(bed.path("etc/sysctl.d")).unwrap();
    timeout(LIMIT, bed.lost.marked()).await.expect("the directory that was missing");
    fs::rename(bed.path("etc/ssh"), bed.path("etc/ssh.old")).unwrap();
    timeout(LIMIT, bed.lost.marked()).await.expect("a directory above moved away");
}

#[tokio::test]
async fn reading_and_neighbours_wake_nobody() {
    let bed = Bed::new(&["/etc/ssh/sshd_config"]);
    fs::read(bed.path("etc/ssh/sshd_config")).unwrap();
    fs::write(bed.path("etc/passwd"), "x").unwrap();
    fs::write(bed.path("etc/ssh/ssh_config"), "x").unwrap();
    bed.saw_nothing_but(|| fs::write(bed.path("etc/ssh/sshd_config"), "y").unwrap()).await;
}

#[test]
fn what_is_no_longer_wanted_is_no_longer_watched() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]);
    let place = bed.path("etc/ssh/sshd_config.d");
    assert!(bed.watch.armed.contains(&place));
    bed.watch.set("sshd", &bed.due, &BTreeSet::from(["/etc/ssh/sshd_config".into()]));
    assert!(!bed.watch.armed.contains(&place));
}
