//! One step of the plan: a file that is made, changed or removed, and what is recorded about it.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::target::Target;
use super::{Observed, drop_in};
use crate::file_edit::FileEdit;
use crate::host::{Host, HostError};
use crate::originals::{EditedLine, Originals};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, by its real path.
    pub file: PathBuf,
    /// What is done to it; `None` when only the record changes.
    pub edit: Option<FileEdit>,
    /// Whether it is our drop-in, which is recorded as made by us.
    pub ours: bool,
    /// The record of the file's edited lines, before and after; `None` when it stays.
    pub record: Option<Record>,
}

/// The edited lines of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// As observed.
    pub before: Vec<EditedLine>,
    /// As it is to be.
    pub after: Vec<EditedLine>,
}

/// The steps from what is observed to the target: what is made comes before what is removed, so
/// that at every moment something sets the values.
pub fn between(observed: &Observed, target: &Target) -> Vec<Change> {
    let files: BTreeSet<&PathBuf> =
        observed.tree.contents.keys().chain(target.tree.contents.keys()).collect();
    let mut recorded: BTreeSet<&PathBuf> = observed.edited.iter().map(|line| &line.file).collect();
    recorded.extend(target.edited.iter().map(|line| &line.file));
    let ours = own_files(observed, target);
    let mut changes = Vec::new();
    for file in files.union(&recorded).copied() {
        let before = observed.tree.contents.get(file);
        let after = target.tree.contents.get(file);
        let edit = (before != after).then(|| FileEdit {
            path: file.clone(),
            before: before.map(|content| content.to_vec()),
            after: after.map(|content| content.to_vec()),
            foreign: !ours.contains(file),
        });
        let of_file = |lines: &[EditedLine]| -> Vec<EditedLine> {
            lines.iter().filter(|line| line.file == *file).cloned().collect()
        };
        let (before, after) = (of_file(&observed.edited), of_file(&target.edited));
        let record = (before != after).then_some(Record { before, after });
        if edit.is_some() || record.is_some() {
            changes.push(Change { file: file.clone(), edit, ours: ours.contains(file), record });
        }
    }
    changes.sort_by_key(Change::removes);
    changes
}

fn own_files(observed: &Observed, target: &Target) -> BTreeSet<PathBuf> {
    [&observed.tree, &target.tree]
        .into_iter()
        .filter_map(|tree| Some((tree, drop_in::directory(tree)?)))
        .flat_map(|(tree, directory)| {
            drop_in::present(tree)
                .into_iter()
                .map(move |name| directory.join(drop_in::os_name(&name)))
        })
        .collect()
}

impl Change {
    fn removes(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.after.is_none()) || self.takes_ours_out()
    }

    /// Whether our drop-in goes, also where lines of others in it stay.
    fn takes_ours_out(&self) -> bool {
        let after = self.edit.as_ref().map(|edit| edit.after.as_deref().unwrap_or_default());
        self.ours && after.is_some_and(|after| !drop_in::has_mark(after))
    }

    /// What it does, in one line of the journal.
    #[must_use]
    pub fn action(&self) -> String {
        match &self.edit {
            Some(edit) => edit.action(),
            None => format!("forget an edited line of {}", self.file.display()),
        }
    }

    /// Does it. The line as it was is recorded before the file is touched, and forgotten only after
    /// it has been put back, so that a crash between the two loses nothing.
    ///
    /// # Errors
    /// When the record can't be written, or the file is not as observed any more.
    pub fn apply(&self, host: &Host) -> Result<(), HostError> {
        if let Some(record) = &self.record {
            let mut lines = record.before.clone();
            lines.extend(record.after.iter().filter(|line| !record.before.contains(line)).cloned());
            save(host, &self.file, &lines)?;
        }
        if let Some(edit) = &self.edit {
            if self.ours && !self.takes_ours_out() {
                prepare_drop_in(host, &self.file)?;
            }
            edit.apply(host)?;
            if self.takes_ours_out() {
                forget_drop_in(host, &self.file)?;
            }
        }
        if let Some(record) = &self.record {
            save(host, &self.file, &record.after)?;
            if record.after.is_empty() {
                Originals::drop_copy(host, &self.file)?;
            }
        }
        Ok(())
    }
}

/// Makes the directory of our drop-in and records both, before there is a file.
fn prepare_drop_in(host: &Host, file: &Path) -> Result<(), HostError> {
    let directory = file.parent().filter(|directory| !host.exists(directory));
    Originals::update(host, |originals| {
        originals.sysctl_drop_in = Some(file.to_owned());
        if let Some(directory) = directory {
            originals.sysctl_directory = Some(directory.to_owned());
        }
    })?;
    directory.map_or(Ok(()), |directory| host.make_directory(directory, 0o755))
}

/// Forgets it, unless another name has taken its place; a directory that was made for it goes too.
fn forget_drop_in(host: &Host, file: &Path) -> Result<(), HostError> {
    let originals = Originals::load_usable(host)?;
    if originals.sysctl_drop_in.as_deref() != Some(file) {
        return Ok(());
    }
    if let Some(directory) = &originals.sysctl_directory {
        host.remove_empty_directory(directory)?;
    }
    Originals::update(host, |originals| {
        originals.sysctl_drop_in = None;
        originals.sysctl_directory = None;
    })
}

/// Replaces what is recorded about `file`; what others recorded meanwhile stays.
fn save(host: &Host, file: &Path, lines: &[EditedLine]) -> Result<(), HostError> {
    Originals::update(host, |originals| {
        originals.lines.retain(|line| line.file != file);
        originals.lines.extend(lines.iter().cloned());
    })
}

impl Display for Change {
    /// A unified diff, or what is forgotten.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.edit {
            Some(edit) => write!(f, "{edit}"),
            None => writeln!(f, "{}", self.action()),
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(edit) = &self.edit {
            return edit.serialize(serializer);
        }
        let mut object = serializer.serialize_struct("Change", 2)?;
        object.serialize_field("file", &self.file.to_string_lossy())?;
        object.serialize_field("diff", "")?;
        object.end()
    }
}
