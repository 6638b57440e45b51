use std::path::{Path, PathBuf};

use super::Program;
use crate::host::process::Process;
use crate::host::systemd::{Unit, parse_units};

/// A unit with these values of `ExecStart`, as `systemctl show` prints them.
fn unit(paths: &[&str]) -> Unit {
    let mut text = "Id=ssh.service\n".to_owned();
    for path in paths {
        text.push_str(&format!(
            "ExecStart={{ path={path} ; argv[]={path} -D $SSHD_OPTS ; ignore_errors=no ; pid=0 }}\n"
        ));
    }
    parse_units(&text).remove(0)
}

fn unknown(program: Program) -> String {
    match program {
        Program::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

/// A directory with an ELF file and a script, both of them named sshd.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for directory in ["elf", "script"] {
            std::fs::create_dir(place.0.path().join(directory)).unwrap();
        }
        std::fs::copy("/bin/true", place.path("elf/sshd")).unwrap();
        let script = "#!/bin/sh\nexec /usr/sbin/sshd -D\n";
        #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
        std::fs::write(place.path("script/sshd"), script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(place.path("script/sshd"), mode).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn of_unit(&self, name: &str) -> Program {
        Program::of_unit(&unit(&[self.path(name).to_str().unwrap()]))
    }
}

#[test]
fn the_unit_names_the_program() {
    let place = Place::new();
    let Program::Known(program) = place.of_unit("elf/sshd") else { panic!() };
    assert_eq!(program.path(), place.path("elf/sshd"));
    // As systemd shows it where the unit has no directory.
    assert_eq!(Program::of_unit(&unit(&["sshd"])), Program::of_unit(&unit(&["/usr/sbin/sshd"])));
}

#[test]
fn what_is_no_sshd_is_not_asked_and_the_reader_is_told_what_to_do() {
    let place = Place::new();
    let script = place.path("script/sshd");
    for (found, expected) in [
        (
            place.of_unit("script/sshd"),
            format!("its ExecStart= {} is a script or another file that", script.display()),
        ),
        (
            Program::of_unit(&unit(&["/usr/bin/env"])),
            "its ExecStart= is /usr/bin/env, not sshd".into(),
        ),
        (Program::of_unit(&unit(&[])), "it has 0 lines of ExecStart=".into()),
        (
            Program::of_unit(&unit(&["/usr/sbin/sshd", "/usr/bin/true"])),
            "it has 2 lines of ExecStart=".into(),
        ),
        (
            Program::of_unit(&unit(&["/no/such/sshd"])),
            "its ExecStart= /no/such/sshd is not there".into(),
        ),
    ] {
        let why = unknown(found);
        assert!(why.starts_with(&format!("ssh.service: {expected}")), "{why}");
        assert!(why.contains("is not judged, edited or reloaded; let ExecStart= name"), "{why}");
    }
}

#[test]
fn a_unit_whose_program_is_gone_can_only_be_a_stopped_one() {
    assert_eq!(Program::of_stopped(&unit(&["/no/such/sshd"])), Program::Usual);
    let place = Place::new();
    let script = place.path("script/sshd");
    let stopped = Program::of_stopped(&unit(&[script.to_str().unwrap()]));
    assert!(unknown(stopped).contains("is a script"));
}

/// We may see what we run ourselves.
#[test]
fn a_process_that_runs_something_else_is_not_believed() {
    let own = Process::find(std::process::id()).unwrap();
    let unit = unit(&["/usr/sbin/sshd"]);
    let why = unknown(Program::of_unit(&unit).seen_in(&own, &unit));
    let expected =
        format!("ssh.service: process {} runs {}", own.pid, own.executable().unwrap().display());
    assert!(why.starts_with(&expected), "{why}");
    assert_eq!(Program::of_process(&own), None);
    assert_eq!(Program::Usual.seen_in(&own, &unit), Program::Usual);
    for (shown, plain) in [("/a/sshd (deleted)", "/a/sshd"), ("/a/sshd", "/a/sshd")] {
        assert_eq!(super::without_deleted(Path::new(shown)), Path::new(plain));
    }
}
