//! Connections that the `Match` blocks of a tree are about: what everybody else gets shows nothing
//! of what an edit does to them.

use std::net::IpAddr;

use super::Connection;
use crate::sshd::dialect::Dialect;
use crate::sshd::match_criteria::{Attribute, Criteria, Criterion, parse};
use crate::sshd::syntax::each;
use crate::sshd::tree::{Entry, Tree};

/// Each costs some milliseconds before a reload; a host with more blocks has the same few kinds.
const MOST: usize = 8;

/// One connection for each block, of different ones, that has anything to go by.
#[must_use]
pub fn connections(tree: &Tree, dialect: &Dialect) -> Vec<Connection> {
    let criteria = criteria(tree, dialect);
    // With a user's name sshd would ask the host's directory service for each of these, which may
    // take half a minute to say that there is no such account.
    let asks = |one: &Criterion| matches!(one.attribute, Attribute::Group | Attribute::InvalidUser);
    let accounts_are_asked_for = criteria.iter().flatten().any(asks);
    let mut found = Vec::new();
    for block in &criteria {
        let has_user = block.iter().any(|one| one.attribute == Attribute::User);
        if block.iter().any(asks) || accounts_are_asked_for && has_user {
            continue;
        }
        if let Some(connection) = example(block).filter(|one| !found.contains(one)) {
            found.push(connection);
        }
    }
    found.truncate(MOST);
    found
}

/// Those of every block in every file.
fn criteria(tree: &Tree, dialect: &Dialect) -> Vec<Criteria> {
    let mut found = Vec::new();
    for entry in tree.entries.values() {
        let Entry::File { bytes, .. } = entry else { continue };
        let blocks = each(bytes, dialect).filter(|line| line.is("Match"));
        found.extend(blocks.filter_map(|line| parse(&line, dialect).ok()));
    }
    found
}

/// A connection that meets the criteria, as far as they are plain.
fn example(criteria: &[Criterion]) -> Option<Connection> {
    let mut connection = Connection::default();
    for criterion in criteria {
        let list = String::from_utf8_lossy(&criterion.pattern);
        let first = list.split(',').find(|part| !part.starts_with('!'))?.trim();
        let address = || plain(first.split('/').next().unwrap_or_default(), "1");
        let (name, value) = match criterion.attribute {
            Attribute::User => ("user", plain(first, "x")),
            Attribute::Host => ("host", plain(first, "x")),
            Attribute::Address => ("addr", address()),
            Attribute::LocalAddress => ("laddr", address()),
            Attribute::LocalPort => ("lport", first.to_owned()),
            Attribute::Group | Attribute::RDomain | Attribute::InvalidUser | Attribute::Version => {
                continue;
            }
        };
        let valid = match name {
            "addr" | "laddr" => value.parse::<IpAddr>().is_ok(),
            "lport" => value.parse::<u16>().is_ok_and(|port| port != 0),
            _ => value.bytes().all(|byte| byte.is_ascii_graphic()),
        };
        connection = connection.with(name, valid.then_some(value)?);
    }
    (connection != Connection::default()).then_some(connection)
}

/// A word that a pattern matches.
fn plain(pattern: &str, for_wildcard: &str) -> String {
    pattern.replace(['*', '?'], for_wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_for_each_kind_of_block() {
        let text = "Match User bob,!eve\nMatch user !eve,al?ce Host *.example.org\nMatch all\n\
                    Match Address 192.0.2.0/24 LocalPort 2222\nMatch LocalAddress 10.0.0.*\n\
                    Match User bob\nMatch Address nonsense\nMatch\n";
        let anybody = Connection::default;
        assert_eq!(
            found(text),
            [
                anybody().with("user", "bob"),
                anybody().with("user", "alxce").with("host", "x.example.org"),
                anybody().with("addr", "192.0.2.0").with("lport", "2222"),
                anybody().with("laddr", "10.0.0.1"),
            ]
        );
    }

    #[test]
    fn no_user_is_named_where_that_would_ask_for_groups() {
        let text = "Match User bob\nMatch Address 192.0.2.1\nMatch Group wheel Host a\n";
        assert_eq!(found(text), [Connection::default().with("addr", "192.0.2.1")]);
    }

    fn found(text: &str) -> Vec<Connection> {
        let file = Entry::File { bytes: text.as_bytes().into(), real: "/c".into() };
        let tree = Tree { main: "/c".into(), entries: [("/c".into(), file)].into() };
        connections(&tree, &Dialect::default())
    }
}
