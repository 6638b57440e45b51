//! Connections that the `Match` blocks of a tree are about: what everybody else gets shows nothing
//! of what an edit does to them.

use std::net::IpAddr;

use super::Connection;
use crate::sshd::dialect::Dialect;
use crate::sshd::match_criteria::{Attribute, Criterion, parse};
use crate::sshd::syntax::directives;
use crate::sshd::tree::{Entry, Tree};

/// Each costs some milliseconds before a reload; a host with more blocks has the same few kinds.
const MOST: usize = 8;

/// One connection for each block, of different ones, that has anything to go by.
#[must_use]
pub fn connections(tree: &Tree, dialect: &Dialect) -> Vec<Connection> {
    let mut found = Vec::new();
    for entry in tree.entries.values() {
        let Entry::File { bytes, .. } = entry else { continue };
        for directive in directives(bytes, dialect).iter().filter(|one| one.is("Match")) {
            let criteria = parse(directive, dialect).unwrap_or_default();
            if let Some(connection) = example(&criteria).filter(|one| !found.contains(one)) {
                found.push(connection);
            }
            if found.len() == MOST {
                return found;
            }
        }
    }
    found
}

/// A connection that meets the criteria, as far as they are plain.
fn example(criteria: &[Criterion]) -> Option<Connection> {
    // The groups of an account are a question to the host's directory service, which may be slow to
    // say that there is no such account.
    if criteria.iter().any(|one| one.attribute == Attribute::Group) {
        return None;
    }
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
                    Match Group wheel User bob\nMatch User bob\nMatch Address nonsense\nMatch\n";
        let file = Entry::File { bytes: text.into(), real: "/c".into() };
        let tree = Tree { main: "/c".into(), entries: [("/c".into(), file)].into() };
        let anybody = Connection::default;
        assert_eq!(
            connections(&tree, &Dialect::default()),
            [
                anybody().with("user", "bob"),
                anybody().with("user", "alxce").with("host", "x.example.org"),
                anybody().with("addr", "192.0.2.0").with("lport", "2222"),
                anybody().with("laddr", "10.0.0.1"),
            ]
        );
    }
}
