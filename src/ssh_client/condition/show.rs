//! Conditions as one would write them.

use std::fmt;

use super::{Attribute, Condition};

impl fmt::Display for Condition {
    /// As one would write it: `Host web* !web3`, `Match user bob`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(patterns) => {
                f.write_str("Host")?;
                patterns.iter().try_for_each(|one| word(f, one.negated, &one.text))
            }
            Self::Match(criteria) => {
                f.write_str("Match")?;
                criteria.iter().try_for_each(|one| {
                    let named = Attribute::NAMES.iter().find(|(_, known)| *known == one.attribute);
                    word(f, one.negated, named.map_or("", |(name, _)| name).as_bytes())?;
                    if one.attribute.stands_alone() {
                        return Ok(());
                    }
                    word(f, false, &one.pattern)
                })
            }
        }
    }
}

fn word(f: &mut fmt::Formatter<'_>, negated: bool, text: &[u8]) -> fmt::Result {
    let text = String::from_utf8_lossy(text);
    let sign = if negated { "!" } else { "" };
    if text.is_empty() || text.contains([' ', '\t', '\'', '#', '=']) {
        write!(f, " \"{sign}{text}\"")
    } else {
        write!(f, " {sign}{text}")
    }
}
