//! The table of `sessions`.

use std::fmt::Write as _;

use super::text::Style;
use super::wrap::hanging;
use crate::escape;
use crate::sessions::{Outdated, Session};
use crate::timing::spoken;

#[cfg(test)]
mod tests;

/// The sessions, then what is the matter with the outdated ones, and what to do.
#[must_use]
pub fn table(sessions: &[Session], root: bool, style: Style) -> String {
    if sessions.is_empty() {
        return "No session is open.\n".to_owned();
    }
    let header = ["", "PEER", "USER", "AGE", "QUIET", "KERNEL TIMER", "UNACKED"].map(str::to_owned);
    let rows: Vec<[String; 7]> = sessions.iter().map(cells).collect();
    let mut widths = [0; 7];
    for row in rows.iter().chain([&header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = style.dim(&line(&header, &widths)) + "\n";
    for (row, session) in rows.iter().zip(sessions) {
        let line = line(row, &widths) + &place(session);
        text.push_str(&if session.outdated.is_empty() { line } else { style.bad(&line) });
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&advice(sessions));
    if !root {
        text.push_str("Users, ages and other network namespaces are shown to root only.\n");
    }
    text
}

/// A line on which sshd and which namespace, where these are not the host's own.
fn place(session: &Session) -> String {
    let netns = session.netns.as_ref().map(|name| format!("netns {}", escape::name(name)));
    let unit = session.unit.as_deref().map(|name| escape::name(name).into_owned());
    let words: Vec<String> = unit.into_iter().chain(netns).collect();
    if words.is_empty() { String::new() } else { format!("\n     {}", words.join(", ")) }
}

fn cells(session: &Session) -> [String; 7] {
    let word = match session.timer {
        "retransmission" => "resend",
        other => other,
    };
    let timer = match (session.expires, session.timer_count) {
        (Some(expires), Some(count @ 1..)) => {
            format!("{word} {}, {count} lost", short(expires.as_secs()))
        }
        (Some(expires), _) => format!("{word} {}", short(expires.as_secs())),
        (None, _) => word.to_owned(),
    };
    [
        if session.outdated.is_empty() { "ok" } else { "OLD" }.to_owned(),
        session.peer.to_string(),
        escape::name(session.user.as_deref().unwrap_or("-")).into_owned(),
        session.age.map_or_else(|| "-".to_owned(), short),
        session.quiet.map_or_else(|| "-".to_owned(), |quiet| short(quiet.as_secs())),
        timer,
        session.unacknowledged.to_string(),
    ]
}

/// Two units at most: `59 s`, `12 min`, `1 h 57 min`, `3 d`.
fn short(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn line(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = match index {
            3 | 4 | 6 => write!(line, "{cell:>width$}  "),
            _ => write!(line, "{cell:<width$}  "),
        };
    }
    line.trim_end().to_owned()
}

fn advice(sessions: &[Session]) -> String {
    let old: Vec<&Session> =
        sessions.iter().filter(|session| !session.outdated.is_empty()).collect();
    if old.is_empty() {
        let are = if sessions.len() == 1 { "The one session runs" } else { "All sessions run" };
        return format!("{are} on the settings in force.\n");
    }
    let mut text = format!("{} of {} on older settings:\n", old.len(), sessions.len());
    for session in &old {
        let why: Vec<&str> = session.outdated.iter().map(|why| why.text()).collect();
        let exposure = session.exposure().unwrap_or_default();
        let sentence = format!("{}: {} ({exposure})", session.peer, why.join("; "));
        text.push_str(&hanging("  ", 4, &sentence));
    }
    let waits = old.iter().all(|session| session.outdated == [Outdated::TimerArmedEarlier]);
    let longest = old.iter().filter_map(|session| session.exposed).max();
    text.push_str(&match (waits, longest) {
        (true, Some(longest)) => hanging(
            "",
            0,
            &format!(
                "The kernel looks at its values again when the timer fires, after {} at the \
                 latest. To have them at once, log in again.",
                spoken(longest)
            ),
        ),
        _ => "To have the settings in force, log in again: nothing else changes open sessions.\n"
            .to_owned(),
    });
    text
}
