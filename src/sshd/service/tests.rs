use std::path::Path;

use super::{Kind, Role, observe, role};
use crate::host::Host;
use crate::host::systemd::{Unit, parse_units};

/// What `systemctl show` prints, each line `NAME LoadState ActiveState`.
fn units(lines: &[&str]) -> Vec<Unit> {
    let show = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        format!("Id={}\nLoadState={}\nActiveState={}\n", words[0], words[1], words[2])
    };
    parse_units(&lines.iter().map(show).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_unit_that_decides_is_found() {
    let cases: [(&[&str], &str); 6] = [
        // Debian: an alias is shown under the name of its unit.
        (
            &[
                "ssh.service loaded active",
                "ssh.service loaded active",
                "ssh.socket loaded inactive",
            ],
            "Running ssh.service",
        ),
        // Ubuntu from 22.10 on, before the first connection and after.
        (&["ssh.service loaded inactive", "ssh.socket loaded active"], "Activated ssh.socket"),
        (&["ssh.service loaded active", "ssh.socket loaded active"], "Activated ssh.socket"),
        // RHEL.
        (
            &[
                "ssh.service not-found inactive",
                "sshd.service loaded reloading",
                "sshd.socket loaded inactive",
            ],
            "Running sshd.service",
        ),
        (&["ssh.service not-found inactive", "sshd.service loaded failed"], "Idle sshd.service"),
        (&["ssh.service not-found inactive", "ssh.socket not-found inactive"], "Absent"),
    ];
    for (lines, expected) in cases {
        let found = match role(&units(lines)) {
            Role::Activated(unit) => format!("Activated {}", unit.name),
            Role::Running(unit) => format!("Running {}", unit.name),
            Role::Idle(unit) => format!("Idle {}", unit.name),
            Role::Absent => "Absent".to_owned(),
        };
        assert_eq!(found, expected, "{lines:?}");
    }
}

#[test]
fn a_property_may_have_several_lines() {
    // RHEL 8.
    let text = "EnvironmentFiles=/etc/crypto-policies/back-ends/opensshserver.config (ignore_errors=yes)\n\
                EnvironmentFiles=/etc/sysconfig/sshd (ignore_errors=yes)\nId=sshd.service\nMainPID=0\n";
    let units = parse_units(text);
    assert_eq!(units.len(), 1);
    assert_eq!(units[0].properties("EnvironmentFiles").len(), 2);
    assert_eq!(units[0].property("Id"), "sshd.service");
    assert_eq!(units[0].property("None"), "");
    assert_eq!(units[0].main_pid(), None);
}

#[test]
fn an_image_has_the_options_of_its_distribution() {
    let image = tempfile::tempdir().unwrap();
    let directory = image.path().join("etc/default");
    std::fs::create_dir_all(&directory).unwrap();
    let host = Host::at(image.path());
    let bare = observe(&host).unwrap();
    assert_eq!((bare.kind, bare.options().len(), bare.main_file()), (Kind::NotLive, 0, None));
    #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
    std::fs::write(directory.join("ssh"), "SSHD_OPTS='-o Banner=none -f /etc/ssh/other'\n")
        .unwrap();
    let service = observe(&host).unwrap();
    assert_eq!(service.options(), ["-o", "Banner=none"]);
    assert_eq!(service.main_file(), Some(Path::new("/etc/ssh/other")));
    assert_eq!((service.unit, service.listener), (None, None));
}

#[test]
fn a_reload_that_tests_first_is_told_from_one_that_does_not() {
    let tests = |reload: &str, flags: &str, more: &str| {
        let text = format!(
            "Id=ssh.service\nExecStart={{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no }}\n\
             ExecReloadEx={{ path={program} ; argv[]={reload} ; flags={flags} ; start_time=[n/a] }}\n\
             ExecReloadEx={{ path=/bin/kill ; argv[]=/bin/kill -HUP $MAINPID ; flags= ; }}\n{more}",
            program = reload.split(' ').next().unwrap(),
        );
        super::reload_tests(&parse_units(&text)[0])
    };
    // Debian's, recorded from systemd 252; Red Hat's.
    assert!(tests("/usr/sbin/sshd -t", "", ""));
    assert!(!tests("/bin/kill -HUP $MAINPID", "", ""));
    assert!(!tests("/usr/sbin/sshd -t", "ignore-failure", ""));
    // Outside of what the unit mounts.
    assert!(!tests("/usr/sbin/sshd -t", "privileged", ""));
    assert!(!tests("/usr/sbin/sshd -t", "", "RootDirectoryStartOnly=yes\n"));
    assert!(!tests("/usr/sbin/sshd -t -f /etc/ssh/other", "", ""));
    assert!(!tests("/usr/local/sbin/sshd -t", "", ""));
    assert!(!tests("/usr/sbin/sshd -D", "", ""));
    assert!(!super::reload_tests(&parse_units("Id=ssh.service\nExecStart=\n")[0]));
}
