//! Tables for people: aligned, coloured only on a terminal, `NO_COLOR` honoured.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal;

use crate::escape;
use crate::reconcile::{Mode, Outcome, Problem, Report, Setting, Severity};

use super::Tally;
use super::wrap::hanging;

#[cfg(test)]
mod tests;

/// Whether to colour what goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No colours: files, pipes, tests.
    pub const PLAIN: Self = Self { colour: false };

    /// Colours if standard output is to have them.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self { colour: coloured(&std::io::stdout()) }
    }

    fn paint(self, sequence: &str, text: &str) -> String {
        if self.colour { format!("{sequence}{text}{PLAIN}") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint(GREEN, text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(RED, text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    pub(crate) fn underlined(self, text: &str) -> String {
        self.paint(UNDERLINED, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(DIM, text)
    }

    /// What may go out in this style: no sequence that steers the terminal but those above.
    #[must_use]
    pub fn let_out(self, text: &str) -> Cow<'_, str> {
        escape::layout(text, if self.colour { &SEQUENCES } else { &[] })
    }
}

/// How a terminal is told to colour what follows (ECMA-48, "select graphic rendition").
const PLAIN: &str = "\x1b[0m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[1;31m";
const BOLD: &str = "\x1b[1m";
const UNDERLINED: &str = "\x1b[4m";
const DIM: &str = "\x1b[2m";
const SEQUENCES: [&str; 6] = [PLAIN, GREEN, RED, BOLD, UNDERLINED, DIM];

/// The advice where this program can do nothing.
const BY_HAND: &str = "What is marked above must be mended by hand first.";

/// Whether a stream is to have colours: when it is a terminal, and `NO_COLOR` is unset or empty.
#[must_use]
pub fn coloured(stream: &impl IsTerminal) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !no_color
}

/// The table of `check`, one row a setting and context, then problems and the tally. `mode` is the
/// policy's: under audit `apply` changes nothing either.
#[must_use]
pub fn check(reports: &[Report], mode: Mode, style: Style) -> String {
    let advice = match mode {
        Mode::Enforce => {
            "`keepalive-policy diff` shows what would be changed, `keepalive-policy apply` does it."
                .to_owned()
        }
        Mode::Audit | Mode::Paused => audited("keepalive-policy diff"),
    };
    verdicts(reports, &advice, style)
}

/// The advice where only the mode of the policy is in the way; `diff` is the command that shows what
/// is pending.
fn audited(diff: &str) -> String {
    format!("The policy says mode = \"audit\": nothing is changed. `{diff}` shows what would be.")
}

/// The table, and `pending` as the advice where there is something that could be changed.
fn verdicts(reports: &[Report], pending: &str, style: Style) -> String {
    let settings: Vec<&Setting> = super::settings(reports).collect();
    let mut text = table(&settings, style);
    problems(&mut text, reports, style);
    let tally = Tally::of(settings.iter().copied());
    let blocked = reports.iter().any(Report::blocked);
    let is_pending = reports.iter().any(|report| !report.pending.is_empty());
    let (advice, style) = if !blocked && tally.in_force == tally.declared {
        ("", style)
    } else if !blocked && is_pending {
        (pending, Style::PLAIN)
    } else {
        (BY_HAND, style)
    };
    finish(&mut text, tally, advice, style);
    text
}

/// What `diff` shows.
#[must_use]
pub fn diff(reports: &[Report], style: Style) -> String {
    let mut text = String::new();
    for pending in reports.iter().flat_map(|report| &report.pending) {
        for line in pending.text.split_terminator('\n') {
            let line = escape::content(line);
            let painted = match line.as_bytes().first() {
                Some(b'+') => style.good(&line),
                Some(b'-') => style.bad(&line),
                Some(b'@') => style.dim(&line),
                _ => line.into_owned(),
            };
            text.push_str(&painted);
            text.push('\n');
        }
    }
    problems(&mut text, reports, style);
    if text.is_empty() {
        text.push_str("Nothing to change.\n");
    }
    text
}

/// What `apply` shows: each step, then the table of `check`. `mode` is the policy's, and `diff` the
/// command that shows what is pending.
#[must_use]
pub fn applied(reports: &[Report], mode: Mode, diff: &str, style: Style) -> String {
    let mut text = steps(reports, style);
    text.push('\n');
    let advice = match mode {
        // A step failed, or what it did had no effect; to do it again is no advice.
        Mode::Enforce => BY_HAND.to_owned(),
        Mode::Audit | Mode::Paused => audited(diff),
    };
    text.push_str(&verdicts(reports, &advice, style));
    text
}

/// What `restore` shows: each step, and what it could not put back.
#[must_use]
pub fn restored(reports: &[Report], style: Style) -> String {
    let mut text = steps(reports, style);
    problems(&mut text, reports, style);
    text
}

fn steps(reports: &[Report], style: Style) -> String {
    let mut text = String::new();
    let outcomes: Vec<&Outcome> = reports.iter().flat_map(|report| &report.outcomes).collect();
    for outcome in &outcomes {
        let took = style.dim(&format!("({})", duration(outcome.micros)));
        let action = escape::line(&outcome.action);
        match &outcome.error {
            None => text.push_str(&format!("{}  {action} {took}\n", style.good("done  "))),
            Some(error) => {
                let error = escape::message(error);
                text.push_str(&format!("{}  {action}: {error}\n", style.bad("failed")));
            }
        }
    }
    if outcomes.is_empty() {
        text.push_str("Nothing to change.\n");
    }
    text
}

/// A duration with three digits at most: `740 µs`, `4.2 ms`, `312 ms`, `1.3 s`.
#[must_use]
pub fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

fn table(settings: &[&Setting], style: Style) -> String {
    let header = ["SETTING", "CONTEXT", "DESIRED", "EFFECTIVE", "SOURCE"].map(str::to_owned);
    let rows: Vec<[String; 5]> = settings.iter().map(|setting| cells(setting)).collect();
    let mut widths = [0; 5];
    for row in rows.iter().chain([&header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&style.dim(format!("       {}", line(&header, &widths)).trim_end()));
        text.push('\n');
    }
    for (row, setting) in rows.iter().zip(settings) {
        let mark = if setting.compliant { style.good("ok   ") } else { style.bad("DRIFT") };
        text.push_str(format!("{mark}  {}", line(row, &widths)).trim_end());
        text.push('\n');
    }
    text
}

fn cells(setting: &Setting) -> [String; 5] {
    let source = match &setting.source {
        Some(source) => source.to_string(),
        None if setting.context == "live" || setting.context.starts_with("netns ") => {
            "kernel".to_owned()
        }
        None if setting.is_of_listener() => "running sshd".to_owned(),
        None if setting.effective.is_some() => "default".to_owned(),
        None => "-".to_owned(),
    };
    [
        setting.name.to_owned(),
        escape::name(&setting.context).into_owned(),
        setting.desired.to_string(),
        setting.effective.map_or_else(|| "-".to_owned(), |value| value.to_string()),
        source,
    ]
}

fn line(cells: &[String; 5], widths: &[usize; 5]) -> String {
    let mut text = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Values stand under one another by their last digit.
        let _ = if index == 2 || index == 3 {
            write!(text, "{cell:>width$}  ")
        } else {
            write!(text, "{cell:<width$}  ")
        };
    }
    text
}

fn problems(text: &mut String, reports: &[Report], style: Style) {
    let problems: Vec<&Problem> = reports.iter().flat_map(|report| &report.problems).collect();
    if !problems.is_empty() && !text.is_empty() {
        text.push('\n');
    }
    for problem in problems {
        let label = match problem.severity {
            Severity::Blocked => style.bad("blocked"),
            Severity::Conflict => style.bad("conflict"),
            Severity::Notice => style.dim("note"),
        };
        let _ = writeln!(text, "{label}: {}: {problem}", problem.resource);
    }
}

fn finish(text: &mut String, tally: Tally, advice: &str, style: Style) {
    if !text.is_empty() {
        text.push('\n');
    }
    let sentence = hanging("", 0, format!("{tally}. {advice}").trim_end());
    text.push_str(&match advice {
        "" => sentence,
        // Short enough to stand on one line.
        _ => sentence.replace(advice, &style.bad(advice)),
    });
}
