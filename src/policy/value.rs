//! One value of the policy, read as what its key takes.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::duration;
use super::findings::{Findings, quoted};
use super::table::Entry;

impl Findings<'_> {
    /// Refuses a value: "`key` must be WANTED, found …".
    pub fn wrong(&mut self, entry: &Entry<'_>, wanted: &str) {
        let found = describe(entry.value.get_ref());
        self.refuse(
            entry.value.span(),
            format!("`{}` must be {wanted}, found {found}", entry.name),
        );
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, entry: &Entry<'_>) -> Option<bool> {
        let value = entry.value.get_ref().as_bool();
        if value.is_none() {
            self.wrong(entry, "true or false");
        }
        value
    }

    /// One of the texts of `choices`.
    pub fn choice<T: Copy>(&mut self, entry: &Entry<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = entry.value.get_ref().as_str().unwrap_or_default();
        let chosen = choices.iter().find(|(name, _)| *name == text);
        if chosen.is_none() {
            let names: Vec<String> =
                choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.wrong(entry, &names.join(" or "));
        }
        chosen.map(|(_, value)| *value)
    }

    /// A decimal number. One that does not fit is cut to the nearest that does, and so falls to
    /// the caller's range.
    pub fn integer(&mut self, entry: &Entry<'_>, wanted: &str) -> Option<i64> {
        match entry.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                let text = number.as_str();
                let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
                Some(text.parse().unwrap_or(limit))
            }
            DeValue::Integer(_) => {
                self.wrong(entry, &format!("{wanted} in decimal"));
                None
            }
            // Quotes around a number hide what the kernel makes of it, `0600` being octal there.
            DeValue::String(text) if is_number(text) => {
                self.wrong(entry, &format!("{wanted} without quotes"));
                None
            }
            _ => {
                self.wrong(entry, wanted);
                None
            }
        }
    }

    /// A number of seconds, bare or as sshd writes times.
    pub fn time(&mut self, entry: &Entry<'_>) -> Option<i64> {
        let DeValue::String(text) = entry.value.get_ref() else {
            return self.integer(entry, "seconds (120) or a time (\"2m\")");
        };
        match duration::seconds(text) {
            Ok(seconds) => Some(i64::from(seconds)),
            Err(error) => {
                let message = format!("`{}` = \"{}\" {error}", entry.name, quoted(text));
                self.refuse(entry.value.span(), message);
                None
            }
        }
    }

    /// `value`, when the range has it; `why` says what is the matter with the others.
    pub fn within(
        &mut self,
        entry: &Entry<'_>,
        value: i64,
        (range, unit): (RangeInclusive<u32>, &str),
        why: &str,
    ) -> Option<u32> {
        let fits = u32::try_from(value).ok().filter(|value| range.contains(value));
        if fits.is_none() {
            let (first, last) = range.into_inner();
            let found = describe(entry.value.get_ref());
            let message = format!(
                "`{}` = {found} is refused: {why}; use {first} to {last}{unit}",
                entry.name
            );
            self.refuse(entry.value.span(), message);
        }
        fits
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value in a message.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", quoted(text)),
        DeValue::Integer(number) => {
            let prefix = match number.radix() {
                2 => "0b",
                8 => "0o",
                16 => "0x",
                _ => "",
            };
            format!("{prefix}{}", quoted(number.as_str()))
        }
        DeValue::Float(number) => quoted(number.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
