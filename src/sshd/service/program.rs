//! Which sshd is asked about a configuration: the program that PID 1 names for the unit. The
//! process's own title and arguments never name it, because any user can choose those.

use std::path::{Path, PathBuf};

use crate::host::process::Process;
use crate::host::program::{NotRun, TrustedProgram};
use crate::host::systemd::Unit;

#[cfg(test)]
mod tests;

/// Where sshd is installed: the distributions, a build from source, Arch.
const USUAL: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// The program that reads an sshd's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Program {
    /// No unit and no process names one, so it is the system's own, where one is installed.
    #[default]
    Usual,
    /// This one.
    Known(TrustedProgram),
    /// One that can't be known or must not be run: why, and what to do, in a sentence.
    Unknown(String),
}

impl Program {
    /// The program that `unit` starts, told by its `ExecStart`.
    #[must_use]
    pub fn of_unit(unit: &Unit) -> Self {
        match exec_start(unit) {
            Ok(program) => Self::Known(program),
            Err(why) => Self::Unknown(format!(
                "{}: {why}; which sshd runs can't be known, so its configuration is not judged, \
                 edited or reloaded; let ExecStart= name the real sshd (systemctl edit --full {})",
                unit.name, unit.name
            )),
        }
    }

    /// The same for a unit that does not run. Where nothing is installed at that path it could not
    /// be started, and the system's own sshd is the one that could be.
    #[must_use]
    pub fn of_stopped(unit: &Unit) -> Self {
        let program = Self::of_unit(unit);
        if program_path(unit).is_ok_and(|path| path.is_absolute() && !path.exists())
            && matches!(unit.property("RootDirectory"), "" | "/")
        {
            return Self::Usual;
        }
        program
    }

    /// The same, unless we have the right to see what `process` runs and that is no program of root's
    /// own. A newer one in the same place is the same program: an upgrade.
    #[must_use]
    pub fn seen_in(self, process: &Process, unit: &Unit) -> Self {
        let (Self::Known(program), Some(seen)) = (&self, process.executable()) else { return self };
        let seen = without_deleted(&seen);
        if seen == program.resolved() || names_sshd(&seen) && TrustedProgram::at(&seen).is_ok() {
            return self;
        }
        Self::Unknown(format!(
            "{}: process {} runs {}, but ExecStart= names {}; the configuration is not judged, \
             edited or reloaded until {} is restarted",
            unit.name,
            process.pid,
            seen.display(),
            program.path().display(),
            unit.name
        ))
    }

    /// The program that a process runs which no service manager knows, if we may see it.
    #[must_use]
    pub fn of_process(process: &Process) -> Option<TrustedProgram> {
        let path = without_deleted(&process.executable()?);
        TrustedProgram::at(&path).ok().filter(|_| names_sshd(&path))
    }

    /// The program to run; `None` where no sshd is installed.
    ///
    /// # Errors
    /// Why none may be run, in a sentence.
    pub fn find(&self) -> Result<Option<TrustedProgram>, String> {
        match self {
            Self::Known(program) => Ok(Some(program.clone())),
            Self::Unknown(why) => Err(why.clone()),
            Self::Usual => TrustedProgram::first(&USUAL).map_err(|not_run| {
                format!("{not_run}; the configuration is not judged, edited or reloaded")
            }),
        }
    }
}

/// `{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no ; … }`, as
/// `systemctl show` prints it without the prefixes `-`, `@`, `:`, `+`, `!`; a line for each one.
fn program_path(unit: &Unit) -> Result<&Path, String> {
    let [command] = unit.properties("ExecStart") else {
        let count = unit.properties("ExecStart").len();
        return Err(format!("it has {count} lines of ExecStart="));
    };
    let path = command.split_once("path=").and_then(|(_, rest)| rest.split_once(" ; "));
    let Some((path, _)) = path else { return Err("its ExecStart= names no program".to_owned()) };
    Ok(Path::new(path))
}

fn exec_start(unit: &Unit) -> Result<TrustedProgram, String> {
    for property in ["RootDirectory", "RootImage"] {
        let root = unit.property(property);
        if !matches!(root, "" | "/") {
            return Err(format!("its sshd and the files of that are inside {property}={root}"));
        }
    }
    let path = program_path(unit)?;
    if !names_sshd(path) {
        return Err(format!("its ExecStart= is {}, not sshd", path.display()));
    }
    let found = match path.to_str().filter(|_| !path.is_absolute()) {
        // From systemd 248 on, which looks for it when it starts the unit.
        Some(name) => TrustedProgram::named(name),
        None => TrustedProgram::at(path),
    };
    found.map_err(|not_run| match not_run {
        NotRun::NotElf(_) => format!("its ExecStart= {not_run}"),
        NotRun::Missing(_) => format!("its ExecStart= {} is not there", path.display()),
        NotRun::Changeable(_) | NotRun::Unreadable { .. } => {
            format!("its ExecStart= is {}, but {not_run}", path.display())
        }
    })
}

fn names_sshd(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"sshd"))
}

/// The kernel shows the path of a program that was replaced since with this suffix.
fn without_deleted(seen: &Path) -> PathBuf {
    let plain = seen.to_str().and_then(|text| text.strip_suffix(" (deleted)"));
    plain.map_or_else(|| seen.to_owned(), PathBuf::from)
}
