//! Our drop-in: its text, how it is recognised, and the names it may have.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::marked::{Line, Strangers};
use crate::sysctl::tree::{Directory, Entry, OURS, Tree};
use crate::sysctl::{Desired, file, key, proc_sys};

#[cfg(test)]
mod tests;

/// The name it has wherever that wins.
pub const NAME: &str = "99-zz-keepalive-policy.conf";

/// Every name of ours ends so.
const SUFFIX: &[u8] = crate::sysctl::tree::OUR_SUFFIX;

/// The names that are tried in turn: each sorts after those before it.
const LADDER: [&str; 4] =
    [NAME, "99-zzz-keepalive-policy.conf", "zz-keepalive-policy.conf", "zzz-keepalive-policy.conf"];

/// Begins the file, and tells it from somebody else's.
const MARK: &[u8] = b"# Written by keepalive-policy";

/// The longest name that a directory takes.
const NAME_MAX: usize = 255;

/// The text: a header that says whose it is and how to get rid of it, then every declared key, in
/// the plainest form, which every loader and every version of it reads alike.
pub fn text(policy: &Path, desired: &Desired) -> Vec<u8> {
    let policy = policy.to_string_lossy().replace(char::is_control, "?");
    let mut text = format!(
        "# Written by keepalive-policy; changes made here by hand are undone.\n\
         # The values are declared in {policy}: change them there.\n\
         # \"keepalive-policy restore\" puts back what was before.\n"
    );
    for (key, value) in &desired.values {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{} = {value}", key.name());
    }
    text.into_bytes()
}

/// The text with one more line, for a loader whose patterns find the setting by another path.
pub fn with_spelling(text: &[u8], spelling: &[u8], value: u32) -> Vec<u8> {
    [text, spelling, format!(" = {value}\n").as_bytes()].concat()
}

/// The names of our files in /etc/sysctl.d: with our suffix, and with our mark in them or recorded
/// as made by us and saying nothing else by now. A link is not ours, wherever it leads.
pub fn present(tree: &Tree) -> Vec<Vec<u8>> {
    let Some(directory) = tree.directory(OURS) else { return Vec::new() };
    let ours = |(name, entry): (&Vec<u8>, &Entry)| match entry {
        Entry::File(real) => {
            name.ends_with(SUFFIX)
                && *real == directory.real.join(OsStr::from_bytes(name))
                && (tree.content(real).starts_with(MARK)
                    || tree.made_by_us.as_ref() == Some(real)
                        && says_nothing_else(tree.content(real)))
        }
        Entry::Nothing | Entry::Dangling => false,
    };
    directory.names.iter().filter(|entry| ours(*entry)).map(|(name, _)| name.clone()).collect()
}

/// Whether none but our settings are in a file: somebody replaced ours by a short one, and nothing
/// else gets lost with it.
fn says_nothing_else(content: &[u8]) -> bool {
    let statements = [file::systemd(content), file::procps(content)].concat();
    statements.iter().all(|statement| {
        proc_sys::setting(&[proc_sys::ROOT, b"/", &key::normalise(statement.key)].concat())
            .is_some()
    })
}

/// What others have put into a file of ours. A line that is about our settings alone is ours, by
/// whatever spelling: it is drift.
pub fn strangers(content: &[u8]) -> Strangers {
    Strangers::of(content, |line| {
        let statements = [file::systemd(line), file::procps(line)].concat();
        let is_comment = statements.is_empty();
        if !is_comment && says_nothing_else(line) { Line::Ours } else { Line::Theirs }
    })
}

/// Our files in which others have put something, by real path, with the first line of theirs.
pub fn shared(tree: &Tree) -> Vec<(PathBuf, usize)> {
    let Some(directory) = directory(tree) else { return Vec::new() };
    let mut shared = Vec::new();
    for name in present(tree) {
        let real = directory.join(OsStr::from_bytes(&name));
        if let Some(first) = strangers(tree.content(&real)).first {
            shared.push((real, first));
        }
    }
    shared
}

/// Whether a content is that of our drop-in, and not what is left of others when ours is taken out.
pub fn has_mark(content: &[u8]) -> bool {
    content.starts_with(MARK)
}

/// The real path of the drop-in that the tree was given last, or that it was found with.
pub fn made(tree: &Tree) -> Option<PathBuf> {
    let name = present(tree).into_iter().next()?;
    Some(directory(tree)?.join(OsStr::from_bytes(&name)))
}

/// Whether somebody put something at our name that reads as nothing, the usual way of saying that
/// a drop-in is not wanted.
pub fn is_masked(tree: &Tree) -> bool {
    let entry = tree.directory(OURS).and_then(|directory| directory.names.get(NAME.as_bytes()));
    matches!(entry, Some(Entry::Nothing | Entry::Dangling))
}

/// Whether our name is taken by a file that is not ours.
pub fn is_taken(tree: &Tree) -> bool {
    let entry = tree.directory(OURS).and_then(|directory| directory.names.get(NAME.as_bytes()));
    entry.is_some() && !present(tree).iter().any(|name| name == NAME.as_bytes())
}

/// Where our files go; `None` when /etc/sysctl.d leads to where we write nothing.
pub fn directory(tree: &Tree) -> Option<PathBuf> {
    let real = tree.directory(OURS).map_or(Path::new(OURS), |directory| &directory.real);
    tree.may_edit(real).then(|| real.to_owned())
}

/// The names to try, in order: those present, so that nothing flaps, then the ladder, then one made
/// to sort right after `last`, the last of the names that set our keys.
pub fn candidates(tree: &Tree, last: Option<&[u8]>) -> Vec<Vec<u8>> {
    let present = present(tree);
    let made = last.and_then(|last| last.strip_suffix(b".conf")).map(|stem| {
        // '.' < '~': sorts after LAST.conf, whatever that is.
        [stem, b"~", SUFFIX].concat()
    });
    let mut names = present.clone();
    names.extend(LADDER.map(|name| name.as_bytes().to_vec()));
    names.extend(made);
    let mut candidates: Vec<Vec<u8>> = Vec::new();
    for name in names {
        let free = present.contains(&name) || !in_directory(tree.directory(OURS), &name);
        let elsewhere = tree
            .directories
            .iter()
            .filter(|found| Some(&found.real) != directory(tree).as_ref())
            .any(|found| in_directory(Some(found), &name));
        if free && !elsewhere && name.len() <= NAME_MAX && !candidates.contains(&name) {
            candidates.push(name);
        }
    }
    candidates
}

/// A name of ours as the system takes it.
pub fn os_name(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

fn in_directory(directory: Option<&Directory>, name: &[u8]) -> bool {
    directory.is_some_and(|directory| directory.names.contains_key(name))
}

impl Tree {
    /// The tree without our files, and with one of this name and text in `directory`. What others
    /// have put into one of ours stays in it.
    pub fn with_drop_in(&self, directory: &Path, file: Option<(&[u8], &[u8])>) -> Self {
        let mut tree = self.clone();
        let ours = present(self);
        tree.made_by_us = None;
        if tree.directory(OURS).is_none() {
            // The first in rank.
            let path = PathBuf::from(OURS);
            let real = directory.to_owned();
            tree.directories
                .insert(0, Directory { path, real, names: std::collections::BTreeMap::new() });
        }
        // Another one can be a link to it.
        for found in tree.directories.iter_mut().filter(|found| found.real == directory) {
            for name in &ours {
                let real = directory.join(OsStr::from_bytes(name));
                let rest = strangers(self.content(&real)).alone(b"");
                if rest.is_empty() {
                    found.names.remove(name);
                    tree.contents.remove(&real);
                } else {
                    tree.contents.insert(real, rest.into());
                }
            }
            if let Some((name, text)) = file {
                let real = directory.join(OsStr::from_bytes(name));
                let rest = match ours.iter().any(|ours| ours == name) {
                    true => strangers(self.content(&real)).alone(b""),
                    false => Vec::new(),
                };
                found.names.insert(name.to_vec(), Entry::File(real.clone()));
                tree.contents.insert(real.clone(), [text, &rest].concat().into());
                tree.made_by_us = Some(real);
            }
        }
        tree
    }
}
