//! The process that listens, and what tells one of its loads of the configuration from the next.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::Host;
use crate::host::files::Node;
use crate::host::process::{ListeningSocket, Process};
use crate::host::systemd::Unit;
use crate::sshd::judge::Dump;

#[cfg(test)]
mod tests;

/// A pid file that names the listener. sshd writes it once it listens, and anew at each reload, so
/// its time says when the configuration in force was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidFile {
    /// Where it is.
    pub path: PathBuf,
    /// When it was written: seconds and nanoseconds since 1970.
    pub written: (i64, u64),
}

/// Whether a process can be an OpenSSH listener: it has the name, which any process can give itself,
/// and is root's, which it can't.
#[must_use]
pub fn is_sshd(process: &Process) -> bool {
    process.name == "sshd" && process.is_roots()
}

/// Why the main process of `unit` is not taken for its sshd, in a sentence; `None` where it is: then
/// it is root's, in the unit's control group, and the one that the service manager started.
#[must_use]
pub fn doubt(process: &Process, unit: &Unit) -> Option<String> {
    let Process { pid, name, .. } = process;
    let program = unit.property("ExecStart").split_once("path=").map_or("", |(_, rest)| rest);
    let program = program.split_once(" ; ").map_or("", |(path, _)| path);
    let program = program.rsplit('/').next().unwrap_or_default();
    // The kernel cuts the name to 15 bytes.
    let is_program = program.starts_with("sshd") && program.get(..15).unwrap_or(program) == name;
    if name != "sshd" && !is_program {
        return Some(format!("its main process is {name}, not sshd"));
    }
    if !process.is_roots() {
        return Some(format!("its main process {pid} does not run as root"));
    }
    let started = unit.property("ExecMainStartTimestampMonotonic").parse().unwrap_or(0);
    if started != 0 && !process.was_started_by(Duration::from_micros(started)) {
        return Some(format!(
            "process {pid} was started after {}'s main process, whose id it has",
            unit.name
        ));
    }
    let group = unit.property("ControlGroup");
    if !process.is_in_control_group(group) {
        return Some(format!("its main process {pid} is not in its control group {group}"));
    }
    None
}

/// The process that one of the pid files names, if that can be a listener. A pid file is a hint: what
/// it names must be believed for another reason before anything is done to it.
#[must_use]
pub fn find(pid_files: &[PathBuf]) -> Option<(Process, PidFile)> {
    pid_files.iter().find_map(|path| {
        let (pid, pid_file) = read(path)?;
        let process = Process::find(pid).filter(is_sshd)?;
        // A pid file may be left over, and its number by now be a session's.
        titled_listener(&process.command_line()).then_some((process, pid_file))
    })
}

/// Which of the pid files names this process.
#[must_use]
pub fn pid_file_of(process: &Process, pid_files: &[PathBuf]) -> Option<PidFile> {
    pid_files
        .iter()
        .filter_map(|path| read(path))
        .find_map(|(pid, pid_file)| (pid == process.pid).then_some(pid_file))
}

/// Whether a command line is a listener's. A session's title is `sshd: user [priv]`, an older
/// listener's its arguments.
fn titled_listener(shown: &[u8]) -> bool {
    !shown.starts_with(b"sshd: ") || shown.windows(10).any(|window| window == b"[listener]")
}

fn read(path: &Path) -> Option<(u32, PidFile)> {
    // A number and a line feed.
    let Ok(Node::File(file)) = Host::live().read_at_most(path, 32) else { return None };
    let text = std::str::from_utf8(&file.bytes).ok()?;
    Some((text.trim().parse().ok()?, PidFile { path: path.to_owned(), written: file.modified }))
}

/// What a listener's reload renews. Any one of the two proves it: sshd opens new sockets, then
/// writes its pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    pid_file: Option<PidFile>,
    sockets: BTreeSet<ListeningSocket>,
}

impl Traces {
    /// Those of this listener now.
    #[must_use]
    pub fn of(process: &Process, ports: &BTreeSet<u16>, pid_files: &[PathBuf]) -> Self {
        let mut sockets = process.listening();
        sockets.retain(|socket| ports.contains(&socket.port));
        Self { pid_file: pid_file_of(process, pid_files), sockets }
    }

    /// Whether these, taken later, show that the configuration was loaded anew.
    #[must_use]
    pub fn renewed_since(&self, before: &Self) -> bool {
        let pid_file = self.pid_file.is_some() && self.pid_file != before.pid_file;
        pid_file || self.sockets.difference(&before.sockets).next().is_some()
    }

    /// Whether a pid file names the listener.
    #[must_use]
    pub const fn has_pid_file(&self) -> bool {
        self.pid_file.is_some()
    }

    /// Whether there is anything that a reload would renew.
    #[must_use]
    pub fn any(&self) -> bool {
        self.pid_file.is_some() || !self.sockets.is_empty()
    }
}

/// The ports of `sshd -T`: those of `listenaddress [::]:22`, or of `port 22` where there is none.
#[must_use]
pub fn ports(dump: &Dump) -> BTreeSet<u16> {
    let values = |keyword: &str| dump.values.get(keyword).map(Vec::as_slice).unwrap_or_default();
    let ports: BTreeSet<u16> =
        values("listenaddress").iter().filter_map(|address| port(address)).collect();
    if ports.is_empty() {
        return values("port").iter().filter_map(|port| port.parse().ok()).collect();
    }
    ports
}

/// The port of `[::]:22`, or of `10.0.0.1:22 rdomain blue`.
fn port(address: &str) -> Option<u16> {
    address.split(' ').next()?.rsplit_once(':')?.1.parse().ok()
}

/// Whether the listener is in our own network namespace: then we see the same sockets. Which one
/// it is in can't be asked without a capability.
#[must_use]
pub fn shares_network(listener: &Process) -> bool {
    let theirs = listener.listening();
    let own = Process::find(std::process::id());
    own.is_some_and(|own| !own.listening().is_disjoint(&theirs))
}
