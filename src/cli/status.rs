//! `status`: what the daemon last saw and did.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::watch::watching;
use super::{Invocation, Watch, complain};
use crate::brake::{self, Brake};
use crate::escape;
use crate::reconcile::Value;
use crate::report::status::{Status, now};
use crate::report::text::Style;
use crate::report::wrap::hanging;

#[cfg(test)]
mod tests;

const NOT_RUNNING: u8 = 3;

#[derive(Serialize)]
struct Shown<'s> {
    running: bool,
    #[serde(flatten)]
    status: &'s Status,
}

pub(super) fn run(invocation: &Invocation, watch: Watch, user: bool) -> u8 {
    watching(invocation, watch, |invocation| once(invocation, user))
}

fn once(invocation: &Invocation, user: bool) -> (u8, bool) {
    match invocation.daemons_host(user).and_then(|host| Status::read(&host)) {
        Ok(Some(status)) => {
            let data = Shown { running: true, status: &status };
            let read = invocation.print(&data, || render(&status, now(), Style::of_stdout()));
            (u8::from(!status.in_force), read)
        }
        Ok(None) => {
            let brake = match user {
                true => Brake::Off,
                false => brake::look(&invocation.host),
            };
            let data = json!({
                "version": 1,
                "running": false,
                "paused": brake.sentence(),
                "paused_until": brake.until(),
            });
            let read = invocation.print(&data, || {
                let (manager, look) =
                    if user { ("systemctl --user", "client show") } else { ("systemctl", "check") };
                let sentence = format!(
                    "The daemon does not run. `{manager} start keepalive-policy` starts it, \
                     `keepalive-policy {look}` looks without it."
                );
                let paused = brake
                    .sentence()
                    .map(|sentence| hanging("", 0, &format!("Meanwhile {sentence}.")));
                hanging("", 0, &sentence) + &paused.unwrap_or_default()
            });
            (NOT_RUNNING, read)
        }
        Err(error) => {
            let advice = "what the daemon last saw can't be told; `systemctl status keepalive-policy` \
                          says whether it runs, `keepalive-policy check` looks without it";
            (complain(&format!("{error}: {advice}")), true)
        }
    }
}

fn render(status: &Status, now: u64, style: Style) -> String {
    let summary = escape::message(&status.summary);
    let summary = if status.in_force { style.good(&summary) } else { style.bad(&summary) };
    let mut text = format!("{summary}.\n\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12}{}", escape::line(value));
    };
    let policy = escape::path(&status.policy);
    line("policy", &format!("{policy} ({})", status.mode));
    line("process", &format!("{}, up {}", status.pid, ago(now.saturating_sub(status.since))));
    line("corrections", &status.corrections.to_string());
    if let Some(drift) = &status.last_drift {
        let since = ago(now.saturating_sub(drift.at));
        line("last drift", &format!("{} {since} ago", drift.setting));
    }
    text.push_str(&troubles(status, style));
    if !status.in_force {
        text.push('\n');
        text.push_str(&hanging(
            "",
            0,
            "`keepalive-policy check` shows each setting, `journalctl -u keepalive-policy` what \
             was tried.",
        ));
    }
    text
}

/// A line for each thing that somebody should know.
fn troubles(status: &Status, style: Style) -> String {
    let mut text = String::new();
    if let Some(sentence) = &status.paused {
        let _ = writeln!(text, "  paused      {}", escape::line(sentence));
    }
    // The findings of a policy stand on several lines, the first of which has the place.
    if let Some(finding) = status.policy_refused.as_deref().and_then(|text| text.lines().next()) {
        let finding = escape::line(finding);
        let _ = writeln!(text, "  refused     {finding}; the previous policy stays in force");
    }
    for setting in &status.contested {
        let setting = escape::name(setting);
        let _ = writeln!(text, "  contested   {setting}: somebody else keeps changing it");
    }
    for row in status.settings.iter().filter(|row| row["compliant"] == Json::Bool(false)) {
        let _ = writeln!(
            text,
            "  {}       {} ({}) is {}, {} is declared",
            style.bad("DRIFT"),
            name(&row["name"]),
            name(&row["context"]),
            name(&row["effective"]),
            name(&row["desired"])
        );
    }
    for problem in &status.problems {
        let _ = writeln!(text, "  {:<12}{}", escape::name(label(problem)), placed(problem));
    }
    text
}

/// The same, for a place between other words.
fn name(value: &Json) -> String {
    escape::name(&plain(value)).into_owned()
}

/// A value as `check` shows it, and a text without its quotes.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => "not set, or not known".to_owned(),
        Json::Bool(value) => Value::Bool(*value).to_string(),
        other => other.as_str().map_or_else(|| other.to_string(), str::to_owned),
    }
}

/// How much a problem matters, as `check` says it.
fn label(problem: &Json) -> &str {
    match problem["severity"].as_str() {
        Some("notice") => "note",
        Some(severity) => severity,
        None => "problem",
    }
}

/// A problem behind the file and line that it is about.
fn placed(problem: &Json) -> String {
    let message = plain(&problem["message"]);
    let message = escape::message(&message);
    match (problem["file"].as_str().map(escape::line), problem["line"].as_u64()) {
        (Some(file), Some(line)) => format!("{file}:{line}: {message}"),
        (Some(file), None) => format!("{file}: {message}"),
        (None, _) => message.into_owned(),
    }
}

/// `42 s`, `5 min`, `3 h`, `12 d`.
fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
