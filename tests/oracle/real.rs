//! The real sshd.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use keepalive_policy::host::Host;
use keepalive_policy::sshd::dialect::Dialect;
use keepalive_policy::sshd::judge::Dump;

const LIMIT: Duration = Duration::from_secs(30);

/// The real sshd with a key of its own. `KEEPALIVE_ORACLE_SSHD` names another one than this
/// machine's.
pub struct Sshd {
    program: OsString,
    directory: tempfile::TempDir,
}

impl Sshd {
    pub fn new() -> Self {
        // sshd insists on it, and Debian has it only while ssh.service runs.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-f"].map(OsStr::new);
        let arguments = arguments.into_iter().chain([key.as_os_str()]);
        assert!(Host::run(OsStr::new("ssh-keygen"), arguments, LIMIT).unwrap().success());
        let program = std::env::var_os("KEEPALIVE_ORACLE_SSHD");
        Self { program: program.unwrap_or_else(|| "/usr/sbin/sshd".into()), directory }
    }

    /// Its grammar.
    pub fn dialect(&self) -> Dialect {
        let output = Host::run(&self.program, ["-V"], LIMIT).unwrap();
        Dialect::from_banner(&[output.stderr, output.stdout].concat()).unwrap()
    }

    /// `sshd -T` for a connection, or why it refuses.
    pub fn dump(&self, main: &Path, connection: &str) -> Result<Dump, String> {
        let key = self.directory.path().join("key");
        let arguments = [
            OsStr::new("-T"),
            OsStr::new("-f"),
            main.as_os_str(),
            OsStr::new("-h"),
            key.as_os_str(),
            OsStr::new("-C"),
            OsStr::new(connection),
        ];
        let output = Host::run(&self.program, arguments, LIMIT).unwrap();
        if output.success() {
            Ok(Dump::parse(&String::from_utf8_lossy(&output.stdout), None))
        } else {
            Err(output.complaint())
        }
    }
}
