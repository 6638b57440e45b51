//! Who runs this program, and where that user keeps things.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::program::TrustedProgram;
use crate::host::{Host, HostError};
use crate::ssh_client::tree::UserFile;

/// A directory service may take its time.
const LIMIT: Duration = Duration::from_secs(30);

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name of the account.
    pub name: Vec<u8>,
    /// Its home directory by the account database, as ssh takes it: not `$HOME`.
    pub home: PathBuf,
    /// `~/.config`.
    config: PathBuf,
    /// What outlives a reboot.
    state: PathBuf,
    /// What a logout may remove.
    runtime: PathBuf,
}

impl User {
    /// The account that this process runs as. `environment` is asked for the XDG base directories
    /// and for `SUDO_UID`.
    ///
    /// # Errors
    /// When there is no such account; when root was lent to somebody by sudo, whose own file would
    /// not be the one that is edited; when the home directory is somebody else's.
    pub fn find(environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, HostError> {
        let uid = rustix::process::geteuid().as_raw();
        let lent = environment("SUDO_UID").filter(|real| real != "0" && uid == 0);
        if lent.is_some() {
            return Err(refused(
                "/root",
                "this is root by way of sudo, and root's own ssh client is hardly meant; run it \
                 as yourself",
            ));
        }
        let number = uid.to_string();
        let said = TrustedProgram::named("getent")?.run(["passwd", number.as_str()], LIMIT)?;
        let mut fields = said.stdout.trim_ascii_end().split(|byte| *byte == b':');
        let (name, home) = (fields.next(), fields.nth(4));
        let (Some(name), Some(home)) = (name, home.filter(|home| home.starts_with(b"/"))) else {
            return Err(refused("getent", &format!("no account has the id {uid}")));
        };
        let home = PathBuf::from(OsString::from_vec(home.to_vec()));
        let owner = Host::live().permissions(&home).map(|permissions| permissions.uid);
        if owner != Some(uid) {
            return Err(refused(&home, &format!("not a directory that belongs to uid {uid}")));
        }
        let base = |variable: &str, default: &str| {
            let given = environment(variable).map(PathBuf::from);
            given.filter(|path| path.is_absolute()).unwrap_or_else(|| home.join(default))
        };
        let state = base("XDG_STATE_HOME", ".local/state").join("keepalive-policy");
        let runtime = environment("XDG_RUNTIME_DIR").map(PathBuf::from);
        Ok(Self {
            name: name.to_vec(),
            config: base("XDG_CONFIG_HOME", ".config"),
            runtime: runtime
                .filter(|path| path.is_absolute())
                .map_or_else(|| state.join("run"), |path| path.join("keepalive-policy")),
            state,
            home,
        })
    }

    /// `~/.ssh/config`.
    #[must_use]
    pub fn ssh_config(&self) -> UserFile {
        UserFile::of(self.home.clone())
    }

    /// This machine, with the user's own directories for state.
    #[must_use]
    pub fn host(&self) -> Host {
        Host::live().with_directories(self.state.clone(), self.runtime.clone())
    }

    /// `~/.config/keepalive-policy.toml`.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.config.join("keepalive-policy.toml")
    }
}

fn refused(path: impl AsRef<Path>, why: &str) -> HostError {
    HostError {
        path: path.as_ref().to_owned(),
        action: "refused",
        source: io::Error::other(why.to_owned()),
    }
}
