//! What the real ssh says about a tree: refused, or accepted with these values.
//!
//! `ssh -G -F FILE HOST` answers without connecting. Both files are copied to a shadow in which
//! one more file includes them, first the user's, then the system's: so `-F` judges them together,
//! and candidates before they are live. `Match exec` would be run by it, as root for the host's
//! own files: such a tree is never shown to it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Keyword;
use super::evaluate::include::{Base, absolute};
use super::evaluate::{Reading, Setting, Step};
use super::tree::{Entry, Tree};
use crate::host::program::{NotRun, TrustedProgram};
use crate::host::{Host, HostError};
use crate::reconcile::Value;
use crate::sshd::dialect::Dialect;
use crate::sshd::judge::{Complaint, Dump, words};
use crate::sshd::shadow::Shadow;
use crate::sshd::{syntax, tree};

/// Where ssh is installed.
const PROGRAMS: [&str; 2] = ["/usr/bin/ssh", "/usr/local/bin/ssh"];

/// Reading a few files takes milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// The file of the shadow that includes the others.
const BOTH: &str = "/keepalive-policy-both";

/// A name that hardly any pattern is meant for, and that can't exist: RFC 6761.
pub const NOBODY: &str = "keepalive-policy.invalid";

/// What ssh says about a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It works, with these values for each of the hosts that were asked about.
    Accepted(Vec<Dump>),
    /// It ends with an error, for every host. At least one complaint.
    Refused(Vec<Complaint>),
    /// It was not asked, and why.
    Unasked(String),
}

/// The ssh of this machine.
///
/// # Errors
/// Why it must not be run.
pub fn program() -> Result<Option<TrustedProgram>, NotRun> {
    TrustedProgram::first(&PROGRAMS)
}

/// The grammar of the ssh that this machine has.
///
/// # Errors
/// When it is there and can't be run.
pub fn dialect() -> Result<Dialect, HostError> {
    let Ok(Some(program)) = program() else { return Ok(Dialect::default().of_client()) };
    let said = program.run([OsStr::new("-V")], LIMIT)?;
    Ok(Dialect::from_banner(&[said.stderr, said.stdout].concat()).unwrap_or_default().of_client())
}

/// A keepalive value that ssh printed.
#[must_use]
pub fn value(dump: &Dump, keyword: Keyword) -> Option<Value> {
    let text = dump.first(&keyword.name().to_ascii_lowercase())?;
    match keyword {
        Keyword::TcpKeepAlive => super::value::flag(text.as_bytes()).ok().map(Value::Bool),
        _ => text.parse().ok().map(Value::Number),
    }
}

/// The other keywords, of which an edit of ours must change none.
#[must_use]
pub fn others(dump: &Dump) -> BTreeMap<String, Vec<String>> {
    let governed = Keyword::ALL.map(|keyword| keyword.name().to_ascii_lowercase());
    let mut others = dump.0.clone();
    others.retain(|keyword, _| !governed.contains(keyword));
    others
}

/// Asks ssh about `tree`, whose reading this is, for each of `hosts`.
///
/// # Errors
/// When ssh can't be run or the shadow not written, which says nothing about the tree.
pub fn judge(
    host: &Host,
    tree: &Tree,
    reading: &Reading,
    hosts: &[&str],
) -> Result<Verdict, HostError> {
    if let Some(refused) = refused(reading) {
        return Ok(Verdict::Refused(refused));
    }
    if let Some(reason) = obstacle(reading) {
        return Ok(Verdict::Unasked(reason));
    }
    let program = match program() {
        Ok(Some(program)) => program,
        Ok(None) => {
            return Ok(Verdict::Unasked("no ssh on this machine could judge it".to_owned()));
        }
        Err(not_run) => return Ok(Verdict::Unasked(not_run.to_string())),
    };
    let rewrite =
        |path: &Path, bytes: &[u8], prefix: &[u8]| copy(tree, path, bytes, prefix, reading);
    let shadow = Shadow::write_as(host, &plain(tree), rewrite)?;
    let mut dumps = Vec::with_capacity(hosts.len());
    for name in hosts {
        let main = shadow.main().as_os_str();
        let arguments = [OsStr::new("-G"), OsStr::new("-F"), main, OsStr::new(name)];
        let output = program.run(arguments, LIMIT)?;
        if !output.success() {
            let text = shadow.real_paths(&output.stderr);
            let files = tree.entries.keys().map(PathBuf::as_path).collect();
            return Ok(Verdict::Refused(words::complaints_about(&text, files, "ssh")));
        }
        dumps.push(Dump::parse(&shadow.real_paths(&output.stdout), None));
    }
    Ok(Verdict::Accepted(dumps))
}

/// What we know it refuses; in the shadow owners and modes would be ours.
fn refused(reading: &Reading) -> Option<Vec<Complaint>> {
    let complaints = reading.refusals.iter().map(|refusal| Complaint {
        file: Some(refusal.file.clone()),
        line: refusal.line,
        message: refusal.message.clone(),
    });
    Some(complaints.collect()).filter(|all: &Vec<_>| !all.is_empty())
}

/// Why ssh must not be asked, or would be asked about something else.
fn obstacle(reading: &Reading) -> Option<String> {
    if let Some(source) = reading.runs_commands() {
        return Some(format!("{source}: Match exec: asking ssh would run the command"));
    }
    if let Some(source) = reading.opaque.first() {
        return Some(format!("{source}: depends on more than the files"));
    }
    let resolves =
        |step: &Step| matches!(step, Step::Set { what: Setting::Canonicalize(true), .. });
    let resolves = reading.steps.iter().any(resolves);
    resolves.then(|| "host names are made canonical: asking ssh would look them up".to_owned())
}

/// The tree as the shadow's writer takes it.
fn plain(tree: &Tree) -> tree::Tree {
    let empty = |real: &str| tree::Entry::File { bytes: Vec::new(), real: real.into() };
    let mut entries = BTreeMap::from([(PathBuf::from(BOTH), empty(BOTH))]);
    for (path, entry) in &tree.entries {
        let entry = match entry {
            _ if tree.is_unreadable(path) => continue,
            Entry::File { bytes, real, .. } => {
                tree::Entry::File { bytes: bytes.clone(), real: real.clone() }
            }
            Entry::Directory { .. } => tree::Entry::Directory,
            Entry::Dangling => tree::Entry::Dangling,
            Entry::Unreadable | Entry::Opaque => continue,
        };
        entries.insert(path.clone(), entry);
    }
    tree::Tree { main: BOTH.into(), entries }
}

/// The copy of a file: `Include` lines name the shadow's files.
fn copy(tree: &Tree, path: &Path, bytes: &[u8], prefix: &[u8], reading: &Reading) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let below = |path: &Path| word(&[prefix, path.as_os_str().as_bytes()].concat());
    if path == Path::new(BOTH) {
        let files = tree.user.iter().map(|user| user.path.as_path()).chain([tree.system.as_path()]);
        let words: Vec<Vec<u8>> = files.map(below).collect();
        return [b"Include ", words.join(&b' ').as_slice(), b"\n"].concat();
    }
    let base = match &tree.user {
        Some(user) if reads_as_users(tree, path) => Base::User(&user.home),
        _ => Base::System,
    };
    let mut copy = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for line in syntax::directives(bytes, &reading.dialect).iter().filter(|d| d.is("Include")) {
        let arguments = line.arguments.as_deref().unwrap_or_default();
        let patterns = arguments.iter().map(|one| absolute(&one.bytes, base, &reading.dialect));
        let Ok(patterns) = patterns.collect::<Result<Vec<_>, _>>() else { continue };
        // `Include # why` reads nothing, and ssh refuses the keyword alone.
        if patterns.is_empty() {
            continue;
        }
        copy.extend_from_slice(bytes.get(copied..line.span.start).unwrap_or_default());
        copy.extend_from_slice(b"Include");
        for pattern in patterns {
            copy.push(b' ');
            copy.extend(word(&[prefix, &pattern].concat()));
        }
        copy.push(b'\n');
        copied = line.span.end;
    }
    copy.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    copy
}

/// Whether a file's relative patterns begin in `~/.ssh`. One that both files include is taken for
/// the system's.
fn reads_as_users(tree: &Tree, path: &Path) -> bool {
    tree.user.as_ref().is_some_and(|user| path.starts_with(&user.home) || path == user.path)
}

/// One word for the tokeniser. What follows a backslash stays for the glob.
fn word(bytes: &[u8]) -> Vec<u8> {
    let mut word = Vec::with_capacity(bytes.len() + 2);
    word.push(b'"');
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            word.push(b'\\');
        }
        word.push(*byte);
    }
    word.push(b'"');
    word
}
