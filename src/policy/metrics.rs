//! `[metrics]` and `[witness]`: what the daemon tells others, and what it asks the kernel to tell it.

use std::path::{Component, Path, PathBuf};

use super::findings::Findings;
use super::table::Entries;

/// The file for the node exporter, which takes up names that end in `.prom` and no others.
pub(super) fn textfile(entries: &Entries<'_>, findings: &mut Findings<'_>) -> Option<PathBuf> {
    let entry = entries.get("textfile")?;
    let path = entry.value.get_ref().as_str().map(Path::new).filter(|path| is_usable(path));
    if path.is_none() {
        findings.wrong(
            entry,
            "an absolute path that ends in .prom, textfile = \"/run/keepalive-policy/metrics.prom\"",
        );
    }
    path.map(Path::to_owned)
}

fn is_usable(path: &Path) -> bool {
    path.is_absolute()
        && path.extension().is_some_and(|extension| extension == "prom")
        && !path.components().any(|part| part == Component::ParentDir)
        && !path.to_string_lossy().chars().any(char::is_control)
}

/// Whether to ask the kernel who writes.
pub(super) fn witness(entries: &Entries<'_>, findings: &mut Findings<'_>) -> bool {
    entries.get("enabled").and_then(|entry| findings.boolean(entry)).unwrap_or(false)
}
