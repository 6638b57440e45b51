//! What ssh makes of the arguments of a keyword, and in which words it refuses them.

use super::Keyword;
use crate::reconcile::Value;
use crate::sshd::dialect::Dialect;
use crate::sshd::value::{count, time};

/// The value that ssh takes `argument` for; `None` is `ServerAliveInterval none`, which leaves the
/// setting as unset as before.
///
/// # Errors
/// When ssh refuses it, in ssh's words.
pub fn parse(
    keyword: Keyword,
    argument: Option<&[u8]>,
    dialect: &Dialect,
) -> Result<Option<Value>, String> {
    let argument = argument.unwrap_or_default();
    match keyword {
        Keyword::TcpKeepAlive => flag(argument).map(|value| Some(Value::Bool(value))),
        Keyword::ServerAliveInterval if argument.is_empty() => {
            Err("missing time value.".to_owned())
        }
        Keyword::ServerAliveInterval if argument == b"none" => Ok(None),
        Keyword::ServerAliveInterval => match time(argument, dialect) {
            Some(seconds) => Ok(Some(Value::Number(seconds))),
            None => Err("invalid time value.".to_owned()),
        },
        Keyword::ServerAliveCountMax if argument.is_empty() => {
            Err("integer value missing.".to_owned())
        }
        Keyword::ServerAliveCountMax => match count(argument) {
            Some(number) => Ok(Some(Value::Number(number))),
            None => Err("integer value invalid.".to_owned()),
        },
    }
}

/// ssh takes `true` and `false` too, in any case; sshd doesn't.
///
/// # Errors
/// When it is neither, in ssh's words.
pub fn flag(argument: &[u8]) -> Result<bool, String> {
    let is = |word: &[u8]| argument.eq_ignore_ascii_case(word);
    if is(b"yes") || is(b"true") {
        Ok(true)
    } else if is(b"no") || is(b"false") {
        Ok(false)
    } else if argument.is_empty() {
        Err("missing argument.".to_owned())
    } else {
        Err(format!("unsupported option \"{}\".", String::from_utf8_lossy(argument)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_ssh() {
        let dialect = Dialect::default().of_client();
        let number = |number| Ok(Some(Value::Number(number)));
        let refused = |words: &str| Err(words.to_owned());
        use Keyword::{
            ServerAliveCountMax as Count, ServerAliveInterval as Interval, TcpKeepAlive,
        };
        for (keyword, argument, expected) in [
            (Interval, "1m30", number(90)),
            (Interval, "+5", number(5)),
            (Interval, "none", Ok(None)),
            (Interval, "None", refused("invalid time value.")),
            (Interval, "-1", refused("invalid time value.")),
            (Interval, "", refused("missing time value.")),
            (Count, " 5", number(5)),
            (Count, "5m", refused("integer value invalid.")),
            (Count, "", refused("integer value missing.")),
            (TcpKeepAlive, "TRUE", Ok(Some(Value::Bool(true)))),
            (TcpKeepAlive, "no", Ok(Some(Value::Bool(false)))),
            (TcpKeepAlive, "ask", refused("unsupported option \"ask\".")),
        ] {
            let found = parse(keyword, Some(argument.as_bytes()), &dialect);
            assert_eq!(found, expected, "{keyword:?} {argument}");
        }
    }
}
