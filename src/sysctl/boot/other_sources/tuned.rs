//! What TuneD sets when it applies its profiles, after boot: every section of type `sysctl` of the
//! active profiles and of what they include (tuned.conf(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Files, setting};
use crate::sysctl::Key;

const ACTIVE: &str = "/etc/tuned/active_profile";
const MAIN: &str = "/etc/tuned/tuned-main.conf";
const PROFILES: [&str; 4] =
    ["/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"];

/// More profiles that include each other than this are not followed.
const MOST: usize = 16;

/// Variables that name each other are not followed further than this.
const DEPTH: usize = 8;

/// A value that a profile sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The profile.
    pub profile: String,
    /// The setting.
    pub key: Key,
    /// The value, variables replaced where that is possible: `600`, or `>30` for at least 30.
    pub value: String,
    /// The profile's file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
}

/// What TuneD sets on this host.
#[derive(Debug, Default)]
pub struct Tuned {
    /// In the order in which the profiles are named.
    pub assignments: Vec<Assignment>,
    /// Whether it applies /etc/sysctl.d again afterwards: `reapply_sysctl`, on by default.
    pub reapplies: bool,
}

/// A line `name = value`.
struct Entry {
    section: String,
    name: String,
    value: String,
    line: usize,
}

impl Tuned {
    /// Reads the active profiles and what they include.
    #[must_use]
    pub fn read(files: &mut Files<'_>) -> Self {
        let Some(active) = files.text(Path::new(ACTIVE)) else { return Self::default() };
        let profiles = profiles(&active, files);
        let mut variables = BTreeMap::new();
        for (_, _, entries) in &profiles {
            for entry in entries.iter().filter(|entry| entry.section == "variables") {
                variables.insert(entry.name.clone(), entry.value.clone());
            }
        }
        let mut assignments = Vec::new();
        for (profile, file, entries) in &profiles {
            for entry in entries {
                let Some(key) = setting(entry.name.as_bytes()) else { continue };
                if !is_sysctl(&entry.section, entries) {
                    continue;
                }
                assignments.push(Assignment {
                    profile: profile.clone(),
                    key,
                    value: expanded(&entry.value, &variables, DEPTH),
                    file: file.clone(),
                    line: entry.line,
                });
            }
        }
        Self { assignments, reapplies: reapplies(files) }
    }
}

/// The active profiles, and each one's includes, with their files and entries.
fn profiles(active: &str, files: &mut Files<'_>) -> Vec<(String, PathBuf, Vec<Entry>)> {
    let mut pending: Vec<String> = active.split_whitespace().map(str::to_owned).collect();
    pending.reverse();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(profile) = pending.pop() {
        // A name with a slash or a variable is none that we follow.
        let plain = !profile.contains(['/', '$']) && !profile.starts_with('.');
        if !plain || seen.len() >= MOST || !seen.insert(profile.clone()) {
            continue;
        }
        let places = PROFILES.iter().map(|directory| Path::new(directory).join(&profile));
        for path in places.map(|place| place.join("tuned.conf")) {
            if let Some(text) = files.text(&path) {
                let entries = entries(&text);
                pending.extend(included(&entries));
                found.push((profile, path, entries));
                break;
            }
        }
    }
    found
}

/// The lines of a profile. A comment begins the line, or stands behind a blank.
fn entries(text: &str) -> Vec<Entry> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=') {
            entries.push(Entry {
                section: section.clone(),
                name: name.trim().to_owned(),
                value: unquoted(value.trim()).to_owned(),
                line: number + 1,
            });
        }
    }
    entries
}

fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// The profiles that `include` names; one with a dash in front may be missing.
fn included(entries: &[Entry]) -> Vec<String> {
    let mut names = Vec::new();
    for entry in entries.iter().filter(|entry| entry.section == "main" && entry.name == "include") {
        for name in entry.value.split([',', ' ', ';']).filter(|name| !name.is_empty()) {
            names.push(name.trim_start_matches('-').to_owned());
        }
    }
    names
}

/// Whether a section is about sysctls: by its type, or without one by its name.
fn is_sysctl(section: &str, entries: &[Entry]) -> bool {
    let option = |name: &str| {
        let mut those = entries.iter().filter(|one| one.section == section && one.name == name);
        those.next_back().map(|entry| entry.value.as_str())
    };
    let enabled = !matches!(option("enabled"), Some("0" | "false" | "no" | "False"));
    enabled && option("type").unwrap_or(section) == "sysctl"
}

/// The value with `${NAME}` replaced. What calls a function (`${f:…}`) or is not defined stays.
fn expanded(value: &str, variables: &BTreeMap<String, String>, depth: usize) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            result.push_str("${");
            rest = after;
            continue;
        };
        match variables.get(name).filter(|_| depth > 0) {
            Some(value) => result.push_str(&expanded(value, variables, depth - 1)),
            None => result.push_str(&format!("${{{name}}}")),
        }
        rest = behind;
    }
    result.push_str(rest);
    result
}

fn reapplies(files: &mut Files<'_>) -> bool {
    let text = files.text(Path::new(MAIN)).unwrap_or_default();
    let entries = entries(&text);
    let mut those = entries.iter().filter(|entry| entry.name == "reapply_sysctl");
    let value = those.next_back().map(|entry| entry.value.to_ascii_lowercase());
    !matches!(value.as_deref(), Some("0" | "false" | "no"))
}
