//! Policies that are valid and still do not what they seem to: worth a word, never a refusal.

use std::time::Duration;

use super::findings::Findings;
use super::objective::number;
use super::table::{Entries, Entry};
use super::{CLIENTS_TCP_KEEP_ALIVE, Policy, SshConfig};
use crate::reconcile::Value;
use crate::sshd::Keyword;
use crate::sysctl::Key;
use crate::timing::alive::{Alive, Side};
use crate::timing::budget::{Crossing, Verdict, budget};
use crate::timing::silence;
use crate::timing::{End, Kernel, Release, seconds};

/// Below this a peer that is only out of reach for a moment counts as dead.
const HASTY: Duration = Duration::from_secs(60);

/// The entries of the sections that can contradict one another.
pub(super) struct Sections<'t> {
    pub sysctl: Entries<'t>,
    pub sshd_config: Entries<'t>,
    pub ssh_config: Entries<'t>,
    pub path: Entries<'t>,
    pub objective: Entries<'t>,
}

impl<'t> Sections<'t> {
    /// The settings that are declared.
    pub fn declared(&self) -> impl Iterator<Item = (&'static str, &Entry<'t>)> {
        let hosts = [&self.sysctl, &self.sshd_config].into_iter().flat_map(Entries::values);
        let clients = self.ssh_config.values().map(|entry| match entry.name {
            // sshd has one as well.
            "TCPKeepAlive" => (CLIENTS_TCP_KEEP_ALIVE, entry),
            name => (name, entry),
        });
        hosts.map(|entry| (entry.name, entry)).chain(clients)
    }
}

/// Notes every contradiction. `release` asks for that of the installed OpenSSH.
pub(super) fn note(
    policy: &Policy,
    sections: &Sections<'_>,
    release: &dyn Fn() -> Release,
    findings: &mut Findings<'_>,
) {
    // Which release asks how often is of no interest where even the shortest time is long enough.
    let mut ends = Ends::of(policy, Release(10, 0));
    if !policy.hops.is_empty() || ends.hasty() {
        ends = Ends::of(policy, release());
    }
    count_zero(sections, policy, findings);
    probes_unused(sections, policy, findings);
    hasty(sections, &ends, findings);
    client_first(sections, policy, findings);
    silences(sections, policy, &ends, findings);
}

/// What is declared of each end; `None` where nothing is.
struct Ends {
    server: Option<End>,
    client: Option<End>,
    kernel: Kernel,
    /// Whether any of the kernel's values are declared.
    kernel_declared: bool,
}

impl Ends {
    fn of(policy: &Policy, release: Release) -> Self {
        let value = |key: Key| policy.sysctl.values.get(&key).copied();
        let default = Kernel::default();
        let kernel = Kernel {
            time: value(Key::KeepaliveTime).map_or(default.time, i64::from),
            intvl: value(Key::KeepaliveIntvl).map_or(default.intvl, i64::from),
            probes: value(Key::KeepaliveProbes).unwrap_or(default.probes),
            ..default
        };
        let tcp_keepalive = keepalive(policy);
        let sshd = &policy.sshd_config;
        let SshConfig { server_alive_interval, server_alive_count_max, .. } =
            policy.ssh_config.clone();
        let end = |interval, count: Option<u32>, side| End {
            tcp_keepalive,
            alive: Alive { interval, count: count.unwrap_or(3), side },
        };
        Self {
            server: number(sshd, Keyword::ClientAliveInterval).map(|interval| {
                let count = number(sshd, Keyword::ClientAliveCountMax);
                end(interval, count, Side::Server(release))
            }),
            client: server_alive_interval
                .map(|interval| end(interval, server_alive_count_max, Side::Client(release))),
            kernel,
            kernel_declared: !policy.sysctl.values.is_empty(),
        }
    }

    fn hasty(&self) -> bool {
        let ends = [self.server, self.client].into_iter().flatten();
        ends.into_iter().any(|end| end.alive.gives_up().after.is_some_and(|after| after < HASTY))
    }
}

/// Whether sshd uses the kernel's keepalive: it does unless it is told not to.
fn keepalive(policy: &Policy) -> bool {
    policy.sshd_config.values.get(&Keyword::TcpKeepAlive) != Some(&Value::Bool(false))
}

fn count_zero(sections: &Sections<'_>, policy: &Policy, findings: &mut Findings<'_>) {
    let zero = number(&policy.sshd_config, Keyword::ClientAliveCountMax) == Some(0);
    let entry = sections.sshd_config.get(Keyword::ClientAliveCountMax.name());
    if let Some(entry) = entry.filter(|_| zero) {
        findings.notice(
            Some(entry),
            "ClientAliveCountMax 0: sshd never gives up a client whose kernel still answers; one \
             that vanished is left to net.ipv4.tcp_retries2",
        );
    }
}

fn probes_unused(sections: &Sections<'_>, policy: &Policy, findings: &mut Findings<'_>) {
    let entry = sections.sshd_config.get(Keyword::TcpKeepAlive.name());
    if let Some(entry) = entry.filter(|_| !keepalive(policy) && !policy.sysctl.values.is_empty()) {
        findings.notice(
            Some(entry),
            "TCPKeepAlive is off, so sshd's connections take no part in what [sysctl] declares: \
             that is then for other programs only",
        );
    }
}

/// Giving up within a minute.
fn hasty(sections: &Sections<'_>, ends: &Ends, findings: &mut Findings<'_>) {
    let programs = [
        (ends.server, entry_of_interval(sections)),
        (ends.client, sections.ssh_config.get("ServerAliveInterval").cloned()),
    ];
    let mut hasty: Vec<_> = programs
        .into_iter()
        .filter_map(|(end, entry)| Some((end?.alive.gives_up(), entry?)))
        .collect();
    if ends.kernel_declared
        && let Some(entry) = sections.sysctl.values().min_by_key(|entry| entry.key.start)
    {
        hasty.push((ends.kernel.keepalive(), entry.clone()));
    }
    for (given_up, entry) in hasty {
        if given_up.after.is_some_and(|after| after < HASTY) {
            let message = format!(
                "a peer counts as dead after less than a minute ({}): on a path that loses packets \
                 for as long, live sessions are cut",
                given_up.reason
            );
            findings.notice(Some(&entry), message);
        }
    }
}

/// The line that sets sshd's interval, be it by an objective.
fn entry_of_interval<'t>(sections: &Sections<'t>) -> Option<Entry<'t>> {
    let explicit = sections.sshd_config.get(Keyword::ClientAliveInterval.name());
    explicit.or_else(|| sections.objective.values().min_by_key(|entry| entry.key.start)).cloned()
}

fn client_first(sections: &Sections<'_>, policy: &Policy, findings: &mut Findings<'_>) {
    let server = number(&policy.sshd_config, Keyword::ClientAliveInterval);
    let client = policy.ssh_config.server_alive_interval;
    let (Some(server), Some(client)) = (server, client) else { return };
    if (1..server).contains(&client) {
        let message = format!(
            "ServerAliveInterval {client} is below ClientAliveInterval {server}: a client that is \
             set like this always speaks first, so that sshd never asks it while it lives"
        );
        findings.notice(sections.ssh_config.get("ServerAliveInterval"), message);
    }
}

/// Silences that are longer than a declared hop forgives.
fn silences(sections: &Sections<'_>, policy: &Policy, ends: &Ends, findings: &mut Findings<'_>) {
    let Some(entry) = sections.path.get("hops") else { return };
    let default = Alive { interval: 0, count: 3, side: Side::Server(Release::default()) };
    let server = ends.server.or_else(|| {
        let end = End { tcp_keepalive: keepalive(policy), alive: default };
        ends.kernel_declared.then_some(end)
    });
    for end in [server, ends.client].into_iter().flatten() {
        for message in too_long(policy, end, ends.kernel) {
            findings.notice(Some(entry), message);
        }
    }
    if server.is_none() && ends.client.is_none() && !policy.hops.is_empty() {
        let message = "nothing that is declared here breaks the silence on this path";
        findings.notice(Some(entry), message);
    }
}

fn too_long(policy: &Policy, end: End, kernel: Kernel) -> Vec<String> {
    let signs = silence::signs(end, kernel);
    let crossings = budget(&policy.hops, &signs);
    let complaint = |crossing: &Crossing<'_>| {
        let head = format!("{} forgets after {} s", crossing.hop.id(), crossing.hop.idle());
        let Some(silence) = crossing.silence else {
            return format!("{head}, and hears nothing ({})", crossing.why(&signs));
        };
        let (silence, why) = (seconds(silence), crossing.why(&signs));
        match crossing.verdict {
            Verdict::Tight => {
                format!("{head}, and a silence of {silence} s ({why}) uses more than 75 % of that")
            }
            _ => format!("{head}, and an idle session is silent for {silence} s ({why})"),
        }
    };
    let unsafe_ones = crossings.iter().filter(|crossing| crossing.verdict != Verdict::Survives);
    unsafe_ones.map(complaint).collect()
}
