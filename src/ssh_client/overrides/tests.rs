use std::fs;

use super::*;

fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let host = Host::at(root.path());
    (root, host)
}

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n\
                      alice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n\
                      backup:x:1002:1001::/home/bob:/bin/sh\n";

fn told(files: &[(&str, &str)]) -> Vec<String> {
    let (_root, host) = host(&[&[("etc/passwd", PASSWD)], files].concat());
    let found = of_users(&host, &Dialect::default().of_client()).unwrap();
    let declared = BTreeMap::from([
        (Keyword::ServerAliveInterval, Value::Number(120)),
        (Keyword::ServerAliveCountMax, Value::Number(3)),
    ]);
    problems(&found, &declared).iter().map(ToString::to_string).collect()
}

#[test]
fn what_users_set_otherwise_is_told_with_its_place() {
    let alice = "Host web1\n  ServerAliveInterval 9\nHost db\n  ServerAliveInterval 120\n\
                 TCPKeepAlive no\nMatch !all\n  ServerAliveInterval 1\nHost *\n  \
                 ServerAliveInterval 0\n  ServerAliveInterval 7\n";
    assert_eq!(
        told(&[
            ("home/alice/.ssh/config", alice),
            ("home/bob/.ssh/config", "ServerAliveCountMax 9"),
        ]),
        [
            "/home/alice/.ssh/config:2: alice sets ServerAliveInterval 9 for Host web1, 120 is \
             declared: a user's own file comes before the host's, and is not touched",
            "/home/alice/.ssh/config:9: alice sets ServerAliveInterval 0 for every host, 120 is \
             declared: a user's own file comes before the host's, and is not touched",
            "/home/bob/.ssh/config:1: bob sets ServerAliveCountMax 9 for every host, 3 is \
             declared: a user's own file comes before the host's, and is not touched",
        ]
    );
}

#[test]
fn what_is_no_file_of_a_person_is_passed_over() {
    assert!(told(&[(".ssh/config", "ServerAliveInterval 9")]).is_empty());
    let included = [
        ("home/alice/.ssh/config", "Include more"),
        ("home/alice/.ssh/more", "ServerAliveInterval 9"),
    ];
    assert!(told(&included).is_empty());
    let remote = "2 1 0:9 / /home rw - nfs4 server:/home rw\n";
    let at_home = ("home/alice/.ssh/config", "ServerAliveInterval 9");
    assert!(told(&[at_home, ("proc/self/mountinfo", remote)]).is_empty());
    let huge = format!("ServerAliveInterval 9\n{}", "#\n".repeat(1 << 20));
    assert!(told(&[("home/alice/.ssh/config", &huge)]).is_empty());
    let (root, host) = host(&[("etc/passwd", PASSWD), ("home/alice/.ssh/keep", "")]);
    let pipe = root.path().join("home/alice/.ssh/config");
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    );
    made.unwrap();
    assert_eq!(of_users(&host, &Dialect::default().of_client()).unwrap(), []);
}
