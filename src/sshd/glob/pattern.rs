//! A glob pattern, compiled to symbols as OpenBSD's `glob(3)` does it, and matched against a name.
//!
//! The steps are those of the original, since its oddities (a `/` inside brackets, a class that is
//! not closed) decide which files sshd reads.

/// Marks a symbol that is not a plain byte.
const SPECIAL: u16 = 0x8000;
/// Marks a byte that a backslash protects, while compiling.
const PROTECTED: u16 = 0x4000;

const ALL: u16 = SPECIAL | b'*' as u16;
const ONE: u16 = SPECIAL | b'?' as u16;
const SET: u16 = SPECIAL | b'[' as u16;
const NOT: u16 = SPECIAL | b'!' as u16;
const RANGE: u16 = SPECIAL | b'-' as u16;
const END: u16 = SPECIAL | b']' as u16;
const CLASS: u16 = SPECIAL | b':' as u16;

type Class = (&'static [u8], fn(u8) -> bool);

const CLASSES: [Class; 12] = [
    (b"alnum", |byte| byte.is_ascii_alphanumeric()),
    (b"alpha", |byte| byte.is_ascii_alphabetic()),
    (b"blank", |byte| matches!(byte, b' ' | b'\t')),
    (b"cntrl", |byte| byte.is_ascii_control()),
    (b"digit", |byte| byte.is_ascii_digit()),
    (b"graph", |byte| byte.is_ascii_graphic()),
    (b"lower", |byte| byte.is_ascii_lowercase()),
    (b"print", |byte| byte == b' ' || byte.is_ascii_graphic()),
    (b"punct", |byte| byte.is_ascii_punctuation()),
    (b"space", |byte| matches!(byte, b' ' | b'\t'..=b'\r')),
    (b"upper", |byte| byte.is_ascii_uppercase()),
    (b"xdigit", |byte| byte.is_ascii_hexdigit()),
];

pub(super) const fn is_special(symbol: u16) -> bool {
    symbol & SPECIAL != 0
}

const fn plain(symbol: u16) -> u16 {
    symbol & 0xff
}

/// The symbols of a pattern; `None` when it can match nothing.
pub(super) fn compile(pattern: &[u8]) -> Option<Vec<u16>> {
    let source = protect(pattern);
    let mut compiled = Vec::with_capacity(source.len());
    let mut at = 0;
    while let Some(&symbol) = source.get(at) {
        at += 1;
        if symbol == u16::from(b'[') {
            at = compile_set(&source, at, &mut compiled)?;
        } else if symbol == u16::from(b'?') {
            compiled.push(ONE);
        } else if symbol == u16::from(b'*') {
            if compiled.last() != Some(&ALL) {
                compiled.push(ALL);
            }
        } else {
            compiled.push(plain(symbol));
        }
    }
    Some(compiled)
}

/// A backslash protects the byte behind it; the last one stands for itself.
fn protect(pattern: &[u8]) -> Vec<u16> {
    let mut source = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(&byte) = bytes.next() {
        source.push(match byte {
            b'\\' => PROTECTED | u16::from(*bytes.next().unwrap_or(&b'\\')),
            other => u16::from(other),
        });
    }
    source
}

/// Compiles what follows a `[`, and says where it ends.
fn compile_set(source: &[u16], start: usize, compiled: &mut Vec<u16>) -> Option<usize> {
    let is = |at: usize, byte: u8| source.get(at) == Some(&u16::from(byte));
    let negated = is(start, b'!');
    let mut at = start + usize::from(negated);
    let closed = source.get(at + 1..).is_some_and(|rest| rest.contains(&u16::from(b']')));
    if !closed {
        compiled.push(u16::from(b'['));
        return Some(start);
    }
    compiled.push(SET);
    if negated {
        compiled.push(NOT);
    }
    let mut symbol = *source.get(at)?;
    at += 1;
    loop {
        let mut class = false;
        while symbol == u16::from(b'[') && is(at, b':') {
            let Some(after) = compile_class(source, at, compiled)? else { break };
            class = true;
            symbol = *source.get(after)?;
            at = after + 1;
        }
        if class && symbol == u16::from(b']') {
            break;
        }
        compiled.push(plain(symbol));
        if is(at, b'-') && !is(at + 1, b']') {
            compiled.extend([RANGE, plain(*source.get(at + 1)?)]);
            at += 2;
        }
        symbol = *source.get(at)?;
        at += 1;
        if symbol == u16::from(b']') {
            break;
        }
    }
    compiled.push(END);
    Some(at)
}

/// Compiles `:digit:]` at `at` and says where it ends; `Some(None)` when it is no class, `None`
/// when it is one that does not exist.
fn compile_class(source: &[u16], at: usize, compiled: &mut Vec<u16>) -> Option<Option<usize>> {
    let name = source.get(at + 1..).unwrap_or_default();
    let Some(length) = name.iter().position(|symbol| *symbol == u16::from(b':')) else {
        return Some(None);
    };
    if name.get(length + 1) != Some(&u16::from(b']')) {
        return Some(None);
    }
    let name = name.get(..length)?;
    let same = |class: &Class| class.0.iter().map(|byte| u16::from(*byte)).eq(name.iter().copied());
    let index = CLASSES.iter().position(same)?;
    compiled.extend([CLASS, u16::try_from(index).ok()?]);
    Some(Some(at + 1 + length + 2))
}

/// Whether `name` matches the first `end` symbols of `pattern`.
pub(super) fn matches(name: &[u8], pattern: &[u16], end: usize) -> bool {
    let byte = |at: usize| name.get(at).map_or(0, |byte| u16::from(*byte));
    let (mut at, mut symbol_at) = (0, 0);
    // Where to go on when what follows the last `*` fails: it then takes one byte more.
    let mut again: Option<(usize, usize)> = None;
    loop {
        let step = match (symbol_at < end).then(|| pattern.get(symbol_at).copied()).flatten() {
            None if at >= name.len() => return true,
            None => None,
            Some(ALL) => {
                let stars = pattern.iter().take(end).skip(symbol_at);
                let next = symbol_at + stars.take_while(|symbol| **symbol == ALL).count();
                if next >= end {
                    return true;
                }
                if at >= name.len() {
                    return false;
                }
                again = Some((symbol_at, at + 1));
                Some((next, at))
            }
            Some(ONE) => (at < name.len()).then_some((symbol_at + 1, at + 1)),
            Some(SET) if at >= name.len() => None,
            Some(SET) => {
                let (found, next) = in_set(byte(at), pattern, symbol_at + 1);
                found.then_some((next, at + 1))
            }
            Some(literal) => {
                (at < name.len() && byte(at) == literal).then_some((symbol_at + 1, at + 1))
            }
        };
        (symbol_at, at) = match (step, again) {
            (Some(next), _) => next,
            (None, Some(retry)) => retry,
            (None, None) => return false,
        };
    }
}

/// Whether the byte is in the set whose content starts at `at`, and where the set ends. A set may
/// reach beyond the part of the path that is being matched: a `/` in brackets does not end it.
fn in_set(byte: u16, pattern: &[u16], mut at: usize) -> (bool, usize) {
    let symbol = |at: usize| pattern.get(at).copied().unwrap_or(END);
    let negated = symbol(at) == NOT;
    at += usize::from(negated);
    let mut found = false;
    while symbol(at) != END {
        let low = symbol(at);
        at += 1;
        if low == CLASS {
            let class = CLASSES.get(usize::from(symbol(at)));
            found |= u8::try_from(byte).is_ok_and(|b| class.is_some_and(|(_, test)| test(b)));
            at += 1;
        }
        if symbol(at) == RANGE {
            found |= low <= byte && byte <= symbol(at + 1);
            at += 2;
        } else {
            found |= low == byte;
        }
    }
    (found != negated, at + 1)
}
