//! What a look finds: the rows of `check`, and the problems.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use crate::escape;

/// One declared setting in one context: a row of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `sysctl`, `sshd_config`, `ssh_config`.
    pub resource: &'static str,
    /// Its native name, `net.ipv4.tcp_keepalive_time`, `ClientAliveInterval`.
    pub name: &'static str,
    /// For whom or when: `live`, `boot`, `global`, `Match User bob`, [`LISTENER`]; for a declared
    /// instance of sshd with its unit before it, `sftp.service: global`.
    pub context: String,
    /// What the policy declares.
    pub desired: Value,
    /// What is in force; `None` where nothing sets the value, or it can't be told.
    pub effective: Option<Value>,
    /// The file and line that decide; `None` for a default or a live value.
    pub source: Option<Source>,
    /// Whether the effective value is the desired one.
    pub compliant: bool,
}

/// The context of what a running sshd still uses, though the files say otherwise by now.
pub const LISTENER: &str = "listener";

impl Setting {
    /// Whether this is about what a running sshd loaded, and not about its files.
    #[must_use]
    pub fn is_of_listener(&self) -> bool {
        self.context.rsplit(' ').next() == Some(LISTENER)
    }

    /// Whether both rows are about the same setting in the same context.
    #[must_use]
    pub fn same_row(&self, other: &Self) -> bool {
        (self.resource, self.name, &self.context) == (other.resource, other.name, &other.context)
    }
}

/// A value as the contract's JSON writes it: a boolean, or a number of seconds or of probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `TCPKeepAlive`.
    Bool(bool),
    /// Seconds, or a count.
    Number(i64),
}

impl Display for Value {
    /// As sshd and the kernel write it: `yes`, `no`, `120`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(true) => f.write_str("yes"),
            Self::Bool(false) => f.write_str("no"),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

/// The place that a value comes from, as the host names it (without `--root`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source {
    /// The file; bytes that are not UTF-8 are replaced when it is serialised.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// Its line, from 1, counted by newlines as an editor does.
    pub line: usize,
}

impl Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", escape::path(&self.file), self.line)
    }
}

/// How much a problem matters to the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The effective values can't be told or may not be touched: `check` exits 2.
    Blocked,
    /// The policy can't be enforced as it stands, and why.
    Conflict,
    /// Worth knowing; changes nothing.
    Notice,
}

/// Something in the way, with the place to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The resource it was found in.
    pub resource: &'static str,
    /// The file, as the host names it.
    #[serde(serialize_with = "lossy_option")]
    pub file: Option<PathBuf>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// What was found, what is wanted, what happens next.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Problem {
    /// A problem of no particular file.
    #[must_use]
    pub fn new(resource: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self { resource, file: None, line: None, message: message.into(), severity }
    }

    /// The same problem, placed.
    #[must_use]
    pub fn at(mut self, file: impl Into<PathBuf>, line: Option<usize>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }
}

impl Display for Problem {
    /// On one line, whatever the message quotes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", escape::path(file))?,
            (Some(file), None) => write!(f, "{}: ", escape::path(file))?,
            (None, _) => {}
        }
        f.write_str(&escape::message(&self.message))
    }
}

/// A path as data. One that is not UTF-8 would be refused otherwise, and with it all that stands beside it.
pub(crate) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

#[expect(clippy::ref_option, reason = "the signature that serialize_with calls")]
fn lossy_option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy(path, serializer),
        None => serializer.serialize_none(),
    }
}
