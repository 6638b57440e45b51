//! Lists of addresses: networks in CIDR form, or else text with `*` and `?`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pattern;
use crate::sshd::dialect::Dialect;
use crate::sshd::value::leading_number;

/// An address that is longer is compared as text.
const LONGEST: usize = 63;

enum Entry {
    Network(IpAddr, u32),
    Text,
    Inconsistent,
}

/// Whether sshd takes the list at all.
pub(super) fn is_valid_list(list: &[u8], dialect: &Dialect) -> bool {
    list.split(|byte| *byte == b',').all(|part| {
        let part = part.strip_prefix(b"!").unwrap_or(part);
        !part.is_empty() && !matches!(read(part, dialect), Entry::Inconsistent)
    })
}

/// Whether the address is in one of the list's networks, and in none of those with a `!`.
pub(super) fn in_list(address: &[u8], list: &[u8], dialect: &Dialect) -> bool {
    let Some(parsed) = numeric(address) else { return false };
    let mut hit = false;
    for part in list.split(|byte| *byte == b',') {
        let (negated, part) = part.strip_prefix(b"!").map_or((false, part), |part| (true, part));
        let met = match read(part, dialect) {
            Entry::Network(network, bits) => contains(network, bits, parsed),
            Entry::Text => pattern::matches(address, part, dialect),
            Entry::Inconsistent => return false,
        };
        match (met, negated) {
            (true, true) => return false,
            (true, false) => hit = true,
            (false, _) => {}
        }
    }
    hit
}

fn read(part: &[u8], dialect: &Dialect) -> Entry {
    let (address, bits) = match part.iter().position(|byte| *byte == b'/') {
        Some(slash) => {
            let digits = part.get(slash + 1..).unwrap_or_default();
            let Some(bits) = mask(digits, dialect) else { return Entry::Text };
            (part.get(..slash).unwrap_or_default(), Some(bits))
        }
        None => (part, None),
    };
    if part.len() > LONGEST {
        return Entry::Text;
    }
    let Some(address) = numeric(address) else { return Entry::Text };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    // Bits set behind the mask are an error since 8.4.
    if bits > width || !contains(address, bits, address) || has_host_bits(address, bits) {
        return Entry::Inconsistent;
    }
    Entry::Network(address, bits)
}

fn mask(digits: &[u8], dialect: &Dialect) -> Option<u32> {
    let (number, rest) = leading_number(digits)?;
    let plain = digits.first().is_some_and(u8::is_ascii_digit);
    let known = number <= 128 || dialect.reads_any_mask() && i32::try_from(number).is_ok();
    let taken = known && rest.is_empty() && (plain || dialect.takes_signed_masks());
    u32::try_from(number).ok().filter(|_| taken)
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(bits);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128_u32.saturating_sub(bits);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

fn has_host_bits(address: IpAddr, bits: u32) -> bool {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_shl(bits).unwrap_or(0) != 0,
        IpAddr::V6(address) => address.to_bits().checked_shl(bits).unwrap_or(0) != 0,
    }
}

/// An address as `getaddrinfo` takes it with `AI_NUMERICHOST`.
fn numeric(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    match text.parse::<Ipv6Addr>() {
        Ok(address) => Some(IpAddr::V6(address)),
        Err(_) => classic(text).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
    }
}

/// `inet_aton(3)`: one to four numbers, decimal, octal or hexadecimal; the last fills the rest.
fn classic(text: &str) -> Option<u32> {
    let numbers: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, leading) = numbers.split_last()?;
    if leading.len() > 3 || leading.iter().any(|number| *number > 255) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if room < 32 && *last >= 1 << room {
        return None;
    }
    let high = leading.iter().fold(0_u32, |bits, number| bits << 8 | number);
    Some(high.checked_shl(room).unwrap_or(0) | last)
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        (hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        (text, 8)
    } else {
        (text, 10)
    };
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, radix).ok().filter(|_| all_digits)
}
