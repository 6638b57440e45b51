//! What the real sshd says about a tree: refused, or accepted with these values.
//!
//! One run of `sshd -T -C lport=…` answers: it does all that `-t` does (host keys and the privilege
//! separation directory too), then evaluates the Match blocks as for a connection, and prints the
//! values. Plain `-T` would die of any `Match LocalPort`, and `-t` alone passes a cycle of
//! includes that later kills every login.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dialect::Dialect;
use super::service::program::Program;
use super::shadow::Shadow;
use super::tree::Tree;
use crate::host::command::Output;
use crate::host::program::TrustedProgram;
use crate::host::{Host, HostError};

pub mod connection;
pub mod dump;
pub mod example;
pub mod words;

#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use dump::Dump;
pub use words::Complaint;

/// ECDSA first: quick, and allowed in FIPS mode too. An sshd that was built without it takes another.
const KEY_KINDS: [&str; 3] = ["ecdsa", "ed25519", "rsa"];

const KEY_GENERATORS: [&str; 2] = ["/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"];

/// What sshd says when it can use none of its host keys.
const NO_KEYS: &str = "no hostkeys available";

/// Reading a few files takes milliseconds; a directory service that resolves the users of a
/// `Match Group` may take seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// What sshd says about a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would start with it, and use these values.
    Accepted(Dump),
    /// It would not start, or not let anybody in. At least one complaint.
    Refused(Vec<Complaint>),
    /// There is no sshd on this machine that could be asked.
    NoSshd,
    /// There is one, but which can't be known, or it must not be run: why, in a sentence.
    Unasked(String),
}

/// Which sshd is asked, and how it is started on this host.
#[derive(Debug, Clone, Copy)]
pub struct Daemon<'a> {
    /// The program that the service runs.
    pub program: &'a Program,
    /// The arguments of the running daemon that change its configuration (`-o`, `-p`, `-h`, …).
    /// `-f` is not among these: the tree has its own main file.
    pub options: &'a [OsString],
    /// Its grammar, by which its `Include` lines are found; the usual one where it is `None`.
    pub dialect: Option<&'a Dialect>,
}

impl Default for Daemon<'_> {
    fn default() -> Self {
        Self { program: &Program::Usual, options: &[], dialect: None }
    }
}

/// Asks sshd about `tree`, for a connection that matches no block but `Match all`.
///
/// # Errors
/// When sshd can't be run or asked, which says nothing about the tree.
pub fn judge(host: &Host, tree: &Tree, options: &[OsString]) -> Result<Verdict, HostError> {
    let daemon = Daemon { options, ..Daemon::default() };
    let verdicts = judge_for(host, tree, daemon, &[Connection::default()])?;
    Ok(verdicts.into_iter().next().unwrap_or(Verdict::NoSshd))
}

/// Asks `daemon` about `tree` for each of the connections; one verdict for each.
///
/// # Errors
/// When sshd can't be run or asked, which says nothing about the tree.
pub fn judge_for(
    host: &Host,
    tree: &Tree,
    daemon: Daemon<'_>,
    connections: &[Connection],
) -> Result<Vec<Verdict>, HostError> {
    // On the running machine root's question gets no spare key: host keys that are missing keep the
    // real sshd from starting.
    let has_own_keys = host.is_live() && rustix::process::geteuid().is_root();
    let usual = Dialect::default();
    let dialect = daemon.dialect.unwrap_or(&usual);
    let shadow = || Shadow::write(host, tree, dialect);
    ask_each(tree, daemon, connections, !has_own_keys, shadow)
}

/// Asks `daemon` what it makes of `tree`, whether or not there are host keys to start with: for a
/// question about sshd itself. `rewrite` makes the copy of a file, as for [`Shadow::write_as`].
///
/// # Errors
/// As [`judge_for`], and where sshd takes no kind of host key that we can make.
pub fn judge_with_spare_key(
    host: &Host,
    tree: &Tree,
    daemon: Daemon<'_>,
    rewrite: impl Fn(&Path, &[u8], &[u8]) -> Vec<u8>,
) -> Result<Verdict, HostError> {
    let shadow = || Shadow::write_as(host, tree, rewrite);
    let verdicts = ask_each(tree, daemon, &[Connection::default()], true, shadow)?;
    Ok(verdicts.into_iter().next().unwrap_or(Verdict::NoSshd))
}

fn ask_each(
    tree: &Tree,
    daemon: Daemon<'_>,
    connections: &[Connection],
    with_spare_key: bool,
    shadow: impl FnOnce() -> Result<Shadow, HostError>,
) -> Result<Vec<Verdict>, HostError> {
    if let Some(why) = daemon.dialect.and_then(Dialect::too_old) {
        return Ok(vec![Verdict::Unasked(why); connections.len()]);
    }
    let program = match daemon.program.find() {
        Ok(Some(program)) => program,
        Ok(None) => return Ok(vec![Verdict::NoSshd; connections.len()]),
        Err(why) => return Ok(vec![Verdict::Unasked(why); connections.len()]),
    };
    let shadow = shadow()?;
    let options = daemon.options;
    let kinds = KEY_KINDS.iter();
    let mut court = Court { tree, key: None, kinds, shadow: &shadow, program, options };
    if with_spare_key {
        court.make_next_key()?;
    }
    connections.iter().map(|connection| court.ask(connection.clone())).collect()
}

/// One tree before one sshd.
struct Court<'a> {
    tree: &'a Tree,
    shadow: &'a Shadow,
    /// A host key made for the occasion, where the real ones can't be read or don't matter.
    key: Option<PathBuf>,
    /// The kinds of keys that were not tried yet.
    kinds: std::slice::Iter<'static, &'static str>,
    program: TrustedProgram,
    options: &'a [OsString],
}

impl Court<'_> {
    /// Makes a host key of the next kind that ssh-keygen knows. Gives whether there is one.
    fn make_next_key(&mut self) -> Result<bool, HostError> {
        let generator = TrustedProgram::first(&KEY_GENERATORS)?
            .ok_or_else(|| unasked("ssh-keygen", "not installed, and sshd needs some host key"))?;
        let mut complaint = None;
        for kind in self.kinds.by_ref() {
            let key = self.shadow.directory().join(format!("host_key_{kind}"));
            let arguments = ["-q", "-t", kind, "-N", "", "-C", "", "-f"].map(OsStr::new);
            let made = generator.run(arguments.into_iter().chain([key.as_os_str()]), LIMIT)?;
            if made.success() {
                self.key = Some(key);
                return Ok(true);
            }
            complaint = Some(made.complaint());
        }
        match (complaint, &self.key) {
            (Some(complaint), None) => Err(unasked(generator.path(), &complaint)),
            _ => Ok(false),
        }
    }

    /// Asks until there is an answer. Every way round the loop removes one obstacle for good: an
    /// attribute that sshd misses, the missing directory, or a kind of host key that sshd has not.
    fn ask(&mut self, mut connection: Connection) -> Result<Verdict, HostError> {
        let mut made_directory = false;
        loop {
            let output = self.run(&connection)?;
            if output.success() {
                let text = self.shadow.real_paths(&output.stdout);
                let dump = Dump::parse(&text, self.key.as_deref());
                return Ok(Verdict::Accepted(Dump { asked: connection, ..dump }));
            }
            let text = self.shadow.real_paths(&output.stderr);
            if connection.supply_missing(&text) {
                continue;
            }
            if let (Some(directory), false) = (missing_directory(&text), made_directory) {
                made_directory = true;
                make_separation_directory(directory)?;
                continue;
            }
            if self.key.is_some() && text.contains(NO_KEYS) && self.make_next_key()? {
                continue;
            }
            if let Some(obstacle) = self.obstacle(&output, &text) {
                return Err(unasked(self.program.path(), &obstacle));
            }
            return Ok(Verdict::Refused(words::complaints(&text, self.tree)));
        }
    }

    fn run(&self, connection: &Connection) -> Result<Output, HostError> {
        let mut arguments: Vec<OsString> = vec!["-T".into(), "-f".into()];
        arguments.push(self.shadow.main().into());
        arguments.extend(["-C".into(), connection.specification()?.into()]);
        if let Some(key) = &self.key {
            arguments.extend(["-h".into(), key.into()]);
        }
        arguments.extend(self.options.iter().cloned());
        self.program.run(arguments, LIMIT)
    }

    /// Why sshd's failure says nothing about the tree, if it doesn't.
    fn obstacle(&self, output: &Output, text: &str) -> Option<String> {
        const NOT_THE_TREE: [&str; 8] = [
            "Missing privilege separation directory",
            "must be owned by root and not group or world-writable",
            "Privilege separation user",
            "Invalid test mode specification",
            "Invalid port",
            "error while loading shared libraries",
            "OpenSSL version mismatch",
            "usage: sshd",
        ];
        if output.code >= 126 && output.code != 255 {
            return Some(format!("ended with status {}: {}", output.code, text.trim()));
        }
        if text.trim().is_empty() {
            return Some(format!("ended with status {} and said nothing", output.code));
        }
        let no_keys = self.key.is_some() && text.contains(NO_KEYS);
        let line = text.lines().find(|line| NOT_THE_TREE.iter().any(|words| line.contains(words)));
        line.map(|line| line.trim().to_owned()).or_else(|| no_keys.then(|| text.trim().to_owned()))
    }
}

/// The directory that sshd misses. Debian has it only while ssh.service runs.
fn missing_directory(text: &str) -> Option<&Path> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix("Missing privilege separation directory: "))
        .map(Path::new)
        .filter(|path| path.is_absolute())
}

/// Makes it as sshd wants it. It is never removed again: an sshd that starts at that moment
/// would miss it.
fn make_separation_directory(path: &Path) -> Result<(), HostError> {
    Host::live().make_directory(path, 0o755)
}

fn unasked(program: impl AsRef<OsStr>, why: &str) -> HostError {
    HostError {
        path: PathBuf::from(program.as_ref()),
        action: "cannot be asked about the configuration",
        source: io::Error::other(why.to_owned()),
    }
}
