use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;

use super::{Traces, doubt, find, pid_file_of, ports, titled_listener};
use crate::host::process::Process;
use crate::host::systemd::{Unit, parse_units};
use crate::sshd::judge::Dump;

fn own() -> Process {
    Process::find(std::process::id()).unwrap()
}

fn pid_file(directory: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("pid");
    #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_ports_are_those_that_sshd_listens_on() {
    let cases: [(&str, &[u16]); 4] = [
        ("port 22\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:2222\n", &[22, 2222]),
        ("Port 22\nListenAddress 10.0.0.1:23 rdomain blue\n", &[23]),
        ("port 22\nport 2222\n", &[22, 2222]),
        ("", &[]),
    ];
    for (lines, expected) in cases {
        let found: Vec<u16> = ports(&Dump::parse(lines, None)).into_iter().collect();
        assert_eq!(found, expected, "{lines}");
    }
}

#[test]
fn only_a_listener_has_a_listeners_title() {
    let cases: [(&[u8], bool); 5] = [
        (b"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0", true),
        (b"/usr/sbin/sshd\0-D\0", true),
        (b"sshd: root@pts/0\0", false),
        (b"sshd: bob [priv]\0", false),
        (b"sshd: unknown [net]\0", false),
    ];
    for (shown, expected) in cases {
        assert_eq!(titled_listener(shown), expected);
    }
}

#[test]
fn a_pid_file_counts_only_when_it_names_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let process = own();
    let ours = [directory.path().join("none"), pid_file(&directory, &format!("{}\n", process.pid))];
    assert_eq!(pid_file_of(&process, &ours).unwrap().path, ours[1]);
    // Alive, but no sshd.
    assert_eq!(find(&ours), None);
    for text in ["1\n", "", "nonsense", "99999999999999999999999999999999999999999"] {
        assert_eq!(pid_file_of(&process, &[pid_file(&directory, text)]), None, "{text}");
    }
}

#[test]
fn a_new_socket_or_a_new_pid_file_is_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    let process = own();
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = bound.local_addr().unwrap();
    let ports = BTreeSet::from([address.port()]);
    let none = Traces::of(&process, &BTreeSet::new(), &[]);
    let before = Traces::of(&process, &ports, &[]);
    assert!(before.any() && !none.any());
    assert!(!Traces::of(&process, &ports, &[]).renewed_since(&before));
    drop(bound);
    assert!(!Traces::of(&process, &ports, &[]).renewed_since(&before), "closed is not renewed");
    let _bound = TcpListener::bind(address).unwrap();
    assert!(Traces::of(&process, &ports, &[]).renewed_since(&before));
    let pid_file = [pid_file(&directory, &process.pid.to_string())];
    let with_file = Traces::of(&process, &BTreeSet::new(), &pid_file);
    assert!(with_file.has_pid_file() && with_file.renewed_since(&none));
    assert!(!with_file.renewed_since(&with_file));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    std::fs::File::options()
        .write(true)
        .open(&pid_file[0])
        .and_then(|file| file.set_modified(later))
        .unwrap();
    let rewritten = Traces::of(&process, &BTreeSet::new(), &pid_file);
    assert!(rewritten.renewed_since(&with_file));
}

#[test]
fn a_main_process_is_not_believed_for_its_name() {
    let unit = |started: u64, program: &str| -> Unit {
        let text = format!(
            "Id=ssh.service\nControlGroup=/system.slice/ssh.service\n\
             ExecMainStartTimestampMonotonic={started}\n\
             ExecStart={{ path={program} ; argv[]={program} -D ; }}\n"
        );
        parse_units(&text).remove(0)
    };
    let doubts = |name: &str, unit: &Unit| {
        let process = Process { name: name.to_owned(), ..own() };
        doubt(&process, unit).unwrap_or_default()
    };
    let usual = unit(0, "/usr/sbin/sshd");
    assert_eq!(doubts("bash", &usual), "its main process is bash, not sshd");
    assert_eq!(doubts("bash", &unit(0, "/bin/bash")), "its main process is bash, not sshd");
    assert_eq!(doubts("sshd-10", &usual), "its main process is sshd-10, not sshd");
    // It is root's, but it is a test.
    let elsewhere = "is not in its control group /system.slice/ssh.service";
    assert!(doubts("sshd", &usual).ends_with(elsewhere));
    assert!(doubts("sshd-10", &unit(0, "/opt/sbin/sshd-10")).ends_with(elsewhere));
    assert!(doubts("sshd-0123456789", &unit(0, "/opt/sshd-0123456789abc")).ends_with(elsewhere));
    assert!(doubts("sshd", &unit(1, "/usr/sbin/sshd")).contains("was started after"));
}
