//! Network namespaces that nothing keeps: those of containers. They have values of their own from
//! their first moment, the kernel's defaults, and whoever runs the container decides about these.
//! Told of by `check`, never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::named::DIRECTORY;
use super::named::entered::{self, Entered};
use crate::host::Host;
use crate::host::process::Process;
use crate::reconcile::{Problem, Resource, Severity};
use crate::sysctl::{Desired, Key};

/// So many are named; of the others only the number.
const NAMED: usize = 3;

/// A device and an inode: which namespace.
type Id = (u64, u64);

/// The namespaces in which a declared key has another value, those with the same values together.
/// `kept` are the values that the named namespaces are kept at, if they are. Others than root get
/// nothing: they may not look.
#[must_use]
pub fn notices(host: &Host, desired: &Desired, kept: &Desired) -> Vec<Problem> {
    if !host.is_live() || desired.values.is_empty() {
        return Vec::new();
    }
    let mut known = BTreeSet::new();
    if !kept.values.is_empty() {
        let names = host.list(Path::new(DIRECTORY)).unwrap_or_default();
        known.extend(names.iter().filter_map(|name| id(&Path::new(DIRECTORY).join(name))));
    }
    let mut found: BTreeMap<BTreeMap<Key, i64>, Vec<String>> = BTreeMap::new();
    for process in Process::all() {
        let path = process.network_namespace();
        // A service with `PrivateNetwork=` has a namespace of its own too, with nothing in it to
        // keep alive.
        if id(&path).is_none_or(|id| !known.insert(id)) || !process.has_network() {
            continue;
        }
        if let Ok(Some(namespace)) = entered::current(host, &path, None) {
            let deviating = deviating(&namespace, desired);
            found.entry(deviating).or_default().push(described(&process));
        }
    }
    found.remove(&BTreeMap::new());
    found.iter().map(|(values, whose)| notice(values, whose, desired)).collect()
}

fn id(path: &Path) -> Option<Id> {
    let stat = rustix::fs::stat(path).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

fn deviating(namespace: &Entered, desired: &Desired) -> BTreeMap<Key, i64> {
    let found = |(key, wanted): (&Key, &u32)| {
        let value = namespace.value(*key).ok()?;
        (value != i64::from(*wanted)).then_some((*key, value))
    };
    desired.values.iter().filter_map(found).collect()
}

fn described(process: &Process) -> String {
    let Process { pid, name, .. } = process;
    match process.outer_unit() {
        Some(unit) => format!("{unit} ({name}, process {pid})"),
        None => format!("{name}, process {pid}"),
    }
}

fn notice(values: &BTreeMap<Key, i64>, whose: &[String], desired: &Desired) -> Problem {
    let mut named = whose.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if whose.len() > NAMED {
        named = format!("{named}; and {} more", whose.len() - NAMED);
    }
    let value = |(key, value): (&Key, &i64)| {
        let declared = desired.values.get(key).copied().unwrap_or_default();
        format!("{} {value}, declared {declared}", key.name())
    };
    let values: Vec<String> = values.iter().map(value).collect();
    let message = format!(
        "has values of its own in a network namespace of its own: {named}: {}. It is left as it is: \
         whoever starts it decides (docker run --sysctl, a pod's securityContext, a \
         keepalive-policy inside)",
        values.join("; ")
    );
    Problem::new(super::Live::NAME, Severity::Notice, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_the_same_values_are_one_notice() {
        let desired = Desired { values: BTreeMap::from([(Key::KeepaliveTime, 600)]) };
        let values = BTreeMap::from([(Key::KeepaliveTime, 7200)]);
        let whose: Vec<String> =
            (1..=5).map(|n| format!("docker-{n}.scope (nginx, process {n})")).collect();
        let text = notice(&values, &whose, &desired).message;
        assert_eq!(
            text,
            "has values of its own in a network namespace of its own: docker-1.scope (nginx, process 1); \
             docker-2.scope (nginx, process 2); docker-3.scope (nginx, process 3); and 2 more: \
             net.ipv4.tcp_keepalive_time 7200, declared 600. It is left as it is: whoever starts it \
             decides (docker run --sysctl, a pod's securityContext, a keepalive-policy inside)"
        );
    }

    #[test]
    fn a_tree_and_an_empty_policy_have_none() {
        let desired = Desired { values: BTreeMap::from([(Key::KeepaliveTime, 600)]) };
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(notices(&Host::at(directory.path()), &desired, &Desired::default()), []);
        assert_eq!(notices(&Host::live(), &Desired::default(), &Desired::default()), []);
    }
}
