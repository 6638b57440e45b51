//! `[path]`: the middleboxes that sessions cross.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, quoted};
use super::spelling::nearest;
use super::table::{self, Entries, Entry, Table};
use super::value::describe;
use super::{Hop, OwnHop, duration};
use crate::hops::{self, TABLE};

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> Vec<Hop> {
    let Some(entry) = entries.get("hops") else { return Vec::new() };
    let Some(array) = entry.value.get_ref().as_array() else {
        findings.wrong(entry, "an array, hops = [\"aws-nlb\"]");
        return Vec::new();
    };
    array.iter().filter_map(|element| hop(element, findings)).collect()
}

fn hop(element: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Hop> {
    match element.get_ref() {
        DeValue::String(id) => {
            let known = hops::by_id(id);
            if known.is_none() {
                findings.refuse(element.span(), unknown(id));
            }
            known.map(Hop::Known)
        }
        DeValue::Table(content) => own(element, content, findings).map(Hop::Own),
        other => {
            let message = format!(
                "a hop must be an id (\"aws-nlb\") or a table of its own ({{ name = \"…\", idle = \
                 \"350s\", tcp_keepalive = true }}), found {}",
                describe(other)
            );
            findings.refuse(element.span(), message);
            None
        }
    }
}

fn unknown(id: &str) -> String {
    let ids: Vec<&str> = TABLE.iter().map(|hop| hop.id).collect();
    let written = quoted(id);
    match nearest(id, &ids) {
        Some(meant) => format!("unknown hop \"{written}\", did you mean \"{meant}\"?"),
        None => format!(
            "unknown hop \"{written}\": describe one of your own as {{ name = \"{written}\", idle = \
             \"350s\", tcp_keepalive = true }}"
        ),
    }
}

/// A hop that is not in the table. Where it is not said whether a TCP keepalive counts, it does not.
fn own(
    element: &Spanned<DeValue<'_>>,
    content: &DeTable<'_>,
    findings: &mut Findings<'_>,
) -> Option<OwnHop> {
    let entries = table::entries(Table::Hop, content, findings);
    for needed in ["name", "idle"] {
        if !entries.contains_key(needed) {
            findings.refuse(element.span(), format!("a hop of your own needs `{needed}`"));
        }
    }
    let name = entries.get("name").and_then(|entry| name(entry, findings));
    let idle = entries.get("idle").and_then(|entry| {
        let seconds = findings.time(entry)?;
        let why = "a hop that forgets at once lets nothing through";
        findings.within(entry, seconds, (1..=duration::LONGEST, " s"), why)
    });
    let tcp_keepalive = match entries.get("tcp_keepalive") {
        Some(entry) => findings.boolean(entry),
        None => Some(false),
    };
    Some(OwnHop { name: name?, idle: idle?, tcp_keepalive: tcp_keepalive? })
}

fn name(entry: &Entry<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let name = entry.value.get_ref().as_str().map(str::trim);
    let usable = name.filter(|name| !name.is_empty() && !name.chars().any(char::is_control));
    if usable.is_none() {
        findings.wrong(entry, "a text to recognise the hop by");
    }
    usable.map(str::to_owned)
}
