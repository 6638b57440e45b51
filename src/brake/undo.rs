//! Takes back what a change left, as far as it still is as the change left it.

use std::collections::BTreeMap;
use std::path::Path;

use super::trace::{Edit, Reader, Trace};
use crate::escape;
use crate::file_edit::FileEdit;
use crate::host::files::Node;
use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::reconcile::{Outcome, Plan, Resource};
use crate::ssh_client::SshClient;
use crate::sshd::Sshd;
use crate::sshd::install::Install;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::named::{self, Named};
use crate::sysctl::live::{Change, Live};
use crate::sysctl::{Desired, Key};

/// What became of it.
#[derive(Debug, Default)]
pub struct Undone {
    /// The steps.
    pub outcomes: Vec<Outcome>,
    /// What another process has changed since, and keeps.
    pub kept: Vec<String>,
}

impl Undone {
    /// Whether a step failed that may succeed later.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.outcomes.iter().any(Outcome::failed)
    }

    /// In one line: the steps that took effect.
    #[must_use]
    pub fn steps(&self) -> String {
        let done = self.outcomes.iter().filter(|outcome| outcome.took_effect());
        done.map(|outcome| outcome.action.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Whether anything is not as it was before.
///
/// # Errors
/// When a file can't be read.
pub fn stands(host: &Host, traces: &[Trace]) -> Result<bool, HostError> {
    for trace in traces {
        match trace {
            // Written at once, and hardly ever in vain.
            Trace::Value { .. } => return Ok(true),
            Trace::Files { edits, .. } => {
                for edit in edits {
                    if !matches!(state(host, &edit.back())?, State::AsBefore) {
                        return Ok(true);
                    }
                }
            }
        }
    }
    Ok(false)
}

/// Takes all of it back, the last change first. Done twice, it does nothing the second time. `again`
/// says that it was begun before, so that an sshd may not have taken up what has been put back.
#[must_use]
pub fn undo(host: &Host, traces: &[Trace], again: bool) -> Undone {
    let mut undone = Undone::default();
    for trace in traces.iter().rev() {
        match trace {
            Trace::Value { namespace: None, name, before, after } => {
                undo_value(host, name, *after, *before, &mut undone);
            }
            Trace::Value { namespace: Some(namespace), name, before, after } => {
                undo_named(host, namespace, name, *after, *before, &mut undone);
            }
            Trace::Files { reader, edits } => undo_files(host, reader, edits, again, &mut undone),
        }
    }
    undone
}

fn undo_value(host: &Host, name: &str, from: i64, to: i64, undone: &mut Undone) {
    let live = Live::default();
    let Some(key) = key(name) else { return };
    let Ok(observed) = live.observe(host) else { return };
    let found = observed.values.get(&key).and_then(|value| value.as_ref().ok().copied());
    if !is_ours(name, found, from, to, undone) {
        return;
    }
    let change = Change { key, from, to, put_back: false, withheld: None };
    let plan = Plan { changes: vec![change], ..Plan::default() };
    undone.outcomes.extend(locked(host, Live::LOCK, || live.apply(host, &plan)));
}

fn undo_named(host: &Host, namespace: &str, name: &str, from: i64, to: i64, undone: &mut Undone) {
    let named = Named::default();
    let Some(key) = key(name) else { return };
    let Ok(value) = u32::try_from(from) else { return };
    let desired = Desired { values: [(key, value)].into() };
    let Ok(observed) = named.observe_for(host, &desired) else { return };
    // A namespace that is gone took its values with it.
    let found = observed.value(namespace, key);
    if found.is_none() || !is_ours(&format!("{name} in netns {namespace}"), found, from, to, undone)
    {
        return;
    }
    let change = Change { key, from, to, put_back: false, withheld: None };
    let plan = Plan { changes: vec![named::Change::of(namespace, change)], ..Plan::default() };
    undone.outcomes.extend(locked(host, Named::LOCK, || named.apply(host, &plan)));
}

fn key(name: &str) -> Option<Key> {
    Key::ALL.into_iter().find(|key| key.name() == name)
}

/// Whether a value still is what we set; one that is as before needs nothing.
fn is_ours(name: &str, found: Option<i64>, ours: i64, before: i64, undone: &mut Undone) -> bool {
    if let Some(found) = found
        && found != ours
        && found != before
    {
        undone.kept.push(format!("{name} is {found} by now, neither {ours} nor {before}"));
    }
    found == Some(ours)
}

fn undo_files(host: &Host, reader: &Reader, edits: &[Edit], again: bool, undone: &mut Undone) {
    let mut back = Vec::new();
    for edit in edits.iter().rev().map(Edit::back) {
        match state(host, &edit) {
            Ok(State::Ours) => back.push(edit),
            Ok(State::AsBefore) => {}
            Ok(State::Others) => undone
                .kept
                .push(format!("{} was changed by another process since", escape::path(&edit.path))),
            Err(error) => {
                undone.outcomes.push(Outcome::of_look("look at a file", || Err(error)));
                return;
            }
        }
    }
    let outcomes = match reader {
        Reader::Boot => locked(host, Boot::LOCK, || plain(host, &back)),
        Reader::Ssh => locked(host, SshClient::LOCK, || plain(host, &back)),
        Reader::Sshd(_) if back.is_empty() && !again => Vec::new(),
        Reader::Sshd(instance) => {
            let sshd = Sshd { instance: instance.clone(), ..Sshd::default() };
            locked(host, Sshd::LOCK, || through_sshd(host, &sshd, back))
        }
    };
    undone.outcomes.extend(outcomes);
}

enum State {
    Ours,
    AsBefore,
    Others,
}

fn state(host: &Host, edit: &FileEdit) -> Result<State, HostError> {
    let found = match host.read_settled(&edit.path)? {
        Node::File(file) => Some(file.bytes),
        Node::Missing => None,
        _ => return Ok(State::Others),
    };
    Ok(match found {
        found if found == edit.before => State::Ours,
        found if found == edit.after => State::AsBefore,
        _ => State::Others,
    })
}

fn plain(host: &Host, edits: &[FileEdit]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for edit in edits {
        outcomes.push(Outcome::of(edit.action(), || edit.apply(host)));
        // The copy that was made for this change; not one from before an earlier one.
        let dropped = Originals::kept_copy(host, &edit.path).and_then(|copy| {
            let is_back = copy.is_some() && copy == edit.after;
            if is_back { Originals::drop_copy(host, &edit.path) } else { Ok(()) }
        });
        if let Err(error) = dropped {
            outcomes.push(Outcome::of_look("forget a kept copy", || Err(error)));
        }
    }
    outcomes
}

/// By the transaction that makes every change of sshd's files: judged by sshd before a byte is
/// written, loaded, verified, and recovered where sshd is lost.
fn through_sshd(host: &Host, sshd: &Sshd, edits: Vec<FileEdit>) -> Vec<Outcome> {
    let observed = match sshd.observe(host) {
        Ok(observed) => observed,
        Err(error) => return vec![Outcome::of_look("look at sshd", || Err(error))],
    };
    let load = observed.service.way().action();
    let change = if edits.is_empty() {
        // An undo was stopped between the files and the reload.
        let Some(load) = load else { return Vec::new() };
        crate::sshd::plan::Change::Reload { tree: observed.tree, load }
    } else {
        let mut candidate = observed.tree.clone();
        for edit in &edits {
            candidate.set(&edit.path, edit.after.as_deref());
        }
        let install = Install { edits, candidate, expect: BTreeMap::new(), reference: None };
        crate::sshd::plan::Change::Install { install, load }
    };
    sshd.apply(host, &Plan { changes: vec![change], ..Plan::default() })
}

fn locked(host: &Host, name: &str, steps: impl FnOnce() -> Vec<Outcome>) -> Vec<Outcome> {
    match host.lock(name) {
        Ok(_held) => steps(),
        Err(error) => vec![Outcome::of_look("take the lock", || Err(error))],
    }
}

/// Removes directories that were made, where nothing is in them.
pub fn remove_directories<'d>(host: &Host, made: impl Iterator<Item = &'d Path>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for directory in made.filter(|directory| host.exists(directory)) {
        if let Err(error) = host.remove_empty_directory(directory) {
            outcomes.push(Outcome::of_look("remove a directory", || Err(error)));
        }
    }
    outcomes
}
