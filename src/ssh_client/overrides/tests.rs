use super::*;

fn dialect() -> Dialect {
    Dialect::default().of_client()
}

fn home(user: &str, text: &str) -> Home {
    let file = UserFile::of(PathBuf::from(format!("/home/{user}")));
    let path = file.path.clone();
    let said = of_file(1000, file, text.as_bytes().to_vec(), &dialect());
    Home { user: user.to_owned(), path, said }
}

fn told(said: Vec<Home>) -> Vec<String> {
    let declared = BTreeMap::from([
        (Keyword::ServerAliveInterval, Value::Number(120)),
        (Keyword::ServerAliveCountMax, Value::Number(3)),
    ]);
    let homes = Homes { said, unread: BTreeMap::new() };
    problems(&homes, &declared).iter().map(ToString::to_string).collect()
}

#[test]
fn what_a_user_sets_otherwise_is_told_with_its_place() {
    let alice = "Host db\n  ServerAliveInterval 120\nHost web1\n  ServerAliveInterval 9\n\
                 TCPKeepAlive no\nMatch !all\n  ServerAliveInterval 1\nHost *\n  \
                 ServerAliveInterval 0\n  ServerAliveInterval 7\n";
    assert_eq!(
        told(vec![home("alice", alice), home("bob", "ServerAliveCountMax 9")]),
        [
            "/home/alice/.ssh/config:4: alice sets ServerAliveInterval 9 for Host web1 and another \
             value on one more line, 120 is declared: a user's own file comes before the host's, \
             and is not touched",
            "/home/bob/.ssh/config:1: bob sets ServerAliveCountMax 9 for every host, 3 is \
             declared: a user's own file comes before the host's, and is not touched",
        ]
    );
}

/// Row of hostile.md: one user's 1 MB ssh config; 3,000 accounts.
#[test]
fn many_lines_and_many_accounts_are_one_notice_with_their_number() {
    let blocks: String =
        (0..26_000).map(|host| format!("Host h{host}\nServerAliveInterval {host}\n")).collect();
    let mallory = home("mallory", &blocks);
    assert_eq!(mallory.said.len(), VALUES);
    let mut homes = vec![mallory];
    homes.extend((0..3000).map(|number| home(&format!("u{number}"), "ServerAliveInterval 7")));
    homes.push(home("honest", "ServerAliveInterval 120"));
    assert_eq!(
        told(homes),
        ["/home/mallory/.ssh/config:2: 3,001 accounts set another ServerAliveInterval than 120, \
          which is declared (mallory, u0, u1 and 2,998 more), mallory 0 for Host h0 and another \
          value on 25,999 more lines: a user's own file comes before the host's, and is not \
          touched"]
    );
}

#[test]
fn names_and_words_of_users_are_shortened_before_they_are_quoted() {
    let long =
        home(&"n".repeat(5000), &format!("Host {}\x1b\nServerAliveInterval 7", "x".repeat(9000)));
    let told = told(vec![long]).concat();
    assert!(told.contains("…(4,800 characters)…"), "{told}");
    assert!(told.contains("…(8,906 characters)…"), "{told}");
    assert!(told.contains("\\x1b, 120 is declared"), "{told}");
}

#[test]
fn homes_that_were_not_looked_at_are_named_by_reason() {
    let mut homes = Homes::default();
    for (why, users) in [
        (Why::Silent, 1),
        (Why::Late, 5),
        (Why::Large, 1),
        (Why::Failed("cannot run".to_owned()), 2),
    ] {
        let accounts = (0..users).map(|number| {
            let user = format!("u{number}");
            (user.clone(), UserFile::of(PathBuf::from("/home").join(user)).path)
        });
        homes.unread.insert(why, accounts.collect());
    }
    assert_eq!(problems(&homes, &BTreeMap::new()), []);
    let told = problems(&homes, &BTreeMap::from([(Keyword::TcpKeepAlive, Value::Bool(true))]));
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/home/u0/.ssh/config: the home of u0 was not looked at for ssh settings: what stands \
             there did not answer within 2 s, as where a link leads to a file system that hangs",
            "/home/u0/.ssh/config: the homes of u0, u1, u2 and 2 more were not looked at for ssh \
             settings: the others took 10 s already",
            "/home/u0/.ssh/config: the home of u0 was not looked at for ssh settings: a file of \
             more than 1 MiB is not read",
            "/home/u0/.ssh/config: the homes of u0, u1 were not looked at for ssh settings: cannot \
             run",
        ]
    );
}
