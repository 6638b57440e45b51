//! Where the patterns of `Include` begin.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::sshd::dialect::Dialect;
use crate::sshd::syntax::prefix::DIRECTORY;

/// In which of the two files, or below which, an `Include` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base<'a> {
    /// The user's: relative to `~/.ssh`, given the home directory.
    User(&'a Path),
    /// The system's: relative to `/etc/ssh`.
    System,
}

/// Why a pattern leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// ssh refuses it, in its words.
    Refused(String),
    /// What ssh makes of it depends on more than the files.
    Unknown,
}

/// The pattern as ssh gives it to its glob.
///
/// # Errors
/// When ssh refuses it, or looks where we can't tell.
pub fn absolute(pattern: &[u8], base: Base<'_>, dialect: &Dialect) -> Result<Vec<u8>, Unusable> {
    let below =
        |directory: &Path, rest: &[u8]| [directory.as_os_str().as_bytes(), b"/", rest].concat();
    let has_token = pattern.contains(&b'%') || pattern.windows(2).any(|two| two == b"${");
    match (pattern, base) {
        ([], _) => Err(Unusable::Refused("keyword include empty argument".to_owned())),
        _ if dialect.expands_includes() && has_token => Err(Unusable::Unknown),
        ([b'~', ..], Base::System) => {
            let pattern = String::from_utf8_lossy(pattern);
            Err(Unusable::Refused(format!("bad include path {pattern}.")))
        }
        (b"~", Base::User(home)) => Ok(home.as_os_str().as_bytes().to_vec()),
        ([b'~', b'/', rest @ ..], Base::User(home)) => Ok(below(home, rest)),
        // Another user's home directory, by the account database.
        ([b'~', ..], Base::User(_)) => Err(Unusable::Unknown),
        ([b'/', ..], _) => Ok(pattern.to_vec()),
        (_, Base::User(home)) => Ok(below(&home.join(".ssh"), pattern)),
        (_, Base::System) => Ok([DIRECTORY, pattern].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_begin_where_ssh_begins() {
        let home = Path::new("/home/a");
        let (user, system) = (Base::User(home), Base::System);
        let dialect = Dialect::default().of_client();
        let found = |path: &str| Ok(path.as_bytes().to_vec());
        for (pattern, base, expected) in [
            ("conf.d/*", user, found("/home/a/.ssh/conf.d/*")),
            ("~/x", user, found("/home/a/x")),
            ("/etc/x", user, found("/etc/x")),
            ("ssh_config.d/*.conf", system, found("/etc/ssh/ssh_config.d/*.conf")),
            ("~/x", system, Err(Unusable::Refused("bad include path ~/x.".to_owned()))),
            ("~bob/x", user, Err(Unusable::Unknown)),
            ("${X}", system, found("/etc/ssh/${X}")),
        ] {
            assert_eq!(absolute(pattern.as_bytes(), base, &dialect), expected, "{pattern}");
        }
        let newer = Dialect::of(10, 0).of_client();
        assert_eq!(absolute(b"/x/%u", system, &newer), Err(Unusable::Unknown));
    }
}
