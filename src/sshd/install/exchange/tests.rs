use super::*;

fn kexinit(lists: [&str; LISTS]) -> Vec<u8> {
    let mut message = vec![KEXINIT];
    message.extend(1..=16);
    for list in lists {
        push_string(&mut message, list.as_bytes());
    }
    message.extend([0; 5]);
    message
}

const OFFER: [&str; LISTS] = [
    "curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
    "ssh-ed25519",
    "aes128-ctr",
    "aes128-ctr",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
    "",
    "",
];

#[test]
fn the_answer_agrees_with_the_offer() {
    let ours = answer(&kexinit(OFFER)).unwrap();
    let mut wanted = OFFER;
    wanted[0] = "curve25519-sha256";
    assert_eq!(ours[17..], kexinit(wanted)[17..]);
    assert_ne!(ours[1..17], kexinit(OFFER)[1..17]);
}

#[test]
fn what_is_no_offer_gets_no_answer() {
    let offer = kexinit(OFFER);
    // The last five bytes say nothing that matters here.
    for length in 0..offer.len() - 5 {
        assert_eq!(answer(&offer[..length]), None, "{length}");
    }
    let mut other = offer.clone();
    other[0] = 1;
    assert_eq!(answer(&other), None);
    let mut long = offer;
    long[17..21].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(answer(&long), None);
}

#[test]
fn packets_are_whole_blocks() {
    for length in 0..40 {
        let payload = vec![7; length];
        let packet = packet(&payload);
        assert_eq!(packet.len() % BLOCK, 0);
        let padding = usize::from(packet[4]);
        assert!((4..=11).contains(&padding), "{padding}");
        assert_eq!(u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize, packet.len() - 4);
        assert_eq!(packet[5..packet.len() - padding], payload);
    }
}
