//! What a change leaves behind, with all that it takes to take it back. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::file_edit::FileEdit;
use crate::originals::{Bytes, path};
use crate::sshd::instance::Instance;
use crate::sysctl::live::named;
use crate::{ssh_client, sshd, sysctl};

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// A value of the kernel.
    Value {
        /// The named network namespace; `None` for the host's own.
        namespace: Option<String>,
        /// The setting.
        name: String,
        /// As it was.
        before: i64,
        /// As we left it.
        after: i64,
    },
    /// Files that were edited together.
    Files {
        /// Who reads them.
        reader: Reader,
        /// The edits, in the order in which they are made.
        edits: Vec<Edit>,
    },
}

/// Who reads files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// Those who set the kernel's values at boot.
    Boot,
    /// ssh.
    Ssh,
    /// An sshd, the host's own where no other is named; it has taken them up since.
    Sshd(Option<Instance>),
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The file, as the host names it.
    #[serde(with = "path")]
    pub file: PathBuf,
    /// Its content as it was; `None` where there was no file.
    pub before: Option<Bytes>,
    /// Its content as we left it; `None` where we removed it.
    pub after: Option<Bytes>,
}

impl Edit {
    fn of(edit: &FileEdit) -> Self {
        let bytes = |content: &Option<Vec<u8>>| content.as_deref().map(Bytes::from);
        Self { file: edit.path.clone(), before: bytes(&edit.before), after: bytes(&edit.after) }
    }

    /// The edit that takes it back.
    #[must_use]
    pub fn back(&self) -> FileEdit {
        let bytes = |content: &Option<Bytes>| content.as_ref().map(|bytes| bytes.as_ref().to_vec());
        FileEdit {
            path: self.file.clone(),
            before: bytes(&self.after),
            after: bytes(&self.before),
            foreign: false,
        }
    }
}

/// A change that leaves traces.
pub trait Traced {
    /// What it is about to leave. `instance` is the sshd that it is about, where it is not the host's
    /// own.
    fn traces(&self, instance: Option<&Instance>) -> Option<Trace>;
}

fn files(reader: Reader, edits: &[FileEdit]) -> Option<Trace> {
    if edits.is_empty() {
        return None;
    }
    Some(Trace::Files { reader, edits: edits.iter().map(Edit::of).collect() })
}

impl Traced for sysctl::live::Change {
    fn traces(&self, _: Option<&Instance>) -> Option<Trace> {
        if self.withheld.is_some() || self.from == self.to {
            return None;
        }
        let (before, after) = (self.from, self.to);
        Some(Trace::Value { namespace: None, name: self.key.name().to_owned(), before, after })
    }
}

impl Traced for named::Change {
    fn traces(&self, instance: Option<&Instance>) -> Option<Trace> {
        match self.write()?.traces(instance)? {
            Trace::Value { name, before, after, .. } => {
                Some(Trace::Value { namespace: Some(self.namespace.clone()), name, before, after })
            }
            other @ Trace::Files { .. } => Some(other),
        }
    }
}

impl Traced for sysctl::boot::change::Change {
    fn traces(&self, _: Option<&Instance>) -> Option<Trace> {
        files(Reader::Boot, self.edit.as_slice())
    }
}

impl Traced for ssh_client::plan::Change {
    fn traces(&self, _: Option<&Instance>) -> Option<Trace> {
        files(Reader::Ssh, &self.edits)
    }
}

impl Traced for sshd::plan::Change {
    /// A mere reload and a start leave no trace: what sshd had loaded before is not known, and an sshd
    /// that we lost and started again must not be lost once more.
    fn traces(&self, instance: Option<&Instance>) -> Option<Trace> {
        match self {
            Self::Install { install, .. } => files(Reader::Sshd(instance.cloned()), &install.edits),
            Self::Reload { .. } | Self::Start { .. } => None,
        }
    }
}
