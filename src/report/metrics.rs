//! What the daemon counts, in Prometheus' text format. Names and units follow its conventions:
//! seconds, `_total` for what only grows, 1 and 0 for yes and no.

use std::collections::BTreeMap;
use std::fmt::Write as _;

mod histogram;
#[cfg(test)]
mod tests;

use histogram::Histogram;

use crate::escape;

/// Begins every name.
const PREFIX: &str = "keepalive_policy";

/// What only grows.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    drifts: BTreeMap<(&'static str, &'static str), u64>,
    corrections: BTreeMap<(&'static str, &'static str), u64>,
    durations: BTreeMap<&'static str, Histogram>,
    reloads: BTreeMap<&'static str, u64>,
    unheard: BTreeMap<&'static str, u64>,
    policies: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// A setting was found wrong that had been right.
    pub fn drift(&mut self, resource: &'static str, setting: &'static str) {
        *self.drifts.entry((resource, setting)).or_default() += 1;
    }

    /// A correction was tried, with `result` `done`, `undone` (by somebody else at once) or `failed`.
    pub fn correction(&mut self, resource: &'static str, result: &'static str, micros: u64) {
        *self.corrections.entry((resource, result)).or_default() += 1;
        if result == "done" {
            self.durations.entry(resource).or_default().observe(micros);
        }
    }

    /// sshd was told to take up its configuration.
    pub fn reload(&mut self, succeeded: bool) {
        *self.reloads.entry(if succeeded { "done" } else { "failed" }).or_default() += 1;
    }

    /// Rereading found what no event had announced.
    pub fn unheard(&mut self, resource: &'static str) {
        *self.unheard.entry(resource).or_default() += 1;
    }

    /// A policy was read.
    pub fn policy(&mut self, taken: bool) {
        *self.policies.entry(if taken { "taken" } else { "refused" }).or_default() += 1;
    }

    /// All drifts that no event had announced.
    #[must_use]
    pub fn unheard_total(&self) -> u64 {
        self.unheard.values().sum()
    }
}

/// What stands at this moment.
#[derive(Debug, Clone, Default)]
pub struct Now<'a> {
    /// Resource, setting, context, and whether it is in force.
    pub settings: Vec<(&'a str, &'a str, &'a str, bool)>,
    /// Resource and setting that somebody else keeps changing, and those that nobody does.
    pub contested: Vec<(&'a str, &'a str, bool)>,
    /// The unit of each sshd that ought to run, and whether it listens.
    pub listening: Vec<(&'a str, bool)>,
    /// Whether drift is undone, and not only reported.
    pub enforcing: bool,
    /// Whether corrections are paused.
    pub paused: bool,
    /// When the policy in force was taken over, in seconds since 1970.
    pub policy_loaded: u64,
    /// When the daemon started, in seconds since 1970.
    pub started: u64,
}

/// The whole file.
#[must_use]
pub fn render(counts: &Counts, now: &Now<'_>) -> String {
    let mut page = Page::default();
    page.family("build_info", "gauge", "The running version of keepalive-policy.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("start_timestamp_seconds", "gauge", "When the daemon started.");
    page.sample("start_timestamp_seconds", &[], now.started);
    page.family("enforcing", "gauge", "1 if drift is undone, 0 if it is only reported.");
    page.sample("enforcing", &[], u64::from(now.enforcing));
    page.family("paused", "gauge", "1 while corrections are paused by a person.");
    page.sample("paused", &[], u64::from(now.paused));
    page.family(
        "policy_loaded_timestamp_seconds",
        "gauge",
        "When the policy in force was taken over.",
    );
    page.sample("policy_loaded_timestamp_seconds", &[], now.policy_loaded);
    page.family(
        "policy_loads_total",
        "counter",
        "Policies that were read, by what became of them.",
    );
    for result in ["refused", "taken"] {
        page.sample("policy_loads_total", &[("result", result)], of(&counts.policies, result));
    }
    page.family("setting_in_force", "gauge", "1 if a declared setting has its declared value.");
    for (resource, setting, context, in_force) in &now.settings {
        let labels = [("resource", *resource), ("setting", *setting), ("context", *context)];
        page.sample("setting_in_force", &labels, u64::from(*in_force));
    }
    page.family("setting_contested", "gauge", "1 while another program keeps changing a setting.");
    for (resource, setting, contested) in &now.contested {
        let labels = [("resource", *resource), ("setting", *setting)];
        page.sample("setting_contested", &labels, u64::from(*contested));
    }
    let help = "1 if an sshd that ought to run listens, 0 if it does not, whoever caused that.";
    page.family("sshd_listening", "gauge", help);
    for (unit, listens) in &now.listening {
        page.sample("sshd_listening", &[("unit", unit)], u64::from(*listens));
    }
    changes(&mut page, counts, now);
    page.text
}

/// The counters about drift, at 0 from the start for all that can be counted.
fn changes(page: &mut Page, counts: &Counts, now: &Now<'_>) {
    page.family(
        "drifts_total",
        "counter",
        "How often a setting was found wrong that had been right.",
    );
    for (resource, setting, _) in &now.contested {
        let count = counts.drifts.iter().find(|((r, s), _)| (r, s) == (resource, setting));
        let labels = [("resource", *resource), ("setting", *setting)];
        page.sample("drifts_total", &labels, count.map_or(0, |(_, count)| *count));
    }
    page.family("corrections_total", "counter", "Corrections by what became of them.");
    let mut resources: Vec<&str> = now.contested.iter().map(|(resource, ..)| *resource).collect();
    resources.dedup();
    for resource in &resources {
        for result in ["done", "failed", "undone"] {
            let count =
                counts.corrections.iter().find(|((r, s), _)| (*r, *s) == (resource, result));
            let labels = [("resource", *resource), ("result", result)];
            page.sample("corrections_total", &labels, count.map_or(0, |(_, count)| *count));
        }
    }
    let help = "From the look that found drift to the look that proved it undone.";
    page.family("correction_duration_seconds", "histogram", help);
    for (resource, histogram) in &counts.durations {
        histogram.print(page, "correction_duration_seconds", resource);
    }
    page.family("sshd_reloads_total", "counter", "Reloads and restarts of sshd by result.");
    for result in ["done", "failed"] {
        page.sample("sshd_reloads_total", &[("result", result)], of(&counts.reloads, result));
    }
    let help = "Drifts that only rereading found: events that did not come.";
    page.family("resync_findings_total", "counter", help);
    for resource in &resources {
        page.sample(
            "resync_findings_total",
            &[("resource", resource)],
            of(&counts.unheard, resource),
        );
    }
}

fn of(counts: &BTreeMap<&'static str, u64>, label: &str) -> u64 {
    counts.get(label).copied().unwrap_or(0)
}

/// The text format.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{PREFIX}_{name}{labels} {value}");
    }
}

/// A label's value: backslash, quote and newline are escaped as the format wants it. What else can't
/// be seen has an escape of its own, so that two labels stay two: one sample twice would make
/// Prometheus refuse the page.
fn label(value: &str) -> String {
    let mut escaped = String::new();
    for c in value.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            c => escaped.push_str(&escape::line(c.encode_utf8(&mut [0; 4])).replace('\\', "\\\\")),
        }
    }
    escaped
}
