//! Asking an sshd for its grammar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Dialect, Include};
use crate::host::{Host, HostError};
use crate::reconcile::Value;
use crate::sshd::Keyword;
use crate::sshd::judge::{self, Connection, Daemon, Verdict};
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
    if dialect.needs_asking() {
        dialect.include = include(host, daemon)?;
    }
    Ok(dialect)
}

/// What becomes of a block in a file that is included before any other.
pub(super) fn include(host: &Host, daemon: Daemon<'_>) -> Result<Include, HostError> {
    let file = |path: &str, text: String| {
        let real = PathBuf::from(path);
        (real.clone(), Entry::File { bytes: text.into_bytes(), real })
    };
    let (main, included) = ("/etc/ssh/sshd_config", "/etc/ssh/included");
    let block = format!("Match all\nClientAliveInterval {ANSWER}\n");
    let entries =
        BTreeMap::from([file(main, format!("Include {included}\n")), file(included, block)]);
    let tree = Tree { main: Path::new(main).to_owned(), entries };
    let daemon = Daemon { options: &[], ..daemon };
    let verdicts = judge::judge_for(host, &tree, daemon, &[Connection::default()])?;
    Ok(match verdicts.first() {
        Some(Verdict::Accepted(dump)) => {
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
