//! The policy file itself: what it must be before a word of it counts.

use std::path::Path;

use super::Diagnostic;
use crate::host::Host;
use crate::host::files::{File, Node};
use crate::host::permissions::Permissions;
use crate::host::trust::{Refused, shell_word};

/// The largest policy that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Reads the file and judges whose it is: its bytes, and what is wrong with owner and mode.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, Vec<Diagnostic>), Diagnostic> {
    // A host has no working directory, the caller may mean one.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let complaint = match Host::live().read_settled_at_most(&absolute, LARGEST) {
        Ok(Node::File(file)) if file.being_written => {
            "somebody has it open for writing, so it may not be whole; fuser(1) tells who"
        }
        Ok(Node::File(file)) => {
            let mut complaints: Vec<Diagnostic> = way(path, &absolute).into_iter().collect();
            complaints.extend(permissions(path, &file, rustix::process::geteuid().as_raw()));
            return Ok((file.bytes, complaints));
        }
        Ok(Node::Missing) => {
            "no such file: write a policy there, or name another file with --policy"
        }
        Ok(Node::Dangling) => "a symbolic link that leads nowhere, not a policy file",
        Ok(Node::Directory) => "a directory, not a policy file",
        Ok(Node::Special) => "a device, FIFO or socket, not a policy file",
        Err(error) if error.source.kind() == std::io::ErrorKind::FileTooLarge => {
            "larger than 1 MiB, not a policy file"
        }
        Err(error) => {
            let message = format!("{}: {}", error.action, error.source);
            return Err(Diagnostic::of_file(path, message));
        }
    };
    Err(Diagnostic::of_file(path, complaint))
}

/// Who writes the policy commands root, so only root may be able to; for a caller that is not root
/// (`validate` of a draft) the caller's own file will do.
///
/// An ACL needs no look of its own: its mask is what the group bits of the mode then show
/// (acl(5)), so an entry that grants write shows there.
fn permissions(path: &Path, file: &File, caller: u32) -> Vec<Diagnostic> {
    let whose = Whose { real: &file.path, uid: file.uid, mode: file.mode };
    judge(path, &whose, caller)
}

/// Another user who can put another file in the place of a policy, or who decides where a link to
/// it leads, writes the policy too.
pub(super) fn way(path: &Path, absolute: &Path) -> Option<Diagnostic> {
    match Host::live().trust_way(absolute) {
        Err(Refused::Distrusted(distrust)) => {
            let (fault, remedy) = (distrust.fault(), distrust.remedy());
            let message = format!("{fault}: who can change it decides what root does; {remedy}");
            Some(Diagnostic::of_file(path, message))
        }
        _ => None,
    }
}

/// A user who can put a file into a directory of fragments writes the policy.
pub(super) fn others_write(directory: &Path) -> Option<Diagnostic> {
    let Permissions { uid, mode, .. } = Host::live().permissions(directory)?;
    let real = Host::live().resolve(directory).ok()?.path;
    let whose = Whose { real: &real, uid, mode };
    let own = judge(directory, &whose, rustix::process::geteuid().as_raw()).into_iter().next();
    own.or_else(|| way(directory, directory))
}

struct Whose<'p> {
    real: &'p Path,
    uid: u32,
    mode: u32,
}

fn judge(path: &Path, file: &Whose<'_>, caller: u32) -> Vec<Diagnostic> {
    let mut complaints = Vec::new();
    let mut refuse = |message: String| complaints.push(Diagnostic::of_file(path, message));
    let real = shell_word(file.real);
    if file.uid != 0 && file.uid != caller {
        let owner = if caller == 0 { "root".to_owned() } else { format!("root or uid {caller}") };
        refuse(format!(
            "owned by uid {}, wanted {owner}: whoever owns the policy decides what root does; \
             mend with: chown root {real}",
            file.uid
        ));
    }
    if file.mode & 0o022 != 0 {
        refuse(format!(
            "mode {:04o} lets others than the owner write it, wanted {:04o}; mend with: chmod go-w \
             {real}",
            file.mode,
            file.mode & !0o022
        ));
    }
    complaints
}
