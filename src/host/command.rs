//! Running programs: no shell, a clean environment, a deadline.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{Context, Host, HostError};

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

impl Host {
    /// Runs `program` with `arguments`, at most `limit` long; then it is killed and the result is
    /// an error. Standard input is empty, the environment only PATH and LC_ALL.
    ///
    /// # Errors
    /// When it can't be started or does not end in time.
    pub fn run<A: AsRef<OsStr>>(
        program: &OsStr,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Result<Output, HostError> {
        let path = Path::new(program);
        #[expect(clippy::disallowed_methods, reason = "this is the one door")]
        let mut command = std::process::Command::new(program);
        let mut child = command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .on(path, "cannot run")?;
        // Both pipes are drained by threads of their own: a program that fills one would otherwise
        // wait for us while we wait for it.
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let status = wait(&mut child, limit).on(path, "did not end in time, killed")?;
        Ok(Output {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
        })
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still what the program said.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Waits by a pidfd, so that the end of the child wakes us and no polling is needed.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<std::process::ExitStatus> {
    let deadline = Instant::now() + limit;
    let ended = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0))
        .ok_or_else(|| std::io::Error::other("no such process"))
        .and_then(|pid| {
            let flags = rustix::process::PidfdFlags::empty();
            Ok(rustix::process::pidfd_open(pid, flags)?)
        })
        .and_then(|pidfd| super::wait_readable(&pidfd, deadline));
    match ended {
        Ok(true) => child.wait(),
        Ok(false) => {
            child.kill()?;
            child.wait()?;
            Err(std::io::ErrorKind::TimedOut.into())
        }
        // No pidfd (a kernel before 5.3): wait without the deadline rather than not at all.
        Err(_) => child.wait(),
    }
}

/// A program's name for messages: its last part.
#[must_use]
pub fn short_name(program: &OsStr) -> OsString {
    Path::new(program).file_name().map_or_else(|| program.to_owned(), OsStr::to_owned)
}
