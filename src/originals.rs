//! What was there before the policy, kept in the state directory until it is put back.
//!
//! Own files and marked blocks are recognised by their first line and removed. Recorded are live
//! values, single lines edited in somebody else's file, a whole copy of every foreign file before
//! its first edit, and the name of our sysctl.d file, so that it stays ours when somebody empties it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::files::Node;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::sshd::instance::Instance;

mod path;
#[cfg(test)]
mod tests;

const FILE: &str = "originals.json";
const COPIES: &str = "originals";

/// The record, as `originals.json` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Originals {
    /// Kernel values by sysctl name, as they were when each was first declared.
    pub live: BTreeMap<String, i64>,
    /// The same for named network namespaces, by the name of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, BTreeMap<String, i64>>,
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

    /// Reads the record; an empty one where none is.
    ///
    /// # Errors
    /// When it can't be read or is damaged. Nothing may then be changed: what was there before
    /// would be forgotten.
    pub fn load(host: &Host) -> Result<Self, HostError> {
        let path = host.state_dir().join(FILE);
        let damaged = |source: std::io::Error| HostError {
            path: path.clone(),
            action: "the record of original values is damaged; move it away to go on without it",
            source,
        };
        match host.read(&path)? {
            Node::Missing => Ok(Self::default()),
            Node::File(file) => {
                serde_json::from_slice(&file.bytes).map_err(|error| damaged(error.into()))
            }
            _ => Err(damaged(std::io::Error::other("not a regular file"))),
        }
    }

    /// Changes the record, if `change` changes it. Holds the record's lock, since the resources
    /// share it and run side by side.
    ///
    /// # Errors
    /// As for [`Originals::load`], or when the state directory can't be written.
    pub fn update(host: &Host, change: impl FnOnce(&mut Self)) -> Result<(), HostError> {
        let _held = host.lock("originals")?;
        let mut originals = Self::load(host)?;
        let before = originals.clone();
        change(&mut originals);
        if originals == before { Ok(()) } else { originals.save(host) }
    }

    fn save(&self, host: &Host) -> Result<(), HostError> {
        host.make_directory(host.state_dir(), 0o755)?;
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| HostError {
            path: host.state_dir().join(FILE),
            action: "cannot encode",
            source: error.into(),
        })?;
        bytes.push(b'\n');
        put(host, &host.state_dir().join(FILE), &bytes, 0o644)
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
        host.make_directory(&host.state_dir().join(COPIES), 0o700)?;
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
