//! One file's step from one content to another: shown as a unified diff, done in one rename.

use std::fmt::{self, Display};
use std::path::PathBuf;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::escape;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::originals::Originals;

#[cfg(test)]
mod tests;

/// Readable by everybody, like every file of /etc/sysctl.d and /etc/ssh that holds no secret.
const NEW_FILE_MODE: u32 = 0o644;

/// A file that is made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The file, as the host names it.
    pub path: PathBuf,
    /// Its content as observed; `None` where there is no file.
    pub before: Option<Vec<u8>>,
    /// Its content afterwards; `None` removes it.
    pub after: Option<Vec<u8>>,
    /// Whether it is somebody else's file, of which a copy is kept before the first edit.
    pub foreign: bool,
}

impl FileEdit {
    /// Does it, if the file still is as observed.
    ///
    /// # Errors
    /// When it isn't, or can't be written; the file then is as it was.
    pub fn apply(&self, host: &Host) -> Result<(), HostError> {
        if let (true, Some(before)) = (self.foreign, &self.before) {
            Originals::keep_copy(host, &self.path, before)?;
        }
        self.step(host, self.before.as_deref(), self.after.as_deref())
    }

    /// Takes it back, if the file still is as we left it.
    ///
    /// # Errors
    /// As for [`FileEdit::apply`].
    pub fn undo(&self, host: &Host) -> Result<(), HostError> {
        self.step(host, self.after.as_deref(), self.before.as_deref())
    }

    fn step(&self, host: &Host, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<(), HostError> {
        match (from, to) {
            (Some(from), Some(to)) => host.replace(&self.path, Expect::Content(from), to),
            (Some(from), None) => host.remove(&self.path, from),
            (None, Some(to)) => {
                let absent = Expect::Absent { mode: NEW_FILE_MODE };
                host.replace(&self.path, absent, to)
            }
            (None, None) => Ok(()),
        }
    }

    /// What `apply` does, in one line of the journal.
    #[must_use]
    pub fn action(&self) -> String {
        let verb = match (&self.before, &self.after) {
            (None, _) => "create",
            (_, None) => "remove",
            _ => "edit",
        };
        format!("{verb} {}", escape::path(&self.path))
    }
}

impl Display for FileEdit {
    /// A unified diff, `/dev/null` standing for a file that is not there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |content: &Option<Vec<u8>>, side: char| match content {
            Some(_) => format!("{side}{}", escape::path(&self.path)),
            None => "/dev/null".to_owned(),
        };
        let text = |content: &Option<Vec<u8>>| {
            String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned()
        };
        let (before, after) = (text(&self.before), text(&self.after));
        let diff = similar::TextDiff::from_lines(&before, &after);
        let mut unified = diff.unified_diff();
        unified.header(&name(&self.before, 'a'), &name(&self.after, 'b'));
        write!(f, "{unified}")
    }
}

impl Serialize for FileEdit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("FileEdit", 2)?;
        object.serialize_field("file", &self.path.to_string_lossy())?;
        object.serialize_field("diff", &self.to_string())?;
        object.end()
    }
}
