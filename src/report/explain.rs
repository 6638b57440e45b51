//! `explain` for people, in 80 columns.

use std::fmt::Write as _;
use std::time::Duration;

use super::text::Style;
use super::timeline::{Lane, draw};
use super::wrap::hanging;
use crate::escape;
use crate::explain::{Explained, Population, blocked};
use crate::policy::CLIENTS_TCP_KEEP_ALIVE;
use crate::reconcile::Severity;
use crate::timing::budget::{Crossing, Verdict};
use crate::timing::silence::{Sign, longest};
use crate::timing::{Party, seconds, spoken};

mod gone;
#[cfg(test)]
mod tests;

/// All of it, and at the bottom the one thing to do next.
#[must_use]
pub fn text(explained: &Explained<'_>, style: Style) -> String {
    let mut text = String::new();
    settings(&mut text, explained, style);
    if let Some(derived) = &explained.objective {
        heading(&mut text, "WHAT FOLLOWS FROM [objective]", style);
        for sentence in derived.steps.iter().chain(&derived.unmet) {
            text.push_str(&hanging("  - ", 4, &escape::message(sentence)));
        }
    }
    for population in &explained.sessions {
        sessions(&mut text, population, explained, style);
    }
    problems(&mut text, explained, style);
    text.push('\n');
    text.push_str(&advice(explained, style));
    text
}

fn heading(text: &mut String, title: &str, style: Style) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&style.bold(title));
    text.push('\n');
}

fn settings(text: &mut String, explained: &Explained<'_>, style: Style) {
    if !explained.settings.is_empty() {
        heading(text, "WHO DECIDES", style);
    }
    let mut known = ("", "");
    for explanation in &explained.settings {
        if (explanation.resource, explanation.name) != known {
            known = (explanation.resource, explanation.name);
            text.push_str(explanation.name);
            // sshd has a TCPKeepAlive as well.
            let of_client = explanation.resource == "ssh_config";
            text.push_str(if of_client { " (ssh_config)" } else { "" });
            let name = match explanation.name {
                "TCPKeepAlive" if of_client => CLIENTS_TCP_KEEP_ALIVE,
                name => name,
            };
            if let Some(place) = explained.declared.get(name) {
                let _ = write!(text, ", declared in {place}");
            } else if explained.objective.as_ref().is_some_and(|derived| derived.settles(name)) {
                text.push_str(", derived from [objective]");
            }
            text.push('\n');
        }
        let value = explanation.effective.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let context = escape::name(&explanation.context);
        let head = format!("  {context:<14} {value:>6}  ");
        let indent = head.chars().count();
        let (head, indent) = if indent > 32 { (head + "\n", 25) } else { (head, indent) };
        let source = explanation.source.as_ref().map(|source| format!("{source}: "));
        let rule = escape::message(&explanation.rule);
        let sentence = format!("{}{rule}", source.unwrap_or_default());
        match head.strip_suffix('\n') {
            Some(head) => {
                text.push_str(head.trim_end());
                text.push('\n');
                text.push_str(&hanging("", indent, &sentence));
            }
            None => text.push_str(&hanging(&head, indent, &sentence)),
        }
        for loser in &explanation.losers {
            let head =
                format!("    {:<12} {:>6}  ", "loses", escape::short(&loser.value, LONGEST_VALUE));
            let sentence = format!("{}: {}", loser.source, escape::message(&loser.why));
            for line in hanging(&head, 25, &sentence).lines() {
                text.push_str(&style.dim(line));
                text.push('\n');
            }
        }
    }
}

/// A value of a file may be anything; it stands in a column.
const LONGEST_VALUE: usize = 24;

fn sessions(
    text: &mut String,
    population: &Population<'_>,
    explained: &Explained<'_>,
    style: Style,
) {
    let keyword = match population.end.party() {
        Party::Ssh => "ServerAlive",
        _ => "ClientAlive",
    };
    heading(
        text,
        &format!("SESSIONS {}", escape::name(&population.sessions.to_uppercase_head())),
        style,
    );
    let yes_or_no = if population.tcp_keepalive { "yes" } else { "no" };
    text.push_str(&hanging(
        "",
        0,
        &format!(
            "{}: {keyword}Interval {}, {keyword}CountMax {}, TCPKeepAlive {yes_or_no}.",
            escape::name(&population.openssh),
            population.interval,
            population.count
        ),
    ));
    alive(text, population, style);
    gone::gone(text, population, explained.kernel, style);
    path(text, population, style);
}

trait UpperHead {
    /// The fixed part in capitals, the criteria of a block as they are.
    fn to_uppercase_head(&self) -> String;
}

impl UpperHead for String {
    fn to_uppercase_head(&self) -> String {
        match self.split_once(", ") {
            Some((head, rest)) => format!("{}, {rest}", head.to_uppercase()),
            None => self.to_uppercase(),
        }
    }
}

/// When a live session that is idle says something.
fn alive(text: &mut String, population: &Population<'_>, style: Style) {
    text.push('\n');
    text.push_str(&style.underlined("Idle, and alive"));
    text.push('\n');
    let quickest = longest(&population.signs, true);
    for sign in &population.signs {
        let sentence = match sign.every {
            Some(every) if quickest.is_some_and(|quickest| quickest.by != sign.by) => format!(
                "{} would say something every {} ({}), but hears something sooner",
                sign.by.name(),
                spoken(every),
                sign.reason
            ),
            Some(every) => format!(
                "{} says something every {} ({}){}",
                sign.by.name(),
                spoken(every),
                sign.reason,
                crosses(sign)
            ),
            None => format!("{} says nothing ({})", sign.by.name(), sign.reason),
        };
        text.push_str(&hanging("  - ", 4, &sentence));
    }
    let end = quickest.and_then(|sign| sign.every).map(|every| every.saturating_mul(5) / 2);
    let patience =
        population.path.iter().map(|crossing| Duration::from_secs(crossing.hop.idle().into()));
    let shortest = patience.min().map(|idle| idle.saturating_mul(5) / 4);
    if let Some(end) = end.max(shortest) {
        text.push('\n');
        text.push_str(&draw(end, &alive_lanes(population, end)));
    }
}

fn crosses(sign: &Sign) -> &'static str {
    if sign.bare {
        ": a bare TCP segment, which firewalls and NATs count and proxies swallow"
    } else {
        ": inside SSH, so it crosses every hop; the other end answers by itself"
    }
}

/// Signs, and below them the hops: a bar while the hop remembers the session.
fn alive_lanes(population: &Population<'_>, end: Duration) -> Vec<Lane> {
    let mut lanes = Vec::new();
    let quickest = population.signs.iter().filter_map(|sign| sign.every).min();
    for sign in &population.signs {
        let Some(every) = sign.every.filter(|every| !every.is_zero()) else { continue };
        // The kernel counts from the last packet, so what comes more often keeps it quiet.
        if sign.bare && quickest.is_some_and(|quickest| quickest < every) {
            continue;
        }
        let mark = if sign.bare { '.' } else { '?' };
        lanes.push(Lane {
            label: gone::lane_name(sign.by).to_owned(),
            marks: repeated(every, end).map(|at| (at, mark)).collect(),
            bars: Vec::new(),
        });
    }
    lanes.extend(population.path.iter().map(|crossing| hop_lane(crossing, end)));
    lanes
}

fn hop_lane(crossing: &Crossing<'_>, end: Duration) -> Lane {
    let idle = Duration::from_secs(crossing.hop.idle().into());
    let forgets = crossing.silence.is_none_or(|silence| silence >= idle);
    Lane {
        label: escape::line(crossing.hop.id()).into_owned(),
        bars: vec![(Duration::ZERO, if forgets { idle } else { end })],
        marks: if forgets { vec![(idle, 'X')] } else { Vec::new() },
    }
}

/// Multiples of `every` up to `end`, as many as a lane can show.
fn repeated(every: Duration, end: Duration) -> impl Iterator<Item = Duration> {
    (1..=1000_u32)
        .map_while(move |number| every.checked_mul(number))
        .take_while(move |at| *at <= end)
}

/// The path budget.
fn path(text: &mut String, population: &Population<'_>, style: Style) {
    if population.path.is_empty() {
        return;
    }
    text.push('\n');
    text.push_str(&style.underlined("The path"));
    text.push('\n');
    let ids =
        population.path.iter().map(|crossing| escape::line(crossing.hop.id()).chars().count());
    let width = ids.max().unwrap_or(0).clamp(3, 33);
    let head =
        format!("         {:width$}  {:>9}  {:>10}  {:>9}", "HOP", "SILENCE", "FORGIVES", "SAFE");
    text.push_str(&style.dim(&head));
    text.push('\n');
    for crossing in &population.path {
        let mark = match crossing.verdict {
            Verdict::Survives => style.good("ok   "),
            Verdict::Tight => style.bad("tight"),
            Verdict::Dies => style.bad("DIES "),
        };
        let hop = crossing.hop;
        let id: String = escape::line(hop.id()).chars().take(width).collect();
        let silence = crossing.silence.map_or_else(|| "for ever".to_owned(), in_seconds);
        let idle = in_seconds(Duration::from_secs(hop.idle().into()));
        let safe = in_seconds(hop.safe());
        let hearsay = if hop.is_hearsay() { " *" } else { "" };
        text.push_str(&format!(
            "  {mark}  {id:width$}  {silence:>9}  {idle:>10}  {safe:>9}{hearsay}\n"
        ));
    }
    if population.path.iter().any(|crossing| crossing.hop.is_hearsay()) {
        text.push_str("  * by general knowledge only\n");
    }
    let deaf = population.path.iter().find(|crossing| crossing.silence.is_none());
    if let Some(deaf) = deaf {
        let why = deaf.why(&population.signs);
        let sentence = format!("{} hears nothing: {why}", escape::name(deaf.hop.id()));
        text.push_str(&hanging("  - ", 4, &sentence));
    }
}

fn in_seconds(time: Duration) -> String {
    format!("{} s", seconds(time))
}

fn problems(text: &mut String, explained: &Explained<'_>, style: Style) {
    if explained.problems.is_empty() {
        return;
    }
    heading(text, "NOTES", style);
    for problem in &explained.problems {
        let label = match problem.severity {
            Severity::Blocked => "blocked: ",
            Severity::Conflict => "conflict: ",
            Severity::Notice => "",
        };
        text.push_str(&hanging("  - ", 4, &format!("{label}{}: {problem}", problem.resource)));
    }
}

/// The one thing to do next.
fn advice(explained: &Explained<'_>, style: Style) -> String {
    if blocked(&explained.problems) {
        return style.bad("Not everything could be told: mend what is marked as blocked first.")
            + "\n";
    }
    let mut changes: Vec<&String> = Vec::new();
    for change in explained.sessions.iter().filter_map(|population| population.change.as_ref()) {
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    if !changes.is_empty() {
        let lines = changes.iter().flat_map(|change| change.lines());
        let lines: Vec<String> = lines.map(|line| format!("    {line}")).collect();
        return format!(
            "{}\n{}\n",
            style.bad(
                "A hop on the path is not survived. This in the policy makes all of them safe:"
            ),
            lines.join("\n")
        );
    }
    let hops = explained.sessions.iter().any(|population| !population.path.is_empty());
    match (explained.survives, hops) {
        (true, true) => style.good("Every hop on the path is survived.") + "\n",
        (false, _) => {
            style.bad("A hop on the path forgets so soon that no setting keeps a session there.")
                + "\n"
        }
        (true, false) => {
            let sentence = "Name the middleboxes on the way in [path] hops to have them checked; \
                            `keepalive-policy hops` lists those that are known.";
            hanging("", 0, sentence)
        }
    }
}
