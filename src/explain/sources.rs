//! Who decides about a setting: the winner, the losers, and the rule.

use serde::Serialize;

use crate::reconcile::{Source, Value};

/// One setting in one context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `sysctl`, `sshd_config`.
    pub resource: &'static str,
    /// Its native name.
    pub name: &'static str,
    /// For whom or when: as in `check`.
    pub context: String,
    /// The value; `None` where nothing sets it.
    pub effective: Option<Value>,
    /// Where it comes from; `None` for a default, a live value, or sshd's command line.
    pub source: Option<Source>,
    /// Why this one.
    pub rule: String,
    /// The lines that say something about it and don't decide, in the order in which they are read.
    pub losers: Vec<Loser>,
}

/// A line that does not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loser {
    /// Where it stands.
    #[serde(flatten)]
    pub source: Source,
    /// What it says.
    pub value: String,
    /// Why it does not decide.
    pub why: String,
}
