use std::path::Path;

use super::*;
use crate::host::accounts::Reader;
use crate::ssh_client::tree::{Entry, UserFile};

const SYSTEM: &str = "/etc/ssh/ssh_config";
const USER: &str = "/home/a/.ssh/config";

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree {
        user: Some(UserFile::of(PathBuf::from("/home/a"))),
        system: PathBuf::from(SYSTEM),
        reader: Reader::Account(1000),
        entries: BTreeMap::new(),
    };
    for (path, text) in files {
        tree.set(Path::new(path), Some(text.as_bytes()));
    }
    tree
}

fn interval(reading: &Reading, host: &str) -> Option<Value> {
    let values = reading.values_for(&Destination::new(host.as_bytes(), Some(b"a")));
    values[&Keyword::ServerAliveInterval].as_ref().map(|effective| effective.value)
}

fn debian() -> Dialect {
    Dialect::from_banner(b"OpenSSH_9.2p1 Debian-2+deb12u10").unwrap().of_client()
}

#[test]
fn the_users_file_comes_first_and_no_block_leaks_out_of_its_file() {
    let reading = read(
        &tree(&[
            (USER, "Host web1\nServerAliveInterval 1\nInclude extra\nServerAliveCountMax 5\n"),
            ("/home/a/.ssh/extra", "Host *\nServerAliveInterval 2\n"),
            (SYSTEM, "ServerAliveInterval 3\n"),
        ]),
        &debian(),
    );
    assert_eq!(interval(&reading, "web1"), Some(Value::Number(1)));
    assert_eq!(interval(&reading, "web2"), Some(Value::Number(3)));
    let deviations = reading.deviations(Keyword::ServerAliveInterval);
    let contexts: Vec<&str> = deviations.iter().map(|one| one.context.as_str()).collect();
    assert_eq!(contexts, ["Host web1", "Host web1, Host *"]);
    let global = reading.global(Keyword::ServerAliveInterval);
    assert_eq!(global.source.unwrap().to_string(), "/etc/ssh/ssh_config:1");
}

#[test]
fn debians_default_under_batch_mode_is_known() {
    let files = tree(&[(SYSTEM, "Host b\nBatchMode yes\n")]);
    assert_eq!(interval(&read(&files, &debian()), "b"), Some(Value::Number(300)));
    assert_eq!(interval(&read(&files, &debian()), "c"), Some(Value::Number(0)));
    let upstream = Dialect::of(9, 2).of_client();
    assert_eq!(interval(&read(&files, &upstream), "b"), Some(Value::Number(0)));
}

#[test]
fn the_second_reading_sees_the_name_that_is_connected_to_and_overrides_nothing() {
    let text = "Host a\nHostName REAL\nMatch final\nHost real\nServerAliveInterval 1\n\
                Host *\nServerAliveCountMax 4\nMatch final all\nServerAliveInterval 2\n";
    let reading = read(&tree(&[(SYSTEM, text)]), &debian());
    assert_eq!(interval(&reading, "a"), Some(Value::Number(1)));
    assert_eq!(interval(&reading, "b"), Some(Value::Number(2)));
}

#[test]
fn what_a_command_decides_is_not_told() {
    let text = "Match exec \"test -e /x\"\nServerAliveInterval 1\nMatch all\nTCPKeepAlive no\n";
    let reading = read(&tree(&[(SYSTEM, text)]), &debian());
    assert_eq!(interval(&reading, "a"), None);
    assert_eq!(reading.runs_commands().unwrap().to_string(), "/etc/ssh/ssh_config:1");
}

#[test]
fn refusals_are_in_the_words_of_ssh() {
    let mut files = tree(&[
        (SYSTEM, "Include ssh_config.d/*.conf\nServerAliveInterval 5x\nInclude ~/x\n"),
        ("/etc/ssh/ssh_config.d/b.conf", "ServerAliveInterval\n"),
    ]);
    files.entries.insert("/etc/ssh/ssh_config.d/a.conf".into(), Entry::Unreadable);
    let words: Vec<String> = read(&files, &debian())
        .refusals
        .iter()
        .map(|one| format!("{}:{}: {}", one.file.display(), one.line.unwrap_or(0), one.message))
        .collect();
    assert_eq!(
        words,
        [
            "/etc/ssh/ssh_config:1: Can't open user config file /etc/ssh/ssh_config.d/a.conf: \
             Permission denied",
            "/etc/ssh/ssh_config:2: invalid time value.",
            "/etc/ssh/ssh_config:3: bad include path ~/x.",
        ]
    );
}

#[test]
fn a_file_that_others_can_write_ends_ssh() {
    let mut files = tree(&[(USER, "ServerAliveInterval 5\n")]);
    for entry in files.entries.values_mut() {
        if let Entry::File { trusted, .. } = entry {
            *trusted = false;
        }
    }
    let refusals = read(&files, &debian()).refusals;
    assert_eq!(refusals[0].message, format!("Bad owner or permissions on {USER}"));
}

#[test]
fn setup_time_out_of_debian_12_is_no_interval_in_debian_13() {
    for (banner, expected) in [
        (&b"OpenSSH_9.2p1 Debian-2+deb12u10"[..], [4, 4]),
        (b"OpenSSH_10.0p2 Debian-7+deb13u4", [0, 4]),
        (b"OpenSSH_9.2p1", [0, 0]),
    ] {
        let dialect = Dialect::from_banner(banner).unwrap().of_client();
        let found = ["SetupTimeOut 4", "ProtocolKeepAlives 4"].map(|line| {
            let directives = crate::sshd::syntax::directives(line.as_bytes(), &dialect);
            let is_interval = |one| managed(one, &dialect) == Some(Keyword::ServerAliveInterval);
            if directives.iter().any(is_interval) { 4 } else { 0 }
        });
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(banner));
    }
}

/// The interval for `web1`, or the first refusal.
fn told(text: &str, release: (u16, u16)) -> String {
    let dialect = Dialect::of(release.0, release.1).of_client();
    let reading = read(&tree(&[(SYSTEM, text)]), &dialect);
    match reading.refusals.first() {
        Some(refusal) => format!("! {}", refusal.message),
        None => interval(&reading, "web1").map_or_else(String::new, |value| value.to_string()),
    }
}

#[test]
fn a_hash_is_data_up_to_8_4_and_a_comment_since() {
    const FIVE: &str = "ServerAliveInterval 5 # why\n";
    let extra = "! keyword serveraliveinterval extra arguments at end of line";
    for (text, release, expected) in [
        (FIVE, (8, 4), extra),
        (FIVE, (8, 5), "5"),
        (FIVE, (9, 2), "5"),
        ("ServerAliveInterval 5#x\n", (8, 6), "5"),
        ("ServerAliveInterval 5#x\n", (8, 4), "! invalid time value."),
        ("# why\nServerAliveInterval 5\n", (8, 4), "5"),
        ("Host web1 # why\nServerAliveInterval 5\n", (8, 4), "5"),
        ("Host #web1\nServerAliveInterval 5\n", (8, 4), "0"),
    ] {
        assert_eq!(told(text, release), expected, "{text:?} {release:?}");
    }
}

#[test]
fn include_needs_no_argument_but_the_line_does() {
    let bare = "! no argument after keyword \"include\"";
    for (line, release, expected) in [
        ("Include # why", (8, 4), "5"),
        ("Include # why", (8, 6), "5"),
        ("Include #why", (8, 6), "5"),
        ("Include =# why", (9, 2), "5"),
        ("Include # why", (10, 0), "5"),
        ("Include", (8, 4), "5"),
        ("Include", (8, 6), bare),
        ("Include", (9, 2), bare),
        ("Host", (8, 4), "0"),
        ("Host", (8, 5), "! no argument after keyword \"host\""),
        ("Match final", (8, 0), "5"),
        ("Match final", (7, 9), "! Bad Match condition: Missing Match criteria for final"),
    ] {
        let text = format!("{line}\nServerAliveInterval 5\n");
        assert_eq!(told(&text, release), expected, "{line} {release:?}");
    }
}

/// Issue 13: what can't be resolved makes unknown what it could have set first, for those hosts that
/// it can concern.
#[test]
fn an_include_that_cant_be_resolved_hides_what_comes_after_it() {
    let newer = Dialect::of(10, 0).of_client();
    let number = |value| Some(Value::Number(value));
    for (text, web, db) in [
        ("Include ${HOME}/x\nServerAliveInterval 3\n", None, None),
        ("ServerAliveInterval 3\nInclude ${HOME}/x\n", number(3), number(3)),
        ("Host web\nInclude %d/x\nHost *\nServerAliveInterval 3\n", None, number(3)),
        ("Host db\nServerAliveInterval 2\nMatch all\nInclude ~bob/x\n", None, number(2)),
        (
            "Match host web exec x\nInclude %d/x\nMatch all\nServerAliveInterval 3\n",
            None,
            number(3),
        ),
    ] {
        let reading = read(&tree(&[(USER, text)]), &newer);
        assert_eq!((interval(&reading, "web"), interval(&reading, "db")), (web, db), "{text}");
        assert_eq!(reading.opaque.len(), 1);
    }
    let hidden = |text| read(&tree(&[(USER, text)]), &newer).hidden(Keyword::ServerAliveInterval);
    assert_eq!(hidden("Include %d/x\nServerAliveInterval 3\n"), [None]);
    assert_eq!(hidden("ServerAliveInterval 3\nInclude %d/x\n"), []);
    assert_eq!(hidden("Host web\nInclude %d/x\nHost *\nServerAliveInterval 3\n"), [Some(0)]);
}
