//! What makes new connections use a changed configuration, and which services must be left alone.

use super::{Kind, Service};

/// How this service takes up its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// New connections use what is on disk anyway, or there is nothing that could.
    Needless,
    /// `systemctl reload` of this unit.
    Reload(String),
    /// `systemctl restart` of this unit, which its sessions survive.
    Restart(String),
    /// A SIGHUP: no service manager has it.
    HangUp,
    /// None that could not do harm; a sentence says why.
    Unsafe(String),
}

impl Service {
    /// The way that this service survives.
    #[must_use]
    pub fn way(&self) -> Way {
        let unit = self.unit.clone().unwrap_or_default();
        if let Some(lost) = &self.endangered {
            let name = self.unit.as_deref().unwrap_or("sshd");
            return Way::Unsafe(format!(
                "{name} is not reloaded: {lost}; new connections use the configuration on disk once \
                 it would lose nothing, or is reloaded by hand"
            ));
        }
        let is_tested = self.kind == Kind::Plain && self.can_reload && self.reload_tests;
        if let Some(view) = self.view.as_ref().filter(|_| !is_tested) {
            let name = self.unit.as_deref().unwrap_or("sshd");
            return Way::Unsafe(format!(
                "{name} is not reloaded: {view}, so that what it would read can't be judged, and no \
                 ExecReload= with `sshd -t` tests it first; new connections use the configuration on \
                 disk once it is reloaded by hand"
            ));
        }
        match self.kind {
            Kind::Plain if self.can_reload => Way::Reload(unit),
            Kind::Plain | Kind::SocketActive if self.sessions_survive_restart => Way::Restart(unit),
            Kind::Plain | Kind::SocketActive => Way::Unsafe(format!(
                "{unit} is not restarted: without KillMode=process in it that would end all \
                 sessions; new connections use the configuration on disk after its next start"
            )),
            Kind::NoServiceManager => Way::HangUp,
            Kind::NotSshd => {
                let doubt = self.doubt.as_deref().unwrap_or("its main process is not sshd");
                Way::Unsafe(format!(
                    "{unit} is not reloaded: {doubt}; new connections use the configuration on disk \
                     once sshd is reloaded by hand"
                ))
            }
            Kind::SocketIdle | Kind::PerConnection | Kind::NotRunning | Kind::NotLive => {
                Way::Needless
            }
        }
    }
}

impl Way {
    /// As `diff` and the journal name it; `None` where nothing is done.
    #[must_use]
    pub fn action(&self) -> Option<String> {
        match self {
            Self::Reload(unit) => Some(format!("reload {unit}")),
            Self::Restart(unit) => Some(format!("restart {unit}")),
            Self::HangUp => Some("send SIGHUP to sshd".to_owned()),
            Self::Needless | Self::Unsafe(_) => None,
        }
    }
}
