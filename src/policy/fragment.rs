//! The files of a policy: the main one, and the fragments in the directory beside it.

use std::path::{Path, PathBuf};

use super::Diagnostic;
use super::file;
use crate::host::Host;
use crate::host::files::Node;

/// No more fragments than this are read.
const MOST: usize = 64;

/// All files of a policy together are no larger than this, in bytes.
const LARGEST: usize = 1024 * 1024;

/// `/etc/keepalive-policy.d` of `/etc/keepalive-policy.toml`.
#[must_use]
pub fn directory(main: &Path) -> PathBuf {
    if main.extension().is_some_and(|extension| extension == "toml") {
        return main.with_extension("d");
    }
    let mut directory = main.as_os_str().to_owned();
    directory.push(".d");
    PathBuf::from(directory)
}

/// One file as it was read.
pub(super) struct Piece {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// The files in the order in which they count, and what is wrong with any of them. None of them
/// counts when there is something wrong with one.
pub(super) fn read(main: &Path) -> (Vec<Piece>, Vec<Diagnostic>) {
    let (mut pieces, mut complaints) = (Vec::new(), Vec::new());
    let mut total: usize = 0;
    let fragments = match names(main) {
        Ok(fragments) => fragments,
        Err(complaint) => {
            complaints.push(complaint);
            Vec::new()
        }
    };
    for path in std::iter::once(main.to_owned()).chain(fragments) {
        match file::read(&path) {
            Ok((bytes, found)) => {
                complaints.extend(found);
                total += bytes.len();
                pieces.push(Piece { path, bytes });
            }
            Err(complaint) => complaints.push(complaint),
        }
    }
    if total > LARGEST {
        complaints.push(Diagnostic::of_file(main, "larger than 1 MiB with its fragments"));
    }
    (pieces, complaints)
}

/// `*.toml`, sorted by their names' bytes; hidden ones are an editor's.
fn names(main: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let directory = std::path::absolute(directory(main)).unwrap_or_else(|_| directory(main));
    let host = Host::live();
    let complain = |message: String| Diagnostic::of_file(&directory, message);
    match host.read(&directory) {
        Ok(Node::Directory) => {}
        Ok(Node::Missing) => return Ok(Vec::new()),
        Ok(_) => return Err(complain("not a directory of policy fragments".to_owned())),
        Err(error) => return Err(complain(format!("{}: {}", error.action, error.source))),
    }
    if let Some(complaint) = file::others_write(&directory) {
        return Err(complaint);
    }
    let names = host
        .list(&directory)
        .map_err(|error| complain(format!("{}: {}", error.action, error.source)))?;
    let mut fragments: Vec<PathBuf> = names
        .into_iter()
        .filter(|name| {
            let bytes = name.as_encoded_bytes();
            bytes.ends_with(b".toml") && !bytes.starts_with(b".")
        })
        .map(|name| directory.join(name))
        .collect();
    fragments.sort();
    if fragments.len() > MOST {
        return Err(complain(format!("{} fragments, at most {MOST} are read", fragments.len())));
    }
    Ok(fragments)
}
