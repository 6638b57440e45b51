use std::fs;

use super::*;
use crate::reconcile::Value;
use crate::ssh_client::Keyword;

fn account(user: &str, remote: Option<&str>) -> Due {
    Due {
        uid: 1000,
        gid: 1000,
        groups: Vec::new(),
        home: format!("/home/{user}").into_bytes(),
        user: user.to_owned(),
        remote: remote.map(PathBuf::from),
    }
}

fn said(value: i64) -> Said {
    let keyword = Keyword::ServerAliveInterval;
    Said { keyword, value: Value::Number(value), line: 1, context: None, lines: 1 }
}

/// The words of a child, one for each account, until it hangs.
fn spoken(answers: &[Answer], given_up: bool) -> Spoken {
    let lines = answers.iter().map(|answer| serde_json::to_string(answer).unwrap() + "\n");
    Spoken { said: lines.collect::<String>().into_bytes(), complaint: String::new(), given_up }
}

fn users(homes: &Homes, why: &Why) -> Vec<String> {
    homes.unread.get(why).into_iter().flatten().map(|(user, _)| user.clone()).collect()
}

#[test]
fn a_home_that_hangs_is_given_up_and_the_next_child_goes_on_behind_it() {
    let due = ["alice", "bob", "carol"].map(|user| account(user, None)).into();
    let mut asked = Vec::new();
    let homes = Looking { due, homes: Homes::default() }.look(|accounts| {
        asked.push(accounts.len());
        Ok(match accounts.first().unwrap().user.as_str() {
            "alice" => (spoken(&[Answer::Read(vec![said(7)])], true), false),
            _ => (spoken(&[Answer::Read(Vec::new())], false), false),
        })
    });
    assert_eq!(asked, [3, 1]);
    assert_eq!(homes.said.len(), 1);
    assert_eq!(homes.said[0].path, Path::new("/home/alice/.ssh/config"));
    assert_eq!(users(&homes, &Why::Silent), ["bob"]);
}

#[test]
fn a_file_server_that_hangs_is_waited_for_once() {
    let due =
        [("alice", None), ("bob", Some("/srv")), ("carol", Some("/mnt")), ("dave", Some("/srv"))];
    let due = due.map(|(user, remote)| account(user, remote)).into();
    let homes = Looking { due, homes: Homes::default() }.look(|accounts| {
        let is_dead = |due: &Due| due.remote.as_deref() == Some(Path::new("/srv"));
        let answered = accounts.iter().take_while(|due| !is_dead(due)).count();
        let answers: Vec<Answer> = (0..answered).map(|_| Answer::Read(Vec::new())).collect();
        Ok((spoken(&answers, answered < accounts.len()), false))
    });
    assert_eq!(users(&homes, &Why::Silent), ["bob", "dave"]);
    assert_eq!(homes.unread.len(), 1);
}

#[test]
fn the_rest_is_late_when_the_time_is_over_and_failed_when_no_child_can_run() {
    let due = |count: usize| (0..count).map(|at| account(&format!("u{at}"), None)).collect();
    let looking = || Looking { due: due(600), homes: Homes::default() };
    let homes = looking().look(|_| Ok((spoken(&[Answer::Read(Vec::new())], true), true)));
    assert_eq!(users(&homes, &Why::Late).len(), 599);
    let failed = Why::Failed("cannot run".to_owned());
    let homes = looking().look(|_| Err("cannot run".to_owned()));
    assert_eq!(users(&homes, &failed).len(), 600);
    let homes = looking().look(|_| Ok((spoken(&[], false), false)));
    assert_eq!(homes.unread.values().map(Vec::len).sum::<usize>(), 600);
    assert_eq!(homes.unread.len(), 1);
}

#[test]
fn what_the_child_says_is_believed_only_where_it_is_sound() {
    let long = format!("{{\"Failed\":\"{}\"}}", "x".repeat(LONGEST_ANSWER));
    for line in ["", "[]", "{\"Read\":[{\"keyword\":\"Other\"}]}", "\u{1}", &long] {
        let mut looking = Looking { due: VecDeque::new(), homes: Homes::default() };
        looking.take(account("alice", None), line.as_bytes());
        assert_eq!(looking.homes.said, [], "{line}");
        assert_eq!(looking.homes.unread.len(), 1, "{line}");
    }
}

#[test]
fn homes_of_this_machine_come_first_and_none_is_mounted_by_looking() {
    let passwd = b"root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nfar:x:3:3::/srv/far:\n\
                   alice:x:1000:1000::/home/alice:/bin/sh\nbackup:x:1002:1001::/home/alice:\n\
                   auto:x:1003:1003::/net/auto:\nnone:x:1004:1004::-:\n";
    let accounts = Accounts::parse(passwd, b"alice:x:1000:\nwheel:x:10:alice\nadm:x:4:bob,alice\n");
    let mounts = Mounts::parse(
        b"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / /srv rw - nfs4 s:/ rw\n\
                                 3 1 0:9 / /net rw - autofs map rw\n",
    );
    let due = due(&accounts, &mounts, &Host::live());
    let users: Vec<&str> = due.iter().map(|due| due.user.as_str()).collect();
    assert_eq!(users, ["root", "alice", "far"]);
    assert_eq!((&due[1].groups, &due[2].remote), (&vec![10, 4], &Some(PathBuf::from("/srv"))));
}

/// The child itself, without the rights of others: what a user's own `check` does.
#[test]
fn the_child_reads_regular_files_of_a_size_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::at(root.path());
    let ssh = |user: &str| root.path().join(format!("home/{user}/.ssh"));
    for user in ["alice", "large", "pipe", "link"] {
        fs::create_dir_all(ssh(user)).unwrap();
    }
    fs::write(ssh("alice").join("config"), "Include more\nServerAliveInterval 9").unwrap();
    fs::write(ssh("alice").join("more"), "ServerAliveCountMax 9").unwrap();
    fs::write(ssh("large").join("config"), "#\n".repeat(1 << 20)).unwrap();
    let (pipe, cwd) = (ssh("pipe").join("config"), rustix::fs::CWD);
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(cwd, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    std::os::unix::fs::symlink("/dev/zero", ssh("link").join("config")).unwrap();
    let accounts = ["alice", "large", "pipe", "link", "none"].map(|user| account(user, None));
    let release = b"OpenSSH_9.2".to_vec();
    let question = Question { release, become_them: false, accounts: accounts.to_vec() };
    let mut output = Vec::new();
    let input = serde_json::to_vec(&question).unwrap();
    child::serve(&host, input.as_slice(), &mut output).unwrap();
    let answers: Vec<Answer> = output
        .split_inclusive(|b| *b == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let nothing = || Answer::Read(Vec::new());
    let alice = Answer::Read(vec![Said { line: 2, ..said(9) }]);
    assert_eq!(answers, [alice, Answer::Large, nothing(), nothing(), nothing()]);
}
