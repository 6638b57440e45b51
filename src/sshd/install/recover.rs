//! Back to what was before: the files, and an sshd that runs.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::load::Load;
use super::restless::Marks;
use crate::file_edit::FileEdit;
use crate::host::process::Process;
use crate::host::wait::wait_until;
use crate::host::{Host, HostError};
use crate::reconcile::{Outcome, micros};
use crate::sshd::lost;
use crate::sshd::service::state::UnitState;
use crate::sshd::service::{Kind, listener};

/// How often a start is tried: a port that the dying sshd still holds is free a moment later.
const ATTEMPTS: u32 = 3;

/// While another process keeps changing the files, starts that fail don't count, for so long.
const RESTLESS: Duration = Duration::from_secs(10);

/// How long a start waits for files that sshd accepts. Then the daemon goes on looking.
const ACCEPTANCE: Duration = Duration::from_secs(3);

/// How long a supervisor that is not systemd gets to start sshd again by itself.
const SUPERVISOR: Duration = Duration::from_secs(2);

/// sshd goes into the background at once when it is started by hand.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What is said where that failed.
pub const DOWN: &str = "sshd does NOT run, nobody can log in";

/// Takes the edits back, the last one first; one that fails does not stop the others.
pub fn undo(host: &Host, edits: &[FileEdit], outcomes: &mut Vec<Outcome>) {
    for edit in edits.iter().rev() {
        let action = format!("put back {}", edit.path.display());
        outcomes.push(Outcome::of(action, || edit.undo(host)));
    }
}

/// After sshd was lost: previous files, then a start. The last outcome tells the whole story.
pub fn recover(load: &Load<'_>, edits: &[FileEdit], outcomes: &mut Vec<Outcome>) {
    let start = Instant::now();
    let failed = outcomes.iter().rev().find(|outcome| outcome.failed());
    let cause = failed.map_or_else(String::new, |outcome| {
        format!("{}: {}", outcome.action, outcome.error.as_deref().unwrap_or_default())
    });
    // Before anything else is tried: none of that may come to its end.
    let recorded = lost::note(load.host, load.service, &cause).err();
    let first = outcomes.len();
    let others = load.changed();
    // Where another process broke a file at that moment, ours are not to blame, and sshd starts with
    // them once that file is whole.
    let mut running = others.as_ref().and_then(|_| start_again(load).ok()).map(Ok);
    if running.is_none() {
        undo(load.host, edits, outcomes);
    }
    let running = running.take().unwrap_or_else(|| start_again(load));
    let files: Vec<String> = outcomes
        .iter()
        .skip(first)
        .zip(edits.iter().rev())
        .map(|(outcome, edit)| match &outcome.error {
            None => format!("{} is as it was before", edit.path.display()),
            Some(error) => format!("{} is NOT as it was before: {error}", edit.path.display()),
        })
        .collect();
    let running = match running {
        Ok(process) => {
            // What can't be removed now is removed by the next look: sshd listens.
            let _ = lost::forget(load.host, load.service);
            format!("sshd runs again (process {})", process.pid)
        }
        Err(reason) => format!("{DOWN}: {reason}"),
    };
    let unrecorded = recorded.map(|error| format!("that could not be recorded: {error}"));
    let changed = others
        .as_ref()
        .map(|path| format!("another process changed {} at that moment", path.display()));
    let story: Vec<String> = std::iter::once(cause)
        .chain(changed)
        .chain(unrecorded)
        .chain(files)
        .chain([running])
        .collect();
    let action = if others.is_some() { super::RECOVERY_FROM_OTHERS } else { super::RECOVERY };
    outcomes.push(Outcome {
        action: action.to_owned(),
        error: Some(story.join("; ")),
        micros: micros(start.elapsed()),
        changed: true,
        put_off: false,
    });
}

fn start_again(load: &Load<'_>) -> Result<Process, String> {
    await_acceptance(load)?;
    match (load.service.kind, &load.service.unit) {
        (Kind::Plain | Kind::SocketActive, Some(unit)) => start_unit(load, unit),
        _ => start_process(load).map_err(|error| error.to_string()),
    }
}

/// Starts the unit of an sshd that was lost, and forgets that once it listens.
pub fn start_lost(load: &Load<'_>, unit: &str) -> Result<(), String> {
    start_unit(load, unit)?;
    let _ = lost::forget(load.host, load.service);
    Ok(())
}

fn start_unit(load: &Load<'_>, unit: &str) -> Result<Process, String> {
    let mut reason = String::new();
    start_socket(load.host, unit);
    let deadline = Instant::now() + RESTLESS;
    let mut attempts = 0;
    while attempts < ATTEMPTS {
        let before = Marks::of(load.host, load.tree);
        // A unit that failed too often in a short time is not started before this; one that did
        // not fail makes it an error without meaning.
        let _ = load.host.unit_job("reset-failed", unit);
        // An sshd that runs but does not listen must go first. Sessions have processes of their
        // own, but not every unit spares them.
        let verb = if load.service.sessions_survive_restart || waits(load.host, unit) {
            "restart"
        } else {
            "start"
        };
        if let Err(error) = load.host.unit_job(verb, unit) {
            reason = error.to_string();
            attempts += 1;
            continue;
        }
        match load.await_start(unit).and_then(|process| load.verify(process)) {
            Ok(loaded) => return Ok(loaded.listener),
            Err(failure) => reason = failure.reason,
        }
        let changed = Marks::of(load.host, load.tree).changed_since(&before).is_some();
        if changed && Instant::now() < deadline {
            // A file was broken at that moment: no fault of the start.
            await_acceptance(load)?;
        } else {
            attempts += 1;
        }
    }
    Err(reason)
}

/// Waits a while for files that sshd accepts: what another process broke it may be about to mend.
fn await_acceptance(load: &Load<'_>) -> Result<(), String> {
    let mut refused: Option<(Marks, String)> = None;
    let accepted = wait_until(ACCEPTANCE, || {
        let marks = Marks::of(load.host, load.tree);
        if refused.as_ref().is_some_and(|(before, _)| marks.changed_since(before).is_none()) {
            return None;
        }
        match super::judged_now(load) {
            Ok(()) => Some(()),
            Err(reason) => {
                refused = Some((marks, reason));
                None
            }
        }
    });
    match (accepted, refused) {
        (None, Some((_, reason))) => {
            Err(format!("it is started once sshd accepts its files: {reason}"))
        }
        _ => Ok(()),
    }
}

/// Whether systemd waits to start it (`RestartSec=`): `start` would wait as long. No session is left
/// that a restart would end: a unit that does not spare them has ended them when sshd ended.
fn waits(host: &Host, unit: &str) -> bool {
    UnitState::ask(host, unit).is_ok_and(|state| state.waits_for_restart())
}

/// A socket fails with its service, when that fails too often in a short time.
fn start_socket(host: &Host, unit: &str) {
    let socket = format!("{}.socket", unit.strip_suffix(".service").unwrap_or(unit));
    if UnitState::ask(host, &socket).is_ok_and(|state| state.active == "failed") {
        let _ = host.unit_job("reset-failed", unit);
        let _ = host.unit_job("reset-failed", &socket);
        let _ = host.unit_job("start", &socket);
    }
}

/// Without a service manager: whoever started sshd may do so again; else we do.
fn start_process(load: &Load<'_>) -> Result<Process, HostError> {
    let pid_files = load.pid_files();
    if let Some((process, _)) = wait_until(SUPERVISOR, || listener::find(&pid_files)) {
        return Ok(process);
    }
    let line = &load.service.command_line;
    let found =
        load.service.program.find().and_then(|found| found.ok_or("none is installed".into()));
    let program = found.map_err(|why| HostError {
        path: "sshd".into(),
        action: "cannot be started again",
        source: std::io::Error::other(why),
    })?;
    let mut arguments = line.options.clone();
    if let Some(main) = &line.main {
        arguments.extend([OsString::from("-f"), main.into()]);
    }
    let output = program.run_daemon(arguments, START_LIMIT)?;
    let failed = |reason: String| HostError {
        path: program.path().to_owned(),
        action: "cannot be started again",
        source: std::io::Error::other(reason),
    };
    if !output.success() {
        return Err(failed(output.complaint()));
    }
    wait_until(SUPERVISOR, || listener::find(&pid_files))
        .map(|(process, _)| process)
        .ok_or_else(|| failed("it ended at once".to_owned()))
}
