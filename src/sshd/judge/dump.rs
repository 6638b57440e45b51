//! The values that `sshd -T` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::reconcile::Value;
use crate::sshd::Keyword;
use crate::sshd::judge::Connection;

/// What `sshd -T` printed: the values of each keyword in the order of their lines. Keywords are in
/// lower case, because sshd prints them so only up to 10.4 (`ClientAliveInterval` from 10.5 on).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dump {
    /// The values by keyword.
    pub values: BTreeMap<String, Vec<String>>,
    /// The connection that they are for: the one that was asked about, with what sshd missed in it.
    pub asked: Connection,
}

impl Dump {
    /// Reads the printed lines. `spare_key` is the host key made for the occasion, which is no
    /// part of the configuration.
    #[must_use]
    pub fn parse(text: &str, spare_key: Option<&Path>) -> Self {
        let spare_key = spare_key.map(Path::to_string_lossy);
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim_end();
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            let keyword = keyword.to_ascii_lowercase();
            if keyword.is_empty() || (keyword == "hostkey" && spare_key.as_deref() == Some(value)) {
                continue;
            }
            values.entry(keyword).or_default().push(value.to_owned());
        }
        Self { values, asked: Connection::default() }
    }

    /// The value of a keepalive keyword. `None` when sshd did not print it or not in a form known.
    #[must_use]
    pub fn value(&self, keyword: Keyword) -> Option<Value> {
        let text = self.first(&keyword.name().to_ascii_lowercase())?;
        match (keyword, text.to_ascii_lowercase().as_str()) {
            // sshd prints yes and no up to 10.4, true and false from 10.5 on.
            (Keyword::TcpKeepAlive, "yes" | "true") => Some(Value::Bool(true)),
            (Keyword::TcpKeepAlive, "no" | "false") => Some(Value::Bool(false)),
            (Keyword::TcpKeepAlive, _) => None,
            (_, number) => number.parse().ok().map(Value::Number),
        }
    }

    /// The first value of any keyword, given in lower case.
    #[must_use]
    pub fn first(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword)?.first().map(String::as_str)
    }

    /// What an edit of keepalive settings must not have changed: every other keyword whose values
    /// differ, as `keyword: before → after`.
    #[must_use]
    pub fn foreign_changes(&self, after: &Self) -> Vec<String> {
        let governed = Keyword::ALL.map(|keyword| keyword.name().to_ascii_lowercase());
        let keywords: BTreeSet<&String> = self.values.keys().chain(after.values.keys()).collect();
        keywords
            .into_iter()
            .filter(|keyword| !governed.contains(keyword))
            .filter(|keyword| self.values.get(*keyword) != after.values.get(*keyword))
            .map(|keyword| format!("{keyword}: {} → {}", self.show(keyword), after.show(keyword)))
            .collect()
    }

    fn show(&self, keyword: &str) -> String {
        self.values.get(keyword).map_or_else(|| "(none)".to_owned(), |values| values.join(", "))
    }
}
