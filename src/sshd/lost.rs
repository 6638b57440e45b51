//! The sshds that a reload or restart of ours ended, kept on disk until each listens again or was
//! stopped on purpose. A restart of the daemon, systemd's own `Restart=` and a reboot don't make
//! the daemon forget them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::service::state::UnitState;
use super::service::{Kind, Service};
use crate::host::clock::now;
use crate::host::files::Node;
use crate::host::{Host, HostError};
use crate::reconcile::Listening;
use crate::record::{self, Found, KeptAside, Record, Rest, Unusable};

#[cfg(test)]
mod tests;
mod unmanaged;

const FILE: &str = "lost.json";

/// More processes than one write the record: the daemon and root's commands, for several sshds.
const LOCK: &str = "lost";

/// The record, `lost.json` in the state directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// By the name of the unit.
    units: BTreeMap<String, Loss>,
    #[serde(flatten)]
    rest: Rest,
}

/// One sshd that was lost, or that a load which is under way may end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Loss {
    /// When, in seconds since 1970.
    pub at: u64,
    /// The boot in which that was, by the kernel's id of it.
    pub boot: String,
    /// What we did, and what became of sshd.
    pub why: String,
    /// Whether it is an instance that the policy declares, and not the host's own sshd.
    pub instance: bool,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Lost {
    const VERSION: u64 = 1;
}

/// What is to be done about an sshd that is in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does not run, by our doing: it is started as soon as that can succeed.
    Stands,
    /// It runs again, or was stopped on purpose.
    Over,
}

impl Loss {
    /// What has become of the sshd since: `listens` is what a look at its sockets shows.
    #[must_use]
    pub fn fate(&self, state: &UnitState, listens: bool, boot: &str) -> Fate {
        // After a reboot the unit has no history: it is one that the boot did not start.
        let never_started = self.boot != boot && !state.was_started;
        if listens || state.was_stopped() || (never_started && !state.ought_to_run()) {
            return Fate::Over;
        }
        Fate::Stands
    }
}

/// An sshd that does not run, by our doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its unit; `None` where no service manager started it.
    pub unit: Option<String>,
    /// What we did, and what became of sshd.
    pub why: String,
    /// The unit's state, for a message.
    pub state: String,
}

/// What a look finds of an sshd's losses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// The one that stands.
    pub standing: Option<Standing>,
    /// Whether there was a loss, and none stands: it may be forgotten.
    pub is_over: bool,
    /// Why the record can't be used, where it can't.
    pub unusable: Option<Unusable>,
}

/// Looks at what is known of this sshd, and at how its unit is now. `down` says that it was lost by
/// this process, which counts where the record could not be written.
///
/// # Errors
/// When the record can't be read, or the service manager does not answer.
pub fn look(
    host: &Host,
    service: &Service,
    listening: Option<&Listening>,
    down: bool,
) -> Result<Look, HostError> {
    if !host.is_live() {
        return Ok(Look::default());
    }
    let Known { mut losses, unusable } = known(host, service)?;
    let boot = boot(host);
    if let (Some(unit), true, true) = (&service.unit, down, losses.is_empty()) {
        let why = "the record of that could not be written".to_owned();
        losses.insert(unit.clone(), Loss { why, boot: boot.clone(), ..Loss::default() });
    }
    let mut standing = None;
    let was_lost = !losses.is_empty();
    for (unit, loss) in losses {
        let state = UnitState::ask(host, &unit)?;
        let listens = match service.kind {
            // There the socket listens; the service is started by the next connection, or fails.
            Kind::SocketIdle | Kind::SocketActive => state.is_active(),
            _ => listening.is_some_and(|found| found.listens),
        };
        if loss.fate(&state, listens, &boot) == Fate::Stands {
            standing = Some(Standing { unit: Some(unit), why: loss.why, state: state.to_string() });
            break;
        }
    }
    let unmanaged = match service.instance {
        None => unmanaged::look(host, service)?,
        Some(_) => Look::default(),
    };
    let standing = standing.or(unmanaged.standing);
    let is_over = (was_lost || unmanaged.is_over) && standing.is_none();
    Ok(Look { standing, is_over, unusable })
}

/// What the record says of one sshd.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Its losses: one, or several where its unit has got another name since.
    pub losses: BTreeMap<String, Loss>,
    /// Why the record can't be used, where it can't.
    pub unusable: Option<Unusable>,
}

/// Reads what is known of the losses of this sshd.
///
/// # Errors
/// When the record is there and can't be read.
pub fn known(host: &Host, service: &Service) -> Result<Known, HostError> {
    let path = path(host);
    match record::read::<Lost>(host, &path) {
        Ok(Found::Absent) => Ok(Known::default()),
        Ok(Found::Known(mut lost)) => {
            lost.units.retain(|unit, loss| concerns(service, unit, loss));
            Ok(Known { losses: lost.units, unusable: None })
        }
        Ok(Found::Unusable(unusable)) => {
            Ok(Known { losses: BTreeMap::new(), unusable: Some(unusable) })
        }
        // Kept for root's eyes only, perhaps; others look, but start nothing.
        Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
            Ok(Known::default())
        }
        Err(error) => Err(error),
    }
}

/// Writes down that this sshd is lost, or that it may be in a moment. A record that can't be used is
/// kept aside, and then returned.
///
/// # Errors
/// When the state directory can't be written.
pub fn note(host: &Host, service: &Service, why: &str) -> Result<Option<KeptAside>, HostError> {
    let Some(unit) = service.unit.clone() else { return unmanaged::note(host, service, why) };
    let loss = Loss {
        at: now(),
        boot: boot(host),
        why: why.to_owned(),
        instance: service.instance.is_some(),
        rest: Rest::new(),
    };
    record::update::<Lost>(host, &path(host), LOCK, |lost, _| {
        lost.units.insert(unit, loss);
    })
}

/// Removes this sshd from the record. A record that can't be used is left as it is: with it may go
/// what is known of another sshd.
///
/// # Errors
/// When the state directory can't be written.
pub fn forget(host: &Host, service: &Service) -> Result<(), HostError> {
    if service.instance.is_none() {
        unmanaged::forget(host)?;
    }
    if known(host, service)?.losses.is_empty() {
        return Ok(());
    }
    record::update::<Lost>(host, &path(host), LOCK, |lost, _| {
        lost.units.retain(|unit, loss| !concerns(service, unit, loss));
    })
    .map(drop)
}

/// This boot, by the kernel's id of it; empty where that can't be read.
#[must_use]
pub fn boot(host: &Host) -> String {
    match host.read("/proc/sys/kernel/random/boot_id".as_ref()) {
        Ok(Node::File(file)) => String::from_utf8_lossy(&file.bytes).trim().to_owned(),
        _ => String::new(),
    }
}

fn path(host: &Host) -> PathBuf {
    host.state_dir().join(FILE)
}

/// The host's own sshd may have got another unit since; an instance is told by its unit.
fn concerns(service: &Service, unit: &str, loss: &Loss) -> bool {
    match &service.instance {
        Some(instance) => loss.instance && instance.unit == unit,
        None => !loss.instance,
    }
}
