//! What the real ssh says about a tree: refused, or accepted with these values.
//!
//! `ssh -G -F FILE HOST` answers without connecting. Both files are copied to a shadow in which
//! one more file includes them, first the user's, then the system's: so `-F` judges them together,
//! and candidates before they are live. It runs what `Match exec` names and looks up names that are to
//! be made canonical, also in `ssh -G`. So in the shadow a criterion that no host meets stands before
//! `exec` (ssh then reads the line and all below it, and runs nothing), and the look-up is switched
//! off. [`Reading::as_judged`] is what the files say under these conditions.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Keyword;
use super::condition::{Attribute, Condition};
use super::evaluate::include::{Base, absolute};
use super::evaluate::{Reading, Setting, Step};
use super::tree::{Entry, Tree};
use crate::host::program::{NotRun, TrustedProgram};
use crate::host::{Host, HostError};
use crate::reconcile::Value;
use crate::sshd::dialect::Dialect;
use crate::sshd::judge::{Complaint, Dump, words};
use crate::sshd::shadow::Shadow;
use crate::sshd::syntax::{self, Directive};
use crate::sshd::tree;

/// Where ssh is installed.
const PROGRAMS: [&str; 2] = ["/usr/bin/ssh", "/usr/local/bin/ssh"];

/// Reading a few files takes milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// The file of the shadow that includes the others.
const BOTH: &str = "/keepalive-policy-both";

/// A name that hardly any pattern is meant for, and that can't exist: RFC 6761.
pub const NOBODY: &str = "keepalive-policy.invalid";

/// `CanonicalizePermittedCNAMEs none` is known since this release (its release notes; seen to keep
/// 9.2 from looking up).
const NO_CNAMES: (u16, u16) = (8, 8);

/// What ssh says about a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It works, with these values for each of the hosts that were asked about.
    Accepted(Vec<Dump>),
    /// It ends with an error, for every host. At least one complaint.
    Refused(Vec<Complaint>),
    /// It was not asked, and why.
    Unasked(String),
    /// There is no ssh on this machine, or nothing that it could be asked about.
    NoSsh,
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
    let mut others = dump.values.clone();
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
    let options = match options(reading) {
        Ok(options) => options,
        Err(reason) => return Ok(Verdict::Unasked(reason)),
    };
    let program = match program() {
        Ok(Some(program)) => program,
        Ok(None) => return Ok(Verdict::NoSsh),
        Err(not_run) => return Ok(Verdict::Unasked(not_run.to_string())),
    };
    let rewrite =
        |path: &Path, bytes: &[u8], prefix: &[u8]| copy(tree, path, bytes, prefix, reading);
    let shadow = Shadow::write_as(host, &plain(tree), rewrite)?;
    let mut dumps = Vec::with_capacity(hosts.len());
    for name in hosts {
        let main = shadow.main().as_os_str();
        let asked = [OsStr::new("-G"), OsStr::new("-F"), main, OsStr::new(name)];
        let options = options.iter().map(OsStr::new);
        let output = program.run(options.chain(asked), LIMIT)?;
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

/// The options that keep ssh from looking up names; or why it must not be asked, or would be asked
/// about something else.
fn options(reading: &Reading) -> Result<&'static [&'static str], String> {
    if let Some(source) = reading.opaque.first() {
        return Err(format!("{source}: depends on more than the files"));
    }
    let sets = |wanted: Setting| {
        reading.steps.iter().any(|step| matches!(step, Step::Set { what, .. } if *what == wanted))
    };
    // A permitted CNAME is looked up even where CanonicalizeHostname is no.
    if sets(Setting::PermittedCnames) {
        return if reading.dialect.version() < NO_CNAMES {
            Err("CanonicalizePermittedCNAMEs: asking ssh would look host names up".to_owned())
        } else {
            Ok(&["-oCanonicalizeHostname=no", "-oCanonicalizePermittedCNAMEs=none"])
        };
    }
    Ok(if sets(Setting::Canonicalize(true)) { &["-oCanonicalizeHostname=no"] } else { &[] })
}

/// The tree as the shadow's writer takes it.
fn plain(tree: &Tree) -> tree::Tree {
    let empty = |real: &str| tree::Entry::File { bytes: [].into(), real: real.into() };
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
    for line in syntax::each(bytes, &reading.dialect) {
        let changed = if line.is("Include") {
            include(&line, base, prefix, &reading.dialect)
        } else if line.is("Match") {
            without_exec(&line, &reading.dialect)
        } else {
            None
        };
        let Some(changed) = changed else { continue };
        copy.extend_from_slice(bytes.get(copied..line.span.start).unwrap_or_default());
        copy.extend(changed);
        copy.push(b'\n');
        copied = line.span.end;
    }
    copy.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    copy
}

/// An `Include` line that names the shadow's files; `None` where it can stay as it is.
fn include(line: &Directive, base: Base<'_>, prefix: &[u8], dialect: &Dialect) -> Option<Vec<u8>> {
    let arguments = line.arguments.as_deref().unwrap_or_default();
    let patterns = arguments.iter().map(|one| absolute(&one.bytes, base, dialect));
    let patterns = patterns.collect::<Result<Vec<_>, _>>().ok()?;
    // `Include # why` reads nothing, and ssh refuses the keyword alone.
    if patterns.is_empty() {
        return None;
    }
    let mut changed = b"Include".to_vec();
    for pattern in patterns {
        changed.push(b' ');
        changed.extend(word(&[prefix, &pattern].concat()));
    }
    Some(changed)
}

/// A `Match exec` line that no host meets, so that ssh runs nothing and reads on (measured on 9.2
/// for `exec`, `!exec`, `exec=`, after `host` and after `final`).
fn without_exec(line: &Directive, dialect: &Dialect) -> Option<Vec<u8>> {
    let condition = Condition::parse(line, dialect).ok()?;
    let Condition::Match(criteria) = &condition else { return None };
    if !condition.has(Attribute::Exec) {
        return None;
    }
    // `all` stands beside one criterion at most. ssh expands `${NAME}` also in a command that it
    // doesn't run, and ends where the variable is unset, as here every one is.
    let alone = criteria.iter().any(|one| {
        one.attribute == Attribute::All
            || one.attribute == Attribute::Exec && one.pattern.windows(2).any(|two| two == b"${")
    });
    let never = b"Match originalhost !*";
    Some(if alone { never.to_vec() } else { [never.as_slice(), b" ", rest(line)].concat() })
}

/// What follows the keyword: a line end would end the copy's line too early.
fn rest(line: &Directive) -> &[u8] {
    let rest = line.rest.as_slice();
    rest.strip_suffix(b"\n").unwrap_or(rest)
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
