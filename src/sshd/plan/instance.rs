//! A declared instance: what keeps it from being governed, and its name in all that is said of it.

use std::path::{Path, PathBuf};

use super::{Change, NAME};
use crate::reconcile::{Plan, Problem, Severity};
use crate::sshd::instance::Instance;
use crate::sshd::service::Kind;
use crate::sshd::tree::Entry;
use crate::sshd::{Desired, Observed};

/// The main file of an sshd that is started without `-f`, and of the host's own.
const DEFAULT: &str = "/etc/ssh/sshd_config";

/// Why the declared file may not be touched for this unit. What is ours in it is taken back in any
/// case: then nothing is desired.
pub(super) fn obstacle(desired: &Desired, observed: &Observed) -> Option<Problem> {
    let instance = observed.service.instance.as_ref()?;
    let real = match observed.tree.entries.get(&instance.file) {
        Some(Entry::File { real, .. }) => real.clone(),
        _ => instance.file.clone(),
    };
    if real == Path::new(DEFAULT) {
        let message = format!("leads to {DEFAULT}, which is governed already; nothing is changed");
        return Some(blocked(message).at(&instance.file, None));
    }
    let line = &observed.service.command_line;
    // Of a wrapper nothing is known.
    line.program.as_ref().filter(|_| !desired.values.is_empty())?;
    let read = line.main.clone().unwrap_or_else(|| PathBuf::from(DEFAULT));
    let message = format!(
        "{} runs sshd with {}, not with this file, which the policy declares for it; nothing is \
         changed until the policy names the right one",
        instance.unit,
        read.display(),
    );
    (read != instance.file && read != real).then(|| blocked(message).at(&instance.file, None))
}

fn blocked(message: String) -> Problem {
    Problem::new(NAME, Severity::Blocked, message)
}

/// What is worth knowing of its unit.
pub(super) fn notice(observed: &Observed) -> Option<Problem> {
    let instance = observed.service.instance.as_ref().filter(|_| observed.live)?;
    let unknown = observed.service.kind == Kind::NotRunning && observed.service.unit.is_none();
    let message = format!(
        "{} is not a unit of this host's service manager: the file is kept as declared, and nothing \
         is reloaded",
        instance.unit
    );
    unknown.then(|| Problem::new(NAME, Severity::Notice, message))
}

/// The plan with the instance's unit in every row and problem.
pub fn named(mut plan: Plan<Change>, instance: &Instance) -> Plan<Change> {
    let unit = &instance.unit;
    for row in &mut plan.settings {
        row.context = format!("{unit}: {}", row.context);
    }
    for problem in &mut plan.problems {
        if !problem.message.starts_with(unit) {
            problem.message = format!("{unit}: {}", problem.message);
        }
    }
    plan
}
