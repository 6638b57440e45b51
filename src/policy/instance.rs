//! `[[sshd_config.instance]]`: the further sshds of a host that runs several.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::findings::{Findings, quoted};
use super::table::{self, Entries, Entry, Table};
use super::value::describe;
use crate::sshd::instance::Instance;

/// How it is written, for who wrote something else.
const FORM: &str = "[[sshd_config.instance]] with file = \"/etc/ssh/…\" and unit = \"….service\"";

/// How many there may be. A host with one for each tenant has a dozen.
const MOST: usize = 64;

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> Vec<Instance> {
    let Some(entry) = entries.get("instance") else { return Vec::new() };
    let Some(array) = entry.value.get_ref().as_array() else {
        let message = format!(
            "`instance` must be an array of tables, written {FORM}, found {}",
            describe(entry.value.get_ref())
        );
        findings.refuse(entry.key.clone(), message);
        return Vec::new();
    };
    if array.len() > MOST {
        let message = format!(
            "{} instances; {MOST} is the most, since each of them is judged by its sshd in each look",
            array.len()
        );
        findings.refuse(entry.key.clone(), message);
        return Vec::new();
    }
    let mut seen = BTreeMap::new();
    array.iter().filter_map(|element| instance(element, &mut seen, findings)).collect()
}

/// `seen` has the places of the files and units of those before it.
fn instance(
    element: &Spanned<DeValue<'_>>,
    seen: &mut BTreeMap<String, usize>,
    findings: &mut Findings<'_>,
) -> Option<Instance> {
    let Some(content) = element.get_ref().as_table() else {
        let found = describe(element.get_ref());
        findings.refuse(element.span(), format!("an instance must be {FORM}, found {found}"));
        return None;
    };
    let entries = table::entries(Table::Instance, content, findings);
    for needed in ["file", "unit"] {
        if !entries.contains_key(needed) {
            findings.refuse(element.span(), format!("an instance needs `{needed}`: {FORM}"));
        }
    }
    let file = entries.get("file").and_then(|entry| file(entry, seen, findings));
    let unit = entries.get("unit").and_then(|entry| unit(entry, seen, findings));
    Some(Instance { file: file?.into(), unit: unit? })
}

fn file(
    entry: &Entry<'_>,
    seen: &mut BTreeMap<String, usize>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let text = entry.value.get_ref().as_str().unwrap_or_default();
    // The file is named in an Include line, where these would mean something.
    let special = |c: char| c.is_whitespace() || c.is_control() || "*?[]{}\"'\\#%".contains(c);
    let mut parts = text.split('/').skip(1);
    if !text.starts_with('/')
        || text.contains(special)
        || parts.any(|part| matches!(part, "" | "." | ".."))
    {
        let wanted = "the absolute path of the instance's main file, without . and .., blanks, \
                      quotes and what a pattern is made of";
        findings.wrong(entry, wanted);
        return None;
    }
    if text == "/etc/ssh/sshd_config" {
        findings.refuse(entry.value.span(), own("the main file"));
        return None;
    }
    once(entry, text, seen, findings)
}

fn unit(
    entry: &Entry<'_>,
    seen: &mut BTreeMap<String, usize>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    /// `UNIT_NAME_MAX`.
    const LONGEST: usize = 255;
    let text = entry.value.get_ref().as_str().unwrap_or_default();
    let stem = text.strip_suffix(".service").unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let named = !stem.is_empty() && !stem.starts_with('-') && text.len() <= LONGEST;
    if !named || !stem.chars().all(allowed) || stem.starts_with('@') || stem.ends_with('@') {
        findings.wrong(entry, "the name of a service unit, \"sshd-sftp.service\"");
        return None;
    }
    if matches!(text, "ssh.service" | "sshd.service") {
        findings.refuse(entry.value.span(), own("the unit"));
        return None;
    }
    once(entry, text, seen, findings)
}

fn own(what: &str) -> String {
    format!(
        "this is {what} of the host's own sshd, which is governed without being declared; an \
         instance is another sshd beside it"
    )
}

fn once(
    entry: &Entry<'_>,
    text: &str,
    seen: &mut BTreeMap<String, usize>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let here = entry.value.span().start;
    if let Some(first) = seen.get(text) {
        let first = findings.line_beside(*first, here);
        let message =
            format!("`{}` = \"{}\" is declared on {first} already", entry.name, quoted(text));
        findings.refuse(entry.value.span(), message);
        return None;
    }
    seen.insert(text.to_owned(), here);
    Some(text.to_owned())
}
