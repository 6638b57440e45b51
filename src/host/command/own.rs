//! This program run by itself, for what may hang: a process that waits for a dead file server can't
//! be freed, nor can a thread. A process of its own is left behind, and we go on.

use std::ffi::{OsStr, OsString};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};

use super::Run;
use crate::host::{Context, Host, HostError};

/// This program, also where its file was replaced or removed since it was started.
const SELF: &str = "/proc/self/exe";

/// How long a killed process may take to be gone before it is left behind.
const LEFT: Duration = Duration::from_millis(50);

/// What this program said when it was run by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Its standard output, as far as it came.
    pub said: Vec<u8>,
    /// Its standard error, trimmed.
    pub complaint: String,
    /// Whether it was given up.
    pub given_up: bool,
}

impl Host {
    /// The same host, for a command that may run this program again.
    #[must_use]
    pub fn that_runs_itself(self) -> Self {
        Self { runs_itself: true, ..self }
    }

    /// Whether this program may be run again.
    #[must_use]
    pub const fn runs_itself(&self) -> bool {
        self.runs_itself
    }

    /// Runs this program's `command` on the same host with `input`, and listens for as long as it
    /// says something within `silence`, at the latest until `deadline`. Then it is killed, and left
    /// behind where it can't be killed.
    ///
    /// # Errors
    /// When it can't be run, as where /proc is not mounted.
    pub fn run_itself(
        &self,
        command: &str,
        input: &[u8],
        silence: Duration,
        deadline: Instant,
    ) -> Result<Spoken, HostError> {
        let path = Path::new(SELF);
        let arguments = [OsString::from("--root"), self.root.clone().into(), command.into()];
        let input = in_memory(input).on(path, "cannot be given its input")?;
        let mut run = Run::start(OsStr::new(SELF), arguments, input).on(path, "cannot run")?;
        let ended = run.listen_while_it_speaks(silence, deadline).unwrap_or(false);
        run.kill_within(LEFT);
        let [said, complaint] = run.pipes.map(|pipe| pipe.bytes);
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        Ok(Spoken { said, complaint, given_up: !ended })
    }
}

/// A file that no directory names, from its beginning; a pipe could fill up before it is read.
fn in_memory(input: &[u8]) -> io::Result<Stdio> {
    let fd = memfd_create("input", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(fd);
    file.write_all(input)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(Stdio::from(file))
}

impl Run {
    /// Takes what it says until it ends by itself; `false` where it is to be given up.
    fn listen_while_it_speaks(&mut self, silence: Duration, deadline: Instant) -> io::Result<bool> {
        let mut heard = 0;
        let mut until = deadline.min(Instant::now() + silence);
        loop {
            let ended = self.has_ended();
            if ended && !self.is_held() {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.take(left, ended)?;
            let length = self.pipes.iter().map(|pipe| pipe.bytes.len()).sum();
            if length > heard {
                heard = length;
                until = deadline.min(Instant::now() + silence);
            }
        }
    }
}
