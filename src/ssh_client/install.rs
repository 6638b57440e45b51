//! A changed configuration goes live, or everything is as it was before. ssh reads its files at
//! every start: nothing has to be reloaded.

use std::path::Path;

use super::evaluate::{Destination, read};
use super::judge::{self, NOBODY, Verdict, judge};
use super::modes::Mode;
use super::place::own_paths;
use super::plan::Change;
use super::tree::Tree;
use super::{Keyword, SshClient, Whose, snapshot};
use crate::file_edit::FileEdit;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::reconcile::Outcome;
use crate::sshd::judge::Dump;

/// Why nothing is done.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// ssh could not be asked.
    #[error(transparent)]
    Unasked(#[from] HostError),
    /// ssh refuses, in its own words.
    #[error("ssh refuses it: {0}")]
    Refused(String),
    /// Something else would come of it.
    #[error("not what was meant: {0}")]
    Other(String),
}

/// Why ssh was not asked.
struct Unjudged(String);

/// Judges, writes, and looks whether ssh takes what is on disk then; else takes it back.
#[must_use]
pub fn install(host: &Host, client: &SshClient, change: &Change) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    outcomes.push(looked(
        "have ssh judge the changed configuration",
        "the changed configuration",
        || judge_candidate(host, change),
    ));
    if outcomes.iter().any(Outcome::failed) {
        return outcomes;
    }
    for (done, mode) in change.modes.iter().enumerate() {
        let changed = Outcome::of(mode.to_string(), || mode.apply(host));
        let failed = changed.failed();
        outcomes.push(changed);
        if failed {
            undo_modes(host, change.modes.get(..done).unwrap_or_default(), &mut outcomes);
            return outcomes;
        }
    }
    for (done, edit) in change.edits.iter().enumerate() {
        let written = Outcome::of(edit.action(), || write(host, client, edit));
        let failed = written.failed();
        outcomes.push(written);
        if failed {
            undo(host, change.edits.get(..done).unwrap_or_default(), &mut outcomes);
            undo_modes(host, &change.modes, &mut outcomes);
            return outcomes;
        }
    }
    let judged = looked("have ssh judge what is on disk now", "what is on disk now", || {
        judge_disk(host, client, change)
    });
    let failed = judged.failed();
    outcomes.push(judged);
    if failed {
        undo(host, &change.edits, &mut outcomes);
        undo_modes(host, &change.modes, &mut outcomes);
    } else {
        forget_copies(host, change, &mut outcomes);
    }
    outcomes
}

/// The outcome of a look, which names what was really done: ssh is not there, or can't be asked.
fn looked(
    action: &str,
    what: &str,
    look: impl FnOnce() -> Result<Option<Unjudged>, Refusal>,
) -> Outcome {
    let mut unjudged = None;
    let mut outcome = Outcome::of_look(action, || {
        unjudged = look()?;
        Ok::<(), Refusal>(())
    });
    if let Some(Unjudged(reason)) = unjudged {
        outcome.action = format!("compute {what}, which ssh did not judge ({reason})");
    }
    outcome
}

/// Accepted, with the values that were meant and no other keyword changed; or why ssh was not asked.
fn judge_candidate(host: &Host, change: &Change) -> Result<Option<Unjudged>, Refusal> {
    let after = match accepted(host, &change.candidate)? {
        Ok(after) => after,
        Err(unjudged) => return Ok(Some(unjudged)),
    };
    // A tree that is refused because of a file of ours has nothing to compare with.
    let before = accepted(host, &change.before).ok().and_then(Result::ok);
    let changed = |(before, after): (&Dump, &Dump)| judge::others(before) != judge::others(after);
    if before.iter().flatten().zip(&after).any(changed) {
        return Err(Refusal::Other("it would change other settings too".to_owned()));
    }
    meets(change, &after).map(|()| None)
}

fn meets(change: &Change, dumps: &[Dump]) -> Result<(), Refusal> {
    let reading = read(&change.candidate, &judge::dialect()?).as_judged();
    let nobody = reading.values_for(&Destination::new(NOBODY.as_bytes(), None));
    let Some(dump) = dumps.first() else { return Ok(()) };
    for keyword in Keyword::ALL {
        let wanted = nobody.get(&keyword).cloned().flatten().map(|effective| effective.value);
        let got = judge::value(dump, keyword);
        if let (Some(wanted), Some(got)) = (wanted, got)
            && wanted != got
        {
            let name = keyword.name();
            return Err(Refusal::Other(format!("{name} would be {got}, not {wanted}")));
        }
    }
    Ok(())
}

/// What ssh prints for a tree that it accepts, or why it was not asked.
fn accepted(host: &Host, tree: &Tree) -> Result<Result<Vec<Dump>, Unjudged>, Refusal> {
    let reading = read(tree, &judge::dialect()?);
    let names = sample(&reading);
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    match judge(host, tree, &reading, &hosts)? {
        Verdict::Accepted(dumps) => Ok(Ok(dumps)),
        Verdict::Unasked(reason) => Ok(Err(Unjudged(reason))),
        Verdict::NoSsh => Ok(Err(Unjudged("there is none on this machine".to_owned()))),
        Verdict::Refused(complaints) => {
            let words: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            Err(Refusal::Refused(words.join("; ")))
        }
    }
}

/// Hosts to ask about: one that no block is meant for, and some that blocks are meant for.
fn sample(reading: &super::evaluate::Reading) -> Vec<String> {
    const ENOUGH: usize = 8;
    let literal = |text: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        let usable = !text.is_empty() && text.iter().all(plain) && !text.starts_with(b"-");
        usable.then(|| String::from_utf8_lossy(text).into_owned())
    };
    let mut names = vec![NOBODY.to_owned()];
    for block in &reading.blocks {
        if let super::condition::Condition::Host(patterns) = &block.condition {
            names.extend(patterns.iter().filter_map(|pattern| literal(&pattern.text)).take(1));
        }
    }
    names.dedup();
    names.truncate(ENOUGH);
    names
}

fn write(host: &Host, client: &SshClient, edit: &FileEdit) -> Result<(), HostError> {
    let parent = edit.path.parent().unwrap_or(Path::new("/"));
    if edit.foreign && own_paths().contains(&edit.path) {
        // It is what comes back, not one that was there before it.
        Originals::drop_copy(host, &edit.path)?;
    }
    match (&client.whose, &edit.before, &edit.after) {
        (Whose::Everybodys, None, _) => {
            host.make_directory(parent, 0o755)?;
            edit.apply(host)
        }
        // A user's own files are nobody else's business.
        (Whose::Users(_), None, Some(after)) => {
            host.make_directory(parent, 0o700)?;
            host.replace(&edit.path, Expect::Absent { mode: 0o600 }, after)
        }
        _ => edit.apply(host),
    }
}

/// What is really there may not be what was judged: somebody else may have written meanwhile.
fn judge_disk(
    host: &Host,
    client: &SshClient,
    change: &Change,
) -> Result<Option<Unjudged>, Refusal> {
    let found = snapshot::read(host, &client.scope(host)?, &judge::dialect()?)?;
    match accepted(host, &found.tree)? {
        Ok(dumps) => meets(change, &dumps).map(|()| None),
        Err(unjudged) => Ok(Some(unjudged)),
    }
}

fn undo(host: &Host, edits: &[FileEdit], outcomes: &mut Vec<Outcome>) {
    for edit in edits.iter().rev() {
        let action = format!("put back {}", edit.path.display());
        outcomes.push(Outcome::of(action, || edit.undo(host)));
    }
}

fn undo_modes(host: &Host, modes: &[Mode], outcomes: &mut Vec<Outcome>) {
    for mode in modes.iter().rev() {
        let action = format!("put back the mode of {}", mode.path.display());
        outcomes.push(Outcome::of(action, || mode.undo(host)));
    }
}

/// Copies of what has been put back.
fn forget_copies(host: &Host, change: &Change, outcomes: &mut Vec<Outcome>) {
    for edit in &change.edits {
        let dropped = Originals::kept_copy(host, &edit.path).and_then(|copy| {
            let restored = copy.is_some() && copy == edit.after;
            if restored { Originals::drop_copy(host, &edit.path) } else { Ok(()) }
        });
        if let Err(error) = dropped {
            outcomes.push(Outcome::of("forget a kept copy", || Err(error)));
        }
    }
}
