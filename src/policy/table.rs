//! The tables of a policy: which keys each one takes, and what to say about the others.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, quoted};
use super::spelling::nearest;
use crate::sshd::Keyword;
use crate::sysctl::Key;

/// How deep dotted keys are followed: deeper than any known key, so that an unknown one is named
/// in full.
const DEPTH: usize = 8;

/// A table that has a fixed set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Top,
    Sysctl,
    SshdConfig,
    SshConfig,
    Path,
    Objective,
    Daemon,
    /// An inline table in `hops`.
    Hop,
    /// One of `[[sshd_config.instance]]`.
    Instance,
}

impl Table {
    pub const SECTIONS: [Self; 6] = [
        Self::Sysctl,
        Self::SshdConfig,
        Self::SshConfig,
        Self::Path,
        Self::Objective,
        Self::Daemon,
    ];

    /// As a message names it.
    const fn label(self) -> &'static str {
        match self {
            Self::Top => "the policy",
            Self::Sysctl => "[sysctl]",
            Self::SshdConfig => "[sshd_config]",
            Self::SshConfig => "[ssh_config]",
            Self::Path => "[path]",
            Self::Objective => "[objective]",
            Self::Daemon => "[daemon]",
            Self::Hop => "a hop",
            Self::Instance => "[[sshd_config.instance]]",
        }
    }

    fn keys(self) -> Vec<&'static str> {
        match self {
            Self::Top => {
                vec!["mode", "sysctl", "sshd_config", "ssh_config", "path", "objective", "daemon"]
            }
            Self::Sysctl => {
                let mut keys = Key::ALL.map(Key::name).to_vec();
                keys.push("namespaces");
                keys
            }
            Self::SshdConfig => {
                let mut keys = Keyword::ALL.map(Keyword::name).to_vec();
                keys.extend(["never_disconnect", "match_blocks", "instance"]);
                keys
            }
            Self::SshConfig => vec!["TCPKeepAlive", "ServerAliveInterval", "ServerAliveCountMax"],
            Self::Path => vec!["hops"],
            Self::Objective => vec!["survive_idle", "notice_dead_peer"],
            Self::Daemon => vec!["live_interval", "resync_interval", "reload_spacing"],
            Self::Hop => vec!["name", "idle", "tcp_keepalive"],
            Self::Instance => vec!["file", "unit"],
        }
    }
}

/// A key of the policy with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry<'t> {
    pub name: &'static str,
    pub key: Range<usize>,
    pub value: &'t Spanned<DeValue<'t>>,
}

/// The known keys of one table.
pub(super) type Entries<'t> = BTreeMap<&'static str, Entry<'t>>;

/// The keys of `table` that are known; the others are refused.
pub(super) fn entries<'t>(
    table: Table,
    content: &'t DeTable<'t>,
    findings: &mut Findings<'_>,
) -> Entries<'t> {
    let keys = table.keys();
    let mut found = Vec::new();
    // At the top an unknown table is one finding, not one for each of its keys.
    let depth = if table == Table::Top { 0 } else { DEPTH };
    flatten("", content, &keys, depth, &mut found);
    found.sort_by_key(|(_, last_part, _)| last_part.start);
    let mut entries = Entries::new();
    for (name, last_part, value) in found {
        let key = whole_key(findings.text, last_part);
        let Some(known) = keys.iter().find(|known| **known == name) else {
            findings.refuse(key, unknown(table, &keys, &name));
            continue;
        };
        // `"a.b" = 1` and `a.b = 2` are different keys to TOML, and the same one to us.
        if entries.contains_key(known) {
            findings.refuse(key, format!("duplicate key `{known}`"));
        } else {
            entries.insert(known, Entry { name: known, key, value });
        }
    }
    entries
}

/// The top-level table `section`, where it is one.
pub(super) fn section<'t>(
    table: Table,
    top: &Entries<'t>,
    findings: &mut Findings<'_>,
) -> Entries<'t> {
    let Some(entry) = top.get(table.label().trim_matches(['[', ']'])) else {
        return Entries::new();
    };
    let Some(content) = entry.value.get_ref().as_table() else {
        let message = format!(
            "`{}` must be a table, written {}, found {}",
            entry.name,
            table.label(),
            super::value::describe(entry.value.get_ref())
        );
        findings.refuse(entry.key.clone(), message);
        return Entries::new();
    };
    entries(table, content, findings)
}

/// Lists the keys of nested tables by their dotted names, with the span of the last part.
fn flatten<'t>(
    prefix: &str,
    table: &'t DeTable<'t>,
    keys: &[&str],
    depth: usize,
    found: &mut Vec<(String, Range<usize>, &'t Spanned<DeValue<'t>>)>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner)
                if depth > 0 && !inner.is_empty() && !keys.contains(&name.as_str()) =>
            {
                flatten(&format!("{name}."), inner, keys, depth - 1, found);
            }
            _ => found.push((name, key.span(), value)),
        }
    }
}

/// The span of a dotted key from the span of its last part: to TOML each part is a key of its own,
/// and the first ones may have been seen on another line.
pub(super) fn whole_key(text: &str, last_part: Range<usize>) -> Range<usize> {
    let before = text.get(..last_part.start).unwrap_or_default();
    let start = before.rfind(['\n', '{', '[', ',']).map_or(0, |at| at + 1);
    let indent = before.get(start..).map_or(0, |key| key.len() - key.trim_start().len());
    start + indent..last_part.end
}

fn unknown(table: Table, keys: &[&str], name: &str) -> String {
    let written = quoted(name);
    let elsewhere = Table::SECTIONS.into_iter().find(|other| other.keys().contains(&name));
    if let Some(other) = elsewhere {
        return format!(
            "unknown key `{written}` in {}, it belongs in {}",
            table.label(),
            other.label()
        );
    }
    if let Some(meant) = nearest(name, keys) {
        return format!("unknown key `{written}`, did you mean `{meant}`?");
    }
    format!("unknown key `{written}`, {} takes {}", table.label(), keys.join(", "))
}
