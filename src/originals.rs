//! What was there before the policy, kept in the state directory until it is put back.
//!
//! Own files and marked blocks are recognised by their first line and removed. Recorded are live
//! values, single lines edited in somebody else's file, a whole copy of every foreign file before
//! its first edit, and the name of our sysctl.d file, so that it stays ours when somebody empties it.
//!
//! A record that we can't use, or that got lost, costs what it held, and nothing else: it is kept
//! aside, a new one is begun that says since when it is incomplete, and corrections go on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::clock::now;
use crate::host::files::Node;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::marked;
use crate::reconcile::{Problem, Severity};
use crate::record::{self, Found, KeptAside, Record, Rest};
use crate::sshd::instance::Instance;
use crate::sysctl::Key;

pub(crate) mod path;
#[cfg(test)]
mod tests;

const FILE: &str = "originals.json";
const COPIES: &str = "originals";
const LOCK: &str = "originals";

/// Where our sysctl drop-in is, and how all its names end.
const SYSCTL_DIRECTORY: &str = "/etc/sysctl.d";
const SYSCTL_SUFFIX: &[u8] = b"keepalive-policy.conf";

/// The record, as `originals.json` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Originals {
    /// Kernel values by sysctl name, as they were when each was first declared.
    pub live: BTreeMap<String, i64>,
    /// The same for named network namespaces, by the name of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, BTreeMap<String, i64>>,
    /// Kernel values as they were, that do harm: they are never put back. By sysctl name, in a named
    /// namespace with `netns NAME ` before it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub harmful: BTreeMap<String, i64>,
    /// Lines of foreign files that we edited.
    pub lines: Vec<EditedLine>,
    /// The sysctl.d file that we made.
    #[serde(with = "path::optional")]
    pub sysctl_drop_in: Option<PathBuf>,
    /// The directory that had to be made for it.
    #[serde(with = "path::optional")]
    pub sysctl_directory: Option<PathBuf>,
    /// The instances of sshd in whose files something of ours is.
    pub sshd_instances: BTreeSet<Instance>,
    /// When each resource was first enforced, in seconds since 1970, by the resource's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub first_enforced: BTreeMap<String, u64>,
    /// Set where an earlier record was lost, so that this one does not know everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Incomplete>,
    /// What a later release has added.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Since when, and why, a record does not know everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// Seconds since 1970.
    pub since: u64,
    /// What happened to the record before.
    pub reason: String,
    /// Where that is kept, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "path::optional")]
    pub kept: Option<PathBuf>,
    /// The kernel settings that were declared already when this record was begun: what is found now
    /// is not what was there before. `None` until a pass has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<BTreeSet<String>>,
    /// What a later release has added.
    #[serde(flatten)]
    pub rest: Rest,
}

impl Record for Originals {
    const VERSION: u64 = 1;

    /// More than a host has places for, with room for long names.
    const MAX_SIZE: u64 = 4 << 20;

    fn check(&self) -> Result<(), String> {
        let named = self.namespaces.values().flatten();
        for (name, value) in self.live.iter().chain(named) {
            if let Some(key) = key_of(name).filter(|key| !key.is_harmless(*value)) {
                let (least, most) = key.harmless().into_inner();
                return Err(format!("{name} was {value}; only {least} to {most} can be put back"));
            }
        }
        let instances = self.sshd_instances.iter().map(|instance| &instance.file);
        let places = self.sysctl_drop_in.iter().chain(&self.sysctl_directory).chain(instances);
        match self.lines.iter().map(|line| &line.file).chain(places).find(|path| !is_plain(path)) {
            Some(path) => Err(format!("{} is no absolute path", path.display())),
            None => Ok(()),
        }
    }

    /// A release before this one recorded also what does harm.
    fn salvage(mut self) -> Option<Self> {
        let is_harmful = |name: &String, value: &mut i64| {
            key_of(name).is_some_and(|key| !key.is_harmless(*value))
        };
        self.harmful.extend(self.live.extract_if(.., is_harmful));
        for (namespace, values) in &mut self.namespaces {
            let harmful = values.extract_if(.., is_harmful);
            self.harmful
                .extend(harmful.map(|(name, value)| (in_namespace(namespace, &name), value)));
        }
        self.check().is_ok().then_some(self)
    }
}

fn key_of(name: &str) -> Option<Key> {
    Key::ALL.into_iter().find(|key| key.name() == name)
}

fn is_plain(path: &Path) -> bool {
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(plain) && !path.as_os_str().as_bytes().contains(&0)
}

/// How a setting of a named namespace is named in [`Originals::harmful`].
#[must_use]
pub fn in_namespace(namespace: &str, name: &str) -> String {
    format!("netns {namespace} {name}")
}

/// One line of somebody else's file that carries our value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedLine {
    /// The file, as the host names it.
    #[serde(with = "path")]
    pub file: PathBuf,
    /// The line as we left it, without its end.
    pub ours: Bytes,
    /// The line as it was.
    pub theirs: Bytes,
    /// What a later release has added.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Bytes that are written as text where they are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bytes {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Raw(Vec<u8>),
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Raw(bytes.to_owned()),
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

impl Originals {
    /// The file that holds the record.
    #[must_use]
    pub fn path(host: &Host) -> PathBuf {
        host.state_dir().join(FILE)
    }

    /// Reads the record. One that can't be used is never taken for an empty one.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn load(host: &Host) -> Result<Found<Self>, HostError> {
        record::read(host, &Self::path(host))
    }

    /// The same, where a record that can't be used knows nothing: what needs it can't be done.
    ///
    /// # Errors
    /// As for [`Originals::load`].
    pub fn load_usable(host: &Host) -> Result<Self, HostError> {
        match Self::load(host)? {
            Found::Known(originals) => Ok(originals),
            Found::Absent | Found::Unusable(_) => Ok(Self::default()),
        }
    }

    /// Changes the record, if `change` changes it. Holds the record's lock, since the resources
    /// share it and run side by side. A record that can't be used is kept aside, and where the record
    /// is gone though our sysctl drop-in is there, the new one says that it is incomplete.
    ///
    /// # Errors
    /// As for [`Originals::load`], or when the state directory can't be written.
    pub fn update(host: &Host, change: impl FnOnce(&mut Self)) -> Result<(), HostError> {
        let path = Self::path(host);
        let lost = match host.exists(&path) {
            true => None,
            false => Self::own_sysctl_drop_in(host)?,
        };
        record::update(host, &path, LOCK, |originals: &mut Self, kept| {
            if let Some(incomplete) = Incomplete::after(kept, lost.as_deref()) {
                originals.incomplete = Some(incomplete);
            }
            change(originals);
        })?;
        Ok(())
    }

    /// Notes that a resource is enforced on this machine, if this is the first time. Returns what to
    /// say where that can't be written: it is no reason to change nothing.
    #[must_use]
    pub fn note_enforced(host: &Host, resource: &'static str) -> Option<Problem> {
        if !host.is_live() {
            return None;
        }
        if let Ok(Found::Known(known)) = Self::load(host)
            && known.first_enforced.contains_key(resource)
        {
            return None;
        }
        let error = Self::update(host, |originals| originals.enforced(resource)).err()?;
        let message = format!("when this was first enforced can't be recorded: {error}");
        Some(Problem::new(resource, Severity::Notice, message))
    }

    /// The same in a record that is being changed.
    pub fn enforced(&mut self, resource: &str) {
        self.first_enforced.entry(resource.to_owned()).or_insert_with(now);
    }

    /// When anything was first enforced, in seconds since 1970.
    #[must_use]
    pub fn first_enforced(&self) -> Option<u64> {
        self.first_enforced.values().min().copied()
    }

    /// The directory of the copies of foreign files.
    #[must_use]
    pub fn copies(host: &Host) -> PathBuf {
        host.state_dir().join(COPIES)
    }

    /// Our drop-in in sysctl.d, by its mark. It is recorded before it is made, so where it is and no
    /// record is, the record was lost.
    ///
    /// # Errors
    /// When the directory can't be listed.
    pub fn own_sysctl_drop_in(host: &Host) -> Result<Option<PathBuf>, HostError> {
        let directory = Path::new(SYSCTL_DIRECTORY);
        for name in host.list(directory)? {
            let path = directory.join(&name);
            if name.as_bytes().ends_with(SYSCTL_SUFFIX)
                && let Ok(Node::File(file)) = host.read(&path)
                && marked::has_header(&file.bytes)
            {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Keeps a copy of a foreign file, unless one is kept already.
    ///
    /// # Errors
    /// When the state directory can't be written: the file must not be edited then.
    pub fn keep_copy(host: &Host, file: &Path, content: &[u8]) -> Result<(), HostError> {
        if Self::kept_copy(host, file)?.is_some() {
            return Ok(());
        }
        host.make_directory(host.state_dir(), 0o755)?;
        host.make_directory(&Self::copies(host), 0o700)?;
        put(host, &copy_path(host, file), content, 0o600)
    }

    /// The copy of a foreign file from before its first edit.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn kept_copy(host: &Host, file: &Path) -> Result<Option<Vec<u8>>, HostError> {
        match host.read(&copy_path(host, file))? {
            Node::File(copy) => Ok(Some(copy.bytes)),
            _ => Ok(None),
        }
    }

    /// Forgets the copy of a foreign file, once it has been put back.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn drop_copy(host: &Host, file: &Path) -> Result<(), HostError> {
        match Self::kept_copy(host, file)? {
            Some(content) => host.remove(&copy_path(host, file), &content),
            None => Ok(()),
        }
    }
}

impl Incomplete {
    fn after(kept: Option<&KeptAside>, drop_in: Option<&Path>) -> Option<Self> {
        let (since, reason, kept) = match (kept, drop_in) {
            (Some(kept), _) => (kept.at, kept.unusable.to_string(), Some(kept.path.clone())),
            (None, Some(file)) => {
                let reason = format!("the record is gone, though {} is there", file.display());
                (now(), reason, None)
            }
            (None, None) => return None,
        };
        Some(Self { since, reason, kept, unknown: None, rest: Rest::new() })
    }
}

fn put(host: &Host, path: &Path, bytes: &[u8], mode: u32) -> Result<(), HostError> {
    match host.read(path)? {
        Node::File(file) if file.bytes == bytes => Ok(()),
        Node::File(file) => host.replace(path, Expect::Content(&file.bytes), bytes),
        _ => host.replace(path, Expect::Absent { mode }, bytes),
    }
}

/// `/etc/ssh/sshd_config` → `originals/etc%2Fssh%2Fsshd_config`: one flat directory, and no two
/// paths share a name.
fn copy_path(host: &Host, file: &Path) -> PathBuf {
    let mut name = String::new();
    for byte in file.as_os_str().as_bytes().iter().skip_while(|byte| **byte == b'/') {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                name.push(char::from(*byte));
            }
            other => {
                // Writing to a String can't fail.
                let _ = write!(name, "%{other:02X}");
            }
        }
    }
    host.state_dir().join(COPIES).join(name)
}
