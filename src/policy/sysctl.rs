//! `[sysctl]`: what the kernel refuses, or takes and then does harm with, is refused here.

use toml::de::DeValue;

use super::findings::{Findings, quoted};
use super::table::{Entries, Entry};
use super::value::describe;
use crate::sysctl::{Desired, Key};
use crate::timing::kernel::Kernel;

/// The fewest that RFC 1122 (4.2.3.5) allows a host: R2 of at least 100 seconds.
const RETRIES_OF_RFC_1122: u32 = 8;

/// What is declared for the host, and for the named network namespaces.
pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> (Desired, Desired) {
    let mut desired = Desired::default();
    for key in Key::ALL {
        let value = entries.get(key.name()).and_then(|entry| value(key, entry, findings));
        if let Some(value) = value {
            desired.values.insert(key, value);
        }
    }
    check_order(entries, &desired, findings);
    note_few_retries(entries, &desired, findings);
    let named = entries.get("namespaces").is_some_and(|entry| wants_named(entry, findings));
    let namespaces = if named { desired.clone() } else { Desired::default() };
    (desired, namespaces)
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
    let (wanted, unit) = match key {
        Key::KeepaliveTime | Key::KeepaliveIntvl => ("a whole number of seconds", " s"),
        Key::KeepaliveProbes => ("a whole number of probes", ""),
        Key::Retries2 => ("a whole number of retries", ""),
    };
    let number = findings.integer(entry, wanted)?;
    findings.within(entry, number, (key.harmless(), unit), harm(key, number))
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
        (Key::Retries2, 0 | 1) => {
            "the kernel then resets a live connection whose receiver reads nothing for a second or \
             two (a stopped terminal), and every other one after as long without an answer"
        }
        (Key::Retries2, 2) => {
            "the kernel then gives up after two to three seconds without an answer, which is less \
             than a router's failover or a change of the access point takes"
        }
        (Key::Retries2, _) => "the kernel takes no such number of retries",
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

/// Few retries are what some want, to hear of a dead peer soon; they have to know what it costs.
fn note_few_retries(entries: &Entries<'_>, desired: &Desired, findings: &mut Findings<'_>) {
    let value = desired.values.get(&Key::Retries2);
    let Some((entry, retries)) = entries.get(Key::Retries2.name()).zip(value) else { return };
    if *retries < RETRIES_OF_RFC_1122 {
        let kernel = Kernel { retries2: *retries, ..Kernel::default() };
        let outage = kernel.retransmission().after.unwrap_or_default();
        let message = format!(
            "{} = {retries} ends every connection in use, also of others than sshd, after an outage \
             of {} s, a little more on slow paths; RFC 1122 asks for at least 100 s, which is \
             {RETRIES_OF_RFC_1122}",
            entry.name,
            outage.as_secs()
        );
        findings.notice(Some(entry), message);
    }
}

/// `["host"]`, or `["host", "named"]`. The host's own namespace is never left out: a policy whose
/// values hold only elsewhere would read as if they held here.
fn wants_named(entry: &Entry<'_>, findings: &mut Findings<'_>) -> bool {
    let Some(array) = entry.value.get_ref().as_array() else {
        findings.wrong(entry, "[\"host\"] or [\"host\", \"named\"]");
        return false;
    };
    let (mut host, mut named) = (false, false);
    for element in array.iter() {
        match element.get_ref().as_str() {
            Some("host") => host = true,
            Some("named") => named = true,
            _ => {
                let found = describe(element.get_ref());
                let message = format!("a namespace is \"host\" or \"named\", found {found}");
                findings.refuse(element.span(), message);
                host = true;
            }
        }
    }
    if !host {
        let message = "`namespaces` must have \"host\": the host's own values are always kept";
        findings.refuse(entry.value.span(), message);
    }
    named
}
