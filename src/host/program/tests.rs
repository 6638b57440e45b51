use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{NotRun, TrustedProgram};

/// A directory of our own with an ELF file `bin/sshd`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("bin")).unwrap();
        std::fs::copy("/bin/true", place.path("bin/sshd")).unwrap();
        for name in ["bin", "bin/sshd"] {
            place.mode(name, 0o755);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), permissions).unwrap();
    }

    fn put(&self, name: &str, text: &[u8]) {
        #[expect(clippy::disallowed_methods, reason = "a file of the test's own directory")]
        std::fs::write(self.path(name), text).unwrap();
        self.mode(name, 0o755);
    }

    fn judge(&self, name: &str) -> Result<TrustedProgram, NotRun> {
        TrustedProgram::at(&self.path(name))
    }

    /// The name of what another user could change.
    fn changeable(&self, name: &str) -> String {
        match self.judge(name) {
            Err(NotRun::Changeable(distrust)) => {
                distrust.path.strip_prefix(self.0.path()).unwrap().display().to_string()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_program_that_only_root_can_change_is_run() {
    let place = Place::new();
    let program = place.judge("bin/sshd").unwrap();
    assert_eq!(program.path(), place.path("bin/sshd"));
    let limit = std::time::Duration::from_secs(20);
    let said = super::super::wait::wait_until(limit, || program.run(["-x"], limit).ok());
    assert!(said.unwrap().success());
    assert!(TrustedProgram::named("true").is_ok());
    assert!(matches!(TrustedProgram::named("no-such-program"), Err(NotRun::Missing(_))));
}

#[test]
fn links_are_followed_and_judged() {
    let place = Place::new();
    symlink("bin/../bin", place.path("link")).unwrap();
    symlink(place.path("link/sshd"), place.path("sshd")).unwrap();
    let program = place.judge("sshd").unwrap();
    let real = std::fs::canonicalize(place.path("bin/sshd")).unwrap();
    assert_eq!((program.path(), program.resolved()), (&*place.path("sshd"), &*real));
    symlink("round", place.path("round")).unwrap();
    assert!(matches!(place.judge("round"), Err(NotRun::Unreadable { .. })));
    place.mode("bin", 0o775);
    assert_eq!(place.changeable("sshd"), "bin");
}

#[test]
fn what_another_user_could_change_is_not_run() {
    let place = Place::new();
    place.mode("bin/sshd", 0o757);
    assert_eq!(place.changeable("bin/sshd"), "bin/sshd");
    place.mode("bin/sshd", 0o775);
    let error = place.judge("bin/sshd").unwrap_err().to_string();
    assert!(
        error.contains("bin/sshd has mode 0775 and can be changed by others than root"),
        "{error}"
    );
    place.mode("bin/sshd", 0o755);
    // A sticky directory keeps its directories, not its files.
    place.mode("bin", 0o1777);
    assert_eq!(place.changeable("bin/sshd"), "bin");
    std::fs::create_dir(place.path("bin/own")).unwrap();
    std::fs::copy("/bin/true", place.path("bin/own/sshd")).unwrap();
    place.mode("bin/own", 0o755);
    assert!(place.judge("bin/own/sshd").is_ok());
}

#[test]
fn what_belongs_to_another_user_is_not_run() {
    let place = Place::new();
    let other = Some(rustix::fs::Uid::from_raw(12345));
    for name in ["bin/sshd", "bin"] {
        rustix::fs::chown(place.path(name), other, None).unwrap();
        assert_eq!(place.changeable("bin/sshd"), name);
        let ours = Some(rustix::process::geteuid());
        rustix::fs::chown(place.path(name), ours, None).unwrap();
    }
    // A link in a directory that others may write to.
    std::fs::create_dir(place.path("shared")).unwrap();
    place.mode("shared", 0o1777);
    symlink("../bin/sshd", place.path("shared/sshd")).unwrap();
    assert_eq!(place.changeable("shared/sshd"), "shared");
}

#[test]
fn what_is_no_elf_file_is_not_run() {
    let place = Place::new();
    place.put("script", b"#!/bin/sh\ntouch /run/mark\n");
    place.put("short", b"\x7fE");
    place.put("empty", b"");
    for name in ["script", "short", "empty", "bin"] {
        assert!(matches!(place.judge(name), Err(NotRun::NotElf(_))), "{name}");
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from(0o755),
        0,
    )
    .unwrap();
    assert!(matches!(place.judge("fifo"), Err(NotRun::NotElf(_))));
    place.mode("bin/sshd", 0o644);
    assert!(matches!(place.judge("bin/sshd"), Err(NotRun::NotElf(_))));
}

#[test]
fn what_is_not_there_is_missing() {
    let place = Place::new();
    for name in ["none", "none/sshd", "bin/sshd/none"] {
        assert!(matches!(place.judge(name), Err(NotRun::Missing(_))), "{name}");
    }
    for path in ["sshd", "", "/", "bin/sshd"] {
        assert!(TrustedProgram::at(Path::new(path)).is_err(), "{path}");
    }
    let first = |names: &[&str]| {
        let paths = names.iter().map(|name| place.path(name).display().to_string());
        let paths: Vec<String> = paths.collect();
        TrustedProgram::first(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(first(&["none", "none/sshd"]).unwrap(), None);
    place.put("script", b"#!/bin/sh\n");
    assert!(first(&["script", "none"]).is_err());
    assert!(first(&["script", "bin/sshd"]).unwrap().is_some());
}
