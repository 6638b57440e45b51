//! Which rules the installed OpenSSH follows.

use crate::sshd::dialect::Dialect;

/// The upstream version of an OpenSSH, `(9, 2)`: timing is upstream's, vendors left it alone,
/// except for the one rule that [`Release::count_zero`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u16, pub u16);

impl Default for Release {
    /// That of the default grammar, which is also the one that needs the shortest intervals.
    fn default() -> Self {
        Self::of(&Dialect::default())
    }
}

/// What `ClientAliveCountMax 0` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountZero {
    /// sshd asks for ever, and never gives up.
    NeverDisconnects,
    /// sshd disconnects at the first silent interval, without a question.
    DisconnectsAtOnce,
    /// One of the two: Red Hat gave its 8.0 the rule of 8.2.
    Either,
}

impl Release {
    /// That of a grammar.
    #[must_use]
    pub fn of(dialect: &Dialect) -> Self {
        let (major, minor) = dialect.version();
        Self(major, minor)
    }

    /// How many intervals lie between two questions of sshd to a silent client.
    ///
    /// 9.2 to 9.4 compare whole seconds with `>`: the wake-up that is due finds that the interval
    /// is not over yet, and sleeps for another one (`serverloop.c`, mended in 9.5).
    #[must_use]
    pub fn intervals_between_questions(self) -> u32 {
        if (Self(9, 2)..Self(9, 5)).contains(&self) { 2 } else { 1 }
    }

    /// How often sshd sends the same question: 7.9 sends each one twice, 0.1 s apart, and
    /// counts both (measured on 7.9: 3.0, 3.1, 6.0 and 6.1 s with an interval of 3 s).
    #[must_use]
    pub fn questions_at_a_time(self) -> u32 {
        if self < Self(8, 0) { 2 } else { 1 }
    }

    /// Whether sshd asks a silent client while it has something to send more often than every
    /// interval. Up to 9.1 it does (upstream commit b60ff2005); since 9.2 each wake-up of sshd itself
    /// starts the wait anew.
    #[must_use]
    pub fn sshd_asks_while_writing(self) -> bool {
        self < Self(9, 2)
    }

    /// The same for ssh and a silent server: since 8.4 (upstream commit f11b23346).
    #[must_use]
    pub fn ssh_asks_while_writing(self) -> bool {
        self >= Self(8, 4)
    }

    /// What `ClientAliveCountMax 0` means. ssh never got 8.2's rule for its `ServerAliveCountMax`.
    #[must_use]
    pub fn count_zero(self) -> CountZero {
        match self {
            Self(8, 2..) | Self(9.., _) => CountZero::NeverDisconnects,
            Self(8, _) => CountZero::Either,
            _ => CountZero::DisconnectsAtOnce,
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenSSH {}.{}", self.0, self.1)
    }
}
