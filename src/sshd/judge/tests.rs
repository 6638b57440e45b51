use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Complaint, Connection, Daemon, Dump, Verdict, judge, judge_for, words};
use crate::host::Host;
use crate::host::program::TrustedProgram;
use crate::host::wait::wait_until;
use crate::reconcile::Value;
use crate::sshd::Keyword;
use crate::sshd::service::program::Program;
use crate::sshd::tree::{Entry, Tree};

type Files = &'static [(&'static str, &'static str)];

const MAIN: &str = "/etc/ssh/sshd_config";
const INCLUDE: &str = "Include sshd_config.d/*.conf\n";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/10-a.conf";

fn tree(files: &[(&str, &str)]) -> Tree {
    let entry = |text: &str| Entry::File { bytes: text.as_bytes().into(), real: PathBuf::new() };
    Tree {
        main: PathBuf::from(MAIN),
        entries: files.iter().map(|(path, text)| (path.into(), entry(text))).collect(),
    }
}

/// A host whose keys are not those of this machine, so that a spare one is used.
fn image() -> Host {
    Host::at("/nonexistent")
}

fn accepted(verdict: Verdict) -> Dump {
    match verdict {
        Verdict::Accepted(dump) => dump,
        other => panic!("{other:?}"),
    }
}

fn refused(verdict: Verdict) -> Vec<String> {
    match verdict {
        Verdict::Refused(complaints) => complaints.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_accepted_tree_has_the_values_that_sshd_would_use() {
    let tree = tree(&[
        (MAIN, "Include sshd_config.d/*.conf\nClientAliveInterval 2m\nTCPKeepAlive no\n"),
        (DROP_IN, "ClientAliveInterval 90\n"),
    ]);
    let dump = accepted(judge(&image(), &tree, &[]).unwrap());
    assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(Value::Number(90)));
    assert_eq!(dump.value(Keyword::ClientAliveCountMax), Some(Value::Number(3)));
    assert_eq!(dump.value(Keyword::TcpKeepAlive), Some(Value::Bool(false)));
    assert!(dump.values.values().flatten().all(|value| !value.contains("keepalive-policy")));
}

#[test]
fn the_options_of_the_running_daemon_win() {
    let tree = tree(&[(MAIN, "ClientAliveInterval 90\n")]);
    let options = ["-o", "ClientAliveInterval=5", "-p", "2222"].map(OsString::from);
    let dump = accepted(judge(&image(), &tree, &options).unwrap());
    assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(Value::Number(5)));
    assert_eq!(dump.first("port"), Some("2222"));
}

#[test]
fn only_match_all_counts_for_the_plain_question() {
    let tree = tree(&[(
        MAIN,
        "ClientAliveInterval 1\nMatch LocalPort 22\nClientAliveInterval 2\nMatch User *\n\
         ClientAliveInterval 3\nMatch Address *\nClientAliveInterval 4\nMatch all\n\
         ClientAliveCountMax 9\n",
    )]);
    let dump = accepted(judge(&image(), &tree, &[]).unwrap());
    assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(Value::Number(1)));
    assert_eq!(dump.value(Keyword::ClientAliveCountMax), Some(Value::Number(9)));
}

#[test]
fn each_connection_gets_its_own_verdict() {
    let tree = tree(&[(
        MAIN,
        "Match User bob\nClientAliveInterval 7\nMatch LocalPort 2222\nClientAliveInterval 8\n",
    )]);
    let connections = [
        Connection::default(),
        Connection::default().with("user", "bob"),
        Connection::default().with("lport", "2222"),
    ];
    let verdicts = judge_for(&image(), &tree, Daemon::default(), &connections).unwrap();
    let values: Vec<_> = verdicts
        .into_iter()
        .map(|verdict| accepted(verdict).value(Keyword::ClientAliveInterval))
        .collect();
    assert_eq!(values, [0, 7, 8].map(|n| Some(Value::Number(n))));
    let comma = [Connection::default().with("user", "a,b")];
    let error = judge_for(&image(), &tree, Daemon::default(), &comma).unwrap_err();
    assert_eq!(error.to_string(), "sshd -C: cannot ask for this connection: a comma in user=a,b");
}

#[test]
fn a_refusal_names_the_real_file_and_line() {
    let cases: [(Files, &[&str]); 10] = [
        (
            &[(MAIN, INCLUDE), (DROP_IN, "Foo 1\nClientAliveInterval x\n")],
            &[
                "/etc/ssh/sshd_config.d/10-a.conf:1: Bad configuration option: Foo",
                "/etc/ssh/sshd_config.d/10-a.conf:2: invalid time value.",
            ],
        ),
        (
            &[(MAIN, "RSAAuthentication yes\nMatch User\n")],
            &["/etc/ssh/sshd_config:2: Bad Match condition: Missing Match criteria for User"],
        ),
        (&[(MAIN, "Port\n")], &["/etc/ssh/sshd_config:1: no argument after keyword \"Port\""]),
        (&[(MAIN, "Ciphers foo\n")], &["/etc/ssh/sshd_config:1: Bad SSH2 cipher spec 'foo'."]),
        (
            &[(MAIN, "Match User bob\nTCPKeepAlive no\n")],
            &[
                "/etc/ssh/sshd_config:2: Directive 'TCPKeepAlive' is not allowed within a Match block",
            ],
        ),
        (
            &[(MAIN, "AuthorizedKeysCommand /bin/true\n")],
            &["AuthorizedKeysCommand set without AuthorizedKeysCommandUser"],
        ),
        (&[], &["/etc/ssh/sshd_config: No such file or directory"]),
        (&[(MAIN, "Include sshd_config\n")], &["Too many recursive configuration includes"]),
        (
            // `sshd -t` passes this one, and every login dies.
            &[
                (MAIN, INCLUDE),
                (DROP_IN, ""),
                ("/etc/ssh/sshd_config.d/20-b.conf", "Include sshd_config.d/*.conf\n"),
            ],
            &["Too many recursive configuration includes"],
        ),
        (
            &[(MAIN, "\u{feff}# BOM\n")],
            &["/etc/ssh/sshd_config:1: Bad configuration option: \\357\\273\\277#"],
        ),
    ];
    for (files, complaints) in cases {
        let verdict = judge(&image(), &tree(files), &[]).unwrap();
        assert_eq!(refused(verdict), complaints, "{files:?}");
    }
}

#[test]
fn a_dangling_drop_in_is_refused_by_its_name() {
    let mut tree = tree(&[(MAIN, "Include sshd_config.d/*.conf\n")]);
    tree.entries.insert(DROP_IN.into(), Entry::Dangling);
    let complaints = refused(judge(&image(), &tree, &[]).unwrap());
    assert_eq!(complaints, ["/etc/ssh/sshd_config.d/10-a.conf: No such file or directory"]);
}

#[test]
fn a_bad_option_of_the_command_line_is_no_file() {
    let options = ["-oFoo=1"].map(OsString::from);
    let complaints = refused(judge(&image(), &tree(&[(MAIN, "")]), &options).unwrap());
    let expected = "an option of sshd's command line: Bad configuration option: Foo";
    assert_eq!(complaints, [expected]);
}

#[test]
fn warnings_are_no_refusal() {
    let tree = tree(&[(MAIN, "UsePrivilegeSeparation yes\nHostKey /nonexistent\n")]);
    accepted(judge(&image(), &tree, &[]).unwrap());
}

#[test]
fn a_question_that_sshd_did_not_answer_is_an_error() {
    let ask = |program: &str, options: &[&str]| {
        let options: Vec<OsString> = options.iter().map(OsString::from).collect();
        let program = Program::Known(TrustedProgram::at(Path::new(program)).unwrap());
        let daemon = Daemon { program: &program, options: &options, dialect: None };
        let connections = [Connection::default()];
        judge_for(&image(), &tree(&[(MAIN, "")]), daemon, &connections).unwrap_err().to_string()
    };
    let wrong = ask("/usr/sbin/sshd", &["-Z"]);
    assert!(wrong.contains("cannot be asked about the configuration: usage: sshd"), "{wrong}");
    let mute = ask("/bin/false", &[]);
    assert!(mute.ends_with("ended with status 1 and said nothing"), "{mute}");
}

#[test]
fn text_of_other_versions_is_placed_too() {
    let tree = tree(&[(MAIN, ""), ("/etc/ssh/sshd_config.d/a", ""), ("/etc/ssh/sshd", "")]);
    let cases = [
        (
            "/etc/ssh/sshd_config line 3: keyword Port extra arguments at end of line\r\n\
             /etc/ssh/sshd_config: terminating, 1 bad configuration options\r\n",
            "/etc/ssh/sshd_config:3: keyword Port extra arguments at end of line",
        ),
        (
            "/etc/ssh/sshd_config.d/a: line 12: Bad configuration option: x: y",
            "/etc/ssh/sshd_config.d/a:12: Bad configuration option: x: y",
        ),
        ("/etc/ssh/sshd_config: Permission denied", "/etc/ssh/sshd_config: Permission denied"),
        ("/etc/ssh/moduli: too odd", "/etc/ssh/moduli: too odd"),
        ("", "sshd gave no reason"),
        (
            "/etc/ssh/sshd_config line 2: Deprecated option Protocol",
            "/etc/ssh/sshd_config:2: Deprecated option Protocol",
        ),
    ];
    for (text, expected) in cases {
        let complaints = words::complaints(text, &tree);
        assert_eq!(complaints.iter().map(Complaint::to_string).collect::<Vec<_>>(), [expected]);
    }
}

/// A program in front of the real sshd that runs `script` first, and the directory that it is in.
fn stand_in(script: &str) -> (tempfile::TempDir, Program) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("sshd");
    let script = format!("{script}\nexec /usr/sbin/sshd \"$@\"\n");
    #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
    std::fs::write(directory.path().join("sshd.sh"), script).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand-in.c");
    let arguments = ["-o".as_ref(), program.as_os_str(), source.as_ref()];
    assert!(Host::run("cc".as_ref(), arguments, Duration::from_secs(20)).unwrap().success());
    let program = Program::Known(TrustedProgram::at(&program).unwrap());
    (directory, program)
}

/// A program that was just written is busy while a fork of another test still has it open.
fn answer(text: &str, program: &Program) -> Dump {
    let daemon = Daemon { program, ..Daemon::default() };
    let tree = tree(&[(MAIN, text)]);
    let connections = [Connection::default()];
    let verdicts = wait_until(Duration::from_secs(20), || {
        judge_for(&image(), &tree, daemon, &connections).ok()
    });
    accepted(verdicts.unwrap().into_iter().next().unwrap())
}

/// sshd up to 8.0 dies of the first criterion for which the question has no attribute.
#[test]
fn an_sshd_that_insists_on_attributes_gets_them() {
    let (_directory, program) = stand_in(
        "for a in user addr; do case \"$*\" in *$a=*) ;; *)\n\
         echo \"'Match $a' in configuration but '$a' not in connection test specification.\" >&2\n\
         exit 255;; esac; done",
    );
    let text = "Match User bob\nClientAliveInterval 7\nMatch Address *\nClientAliveCountMax 9\n";
    let dump = answer(text, &program);
    assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(Value::Number(0)));
    // What we give meets the pattern of the other block, and the answer says for which connection.
    assert_eq!(dump.value(Keyword::ClientAliveCountMax), Some(Value::Number(9)));
    let asked = dump.asked.to_string();
    assert_eq!(asked, "lport=1,user=keepalive-policy-nobody,addr=192.0.2.1");
    let known = dump.asked.known();
    assert_eq!(known.user.as_deref(), Some(b"keepalive-policy-nobody".as_slice()));
    assert_eq!((known.local_port, known.host), (Some(1), None));
}

/// One that was built without ECDSA, or without that and ed25519, has no key with ours.
#[test]
fn an_sshd_that_has_not_a_kind_of_key_gets_another() {
    for refused in ["*_key_ecdsa*", "*_key_ecdsa*|*_key_ed25519*"] {
        let (_directory, program) = stand_in(&format!(
            "case \"$*\" in {refused}) echo 'sshd: no hostkeys available -- exiting.' >&2\n\
             exit 1;; esac",
        ));
        let dump = answer("ClientAliveInterval 7\n", &program);
        assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(Value::Number(7)));
        let ours = dump.values.get("hostkey").into_iter().flatten();
        assert_eq!(ours.filter(|key| key.contains("host_key_")).count(), 0);
    }
    let (_directory, program) =
        stand_in("echo 'sshd: no hostkeys available -- exiting.' >&2; exit 1");
    let daemon = Daemon { program: &program, ..Daemon::default() };
    let error = wait_until(Duration::from_secs(20), || {
        let verdict = crate::sshd::dialect::ask::include(&image(), daemon);
        verdict.err().map(|error| error.to_string()).filter(|text| text.contains("hostkeys"))
    });
    assert!(error.is_some(), "an sshd without any key says nothing about its grammar");
}

/// 8.2 never reads what a relative pattern names, unless a vendor mended it.
#[test]
fn an_8_2_is_asked_whether_it_reads_relative_includes() {
    let version = "if [ \"$1\" = -V ]; then echo OpenSSH_8.2p1 >&2; exit; fi";
    let deaf = "f=; for a; do [ \"$f\" = -f ] && /bin/sed -i '/^Include [^/]/d' \"$a\"; f=$a; done";
    for (script, expected) in [(version.to_owned(), true), (format!("{version}\n{deaf}"), false)] {
        let (_directory, program) = stand_in(&script);
        let daemon = Daemon { program: &program, ..Daemon::default() };
        let dialect = wait_until(Duration::from_secs(20), || {
            crate::sshd::dialect::ask::ask(&image(), daemon).ok()
        });
        let dialect = dialect.unwrap();
        assert_eq!(dialect.version(), (8, 2));
        assert_eq!(dialect.reads_relative_includes(), expected, "{script}");
        let main = "Include d/*.conf\nInclude /etc/ssh/e\n";
        let tree = tree(&[
            (MAIN, main),
            ("/etc/ssh/d/a.conf", "ClientAliveInterval 7\n"),
            ("/etc/ssh/e", "ClientAliveInterval 9\n"),
        ]);
        let daemon = Daemon { dialect: Some(&dialect), ..daemon };
        let verdicts = judge_for(&image(), &tree, daemon, &[Connection::default()]).unwrap();
        let dump = accepted(verdicts.into_iter().next().unwrap());
        let computed = crate::sshd::evaluate::evaluate(&tree, &[].into(), &dialect);
        let value = computed.global(Keyword::ClientAliveInterval).value;
        assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(value));
        assert_eq!(value, Value::Number(if expected { 7 } else { 9 }));
    }
}

/// A golden image has no host keys, and root's question about it is not asked with a spare one.
#[test]
fn a_question_about_sshd_itself_always_has_a_key() {
    let (_directory, program) = stand_in(
        "case \"$*\" in *host_key_*) ;; *)\n\
         echo 'sshd: no hostkeys available -- exiting.' >&2; exit 1;; esac",
    );
    let daemon = Daemon { program: &program, ..Daemon::default() };
    let include = wait_until(Duration::from_secs(20), || {
        crate::sshd::dialect::ask::include(&Host::live(), daemon).ok()
    });
    assert_eq!(include, Some(crate::sshd::dialect::Include::Sound));
}

#[test]
fn missing_host_keys_are_named() {
    let text = "Unable to load host key: /etc/ssh/ssh_host_rsa_key\r\n\
                sshd: no hostkeys available -- exiting.\r\n";
    let complaints = words::complaints(text, &tree(&[(MAIN, "")]));
    let expected = [
        "Unable to load host key: /etc/ssh/ssh_host_rsa_key",
        "sshd: no hostkeys available -- exiting.",
    ];
    assert_eq!(complaints.iter().map(Complaint::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_missing_attribute_is_supplied_once() {
    // sshd 8.0; from 8.1 on only for lport.
    let text =
        "'Match rdomain' in configuration but 'rdomain' not in connection test specification.";
    let mut connection = Connection::default();
    assert!(connection.supply_missing(text));
    assert!(!connection.supply_missing(text));
    assert!(!connection.supply_missing("anything else"));
    let all = connection.specification().unwrap();
    assert_eq!(all, "lport=1,rdomain=keepalive-policy-nowhere");
}

#[test]
fn a_dump_of_either_face_is_read() {
    // Recorded from 9.2p1 and 10.6p1.
    let old =
        "clientaliveinterval 90\ntcpkeepalive no\nlistenaddress [::]:22\nport 22\nport 2222\n";
    let new =
        "ClientAliveInterval 90\nTCPKeepAlive false\nListenAddress [::]:22\nPort 22\nPort 2222\n";
    let (old, new) = (Dump::parse(old, None), Dump::parse(new, None));
    for dump in [&old, &new] {
        assert_eq!(dump.value(Keyword::ClientAliveInterval), Some(Value::Number(90)));
        assert_eq!(dump.value(Keyword::TcpKeepAlive), Some(Value::Bool(false)));
        assert_eq!(dump.value(Keyword::ClientAliveCountMax), None);
        assert_eq!(dump.values["port"], ["22", "2222"]);
    }
    assert_eq!(old.foreign_changes(&new), Vec::<String>::new());
    let other = Dump::parse("port 22\nbanner none\n", None);
    let changes =
        ["banner: (none) → none", "listenaddress: [::]:22 → (none)", "port: 22, 2222 → 22"];
    assert_eq!(old.foreign_changes(&other), changes);
}

#[test]
fn an_sshd_that_is_too_old_is_not_asked() {
    let dialect = crate::sshd::dialect::Dialect::of(7, 4);
    let daemon = Daemon { dialect: Some(&dialect), ..Daemon::default() };
    let verdicts =
        judge_for(&image(), &tree(&[(MAIN, "Foo 1\n")]), daemon, &[Connection::default()]).unwrap();
    assert_eq!(verdicts, [Verdict::Unasked(dialect.too_old().unwrap())]);
}

#[test]
fn a_program_that_must_not_be_run_is_not() {
    let why = "ssh.service: its ExecStart= is a script".to_owned();
    let program = Program::Unknown(why.clone());
    let daemon = Daemon { program: &program, ..Daemon::default() };
    let connections = [Connection::default(), Connection::default()];
    let verdicts = judge_for(&image(), &tree(&[(MAIN, "")]), daemon, &connections).unwrap();
    assert_eq!(verdicts, [Verdict::Unasked(why.clone()), Verdict::Unasked(why)]);
}
