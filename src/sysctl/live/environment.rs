//! Whether this process sees the host's own /proc/sys: directives of a unit that are harmless for
//! others make this one deaf, powerless, or busy with a network namespace that nobody uses.

use std::path::Path;

use rustix::fs::StatVfsMountFlags;

use super::{Live, blocked, file};
use crate::host::Host;
use crate::host::files::Node;
use crate::reconcile::{Problem, Resource, Severity};
use crate::sysctl::{Desired, Key};

mod canary;
#[cfg(test)]
mod tests;

use canary::Canary;

/// What is wrong with the place that this process runs in, each with the directive that causes it:
/// what keeps a daemon from doing what `desired` asks for, or from looking after sshd. Nothing with
/// `--root`.
#[must_use]
pub fn environment(host: &Host, desired: &Desired) -> Vec<Problem> {
    if !host.is_live() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if is_private_network(host) {
        problems.push(blocked(
            "this process is in a network namespace of its own: what it sets is not what the host \
             uses, and the host's sshd is out of its reach; remove PrivateNetwork= (or \
             NetworkNamespacePath=, JoinsNamespaceOf=) from the unit",
        ));
    }
    if !desired.values.is_empty() {
        problems.extend(of_proc_sys(host, desired));
    }
    problems
}

fn of_proc_sys(host: &Host, desired: &Desired) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !host.exists(Path::new("/proc/sys")) {
        problems.push(blocked(
            "there is no /proc/sys here, so that no live value can be read or set; remove \
             ProcSubset=pid from the unit",
        ));
        return problems;
    }
    if is_read_only(host) {
        problems.push(blocked(
            "/proc/sys/net/ipv4 is read-only here, so that drift is seen but not undone; remove \
             ProtectKernelTunables= from the unit, or add ReadWritePaths=/proc/sys/net/ipv4",
        ));
    }
    if has_proc_of_its_own(host) {
        problems.push(blocked(
            "this process has a procfs of its own, in which no event tells of a write by others, so \
             that drift is only seen by rereading; remove ProtectProc=, ProcSubset=, \
             ProtectKernelTunables= and ProtectControlGroups= from the unit, each of which mounts one",
        ));
    }
    if problems.is_empty() {
        problems.extend(heard(host, desired));
    }
    problems
}

/// What the other looks can't foresee, a security module or a kernel without inotify on procfs,
/// shows in a trial.
fn heard(host: &Host, desired: &Desired) -> Option<Problem> {
    let key = *desired.values.keys().next()?;
    match canary::sing(host, key) {
        Canary::Heard => None,
        Canary::Unheard => Some(Problem::new(
            Live::NAME,
            Severity::Conflict,
            "no event tells of a write to /proc/sys here, so that drift is only seen by rereading",
        )),
        Canary::Refused(error) => Some(blocked(&file::explain(key, "cannot be written", &error))),
    }
}

/// Compares with process 1. `/proc/1/ns/net` can't be read with an empty set of capabilities, but
/// anybody may look at `/proc/1/net/dev`, whose inode is one of each network namespace.
fn is_private_network(host: &Host) -> bool {
    let of = |process: &str| {
        let path = host.locate(&Path::new("/proc").join(process).join("net/dev"));
        rustix::fs::stat(path).ok().map(|stat| stat.st_ino)
    };
    match (of("1"), of("self")) {
        (Some(first), Some(own)) => first != own,
        _ => false,
    }
}

fn is_read_only(host: &Host) -> bool {
    rustix::fs::statvfs(host.locate(&file::path(Key::KeepaliveTime)))
        .is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// A unit's mount namespace is a copy of the host's: each mount in it is a slave of the host's
/// (`master:` in mountinfo). A /proc that is no slave, where /run or /sys is one, was mounted for the
/// unit. In a container where / alone is a slave, of the container's host, none of them is.
fn has_proc_of_its_own(host: &Host) -> bool {
    match host.read(Path::new("/proc/self/mountinfo")) {
        Ok(Node::File(file)) => mounted_for_the_unit(&String::from_utf8_lossy(&file.bytes)),
        _ => false,
    }
}

fn mounted_for_the_unit(mountinfo: &str) -> bool {
    // The last mount on a path is the one that is seen.
    let is_slave = |path: &str| {
        mountinfo
            .lines()
            .rfind(|line| line.split(' ').nth(4) == Some(path))
            .map(|line| line.split(' ').take_while(|word| *word != "-").any(is_master))
    };
    let others = ["/run", "/sys"].map(is_slave);
    others.contains(&Some(true)) && is_slave("/proc") == Some(false)
}

fn is_master(word: &str) -> bool {
    word.starts_with("master:")
}
