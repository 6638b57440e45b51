//! The loss of an sshd that no service manager started. How it was started is known only as far as its
//! command line tells, so that nothing but the moment after the loss starts it again: after that
//! the loss is remembered and told, until an sshd listens. Kept in the runtime directory: after a
//! reboot it is the host that has not started sshd.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Look, Standing};
use crate::host::clock::now;
use crate::host::{Host, HostError};
use crate::record::{self, Found, KeptAside, Record, Rest};
use crate::sshd::service::{Kind, Service};

const FILE: &str = "sshd-lost.json";

/// The record, `sshd-lost.json` in the runtime directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Loss {
    /// What it had been started with, for a message.
    command_line: String,
    /// When, in seconds since 1970.
    at: u64,
    /// The boot in which that was, by the kernel's id of it.
    boot: String,
    /// What we did, and what became of sshd.
    why: String,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Loss {
    const VERSION: u64 = 1;
}

/// Writes down that this sshd is lost, or may be in a moment.
pub(super) fn note(
    host: &Host,
    service: &Service,
    why: &str,
) -> Result<Option<KeptAside>, HostError> {
    if service.kind != Kind::NoServiceManager {
        return Ok(None);
    }
    let line = &service.command_line;
    let program = line.program.iter().map(|program| program.display().to_string());
    let arguments = line.arguments.iter().map(|argument| argument.display().to_string());
    let loss = Loss {
        command_line: program.chain(arguments).collect::<Vec<_>>().join(" "),
        at: now(),
        boot: super::boot(host),
        why: why.to_owned(),
        rest: Rest::new(),
    };
    record::write(host, &path(host), &loss)
}

/// Removes the record.
pub(super) fn forget(host: &Host) -> Result<(), HostError> {
    record::remove::<Loss>(host, &path(host)).map(drop)
}

/// Looks at the loss that is recorded, if one is.
pub(super) fn look(host: &Host, service: &Service) -> Result<Look, HostError> {
    let loss = match record::read::<Loss>(host, &path(host)) {
        Ok(Found::Known(loss)) => loss,
        // Nothing is started by it, so that a damaged one is no danger.
        Ok(Found::Absent | Found::Unusable(_)) => return Ok(Look::default()),
        Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
            return Ok(Look::default());
        }
        Err(error) => return Err(error),
    };
    let stands = service.kind == Kind::NotRunning && loss.boot == super::boot(host);
    let state = format!("sshd (started as `{}`) does not run", loss.command_line);
    let standing = stands.then_some(Standing { unit: None, why: loss.why, state });
    Ok(Look { is_over: standing.is_none(), standing, unusable: None })
}

fn path(host: &Host) -> PathBuf {
    host.runtime_dir().join(FILE)
}
