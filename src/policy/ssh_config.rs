//! `[ssh_config]`: the host's own client.

use super::findings::Findings;
use super::table::Entries;
use super::{SshConfig, sshd_config};

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> SshConfig {
    let tcp_keep_alive =
        entries.get("TCPKeepAlive").and_then(|entry| sshd_config::yes_or_no(entry, findings));
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
    SshConfig { tcp_keep_alive, server_alive_interval, server_alive_count_max }
}
