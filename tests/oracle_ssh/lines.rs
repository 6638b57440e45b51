//! Random lines of ssh_config, from what people write to what nobody should.

use keepalive_policy::sshd::dialect::Dialect;

/// A small generator: the same seed gives the same tree on every machine.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(sides).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len())]
    }
}

pub const PATTERNS: [&str; 16] = [
    "*",
    "web*",
    "web1",
    "WEB1",
    "!web1",
    "db",
    "d?",
    "*.example.org",
    "10.0.0.*",
    "jump",
    "real.*",
    "alias",
    "\"web1\"",
    "web1,db",
    "!*.org",
    "REAL.example",
];

pub const CRITERIA: [&str; 22] = [
    "all",
    "canonical",
    "final",
    "final all",
    "host web*,db",
    "host !web1,*",
    "!host web1",
    "originalhost WEB1",
    "originalhost alias",
    "user bob",
    "user alice,!bob",
    "!user bob",
    "localuser alice",
    "localuser root",
    "host=db",
    "host real.example",
    "user carol",
    "!final",
    "exec true",
    "!all",
    "host \"db\" # why",
    "host db !user bob",
];

/// What says nothing about our keywords.
const NOT_OURS: [&str; 7] =
    ["# comment", "", "  ", "Port 2222", "Compression yes", "Include # c", "Include =#x"];

pub const BAD: [&str; 15] = [
    "ServerAliveInterval 5 6",
    "ServerAliveInterval 5x",
    "ServerAliveInterval",
    "TCPKeepAlive maybe",
    "ServerAliveCountMax -1",
    "ServerAliveCountMax many",
    "Match nonsense",
    "Match host",
    "Match user bob host db all",
    "Host \"\"",
    "ServerAliveInterval '5",
    "Match all extra",
    "Include \"\"",
    "BatchMode perhaps",
    "Match host db \"\" x",
];

pub fn line(dice: &mut Dice, dialect: &Dialect) -> String {
    let number = dice.roll(9) + 1;
    match dice.roll(30) {
        0..=5 => format!("ServerAliveInterval {number}{}", dice.pick(&["", "", "m", " # c", "s5"])),
        6..=8 => format!("ServerAliveCountMax {number}"),
        9..=11 => format!(
            "{} {}",
            dice.pick(&["TCPKeepAlive", "KeepAlive"]),
            dice.pick(&["yes", "no", "TRUE", "False"])
        ),
        12 => "ServerAliveInterval none".to_owned(),
        13..=16 => {
            let count = dice.roll(3) + 1;
            let patterns: Vec<&str> = (0..count).map(|_| dice.pick(&PATTERNS)).collect();
            format!("Host{}{}", dice.pick(&[" ", "=", "\t"]), patterns.join(" "))
        }
        17..=19 => format!("Match {}", dice.pick(&CRITERIA)),
        20 => format!(
            "HostName {}",
            dice.pick(&["real.example", "%h.example.org", "Web1", "10.0.0.7", "REAL.Example"])
        ),
        21 => format!("User {}", dice.pick(&["bob", "carol"])),
        22 => format!("BatchMode {}", dice.pick(&["yes", "no"])),
        23 => dice.pick(&NOT_OURS).to_owned(),
        24 => format!("serveraliveinterval={number}"),
        25 => format!("\"ServerAliveInterval\" \"{number}\""),
        26 => dice
            .pick(&[
                "=ServerAliveCountMax 4",
                "\"TCPKeepAlive no",
                "\t TCPKeepAlive\tno \r",
                "ServerAliveCountMax 8\0 x",
                "\0",
                "  \"\" TCPKeepAlive no",
            ])
            .to_owned(),
        27 if dialect.is_debian() => {
            format!("{} {number}", dice.pick(&["SetupTimeOut", "ProtocolKeepAlives"]))
        }
        28 => "Include".to_owned(),
        _ => format!("ServerAliveInterval {number}"),
    }
}

pub fn text(dice: &mut Dice, dialect: &Dialect, includes: &[&str], bad: bool) -> String {
    let mut text = String::new();
    let count = dice.roll(9);
    for _ in 0..count {
        let mut line = line(dice, dialect);
        if line == "Include" {
            line = format!("Include {}", dice.pick(includes));
        }
        if bad && dice.one_in(40) {
            line = dice.pick(&BAD).to_owned();
        }
        let indent = dice.pick(&["", "", "", "    ", "\t"]);
        text.push_str(&format!("{indent}{line}{}", dice.pick(&["\n", "\n", "\n", "\r\n"])));
    }
    if dice.one_in(6) {
        text.truncate(text.trim_end().len());
    }
    text
}
