//! What runs `confirm --undo` when the time is over, and outlives the session in which the change was
//! made: a timer of the service manager, or a process in a session of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::files::Node;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};

/// systemd answers within milliseconds; a machine that is busy takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// Begins the name of the timer.
const NAME: &str = "keepalive-policy-confirm";

/// What the process that waits is called with, behind the program's name.
const ARGUMENTS: [&str; 2] = ["confirm", "--undo"];

/// Runs it at the next boot, where the daemon does not.
const BOOT_UNIT: &str = "keepalive-policy-confirm.service";

/// Where that unit is while a change waits.
const BOOT_UNIT_FILE: &str = "/etc/systemd/system/keepalive-policy-confirm.service";

/// What was set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Alarm {
    /// The timer; `None` where a process waits.
    timer: Option<String>,
    /// Whether there is a unit for the next boot.
    boot_unit: bool,
}

/// Sets it.
///
/// # Errors
/// When it can't be set.
pub(super) fn set(host: &Host, seconds: u32) -> Result<Alarm, HostError> {
    let program = program()?;
    if !host.has_systemd() {
        Host::start_in_own_session(program.as_os_str(), ARGUMENTS)?;
        return Ok(Alarm::default());
    }
    let boot_unit = !host.is_daemon_enabled();
    if boot_unit {
        make_boot_unit(host, &program)?;
    }
    let mut alarm = Alarm { timer: None, boot_unit };
    match start_timer(&program, seconds) {
        Ok(name) => {
            alarm.timer = Some(name);
            Ok(alarm)
        }
        Err(error) => {
            cancel(host, &alarm);
            Err(error)
        }
    }
}

/// Before sshd, which then starts with the files as they were.
fn make_boot_unit(host: &Host, program: &Path) -> Result<(), HostError> {
    // systemd takes a percent sign for the beginning of a specifier.
    let program = program.to_string_lossy().replace('%', "%%");
    let record = super::unconfirmed::path(host);
    let text = format!(
        "[Unit]\n\
         Description=Undo a change of keepalive-policy that was not confirmed\n\
         ConditionPathExists={}\n\
         After=systemd-sysctl.service\n\
         Before=ssh.service sshd.service\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart=\"{program}\" {}\n\
         TimeoutStartSec=60s\n\
         SyslogIdentifier=keepalive-policy\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        record.display(),
        ARGUMENTS.join(" ")
    );
    let path = Path::new(BOOT_UNIT_FILE);
    if let Node::File(file) = host.read(path)? {
        // Of a change that ended where we could not remove it.
        host.remove(path, &file.bytes)?;
    }
    host.replace(path, Expect::Absent { mode: 0o644 }, text.as_bytes())?;
    let enabled = host.enable_unit(BOOT_UNIT);
    if enabled.is_err() {
        let _ = host.remove(path, text.as_bytes());
    }
    enabled
}

fn start_timer(program: &Path, seconds: u32) -> Result<String, HostError> {
    // A name of its own: one that failed keeps its name until it is reset.
    let name = format!("{NAME}-{}", std::process::id());
    let arguments = [
        "--quiet".to_owned(),
        "--collect".to_owned(),
        format!("--unit={name}"),
        "--description=Undo a change of keepalive-policy that was not confirmed".to_owned(),
        format!("--on-active={seconds}s"),
        // By default a timer may be a minute late.
        "--timer-property=AccuracySec=100ms".to_owned(),
        "--property=SyslogIdentifier=keepalive-policy".to_owned(),
        "--".to_owned(),
        program.to_string_lossy().into_owned(),
    ];
    let rest = ARGUMENTS.map(str::to_owned);
    let output = Host::run(OsStr::new("systemd-run"), arguments.into_iter().chain(rest), LIMIT)?;
    match output.success() {
        true => Ok(name),
        false => Err(HostError {
            path: "systemd-run".into(),
            action: "cannot set the timer that undoes the change",
            source: std::io::Error::other(output.complaint()),
        }),
    }
}

/// Takes it back. What goes off nevertheless finds nothing to undo.
pub(super) fn cancel(host: &Host, alarm: &Alarm) {
    if let Some(name) = &alarm.timer {
        let _ = host.unit_job("stop", &format!("{name}.timer"));
    }
    if alarm.boot_unit {
        let _ = host.disable_unit(BOOT_UNIT);
        sweep(host);
    }
}

/// Removes the unit for the next boot. The daemon, which can't write there, leaves it disabled to
/// those who can: without a record it does nothing.
pub(super) fn sweep(host: &Host) {
    let path = Path::new(BOOT_UNIT_FILE);
    if host.is_live()
        && let Ok(Node::File(file)) = host.read(path)
    {
        let _ = host.remove(path, &file.bytes);
    }
}

/// This program, also after a new version has taken its place.
fn program() -> Result<PathBuf, HostError> {
    let path = std::env::current_exe().map_err(|source| HostError {
        path: "/proc/self/exe".into(),
        action: "cannot tell which program this is",
        source,
    })?;
    Ok(match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => PathBuf::from(path),
        None => path,
    })
}
