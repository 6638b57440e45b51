//! The values that we compute, and those that sshd uses.

use std::collections::BTreeMap;
use std::path::Path;

use keepalive_policy::host::Host;
use keepalive_policy::sshd::Keyword;
use keepalive_policy::sshd::dialect::Dialect;
use keepalive_policy::sshd::evaluate::{Evaluation, evaluate, managed};
use keepalive_policy::sshd::judge::Dump;
use keepalive_policy::sshd::match_criteria::Connection;
use keepalive_policy::sshd::syntax::directives;
use keepalive_policy::sshd::tree::{Tree, snapshot};

use super::random::Random;
use super::real::Sshd;
use super::trees::{self, Oddity};
use super::{count, first_seed};

/// A connection as sshd is asked about it, and as we are.
fn connection(
    user: &str,
    groups: &[&str],
    host: &str,
    address: &str,
    local: (&str, u16),
) -> (String, Connection) {
    let (laddr, lport) = local;
    let asked = format!("user={user},host={host},addr={address},laddr={laddr},lport={lport}");
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let known = Connection {
        user: bytes(user),
        groups: Some(groups.iter().map(|group| group.as_bytes().to_vec()).collect()),
        host: bytes(host),
        address: bytes(address),
        local_address: bytes(laddr),
        local_port: Some(lport),
        rdomain: None,
    };
    (asked, known)
}

fn connections() -> Vec<(String, Connection)> {
    let nobody =
        Connection { groups: Some(Vec::new()), local_port: Some(1), ..Connection::default() };
    vec![
        ("lport=1".to_owned(), nobody),
        connection("root", &["root"], "web1", "192.0.2.7", ("127.0.0.1", 22)),
        connection("bob", &[], "Web1", "192.0.2.200", ("198.51.100.1", 2222)),
        connection("nobody", &["nogroup"], "web2", "10.0.0.1", ("127.0.0.1", 22)),
        connection("bob", &[], "a.example.org", "2001:db8::1", ("::1", 22)),
    ]
}

/// In sshd's words about lines that damage has made of others than ours.
const FOREIGN: [&str; 10] = [
    "Bad configuration option",
    "Banner",
    "PermitRootLogin",
    "X11Forwarding",
    "MaxAuthTries",
    "AllowUsers",
    "AcceptEnv",
    "LogLevel",
    "log level",
    "AuthorizedKeysFile",
];

/// The same where sshd does not name the keyword: `FILE line 3: unsupported option "y".`
fn is_value_of_another(words: &str, tree: &Tree, dialect: &Dialect) -> bool {
    let place = words.lines().find_map(|line| line.split_once(": unsupported option"));
    let Some((file, line)) = place.and_then(|(place, _)| place.rsplit_once(" line ")) else {
        return false;
    };
    let content = tree.content(Path::new(file.trim())).unwrap_or_default();
    directives(content, dialect)
        .iter()
        .filter(|directive| directive.line.to_string() == line)
        .all(|directive| managed(directive).is_none())
}

fn computed(
    evaluation: &Evaluation,
    connection: &Connection,
    dialect: &Dialect,
) -> BTreeMap<Keyword, String> {
    let value = |keyword| {
        let found = evaluation.for_connection(keyword, connection, dialect);
        found.map_or("unknown".to_owned(), |effective| effective.value.to_string())
    };
    Keyword::ALL.map(|keyword| (keyword, value(keyword))).into()
}

fn real(dump: &Dump) -> BTreeMap<Keyword, String> {
    let value = |keyword| dump.value(keyword).map_or("none".to_owned(), |value| value.to_string());
    Keyword::ALL.map(|keyword| (keyword, value(keyword))).into()
}

#[test]
fn every_value_is_the_one_that_sshd_uses() {
    let sshd = Sshd::new();
    let dialect = sshd.dialect();
    let (mut accepted, mut refused) = (0, 0);
    for seed in first_seed()..first_seed() + count(250) {
        let mut random = Random::seeded(seed);
        let root = tempfile::tempdir().unwrap();
        let odd = random.chance(50);
        let oddity = Oddity {
            refused: if odd { 15 } else { 3 },
            damaged: if odd { 12 } else { 2 },
            format: if odd { 60 } else { 15 },
        };
        let nodes = trees::tree(&mut random, root.path().to_str().unwrap(), oddity);
        trees::write(root.path(), &nodes);
        let main = root.path().join("etc/ssh/sshd_config");
        let found = snapshot::read(&Host::live(), &main, &[], &dialect).unwrap();
        let evaluation = evaluate(&found.tree, &BTreeMap::new(), &dialect);
        let about = |what: &str| format!("seed {seed}: {what}\n{}", trees::show(&nodes));
        for (asked, known) in connections() {
            match sshd.dump(&main, &asked) {
                Ok(dump) => {
                    let refusals = format!("{:?}", evaluation.refusals);
                    assert_eq!(refusals, "[]", "{}", about("sshd accepts it"));
                    let (ours, theirs) = (computed(&evaluation, &known, &dialect), real(&dump));
                    assert_eq!(ours, theirs, "{}", about(&asked));
                    accepted += 1;
                }
                Err(words) => {
                    // Other keywords and their grammar are not ours to know.
                    let foreign = FOREIGN.iter().any(|word| words.contains(word))
                        || is_value_of_another(&words, &found.tree, &dialect);
                    // It reads beyond the end of a glob whose brackets are not closed, and crashes.
                    let crashed = words.is_empty();
                    let known = foreign || crashed || !evaluation.refusals.is_empty();
                    assert!(known, "{}", about(&format!("sshd refuses it: {words}")));
                    refused += 1;
                    break;
                }
            }
        }
    }
    println!("{accepted} connections compared, {refused} trees refused by both");
    assert!(accepted > 0);
}
