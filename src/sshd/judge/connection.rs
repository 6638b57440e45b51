//! The connection for which sshd is asked: the attributes that `Match` looks at.

use std::{fmt, io};

use crate::host::HostError;
use crate::sshd::match_criteria;

/// Attributes of a connection, as `sshd -C` takes them. One that is not given matches no block,
/// from sshd 8.1 on; earlier ones insist on it, see [`Connection::supply_missing`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    attributes: Vec<(&'static str, String)>,
}

impl Default for Connection {
    /// A connection that matches no block but `Match all`.
    fn default() -> Self {
        // Every sshd insists on this one as soon as a `Match LocalPort` is read.
        Self { attributes: vec![("lport", nobody("lport").to_owned())] }
    }
}

/// The attributes that sshd knows, and a value of each that hardly any pattern is meant for:
/// names and addresses reserved for documentation, and a port that sshd doesn't listen on.
const NOBODY: [(&str, &str); 6] = [
    ("user", "keepalive-policy-nobody"),
    ("host", "nowhere.invalid"),
    ("addr", "192.0.2.1"),
    ("laddr", "192.0.2.2"),
    ("lport", "1"),
    ("rdomain", "keepalive-policy-nowhere"),
];

fn nobody(attribute: &str) -> &'static str {
    NOBODY.iter().find(|(name, _)| *name == attribute).map_or("", |(_, value)| value)
}

impl fmt::Display for Connection {
    /// As `-C` would have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = |(name, value): &(&str, String)| format!("{name}={value}");
        f.write_str(&self.attributes.iter().map(pair).collect::<Vec<_>>().join(","))
    }
}

impl Connection {
    /// The same connection with an attribute: `user`, `host`, `addr`, `laddr`, `lport`, `rdomain`.
    /// One that sshd does not know changes nothing.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<String>) -> Self {
        if let Some((name, _)) = NOBODY.iter().find(|(name, _)| *name == attribute) {
            self.attributes.retain(|(given, _)| given != name);
            self.attributes.push((name, value.into()));
        }
        self
    }

    /// The argument of `-C`.
    ///
    /// # Errors
    /// When a value has a comma, which `-C` can't take.
    pub(super) fn specification(&self) -> Result<String, HostError> {
        let comma = self.attributes.iter().find(|(_, value)| value.contains(','));
        if let Some((name, value)) = comma {
            return Err(HostError {
                path: "sshd -C".into(),
                action: "cannot ask for this connection",
                source: io::Error::other(format!("a comma in {name}={value}")),
            });
        }
        Ok(self.to_string())
    }

    /// The same as the evaluation knows connections. The account that we ask about does not exist,
    /// and so is in no group.
    #[must_use]
    pub fn known(&self) -> match_criteria::Connection {
        let text = |name: &str| {
            let found = self.attributes.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| value.clone().into_bytes())
        };
        let port = self.attributes.iter().find(|(name, _)| *name == "lport");
        match_criteria::Connection {
            user: text("user"),
            groups: Some(Vec::new()),
            host: text("host"),
            address: text("addr"),
            local_address: text("laddr"),
            local_port: port.and_then(|(_, value)| value.parse().ok()),
            rdomain: text("rdomain"),
        }
    }

    /// Adds the attribute that sshd says it misses, as sshd up to 8.0 does for every criterion:
    /// `'Match user' in configuration but 'user' not in connection test specification.`
    /// Gives whether there is a new question to ask.
    pub(super) fn supply_missing(&mut self, complaint: &str) -> bool {
        let missing = complaint
            .lines()
            .filter(|line| line.contains("not in connection test specification"))
            .find_map(|line| line.split('\'').nth(3));
        let Some((name, value)) =
            missing.and_then(|missing| NOBODY.iter().find(|(name, _)| *name == missing))
        else {
            return false;
        };
        let absent = !self.attributes.iter().any(|(given, _)| given == name);
        if absent {
            self.attributes.push((name, (*value).to_owned()));
        }
        absent
    }
}
