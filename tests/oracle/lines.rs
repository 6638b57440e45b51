//! Random files: what people write, what tools leave behind, what a damaged disk makes of both.

use super::random::Random;
use super::trees::{DIRECTORIES, Oddity};
use super::words;

/// Writes random files.
pub struct Generator<'a> {
    pub random: &'a mut Random,
    /// What stands before the absolute patterns.
    pub prefix: &'a str,
    pub oddity: Oddity,
    /// Whether a `Match` line stands above: `TCPKeepAlive` is refused there.
    pub in_block: bool,
}

impl Generator<'_> {
    /// A file with up to `inclusions` lines that include others.
    pub fn file(&mut self, inclusions: usize) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        self.in_block = false;
        for _ in 0..self.random.below(9) {
            let line = self.line();
            lines.push(line);
        }
        for _ in 0..inclusions {
            if self.random.chance(75) {
                let at = self.random.below(lines.len() + 1);
                let at = if self.random.chance(50) { 0 } else { at };
                let line = self.include();
                lines.insert(at, line);
            }
        }
        let end: &[u8] = if self.random.chance(12) { b"\r\n" } else { b"\n" };
        let mut bytes = lines.join(end);
        if !self.random.chance(15) && !bytes.is_empty() {
            bytes.extend_from_slice(end);
        }
        if self.random.chance(self.oddity.damaged) {
            self.damage(&mut bytes);
        }
        bytes
    }

    fn line(&mut self) -> Vec<u8> {
        let words: &[&str] = if self.random.below(1000) < self.oddity.refused {
            &words::REFUSED
        } else {
            match self.random.below(100) {
                0..48 => return self.keepalive(),
                48..66 => return self.block(),
                66..76 => &words::COMMENTS,
                76..84 => &["", " ", "\t", "\r", " \t "],
                84..96 => &words::OTHERS,
                _ => &words::IGNORED,
            }
        };
        self.random.pick(words).as_bytes().to_vec()
    }

    fn keepalive(&mut self) -> Vec<u8> {
        let odd = self.random.chance(8);
        let first = if self.in_block && !self.random.chance(4) { 3 } else { 0 };
        let kind = first + self.random.below(10 - first);
        let (keyword, quote, values): (&str, &str, &[&str]) = match kind {
            0..2 => ("TCPKeepAlive", "", &["yes", "no", "YES", "No"]),
            2 => ("KeepAlive", "", &["yes", "no"]),
            3..7 if odd => ("ClientAliveInterval", "\"", &words::ODD_TIMES),
            3..7 => ("ClientAliveInterval", "", &words::TIMES),
            _ if odd => ("ClientAliveCountMax", "'", &words::ODD_COUNTS),
            _ => ("ClientAliveCountMax", "", &words::COUNTS),
        };
        let value = self.random.pick(values);
        self.directive(keyword, &format!("{quote}{value}{quote}"))
    }

    /// A keyword and its arguments, written in one of the ways that sshd takes.
    fn directive(&mut self, keyword: &str, arguments: &str) -> Vec<u8> {
        if !self.random.chance(self.oddity.format) {
            let indent = if self.random.chance(20) { "    " } else { "" };
            return format!("{indent}{keyword} {arguments}").into_bytes();
        }
        let before = self.random.pick(&words::BEFORE);
        let keyword = match self.random.below(4) {
            0 => keyword.to_ascii_lowercase(),
            1 => keyword.to_ascii_uppercase(),
            _ => keyword.to_owned(),
        };
        let quote = if self.random.chance(15) { "\"" } else { "" };
        let between = self.random.pick(&words::BETWEEN);
        let plain = !arguments.contains(['"', '\'', ' ']);
        let arguments = match self.random.below(8) {
            0 if plain => format!("\"{arguments}\""),
            1 if plain => format!("'{arguments}'"),
            2 if plain && arguments.len() > 1 => {
                let (one, two) = arguments.split_at(1);
                format!("{one}'{two}'")
            }
            3 if plain => format!("{arguments}''\"\""),
            _ => arguments.to_owned(),
        };
        let behind = self.random.pick(&words::BEHIND);
        format!("{before}{quote}{keyword}{quote}{between}{arguments}{behind}").into_bytes()
    }

    fn block(&mut self) -> Vec<u8> {
        self.in_block = true;
        let newer = self.random.chance(3);
        let among: &[&str] = if newer { &words::NEWER_CRITERIA } else { &words::CRITERIA };
        let criteria = self.random.pick(among);
        if !self.random.chance(self.oddity.format) {
            return format!("Match {criteria}").into_bytes();
        }
        let before = self.random.pick(&["", " ", "\t", "=", "\"\" "]);
        let keyword = self.random.pick(&["Match", "match", "MATCH", "\"Match\""]);
        let between = self.random.pick(&[" ", "\t", "=", " = ", "  "]);
        let behind = self.random.pick(&["", " ", "\r", "\t", " # c", "\x0c"]);
        format!("{before}{keyword}{between}{criteria}{behind}").into_bytes()
    }

    fn include(&mut self) -> Vec<u8> {
        let mut patterns = Vec::new();
        for _ in 0..=usize::from(self.random.chance(15)) {
            let common = self.random.chance(45);
            let among: &[&str] = if common { &words::COMMON_PATTERNS } else { &words::PATTERNS };
            let pattern = self.random.pick(among).replace("ONE", DIRECTORIES[0]);
            patterns.push(pattern.replace("TWO", DIRECTORIES[1]).replace("ROOT", self.prefix));
        }
        self.directive("Include", &patterns.join(" "))
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.random.below(2) {
            let at = self.random.below(bytes.len() + 1);
            match self.random.below(8) {
                0..3 => bytes.insert(at, 0),
                3 => bytes.splice(at..at, [0; 5]).for_each(drop),
                4 => {
                    let byte = self.random.pick(&["\r", "\x0c", "\n", " ", "=", "\"", "\\", "#"]);
                    bytes.splice(at..at, byte.bytes()).for_each(drop);
                }
                5 => bytes.truncate(at),
                6 if at < bytes.len() => {
                    bytes.remove(at);
                }
                7 => bytes.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
                _ => {}
            }
        }
    }
}
