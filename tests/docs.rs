//! What the documentation shows is what the program takes and says.

use std::path::Path;

use keepalive_policy::hops::{Counts, TABLE};
use keepalive_policy::policy::{Policy, Rejection, parse};
use keepalive_policy::report::journal::Kind;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const POLICY_PAGE: &str = include_str!("../packaging/man/keepalive-policy.toml.5");
const PROGRAM_PAGE: &str = include_str!("../packaging/man/keepalive-policy.8");
const EXAMPLE: &str = include_str!("../config.example.toml");

fn judge(text: &str) -> Result<Policy, Rejection> {
    parse(text.as_bytes(), Path::new("/etc/keepalive-policy.toml"))
}

/// What a line of a manual page's source shows.
fn shown(source: &str) -> String {
    let characters = [(r"\(aq", "'"), (r"\(ga", "`"), (r"\(dq", "\""), (r"\(ha", "^")];
    let mut line = source.replace(r"\-", "-").replace(r"\(ti", "~");
    for (escape, character) in characters {
        line = line.replace(escape, character);
    }
    assert!(!line.contains('\\'), "an escape that this test does not know: {source}");
    line
}

/// The literal blocks of a manual page, each with the comment before it.
fn literal_blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line.starts_with(".Bd -literal") {
            let block = lines.by_ref().take_while(|line| *line != ".Ed");
            blocks.push((before, block.map(|line| shown(line) + "\n").collect()));
        }
        before = line;
    }
    blocks
}

#[test]
fn the_policies_in_the_manual_page_are_valid() {
    let blocks = literal_blocks(POLICY_PAGE);
    let policies: Vec<_> =
        blocks.iter().filter(|(before, _)| !before.starts_with(".\\\"")).collect();
    assert_eq!((blocks.len(), policies.len()), (9, 8));
    for (_, policy) in policies {
        judge(policy).unwrap_or_else(|rejection| panic!("{rejection}\n{policy}"));
    }
}

#[test]
fn the_policies_in_the_readme_are_valid() {
    let readme = std::fs::read_to_string(README).unwrap();
    let policies: Vec<&str> = readme
        .split("\n```toml\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect();
    assert!(!policies.is_empty());
    for policy in policies {
        judge(policy).unwrap_or_else(|rejection| panic!("{rejection}\n{policy}"));
    }
}

#[test]
fn the_refusal_in_the_manual_page_is_what_is_said() {
    let policy = format!("{}[sshd_config]\nClientAliveIntervall = 120\n", "\n".repeat(10));
    let said = judge(&policy).unwrap_err().to_string() + "\n";
    let printed: Vec<_> = literal_blocks(POLICY_PAGE)
        .into_iter()
        .filter(|(before, _)| before.starts_with(".\\\" refused"))
        .map(|(_, block)| block)
        .collect();
    assert_eq!(printed, [said]);
}

/// The keys come from the refusal of one that is near none of them.
#[test]
fn every_key_is_described_and_shown_in_the_example() {
    let mut described = 0;
    for section in [
        "",
        "[sysctl]",
        "[sshd_config]",
        "[[sshd_config.instance]]",
        "[ssh_config]",
        "[path]",
        "[objective]",
        "[daemon]",
        "[metrics]",
        "[witness]",
    ] {
        let said = judge(&format!("{section}\nqqqqqqqqqqqq = 1")).unwrap_err();
        let mut messages = said.findings.iter().map(|finding| &finding.message);
        let (_, keys) = messages.find_map(|message| message.split_once(" takes ")).unwrap();
        for key in keys.split(", ") {
            let item = if section.is_empty() && key != "mode" {
                format!(".Sh [{key}]\n")
            } else {
                format!(".It Ic {key}\n")
            };
            assert!(POLICY_PAGE.contains(&item), "{key} is not described");
            assert!(EXAMPLE.contains(key), "{key} is not in the example");
            described += 1;
        }
    }
    assert_eq!(described, 33);
}

#[test]
fn every_kind_of_line_in_the_journal_is_listed() {
    let readme = std::fs::read_to_string(README).unwrap();
    let listed: String = PROGRAM_PAGE
        .lines()
        .skip_while(|line| *line != ".Li KEEPALIVE_EVENT")
        .take_while(|line| *line != ".Pc")
        .flat_map(|line| [shown(line), "\n".to_owned()])
        .collect();
    let listed: Vec<&str> = listed.split([' ', ',', '\n']).collect();
    for kind in Kind::ALL {
        assert!(listed.contains(&kind.word()), "{kind:?} is not in the manual page");
        assert!(readme.contains(&format!("`{}`", kind.word())), "{kind:?} is not in the README");
    }
}

#[test]
fn the_table_of_hops_in_the_manual_page_is_the_one_in_use() {
    let heading = ".It Em id ";
    let printed: Vec<String> = POLICY_PAGE
        .lines()
        .skip_while(|line| !line.starts_with(heading))
        .skip(1)
        .take_while(|line| *line != ".El")
        .map(shown)
        .collect();
    let rows: Vec<String> = TABLE
        .iter()
        .map(|hop| {
            let counts = match hop.tcp_keepalive {
                Counts::Yes => "yes",
                Counts::No => "no",
                Counts::Unsure => "unsure",
            };
            format!(".It {} Ta {} Ta {counts} Ta {}", hop.id, hop.idle, hop.name)
        })
        .collect();
    assert_eq!(printed, rows);
}

/// A promise of SECURITY.md names the test that holds it.
#[test]
fn the_tests_that_the_security_page_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut named = 0;
    let rows = page.lines().filter(|line| line.starts_with("| "));
    for test in rows.filter_map(|row| row.split(" | ").nth(1)).flat_map(|cell| cell.split('`')) {
        let (file, case) = test.split_once("::").unwrap_or((test, ""));
        let path = match file {
            file if file.starts_with("tests/") => file.to_owned(),
            file if file.starts_with("hostile/") => format!("tests/{file}"),
            _ => continue,
        };
        let text = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        let wanted = if case.is_empty() { String::new() } else { format!("fn {case}()") };
        assert!(!text.is_empty() && text.contains(&wanted), "{test} is not there");
        named += 1;
    }
    assert!(named >= 10, "{named}");
}
