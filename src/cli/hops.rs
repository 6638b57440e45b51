//! `hops`: the table of middleboxes, and how long each forgives silence.

use serde::Serialize;

use super::Invocation;
use crate::hops::{Certainty, Counts, Hop, TABLE};
use crate::report::text::Style;
use crate::report::wrap::hanging;
use crate::timing::budget::safe;

/// Columns before the names.
const INDENT: usize = 42;

pub(super) fn run(invocation: &Invocation) -> u8 {
    let data = Hops { version: 1, hops: TABLE.iter().map(Row::of).collect() };
    invocation.print(&data, || table(Style::of_stdout()));
    0
}

#[derive(Serialize)]
struct Hops {
    version: u32,
    hops: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: &'static str,
    name: &'static str,
    idle_s: u32,
    safe_s: u64,
    configurable: &'static str,
    tcp_keepalive: &'static str,
    on_expiry: &'static str,
    certainty: &'static str,
    source: &'static str,
}

impl Row {
    fn of(hop: &Hop) -> Self {
        Self {
            id: hop.id,
            name: hop.name,
            idle_s: hop.idle,
            safe_s: safe(hop.idle).as_secs(),
            configurable: hop.configurable,
            tcp_keepalive: counts(hop.tcp_keepalive),
            on_expiry: hop.on_expiry,
            certainty: certainty(hop.certainty),
            source: hop.source,
        }
    }
}

const fn counts(counts: Counts) -> &'static str {
    match counts {
        Counts::Yes => "yes",
        Counts::No => "no",
        Counts::Unsure => "unsure",
    }
}

const fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Vendor => "vendor",
        Certainty::SecondHand => "second-hand",
        Certainty::Hearsay => "hearsay",
    }
}

/// Two or more lines a hop: what it is, then what is known about it.
fn table(style: Style) -> String {
    let head = format!("{:<23} {:>8}  {:<6}  HOP", "ID", "IDLE, s", "PROBES");
    let mut text = style.dim(&head) + "\n";
    for hop in &TABLE {
        let columns = format!("{:<23} {:>8}  {:<6}  ", hop.id, hop.idle, counts(hop.tcp_keepalive));
        text.push_str(&hanging(&columns, INDENT, hop.name));
        for line in hanging("", 4, &details(hop)).lines() {
            text.push_str(&style.dim(line));
            text.push('\n');
        }
    }
    text.push('\n');
    text.push_str(&hanging(
        "",
        0,
        "IDLE is the silence after which the hop forgets a connection, unless its owner changed \
         that; at most 75 % of it is safe. PROBES says whether a bare TCP keepalive restarts its \
         clock; where it does not, only what sshd and ssh ask inside the connection does. Name \
         those on your path in [path] hops, and `keepalive-policy explain` holds your settings \
         against them.",
    ));
    text
}

fn details(hop: &Hop) -> String {
    let mut details = Vec::new();
    match hop.configurable {
        "not known" => {}
        "no" => details.push("fixed".to_owned()),
        "yes" => details.push("configurable".to_owned()),
        other if other.starts_with(|first: char| first.is_ascii_digit()) => {
            // The unit stands behind the last number: "60 to 6000", "300 and up".
            let (numbers, rest) =
                other.strip_suffix(" and up").map_or((other, ""), |least| (least, " and up"));
            details.push(format!("configurable, {numbers} s{rest}"));
        }
        other => details.push(format!("configurable {other}")),
    }
    if hop.on_expiry != "not known" {
        details.push(format!("then: {}", hop.on_expiry));
    }
    details.push(match (hop.certainty, hop.source) {
        (Certainty::Vendor, "") => "says its vendor".to_owned(),
        (Certainty::Vendor, source) => format!("says {source}"),
        (Certainty::SecondHand, _) => "quoted by others".to_owned(),
        (Certainty::Hearsay, _) => "general knowledge only".to_owned(),
    });
    details.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_shown_within_80_columns() {
        let text = table(Style::PLAIN);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for hop in &TABLE {
            let row = text.lines().find(|line| line.starts_with(&format!("{} ", hop.id)));
            let row = row.unwrap_or_else(|| panic!("{} is not shown", hop.id));
            assert!(row.contains(&format!(" {} ", hop.idle)), "{row}");
        }
    }

    #[test]
    fn a_row_says_what_is_known() {
        let text = table(Style::PLAIN);
        let shown = "
aws-nlb                      350  yes     AWS Network Load Balancer, TCP
                                          listener
    configurable, 60 to 6000 s; then: silent, RST on the next packet; says AWS
    docs \"update idle timeout\"
aws-nlb-tls                  350  unsure  AWS Network Load Balancer, TLS
                                          listener
    fixed; then: RST; says its vendor
";
        assert!(text.contains(shown), "{text}");
        assert!(text.contains("    configurable, 300 s and up; then: drops;"), "{text}");
        assert!(text.contains("    says RFC 5382\n"), "{text}");
    }

    #[test]
    fn json_has_every_field_of_every_row() {
        let rows: Vec<_> =
            TABLE.iter().map(|hop| serde_json::to_value(Row::of(hop)).unwrap()).collect();
        assert_eq!(rows.len(), 35);
        assert_eq!(
            rows[0],
            serde_json::json!({
                "id": "aws-nlb", "name": "AWS Network Load Balancer, TCP listener", "idle_s": 350,
                "safe_s": 262, "configurable": "60 to 6000", "tcp_keepalive": "yes",
                "on_expiry": "silent, RST on the next packet", "certainty": "vendor",
                "source": "AWS docs \"update idle timeout\""
            })
        );
    }
}
