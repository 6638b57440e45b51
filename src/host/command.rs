//! Running programs: no shell, a clean environment, a deadline, and no more output than we can use.
//!
//! One loop in the calling thread waits for both outputs and for the program's end. A thread for
//! each output would be simpler, but a host that is out of threads would then end us in the middle
//! of a transaction.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};

use super::process::Process;
use super::{Context, Host, HostError};

pub mod own;
#[cfg(test)]
mod tests;

/// What a program may say on each of its two outputs, in bytes. `sshd -T` says 5 kB whatever the
/// size of its configuration, and refuses a file of 10,000 bad lines in 1 MB.
pub const LONGEST_OUTPUT: usize = 4 << 20;

/// How long we wait for what a program left behind and what still holds its output.
const LEFT_BEHIND: Duration = Duration::from_millis(100);

/// How long a killed program may take to be gone. One in an uninterruptible sleep stays for as long
/// as its disk does not answer.
const KILLED: Duration = Duration::from_secs(1);

/// Between two looks where the kernel has no pidfd (before 5.3).
const STEP: Duration = Duration::from_millis(20);

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; 128 + N when signal N ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether it exited with 0.
    #[must_use]
    pub const fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard error as one trimmed text, for a message.
    #[must_use]
    pub fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

/// What becomes of the processes that a program left in its process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Descendants {
    /// They are killed where they still hold its output.
    End,
    /// They go on: the program was run to start them.
    Stay,
}

impl Host {
    /// Runs `program` with `arguments`, at most `limit` long; then it is killed with its process
    /// group and the result is an error. Standard input is empty, the environment only PATH and
    /// LC_ALL. What it leaves behind is not waited for, and killed where it holds the output.
    ///
    /// # Errors
    /// When it can't be started, does not end in time, or says more than [`LONGEST_OUTPUT`].
    pub fn run<A: AsRef<OsStr>>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Result<Output, HostError> {
        run(program, arguments, limit, Descendants::End)
    }

    /// The same for a program that goes on in the background once it has started.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run_daemon<A: AsRef<OsStr>>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Result<Output, HostError> {
        run(program, arguments, limit, Descendants::Stay)
    }
}

impl Host {
    /// Starts a program that goes on when we end, and whose terminal is not ours: it makes a session
    /// of its own before anything else, for which this waits.
    ///
    /// # Errors
    /// When it can't be started, or does not make one.
    pub fn start_in_own_session<A: AsRef<OsStr>>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<(), HostError> {
        const LIMIT: Duration = Duration::from_secs(10);
        let path = Path::new(program);
        let child = command(program, arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .on(path, "cannot run")?;
        let leads = || Process::find(child.id()).filter(|one| one.session == one.pid);
        super::wait::wait_until(LIMIT, leads)
            .map(drop)
            .ok_or_else(|| io::Error::other("it makes no session of its own"))
            .on(path, "was started in vain")
    }

    /// Makes a session of our own, which no terminal ends.
    pub fn leave_session() {
        // Refused where we lead one already, as services do.
        let _ = rustix::process::setsid();
    }
}

fn run<A: AsRef<OsStr>>(
    program: &OsStr,
    arguments: impl IntoIterator<Item = A>,
    limit: Duration,
    descendants: Descendants,
) -> Result<Output, HostError> {
    let path = Path::new(program);
    let mut run = Run::start(program, arguments, Stdio::null()).on(path, "cannot run")?;
    let said = run.listen(Instant::now() + limit);
    if said.is_err() || (run.is_held() && descendants == Descendants::End) {
        run.kill();
    }
    said.on(path, "was killed")?;
    let status = run.child.wait().on(path, "cannot be waited for")?;
    let [stdout, stderr] = run.pipes.map(|pipe| pipe.bytes);
    Ok(Output { code: code(status), stdout, stderr })
}

/// A program with a clean environment.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn command<A: AsRef<OsStr>>(
    program: &OsStr,
    arguments: impl IntoIterator<Item = A>,
) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C");
    command
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A program that runs.
struct Run {
    child: Child,
    pid: Option<Pid>,
    /// Readable once the program has ended; `None` where the kernel has no such thing.
    pidfd: Option<OwnedFd>,
    /// Standard output and standard error.
    pipes: [Pipe; 2],
}

/// One output of a program.
struct Pipe {
    /// `None` once every process that held the other end has closed it.
    end: Option<File>,
    bytes: Vec<u8>,
}

impl Run {
    fn start<A: AsRef<OsStr>>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = A>,
        input: Stdio,
    ) -> io::Result<Self> {
        let child = command(program, arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, which we can kill as a whole.
            .process_group(0)
            .spawn()?;
        Ok(Self::of(child))
    }

    fn of(mut child: Child) -> Self {
        let stdout = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let stderr = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let pipes = [stdout, stderr].map(|end| Pipe { end, bytes: Vec::new() });
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { child, pid, pidfd, pipes }
    }

    /// Whether a process still holds an output.
    fn is_held(&self) -> bool {
        self.pipes.iter().any(|pipe| pipe.end.is_some())
    }

    /// Takes what the program says until it has ended and its outputs are closed. What holds them
    /// after its end is waited for only briefly.
    fn listen(&mut self, deadline: Instant) -> io::Result<()> {
        let mut until = deadline;
        let mut ended = false;
        while !ended || self.is_held() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() && ended {
                return Ok(());
            }
            if left.is_zero() {
                let message = "it did not end in time";
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            self.take(left, ended)?;
            if !ended && self.has_ended() {
                ended = true;
                until = deadline.min(Instant::now() + LEFT_BEHIND);
            }
        }
        Ok(())
    }

    /// Sleeps until the program says something, ends, or `limit` has passed; takes what it said.
    fn take(&mut self, limit: Duration, ended: bool) -> io::Result<()> {
        let pidfd = self.pidfd.as_ref().filter(|_| !ended);
        let limit = if self.pidfd.is_some() || ended { limit } else { limit.min(STEP) };
        let timeout = Timespec::try_from(limit).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut waited_for: Vec<PollFd<'_>> = Vec::with_capacity(3);
        for end in self.pipes.iter().filter_map(|pipe| pipe.end.as_ref()) {
            waited_for.push(PollFd::new(end, PollFlags::IN));
        }
        waited_for.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        match poll(&mut waited_for, Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = waited_for.iter().map(|fd| !fd.revents().is_empty()).collect();
        let open = self.pipes.iter_mut().filter(|pipe| pipe.end.is_some());
        for (pipe, _) in open.zip(ready).filter(|(_, ready)| *ready) {
            pipe.take()?;
        }
        Ok(())
    }

    /// Whether the program has ended. It is not reaped: until it is, no other process group can get
    /// its number.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(pid) = self.pid else { return true };
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }

    /// Kills the program with its process group.
    fn kill(&mut self) {
        self.kill_within(KILLED);
    }

    /// The same, with another time for it to be gone.
    fn kill_within(&mut self, limit: Duration) {
        if let Some(pid) = self.pid {
            // Fails where none of them is left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        if super::wait::wait_until(limit, || self.has_ended().then_some(())).is_some() {
            // Reaped, so that it does not stay as a zombie; its status does not matter.
            let _ = self.child.wait();
        }
    }
}

impl Pipe {
    /// Takes what is there, once; the end of the output closes it.
    fn take(&mut self) -> io::Result<()> {
        let Some(end) = &mut self.end else { return Ok(()) };
        let mut part = [0; 1 << 14];
        match end.read(&mut part) {
            Ok(0) => self.end = None,
            Ok(length) => self.bytes.extend_from_slice(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What was read before an error is still what the program said.
            Err(_) => self.end = None,
        }
        if self.bytes.len() > LONGEST_OUTPUT {
            let message = format!("it said more than {LONGEST_OUTPUT} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(())
    }
}

/// A program's name for messages: its last part.
#[must_use]
pub fn short_name(program: &OsStr) -> OsString {
    Path::new(program).file_name().map_or_else(|| program.to_owned(), OsStr::to_owned)
}
