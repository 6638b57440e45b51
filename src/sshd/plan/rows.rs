//! What `check` shows: a row for everybody, one for every population that a block treats apart,
//! and what stands in the way of the declared values.

use std::collections::BTreeMap;

use super::{NAME, place};
use crate::reconcile::{Problem, Setting, Severity, Value};
use crate::sshd::evaluate::{Effective, Evaluation};
use crate::sshd::tree::Tree;
use crate::sshd::{Desired, Keyword, MatchBlocks, Observed};

/// The context of the row for everybody else.
const GLOBAL: &str = "global";

/// Every declared keyword in every context, in the order of the files.
pub(super) fn settings(desired: &Desired, evaluation: &Evaluation) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (keyword, value) in &desired.values {
        for (context, effective) in contexts(*keyword, evaluation) {
            settings.push(Setting {
                resource: NAME,
                name: keyword.name(),
                context,
                desired: *value,
                effective: Some(effective.value),
                compliant: effective.value == *value,
                source: effective.source,
            });
        }
    }
    settings
}

fn contexts(keyword: Keyword, evaluation: &Evaluation) -> Vec<(String, Effective)> {
    let everybody = (GLOBAL.to_owned(), evaluation.global(keyword));
    let blocks = evaluation.populations(keyword).all().into_iter();
    let blocks = blocks.map(|(context, effective)| (context.to_string(), effective));
    std::iter::once(everybody).chain(blocks).collect()
}

/// What deviates even after our edits, and whose line to change.
pub(super) fn conflicts(
    desired: &Desired,
    observed: &Observed,
    outcome: &Evaluation,
    after: &Tree,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (keyword, value) in &desired.values {
        if let Some(preset) = beaten_by(&observed.preset, *keyword, *value, outcome) {
            problems.push(on_command_line(*keyword, preset, *value, observed));
        }
        for (context, effective) in contexts(*keyword, outcome) {
            let preset = observed.preset.get(keyword);
            if effective.value == *value || preset.is_some() && effective.source.is_none() {
                continue;
            }
            let why = why(&context, desired, observed, after);
            problems.push(deviation(*keyword, *value, &context, effective, &why));
        }
    }
    problems
}

/// The value on a command line that keeps a declared one from somebody. One that a block of ours
/// beats keeps it from nobody.
pub(super) fn beaten_by(
    presets: &BTreeMap<Keyword, Value>,
    keyword: Keyword,
    wanted: Value,
    outcome: &Evaluation,
) -> Option<Value> {
    let preset = *presets.get(&keyword)?;
    let decides = |effective: &Effective| effective.value != wanted && effective.source.is_none();
    contexts(keyword, outcome).iter().any(|(_, effective)| decides(effective)).then_some(preset)
}

fn on_command_line(keyword: Keyword, preset: Value, value: Value, seen: &Observed) -> Problem {
    let unit = seen.service.unit.as_deref().unwrap_or("sshd");
    let message = format!(
        "sshd is started with -o {name}={preset}, which beats every file; wanted {value}: remove it \
         from the options of {unit}",
        name = keyword.name(),
    );
    Problem::new(NAME, Severity::Conflict, message)
}

fn deviation(
    keyword: Keyword,
    value: Value,
    context: &str,
    effective: Effective,
    why: &str,
) -> Problem {
    let name = keyword.name();
    let whom = if context == GLOBAL { String::new() } else { format!(" for {context}") };
    let found = effective.value;
    match effective.source {
        Some(source) => {
            let message =
                format!("sets {name} {found}{whom}; wanted {value}. {why}: change this line");
            Problem::new(NAME, Severity::Conflict, message).at(source.file, Some(source.line))
        }
        None => {
            let message = format!("{name} is {found}{whom}; wanted {value}. {why}");
            Problem::new(NAME, Severity::Conflict, message)
        }
    }
}

fn why(context: &str, desired: &Desired, observed: &Observed, after: &Tree) -> String {
    let obstacle = place::obstacle(after, &observed.closed);
    if desired.match_blocks == MatchBlocks::Report && obstacle.is_none() {
        return "match_blocks = \"report\" leaves blocks as they are".to_owned();
    }
    match obstacle {
        Some(obstacle) => {
            format!("No drop-in wins, and {} is not edited: {obstacle}", after.main.display())
        }
        None if context == GLOBAL => "No place was found that wins".to_owned(),
        None => "This sshd has no way to beat a block from another file".to_owned(),
    }
}
