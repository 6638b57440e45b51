//! A changed configuration goes live, or everything is as it was before.
//!
//! Judged by the real sshd before a byte is written and again as it stands on disk; then loaded in
//! the way that this service survives, and looked at afterwards. Whatever fails on the way leads
//! back to the previous files and, if need be, a started sshd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Keyword;
use super::judge::{Complaint, Connection, Dump, Verdict, example, judge_for};
use super::lost;
use super::service::{Kind, Service};
use super::tree::{Tree, snapshot};
use crate::file_edit::FileEdit;
use crate::host::{Host, HostError};
use crate::reconcile::{Outcome, Value};

pub mod banner;
mod exchange;
mod load;
mod recover;
mod restarts;
pub mod restless;

#[cfg(test)]
mod tests;

use load::{Health, Load};
use restless::Marks;

/// Edits that belong together, and what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The edits, in the order in which they are written.
    pub edits: Vec<FileEdit>,
    /// The whole tree with the edits done: what sshd judges beforehand.
    pub candidate: Tree,
    /// The values that must come out of it for the connection that sshd is asked
    /// about; on 8.1 and later that is one that meets no block.
    pub expect: BTreeMap<Keyword, Value>,
    /// What everything else must stay as, where sshd refuses the tree as it stands because of a
    /// file of ours: the same tree without it.
    pub reference: Option<Tree>,
}

/// Writes the edits and makes new connections use them, or leaves everything as it was.
///
/// The caller holds the lock. On a host that is not live the edits are judged and written only.
#[must_use]
pub fn install(host: &Host, install: &Install, service: &Service) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let transaction = Transaction { host, install, service, before: install.before() };
    transaction.run(&mut outcomes);
    outcomes
}

/// Makes new connections use what is on disk already, if sshd accepts it: read anew from the main
/// file of `tree`, since it may have changed after `tree` was seen.
#[must_use]
pub fn reload(host: &Host, service: &Service, tree: &Tree) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut judged = None;
    outcomes.push(Outcome::of_look("have sshd judge what is on disk now", || {
        let tree = on_disk(host, &tree.main, service)?;
        let marks = Marks::of(host, &tree);
        judged = accepted(host, &tree, service)?.map(|dump| Judged { tree, dump, marks });
        Ok::<_, Refusal>(())
    }));
    let Some(judged) = judged else { return outcomes };
    let Some(Judged { tree, dump, marks }) = settled(host, service, judged, &[], &mut outcomes)
    else {
        return outcomes;
    };
    let service = &service.clone().with_endangered(host, &tree, &dump).with_view(host, &tree);
    let load = Load { host, service, tree: &tree, dump: &dump, marks: &marks };
    if load.run(&mut outcomes) == Health::Lost {
        recover::recover(&load, &[], &mut outcomes);
    }
    outcomes
}

/// Files that sshd accepts.
#[derive(Debug)]
struct Judged {
    tree: Tree,
    /// What sshd says about it.
    dump: Dump,
    /// The files as they were when sshd was asked.
    marks: Marks,
}

/// What sshd accepts, once no other process has changed it for a while; what was changed meanwhile is
/// judged again. `None` where that does not come to an end, or sshd refuses it by now.
fn settled(
    host: &Host,
    service: &Service,
    mut judged: Judged,
    ours: &[&Path],
    outcomes: &mut Vec<Outcome>,
) -> Option<Judged> {
    for _ in 0..JUDGEMENTS {
        let restless =
            match restless::wait(host, &judged.tree, &judged.marks, ours, service.restless) {
                Ok(true) => return Some(judged),
                Ok(false) => None,
                Err(path) => Some(path),
            };
        if let Some(path) = restless {
            outcomes.push(put_off(path));
            return None;
        }
        let again = Outcome::of_look("have sshd judge what was changed meanwhile", || {
            let tree = on_disk(host, &judged.tree.main, service)?;
            let marks = Marks::of(host, &tree);
            if let Some(dump) = accepted(host, &tree, service)? {
                judged = Judged { tree, dump, marks };
            }
            Ok::<_, Refusal>(())
        });
        let failed = again.failed();
        outcomes.push(again);
        if failed {
            return None;
        }
    }
    outcomes.push(put_off(judged.tree.main));
    None
}

/// What another process is at work on is loaded later.
fn put_off(path: PathBuf) -> Outcome {
    let action = "load the configuration now";
    Outcome { put_off: true, ..Outcome::of_look(action, || Err(Refusal::Restless(path))) }
}

/// How often what another process changes is judged again in one pass.
const JUDGEMENTS: usize = 4;

/// The action of the outcome that tells of an sshd that was lost.
pub const RECOVERY: &str = "recover sshd";

/// The same, where another process changed its files at that moment: our change is not to blame.
pub const RECOVERY_FROM_OTHERS: &str = "recover sshd from what another process changed";

/// What that outcome tells, if sshd was lost.
#[must_use]
pub fn recovery(outcomes: &[Outcome]) -> Option<&str> {
    let is_recovery =
        |outcome: &&Outcome| [RECOVERY, RECOVERY_FROM_OTHERS].contains(&outcome.action.as_str());
    outcomes.iter().find(is_recovery)?.error.as_deref()
}

/// The same, if sshd was lost by the change itself.
#[must_use]
pub fn fatal(outcomes: &[Outcome]) -> Option<&str> {
    outcomes.iter().find(|outcome| outcome.action == RECOVERY)?.error.as_deref()
}

/// Why nothing is done.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// sshd could not be asked.
    #[error(transparent)]
    Unasked(#[from] HostError),
    /// sshd refuses, in its own words.
    #[error("sshd refuses it: {0}")]
    Refused(String),
    /// It may not be whole.
    #[error("{path} is open for writing", path = .0.display())]
    BeingWritten(PathBuf),
    /// It does not come to rest.
    #[error(
        "another process changes {path} again and again; sshd is not reloaded until that has been \
         left alone for a second",
        path = .0.display()
    )]
    Restless(PathBuf),
    /// sshd accepts it, with other values than meant.
    #[error("not what was meant: {0}")]
    Other(String),
}

/// Whether sshd was lost and did not come back.
#[must_use]
pub fn is_down(outcomes: &[Outcome]) -> bool {
    recovery(outcomes).is_some_and(|story| story.contains(recover::DOWN))
}

/// Starts the unit that a reload or restart of ours ended, if sshd accepts what is on disk.
#[must_use]
pub fn start(host: &Host, service: &Service, unit: &str, tree: &Tree) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut judged = None;
    outcomes.push(Outcome::of_look("have sshd judge what is on disk now", || {
        let tree = snapshot::read(host, &tree.main, &[], &service.dialect)?.tree;
        let dump = accepted(host, &tree, service)?.unwrap_or_default();
        judged = Some((tree, dump));
        Ok::<_, Refusal>(())
    }));
    let Some((tree, dump)) = judged else { return outcomes };
    let listening = service.listening(host, &tree, Some(&dump));
    if service.kind == Kind::Plain && listening.is_some_and(|found| found.listens) {
        // Another process, or the service manager, was quicker.
        let _ = lost::forget(host, service);
        return outcomes;
    }
    let load = Load { host, service, tree: &tree, dump: &dump, marks: &Marks::of(host, &tree) };
    outcomes.push(Outcome::of(format!("start {unit}"), || recover::start_lost(&load, unit)));
    outcomes
}

struct Transaction<'a> {
    host: &'a Host,
    install: &'a Install,
    service: &'a Service,
    before: Tree,
}

impl Transaction<'_> {
    fn run(&self, outcomes: &mut Vec<Outcome>) {
        outcomes.push(Outcome::of_look("have sshd judge the changed configuration", || {
            self.judge_candidate()
        }));
        if outcomes.iter().any(Outcome::failed) || !self.write(outcomes) {
            return;
        }
        let mut on_disk = None;
        let judged = Outcome::of_look("have sshd judge what is on disk now", || {
            on_disk = self.judge_disk()?;
            Ok::<_, Refusal>(())
        });
        let failed = judged.failed();
        outcomes.push(judged);
        if failed {
            return recover::undo(self.host, &self.install.edits, outcomes);
        }
        if let Some(judged) = on_disk.filter(|_| self.host.is_live()) {
            self.load(judged, outcomes);
        }
    }

    fn load(&self, judged: Judged, outcomes: &mut Vec<Outcome>) {
        // Somebody may have started sshd since it was looked at: before our edits, perhaps.
        let started = matches!(self.service.kind, Kind::SocketIdle | Kind::NotRunning)
            .then(|| self.service.observe_again(self.host).ok())
            .flatten();
        let service = started.unwrap_or_else(|| self.service.clone());
        let ours: Vec<&Path> = self.install.edits.iter().map(|edit| edit.path.as_path()).collect();
        // Where nothing is loaded nothing is waited for.
        let known = |judged: &Judged| {
            let service = service.clone();
            let service = service.with_endangered(self.host, &judged.tree, &judged.dump);
            service.with_view(self.host, &judged.tree)
        };
        let service = known(&judged);
        let settled = match service.way().action() {
            Some(_) => settled(self.host, &service, judged, &ours, outcomes),
            None => Some(judged),
        };
        // The edits stay: sshd has accepted them, and they are loaded once that is safe.
        let Some(judged) = settled else { return };
        let service = &known(&judged);
        let Judged { tree, dump, marks } = judged;
        let load = Load { host: self.host, service, tree: &tree, dump: &dump, marks: &marks };
        match load.run(outcomes) {
            Health::Good | Health::Unconfirmed => {}
            Health::Unchanged => recover::undo(self.host, &self.install.edits, outcomes),
            Health::Lost => recover::recover(&load, &self.install.edits, outcomes),
        }
    }

    /// Accepted, with the values that were meant and no other keyword changed.
    fn judge_candidate(&self) -> Result<(), Refusal> {
        let before = self.install.reference.as_ref().unwrap_or(&self.before);
        let candidate = &self.install.candidate;
        let was = accepted(self.host, before, self.service)?;
        let Some(was) = was else { return Ok(()) };
        let Some(will_be) = accepted(self.host, candidate, self.service)? else { return Ok(()) };
        unchanged("", &was, &will_be)?;
        self.meets(&will_be)?;
        self.spares_blocks(before)
    }

    /// The same for whom the blocks are about. What can't be asked about one of these says nothing.
    fn spares_blocks(&self, before: &Tree) -> Result<(), Refusal> {
        let (candidate, daemon) = (&self.install.candidate, self.service.daemon());
        let mut connections = example::connections(before, &self.service.dialect);
        let others = example::connections(candidate, &self.service.dialect);
        connections.extend(
            others.into_iter().filter(|one| !connections.contains(one)).collect::<Vec<_>>(),
        );
        if connections.is_empty() {
            return Ok(());
        }
        let ask = |tree| judge_for(self.host, tree, daemon, &connections);
        let (Ok(was), Ok(will_be)) = (ask(before), ask(candidate)) else { return Ok(()) };
        for (connection, verdicts) in connections.iter().zip(was.into_iter().zip(will_be)) {
            match verdicts {
                (Verdict::Accepted(was), Verdict::Accepted(will_be)) => {
                    unchanged(&format!(" for {connection}"), &was, &will_be)?;
                }
                (Verdict::Accepted(_), Verdict::Refused(complaints)) => {
                    return Err(Refusal::Refused(format!(
                        "{} for {connection}",
                        joined(&complaints)
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Transaction<'_> {
    fn meets(&self, dump: &Dump) -> Result<(), Refusal> {
        let missed: Vec<String> = self
            .install
            .expect
            .iter()
            .filter(|(keyword, value)| dump.value(**keyword) != Some(**value))
            .map(|(keyword, value)| {
                let got = dump.value(*keyword).map_or("nothing".to_owned(), |got| got.to_string());
                format!("{} would be {got}, not {value}", keyword.name())
            })
            .collect();
        if missed.is_empty() { Ok(()) } else { Err(Refusal::Other(missed.join("; "))) }
    }

    /// Does the edits; when one fails, takes the earlier ones back. Gives whether all are done.
    fn write(&self, outcomes: &mut Vec<Outcome>) -> bool {
        for (done, edit) in self.install.edits.iter().enumerate() {
            let written = Outcome::of(edit.action(), || edit.apply(self.host));
            let failed = written.failed();
            outcomes.push(written);
            if failed {
                let earlier = self.install.edits.get(..done).unwrap_or_default();
                recover::undo(self.host, earlier, outcomes);
                return false;
            }
        }
        true
    }

    /// What is really there may not be what was judged: somebody else may have written meanwhile.
    fn judge_disk(&self) -> Result<Option<Judged>, Refusal> {
        let tree = on_disk(self.host, &self.install.candidate.main, self.service)?;
        let marks = Marks::of(self.host, &tree);
        let Some(dump) = accepted(self.host, &tree, self.service)? else { return Ok(None) };
        self.meets(&dump)?;
        Ok(Some(Judged { tree, dump, marks }))
    }
}

impl Install {
    /// The candidate with the edits taken back.
    fn before(&self) -> Tree {
        let mut tree = self.candidate.clone();
        for edit in self.edits.iter().rev() {
            tree.set(&edit.path, edit.before.as_deref());
        }
        tree
    }
}

fn joined(complaints: &[Complaint]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn unchanged(whom: &str, was: &Dump, will_be: &Dump) -> Result<(), Refusal> {
    let foreign = was.foreign_changes(will_be);
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Refusal::Other(format!("it would change {}{whom}", foreign.join("; "))))
}

/// sshd's values for a tree that it accepts; `None` where there is no sshd that could run it.
fn accepted(host: &Host, tree: &Tree, service: &Service) -> Result<Option<Dump>, Refusal> {
    let verdicts = judge_for(host, tree, service.daemon(), &[Connection::default()])?;
    match verdicts.into_iter().next() {
        Some(Verdict::Accepted(dump)) => Ok(Some(dump)),
        Some(Verdict::Refused(complaints)) => Err(Refusal::Refused(joined(&complaints))),
        Some(Verdict::Unasked(why)) => Err(Refusal::Other(why)),
        Some(Verdict::NoSshd) | None => match &service.listener {
            Some(_) => Err(Refusal::Other("sshd runs, but its program is not found".to_owned())),
            None => Ok(None),
        },
    }
}

/// Whether sshd accepts what is on disk now, written to or not.
fn judged_now(load: &Load<'_>) -> Result<(), String> {
    let now = || {
        let tree = snapshot::read(load.host, &load.tree.main, &[], &load.service.dialect)?.tree;
        accepted(load.host, &tree, load.service)
    };
    match now() {
        // What can't be asked keeps no sshd from being started.
        Err(Refusal::Refused(reason)) => Err(reason),
        _ => Ok(()),
    }
}

/// What sshd would read now.
fn on_disk(host: &Host, main: &Path, service: &Service) -> Result<Tree, Refusal> {
    let snapshot = snapshot::read(host, main, &[], &service.dialect)?;
    match snapshot.being_written.into_iter().next() {
        Some(path) => Err(Refusal::BeingWritten(path)),
        None => Ok(snapshot.tree),
    }
}
