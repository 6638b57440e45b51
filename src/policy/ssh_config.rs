//! `[ssh_config]`: the host's own client.

use super::findings::Findings;
use super::table::Entries;
use super::{SshConfig, sshd_config};

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> SshConfig {
    if let Some(first) = entries.values().min_by_key(|entry| entry.key.start) {
        findings.notice(
            Some(first),
            "[ssh_config] is not enforced yet: its values are checked, and written nowhere",
        );
    }
    let server_alive_interval =
        entries.get("ServerAliveInterval").and_then(|entry| sshd_config::interval(entry, findings));
    let server_alive_count_max = entries.get("ServerAliveCountMax").and_then(|entry| {
        let number = findings.integer(entry, "a whole number of requests")?;
        let why = match number {
            0 => "with 0 the client disconnects at the first silent interval, without asking",
            _ => "ssh takes no such number",
        };
        findings.within(entry, number, (1..=i32::MAX.unsigned_abs(), ""), why)
    });
    SshConfig { server_alive_interval, server_alive_count_max }
}
