//! `[objective]`: what is wanted instead of numbers. What follows from it for the installed sshd
//! joins the declared values, where these are silent.

use super::duration;
use super::findings::Findings;
use super::table::Entries;
use crate::objective::{Derived, Explicit, Impossible, Objective, derive};
use crate::reconcile::Value;
use crate::sshd::{Desired, Keyword};
use crate::timing::Release;

/// Reads the objective, and adds what follows from it to `desired`.
pub(super) fn read(
    entries: &Entries<'_>,
    desired: &mut Desired,
    release: &dyn Fn() -> Release,
    findings: &mut Findings<'_>,
) -> Option<Derived> {
    let mut time = |name: &str, why: &str| {
        let entry = entries.get(name)?;
        let seconds = findings.time(entry)?;
        findings.within(entry, seconds, (1..=duration::LONGEST, " s"), why)
    };
    let objective = Objective {
        survive_idle: time("survive_idle", "a hop that forgets at once lets nothing through"),
        notice_dead_peer: time("notice_dead_peer", "nobody notices a dead peer at once"),
    };
    if objective == Objective::default() {
        return None;
    }
    let explicit = Explicit {
        interval: number(desired, Keyword::ClientAliveInterval),
        count: number(desired, Keyword::ClientAliveCountMax),
    };
    match derive(objective, explicit, release()) {
        Ok(derived) => {
            let values = [
                (Keyword::ClientAliveInterval, derived.interval),
                (Keyword::ClientAliveCountMax, derived.count),
            ];
            for (keyword, value) in values {
                if let Some(value) = value {
                    desired.values.insert(keyword, Value::Number(value.into()));
                }
            }
            notice(entries, &derived, findings);
            Some(derived)
        }
        Err(impossible) => {
            let (name, why) = match impossible {
                Impossible::SurviveIdle(why) => ("survive_idle", why),
                Impossible::NoticeDeadPeer(why) => ("notice_dead_peer", why),
            };
            if let Some(entry) = entries.get(name) {
                let message = format!("`{name}` can't be reached: {why}");
                findings.refuse(entry.value.span(), message);
            }
            None
        }
    }
}

fn notice(entries: &Entries<'_>, derived: &Derived, findings: &mut Findings<'_>) {
    let Some(first) = entries.values().min_by_key(|entry| entry.key.start) else { return };
    let settings = [
        (Keyword::ClientAliveInterval, derived.interval),
        (Keyword::ClientAliveCountMax, derived.count),
    ];
    let settings: Vec<String> = settings
        .iter()
        .filter_map(|(keyword, value)| Some(format!("{} = {}", keyword.name(), (*value)?)))
        .collect();
    if settings.is_empty() {
        findings
            .notice(Some(first), "[objective] changes nothing: what it needs is set explicitly");
    } else {
        let message = format!("[objective] makes it {}", settings.join(" and "));
        findings.notice(Some(first), message);
    }
    for sentence in derived.steps.iter().chain(&derived.unmet) {
        findings.notice(Some(first), sentence.clone());
    }
}

/// A declared number.
pub(super) fn number(desired: &Desired, keyword: Keyword) -> Option<u32> {
    match desired.values.get(&keyword)? {
        Value::Number(number) => u32::try_from(*number).ok(),
        Value::Bool(_) => None,
    }
}
