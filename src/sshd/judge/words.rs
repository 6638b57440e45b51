//! sshd's complaints, with the file and line that each is about.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use crate::sshd::tree::Tree;

/// One complaint of sshd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The file, as the host names it; `None` for what is about no file of the tree.
    pub file: Option<PathBuf>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// sshd's words.
    pub message: String,
}

impl Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: {}", file.display(), self.message),
            (Some(file), None) => write!(f, "{}: {}", file.display(), self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

/// Beginnings of what sshd says and goes on: no reason of a refusal.
const HARMLESS: [&str; 6] = [
    "Deprecated option",
    "Unsupported option",
    "Unable to load host key",
    "Could not load host key",
    "rexec line",
    "terminating, ",
];

/// The complaints in what sshd wrote, real paths already in place; at least one. Warnings that
/// sshd survives are left out, unless there is nothing else.
#[must_use]
pub fn complaints(text: &str, tree: &Tree) -> Vec<Complaint> {
    let mut files: Vec<&Path> = tree.entries.keys().map(PathBuf::as_path).collect();
    files.push(&tree.main);
    complaints_about(text, files, "sshd")
}

/// The same about `files`, for what `program` wrote.
#[must_use]
pub fn complaints_about(text: &str, mut files: Vec<&Path>, program: &str) -> Vec<Complaint> {
    // The longest path first: one file's name may be the beginning of another's.
    files.sort_by_key(|file| std::cmp::Reverse(file.as_os_str().len()));
    let mut all: Vec<Complaint> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut complaint = complaint(line, &files);
        // "Missing Match criteria for User" comes on a line of its own, before the place.
        if complaint.message == "Bad Match condition"
            && let Some(reason) = all.pop_if(|previous| previous.file.is_none())
        {
            complaint.message = format!("Bad Match condition: {}", reason.message);
        }
        all.push(complaint);
    }
    if all.is_empty() {
        all.push(Complaint {
            file: None,
            line: None,
            message: format!("{program} gave no reason"),
        });
    }
    let without_keys = all.iter().any(|complaint| complaint.message.contains("no hostkeys"));
    let harmless = |message: &str| {
        let about_key = message.contains("load host key");
        HARMLESS.iter().any(|words| message.starts_with(words)) && !(about_key && without_keys)
    };
    if all.iter().any(|complaint| !harmless(&complaint.message)) {
        all.retain(|complaint| !harmless(&complaint.message));
    }
    all
}

fn complaint(text: &str, files: &[&Path]) -> Complaint {
    let command_line = text.strip_prefix("command-line").and_then(located);
    if let Some((_, message)) = command_line {
        let message = format!("an option of sshd's command line: {message}");
        return Complaint { file: None, line: None, message };
    }
    for file in files {
        let place = text.strip_prefix(&*file.to_string_lossy()).and_then(located);
        if let Some((line, message)) = place {
            let message = message.to_owned();
            return Complaint { file: Some((*file).to_owned()), line, message };
        }
    }
    Complaint { file: None, line: None, message: text.to_owned() }
}

/// What follows a file's name: `: line 3: text`, ` line 3: text`, `, line 3: text` or `: text`.
fn located(rest: &str) -> Option<(Option<usize>, &str)> {
    let bare = rest.trim_start_matches([':', ',']);
    if let Some(numbered) = bare.strip_prefix(" line ") {
        let digits = numbered.bytes().take_while(u8::is_ascii_digit).count();
        let (number, message) = numbered.split_at_checked(digits)?;
        if let (Ok(number), Some(message)) = (number.parse(), message.strip_prefix(':')) {
            return Some((Some(number), message.trim()));
        }
    }
    rest.strip_prefix(':').map(|message| (None, message.trim()))
}
