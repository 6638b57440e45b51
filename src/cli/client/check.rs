//! `client check HOST`: the files, `ssh -G` and the policy compared.

use std::ffi::OsStr;
use std::time::Duration;

use serde::Serialize;

use super::Mine;
use crate::cli::complain;
use crate::escape;
use crate::reconcile::{Resource, Source, Value};
use crate::ssh_client::evaluate::Destination;
use crate::ssh_client::judge::{self, Verdict};
use crate::ssh_client::{Keyword, Observed};
use crate::sshd::judge::Dump;

/// Looking up a name may take its time where names are made canonical.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
struct Checked {
    version: u32,
    host: String,
    agrees: bool,
    compliant: bool,
    settings: Vec<Row>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    desired: Option<Value>,
    /// By the files; `None` where that could not be told.
    computed: Option<Value>,
    /// By `ssh -G`.
    real: Option<Value>,
    source: Option<Source>,
}

impl Row {
    fn agrees(&self) -> bool {
        self.computed.is_none() || self.computed == self.real
    }

    fn is_compliant(&self) -> bool {
        self.desired.is_none() || self.desired == self.real
    }
}

pub(super) fn run(mine: &Mine<'_>, host: &str) -> u8 {
    let policy = match mine.load() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    if host.is_empty() || host.starts_with('-') {
        return complain(&format!("{host}: no name of a host"));
    }
    let observed = match mine.client(&policy).observe(&mine.host) {
        Ok(observed) => observed,
        Err(error) => return complain(&error),
    };
    let dump = match ask(&observed, host) {
        Ok(dump) => dump,
        Err(reason) => return complain(&reason),
    };
    let desired = policy.ssh_config.values();
    let destination = Destination::new(host.as_bytes(), Some(&mine.user.name));
    let row = |(keyword, found): (Keyword, Option<crate::ssh_client::evaluate::Effective>)| Row {
        name: keyword.name(),
        desired: desired.get(&keyword).copied(),
        real: judge::value(&dump, keyword),
        computed: found.as_ref().map(|found| found.value),
        source: found.and_then(|found| found.source),
    };
    let hidden = observed.reading.opaque.first();
    let settings: Vec<Row> =
        observed.reading.values_for(&destination).into_iter().map(row).collect();
    let checked = Checked {
        version: 1,
        host: host.to_owned(),
        agrees: settings.iter().all(Row::agrees),
        compliant: settings.iter().all(Row::is_compliant),
        problems: super::show::problems(&observed),
        settings,
    };
    mine.invocation.print(&checked, || render(&checked));
    // ssh was asked in our environment, which may lead an Include elsewhere than the caller's.
    let untold = |row: &Row| row.desired.is_some() && row.computed.is_none();
    match hidden {
        Some(source) if checked.settings.iter().any(untold) => complain(&format!(
            "{source}: what ssh reads there can't be told, and it may set what no earlier line does"
        )),
        _ => u8::from(!checked.agrees || !checked.compliant),
    }
}

/// `ssh -G HOST`, unless it would run commands, or ends with an error.
fn ask(observed: &Observed, host: &str) -> Result<Dump, String> {
    if let Some(source) = observed.reading.runs_commands() {
        return Err(format!(
            "{source}: Match exec: `ssh -G {host}` would run the command, so it is not asked; \
             `keepalive-policy client show {host}` computes what it can"
        ));
    }
    if let Verdict::Refused(complaints) = &observed.verdict {
        let words: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        return Err(words.join("; "));
    }
    let program = judge::program().map_err(|not_run| not_run.to_string())?;
    let program = program.ok_or("no ssh client is installed")?;
    let arguments = [OsStr::new("-G"), OsStr::new("--"), OsStr::new(host)];
    let output = program.run(arguments, LIMIT).map_err(|error| error.to_string())?;
    if output.success() {
        Ok(Dump::parse(&String::from_utf8_lossy(&output.stdout), None))
    } else {
        Err(format!("ssh -G {host}: {}", escape::message(&output.complaint())))
    }
}

fn render(checked: &Checked) -> String {
    let shown =
        |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let mut text =
        format!("{:<19}  {:>7}  {:>6}  {:>6}\n", "SETTING", "DESIRED", "SSH -G", "FILES");
    for row in &checked.settings {
        let source = row.source.as_ref().map(|source| format!("  {source}")).unwrap_or_default();
        let mark = match (row.agrees(), row.is_compliant()) {
            (true, true) => "",
            (false, _) => "  the files say another value than ssh",
            (true, false) => "  not as declared",
        };
        text.push_str(&format!(
            "{:<19}  {:>7}  {:>6}  {:>6}{source}{mark}\n",
            row.name,
            shown(row.desired),
            shown(row.real),
            shown(row.computed)
        ));
    }
    for problem in &checked.problems {
        text.push_str(&format!("note: {}\n", escape::message(problem)));
    }
    text
}
