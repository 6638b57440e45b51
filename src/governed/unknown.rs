//! What a `restore` can't put back, because the record of it was lost or because it would do harm.

use std::path::{Path, PathBuf};

use crate::host::files::Node;
use crate::host::{Host, HostError};
use crate::marked;
use crate::originals::{Incomplete, Originals};
use crate::reconcile::{Problem, Resource, Severity};
use crate::record::Found;
use crate::ssh_client;
use crate::sshd::plan::place::Places;
use crate::sysctl::Key;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::Live;

#[cfg(test)]
mod tests;

/// Files of others in which a marked block of ours may stand.
const MAIN_FILES: [&str; 2] = ["/etc/ssh/sshd_config", "/etc/ssh/ssh_config"];

/// What can't be put back, one finding each. To be called before anything is: afterwards nothing
/// tells any more that we were here. Nothing where the record knows all, and where we never were.
#[must_use]
pub fn find(host: &Host) -> Vec<Problem> {
    match Originals::load(host) {
        Ok(Found::Known(originals)) => {
            let mut problems = harmful(&originals);
            if let Some(incomplete) = &originals.incomplete {
                problems
                    .extend(lost(host, &because(incomplete), |key| is_unknown(&originals, key)));
            }
            problems
        }
        Ok(Found::Unusable(unusable)) => {
            let reason = format!("{unusable}; it is kept beside this, and was not used");
            lost(host, &reason, |_| true)
        }
        Ok(Found::Absent) => match trace(host) {
            Some(path) => {
                let file = Originals::path(host);
                let (file, path) = (file.display(), path.display());
                lost(host, &format!("{file} is gone, though {path} is ours"), |_| true)
            }
            None => Vec::new(),
        },
        // The passes say so themselves, and change nothing.
        Err(_) => Vec::new(),
    }
}

/// Begins anew once everything was taken back and what is not known was said.
///
/// # Errors
/// When the record can't be written.
pub fn forget(host: &Host) -> Result<(), HostError> {
    let Found::Known(_) = Originals::load(host)? else { return Ok(()) };
    Originals::update(host, |originals| {
        originals.incomplete = None;
        originals.harmful.clear();
        originals.first_enforced.clear();
    })
}

fn because(incomplete: &Incomplete) -> String {
    match &incomplete.kept {
        Some(kept) => format!("{}; it is kept as {}", incomplete.reason, kept.display()),
        None => incomplete.reason.clone(),
    }
}

fn is_unknown(originals: &Originals, key: Key) -> bool {
    let recorded =
        originals.live.contains_key(key.name()) || originals.harmful.contains_key(key.name());
    let unknown = originals.incomplete.as_ref().and_then(|one| one.unknown.as_ref());
    !recorded && unknown.is_none_or(|unknown| unknown.contains(key.name()))
}

fn problem(message: String) -> Problem {
    Problem::new(Boot::NAME, Severity::Conflict, message)
}

fn harmful(originals: &Originals) -> Vec<Problem> {
    let not_put_back = |(name, value): (&String, &i64)| {
        problem(format!(
            "{name} was {value} before the policy, which harms connections: it is not put back, and \
             stays at what it is now"
        ))
    };
    originals.harmful.iter().map(not_put_back).collect()
}

fn lost(host: &Host, reason: &str, is_unknown: impl Fn(Key) -> bool) -> Vec<Problem> {
    let mut problems = vec![problem(format!(
        "the record of what was there before the policy was lost ({reason}). What has our mark was \
         taken back; what follows is not known"
    ))];
    if let Ok(observed) = Live::default().observe(host) {
        for (key, value) in observed.values {
            let Ok(value) = value else { continue };
            let default = key.kernel_default();
            let is_optional = key == Key::Retries2 && value == i64::from(default);
            if is_unknown(key) && !is_optional {
                let name = key.name();
                let default = match value == i64::from(default) {
                    true => "That is the kernel's default".to_owned(),
                    false => {
                        format!("The kernel's default is {default}: sysctl -w {name}={default}")
                    }
                };
                problems.push(problem(format!(
                    "{name} is {value} and stays: what it was before is not known. {default}"
                )));
            }
        }
    }
    problems.push(problem(copies(host)));
    problems
}

/// What there may be of others' files.
fn copies(host: &Host) -> String {
    let directory = Originals::copies(host);
    let kept = host.list(&directory).unwrap_or_default();
    if kept.is_empty() {
        return "whether a line of another file was edited (in /etc/sysctl.conf, /etc/sysctl.d), or a \
                file of others stood where ours was, is not known: there is no copy. Look there for \
                values of the policy"
            .to_owned();
    }
    let names: Vec<_> =
        kept.iter().map(|name| name.to_string_lossy().replace("%2F", "/")).collect();
    format!(
        "which lines of other files were edited is not known. Copies from before our first edit are in \
         {}, to be compared: /{}",
        directory.display(),
        names.join(", /")
    )
}

/// Something of ours that is there though no record is. Our sysctl drop-in is never made without one;
/// a release before this one recorded nothing for sshd and ssh, but left its locks.
fn trace(host: &Host) -> Option<PathBuf> {
    if let Ok(Some(path)) = Originals::own_sysctl_drop_in(host) {
        return Some(path);
    }
    let left = host.list(host.state_dir()).unwrap_or_default();
    if left.iter().any(|name| name.as_encoded_bytes().ends_with(b".lock")) {
        return None;
    }
    let content = |path: &Path| match host.read(path) {
        Ok(Node::File(file)) => file.bytes,
        _ => Vec::new(),
    };
    let places = Places::of(None);
    let mut own = places.paths().cloned().chain(ssh_client::place::own_paths());
    let main = || MAIN_FILES.iter().map(PathBuf::from);
    own.find(|path| marked::has_header(&content(path)))
        .or_else(|| main().find(|path| marked::has_block(&content(path))))
}
