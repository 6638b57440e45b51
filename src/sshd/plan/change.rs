//! One correction of sshd's configuration, as `diff` shows it.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::sshd::install::Install;
use crate::sshd::tree::Tree;

/// One correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Files are edited, and sshd takes them up.
    Install {
        /// The transaction.
        install: Install,
        /// How sshd takes it up: `reload ssh.service`; `None` where it need not.
        load: Option<String>,
    },
    /// The files are right, but the running sshd has not loaded them.
    Reload {
        /// The tree as it stands.
        tree: Tree,
        /// How sshd takes it up.
        load: String,
    },
    /// A reload or restart of ours was the end of this unit, and it has not listened since.
    Start {
        /// The unit.
        unit: String,
        /// The tree as it stands.
        tree: Tree,
    },
}

impl fmt::Display for Change {
    /// The unified diffs, then `reload ssh.service`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Install { install, load } => {
                install.edits.iter().try_for_each(|edit| write!(f, "{edit}"))?;
                load.iter().try_for_each(|action| writeln!(f, "{action}"))
            }
            Self::Reload { load, .. } => writeln!(f, "{load}"),
            Self::Start { unit, .. } => writeln!(f, "start {unit}"),
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Change", 2)?;
        let (edits, load) = match self {
            Self::Install { install, load } => (install.edits.as_slice(), load.clone()),
            Self::Reload { load, .. } => (&[][..], Some(load.clone())),
            Self::Start { unit, .. } => (&[][..], Some(format!("start {unit}"))),
        };
        object.serialize_field("edits", edits)?;
        object.serialize_field("load", &load)?;
        object.end()
    }
}
