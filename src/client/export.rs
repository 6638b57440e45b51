//! The policy rendered for one client, with comments on where it goes, what it does on the wire,
//! and how sure we are.

use std::fmt;

use crate::policy::Policy;
use crate::reconcile::Value;
use crate::sysctl::Key;

mod openssh;
mod registry;
mod terminals;

#[cfg(test)]
mod tests;

/// A client, or what stands in for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Target {
    /// OpenSSH on Linux, macOS and the BSDs: ~/.ssh/config
    Openssh,
    /// PuTTY: a .reg file for the default settings
    Putty,
    /// WinSCP: a .reg file for the default settings
    Winscp,
    /// SecureCRT: lines of a session's .ini file
    #[value(name = "securecrt")]
    SecureCrt,
    /// Tera Term: lines of TERATERM.INI
    #[value(name = "teraterm")]
    TeraTerm,
    /// MobaXterm: lines of MobaXterm.ini
    #[value(name = "mobaxterm")]
    MobaXterm,
    /// OpenSSH on Windows: a PowerShell snippet
    #[value(name = "windows-openssh")]
    WindowsOpenssh,
    /// Windows' own keepalive: a .reg file, from [sysctl]
    WindowsTcp,
}

/// What the policy declares, as far as other clients have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `ServerAliveInterval`: seconds.
    pub interval: u32,
    /// `ServerAliveCountMax`.
    pub count: Option<u32>,
    /// `TCPKeepAlive`.
    pub tcp_keep_alive: Option<bool>,
}

/// What is missing in the policy for an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Every client has an interval.
    #[error("the policy declares no ServerAliveInterval in [ssh_config]: nothing to export")]
    Interval,
    /// Windows has both times of the kernel's.
    #[error(
        "the policy declares no net.ipv4.tcp_keepalive_time and net.ipv4.tcp_keepalive_intvl in \
         [sysctl]: nothing to export"
    )]
    Times,
}

impl Settings {
    /// From `[ssh_config]`.
    ///
    /// # Errors
    /// When no interval is declared.
    pub fn of(policy: &Policy) -> Result<Self, Missing> {
        let declared = &policy.ssh_config;
        Ok(Self {
            interval: declared.server_alive_interval.ok_or(Missing::Interval)?,
            count: declared.server_alive_count_max,
            tcp_keep_alive: declared.tcp_keep_alive,
        })
    }

    /// The lines of ssh_config.
    fn lines(&self, indent: &str) -> String {
        let mut lines = format!("{indent}ServerAliveInterval {}\n", self.interval);
        if let Some(count) = self.count {
            lines.push_str(&format!("{indent}ServerAliveCountMax {count}\n"));
        }
        if let Some(value) = self.tcp_keep_alive {
            lines.push_str(&format!("{indent}TCPKeepAlive {}\n", Value::Bool(value)));
        }
        lines
    }
}

/// How sure we are of names and meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// The client's own source or documentation says so.
    Documented,
    /// Several real configurations agree.
    Observed,
    /// General knowledge.
    Assumed,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "certain: the client's own source or documentation says so",
            Self::Observed => {
                "fairly certain: seen in several real configurations, documented nowhere"
            }
            Self::Assumed => "not certain: general knowledge; look whether the client shows it",
        })
    }
}

/// What is said before the settings.
struct Notes<'a> {
    title: &'a str,
    place: &'a str,
    wire: &'a str,
    certainty: Certainty,
    more: &'a [&'a str],
}

impl Notes<'_> {
    /// Comment lines that begin with `mark`.
    fn comment(&self, mark: &str) -> String {
        let mut text = format!("{mark} {}, written by keepalive-policy.\n", self.title);
        let mut line = |name: &str, words: &str| {
            text.push_str(&format!("{mark} {name}: {words}.\n"));
        };
        line("Where", self.place);
        line("On the wire", self.wire);
        line("How sure", &self.certainty.to_string());
        for note in self.more {
            text.push_str(&format!("{mark} {note}.\n"));
        }
        text
    }
}

const IGNORE: &str = "SSH_MSG_IGNORE, which is not answered: keeps a NAT or firewall open, and finds \
                      no dead server";

/// The bytes for `target`: a whole file to import, or lines to put where the comments say.
///
/// # Errors
/// When the policy does not declare what the target needs.
pub fn render(target: Target, policy: &Policy) -> Result<Vec<u8>, Missing> {
    if target == Target::WindowsTcp {
        let time = policy.sysctl.values.get(&Key::KeepaliveTime).copied();
        let interval = policy.sysctl.values.get(&Key::KeepaliveIntvl).copied();
        let (Some(time), Some(interval)) = (time, interval) else { return Err(Missing::Times) };
        return Ok(registry::windows_tcp(time, interval));
    }
    let settings = Settings::of(policy)?;
    Ok(match target {
        Target::Openssh => openssh::lines(&settings).into_bytes(),
        Target::WindowsOpenssh => openssh::powershell(&settings).into_bytes(),
        Target::Putty => registry::putty(&settings),
        Target::Winscp => registry::winscp(&settings),
        Target::SecureCrt => terminals::securecrt(&settings).into_bytes(),
        Target::TeraTerm => terminals::teraterm(&settings).into_bytes(),
        Target::MobaXterm | Target::WindowsTcp => terminals::mobaxterm(&settings).into_bytes(),
    })
}
