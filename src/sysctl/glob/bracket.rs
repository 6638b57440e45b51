//! Bracket expressions of `fnmatch(3)`: `[abc]`, `[a-z]`, `[!x]`, `[[:digit:]]`.

/// What a bracket expression says about a byte.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It matches; this follows the bracket.
    Inside(&'a [u8]),
    /// It does not match.
    Outside,
    /// Nothing closes it: the `[` stands for itself.
    NotABracket,
    /// glibc refuses the whole pattern.
    Invalid,
}

/// One member of the set.
enum Member {
    Class(fn(&u8) -> bool),
    Byte(u8),
}

/// Judges `byte` by the expression that begins after its `[`.
pub fn matches(after: &[u8], byte: u8) -> Verdict<'_> {
    let (negated, mut rest) = match after {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, after),
    };
    let mut inside = false;
    let mut first = true;
    loop {
        match rest {
            [] => return Verdict::NotABracket,
            [b']', after @ ..] if !first => {
                return if inside == negated { Verdict::Outside } else { Verdict::Inside(after) };
            }
            _ => {}
        }
        first = false;
        let (member, after) = match member(rest) {
            Ok(found) => found,
            Err(verdict) => return verdict,
        };
        rest = after;
        match member {
            Member::Class(class) => inside |= class(&byte),
            Member::Byte(low) => match rest {
                // `a-z`; in `[a-]` the dash is a member.
                [b'-', end, ..] if *end != b']' => {
                    let Some((high, after)) = range_end(rest) else { return Verdict::Invalid };
                    rest = after;
                    inside |= (low..=high).contains(&byte);
                }
                _ => inside |= low == byte,
            },
        }
    }
}

fn member(rest: &[u8]) -> Result<(Member, &[u8]), Verdict<'static>> {
    match rest {
        [b'\\', byte, after @ ..] => Ok((Member::Byte(*byte), after)),
        [b'\\'] => Err(Verdict::Invalid),
        [b'[', b':', name @ ..] => match class_name(name) {
            Some((name, after)) => match class(name) {
                Some(class) => Ok((Member::Class(class), after)),
                None => Err(Verdict::Invalid),
            },
            None => Ok((Member::Byte(b'['), rest.get(1..).unwrap_or_default())),
        },
        [b'[', b'=', byte, b'=', b']', after @ ..] | [b'[', b'.', byte, b'.', b']', after @ ..] => {
            Ok((Member::Byte(*byte), after))
        }
        [byte, after @ ..] => Ok((Member::Byte(*byte), after)),
        [] => Err(Verdict::NotABracket),
    }
}

/// The upper end of a range, `rest` beginning with its dash.
fn range_end(rest: &[u8]) -> Option<(u8, &[u8])> {
    match rest.get(1..)? {
        [b'\\', byte, after @ ..] => Some((*byte, after)),
        [b'\\'] => None,
        [b'[', b'.', byte, b'.', b']', after @ ..] => Some((*byte, after)),
        [byte, after @ ..] => Some((*byte, after)),
        [] => None,
    }
}

/// The name up to `:]`, of letters before `z` (glibc's loop leaves `z` out); anything else makes
/// the `[` a member like any other.
fn class_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text.iter().position(|byte| !(b'a'..=b'y').contains(byte))?;
    let (name, after) = text.split_at(length);
    after.strip_prefix(b":]").map(|after| (name, after))
}

fn class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alpha" => u8::is_ascii_alphabetic,
        b"digit" => u8::is_ascii_digit,
        b"alnum" => u8::is_ascii_alphanumeric,
        b"upper" => u8::is_ascii_uppercase,
        b"lower" => u8::is_ascii_lowercase,
        b"punct" => u8::is_ascii_punctuation,
        b"graph" => u8::is_ascii_graphic,
        b"cntrl" => u8::is_ascii_control,
        b"xdigit" => u8::is_ascii_hexdigit,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"space" => |byte| matches!(byte, b'\t'..=b'\r' | b' '),
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        _ => return None,
    })
}
