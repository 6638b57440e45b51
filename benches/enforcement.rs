//! How fast, against a floor that is measured in the same run: `make bench`.
//!
//! Started by cargo it boots a throw-away host, where it starts itself again: the daemon runs there
//! as its unit says, sandbox and all. A floor is the least that anybody would have to do: wake up
//! and write, or run `sshd` once. Times are of this machine at this moment; ratios last longer.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{park_timeout, spawn};
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

type Outcome<T> = Result<T, Box<dyn Error>>;

const LIVE: &str = "/proc/sys/net/ipv4/tcp_keepalive_time";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-keepalive-policy.conf";
const SSHD: &[&str] = &["/usr/sbin/sshd", "-T"];

/// Starts of the daemon. Between two starts only a few corrections are measured: more of one
/// setting within a minute would be somebody quarrelling, and are spaced out on purpose.
const STARTS: usize = 15;
const CORRECTIONS: usize = 7;

/// Deletions of the drop-in, and runs of a command.
const SAMPLES: usize = 15;

/// Between two samples, so that each finds the daemon asleep, as a drift out of the blue does.
const GAP: Duration = Duration::from_millis(20);

/// Between two corrections of sshd: it is reloaded once in `reload_spacing`, 2 s, at most.
const REST: Duration = Duration::from_millis(2500);

/// A correction that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    if std::env::args().any(|argument| argument == "--inside") {
        return measure();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/bench.sh");
    let status = command(&["bash".as_ref(), script.as_os_str()])
        .env("KEEPALIVE_POLICY", env!("CARGO_BIN_EXE_keepalive-policy"))
        .env("KEEPALIVE_BENCH", std::env::current_exe()?)
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("bench.sh: {status}").into()) }
}

fn measure() -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<44} {:>11} {:>11} {:>7}", "median of each", "ours", "floor", "ratio")?;

    let mut live = Vec::new();
    for _ in 0..STARTS {
        restart_daemon()?;
        // The looks that follow a start are none of this.
        park_timeout(REST);
        for _ in 0..CORRECTIONS {
            live.push(correction()?);
        }
    }
    let mut file = Vec::new();
    for sample in 0..SAMPLES {
        if sample % CORRECTIONS == 0 {
            restart_daemon()?;
        }
        file.push(reappearance()?);
    }
    run(&["systemctl", "stop", "keepalive-policy"])?;
    let floor = watched_by_least(|| (0..live.len()).map(|_| correction()).collect())?;
    let judged = times(SAMPLES, || run(SSHD))?;
    row(&mut out, "sysctl -w to corrected / inotify and a write", &live, &floor)?;
    row(&mut out, "drop-in deleted to back / one `sshd -T`", &file, &judged)?;

    restart_daemon()?;
    let check = times(SAMPLES, || run(&["keepalive-policy", "check"]))?;
    row(&mut out, "`keepalive-policy check` / one `sshd -T`", &check, &judged)?;

    writeln!(out, "\nthe daemon at rest: {}", memory()?)?;
    Ok(())
}

/// From a foreign write to the declared value being back, watched without a pause.
fn correction() -> Outcome<Duration> {
    let file = OpenOptions::new().read(true).write(true).open(LIVE)?;
    let declared = value(&file)?;
    park_timeout(GAP);
    let begin = Instant::now();
    file.write_all_at(b"7200\n", 0)?;
    while value(&file)? != declared {
        in_time(begin)?;
    }
    Ok(begin.elapsed())
}

/// From the deletion of the drop-in to its being there again, judged by sshd.
fn reappearance() -> Outcome<Duration> {
    park_timeout(REST);
    let begin = Instant::now();
    std::fs::remove_file(DROP_IN)?;
    while !Path::new(DROP_IN).exists() {
        in_time(begin)?;
    }
    Ok(begin.elapsed())
}

fn in_time(begin: Instant) -> Outcome<()> {
    if begin.elapsed() < LIMIT { Ok(()) } else { Err("a drift was not undone".into()) }
}

fn value(file: &File) -> Outcome<[u8; 16]> {
    let mut text = [0; 16];
    // One read at offset 0 gives all of it: a second one would give nothing.
    let _ = file.read_at(&mut text, 0)?;
    Ok(text)
}

/// Runs `samples` while a thread does the least that undoes a drift: sleep in inotify, write.
fn watched_by_least(samples: impl FnOnce() -> Outcome<Vec<Duration>>) -> Outcome<Vec<Duration>> {
    let file = OpenOptions::new().read(true).write(true).open(LIVE)?;
    let declared = value(&file)?;
    let watch = inotify::init(CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, LIVE, WatchFlags::MODIFY)?;
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    let watcher = spawn(move || -> std::io::Result<()> {
        let mut events = [0; 4096];
        let length = declared.iter().position(|byte| *byte == 0).unwrap_or(declared.len());
        while !seen.load(Ordering::Acquire) {
            rustix::io::read(&watch, &mut events)?;
            if value(&file).is_ok_and(|now| now != declared) {
                file.write_all_at(declared.get(..length).unwrap_or_default(), 0)?;
            }
        }
        Ok(())
    });
    let measured = samples();
    over.store(true, Ordering::Release);
    OpenOptions::new().write(true).open(LIVE)?.write_all_at(b"7200\n", 0)?;
    watcher.join().map_err(|_| "the floor's watcher panicked")??;
    measured
}

fn times(samples: usize, mut work: impl FnMut() -> Outcome<()>) -> Outcome<Vec<Duration>> {
    (0..samples)
        .map(|_| {
            let begin = Instant::now();
            work()?;
            Ok(begin.elapsed())
        })
        .collect()
}

fn restart_daemon() -> Outcome<()> {
    // The start limit is for a daemon that dies, not for us.
    run(&["systemctl", "reset-failed", "keepalive-policy"])?;
    run(&["systemctl", "restart", "keepalive-policy"])
}

fn run(words: &[&str]) -> Outcome<()> {
    let status = command(words).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", words.join(" ")).into()) }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is not the program's own door")]
fn command<W: AsRef<std::ffi::OsStr>>(words: &[W]) -> Command {
    let (program, arguments) = words
        .split_first()
        .map_or(("true".as_ref(), words), |(first, rest)| (first.as_ref(), rest));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn row(
    out: &mut impl std::io::Write,
    name: &str,
    ours: &[Duration],
    floor: &[Duration],
) -> Outcome<()> {
    let (ours, floor) = (median(ours), median(floor));
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    writeln!(out, "{name:<44} {:>11} {:>11} {ratio:>6.1}x", micros(ours), micros(floor))?;
    Ok(())
}

fn median(samples: &[Duration]) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{} µs", time.as_micros())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// Resident memory and involuntary work of the unit, as systemd and the kernel count them.
fn memory() -> Outcome<String> {
    let output =
        command(&["systemctl", "show", "--property=MainPID", "--value", "keepalive-policy"])
            .output()?;
    let pid = String::from_utf8(output.stdout)?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()))?;
    let rows =
        status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("Threads"));
    Ok(rows
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", "))
}
