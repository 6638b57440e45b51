//! Asking an sshd for its grammar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Dialect, Include};
use crate::host::{Host, HostError};
use crate::reconcile::Value;
use crate::sshd::Keyword;
use crate::sshd::judge::{Daemon, Verdict, judge_with_spare_key};
use crate::sshd::syntax::prefix_includes;
use crate::sshd::tree::{Entry, Tree};

const LIMIT: Duration = Duration::from_secs(10);

/// What the question's block sets: no release's default.
const ANSWER: i64 = 7;

/// The grammar of the sshd that judges trees; the usual one where there is none that may be run.
///
/// # Errors
/// When it is there and can't be asked.
pub fn ask(host: &Host, daemon: Daemon<'_>) -> Result<Dialect, HostError> {
    let Ok(Some(program)) = daemon.program.find() else { return Ok(Dialect::default()) };
    let said = program.run(["-V"], LIMIT)?;
    let banner = [said.stderr, said.stdout].concat();
    let mut dialect = Dialect::from_banner(&banner).unwrap_or_default();
    if dialect.too_old().is_some() {
        return Ok(dialect);
    }
    if dialect.needs_asking() {
        dialect.include = include(host, daemon)?;
    }
    if dialect.must_be_asked_for_relative_includes() {
        dialect.relative_includes = reads_relative_includes(host, daemon)?;
    }
    if dialect.must_be_asked_for_words() {
        dialect.true_and_false = takes_true_and_false(host, daemon)?;
    }
    Ok(dialect)
}

/// What becomes of a block in a file that is included before any other.
pub(in crate::sshd) fn include(host: &Host, daemon: Daemon<'_>) -> Result<Include, HostError> {
    let (main, included) = ("/etc/ssh/sshd_config", "/etc/ssh/included");
    // 8.2 also sets the value of the included block at its start, unless one is set before it.
    let first = format!("ClientAliveInterval {}\nInclude {included}\n", ANSWER - 1);
    let block = format!("Match all\nClientAliveInterval {ANSWER}\n");
    let verdict = judge(host, daemon, &[(main, first), (included, block)])?;
    Ok(match verdict {
        Verdict::Accepted(dump) => {
            let value = dump.value(Keyword::ClientAliveInterval);
            if value == Some(Value::Number(ANSWER)) {
                Include::Sound
            } else {
                Include::ForgetsBlocks
            }
        }
        _ => Include::Missing,
    })
}

/// Whether it finds a file of the shadow by a pattern that is relative to `/etc/ssh`, and so leads
/// there from `/`. The shadow has it as it stands: an absolute pattern would be read in any case.
pub(in crate::sshd) fn reads_relative_includes(
    host: &Host,
    daemon: Daemon<'_>,
) -> Result<bool, HostError> {
    let included = "/etc/ssh/included";
    let main = "/etc/ssh/sshd_config";
    let text = format!("ClientAliveInterval {ANSWER}\n");
    let tree = tree(&[(main, String::new()), (included, text)]);
    let daemon = Daemon { options: &[], ..daemon };
    let verdict = judge_with_spare_key(host, &tree, daemon, |path, bytes, prefix| {
        if path != Path::new(main) {
            return bytes.to_vec();
        }
        [b"Include ../..", prefix, included.as_bytes(), b"\n"].concat()
    })?;
    Ok(match verdict {
        Verdict::Accepted(dump) => {
            dump.value(Keyword::ClientAliveInterval) == Some(Value::Number(ANSWER))
        }
        _ => false,
    })
}

/// Whether it takes `true` for `TCPKeepAlive`.
fn takes_true_and_false(host: &Host, daemon: Daemon<'_>) -> Result<bool, HostError> {
    let line = "TCPKeepAlive true\n".to_owned();
    let verdict = judge(host, daemon, &[("/etc/ssh/sshd_config", line)])?;
    Ok(matches!(verdict, Verdict::Accepted(_)))
}

/// What it says of these files, the first of which is the main one. A host without host keys, as a
/// golden image is, says nothing about the grammar: sshd gets a key of ours.
fn judge(host: &Host, daemon: Daemon<'_>, files: &[(&str, String)]) -> Result<Verdict, HostError> {
    let daemon = Daemon { options: &[], ..daemon };
    judge_with_spare_key(host, &tree(files), daemon, |_, bytes, prefix| {
        prefix_includes(bytes, prefix, &Dialect::default())
    })
}

fn tree(files: &[(&str, String)]) -> Tree {
    let mut entries = BTreeMap::new();
    for (path, text) in files {
        let real = PathBuf::from(path);
        entries.insert(real.clone(), Entry::File { bytes: text.as_bytes().into(), real });
    }
    let main = files.first().map(|(path, _)| PathBuf::from(path)).unwrap_or_default();
    Tree { main, entries }
}
