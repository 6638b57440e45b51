//! What changes when sshd is started next: the options of a process are those that it was started
//! with, and its unit may have got others since. No event tells of it later, and the next start may
//! be the next boot.

use std::path::Path;

use super::{NAME, rows};
use crate::reconcile::{Problem, Severity, Value};
use crate::sshd::evaluate::evaluate;
use crate::sshd::tree::Tree;
use crate::sshd::{Desired, Keyword, Observed};

/// What the options of the next start take from the policy.
pub(super) fn conflicts(desired: &Desired, observed: &Observed, after: &Tree) -> Vec<Problem> {
    let service = &observed.service;
    let (Some(unit), Some(_)) = (&service.unit, &service.listener) else { return Vec::new() };
    let (now, then) = (&service.command_line, &service.at_start);
    // Of a wrapper nothing is known.
    if desired.values.is_empty() || now.program.is_none() || then.program.is_none() {
        return Vec::new();
    }
    if now.main != then.main {
        let file = then.main.as_deref().unwrap_or(Path::new("/etc/ssh/sshd_config"));
        return vec![conflict(format!(
            "{unit} will start sshd with {} the next time, and not with {}, which it runs with now: \
             whether the policy is in force there is looked at only then",
            file.display(),
            observed.tree.main.display(),
        ))];
    }
    let names: Vec<String> =
        service.option_files.iter().map(|file| file.display().to_string()).collect();
    let files = if names.is_empty() { String::new() } else { format!(" in {}", names.join(", ")) };
    let outcome = evaluate(after, &observed.preset_at_start, &observed.dialect);
    let deviates = |(keyword, wanted): (&Keyword, &Value)| {
        let preset = rows::beaten_by(&observed.preset_at_start, *keyword, *wanted, &outcome)?;
        (observed.preset.get(keyword) != Some(&preset)).then(|| {
            conflict(format!(
                "{unit} will start sshd with -o {name}={preset} the next time, which beats every \
                 file; wanted {wanted}: remove it from the options of {unit}{files}",
                name = keyword.name(),
            ))
        })
    };
    desired.values.iter().filter_map(deviates).collect()
}

fn conflict(message: String) -> Problem {
    Problem::new(NAME, Severity::Conflict, message)
}
