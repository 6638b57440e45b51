//! Random files: every spelling of keys and values that a loader treats in a way of its own.

use keepalive_policy::sysctl::Key;

use crate::random::Random;

const OTHERS: [&str; 3] =
    ["net.ipv4.tcp_fin_timeout", "net.ipv4.ip_default_ttl", "net/ipv4/tcp_syn_retries"];

const VALUES: [&[u8]; 56] = [
    b"0",
    b"-1",
    b"-0",
    b"-600",
    b"0x10",
    b"0X1f",
    b"0600",
    b"010",
    b"08",
    b"abc",
    b"",
    b"6 7",
    b"60 # note",
    b"60 ; note",
    b"6,7",
    b"255",
    b"256",
    b"8589934",
    b"8589935",
    b"2147483",
    b"2147484",
    b"00000000000000000012",
    b"000000000000000000012",
    b"\x0b60",
    b"60\x0b",
    b"\x0c5",
    b"+5",
    b"6e2",
    b"6.5",
    b"\"60\"",
    b"'60'",
    b"60s",
    b"60\r",
    b"6\x000",
    b"\xa060",
    b"60\xa0",
    b"60\xc2\xa0",
    b"-",
    b"--5",
    b"- 5",
    b"0x",
    b"0xg",
    b"=5",
    b"5=6",
    b"\t44\t",
    b"1\\\n2",
    b"18446744073709551616",
    b"$HOME",
    b"%d",
    b"60\t70",
    b"0x00000000000000000258",
    b"-0x10",
    b"\x1b60",
    b"60 -net.ipv4.tcp_keepalive_time",
    b"99999999999",
    b"+0",
];

const PATTERNS: [&str; 46] = [
    "net.ipv4.tcp_keepalive_*",
    "net/ipv4/tcp_keepalive_*",
    "net/ipv4/tcp_keepalive_tim?",
    "net.*.tcp_keepalive_time",
    "*/ipv4/tcp_keepalive_[tip]*",
    "net.ipv4.tcp_k[e]epalive_*",
    "net/ipv4/tcp_keepalive_{time,intvl}*",
    "net/ipv4/tcp_keepalive_{ti*,pr*}",
    "net/ipv4/tcp_keepalive_*/",
    "net.ipv4.tcp_keepalive_*.",
    "/net/ipv4/tcp_keepalive_*",
    "net//ipv4/tcp_keepalive_*",
    "net/*/../ipv4/tcp_keepalive_*",
    "net/../net/ipv4/tcp_keepalive_*",
    "net/ipv4/tcp_keepalive_\\*",
    "net/ipv4/tcp_keepalive_\\t*",
    "net/ipv\\4/tcp_keepalive_*",
    "{net/ipv4/.,x}/tcp_keepalive_*",
    "{net/ipv4,x}/tcp_keepalive_*",
    "{net,x}.ipv4.tcp_keepalive_*",
    "net/[[:alpha:]]*4/tcp_keepalive_*",
    "n*t.ipv4.tcp_keepalive_[!t]*",
    "net.ipv4.tcp_keepalive_[^p]*",
    "net.ipv4.tcp_[a-k]eepalive_*",
    "net.ipv4.tcp_keepalive_[t-]ime",
    "net.ipv4.tcp_keepalive_[time*",
    "net.ipv4.tcp_keepalive_[]t]*",
    "net.ipv4.tcp_keepalive_[z-a]*",
    "*",
    "*/*",
    "net/ipv4/*_keepalive_*",
    "net/ipv4/*keepalive*",
    "net/ipv4/**keepalive_probes",
    "n*//ipv4/tcp_keepalive_*",
    "n*/./ipv4/tcp_keepalive_*",
    "net/.*/net/ipv4/tcp_keepalive_time",
    "../sys/net/ipv4/tcp_keepalive_*",
    "*/../net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_{time}?",
    "net/ipv4/tcp_keepalive_{tim?",
    "net/ipv4/tcp_keepalive_tim[[:lower:]]",
    "net/ipv4/tcp_keepalive_tim[[:digit:]]",
    "net/ipv4/tcp_keepalive_tim[[:nope:]]",
    "net/ipv4/tcp_keepalive_tim[[.e.]]",
    "net/ipv4/tcp_keepalive_tim[\\e]",
    "net/ipv4/tcp_fin_timeou?",
];

/// A value as a file has it.
pub fn value(random: &mut Random) -> Vec<u8> {
    match random.below(100) {
        0..55 => random.below(2000).to_string().into_bytes(),
        55..70 => random.below(300).to_string().into_bytes(),
        70..71 => long_value(random),
        _ => random.pick(&VALUES).to_vec(),
    }
}

/// Around the sizes of buffers: a page for the kernel and for procps.
fn long_value(random: &mut Random) -> Vec<u8> {
    let blank = *random.pick(&[b' ', 0x0b, b',', b'0', b'x']);
    let length = 4080 + usize::try_from(random.below(40)).unwrap();
    let mut text = vec![blank; length];
    match random.below(3) {
        0 => text.splice(0..0, b"42,".to_vec()),
        1 => text.splice(length..length, b"42".to_vec()),
        _ => text.splice(0..0, b"42 ".to_vec()),
    };
    text
}

/// A text as it could be written to the kernel.
pub fn raw_value(random: &mut Random) -> Vec<u8> {
    let mut text = value(random);
    for _ in 0..random.below(3) {
        let at = usize::try_from(random.below(text.len() as u64 + 1)).unwrap();
        let byte = *random.pick(b" \n\t\r\x0b\x0c\xa0-+0x19a,\x00");
        text.insert(at, byte);
    }
    if random.chance(70) {
        text.push(b'\n');
    }
    text
}

fn spelling(random: &mut Random, key: Key) -> String {
    let dotted = key.name();
    let last = dotted.rsplit_once('.').unwrap().1;
    match random.below(40) {
        0..22 => dotted.to_owned(),
        22..25 => format!("net/ipv4/{last}"),
        25 => format!("/net/ipv4/{last}"),
        26 => format!("//net//ipv4/{last}"),
        27 => format!("net/ipv4/{last}/"),
        28 => format!("{dotted}."),
        29 => format!(".{dotted}"),
        30 => format!("net..ipv4.{last}"),
        31 => format!("net.//.net.ipv4.{last}"),
        32 => format!("net/./ipv4/{last}"),
        33 => format!("../sys/net/ipv4/{last}"),
        34 => format!("net.ipv4/{last}"),
        35 => dotted.to_uppercase(),
        36 => format!("kernel/../net/ipv4/{last}"),
        37 => format!("net.ipv4.{{{last},x}}"),
        38 => format!("net/ipv4/{last}/."),
        _ => format!("net.ipv4.conf.all./../..{last}"),
    }
}

fn key(random: &mut Random) -> String {
    match random.below(100) {
        0..66 => {
            let key = *random.pick(&Key::ALL);
            spelling(random, key)
        }
        66..82 => (*random.pick(&PATTERNS)).to_owned(),
        82..97 => (*random.pick(&OTHERS)).to_owned(),
        _ => (*random.pick(&["", "x", "net.ipv4", ".", "/", "net.ipv4.nope"])).to_owned(),
    }
}

fn line(random: &mut Random) -> Vec<u8> {
    let mut line = Vec::new();
    let prefixes: [&[u8]; 9] =
        [b"-", b"- ", b"--", b"-- ", b" ", b"\t ", b"\x0b", b"\xef\xbb\xbf", b" -"];
    if random.chance(22) {
        line.extend_from_slice(random.bytes(&prefixes));
    }
    match random.below(100) {
        0..4 => line.extend_from_slice(b"# net.ipv4.tcp_keepalive_time = 5"),
        4..6 => line.extend_from_slice(b"; note"),
        6..8 => line.extend_from_slice(b"rubbish"),
        8..11 => {}
        // An exclusion, if there is a dash.
        11..22 => {
            if random.chance(80) {
                line = b"-".to_vec();
            }
            line.extend_from_slice(key(random).as_bytes());
        }
        _ => {
            line.extend_from_slice(key(random).as_bytes());
            let signs: [&[u8]; 9] =
                [b" = ", b" = ", b" = ", b"=", b"=", b"\t=\t", b" \x0b= ", b"\x0c=\x0c", b" == "];
            line.extend_from_slice(random.bytes(&signs));
            line.extend_from_slice(&value(random));
        }
    }
    if random.chance(12) {
        line.extend_from_slice(random.bytes(&[b" ", b"\t", b"\x0b", b" # note", b"\r", b" \r"]));
    }
    line
}

/// A file's content.
pub fn content(random: &mut Random) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..random.below(7) {
        if random.below(400) == 0 {
            let length = 1024 * 1024 - 2 + usize::try_from(random.below(4)).unwrap();
            content.extend(std::iter::repeat_n(b'#', length));
            content.push(b'\n');
        }
        content.extend_from_slice(&line(random));
        let ends: [&[u8]; 7] = [b"\r\n", b"\r", b"\x00", b"\n\r", b"\n\n", b"\x00\n", b"\\\n"];
        match random.chance(85) {
            true => content.push(b'\n'),
            false => content.extend_from_slice(random.bytes(&ends)),
        }
    }
    if random.chance(10) {
        content.pop();
    }
    content
}
