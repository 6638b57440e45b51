//! A change that waits to be confirmed. What it takes to undo it is on the disk before anything is
//! changed, and what undoes it is on its way: neither needs the process that makes the change.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::span::Span;
use super::trace::Trace;
use super::undo::{self, Undone};
use super::who::Who;
use super::{Brake, LOCK, Pause, alarm, login};
use crate::host::clock::{self, Moment};
use crate::host::lock::WriteLock;
use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::record::{self, Found, Record, Rest};

const FILE: &str = "unconfirmed.json";

/// The record, as `unconfirmed.json` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// How long it waits: from its beginning, and once it is complete from then on.
    pub span: Span,
    /// When it was complete; `None` where that never came.
    pub finished: Option<Moment>,
    /// Who made it.
    #[serde(default)]
    pub who: Who,
    /// What was changed, in this order.
    pub traces: Vec<Trace>,
    /// Directories that were not there.
    #[serde(default)]
    pub directories: Vec<PathBuf>,
    /// What was recorded as the state before the policy; `None` where nothing was.
    pub originals: Option<Originals>,
    /// What undoes it when its time is over.
    #[serde(default)]
    pub alarm: Alarm,
    /// Whether it has begun to be undone.
    #[serde(default)]
    pub undoing: bool,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Unconfirmed {
    const VERSION: u64 = 1;

    /// The files of sshd and ssh twice.
    const MAX_SIZE: u64 = 256 << 20;

    /// Files may hold what only root reads.
    const MODE: u32 = 0o600;

    fn check(&self) -> Result<(), String> {
        match self.span.seconds {
            ..=super::LONGEST_TRIAL => Ok(()),
            seconds => Err(format!("a change that waits for {seconds} s, more than an hour")),
        }
    }
}

impl Unconfirmed {
    /// What is left of its time; zero in another boot, since a reboot ends every login.
    #[must_use]
    pub fn left(&self, now: &Moment) -> Duration {
        match self.span.from.same_boot(now) {
            true => self.span.left(now, clock::up()),
            false => Duration::ZERO,
        }
    }
}

pub(super) fn path(host: &Host) -> PathBuf {
    host.state_dir().join(FILE)
}

pub(super) fn look(host: &Host) -> Brake {
    let path = path(host);
    if !host.exists(&path) && !host.is_link(&path) {
        return Brake::Off;
    }
    match record::read::<Unconfirmed>(host, &path) {
        Ok(Found::Absent) => Brake::Off,
        Ok(Found::Known(record)) => {
            let left = record.left(&Moment::now());
            Brake::Awaiting { span: Some(record.span), who: record.who, left }
        }
        Ok(Found::Unusable(unusable)) => Brake::Damaged(unusable.to_string()),
        Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
            Brake::Awaiting { span: None, who: Who::default(), left: Duration::ZERO }
        }
        Err(error) => Brake::Damaged(error.to_string()),
    }
}

/// A record that can't be used is kept under another name.
pub(super) fn set_aside(host: &Host) -> Result<(), HostError> {
    if let Found::Unusable(unusable) = record::read::<Unconfirmed>(host, &path(host))? {
        record::keep_aside(host, unusable)?;
    }
    Ok(())
}

/// A change that is being made.
#[derive(Debug)]
pub struct Trial<'h> {
    host: &'h Host,
    record: Unconfirmed,
    _held: WriteLock,
}

impl<'h> Trial<'h> {
    /// Writes the record and sets the alarm that undoes what is recorded in it. No correction is made
    /// by the daemon from here on.
    ///
    /// # Errors
    /// When one of both can't be had; nothing may be changed then.
    pub fn begin(host: &'h Host, seconds: u32, who: Who) -> Result<Self, HostError> {
        let held = host.lock(LOCK)?;
        if host.exists(&path(host)) {
            let waits = std::io::Error::other("another change waits to be confirmed");
            return Err(HostError { path: path(host), action: "refused", source: waits });
        }
        let originals = match Originals::load(host)? {
            Found::Known(originals) => Some(originals),
            Found::Absent | Found::Unusable(_) => None,
        };
        let mut record = Unconfirmed {
            span: Span { from: Moment::now(), seconds: u64::from(seconds) },
            finished: None,
            who,
            traces: Vec::new(),
            directories: Vec::new(),
            originals,
            alarm: Alarm::default(),
            undoing: false,
            rest: Rest::new(),
        };
        record::write(host, &path(host), &record)?;
        match alarm::set(host, seconds) {
            Ok(alarm) => record.alarm = alarm,
            Err(error) => {
                record::remove::<Unconfirmed>(host, &path(host))?;
                return Err(error);
            }
        }
        let trial = Self { host, record, _held: held };
        trial.save()?;
        Ok(trial)
    }

    /// Records what is about to be changed.
    ///
    /// # Errors
    /// When it can't be recorded: it must not be changed then.
    pub fn record(&mut self, traces: Vec<Trace>) -> Result<(), HostError> {
        if traces.is_empty() {
            return Ok(());
        }
        for trace in &traces {
            let Trace::Files { edits, .. } = trace else { continue };
            for directory in edits.iter().filter_map(|edit| edit.file.parent()) {
                if !self.host.exists(directory) {
                    self.record.directories.push(directory.to_owned());
                }
            }
        }
        self.record.traces.extend(traces);
        self.save()
    }

    /// The change is complete: from now on its time runs. `None` when there is nothing to confirm.
    ///
    /// # Errors
    /// When the record can't be written: the change is undone when the time is over that was given
    /// at its beginning.
    pub fn finish(mut self) -> Result<Option<Unconfirmed>, HostError> {
        if !undo::stands(self.host, &self.record.traces)? {
            drop_record(self.host, &self.record)?;
            return Ok(None);
        }
        let now = Moment::now();
        self.record.span.from = now.clone();
        self.record.finished = Some(now);
        self.save()?;
        Ok(Some(self.record))
    }

    fn save(&self) -> Result<(), HostError> {
        record::write(self.host, &path(self.host), &self.record).map(drop)
    }
}

/// What became of a wish to confirm.
#[derive(Debug)]
pub enum Confirmed {
    /// It stays.
    Stays,
    /// There is nothing to confirm.
    Nothing,
    /// Its time was over: it is undone.
    TooLate(Undone),
    /// Not from here, and why.
    Refused(String),
}

/// Keeps the change, if the caller's login is newer.
///
/// # Errors
/// When the record can't be used or removed.
pub fn confirm(host: &Host) -> Result<Confirmed, HostError> {
    let _held = host.lock(LOCK)?;
    let Some(record) = load(host)? else { return Ok(Confirmed::Nothing) };
    if record.left(&Moment::now()).is_zero() {
        return take_back(host, record).map(Confirmed::TooLate);
    }
    let Some(finished) = &record.finished else {
        let interrupted = "the change was interrupted, and will be undone when its time is over";
        return Ok(Confirmed::Refused(interrupted.to_owned()));
    };
    if let Err(why) = login::is_newer(&login::ancestors(), finished.clock) {
        return Ok(Confirmed::Refused(why));
    }
    drop_record(host, &record)?;
    Ok(Confirmed::Stays)
}

/// What [`settle`] found.
#[derive(Debug)]
pub enum Settled {
    /// No change waits.
    Nothing,
    /// One waits for so long yet.
    Waits(Duration),
    /// One was undone, as far as that was possible.
    Undone(Undone),
}

/// Undoes a change whose time is over; `at_once` one that still has time, too.
///
/// # Errors
/// When the record can't be used, or written.
pub fn settle(host: &Host, at_once: bool) -> Result<Settled, HostError> {
    if !host.exists(&path(host)) {
        return Ok(Settled::Nothing);
    }
    let _held = host.lock(LOCK)?;
    let Some(record) = load(host)? else { return Ok(Settled::Nothing) };
    let left = record.left(&Moment::now());
    if !left.is_zero() && !at_once {
        return Ok(Settled::Waits(left));
    }
    take_back(host, record).map(Settled::Undone)
}

fn load(host: &Host) -> Result<Option<Unconfirmed>, HostError> {
    match record::read::<Unconfirmed>(host, &path(host))? {
        Found::Known(record) => Ok(Some(record)),
        Found::Absent => Ok(None),
        Found::Unusable(unusable) => Err(unusable.into()),
    }
}

/// Undoes it. What can't be undone now stays recorded, to be tried again; what another process has
/// changed since is its own.
fn take_back(host: &Host, mut record: Unconfirmed) -> Result<Undone, HostError> {
    let again = record.undoing;
    record.undoing = true;
    record::write(host, &path(host), &record)?;
    let mut undone = undo::undo(host, &record.traces, again);
    if undone.failed() {
        return Ok(undone);
    }
    let made = record.directories.iter().map(PathBuf::as_path);
    undone.outcomes.extend(undo::remove_directories(host, made));
    if undone.kept.is_empty() {
        forget(host, &record)?;
    }
    // The pause comes before the record goes, so that the daemon does not make the change again.
    Pause::after_undo(undone.kept.clone()).write(host)?;
    drop_record(host, &record)?;
    Ok(undone)
}

/// What was recorded about the change is no longer true.
fn forget(host: &Host, record: &Unconfirmed) -> Result<(), HostError> {
    let before = record.originals.clone().unwrap_or_default();
    Originals::update(host, |originals| {
        // Nothing else was recorded since: the daemon is paused. That a record was lost stays known.
        let incomplete = originals.incomplete.take();
        *originals = Originals { incomplete, ..before };
    })
}

fn drop_record(host: &Host, record: &Unconfirmed) -> Result<(), HostError> {
    record::remove::<Unconfirmed>(host, &path(host))?;
    alarm::cancel(host, &record.alarm);
    Ok(())
}
