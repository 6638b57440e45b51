//! What `sshd -t` depends on besides the configuration's files: the host keys, without any of which
//! it refuses every tree, and the privilege separation directory. Tried on 9.2: it starts without its
//! moduli, `TrustedUserCAKeys`, `RevokedKeys` and programs, and does not look at them for a test; a
//! certificate or an agent that it can't use it only tells of.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::dialect::Dialect;
use super::judge::Dump;
use super::syntax::each;
use super::tree::{Entry, Tree};

#[cfg(test)]
mod tests;

/// The host keys that sshd looks for where none is named.
const DEFAULT_KEYS: [&str; 3] =
    ["/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key"];

/// Where a key, or what stands for one, is named.
const KEYWORDS: [&str; 3] = ["HostKey", "HostCertificate", "HostKeyAgent"];

/// Debian's separation directory: it is there only while ssh.service runs. Those of other
/// distributions are part of a package.
const SEPARATION: &str = "/run/sshd";

/// The places of which a change can change sshd's verdict on `tree`, as sshd is started with
/// `options`.
#[must_use]
pub fn paths(
    tree: &Tree,
    dump: Option<&Dump>,
    options: &[OsString],
    dialect: &Dialect,
) -> BTreeSet<PathBuf> {
    let mut named: BTreeSet<PathBuf> = of_options(options);
    for keyword in KEYWORDS {
        let values = dump.and_then(|dump| dump.values.get(&keyword.to_ascii_lowercase()));
        named.extend(values.into_iter().flatten().map(PathBuf::from));
    }
    for entry in tree.entries.values() {
        let Entry::File { bytes, .. } = entry else { continue };
        for directive in each(bytes, dialect) {
            if !KEYWORDS.iter().any(|keyword| directive.is(keyword)) {
                continue;
            }
            let argument = directive.arguments.ok().and_then(|all| all.into_iter().next());
            named.extend(
                argument
                    .map(|argument| PathBuf::from(std::ffi::OsStr::from_bytes(&argument.bytes))),
            );
        }
    }
    // `none`, and a path that is relative to where sshd was started.
    named.retain(|path| path.is_absolute());
    named.extend(DEFAULT_KEYS.iter().map(PathBuf::from));
    named.insert(PathBuf::from(SEPARATION));
    named
}

/// `-h FILE`, `-o HostKey=FILE`.
fn of_options(options: &[OsString]) -> BTreeSet<PathBuf> {
    let mut named = BTreeSet::new();
    for pair in options.windows(2) {
        let [option, value] = pair else { continue };
        let value = value.as_bytes();
        let path = match option.as_bytes() {
            b"-h" => Some(value),
            b"-o" => KEYWORDS.iter().find_map(|keyword| {
                let (name, rest) = value.split_at_checked(keyword.len())?;
                let rest = rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b" "))?;
                name.eq_ignore_ascii_case(keyword.as_bytes()).then_some(rest)
            }),
            _ => None,
        };
        named.extend(path.map(|path| Path::new(std::ffi::OsStr::from_bytes(path)).to_owned()));
    }
    named
}
