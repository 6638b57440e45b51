//! `[sysctl]`: what the kernel refuses, or takes and then does harm with, is refused here.

use toml::de::DeValue;

use super::findings::{Findings, quoted};
use super::table::{Entries, Entry};
use crate::sysctl::{Desired, Key};

/// Seconds that every kernel takes: it keeps `seconds * HZ` in an `int`, and HZ is at most 1000.
const LONGEST: u32 = i32::MAX.unsigned_abs() / 1000;

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> Desired {
    let mut desired = Desired::default();
    for key in Key::ALL {
        let value = entries.get(key.name()).and_then(|entry| value(key, entry, findings));
        if let Some(value) = value {
            desired.values.insert(key, value);
        }
    }
    check_order(entries, &desired, findings);
    desired
}

fn value(key: Key, entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<u32> {
    if let DeValue::String(text) = entry.value.get_ref()
        && text.starts_with('0')
        && text.len() > 1
    {
        let message = format!(
            "`{}` = \"{}\" is refused: the kernel reads a number with a leading 0 as octal or \
             hexadecimal; write it in decimal, without quotes",
            entry.name,
            quoted(text)
        );
        findings.refuse(entry.value.span(), message);
        return None;
    }
    let (wanted, range) = match key {
        Key::KeepaliveTime | Key::KeepaliveIntvl => {
            ("a whole number of seconds", (1..=LONGEST, " s"))
        }
        Key::KeepaliveProbes => ("a whole number of probes", (1..=u32::from(u8::MAX), "")),
    };
    let number = findings.integer(entry, wanted)?;
    findings.within(entry, number, range, harm(key, number))
}

/// What the kernel does with a number out of range.
const fn harm(key: Key, number: i64) -> &'static str {
    match (key, number) {
        (Key::KeepaliveTime, 0) => {
            "time 0 makes the kernel probe every idle connection without pause, and with intvl 0 \
             reset it within milliseconds"
        }
        (Key::KeepaliveIntvl, 0) => {
            "intvl 0 makes the kernel send hundreds of probes a second to a silent peer, and with \
             time 0 reset live connections"
        }
        (Key::KeepaliveProbes, 0) => {
            "probes 0 makes the kernel reset every live idle connection, without a probe"
        }
        (Key::KeepaliveProbes, _) => "the kernel takes no such number of probes",
        (_, ..0) => "the kernel takes a negative number and then sends no probe for weeks",
        (..) => "the kernel takes no such number of seconds where its clock runs at 1000 Hz",
    }
}

/// With an interval above the time the kernel probes a live peer at every interval: what is
/// declared as the time would never be true.
fn check_order(entries: &Entries<'_>, desired: &Desired, findings: &mut Findings<'_>) {
    let value = |key: Key| entries.get(key.name()).zip(desired.values.get(&key));
    let (Some((time, seconds)), Some((intvl, between))) =
        (value(Key::KeepaliveTime), value(Key::KeepaliveIntvl))
    else {
        return;
    };
    if between > seconds {
        let message = format!(
            "`{}` = {between} is above `{}` = {seconds} of {}: the kernel would probe an idle \
             peer every {between} seconds, not every {seconds}; lower the one or raise the other",
            intvl.name,
            time.name,
            findings.line_beside(time.value.span().start, intvl.value.span().start)
        );
        findings.refuse(intvl.value.span(), message);
    }
}
