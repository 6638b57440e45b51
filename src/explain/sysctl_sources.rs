//! Who decides about the kernel's values: the files of sysctl.d, in the order of their names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::sources::{Explanation, Loser};
use crate::reconcile::{Source, Value};
use crate::sysctl::boot;
use crate::sysctl::loader::{Attempt, Evaluation, Fate, Loader};
use crate::sysctl::tree::{Entry, Tree};
use crate::sysctl::value::Write;
use crate::sysctl::{Key, file, key, live, proc_sys};

/// Every setting: the value that the kernel uses now, then what the loaders would set. A loader
/// that comes to the same by the same lines as the one at boot is not shown again.
#[must_use]
pub fn explanations(boot: &boot::Observed, live: &live::Observed) -> Vec<Explanation> {
    let judged = boot.judge();
    let masked = masked(&boot.tree);
    let mut explanations = Vec::new();
    for key in Key::ALL {
        explanations.extend(now(key, live));
        let mut shown: Vec<Explanation> = Vec::new();
        for one in &judged {
            let Some((_, evaluation)) = one.settings.iter().find(|(found, _)| *found == key) else {
                continue;
            };
            let loader = one.context.scope.loader;
            let found = at_boot(key, one.context.name, loader, evaluation, &masked);
            let same = |known: &Explanation| {
                (known.effective, &known.source) == (found.effective, &found.source)
            };
            if !shown.iter().any(same) {
                shown.push(found);
            }
        }
        explanations.extend(shown);
    }
    explanations
}

fn now(key: Key, live: &live::Observed) -> Option<Explanation> {
    let value = live.values.get(&key)?.as_ref().ok()?;
    Some(Explanation {
        resource: "sysctl",
        name: key.name(),
        context: "live".to_owned(),
        effective: Some(Value::Number(*value)),
        source: None,
        rule: "what the kernel uses now, whoever wrote it last".to_owned(),
        losers: Vec::new(),
    })
}

fn at_boot(
    key: Key,
    context: &str,
    loader: Loader,
    evaluation: &Evaluation,
    masked: &[(Key, Loser)],
) -> Explanation {
    let winner = evaluation.winner();
    let rule = match winner.map(|winner| winner.fate) {
        Some(Fate::Written(Write::Set(_))) => match loader {
            Loader::SystemdSysctl => "the last line in the order of file names wins".to_owned(),
            Loader::Procps => {
                "the last line that the kernel takes wins; /etc/sysctl.conf is read last".to_owned()
            }
        },
        Some(Fate::Written(Write::Refused)) => {
            format!("the kernel refuses its text: it stays {}", key.kernel_default())
        }
        Some(_) => format!("an exclusion: it stays {}", key.kernel_default()),
        None => format!("no file sets it: the kernel's default, {}", key.kernel_default()),
    };
    let rule = match evaluation.left_out {
        0 => rule,
        more => format!("{rule}; {more} more lines before these are not listed"),
    };
    let why = |attempt: &Attempt| why(attempt, winner);
    let mut losers: Vec<Loser> =
        evaluation.losers().map(|attempt| loser(attempt, why(attempt))).collect();
    losers.extend(masked.iter().filter(|(found, _)| *found == key).map(|(_, loser)| loser.clone()));
    Explanation {
        resource: "sysctl",
        name: key.name(),
        context: context.to_owned(),
        effective: evaluation.effective().map(Value::Number),
        source: winner.map(|winner| winner.place.source()),
        rule,
        losers,
    }
}

fn loser(attempt: &Attempt, why: String) -> Loser {
    let value = attempt
        .text
        .as_ref()
        .map_or_else(|| "(exclusion)".to_owned(), |text| text.escape_ascii().to_string());
    Loser { source: attempt.place.source(), value, why }
}

fn why(attempt: &Attempt, winner: Option<&Attempt>) -> String {
    let later = winner.map(|winner| winner.place.source().to_string()).unwrap_or_default();
    match attempt.fate {
        Fate::Written(Write::Refused) => "the kernel refuses its text".to_owned(),
        Fate::Shielded => "a pattern, and an explicit line takes the key out of it".to_owned(),
        Fate::Exclusion => "an exclusion, which assigns nothing".to_owned(),
        Fate::Written(Write::Set(_)) | Fate::Replaced => format!("{later} comes later"),
    }
}

/// What files say that are not read, because a directory of higher rank has their name.
fn masked(tree: &Tree) -> Vec<(Key, Loser)> {
    let mut found = Vec::new();
    for (rank, directory) in tree.directories.iter().enumerate() {
        let higher = || tree.directories.iter().take(rank);
        // A directory by two names is one.
        if higher().any(|other| other.real == directory.real) {
            continue;
        }
        for (name, entry) in &directory.names {
            let mask = higher().find(|other| other.names.contains_key(name));
            let (Some(mask), Entry::File(real)) = (mask, entry) else { continue };
            let name = OsStr::from_bytes(name);
            let why = format!("masked by {}", mask.path.join(name).display());
            let file = directory.path.join(name);
            found.extend(statements(tree.content(real), &file, &why));
        }
    }
    found
}

fn statements(bytes: &[u8], path: &std::path::Path, why: &str) -> Vec<(Key, Loser)> {
    let statement = |statement: &file::Statement<'_>| {
        let target = [proc_sys::ROOT, b"/", &key::to_path(statement.key)].concat();
        let source = Source { file: PathBuf::from(path), line: statement.line };
        let value = statement.value?.escape_ascii().to_string();
        Some((proc_sys::setting(&target)?, Loser { source, value, why: why.to_owned() }))
    };
    file::systemd(bytes).iter().filter_map(statement).collect()
}
