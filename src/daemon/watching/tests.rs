use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Instant;

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
    async fn new(watched: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("etc/ssh/sshd_config.d")).unwrap();
        fs::write(directory.path().join("etc/ssh/sshd_config"), "x").unwrap();
        Self::over(directory, watched).await
    }

    async fn over(directory: TempDir, watched: &[&str]) -> Self {
        let mut bed = Self {
            watch: Watch::new(Host::at(directory.path()), Duration::from_millis(500)),
            directory,
        };
        assert_eq!(bed.set(watched).await, names(&["sshd"]), "what was before nobody has told of");
        assert_eq!(bed.set(watched).await, Names::new(), "the same again needs no new watch");
        bed
    }

    /// Gives whom it makes look.
    async fn set(&mut self, watched: &[&str]) -> Names {
        self.watch.set("sshd", &watched.iter().map(PathBuf::from).collect());
        self.armed().await
    }

    async fn armed(&mut self) -> Names {
        let mut told = Names::new();
        while matches!(self.watch.keeper, Keeper::Arming(_)) {
            let heard = timeout(LIMIT, self.watch.heard()).await.unwrap();
            assert!(heard.hearing.is_none_or(|hearing| hearing.troubles.is_empty()));
            told.extend(heard.names);
        }
        told
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    async fn sees(&mut self, what: &str) {
        let heard = timeout(LIMIT, self.watch.heard()).await.map(|heard| heard.names);
        assert_eq!(heard, Ok(names(&["sshd"])), "did not see: {what}");
        // One change may make several events.
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
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]).await;
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
    let mut bed = Bed::over(directory, &["/etc/sysctl.d/99.conf"]).await;
    fs::write(bed.path("srv/sysctl.conf"), "y").unwrap();
    bed.sees("an edit of the target").await;
}

#[tokio::test]
async fn a_directory_that_comes_or_goes_is_watched_at_the_next_look() {
    const WATCHED: [&str; 2] = ["/etc/ssh/sshd_config.d", "/etc/sysctl.d"];
    let mut bed = Bed::new(&WATCHED).await;
    fs::create_dir(bed.path("etc/sysctl.d")).unwrap();
    bed.sees("the directory that was missing").await;
    assert_eq!(bed.set(&WATCHED).await, names(&["sshd"]));
    fs::write(bed.path("etc/sysctl.d/x.conf"), "x").unwrap();
    bed.sees("a file in it").await;

    fs::rename(bed.path("etc/ssh"), bed.path("etc/ssh.old")).unwrap();
    bed.sees("a directory above moved away").await;
    fs::create_dir_all(bed.path("etc/ssh/sshd_config.d")).unwrap();
    bed.sees("another one in its place").await;
    assert_eq!(bed.set(&WATCHED).await, names(&["sshd"]));
    fs::write(bed.path("etc/ssh.old/sshd_config.d/x.conf"), "x").unwrap();
    let new = bed.path("etc/ssh/sshd_config.d/x.conf");
    bed.saw_nothing_but(|| fs::write(new, "x").unwrap()).await;
}

#[tokio::test]
async fn what_stands_in_its_place_is_watched_without_an_event() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config.d"]).await;
    // As if something had been mounted over it: another directory, and nobody was told.
    let place = bed.path("etc/ssh/sshd_config.d");
    let other = Identity::of(bed.directory.path()).unwrap();
    *bed.watch.armed.get_mut(&place).unwrap() = other;
    assert_eq!(bed.set(&["/etc/ssh/sshd_config.d"]).await, names(&["sshd"]));
    fs::write(place.join("x.conf"), "x").unwrap();
    bed.sees("a file in it").await;
}

#[tokio::test]
async fn a_directory_that_goes_and_comes_back_at_once_is_watched() {
    const WATCHED: [&str; 1] = ["/etc/ssh/sshd_config.d"];
    let mut bed = Bed::new(&WATCHED).await;
    for _ in 0..5 {
        fs::rename(bed.path("etc/ssh"), bed.path("etc/away")).unwrap();
        fs::rename(bed.path("etc/away"), bed.path("etc/ssh")).unwrap();
        bed.sees("the directory above moved away and back").await;
        assert_eq!(bed.set(&WATCHED).await, names(&["sshd"]));
        fs::write(bed.path("etc/ssh/sshd_config.d/x.conf"), "x").unwrap();
        bed.sees("a file in it").await;
        let place = bed.path("etc/ssh/sshd_config.d");
        fs::remove_dir_all(&place).unwrap();
        fs::create_dir(&place).unwrap();
        bed.sees("the directory removed and made again").await;
        assert_eq!(bed.set(&WATCHED).await, names(&["sshd"]));
        fs::write(place.join("y.conf"), "x").unwrap();
        bed.sees("a file in the new one").await;
    }
}

/// What a path that is newly asked for meant before, nobody has told.
#[tokio::test]
async fn another_entry_of_a_directory_that_is_watched_makes_look_again() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]).await;
    bed.set(&["/etc/ssh/sshd_config", "/etc/ssh/other"]).await;
    bed.sees("that it had not been listened for").await;
    fs::write(bed.path("etc/ssh/other"), "x").unwrap();
    bed.sees("the other file").await;
}

#[tokio::test]
async fn what_the_kernel_refuses_is_told_and_tried_again() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]).await;
    let place = bed.path("etc/ssh");
    let identity = bed.watch.armed.remove(&place).unwrap();
    let refused = |place| Done {
        watcher: None,
        results: vec![(place, identity, Err(Trouble::Refused("no watch is left".to_owned())))],
    };
    let hearing = bed.watch.armed(refused(place.clone())).hearing.unwrap();
    assert_eq!(hearing.deaf, names(&["sshd"]));
    let expected = BTreeSet::from([place.clone()]);
    assert_eq!(hearing.troubles, BTreeMap::from([("no watch is left".to_owned(), expected)]));
    bed.watch.set("sshd", &BTreeSet::from([PathBuf::from("/etc/ssh/sshd_config")]));
    let heard = timeout(LIMIT, bed.watch.heard()).await.unwrap();
    assert_eq!(heard.names, names(&["sshd"]));
    assert_eq!(heard.hearing.unwrap().deaf, Names::new(), "not deaf any more");
}

#[tokio::test]
async fn a_link_that_is_swapped_leads_elsewhere_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    for path in ["etc", "srv/a", "srv/b"] {
        fs::create_dir_all(directory.path().join(path)).unwrap();
    }
    symlink("/srv/a", directory.path().join("etc/sysctl.d")).unwrap();
    let mut bed = Bed::over(directory, &["/etc/sysctl.d"]).await;
    symlink("/srv/b", bed.path("etc/new")).unwrap();
    fs::rename(bed.path("etc/new"), bed.path("etc/sysctl.d")).unwrap();
    bed.sees("another link").await;
    assert_eq!(bed.set(&["/etc/sysctl.d"]).await, names(&["sshd"]));
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
    let mut bed = Bed::over(directory, &["/usr/lib/sysctl.d", "/lib/sysctl.d"]).await;
    bed.set(&["/usr/lib/sysctl.d"]).await;
    fs::write(bed.path("lib/sysctl.d/x.conf"), "x").unwrap();
    bed.sees("a file, after one of the names was given up").await;
}

#[tokio::test]
async fn reading_and_neighbours_and_hidden_files_wake_nobody() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]).await;
    fs::read(bed.path("etc/ssh/sshd_config")).unwrap();
    fs::read_dir(bed.path("etc/ssh/sshd_config.d")).unwrap().for_each(drop);
    fs::write(bed.path("etc/passwd"), "x").unwrap();
    fs::write(bed.path("etc/ssh/ssh_config"), "x").unwrap();
    fs::write(bed.path("etc/ssh/sshd_config.d/.50-x.conf.swp"), "x").unwrap();
    let main = bed.path("etc/ssh/sshd_config");
    bed.saw_nothing_but(|| fs::write(main, "y").unwrap()).await;
}

/// More events than the queue holds, of which none concerns anybody: some are lost, and everybody
/// looks.
#[tokio::test]
async fn an_overflow_makes_all_look() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]).await;
    bed.watch.set("sysctl-boot", &BTreeSet::from([PathBuf::from("/etc/sysctl.conf")]));
    bed.armed().await;
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let files = ["a", "b"].map(|name| bed.path(&format!("etc/ssh/{name}")));
    // Nobody reads meanwhile, or the queue would never be full.
    let listener = Arc::clone(&bed.watch.listener);
    listener.while_nothing_is_read(|| {
        for at in 0..limit + 1000 {
            // Equal events in a row become one.
            fs::write(&files[at % 2], "x").unwrap();
        }
    });
    let everybody = names(&["sshd", "sysctl-boot"]);
    assert_eq!(timeout(LIMIT, bed.watch.heard()).await.map(|heard| heard.names), Ok(everybody));
}

/// Writers as fast as they can be, until it is dropped.
struct Flood {
    over: Arc<std::sync::atomic::AtomicBool>,
    writers: Vec<std::thread::JoinHandle<()>>,
}

impl Flood {
    fn over(bed: &Bed, entries: &[&str]) -> Self {
        let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let writer = |name: &&str| {
            let (path, over) = (bed.path(&format!("etc/ssh/{name}")), Arc::clone(&over));
            std::thread::spawn(move || {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    fs::write(&path, "x").unwrap();
                }
            })
        };
        Self { writers: entries.iter().map(writer).collect(), over }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, std::sync::atomic::Ordering::Relaxed);
        self.writers.drain(..).for_each(|writer| writer.join().unwrap());
    }
}

/// While somebody writes as fast as he can, everything else goes on, and what concerns others is
/// looked at once a second.
#[tokio::test]
async fn a_flood_takes_neither_the_thread_nor_the_processor() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]).await;
    let flood = Flood::over(&bed, &["a", "b"]);
    for _ in 0..3 {
        assert_eq!(
            timeout(LIMIT, bed.watch.heard()).await.map(|heard| heard.names),
            Ok(names(&["sshd"])),
            "nothing that concerns it is told of in time, so it looks"
        );
    }
    let end = Instant::now() + Duration::from_secs(2);
    let mut heard = 0;
    while Instant::now() < end {
        assert!(timeout(LIMIT, bed.watch.heard()).await.is_ok());
        heard += 1;
    }
    drop(flood);
    assert!(heard < 40, "{heard} times told in two seconds");
}

/// notify adds a watch only when it has read everything; the daemon does not wait for that.
#[tokio::test]
async fn a_flood_does_not_hold_up_who_asks_for_a_watch() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config"]).await;
    let flood = Flood::over(&bed, &["a", "b", "c", "d", "sshd_config"]);
    for _ in 0..3 {
        assert!(timeout(LIMIT, bed.watch.heard()).await.is_ok());
    }
    let before = Instant::now();
    bed.watch.set("sshd", &["/etc/ssh/sshd_config", "/srv/new"].map(PathBuf::from).into());
    fs::create_dir(bed.path("srv")).unwrap();
    bed.watch.set("sshd", &["/etc/ssh/sshd_config", "/srv/new"].map(PathBuf::from).into());
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    drop(flood);
    bed.armed().await;
    while timeout(Duration::from_secs(2), bed.watch.heard()).await.is_ok() {}
    fs::write(bed.path("srv/new"), "x").unwrap();
    bed.sees("a file in what was asked for meanwhile").await;
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_no_longer_watched() {
    let mut bed = Bed::new(&["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]).await;
    let before = bed.watch.armed.len();
    bed.set(&["/etc/ssh/sshd_config"]).await;
    assert_eq!(bed.watch.armed.len(), before - 1);
    fs::write(bed.path("etc/ssh/sshd_config.d/x.conf"), "x").unwrap();
    let main = bed.path("etc/ssh/sshd_config");
    bed.saw_nothing_but(|| fs::write(main, "y").unwrap()).await;
}
