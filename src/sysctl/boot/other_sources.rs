//! Other programs that set the values, other than by files of sysctl.d: named, never changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Boot;
use crate::host::Host;
use crate::host::files::Node;
use crate::reconcile::{Problem, Resource, Severity};
use crate::sysctl::{Key, file, key, proc_sys};
use tuned::Tuned;

pub mod shell;
pub mod tuned;

#[cfg(test)]
mod tests;

const UFW_DEFAULTS: &str = "/etc/default/ufw";
const UFW_STATE: &str = "/etc/ufw/ufw.conf";
const COMMAND_LINE: &str = "/proc/cmdline";
const ENCRYPTED: [&str; 4] = [
    "/etc/credstore.encrypted/sysctl.extra",
    "/run/credstore.encrypted/sysctl.extra",
    "/usr/local/lib/credstore.encrypted/sysctl.extra",
    "/usr/lib/credstore.encrypted/sysctl.extra",
];

/// Finds them; `files` gets the files that were read.
pub fn find(host: &Host, credentials: bool, files: &mut BTreeSet<PathBuf>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut read = Files { host, read: files };
    tuned(&mut read, &mut found);
    ufw(&mut read, &mut found);
    command_line(host, &mut found);
    for path in ENCRYPTED.map(Path::new).iter().filter(|_| credentials) {
        if host.exists(path) {
            let message = "an encrypted credential, which systemd-sysctl reads after every file; \
                           what it sets can't be told";
            found.push(notice(message).at(*path, None));
        }
    }
    found
}

fn notice(message: impl Into<String>) -> Problem {
    Problem::new(Boot::NAME, Severity::Notice, message)
}

/// Reads files of the host, and keeps which ones.
#[derive(Debug)]
pub struct Files<'a> {
    /// The host.
    pub host: &'a Host,
    /// What was read.
    pub read: &'a mut BTreeSet<PathBuf>,
}

impl Files<'_> {
    /// The content of a regular file.
    fn bytes(&mut self, path: &Path) -> Option<Vec<u8>> {
        match self.host.read(path) {
            Ok(Node::File(file)) => {
                self.read.insert(path.to_owned());
                Some(file.bytes)
            }
            _ => None,
        }
    }

    /// The same as text.
    fn text(&mut self, path: &Path) -> Option<String> {
        self.bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The setting that a key is about, in whatever spelling.
fn setting(key: &[u8]) -> Option<Key> {
    proc_sys::setting(&[proc_sys::ROOT, b"/", &key::to_path(key)].concat())
}

/// The settings that a file in the manner of sysctl.conf assigns, by line.
fn assignments(bytes: &[u8]) -> Vec<(Key, usize, String)> {
    file::procps(bytes)
        .iter()
        .filter_map(|statement| {
            let value = statement.value?.escape_ascii().to_string();
            Some((setting(statement.key)?, statement.line, value))
        })
        .collect()
}

/// TuneD: see [`tuned`].
fn tuned(files: &mut Files<'_>, found: &mut Vec<Problem>) {
    let tuned = Tuned::read(files);
    let then = match tuned.reapplies {
        true => "by default it then applies /etc/sysctl.d again",
        false => "with reapply_sysctl = 0 it does not apply /etc/sysctl.d again",
    };
    for assignment in tuned.assignments {
        let (profile, name) = (&assignment.profile, assignment.key.name());
        let sets = match (assignment.value.strip_prefix('>'), assignment.value.strip_prefix('<')) {
            (Some(least), _) => format!("raises {name} to at least {least}"),
            (_, Some(most)) => format!("lowers {name} to at most {most}"),
            _ => format!("sets {name} to {}", assignment.value),
        };
        let message =
            format!("TuneD's profile {profile} {sets} whenever it is applied, after boot; {then}");
        found.push(notice(message).at(assignment.file, Some(assignment.line)));
    }
}

/// ufw: the file that `IPT_SYSCTL` names, applied when the firewall starts.
fn ufw(files: &mut Files<'_>, found: &mut Vec<Problem>) {
    let state = files.text(Path::new(UFW_STATE)).unwrap_or_default();
    let enabled = shell::variable(&state, "ENABLED").is_some_and(|value| value == "yes");
    let Some(path) = ufw_file(files) else { return };
    let Some(bytes) = files.bytes(&path).filter(|_| enabled) else { return };
    for (key, line, value) in assignments(&bytes) {
        let message = format!(
            "ufw sets {} to {value} when the firewall starts, after boot (IPT_SYSCTL in {UFW_DEFAULTS})",
            key.name()
        );
        found.push(notice(message).at(path.clone(), Some(line)));
    }
}

/// `IPT_SYSCTL` of `/etc/default/ufw`, which ufw loads whenever it is enabled or reloaded; without it
/// none.
#[must_use]
pub fn ufw_file(files: &mut Files<'_>) -> Option<PathBuf> {
    let defaults = files.text(Path::new(UFW_DEFAULTS))?;
    let named = shell::variable(&defaults, "IPT_SYSCTL")?;
    named.starts_with('/').then(|| PathBuf::from(named))
}

/// The kernel command line: set before any program runs, so every file beats it.
fn command_line(host: &Host, found: &mut Vec<Problem>) {
    if !host.is_live() {
        return;
    }
    let Ok(Node::File(file)) = host.read(Path::new(COMMAND_LINE)) else { return };
    for word in file.bytes.split(u8::is_ascii_whitespace) {
        let Some(assignment) = word.strip_prefix(b"sysctl.") else { continue };
        for (key, _, value) in assignments(assignment) {
            let message = format!(
                "the kernel command line sets {} to {value}, before any file of sysctl.d does",
                key.name()
            );
            found.push(notice(message).at(COMMAND_LINE, None));
        }
    }
}
