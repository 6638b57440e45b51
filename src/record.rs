//! The files in which we keep what must not be forgotten: JSON objects in the state or the runtime
//! directory, each with its `"version"`. One mechanism reads and writes them all.
//!
//! - A file that we can't use (damaged, of a later version, out of range, too large, not a regular
//!   file) is never taken for an empty one. [`read`] says what is wrong with it and touches nothing.
//! - Those who write keep such a file aside first: [`write`] and [`update`] rename it to
//!   `NAME.unusable-SECONDS`, and say so in what they return. Nothing ever overwrites or removes it.
//! - A write is atomic, and what an older release can't know survives it: see [`Rest`].
//!
//! A reader of such a file acts as it is safest without it; [`update`] gives what [`Record::salvage`]
//! leaves of a record that is merely out of range.
//!
//! To add a state file: derive `Serialize` and `Deserialize` for a struct that has
//! `#[serde(flatten)] rest: Rest`, implement [`Record`] for it, and call [`read`], [`write`] or, where
//! more than one process writes, [`update`]:
//!
//! ```
//! use keepalive_policy::host::Host;
//! use keepalive_policy::record::{self, Found, Record, Rest};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
//! struct Pause {
//!     until: u64, // seconds since 1970
//!     #[serde(flatten)]
//!     rest: Rest,
//! }
//!
//! impl Record for Pause {
//!     const VERSION: u64 = 1;
//!     fn check(&self) -> Result<(), String> {
//!         if self.until > 4_000_000_000 {
//!             return Err(format!("until is {}, after the year 2096", self.until));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # let directory = tempfile::tempdir()?;
//! let host = Host::at(directory.path());
//! let path = host.state_dir().join("pause.json");
//! let pause = Pause { until: 1_795_778_305, ..Pause::default() };
//! let kept = record::write(&host, &path, &pause)?; // creates the directory too
//! assert!(kept.is_none()); // else: what to tell the administrator
//! match record::read::<Pause>(&host, &path)? {
//!     Found::Known(found) => assert_eq!(found, pause),
//!     Found::Absent => {}
//!     Found::Unusable(unusable) => eprintln!("{unusable}"), // a finding; act as safe as you can
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::host::clock::now;
use crate::host::files::Node;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};

#[cfg(test)]
mod tests;

/// The fields that we don't know: a later release of the same version has added them. A record has
/// them as `#[serde(flatten)] rest: Rest`, so that they are written back as they were.
pub type Rest = Map<String, Value>;

/// A file with no version was written before versions were, in the first format.
const FIRST_VERSION: u64 = 1;

/// How many unusable files of one name are kept. Who has that many has another problem, and we
/// refuse to make more of them rather than to remove the first.
const MOST_KEPT: usize = 8;

/// Between the name of a file that was kept aside and the second in which that was.
const ASIDE: &str = ".unusable-";

/// What a state file of ours holds.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that we write. Fields may be added within a version; it is raised when the
    /// meaning of a field changes.
    const VERSION: u64;

    /// Bytes; a larger file is unusable. 1 MiB unless a record needs more.
    const MAX_SIZE: u64 = 1 << 20;

    /// Permission bits of a file that we make.
    const MODE: u32 = 0o644;

    /// Checks what the types can't: ranges, paths.
    ///
    /// # Errors
    /// The field, what it is, and what it may be.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// What [`update`] begins the new record with, from one that [`Record::check`] refuses. `None`,
    /// unless a record knows better, for the default.
    #[must_use]
    fn salvage(self) -> Option<Self> {
        None
    }
}

/// What [`read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<R> {
    /// No file.
    Absent,
    /// A record of a version that we know.
    Known(R),
    /// A file that we can't use.
    Unusable(Unusable),
}

/// A file that we can't use, and why. `Display` gives both in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The file, as the host names it.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a state file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not JSON, or not what the fields hold.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Written by a later release, in a format that we can't know.
    #[error("of version {found}, and this release knows versions up to {known}")]
    Later {
        /// Its version.
        found: u64,
        /// The latest that we know.
        known: u64,
    },
    /// A value that can't be true.
    #[error("damaged: {0}")]
    OutOfRange(String),
    /// Larger than [`Record::MAX_SIZE`].
    #[error("larger than {limit} bytes, which none of ours is")]
    TooLarge {
        /// [`Record::MAX_SIZE`].
        limit: u64,
    },
    /// A directory, a device, a FIFO, or a link that leads nowhere.
    #[error("not a regular file")]
    NotAFile,
}

/// A file that was kept aside. `Display` says what happened and where the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAside {
    /// What was wrong with it.
    pub unusable: Unusable,
    /// Its new name, as the host names it.
    pub path: PathBuf,
    /// When, in seconds since 1970.
    pub at: u64,
}

impl Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl Display for KeptAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; kept as {}", self.unusable, self.path.display())
    }
}

impl From<Unusable> for HostError {
    fn from(unusable: Unusable) -> Self {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, unusable.why);
        Self { path: unusable.path, action: "cannot use the record", source }
    }
}

/// A record in its file.
#[derive(Serialize, Deserialize)]
struct Versioned<R> {
    version: u64,
    #[serde(flatten)]
    record: R,
}

/// Reads a record. Changes nothing, whatever it finds.
///
/// # Errors
/// When the file is there and can't be read: no permission, or the disk fails. What is wrong with
/// its content is [`Found::Unusable`].
pub fn read<R: Record>(host: &Host, path: &Path) -> Result<Found<R>, HostError> {
    let unusable = |why| Found::Unusable(Unusable { path: path.to_owned(), why });
    match host.read_at_most(path, R::MAX_SIZE) {
        Ok(Node::Missing) => Ok(Found::Absent),
        Ok(Node::File(file)) => Ok(decode(&file.bytes).map_or_else(unusable, Found::Known)),
        Ok(Node::Directory | Node::Special | Node::Dangling) => Ok(unusable(Why::NotAFile)),
        Err(error) if error.source.kind() == std::io::ErrorKind::FileTooLarge => {
            Ok(unusable(Why::TooLarge { limit: R::MAX_SIZE }))
        }
        Err(error) => Err(error),
    }
}

/// Writes a record, in one step, and makes the directory where there is none. A file there that we
/// can't use is kept aside first, and then returned, for the caller to say so.
///
/// # Errors
/// When the directory can't be written, when another process writes the file at the same moment,
/// or when too many unusable files are kept aside already. The old file then stands as it was.
pub fn write<R: Record>(
    host: &Host,
    path: &Path,
    record: &R,
) -> Result<Option<KeptAside>, HostError> {
    let kept = match read::<R>(host, path)? {
        Found::Unusable(unusable) => Some(keep_aside(host, unusable)?),
        Found::Known(_) | Found::Absent => None,
    };
    put(host, path, record)?;
    Ok(kept)
}

/// Reads a record, has it changed, and writes it if that changed it. Holds the lock of this name
/// meanwhile. `change` is given the default where there is no file, and where the file can't be
/// used: that one is kept aside, and `change` is told.
///
/// # Errors
/// As for [`read`] and [`write`], and when the lock can't be had.
pub fn update<R: Record + Clone + PartialEq + Default>(
    host: &Host,
    path: &Path,
    lock: &str,
    change: impl FnOnce(&mut R, Option<&KeptAside>),
) -> Result<Option<KeptAside>, HostError> {
    let _held = host.lock(lock)?;
    let (before, kept) = match read::<R>(host, path)? {
        Found::Known(record) => (record, None),
        Found::Absent => (R::default(), None),
        Found::Unusable(unusable) => (R::default(), Some(keep_aside(host, unusable)?)),
    };
    let mut record = match &kept {
        Some(kept) => salvaged(host, kept).unwrap_or_default(),
        None => before.clone(),
    };
    change(&mut record, kept.as_ref());
    if record != before {
        put(host, path, &record)?;
    }
    Ok(kept)
}

/// What can be used of a file that was kept aside.
fn salvaged<R: Record>(host: &Host, kept: &KeptAside) -> Option<R> {
    if !matches!(kept.unusable.why, Why::OutOfRange(_)) {
        return None;
    }
    match host.read_at_most(&kept.path, R::MAX_SIZE) {
        Ok(Node::File(file)) => parse::<R>(&file.bytes).ok()?.salvage(),
        _ => None,
    }
}

/// Renames a file that we can't use, so that a new one can be begun: `NAME.unusable-SECONDS`.
///
/// # Errors
/// When it can't be renamed, or when as many are kept already as we keep.
pub fn keep_aside(host: &Host, unusable: Unusable) -> Result<KeptAside, HostError> {
    let fails = |source| HostError {
        path: unusable.path.clone(),
        action: "cannot be used, nor kept aside",
        source,
    };
    let name = unusable.path.file_name().unwrap_or_default().to_string_lossy().into_owned() + ASIDE;
    let directory = unusable.path.parent().unwrap_or(Path::new("/"));
    let kept = host.list(directory)?;
    let count = kept.iter().filter(|one| one.to_string_lossy().starts_with(&name)).count();
    if count >= MOST_KEPT {
        let message = format!(
            "{count} files {name}* are kept already; see what damages them, then move them away"
        );
        return Err(fails(std::io::Error::other(message)));
    }
    let at = now();
    let named = |number: usize| match number {
        0 => directory.join(format!("{name}{at}")),
        _ => directory.join(format!("{name}{at}-{number}")),
    };
    let free = (0..=MOST_KEPT).map(named).find(|path| {
        let taken = path.file_name().is_some_and(|name| kept.iter().any(|one| one == name));
        !taken
    });
    let path = free.ok_or_else(|| fails(std::io::ErrorKind::AlreadyExists.into()))?;
    host.rename(&unusable.path, &path)?;
    Ok(KeptAside { unusable, path, at })
}

/// The files of this name that were kept aside and are there still, the oldest first.
///
/// # Errors
/// When the directory can't be listed.
pub fn kept(host: &Host, path: &Path) -> Result<Vec<PathBuf>, HostError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned() + ASIDE;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut kept = host.list(directory)?;
    kept.retain(|one| one.to_string_lossy().starts_with(&name));
    Ok(kept.into_iter().map(|one| directory.join(one)).collect())
}

/// Removes a record, if there is one. A file that we can't use is kept aside.
///
/// # Errors
/// When it can't be read, removed or renamed.
pub fn remove<R: Record>(host: &Host, path: &Path) -> Result<Option<KeptAside>, HostError> {
    match read::<R>(host, path)? {
        Found::Absent => Ok(None),
        Found::Unusable(unusable) => keep_aside(host, unusable).map(Some),
        Found::Known(_) => {
            if let Node::File(file) = host.read_at_most(path, R::MAX_SIZE)? {
                host.remove(path, &file.bytes)?;
            }
            Ok(None)
        }
    }
}

fn put<R: Record>(host: &Host, path: &Path, record: &R) -> Result<(), HostError> {
    let mut bytes =
        serde_json::to_vec_pretty(&Versioned { version: R::VERSION, record }).map_err(|error| {
            HostError { path: path.to_owned(), action: "cannot encode", source: error.into() }
        })?;
    bytes.push(b'\n');
    if let Some(directory) = path.parent() {
        host.make_directory(directory, 0o755)?;
    }
    match host.read_at_most(path, R::MAX_SIZE)? {
        Node::File(file) if file.bytes == bytes => Ok(()),
        Node::File(file) => host.replace(path, Expect::Content(&file.bytes), &bytes),
        _ => host.replace(path, Expect::Absent { mode: R::MODE }, &bytes),
    }
}

fn decode<R: Record>(bytes: &[u8]) -> Result<R, Why> {
    let record: R = parse(bytes)?;
    record.check().map_err(Why::OutOfRange)?;
    Ok(record)
}

fn parse<R: Record>(bytes: &[u8]) -> Result<R, Why> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| Why::Damaged(error.to_string()))?;
    let Value::Object(mut fields) = value else {
        return Err(Why::Damaged(format!("{} where an object is wanted", kind(&value))));
    };
    match fields.get("version").map_or(Some(FIRST_VERSION), Value::as_u64) {
        Some(found) if found > R::VERSION => return Err(Why::Later { found, known: R::VERSION }),
        Some(0) | None => {
            return Err(Why::Damaged("\"version\" is not a number from 1 up".to_owned()));
        }
        Some(_) => fields.remove("version"),
    };
    serde_json::from_value(Value::Object(fields.clone()))
        .map_err(|error| Why::Damaged(blame::<R>(fields, &error.to_string())))
}

/// Names the field that an error is about: serde says only what it found in there.
fn blame<R: Record>(fields: Map<String, Value>, error: &str) -> String {
    for (name, value) in fields {
        let alone = Map::from_iter([(name.clone(), value)]);
        let found = serde_json::from_value::<R>(Value::Object(alone)).err();
        if found.is_some_and(|found| found.to_string() == error) {
            return format!("\"{name}\": {error}");
        }
    }
    error.to_owned()
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
