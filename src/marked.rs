//! How files and blocks of ours are marked, found again, and taken out.

use std::path::Path;

pub mod foreign;

/// Begins every file of ours, and tells it from a stranger's of the same name.
pub const HEADER: &str = "# Written by keepalive-policy";
const BEGIN: &str = "# BEGIN keepalive-policy";
const END: &str = "# END keepalive-policy";

/// The first lines of a file of ours; `policy` is the file to name to the reader.
#[must_use]
pub fn header(policy: &Path) -> String {
    format!(
        "{HEADER} from {}; a change made here is undone.\n\
         # To undo this file: change the policy, or run `keepalive-policy restore`.\n",
        shown(policy),
    )
}

/// A marked block of `lines` for a file that ends its lines as `file` does.
#[must_use]
pub fn block(lines: &str, policy: &Path, undo: &str, file: &[u8]) -> Vec<u8> {
    let first_line = file.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let end = if first_line.ends_with(b"\r\n") { "\r\n" } else { "\n" };
    let policy = shown(policy);
    format!("{BEGIN}: written from {policy}; undone by `{undo}`\n{lines}{END}\n")
        .replace('\n', end)
        .into_bytes()
}

fn shown(policy: &Path) -> String {
    // A control character would end the comment, or worse.
    policy.to_string_lossy().replace(char::is_control, "?")
}

/// Whether a file at one of our paths has our header.
#[must_use]
pub fn has_header(content: &[u8]) -> bool {
    content.starts_with(HEADER.as_bytes())
}

/// Whether a marked block of ours begins in the file.
#[must_use]
pub fn has_block(file: &[u8]) -> bool {
    file.split(|byte| *byte == b'\n').any(|line| is_marker(line, BEGIN))
}

/// Where our marked block begins, if there is exactly one.
#[must_use]
pub fn place(file: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut places = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        if is_marker(line, BEGIN) {
            places.push(at);
        }
        at += line.len();
    }
    match places.as_slice() {
        [place] => Some(*place),
        _ => None,
    }
}

/// The file without our marked blocks. Lines that somebody added to a block stay, those that are
/// not `ours`; of a block whose end is missing, what can only be ours goes.
#[must_use]
pub fn strip(file: &[u8], ours: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let mut kept = Vec::with_capacity(file.len());
    let mut rest = lines.as_slice();
    while let Some((line, after)) = rest.split_first() {
        rest = after;
        if !is_marker(line, BEGIN) {
            kept.extend_from_slice(line);
            continue;
        }
        let end = after
            .iter()
            .position(|line| is_marker(line, END) || is_marker(line, BEGIN))
            .filter(|end| after.get(*end).is_some_and(|line| is_marker(line, END)));
        let length = end.unwrap_or_else(|| after.iter().take_while(|line| ours(line)).count());
        let (block, behind) = after.split_at_checked(length).unwrap_or((after, &[]));
        kept.extend(block.iter().filter(|line| !ours(line)).flat_map(|line| line.iter()));
        rest = behind.get(usize::from(end.is_some())..).unwrap_or_default();
    }
    kept
}

/// How the comments begin that we write into our own files; all that any release of ours wrote.
const COMMENTS: [&str; 5] = [
    HEADER,
    "# To undo this file: change the policy, or run `keepalive-policy",
    "# The values are declared in ",
    "# \"keepalive-policy restore\" puts back",
    "# The first block that matches wins: these values hold in every block.",
];

/// What a line of a file of ours is, other than a comment of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A setting of ours.
    Ours,
    /// Begins a block of ours.
    OurBlock,
    /// Begins a block.
    Block,
    /// Anything else, comments among it.
    Theirs,
}

/// The lines that others have put into a file of ours. They are kept, whatever becomes of ours: when
/// the file is written anew, when it gets another name, and when ours is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strangers {
    /// Those before any block.
    pub top: Vec<u8>,
    /// Those in or behind our block, and all blocks of others.
    pub blocks: Vec<u8>,
    /// Whether the first of `blocks` stands in our block.
    pub in_our_block: bool,
    /// The number of the first, from 1.
    pub first: Option<usize>,
}

impl Strangers {
    /// Finds them. A setting of ours in a block of others is theirs.
    pub fn of(content: &[u8], kind: impl Fn(&[u8]) -> Line) -> Self {
        let mut found = Self::default();
        let (mut in_ours, mut in_theirs) = (false, false);
        for (index, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let comment = COMMENTS.iter().any(|comment| line.starts_with(comment.as_bytes()));
            let kind = kind(line);
            if !in_theirs {
                match kind {
                    _ if comment || line.trim_ascii().is_empty() => continue,
                    Line::Ours => continue,
                    Line::OurBlock if !in_ours => {
                        in_ours = true;
                        continue;
                    }
                    Line::OurBlock | Line::Block => in_theirs = true,
                    Line::Theirs => {}
                }
            }
            found.first.get_or_insert(index + 1);
            if found.blocks.is_empty() {
                found.in_our_block = in_ours && !in_theirs;
            }
            let place = if in_ours || in_theirs { &mut found.blocks } else { &mut found.top };
            place.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                place.push(b'\n');
            }
        }
        found
    }

    /// The file without ours; empty where nothing of others is in it. `our_block` is the line that
    /// begins our block.
    #[must_use]
    pub fn alone(&self, our_block: &[u8]) -> Vec<u8> {
        let begin = if self.in_our_block { our_block } else { b"" };
        [&self.top, begin, &self.blocks].concat()
    }
}

/// What is said of such lines.
pub const STRANGER: &str = "this line, and others below it that are not of our making, stay when this \
    file is written anew or taken back; they are better off in a file of their own";

fn is_marker(line: &[u8], marker: &str) -> bool {
    let behind = line.trim_ascii().strip_prefix(marker.as_bytes());
    behind.is_some_and(|behind| matches!(behind.first(), None | Some(b':' | b' ')))
}
