//! `client show`: what each host gets, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Mine;
use crate::cli::complain;
use crate::escape;
use crate::reconcile::{Resource, Source, Value};
use crate::ssh_client::condition::Condition;
use crate::ssh_client::evaluate::{Destination, Effective, Reading};
use crate::ssh_client::judge::{NOBODY, Verdict};
use crate::ssh_client::modes::Mode;
use crate::ssh_client::{Keyword, Observed, SshClient, Whose};

/// What any host gets that no line is about.
const ANY: &str = "any other host";

#[derive(Debug, Serialize)]
struct Shown {
    version: u32,
    hosts: Vec<Row>,
    problems: Vec<String>,
}

/// One setting of one host.
#[derive(Debug, Serialize)]
struct Row {
    host: String,
    name: &'static str,
    /// What the policy declares.
    desired: Option<Value>,
    /// `None` where it could not be told.
    effective: Option<Value>,
    source: Option<Source>,
    /// In words: the block that decides.
    why: String,
}

pub(super) fn run(mine: &Mine<'_>, hosts: &[String]) -> u8 {
    let whose = Whose::Users(mine.user.ssh_config());
    let client = SshClient { whose, ..SshClient::default() };
    let observed = match client.observe(&mine.host) {
        Ok(observed) => observed,
        Err(error) => return complain(&error),
    };
    let problems = problems(&observed);
    // Without a policy there is nothing to compare with, and all the same something to show.
    let declared = match mine.is_declared().then(|| mine.load()) {
        Some(Ok(policy)) => policy.ssh_config.values(),
        Some(Err(_)) | None => BTreeMap::new(),
    };
    let refused = observed.is_refused();
    let rows = match refused {
        true => Vec::new(),
        false => rows(mine, hosts, &observed.reading, &declared),
    };
    let untold = rows.iter().any(|row| row.effective.is_none());
    let shown = Shown { version: 1, hosts: rows, problems };
    mine.invocation.print(&shown, || render(&shown));
    if refused || untold { crate::cli::ERROR } else { 0 }
}

pub(super) fn problems(observed: &Observed) -> Vec<String> {
    let refused = match &observed.verdict {
        Verdict::Refused(complaints) => complaints.iter().map(ToString::to_string).collect(),
        Verdict::Unasked(reason) => vec![format!("ssh was not asked: {reason}")],
        Verdict::NoSsh => vec!["no ssh on this machine could judge the files".to_owned()],
        Verdict::Accepted(_) => Vec::new(),
    };
    let odd = crate::ssh_client::findings::of(&observed.tree, &observed.reading);
    let modes = observed.modes.iter().map(Mode::problem);
    refused.into_iter().chain(modes.chain(odd).map(|problem| problem.to_string())).collect()
}

fn rows(
    mine: &Mine<'_>,
    hosts: &[String],
    reading: &Reading,
    declared: &BTreeMap<Keyword, Value>,
) -> Vec<Row> {
    let names: Vec<String> = if hosts.is_empty() { aliases(reading) } else { hosts.to_vec() };
    let mut rows = Vec::new();
    for host in &names {
        let argument = if host == ANY { NOBODY } else { host };
        let destination = Destination::new(argument.as_bytes(), Some(&mine.user.name));
        for (keyword, found) in reading.values_for(&destination) {
            rows.push(Row {
                host: host.clone(),
                name: keyword.name(),
                desired: declared.get(&keyword).copied(),
                why: why(keyword, found.as_ref(), reading),
                effective: found.as_ref().map(|found| found.value),
                source: found.and_then(|found| found.source),
            });
        }
    }
    rows
}

/// Every name that a `Host` line gives in full.
fn aliases(reading: &Reading) -> Vec<String> {
    let mut aliases = BTreeSet::new();
    for block in &reading.blocks {
        let Condition::Host(patterns) = &block.condition else { continue };
        for pattern in patterns.iter().filter(|pattern| !pattern.negated) {
            let text = String::from_utf8_lossy(&pattern.text);
            if !text.contains(['*', '?', '\u{fffd}']) {
                aliases.insert(text.into_owned());
            }
        }
    }
    aliases.into_iter().chain([ANY.to_owned()]).collect()
}

fn why(keyword: Keyword, found: Option<&Effective>, reading: &Reading) -> String {
    let Some(found) = found else {
        return "depends on what is not known here, such as Match exec or an Include that can't be resolved".to_owned();
    };
    let Some(source) = &found.source else {
        let default = found.value == keyword.default_value();
        return if default { "ssh's default" } else { "Debian's default under BatchMode" }
            .to_owned();
    };
    // The block of a line is the last that begins above it in the same file.
    let block = reading
        .blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| block.source.file == source.file && block.source.line < source.line)
        .max_by_key(|(_, block)| block.source.line);
    match block {
        Some((at, _)) => format!("{source}, in {}", reading.context(at)),
        None => source.to_string(),
    }
}

fn render(shown: &Shown) -> String {
    let host = shown.hosts.iter().map(|row| escape::name(&row.host).chars().count());
    let host = host.max().unwrap_or(0);
    let mut text = String::new();
    let mut last = "";
    for row in &shown.hosts {
        let name = if row.host == last { "".into() } else { escape::name(&row.host) };
        last = &row.host;
        let value = row.effective.map_or_else(|| "?".to_owned(), |value| value.to_string());
        let declared = match row.desired.filter(|desired| row.effective != Some(*desired)) {
            Some(desired) => format!("; {desired} is declared"),
            None => String::new(),
        };
        text.push_str(&format!(
            "{name:host$}  {:<19}  {value:>5}  {}{declared}\n",
            row.name,
            escape::message(&row.why)
        ));
    }
    for problem in &shown.problems {
        text.push_str(&format!("note: {}\n", escape::message(problem)));
    }
    text
}
