//! Who set the brake: only for showing.

use serde::{Deserialize, Serialize};

use crate::escape;

/// As much of a name as is shown.
const SHOWN: usize = 64;

/// A person at a terminal, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// The name of the account that logged in.
    pub name: Option<String>,
    /// The terminal.
    pub terminal: Option<String>,
}

impl Who {
    /// The caller: by sudo's word the one that it lent its rights to.
    #[must_use]
    pub fn caller(environment: impl Fn(&str) -> Option<String>) -> Self {
        let name = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(environment);
        let terminal = std::fs::read_link("/proc/self/fd/0").ok();
        let terminal = terminal.map(|path| path.to_string_lossy().into_owned());
        let is_terminal = |path: &String| path.starts_with("/dev/") && path != "/dev/null";
        Self { name, terminal: terminal.filter(is_terminal) }
    }

    /// ` by alice on /dev/pts/0`, or nothing.
    #[must_use]
    pub fn phrase(&self) -> String {
        let by = self.name.as_deref().map(|name| format!(" by {}", escape::short(name, SHOWN)));
        let on = self.terminal.as_deref().map(|path| format!(" on {}", escape::short(path, SHOWN)));
        by.unwrap_or_default() + &on.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_steers_no_terminal() {
        let who = Who { name: Some("al\x1b[31mice\n".to_owned()), terminal: None };
        assert_eq!(who.phrase(), " by al\\x1b[31mice\\n");
        assert_eq!(Who::default().phrase(), "");
        let long = Who { name: Some("x".repeat(1000)), terminal: Some("/dev/pts/0".to_owned()) };
        assert!(long.phrase().len() < 200 && long.phrase().ends_with(" on /dev/pts/0"));
    }

    #[test]
    fn sudo_names_the_person() {
        let name = |variable: &str| (variable == "SUDO_USER").then(|| "alice".to_owned());
        assert_eq!(Who::caller(name).name.as_deref(), Some("alice"));
    }
}
