//! What one sshd of the host gives its sessions: the host's own, or a declared instance.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::sources::Explanation;
use super::sshd_sources;
use crate::reconcile::{Problem, Severity, Value};
use crate::sshd::evaluate::{Effective, evaluate};
use crate::sshd::idle_limit::IdleLimit;
use crate::sshd::judge::Verdict;
use crate::sshd::match_criteria::Criteria;
use crate::sshd::{Keyword, Observed};
use crate::timing::alive::{Alive, Side};
use crate::timing::{End, Release};

const NAME: &str = "sshd_config";

/// Whether there is a file for it.
#[must_use]
pub fn is_configured(sshd: &Observed) -> bool {
    sshd.tree.entries.contains_key(&sshd.tree.main)
}

/// A declared instance by its unit; the host's own sshd needs no name.
fn named<'t>(sshd: &Observed, text: &'t str) -> Cow<'t, str> {
    match &sshd.service.instance {
        Some(instance) => format!("{}: {text}", instance.unit).into(),
        None => text.into(),
    }
}

/// Why nothing can be told of it, and what is worth knowing.
#[must_use]
pub fn problems(sshd: &Observed) -> Vec<Problem> {
    let main = &sshd.tree.main;
    if !is_configured(sshd) {
        let message = named(sshd, "is not there, so no sshd is configured");
        return vec![Problem::new(NAME, Severity::Notice, message).at(main, None)];
    }
    let mut problems = Vec::new();
    if let Verdict::Refused(complaints) = &sshd.verdict {
        problems.extend(complaints.iter().map(|complaint| {
            let message = format!("sshd refuses it: {}", complaint.message);
            let problem = Problem::new(NAME, Severity::Blocked, named(sshd, &message));
            match &complaint.file {
                Some(file) => problem.at(file, complaint.line),
                None => problem.at(main, None),
            }
        }));
    }
    if let Verdict::Unasked(why) = &sshd.verdict {
        problems.push(Problem::new(NAME, Severity::Blocked, named(sshd, why)));
    }
    if let Some(view) = &sshd.service.view {
        problems.push(Problem::new(NAME, Severity::Notice, named(sshd, &view.to_string())));
    }
    if !sshd.freshness.is_current() {
        let message = "sshd has not loaded what its files say: until it is reloaded, new sessions \
                       get the values from before";
        problems.push(Problem::new(NAME, Severity::Notice, named(sshd, message)));
    }
    for limit in idle_limits(sshd) {
        let message = limit.sentence();
        let problem = Problem::new(NAME, Severity::Notice, named(sshd, &message));
        problems.push(problem.at(&limit.source.file, Some(limit.source.line)));
    }
    problems
}

/// What ends its idle sessions although they are kept alive.
#[must_use]
pub fn idle_limits(sshd: &Observed) -> Vec<IdleLimit> {
    evaluate(&sshd.tree, &sshd.preset, &sshd.dialect).idle_limits
}

/// Who decides about its settings.
#[must_use]
pub fn explanations(sshd: &Observed) -> Vec<Explanation> {
    let evaluation = evaluate(&sshd.tree, &sshd.preset, &sshd.dialect);
    let mut explanations = sshd_sources::explanations(&evaluation, &sshd.preset);
    for explanation in &mut explanations {
        explanation.context = named(sshd, &explanation.context).into_owned();
    }
    explanations
}

/// The sessions that no block treats apart, and those that get other times from blocks.
#[must_use]
pub fn ends(sshd: &Observed) -> Vec<(String, End)> {
    let evaluation = evaluate(&sshd.tree, &sshd.preset, &sshd.dialect);
    let release = Release::of(&sshd.dialect);
    let head = match &sshd.service.instance {
        Some(instance) => format!("to this host, {}", instance.unit),
        None => "to this host".to_owned(),
    };
    let [interval, count] = [Keyword::ClientAliveInterval, Keyword::ClientAliveCountMax]
        .map(|keyword| evaluation.populations(keyword));
    // Not allowed in a block.
    let tcp_keepalive = evaluation.global(Keyword::TcpKeepAlive).value == Value::Bool(true);
    let end = |criteria: &Criteria| End {
        tcp_keepalive,
        alive: Alive {
            interval: number(&interval.value(criteria)),
            count: number(&count.value(criteria)),
            side: Side::Server(release),
        },
    };
    let global = end(&Vec::new());
    let mut ends = vec![(head.clone(), global)];
    let mut names = BTreeSet::new();
    for (context, _) in interval.all().into_iter().chain(count.all()) {
        let name = format!("{head}, {context}");
        let found = end(&context.criteria);
        if found != global && names.insert(name.clone()) {
            ends.push((name, found));
        }
    }
    ends
}

fn number(effective: &Effective) -> u32 {
    match effective.value {
        Value::Number(number) => u32::try_from(number).unwrap_or(u32::MAX),
        Value::Bool(_) => 0,
    }
}
