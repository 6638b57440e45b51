use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// Events take microseconds; this bounds a test that would otherwise wait for ever.
const LIMIT: Duration = Duration::from_secs(10);

fn names(names: &[&str]) -> Names {
    names.iter().map(|name| Arc::from(*name)).collect()
}

struct Bed {
    directory: TempDir,
    watch: Watch,
}

impl Bed {
    fn new(watched: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("etc/ssh/sshd_config.d")).unwrap();
        fs::write(directory.path().join("etc/ssh/sshd_config"), "x").unwrap();
        Self::over(directory, watched)
    }

    fn over(directory: TempDir, watched: &[&str]) -> Self {
        let mut bed = Self { watch: Watch::new(Host::at(directory.path())), directory };
        let armed = bed.set(watched);
        assert_eq!((armed.more, armed.troubles), (names(&["sshd"]), Vec::new()));
        assert_eq!(bed.set(watched), Armed::default(), "the same again needs no new watch");
        bed
    }

    fn set(&mut self, watched: &[&str]) -> Armed {
        self.watch.set("sshd", &watched.iter().map(PathBuf::from).collect())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    async fn sees(&mut self, what: &str) {
        let heard = timeout(LIMIT, self.watch.heard()).await;
        assert_eq!(heard, Ok(names(&["sshd"])), "did not see: {what}");
        // One change may make several readings.
        while timeout(Duration::from_millis(20), self.watch.heard()).await.is_ok() {}
    }

    /// Nothing came of all before: a change that is seen for sure comes first.
    async fn saw_nothing_but(&mut self, change: impl FnOnce()) {
        let before = timeout(Duration::from_millis(100), self.watch.heard()).await;
        assert!(before.is_err(), "an event that concerns nobody was taken for one that does");
        change();
        self.sees("the change that is seen for sure").await;
    }
}

#[tokio::test]
async fn every_way_of_changing_a_file_is_seen() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]);
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
    let mut bed = Bed::over(directory, &["/etc/sysctl.d/99.conf"]);
    fs::write(bed.path("srv/sysctl.conf"), "y").unwrap();
    bed.sees("an edit of the target").await;
}

#[tokio::test]
async fn a_directory_that_comes_or_goes_is_watched_at_the_next_look() {
    const WATCHED: [&str; 2] = ["/etc/ssh/sshd_config.d", "/etc/sysctl.d"];
    let mut bed = Bed::new(&WATCHED);
    fs::create_dir(bed.path("etc/sysctl.d")).unwrap();
    bed.sees("the directory that was missing").await;
    assert_eq!(bed.set(&WATCHED).more, names(&["sshd"]));
    fs::write(bed.path("etc/sysctl.d/x.conf"), "x").unwrap();
    bed.sees("a file in it").await;

    fs::rename(bed.path("etc/ssh"), bed.path("etc/ssh.old")).unwrap();
    bed.sees("a directory above moved away").await;
    fs::create_dir_all(bed.path("etc/ssh/sshd_config.d")).unwrap();
    bed.sees("another one in its place").await;
    assert_eq!(bed.set(&WATCHED).more, names(&["sshd"]));
    fs::write(bed.path("etc/ssh.old/sshd_config.d/x.conf"), "x").unwrap();
    let new = bed.path("etc/ssh/sshd_config.d/x.conf");
    bed.saw_nothing_but(|| fs::write(new, "x").unwrap()).await;
}

#[tokio::test]
async fn what_stands_in_its_place_is_watched_without_an_event() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config.d"]);
    // As if something had been mounted over it: another directory, and nobody was told.
    bed.watch.wanted.clear();
    assert_eq!(bed.set(&["/etc/ssh/sshd_config.d"]).more, names(&["sshd"]));
}

#[tokio::test]
async fn a_link_that_is_swapped_leads_elsewhere_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    for path in ["etc", "srv/a", "srv/b"] {
        fs::create_dir_all(directory.path().join(path)).unwrap();
    }
    symlink("/srv/a", directory.path().join("etc/sysctl.d")).unwrap();
    let mut bed = Bed::over(directory, &["/etc/sysctl.d"]);
    symlink("/srv/b", bed.path("etc/new")).unwrap();
    fs::rename(bed.path("etc/new"), bed.path("etc/sysctl.d")).unwrap();
    bed.sees("another link").await;
    assert_eq!(bed.set(&["/etc/sysctl.d"]).more, names(&["sshd"]));
    fs::write(bed.path("srv/b/x.conf"), "x").unwrap();
    bed.sees("a file where it leads now").await;
    let new = bed.path("srv/b/y.conf");
    fs::write(bed.path("srv/a/x.conf"), "x").unwrap();
    bed.saw_nothing_but(|| fs::write(new, "x").unwrap()).await;
}

#[tokio::test]
async fn a_directory_with_two_names_is_one_watch_for_both() {
    let directory = tempfile::tempdir().unwrap();
    for path in ["lib/sysctl.d", "usr"] {
        fs::create_dir_all(directory.path().join(path)).unwrap();
    }
    symlink("/lib", directory.path().join("usr/lib")).unwrap();
    let mut bed = Bed::over(directory, &["/usr/lib/sysctl.d", "/lib/sysctl.d"]);
    bed.set(&["/usr/lib/sysctl.d"]);
    fs::write(bed.path("lib/sysctl.d/x.conf"), "x").unwrap();
    bed.sees("a file, after one of the names was given up").await;
}

#[tokio::test]
async fn reading_and_neighbours_and_hidden_files_wake_nobody() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]);
    fs::read(bed.path("etc/ssh/sshd_config")).unwrap();
    fs::read_dir(bed.path("etc/ssh/sshd_config.d")).unwrap().for_each(drop);
    fs::write(bed.path("etc/passwd"), "x").unwrap();
    fs::write(bed.path("etc/ssh/ssh_config"), "x").unwrap();
    fs::write(bed.path("etc/ssh/sshd_config.d/.50-x.conf.swp"), "x").unwrap();
    let main = bed.path("etc/ssh/sshd_config");
    bed.saw_nothing_but(|| fs::write(main, "y").unwrap()).await;
}

/// More events than the queue holds: some are lost, and everybody looks.
#[tokio::test]
async fn an_overflow_makes_all_look() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]);
    bed.watch.set("sysctl-boot", &BTreeSet::from([PathBuf::from("/etc/sysctl.conf")]));
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let files = ["a", "b"].map(|name| bed.path(&format!("etc/ssh/{name}")));
    for at in 0..limit + 1000 {
        // Equal events in a row become one.
        fs::write(&files[at % 2], "x").unwrap();
    }
    let heard = timeout(LIMIT, bed.watch.heard()).await;
    assert_eq!(heard, Ok(names(&["sshd", "sysctl-boot"])));
}

/// While somebody writes as fast as he can, everything else goes on, and little is read.
#[tokio::test]
async fn a_flood_takes_neither_the_thread_nor_the_processor() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]);
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = ["a", "b", "sshd_config"]
        .map(|name| {
            let (path, over) = (bed.path(&format!("etc/ssh/{name}")), Arc::clone(&over));
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    fs::write(&path, "x").unwrap();
                }
            })
        })
        .into();
    let end = Instant::now() + Duration::from_secs(2);
    let mut readings = 0;
    while Instant::now() < end {
        assert!(timeout(LIMIT, bed.watch.heard()).await.is_ok());
        readings += 1;
    }
    over.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert!((2..100).contains(&readings), "{readings} readings in two seconds");
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_no_longer_watched() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]);
    let before = bed.watch.wanted.len();
    bed.set(&["/etc/ssh/sshd_config"]);
    assert_eq!(bed.watch.wanted.len(), before - 1);
    fs::write(bed.path("etc/ssh/sshd_config.d/x.conf"), "x").unwrap();
    let main = bed.path("etc/ssh/sshd_config");
    bed.saw_nothing_but(|| fs::write(main, "y").unwrap()).await;
}
