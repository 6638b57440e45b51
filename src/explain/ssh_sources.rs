//! Who decides about the host's own client: the first value that is obtained.

use std::collections::BTreeSet;

use super::sources::{Explanation, Loser};
use super::ssh_ends::is_of_interest;
use crate::policy::SshConfig;
use crate::reconcile::Value;
use crate::ssh_client::evaluate::Effective;
use crate::ssh_client::evaluate::everybody::Line;
use crate::ssh_client::{Keyword, Observed};

/// Every keyword: for hosts that no block is about, and for each block's. Nothing where nobody
/// set or declared anything.
#[must_use]
pub fn explanations(ssh: &Observed, declared: &SshConfig) -> Vec<Explanation> {
    if !is_of_interest(ssh, declared) {
        return Vec::new();
    }
    let mut explanations = Vec::new();
    for keyword in Keyword::ALL {
        let winner = ssh.reading.global(keyword);
        explanations.push(global(ssh, keyword, &winner));
        for deviation in ssh.reading.deviations(keyword) {
            let loser = winner.source.clone().map(|source| Loser {
                source,
                value: winner.value.to_string(),
                why: "is obtained later".to_owned(),
            });
            explanations.push(Explanation {
                resource: "ssh_config",
                name: keyword.name(),
                context: deviation.context,
                effective: Some(deviation.effective.value),
                source: deviation.effective.source,
                rule: "the first value that is obtained wins, and this block comes first"
                    .to_owned(),
                losers: loser.into_iter().collect(),
            });
        }
    }
    explanations
}

fn global(ssh: &Observed, keyword: Keyword, winner: &Effective) -> Explanation {
    let batch = keyword == Keyword::ServerAliveInterval && ssh.dialect.is_debian();
    let rule = match &winner.source {
        Some(_) => "the first value that is obtained wins",
        None if batch => "nothing sets it: ssh's default; Debian's is 300 with BatchMode yes",
        None => "nothing sets it: ssh's default",
    };
    let mut losers: Vec<Loser> = Vec::new();
    let mut known = BTreeSet::new();
    for line in ssh.reading.lines(keyword) {
        let Some(loser) = loser(&line, winner) else { continue };
        if known.insert((loser.source.clone(), loser.why.clone())) {
            losers.push(loser);
        }
    }
    Explanation {
        resource: "ssh_config",
        name: keyword.name(),
        context: "global".to_owned(),
        effective: Some(winner.value),
        source: winner.source.clone(),
        rule: rule.to_owned(),
        losers,
    }
}

fn loser(line: &Line<'_>, winner: &Effective) -> Option<Loser> {
    let source = line.effective.source.clone()?;
    if Some(&source) == winner.source.as_ref() {
        return None;
    }
    let context = line.context.as_deref().unwrap_or_default();
    let why = match (line.for_everybody, &winner.source) {
        (Some(true), Some(winner)) => format!("{winner} comes first"),
        (None, _) => format!("only inside {context}"),
        _ => format!("{context} is never met"),
    };
    let value = match line.effective.value {
        Value::Number(number) => number.to_string(),
        value => value.to_string(),
    };
    Some(Loser { source, value, why })
}
