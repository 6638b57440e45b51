//! The policy: what `/etc/keepalive-policy.toml` declares, validated.
//!
//! [`parse`] is pure and decides alone what a valid policy is; [`load`] adds whose file it is.
//! `validate` and the daemon both call [`load`], so neither takes what the other refuses.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use toml::de::DeTable;

use crate::hops;
use crate::host::Host;
use crate::objective::Derived;
use crate::reconcile::{Mode, Source};
use crate::sshd::instance::Instance;
use crate::timing::Release;

mod contradictions;
mod daemon;
pub mod diagnostic;
pub mod duration;
mod file;
mod findings;
pub mod fragment;
mod instance;
mod metrics;
mod objective;
mod path;
pub mod spelling;
mod ssh_config;
mod sshd_config;
mod sysctl;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod value;

use contradictions::Sections;
pub use diagnostic::Diagnostic;
use findings::Findings;
use table::{Entries, Table, entries, section};

/// What [`Policy::declared`] calls the `TCPKeepAlive` of `[ssh_config]`.
pub const CLIENTS_TCP_KEEP_ALIVE: &str = "TCPKeepAlive (ssh_config)";

/// A valid policy. Only what is declared in it is managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The file it was read from.
    pub path: PathBuf,
    /// `mode`: enforce, or only report.
    pub mode: Mode,
    /// `[sysctl]`.
    pub sysctl: crate::sysctl::Desired,
    /// `[sysctl] namespaces`: the same values for the named network namespaces, where "named" is
    /// asked for; else nothing is declared for them.
    pub namespaces: crate::sysctl::Desired,
    /// `[sshd_config]`.
    pub sshd_config: crate::sshd::Desired,
    /// `[[sshd_config.instance]]`: the sshds to which it applies besides the host's own.
    pub sshd_instances: Vec<Instance>,
    /// `[ssh_config]`.
    pub ssh_config: SshConfig,
    /// `[path] hops`: the middleboxes that sessions cross.
    pub hops: Vec<Hop>,
    /// `[objective]`, and what follows from it; its values are among those of `sshd_config`.
    pub objective: Option<Derived>,
    /// `[daemon] live_interval`: how often the kernel's values are reread.
    pub live_interval: Duration,
    /// `[daemon] resync_interval`: how often the files are reread.
    pub resync_interval: Duration,
    /// `[metrics] textfile`: where the node exporter finds what the daemon counts.
    pub metrics_textfile: Option<PathBuf>,
    /// `[witness] enabled`: whether the kernel is asked who writes.
    pub witness: bool,
    /// Where each declared setting is declared, by its name, or [`CLIENTS_TCP_KEEP_ALIVE`]: of several
    /// places the one that wins.
    pub declared: BTreeMap<&'static str, Source>,
    /// `[daemon] reload_spacing`: the least time between two reloads of sshd.
    pub reload_spacing: Duration,
    /// What is declared but has no effect, one sentence each with its place: sections that are not
    /// enforced yet, settings that another one switches off.
    pub notices: Vec<String>,
}

impl Policy {
    /// Whether both declare the same, wherever they do.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let of = |policy: &Self| Self {
            declared: BTreeMap::new(),
            notices: Vec::new(),
            ..policy.clone()
        };
        of(self) == of(other)
    }

    /// What is declared for one sshd, the host's own (`None`) or an instance; nothing for an
    /// instance that this policy does not name, so that what is ours in it is taken back.
    #[must_use]
    pub fn sshd_of(&self, instance: Option<&Instance>) -> crate::sshd::Desired {
        let declared = instance.is_none_or(|one| self.sshd_instances.contains(one));
        if declared { self.sshd_config.clone() } else { crate::sshd::Desired::default() }
    }
}

/// `[ssh_config]`: the host's own ssh client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshConfig {
    /// Whether the kernel's keepalive is used.
    pub tcp_keep_alive: Option<bool>,
    /// Seconds.
    pub server_alive_interval: Option<u32>,
    /// A count.
    pub server_alive_count_max: Option<u32>,
}

/// A middlebox that sessions cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// One of the table.
    Known(&'static hops::Hop),
    /// One that the policy describes.
    Own(OwnHop),
}

/// A middlebox that the policy describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnHop {
    /// What to call it.
    pub name: String,
    /// Seconds of silence that it forgives.
    pub idle: u32,
    /// Whether a bare kernel keepalive probe restarts its clock.
    pub tcp_keepalive: bool,
}

/// Why a policy is refused: every finding, in order of position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Rejection {
    /// Never empty.
    pub findings: Vec<Diagnostic>,
}

impl fmt::Display for Rejection {
    /// All findings, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.findings.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{diagnostic}")?;
        }
        Ok(())
    }
}

/// Reads and judges the policy at `path`, a path of this machine (links are followed), with the
/// fragments beside it: `/etc/keepalive-policy.d/*.toml` of `/etc/keepalive-policy.toml`. Of a key
/// that several files have, the last one counts.
///
/// # Errors
/// When there is no regular file, or all of them together are larger than 1 MiB; when one belongs
/// to somebody other than root and the caller, or others than its owner can write it; and as
/// [`parse`]. All of it at once.
pub fn load(path: &Path) -> Result<Policy, Rejection> {
    let (pieces, mut complaints) = fragment::read(path);
    if pieces.first().is_none_or(|piece| piece.path != path) {
        return Err(Rejection { findings: complaints });
    }
    let pieces: Vec<(&[u8], &Path)> =
        pieces.iter().map(|piece| (piece.bytes.as_slice(), piece.path.as_path())).collect();
    match judge(&pieces, path, &installed) {
        Ok(policy) if complaints.is_empty() => Ok(policy),
        Ok(_) => Err(Rejection { findings: complaints }),
        Err(rejection) => {
            complaints.extend(rejection.findings);
            Err(Rejection { findings: complaints })
        }
    }
}

/// Judges the text of a policy as for the default release of sshd; `path` is only named in findings
/// and notices. Touches nothing.
///
/// # Errors
/// What is no TOML, a key that is not known, a value that is not what its key takes, or that would
/// do harm, settings that contradict one another: all of it at once, in order of position.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Policy, Rejection> {
    judge(&[(bytes, path)], path, &Release::default)
}

/// The installed release; where sshd does not tell, the default one.
fn installed() -> Release {
    let daemon = crate::sshd::judge::Daemon::default();
    crate::sshd::dialect::ask::ask(&Host::live(), daemon)
        .map(|dialect| Release::of(&dialect))
        .unwrap_or_default()
}

/// What [`parse`] and [`load`] share: several files, of which a later one counts more than an earlier
/// one. `release` is only asked where something depends on it.
fn judge(
    pieces: &[(&[u8], &Path)],
    path: &Path,
    release: &dyn Fn() -> Release,
) -> Result<Policy, Rejection> {
    let (mut bytes, mut text) = (Vec::new(), String::new());
    let (mut files, mut padded, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for (content, file) in pieces {
        let start = bytes.len();
        let (mut piece, mut found) = text::read(content);
        found.extend(text::blank_bare_keys(&mut piece));
        broken.extend(
            found
                .into_iter()
                .map(|(span, message)| (span.start + start..span.end + start, message)),
        );
        files.push((start, (*file).to_owned()));
        // Behind as many newlines as there is text before it, its spans fit the whole.
        padded.push("\n".repeat(start) + &piece);
        bytes.extend_from_slice(content);
        bytes.push(b'\n');
        text.push_str(&piece);
        text.push('\n');
    }
    let mut findings = Findings::new(&text, &bytes, files);
    for (span, message) in broken {
        findings.broken(span, message);
    }
    let mut contents = Vec::new();
    for piece in &padded {
        let (content, errors) = DeTable::parse_recoverable(piece);
        for error in errors {
            let (span, message) = text::syntax_error(&error, piece);
            findings.broken(span, message);
        }
        contents.push(content);
    }
    let policy = read(&contents, path, release, &mut findings);
    let notices = findings.notices(path);
    let diagnostics = findings.into_diagnostics(path);
    if diagnostics.is_empty() {
        Ok(Policy { notices, ..policy })
    } else {
        Err(Rejection { findings: diagnostics })
    }
}

/// Reads what the policy declares; it counts only when nothing was found wrong.
fn read(
    contents: &[toml::Spanned<DeTable<'_>>],
    path: &Path,
    release: &dyn Fn() -> Release,
    findings: &mut Findings<'_>,
) -> Policy {
    let top: Vec<Entries<'_>> =
        contents.iter().map(|content| entries(Table::Top, content.get_ref(), findings)).collect();
    let modes = [("enforce", Mode::Enforce), ("audit", Mode::Audit)];
    let chosen = top.iter().filter_map(|top| findings.choice(top.get("mode")?, &modes)).last();
    let sections = Sections {
        sysctl: section(Table::Sysctl, &top, findings),
        sshd_config: section(Table::SshdConfig, &top, findings),
        ssh_config: section(Table::SshConfig, &top, findings),
        path: section(Table::Path, &top, findings),
        objective: section(Table::Objective, &top, findings),
    };
    let declared = sections.declared().map(|(name, entry)| (name, findings.place(entry.key.start)));
    let declared = declared.collect();
    let (sysctl, namespaces) = sysctl::read(&sections.sysctl, findings);
    let mut sshd_config = sshd_config::read(&sections.sshd_config, findings);
    let objective = objective::read(&sections.objective, &mut sshd_config, release, findings);
    let sshd_instances = instance::read(&sections.sshd_config, findings);
    if !sshd_instances.is_empty() && sshd_config.values.is_empty() {
        let entry = sections.sshd_config.get("instance");
        findings.notice(entry, "an instance has no effect: no setting is declared");
    }
    let times = daemon::read(&section(Table::Daemon, &top, findings), findings);
    let policy = Policy {
        path: path.to_owned(),
        mode: chosen.unwrap_or(Mode::Enforce),
        sysctl,
        namespaces,
        sshd_config,
        sshd_instances,
        ssh_config: ssh_config::read(&sections.ssh_config, findings),
        hops: path::read(&sections.path, findings),
        objective,
        metrics_textfile: metrics::textfile(&section(Table::Metrics, &top, findings), findings),
        witness: metrics::witness(&section(Table::Witness, &top, findings), findings),
        declared,
        live_interval: times.live_interval,
        resync_interval: times.resync_interval,
        reload_spacing: times.reload_spacing,
        notices: Vec::new(),
    };
    let client = policy.ssh_config.values();
    if policy.sysctl.values.is_empty() && policy.sshd_config.values.is_empty() && client.is_empty()
    {
        let message =
            "nothing is declared in [sysctl], [sshd_config] or [ssh_config]: nothing is managed";
        findings.notice(None, message);
    }
    contradictions::note(&policy, &sections, release, findings);
    policy
}
