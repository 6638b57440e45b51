//! What sshd's grammar depends on: the version of the sshd that reads it.

pub mod ask;

/// The upstream version that a grammar belongs to, as in `OpenSSH_9.2p1`.
///
/// Vendors backport features. The version therefore decides only where releases read the *same
/// text* differently; what `Include` does in old releases is asked of sshd itself, see [`ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    version: (u16, u16),
    release: Vec<u8>,
    client: bool,
    include: Include,
    relative_includes: bool,
    true_and_false: bool,
}

/// What becomes of `Include`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Include {
    /// Unknown to sshd.
    Missing,
    /// 8.2 and 8.3 never match a block of a file that is included before the first `Match`.
    ForgetsBlocks,
    /// As documented.
    Sound,
}

/// The release from which on we expect sshd to take `true` and `false` where it can't be asked.
const TRUE_AND_FALSE: (u16, u16) = (10, 5);

/// Builds the path of a relative `Include` from the wrong variable, and so never reads the file
/// (`servconf.c` 8.2, line 1980). Whether a vendor mended that is asked.
const WITHOUT_RELATIVE_INCLUDES: (u16, u16) = (8, 2);

/// The oldest release whose rules we know: Debian 10's.
const OLDEST: (u16, u16) = (7, 9);

impl Default for Dialect {
    /// Debian 12's, whose rules most of the supported releases share.
    fn default() -> Self {
        Self::of(9, 2)
    }
}

impl Dialect {
    /// The dialect of OpenSSH `major.minor`.
    #[must_use]
    pub fn of(major: u16, minor: u16) -> Self {
        Self::new((major, minor), format!("OpenSSH_{major}.{minor}").into_bytes())
    }

    fn new(version: (u16, u16), release: Vec<u8>) -> Self {
        let include = match version {
            (..=7, _) | (8, ..=1) => Include::Missing,
            (8, ..=3) => Include::ForgetsBlocks,
            _ => Include::Sound,
        };
        let true_and_false = version >= TRUE_AND_FALSE;
        let relative_includes = version != WITHOUT_RELATIVE_INCLUDES;
        Self { version, release, client: false, include, relative_includes, true_and_false }
    }

    /// The same release's ssh, which has the grammar in common with sshd but for a few details.
    #[must_use]
    pub fn of_client(self) -> Self {
        Self { client: true, ..self }
    }

    /// ssh takes a NUL for the end of its own line, where sshd joins the next one to it; and it
    /// takes blanks before the keyword for an empty word, where sshd drops them first.
    #[must_use]
    pub const fn is_client(&self) -> bool {
        self.client
    }

    /// Debian and those who build on it patch ssh: `BatchMode yes` asks every 300 s, there are two
    /// more names for `ServerAliveInterval`, and a group that has no other member may write.
    #[must_use]
    pub fn is_debian(&self) -> bool {
        let name = |name: &[u8]| self.release.windows(name.len()).any(|part| part == name);
        name(b"Debian") || name(b"Ubuntu") || name(b"Raspbian")
    }

    /// Since 9.4 ssh has the criteria `localnetwork` and `tagged`.
    #[must_use]
    pub fn has_tags(&self) -> bool {
        self.version >= (9, 4)
    }

    /// Since 9.9 ssh expands `${ENV}` and `%` tokens in `Include`.
    #[must_use]
    pub fn expands_includes(&self) -> bool {
        self.version >= (9, 9)
    }

    /// Finds `OpenSSH_9.2p1` in what `sshd -V` prints. Releases before 9.x don't know the option,
    /// but name their version in the usage text that they print instead.
    #[must_use]
    pub fn from_banner(banner: &[u8]) -> Option<Self> {
        let mark = b"OpenSSH_";
        let start = banner.windows(mark.len()).position(|window| window == mark)?;
        let rest = banner.get(start..)?;
        let (major, after) = number(rest.get(mark.len()..)?)?;
        let (minor, _) = number(after.strip_prefix(b".")?)?;
        let release = rest.split(|byte| matches!(byte, b',' | b'\n')).next()?.to_vec();
        Some(Self::new((major, minor), release))
    }

    /// Why the files of a release as old as this are neither judged nor edited.
    #[must_use]
    pub fn too_old(&self) -> Option<String> {
        let (major, minor) = OLDEST;
        (self.version < OLDEST).then(|| {
            format!(
                "{} is older than OpenSSH {major}.{minor}, the oldest release that is supported; its \
                 files are neither judged nor edited",
                String::from_utf8_lossy(&self.release)
            )
        })
    }

    /// Major and minor number of the upstream version.
    #[must_use]
    pub const fn version(&self) -> (u16, u16) {
        self.version
    }

    /// The text that `Match version` is compared with: `OpenSSH_10.0p2 Debian-7`.
    #[must_use]
    pub fn release(&self) -> &[u8] {
        &self.release
    }

    /// Up to 8.6 everything from the first `#` of a line was a comment, and arguments were read
    /// like keywords: only double quotes, no escapes.
    #[must_use]
    pub fn splits_like_keywords(&self) -> bool {
        self.version < (8, 7)
    }

    /// Whether everything from the first `#` of a line is cut off: up to 8.6. In the client's file `#`
    /// is data up to 8.4, except where a keyword would begin.
    #[must_use]
    pub fn cuts_at_hash(&self) -> bool {
        self.splits_like_keywords() && !self.takes_bare_keywords()
    }

    /// Up to 8.4 ssh takes `Host` and `Include` without an argument, which match and read nothing.
    #[must_use]
    pub fn takes_bare_keywords(&self) -> bool {
        self.client && self.version < (8, 5)
    }

    /// Since 8.0 ssh has the criterion `final`.
    #[must_use]
    pub fn has_final(&self) -> bool {
        self.version >= (8, 0)
    }

    /// Up to 8.3 a number without a unit of its own has the unit of the one before it: `4m5` is 540.
    #[must_use]
    pub fn carries_units(&self) -> bool {
        self.version < (8, 4)
    }

    /// Since 8.5 a time is limited to what it is stored in.
    #[must_use]
    pub fn limits_times_to_int(&self) -> bool {
        self.version >= (8, 5)
    }

    /// Up to 8.4 `**` at the end of a pattern of `Match` needs something to match.
    #[must_use]
    pub fn two_stars_match_something(&self) -> bool {
        self.version < (8, 5)
    }

    /// A network's mask may have a sign or blanks before it; not so around 9.2.
    #[must_use]
    pub fn takes_signed_masks(&self) -> bool {
        self.version < (9, 2) || self.reads_any_mask()
    }

    /// Since 10.0 a mask above 128 is refused; before, it makes the network a text.
    #[must_use]
    pub fn reads_any_mask(&self) -> bool {
        self.version >= (10, 0)
    }

    /// Up to 9.7 each number of a time may have blanks and a sign before it.
    #[must_use]
    pub fn takes_blanks_in_times(&self) -> bool {
        self.version < (9, 8)
    }

    /// Since 10.3 `1.5` is a time.
    #[must_use]
    pub fn takes_fractional_times(&self) -> bool {
        self.version >= (10, 3)
    }

    /// Since 9.2 sshd has `ChannelTimeout` and `UnusedConnectionTimeout`.
    #[must_use]
    pub fn has_idle_limits(&self) -> bool {
        self.version >= (9, 2)
    }

    /// Since 9.7 `ChannelTimeout global=TIME` is about all channels together.
    #[must_use]
    pub fn has_global_channel_timeout(&self) -> bool {
        self.version >= (9, 7)
    }

    /// Since 9.9 `Match` criteria are read like other arguments: single quotes, escapes.
    #[must_use]
    pub fn matches_by_arguments(&self) -> bool {
        self.version >= (9, 9)
    }

    /// 9.9 has the criterion `invalid-user`.
    #[must_use]
    pub fn has_invalid_user(&self) -> bool {
        self.version >= (9, 9)
    }

    /// 9.9 takes `invalid-user` for met when it starts, so the block is in force for everybody.
    #[must_use]
    pub fn takes_invalid_user_for_all(&self) -> bool {
        self.version == (9, 9)
    }

    /// Since 10.0: the criterion `version`, and `User=bob` in one word.
    #[must_use]
    pub fn has_version_criterion(&self) -> bool {
        self.version >= (10, 0)
    }

    /// Whether sshd takes `true` and `false` for `TCPKeepAlive` besides `yes` and `no`.
    #[must_use]
    pub const fn takes_true_and_false(&self) -> bool {
        self.true_and_false
    }

    /// Whether only sshd itself can tell that: 10.0 refuses these words and 10.6 takes them (both
    /// measured), and vendors backport.
    #[must_use]
    pub fn must_be_asked_for_words(&self) -> bool {
        self.version > (10, 0)
    }

    /// What becomes of `Include`.
    #[must_use]
    pub const fn include(&self) -> Include {
        self.include
    }

    /// Whether sshd reads the files of an `Include` whose pattern is relative to `/etc/ssh`.
    #[must_use]
    pub const fn reads_relative_includes(&self) -> bool {
        self.relative_includes
    }

    /// Whether only sshd itself can tell that.
    #[must_use]
    pub fn must_be_asked_for_relative_includes(&self) -> bool {
        self.version == WITHOUT_RELATIVE_INCLUDES
    }

    /// Whether a vendor may have changed what becomes of `Include`: Red Hat gave it to its 8.0.
    #[must_use]
    pub fn needs_asking(&self) -> bool {
        self.include != Include::Sound
    }
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_either_banner() {
        for (banner, expected) in [
            (
                "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19",
                Some(((9, 2), "OpenSSH_9.2p1 Debian-2+deb12u10")),
            ),
            (
                "unknown option -- V\nOpenSSH_8.4p1 Debian-5, OpenSSL 1.1",
                Some(((8, 4), "OpenSSH_8.4p1 Debian-5")),
            ),
            ("OpenSSH_10.0p2\n", Some(((10, 0), "OpenSSH_10.0p2"))),
            ("dropbear", None),
            ("OpenSSH_", None),
        ] {
            let found = Dialect::from_banner(banner.as_bytes());
            let found = found.as_ref().map(|dialect| (dialect.version, dialect.release()));
            assert_eq!(found, expected.map(|(version, release)| (version, release.as_bytes())));
        }
    }

    #[test]
    fn releases_before_debian_10s_are_too_old() {
        for (major, minor, old) in
            [(3, 9, true), (7, 4, true), (7, 8, true), (7, 9, false), (8, 0, false), (10, 6, false)]
        {
            assert_eq!(Dialect::of(major, minor).too_old().is_some(), old, "{major}.{minor}");
        }
        let vendors = Dialect::from_banner(b"OpenSSH_7.4p1, OpenSSL 1.0.2k-fips").unwrap();
        let why = "OpenSSH_7.4p1 is older than OpenSSH 7.9, the oldest release that is supported; \
                   its files are neither judged nor edited";
        assert_eq!(vendors.too_old().as_deref(), Some(why));
    }

    #[test]
    fn this_machines_sshd_includes_as_documented() {
        let root = tempfile::tempdir().unwrap();
        let host = crate::host::Host::at(root.path());
        let daemon = crate::sshd::judge::Daemon::default();
        assert_eq!(ask::include(&host, daemon).unwrap(), Include::Sound);
        let dialect = ask::ask(&host, daemon).unwrap();
        assert!(dialect.release().starts_with(b"OpenSSH_"));
        assert_ne!(dialect.version, (0, 0));
    }
}
