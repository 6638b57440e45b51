//! How sshd runs on this host: as which unit, started how, and with which options.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::host::files::Node;
use crate::host::process::Process;
use crate::host::systemd::Unit;
use crate::host::{Host, HostError};
use crate::sshd::dialect::Dialect;
use crate::sshd::instance::Instance;

pub mod command_line;
pub mod endangered;
pub mod listener;
pub mod loaded;
pub mod program;
pub mod state;
pub mod view;
pub mod way;

#[cfg(test)]
mod tests;

use command_line::{CommandLine, Environment};
use listener::PidFile;
use program::Program;
use state::UnitState;
use view::OtherView;

/// How a new connection gets to an sshd, and so what makes it use a changed configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A service that listens itself: a reload.
    Plain,
    /// A socket unit listens, and sshd runs with its socket: a restart. At a reload sshd loses the
    /// socket, then can't bind the port that systemd holds, and dies.
    SocketActive,
    /// A socket unit listens, and the next connection starts sshd: nothing to do.
    SocketIdle,
    /// Each connection starts an sshd of its own: nothing to do.
    PerConnection,
    /// No sshd runs: nothing to do.
    NotRunning,
    /// An sshd listens that belongs to no unit: a SIGHUP is the only way.
    NoServiceManager,
    /// The unit's main process is not an sshd that we believe: nothing that we could do safely.
    NotSshd,
    /// A tree and not the running machine: nothing runs.
    NotLive,
}

/// The ssh service of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The declared instance that this is; `None` for the host's own sshd.
    pub instance: Option<Instance>,
    /// How it is run.
    pub kind: Kind,
    /// The service unit, `ssh.service` or `sshd.service`, never an alias.
    pub unit: Option<String>,
    /// What the service manager says of the unit that must listen: of the service, or of the
    /// socket that starts it.
    pub state: Option<UnitState>,
    /// The program that is asked about its configuration.
    pub program: Program,
    /// The listener.
    pub listener: Option<Process>,
    /// Why the unit's main process is not taken for its sshd, in a sentence.
    pub doubt: Option<String>,
    /// The pid file that the listener wrote.
    pub pid_file: Option<PidFile>,
    /// Its command line; of a service that does not run, the one that it would be started with.
    pub command_line: CommandLine,
    /// The command line that its unit would start it with.
    pub at_start: CommandLine,
    /// The environment files of its unit, from which that gets its options.
    pub option_files: BTreeSet<PathBuf>,
    /// How the sshd that it runs reads its files.
    pub dialect: Dialect,
    /// Whether the unit knows a reload.
    pub can_reload: bool,
    /// Whether the unit's reload begins with a test of the configuration as its sshd sees it.
    pub reload_tests: bool,
    /// Whether ending the unit's main process leaves the sessions alone (`KillMode=process`).
    pub sessions_survive_restart: bool,
    /// Whether another process changes its files again and again.
    pub restless: bool,
    /// Where it listens now and would not after a load, in a sentence.
    pub endangered: Option<String>,
    /// What it would find elsewhere than we do.
    pub view: Option<OtherView>,
}

/// The names under which distributions have the service and its socket.
const UNITS: [&str; 4] = ["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"];

const PROPERTIES: [&str; 14] = [
    "Accept",
    "CanReload",
    "ControlGroup",
    "ExecMainStartTimestampMonotonic",
    "Triggers",
    "ExecReloadEx",
    "ExecStart",
    "RootDirectory",
    "RootDirectoryStartOnly",
    "RootImage",
    "Environment",
    "EnvironmentFiles",
    "KillMode",
    "PIDFile",
];

fn units(host: &Host, names: &[&str]) -> Result<Vec<Unit>, HostError> {
    host.units(names, &[&PROPERTIES[..], &state::PROPERTIES].concat())
}

/// Where distributions keep the daemon's options, and in which variable.
const OPTION_FILES: [(&str, &str); 4] = [
    ("/etc/default/ssh", "SSHD_OPTS"),
    ("/etc/sysconfig/sshd", "OPTIONS"),
    ("/etc/sysconfig/ssh", "SSHD_OPTS"),
    ("/etc/conf.d/sshd", "command_args"),
];

/// Finds out how sshd runs on this host.
///
/// # Errors
/// When the service manager does not answer root.
pub fn observe(host: &Host) -> Result<Service, HostError> {
    if !host.is_live() {
        return Ok(Service { command_line: of_image(host), ..Service::of(Kind::NotLive) });
    }
    if !host.has_systemd() {
        return Ok(without_manager(host));
    }
    match with_systemd(host) {
        // Without a message bus systemd answers root only; others change nothing anyway.
        Err(_) if !rustix::process::geteuid().is_root() => Ok(without_manager(host)),
        found => found,
    }
}

/// The same for a declared instance. Without systemd nothing tells which process it is.
///
/// # Errors
/// As [`observe`].
pub fn observe_instance(host: &Host, instance: &Instance) -> Result<Service, HostError> {
    let service = if !host.is_live() {
        Service::of(Kind::NotLive)
    } else if host.has_systemd() {
        match of_unit(host, &[&instance.unit, &instance.socket()]) {
            Err(_) if !rustix::process::geteuid().is_root() => Service::of(Kind::NotRunning),
            found => found?.unwrap_or_else(|| Service::of(Kind::NotRunning)),
        }
    } else {
        Service::of(Kind::NotRunning)
    };
    Ok(Service { instance: Some(instance.clone()), ..service })
}

impl Service {
    /// Looks again.
    ///
    /// # Errors
    /// As [`observe`].
    pub fn observe_again(&self, host: &Host) -> Result<Self, HostError> {
        let found = match &self.instance {
            None => observe(host),
            Some(instance) => observe_instance(host, instance),
        }?;
        Ok(Self { dialect: self.dialect.clone(), restless: self.restless, ..found })
    }

    fn of(kind: Kind) -> Self {
        Self {
            instance: None,
            kind,
            unit: None,
            state: None,
            program: Program::Usual,
            listener: None,
            doubt: None,
            pid_file: None,
            command_line: CommandLine::default(),
            at_start: CommandLine::default(),
            option_files: BTreeSet::new(),
            dialect: Dialect::default(),
            can_reload: false,
            reload_tests: false,
            sessions_survive_restart: false,
            restless: false,
            endangered: None,
            view: None,
        }
    }

    /// `-f` of the daemon: the main file in place of `/etc/ssh/sshd_config`.
    #[must_use]
    pub fn main_file(&self) -> Option<&Path> {
        self.command_line.main.as_deref()
    }

    /// The daemon's arguments that change its configuration: what sshd must be asked with.
    #[must_use]
    pub fn options(&self) -> &[OsString] {
        &self.command_line.options
    }

    /// The sshd that is asked: the program that the service runs.
    #[must_use]
    pub fn daemon(&self) -> super::judge::Daemon<'_> {
        super::judge::Daemon {
            program: &self.program,
            options: self.options(),
            dialect: Some(&self.dialect),
        }
    }

    /// Where the listener's pid file may be.
    #[must_use]
    pub fn pid_files(&self) -> Vec<PathBuf> {
        let known = self.pid_file.iter().map(|file| file.path.clone());
        known.chain(default_pid_files()).collect()
    }

    /// What to watch besides the configuration: from what the options are made, and the pid file,
    /// all that changes when somebody else starts sshd or makes it load.
    #[must_use]
    pub fn watched(&self) -> BTreeSet<PathBuf> {
        if self.kind == Kind::NotLive {
            return BTreeSet::new();
        }
        self.option_files.iter().cloned().chain(self.pid_files()).collect()
    }

    /// The listener's id.
    #[must_use]
    pub fn main_pid(&self) -> Option<u32> {
        self.listener.as_ref().map(|process| process.pid)
    }

    fn unit_name(mut self, unit: &Unit) -> Self {
        self.unit = Some(unit.name.clone());
        self.state = Some(UnitState::of(unit));
        self.can_reload = unit.property("CanReload") == "yes";
        self.reload_tests = reload_tests(unit);
        self.sessions_survive_restart = matches!(unit.property("KillMode"), "process" | "none");
        self
    }
}

/// Whether the first command of the unit's reload is its own sshd with `-t` and the same main file,
/// run as that sshd is: systemd goes on to the SIGHUP only where that succeeds.
fn reload_tests(unit: &Unit) -> bool {
    // { path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -t ; flags= ; start_time=[n/a] ; … }
    let test = unit.property("ExecReloadEx");
    let flags = test.split_once("flags=").and_then(|(_, rest)| rest.split_once(" ;"));
    let Some((flags, _)) = flags else { return false };
    let outside = flags.split(' ').any(|flag| matches!(flag, "ignore-failure" | "privileged"));
    if outside || unit.property("RootDirectoryStartOnly") == "yes" {
        return false;
    }
    let environment = Environment::default();
    let test = CommandLine::of_unit(test, &environment);
    let start = CommandLine::of_unit(unit.property("ExecStart"), &environment);
    let is_test = test.arguments.iter().any(|argument| argument == "-t" || argument == "-T");
    is_test && test.program.is_some() && test.program == start.program && test.main == start.main
}

/// Which of the units decides how sshd is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role<'a> {
    /// This socket unit listens.
    Activated(&'a Unit),
    /// This service runs.
    Running(&'a Unit),
    /// None runs; this one could.
    Idle(&'a Unit),
    /// There is none.
    Absent,
}

fn role(units: &[Unit]) -> Role<'_> {
    let is = |suffix: &'static str| move |unit: &&Unit| unit.name.ends_with(suffix);
    if let Some(socket) = units.iter().filter(is(".socket")).find(|unit| unit.is_active()) {
        return Role::Activated(socket);
    }
    let services = || units.iter().filter(is(".service"));
    let running = services().find(|unit| unit.is_active()).map(Role::Running);
    let idle = || services().find(|unit| unit.is_loaded()).map(Role::Idle);
    running.or_else(idle).unwrap_or(Role::Absent)
}

fn with_systemd(host: &Host) -> Result<Service, HostError> {
    let found = of_unit(host, &UNITS)?;
    if let Some(service) = found.as_ref().filter(|service| service.kind != Kind::NotRunning) {
        return Ok(service.clone());
    }
    // A unit of another name, if it is the listener's: its control group tells. The pid file is only a
    // hint: it may be left over, and its number by now be the process of any user.
    if let Some((process, _)) = listener::find(&default_pid_files()) {
        let unit = process.unit().map(|name| units(host, &[&name])).transpose()?;
        let unit = unit.into_iter().flatten().find(|unit| unit.main_pid() == Some(process.pid));
        if let Some(unit) = unit {
            return Ok(running(host, &unit, Kind::Plain));
        }
    }
    Ok(found.unwrap_or_else(|| Service::of(Kind::NotRunning)))
}

/// The service that one of these units runs, or would run.
fn of_unit(host: &Host, names: &[&str]) -> Result<Option<Service>, HostError> {
    let units = units(host, names)?;
    Ok(match role(&units) {
        Role::Activated(socket) => Some(activated_by(host, socket)?),
        Role::Running(unit) => Some(running(host, unit, Kind::Plain)),
        Role::Idle(unit) => {
            let failed = |one: &&Unit| one.name.ends_with(".socket") && is_failed(one);
            let state = units.iter().find(failed).unwrap_or(unit);
            Some(Service {
                state: Some(UnitState::of(state)),
                ..idle(host, unit, Kind::NotRunning)
            })
        }
        Role::Absent => None,
    })
}

fn is_failed(unit: &Unit) -> bool {
    unit.property("ActiveState") == "failed"
}

fn activated_by(host: &Host, socket: &Unit) -> Result<Service, HostError> {
    let base = socket.name.strip_suffix(".socket").unwrap_or_default();
    let per_connection = socket.property("Accept") == "yes";
    let name = match socket.property("Triggers").split(' ').find(|name| !name.is_empty()) {
        // The template's settings are shown for an instance only.
        _ if per_connection => format!("{base}@keepalive-policy.service"),
        Some(name) => name.to_owned(),
        None => format!("{base}.service"),
    };
    let units = units(host, &[&name])?;
    let service = match units.first() {
        None => Service::of(Kind::SocketIdle),
        Some(unit) if per_connection => {
            let unit_name = Some(format!("{base}@.service"));
            Service { unit: unit_name, ..idle(host, unit, Kind::PerConnection) }
        }
        Some(unit) if unit.is_active() => running(host, unit, Kind::SocketActive),
        Some(unit) => idle(host, unit, Kind::SocketIdle),
    };
    Ok(Service { state: Some(UnitState::of(socket)), ..service })
}

/// The service as its unit would start it.
fn idle(host: &Host, unit: &Unit, kind: Kind) -> Service {
    let mut environment = Environment::default();
    environment.add_assignments(unit.property("Environment"));
    let mut option_files = BTreeSet::new();
    for file in unit.properties("EnvironmentFiles") {
        // "/etc/default/ssh (ignore_errors=yes)"
        let path = file.rsplit_once(" (").map_or(file.as_str(), |(path, _)| path);
        if let Ok(Node::File(file)) = host.read(Path::new(path)) {
            environment.add_file(&file.bytes);
        }
        option_files.insert(PathBuf::from(path));
    }
    let command_line = CommandLine::of_unit(unit.property("ExecStart"), &environment);
    let at_start = command_line.clone();
    let program = Program::of_stopped(unit);
    Service { command_line, at_start, option_files, program, ..Service::of(kind).unit_name(unit) }
}

/// The service as its process shows it, if that is the one that the service manager started.
fn running(host: &Host, unit: &Unit, kind: Kind) -> Service {
    let idle = Service { program: Program::of_unit(unit), ..idle(host, unit, kind) };
    let Some(process) = unit.main_pid().and_then(Process::find) else {
        let doubt = Some("it has no main process".to_owned());
        return Service { kind: Kind::NotSshd, doubt, ..idle };
    };
    if let Some(doubt) = listener::doubt(&process, unit) {
        let (listener, doubt) = (Some(process), Some(doubt));
        return Service { kind: Kind::NotSshd, listener, doubt, ..idle };
    }
    let shown = CommandLine::of_process(&process.command_line());
    let mut pid_files = default_pid_files();
    pid_files.insert(0, PathBuf::from(unit.property("PIDFile")));
    Service {
        pid_file: listener::pid_file_of(&process, &pid_files),
        program: idle.program.clone().seen_in(&process, unit),
        listener: Some(process),
        command_line: if shown.program.is_some() { shown } else { idle.command_line.clone() },
        ..idle
    }
}

fn without_manager(host: &Host) -> Service {
    let found = listener::find(&default_pid_files());
    let believed =
        found.and_then(|found| Program::of_process(&found.0).map(|program| (program, found)));
    match believed {
        Some((program, (process, pid_file))) => Service {
            program: Program::Known(program),
            command_line: CommandLine::of_process(&process.command_line()),
            listener: Some(process),
            pid_file: Some(pid_file),
            ..Service::of(Kind::NoServiceManager)
        },
        None => Service { command_line: of_image(host), ..Service::of(Kind::NotRunning) },
    }
}

/// The options that the distribution's own file holds, where no manager can be asked.
fn of_image(host: &Host) -> CommandLine {
    for (path, variable) in OPTION_FILES {
        if let Ok(Node::File(file)) = host.read(Path::new(path)) {
            let mut environment = Environment::default();
            environment.add_file(&file.bytes);
            return CommandLine::of_options(environment.get(variable));
        }
    }
    CommandLine::default()
}

fn default_pid_files() -> Vec<PathBuf> {
    ["/run/sshd.pid", "/var/run/sshd.pid"].map(PathBuf::from).to_vec()
}
