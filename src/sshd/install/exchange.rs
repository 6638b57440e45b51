//! The first messages of SSH, as RFC 4253 has them: as much as it takes to see that sshd would let
//! a user go on, and to part without leaving an error in its log.

use std::io;

use crate::host::connection::Connection;

#[cfg(test)]
mod tests;

/// Our identification.
pub const BANNER: &[u8] = b"SSH-2.0-keepalive_policy\r\n";

const KEXINIT: u8 = 20;

const DISCONNECT: u8 = 1;

/// `SSH_DISCONNECT_BY_APPLICATION`: sshd logs every other reason at error level.
const BY_APPLICATION: u32 = 11;

/// RFC 4253, section 6.1: what every implementation must be able to take.
const LARGEST: usize = 35_000;

/// The unit of a packet's length while there is no cipher.
const BLOCK: usize = 8;

/// The name-lists of a KEXINIT: algorithms of key exchange, host keys, ciphers, MACs, compression,
/// languages.
const LISTS: usize = 10;

/// Announcements among the key exchange algorithms that only a server makes (RFC 8308, OpenSSH 9.6).
const SERVER_ONLY: [&str; 2] = ["ext-info-s", "kex-strict-s-v00@openssh.com"];

/// Reads one packet, and gives its payload.
///
/// # Errors
/// As [`Connection::exactly`]; `InvalidData` for a length that no packet has.
pub fn receive(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no packet of SSH");
    let head = connection.exactly(4)?;
    let length = <[u8; 4]>::try_from(head.as_slice()).map(u32::from_be_bytes);
    let length = length.ok().and_then(|length| usize::try_from(length).ok()).ok_or_else(invalid)?;
    if !(2..=LARGEST).contains(&length) {
        return Err(invalid());
    }
    let body = connection.exactly(length)?;
    let padding = usize::from(*body.first().ok_or_else(invalid)?);
    let end = length.checked_sub(padding).ok_or_else(invalid)?;
    body.get(1..end).map(<[u8]>::to_vec).ok_or_else(invalid)
}

/// A KEXINIT of ours that agrees with the server's, whatever it offers: the same lists. `None`
/// where `theirs` is no KEXINIT.
pub fn answer(theirs: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = theirs.split_at_checked(17)?;
    if *head.first()? != KEXINIT {
        return None;
    }
    // The cookie need not be secret where no key is made; it is theirs turned round.
    let cookie = head.get(1..)?.iter().rev();
    let mut ours: Vec<u8> = std::iter::once(&KEXINIT).chain(cookie).copied().collect();
    for number in 0..LISTS {
        let list;
        (list, rest) = name_list(rest)?;
        if number == 0 {
            let text = std::str::from_utf8(list).ok()?;
            let names: Vec<&str> =
                text.split(',').filter(|name| !SERVER_ONLY.contains(name)).collect();
            push_string(&mut ours, names.join(",").as_bytes());
        } else {
            push_string(&mut ours, list);
        }
    }
    // No guessed packet follows; reserved.
    ours.extend([0; 5]);
    Some(ours)
}

/// A DISCONNECT that sshd takes for the end of a visit, not for an error.
pub fn goodbye() -> Vec<u8> {
    let mut message = vec![DISCONNECT];
    message.extend(BY_APPLICATION.to_be_bytes());
    push_string(&mut message, b"checked");
    push_string(&mut message, b"");
    message
}

/// The packet of a payload.
pub fn packet(payload: &[u8]) -> Vec<u8> {
    // Length, padding length, payload and padding: a multiple of the block, at least 4 of padding.
    let bare = 5 + payload.len();
    let padding = BLOCK - bare % BLOCK;
    let padding = if padding < 4 { padding + BLOCK } else { padding };
    let length = u32::try_from(1 + payload.len() + padding).unwrap_or(u32::MAX);
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap_or(u8::MAX));
    packet.extend(payload);
    packet.extend(std::iter::repeat_n(0, padding));
    packet
}

fn name_list(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn push_string(message: &mut Vec<u8>, text: &[u8]) {
    message.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    message.extend(text);
}
