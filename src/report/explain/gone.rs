//! When the other end is gone: who notices, when, and why then.

use std::time::Duration;

use crate::explain::Population;
use crate::report::text::Style;
use crate::report::timeline::{Lane, draw};
use crate::report::wrap::hanging;
use crate::timing::dead_peer::{DeadPeer, Finding, Loss, Traffic};
use crate::timing::{Kernel, Party, spoken};

/// When the other end is gone: a table of the four cases, then how these come about.
pub(super) fn gone(text: &mut String, population: &Population<'_>, kernel: Kernel, style: Style) {
    let (this, other) = match population.end.party() {
        Party::Ssh => ("ssh", "server"),
        _ => ("sshd", "client"),
    };
    text.push('\n');
    let title = format!("When the {other} is gone");
    text.push_str(&style.underlined(&title));
    let blank = 28_usize.saturating_sub(title.len());
    text.push_str(&format!("{:blank$}{:<30}frozen\n", "", "vanished"));
    let [idle, idle_frozen, writing, writing_frozen] = &population.dead_peer;
    for (name, vanished, frozen) in [
        ("  idle".to_owned(), idle, idle_frozen),
        (format!("  while {this} keeps writing"), writing, writing_frozen),
    ] {
        text.push_str(&format!("{name:<28}{:<30}{}\n", noticed(vanished), noticed(frozen)));
    }
    for reason in reasons(population) {
        text.push_str(&hanging("  - ", 4, &reason));
    }
    let Some(after) = idle.first().and_then(|finding| finding.after) else { return };
    text.push_str(&format!("\n  An idle session whose {other} vanishes at 0:\n"));
    text.push_str(&draw(after.saturating_add(after / 16), &gone_lanes(population, kernel, after)));
}

fn noticed(case: &DeadPeer) -> String {
    match case.first() {
        Some(Finding { by, after: Some(after), .. }) => {
            format!("{} ({})", spoken(*after), short_name(*by))
        }
        _ => "never".to_owned(),
    }
}

/// The formulas, each once.
fn reasons(population: &Population<'_>) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for case in population.dead_peer.iter().filter(|case| case.loss == Loss::Vanished) {
        for finding in &case.findings {
            let while_writing = case.traffic == Traffic::Writing;
            let known = reasons.iter().any(|reason| reason.contains(&finding.reason));
            let obvious = finding.by == Party::KernelKeepalive && while_writing;
            if known || obvious || finding.reason == NOTHING_SENT {
                continue;
            }
            let when = if while_writing { ", while writing" } else { "" };
            let never = if finding.after.is_none() { "never: " } else { "" };
            let name = short_name(finding.by);
            reasons.push(format!("{name}{when}: {never}{}", finding.reason));
        }
    }
    reasons.push(
        "vanished: nothing answers; frozen: the program hangs, and its kernel acknowledges and \
         answers probes, so that TCP finds nothing wrong"
            .to_owned(),
    );
    reasons
}

const NOTHING_SENT: &str = "nothing is sent that could go unacknowledged";

const fn short_name(party: Party) -> &'static str {
    match party {
        Party::Sshd => "sshd",
        Party::Ssh => "ssh",
        Party::KernelKeepalive => "keepalive",
        Party::KernelRetransmission => "TCP",
    }
}

fn gone_lanes(population: &Population<'_>, kernel: Kernel, end: Duration) -> Vec<Lane> {
    let mut lanes = Vec::new();
    let winner = population.dead_peer.first().and_then(DeadPeer::first).map(|first| first.by);
    let questions: Vec<Duration> = population.end.alive.questions(end).take(1000).collect();
    let ends = |party| (winner == Some(party)).then_some((end, 'X'));
    let first_question = questions.first().copied();
    let asker = population.end.party();
    if first_question.is_some() || winner == Some(asker) {
        let marks = questions.iter().map(|at| (*at, '?')).chain(ends(asker)).collect();
        lanes.push(Lane { label: lane_name(asker).to_owned(), marks, bars: Vec::new() });
    }
    if population.tcp_keepalive {
        let until = first_question.unwrap_or(end).min(end);
        let probes = kernel.probes().take(1000).take_while(|at| *at < until).map(|at| (at, '.'));
        let marks: Vec<_> = probes.chain(ends(Party::KernelKeepalive)).collect();
        if !marks.is_empty() {
            let label = lane_name(Party::KernelKeepalive).to_owned();
            lanes.push(Lane { label, marks, bars: Vec::new() });
        }
    }
    if let Some(from) = first_question {
        lanes.push(Lane {
            label: lane_name(Party::KernelRetransmission).to_owned(),
            bars: vec![(from, end)],
            marks: ends(Party::KernelRetransmission).into_iter().collect(),
        });
    }
    lanes
}

/// What a lane is called.
pub(super) const fn lane_name(party: Party) -> &'static str {
    match party {
        Party::Sshd => "sshd asks",
        Party::Ssh => "ssh asks",
        Party::KernelKeepalive => "kernel probes",
        Party::KernelRetransmission => "kernel resends",
    }
}
