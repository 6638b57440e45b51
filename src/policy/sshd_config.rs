//! `[sshd_config]`: the values that sshd takes, less those that do what nobody means.

use super::duration;
use super::findings::Findings;
use super::table::{Entries, Entry};
use crate::reconcile::Value;
use crate::sshd::{Desired, Keyword, MatchBlocks};

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> Desired {
    let mut desired = Desired::default();
    for keyword in Keyword::ALL {
        let value = entries.get(keyword.name()).and_then(|entry| match keyword {
            Keyword::TcpKeepAlive => yes_or_no(entry, findings).map(Value::Bool),
            Keyword::ClientAliveInterval => interval(entry, findings).map(number),
            Keyword::ClientAliveCountMax => count(entry, findings).map(number),
        });
        if let Some(value) = value {
            desired.values.insert(keyword, value);
        }
    }
    let choices = [("override", MatchBlocks::Override), ("report", MatchBlocks::Report)];
    if let Some(chosen) =
        entries.get("match_blocks").and_then(|entry| findings.choice(entry, &choices))
    {
        desired.match_blocks = chosen;
    }
    check_never_disconnect(entries, &desired, findings);
    let off = desired.values.get(&Keyword::ClientAliveInterval) == Some(&Value::Number(0));
    if let Some(entry) = entries.get(Keyword::ClientAliveCountMax.name()).filter(|_| off) {
        let message =
            "ClientAliveCountMax has no effect while ClientAliveInterval is 0: sshd asks nothing";
        findings.notice(Some(entry), message);
    }
    desired
}

fn number(value: u32) -> Value {
    Value::Number(i64::from(value))
}

/// sshd knows `yes` and `no`, in either case, and refuses `true`, `on` and `1`.
pub(super) fn yes_or_no(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<bool> {
    let value = entry.value.get_ref();
    let text = value.as_str().unwrap_or_default();
    let chosen = match value.as_bool() {
        Some(chosen) => Some(chosen),
        None if text.eq_ignore_ascii_case("yes") => Some(true),
        None if text.eq_ignore_ascii_case("no") => Some(false),
        None => None,
    };
    if chosen.is_none() {
        findings.wrong(entry, "true, false, \"yes\" or \"no\"");
    }
    chosen
}

/// 0 is taken: it is sshd's own default, and switches the requests off.
pub(super) fn interval(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<u32> {
    let seconds = findings.time(entry)?;
    findings.within(
        entry,
        seconds,
        (0..=duration::LONGEST, " s"),
        "OpenSSH takes no such number of seconds",
    )
}

fn count(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<u32> {
    let number = findings.integer(entry, "a whole number of requests")?;
    findings.within(entry, number, (0..=i32::MAX.unsigned_abs(), ""), "sshd takes no such number")
}

/// A count of 0 keeps the sessions of dead peers for ever, and before OpenSSH 8.2 it cut the live
/// ones at the first silent interval: it has to be meant.
fn check_never_disconnect(entries: &Entries<'_>, desired: &Desired, findings: &mut Findings<'_>) {
    let meant = entries
        .get("never_disconnect")
        .and_then(|entry| Some((entry, findings.boolean(entry)?)))
        .filter(|(_, meant)| *meant);
    let count = entries.get(Keyword::ClientAliveCountMax.name());
    let value = desired.values.get(&Keyword::ClientAliveCountMax);
    match (meant, count, value) {
        (None, Some(count), Some(Value::Number(0))) => findings.refuse(
            count.value.span(),
            "`ClientAliveCountMax` = 0 is refused: sshd then never disconnects a dead peer, and \
             before OpenSSH 8.2 disconnects at the first silent interval; use 1 or more, or add \
             never_disconnect = true",
        ),
        (Some((entry, _)), _, Some(Value::Number(1..))) => findings.refuse(
            entry.key.clone(),
            "`never_disconnect` contradicts `ClientAliveCountMax`, which is not 0",
        ),
        (Some((entry, _)), None, _) => findings.refuse(
            entry.key.clone(),
            "`never_disconnect` needs `ClientAliveCountMax` = 0, which is not declared",
        ),
        _ => {}
    }
}
