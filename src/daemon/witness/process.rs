//! Who a process is, read from /proc while it is still there.

use std::path::PathBuf;

use crate::host::Host;
use crate::host::files::Node;
use crate::report::journal::Writer;

/// Nobody logged in: the kernel's `(uid_t) -1`.
const NOBODY: &str = "4294967295";

/// Longer command lines are cut, in characters.
const LONGEST: usize = 200;

/// What can still be told of it.
#[must_use]
pub(super) fn describe(pid: i32) -> Writer {
    let read = |name: &str| text(&format!("/proc/{pid}/{name}"));
    let Some(command) = read("cmdline") else {
        let command = Some("gone before it could be looked at".to_owned());
        return Writer { pid: Some(pid), command, ..Writer::default() };
    };
    let words = command.trim_end_matches('\0').replace('\0', " ");
    let short = read("comm").map(|comm| comm.trim_end().to_owned());
    let words = Some(words).filter(|words| !words.is_empty()).or(short);
    Writer {
        name: None,
        pid: Some(pid),
        command: words.map(|words| shown(&words)),
        exe: std::fs::read_link(format!("/proc/{pid}/exe"))
            .ok()
            .map(|path| shown(&path.to_string_lossy())),
        unit: read("cgroup").as_deref().and_then(unit),
        login: read("loginuid").filter(|uid| uid.trim() != NOBODY).map(|uid| user(uid.trim())),
    }
}

/// The unit or scope of a v2 cgroup, `0::/system.slice/cron.service`; of systemd's own hierarchy
/// where there are several.
pub(super) fn unit(cgroup: &str) -> Option<String> {
    let is_unit = |part: &&str| [".service", ".scope"].iter().any(|end| part.ends_with(end));
    cgroup
        .lines()
        .filter_map(|line| line.strip_prefix("0::").or_else(|| line.split(":name=systemd:").nth(1)))
        .find_map(|path| path.split('/').rfind(is_unit))
        .map(str::to_owned)
}

/// The name of a user, or the number where there is none.
fn user(uid: &str) -> String {
    let users = text("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

fn shown(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn text(path: &str) -> Option<String> {
    match Host::live().read(&PathBuf::from(path)) {
        Ok(Node::File(file)) => Some(String::from_utf8_lossy(&file.bytes).into_owned()),
        _ => None,
    }
}
