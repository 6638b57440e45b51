//! Values that sshd gets on its command line: they beat every file, but no `Match` block.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::dialect::Dialect;
use super::evaluate::managed;
use super::{Keyword, syntax, value};
use crate::reconcile::Value;

/// The keepalive values among `-o` options; of several the first counts, as in a file.
#[must_use]
pub fn values(options: &[OsString], dialect: &Dialect) -> BTreeMap<Keyword, Value> {
    let mut values = BTreeMap::new();
    let mut words = options.iter().map(|word| word.as_bytes());
    while let Some(word) = words.next() {
        let line = match word.strip_prefix(b"-o") {
            Some([]) => words.next().unwrap_or_default(),
            Some(attached) => attached,
            None => continue,
        };
        for directive in syntax::directives(line, dialect) {
            let arguments = directive.arguments.as_deref().unwrap_or_default();
            if let (Some(keyword), [argument]) = (managed(&directive), arguments)
                && let Ok(value) = value::parse(keyword, &argument.bytes, dialect)
            {
                values.entry(keyword).or_insert(value);
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_counts() {
        let options = [
            "-o",
            "ClientAliveInterval=1m",
            "-oclientaliveinterval 7",
            "-p",
            "22",
            "-o",
            "KeepAlive no",
            "-o",
            "Banner=none",
        ];
        let found = values(&options.map(OsString::from), &Dialect::default());
        let expected = [
            (Keyword::TcpKeepAlive, Value::Bool(false)),
            (Keyword::ClientAliveInterval, Value::Number(60)),
        ];
        assert_eq!(found, BTreeMap::from(expected));
    }
}
