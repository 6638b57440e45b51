//! Whoever else sets the values, other than by files of sysctl.d: named, never changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Boot;
use crate::host::Host;
use crate::host::files::Node;
use crate::reconcile::{Problem, Resource, Severity};
use crate::sysctl::{Key, file, key, proc_sys};

#[cfg(test)]
mod tests;

const TUNED_ACTIVE: &str = "/etc/tuned/active_profile";
const TUNED_PROFILES: [&str; 4] =
    ["/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"];
const UFW_DEFAULTS: &str = "/etc/default/ufw";
const UFW_STATE: &str = "/etc/ufw/ufw.conf";
const COMMAND_LINE: &str = "/proc/cmdline";
const ENCRYPTED: [&str; 4] = [
    "/etc/credstore.encrypted/sysctl.extra",
    "/run/credstore.encrypted/sysctl.extra",
    "/usr/local/lib/credstore.encrypted/sysctl.extra",
    "/usr/lib/credstore.encrypted/sysctl.extra",
];

/// More profiles that include each other than this are not followed.
const PROFILES: usize = 16;

/// Finds them; `files` gets the files that were read.
pub fn find(host: &Host, credentials: bool, files: &mut BTreeSet<PathBuf>) -> Vec<Problem> {
    let mut found = Vec::new();
    tuned(host, files, &mut found);
    ufw(host, files, &mut found);
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

fn read(host: &Host, path: &Path, files: &mut BTreeSet<PathBuf>) -> Option<Vec<u8>> {
    match host.read(path) {
        Ok(Node::File(file)) => {
            files.insert(path.to_owned());
            Some(file.bytes)
        }
        _ => None,
    }
}

/// The settings that a file in the manner of sysctl.conf assigns, by line.
fn assignments(bytes: &[u8]) -> Vec<(Key, usize, String)> {
    file::procps(bytes)
        .iter()
        .filter_map(|statement| {
            let path = [proc_sys::ROOT, b"/", &key::to_path(statement.key)].concat();
            let value = statement.value?.escape_ascii().to_string();
            Some((proc_sys::setting(&path)?, statement.line, value))
        })
        .collect()
}

/// TuneD: the `[sysctl]` section of the active profiles and of what they include.
fn tuned(host: &Host, files: &mut BTreeSet<PathBuf>, found: &mut Vec<Problem>) {
    let Some(active) = read(host, Path::new(TUNED_ACTIVE), files) else { return };
    let active = String::from_utf8_lossy(&active).into_owned();
    let mut pending: Vec<String> = active.split_whitespace().map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    while let Some(profile) = pending.pop() {
        // A name with a slash or a variable is none that we follow.
        let plain = !profile.contains(['/', '$']) && !profile.starts_with('.');
        if !plain || seen.len() >= PROFILES || !seen.insert(profile.clone()) {
            continue;
        }
        let path = TUNED_PROFILES
            .iter()
            .map(|directory| Path::new(directory).join(&profile).join("tuned.conf"))
            .find(|path| host.exists(path));
        let Some(path) = path else { continue };
        let Some(bytes) = read(host, &path, files) else { continue };
        pending.extend(included(&bytes));
        for (key, line, value) in assignments(&only_section(&bytes, b"[sysctl]")) {
            let message = format!(
                "TuneD's profile {profile} sets {} to {value} whenever it is applied, after boot; by \
                 default it then applies /etc/sysctl.d again",
                key.name()
            );
            found.push(notice(message).at(path.clone(), Some(line)));
        }
    }
}

fn included(bytes: &[u8]) -> Vec<String> {
    let main = only_section(bytes, b"[main]");
    file::procps(&main)
        .iter()
        .filter(|statement| statement.key == b"include")
        .filter_map(|statement| statement.value)
        .flat_map(|value| {
            let names = String::from_utf8_lossy(value).into_owned();
            names.split([',', ' ']).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// The file with every line outside of a section emptied, so that line numbers stay.
fn only_section(bytes: &[u8], header: &[u8]) -> Vec<u8> {
    let mut inside = false;
    let mut section = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.starts_with(b"[") {
            inside = text == header;
        } else if inside {
            section.extend_from_slice(line);
        }
        section.push(b'\n');
    }
    section
}

/// ufw: the file that `IPT_SYSCTL` names, applied when the firewall starts.
fn ufw(host: &Host, files: &mut BTreeSet<PathBuf>, found: &mut Vec<Problem>) {
    let Some(defaults) = read(host, Path::new(UFW_DEFAULTS), files) else { return };
    let state = read(host, Path::new(UFW_STATE), files).unwrap_or_default();
    let enabled = shell_variable(&state, "ENABLED").is_some_and(|value| value == "yes");
    let Some(named) = shell_variable(&defaults, "IPT_SYSCTL").filter(|path| path.starts_with('/'))
    else {
        return;
    };
    let path = PathBuf::from(named);
    let Some(bytes) = read(host, &path, files).filter(|_| enabled) else { return };
    for (key, line, value) in assignments(&bytes) {
        let message = format!(
            "ufw sets {} to {value} when the firewall starts, after boot (IPT_SYSCTL in {UFW_DEFAULTS})",
            key.name()
        );
        found.push(notice(message).at(path.clone(), Some(line)));
    }
}

/// The last `NAME=value` of a shell fragment, quotes removed.
fn shell_variable(bytes: &[u8], name: &str) -> Option<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
        .next_back()
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
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
