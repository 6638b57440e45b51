//! The command line that a listener was started with: as the process shows it, or as the unit
//! would start it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// sshd's options that take an argument, sshd(8).
const WITH_ARGUMENT: &[u8] = b"CEbcfghkopu";

/// Those that change the configuration, and so sshd's judgement of a tree. `-f` is apart.
const OF_CONFIGURATION: &[u8] = b"46cghopu";

/// What a listener's command line says about its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// The program.
    pub program: Option<PathBuf>,
    /// `-f`: the main file, absolute.
    pub main: Option<PathBuf>,
    /// The options that change the configuration, as arguments: `-o`, `Banner=none`, `-p`, `22`.
    pub options: Vec<OsString>,
    /// All arguments after the program.
    pub arguments: Vec<OsString>,
}

impl CommandLine {
    /// From `/proc/PID/cmdline`: the arguments, or since 8.2 the title that sshd writes over them,
    /// `sshd: /usr/sbin/sshd -D -o … [listener] 0 of 10-100 startups`.
    #[must_use]
    pub fn of_process(cmdline: &[u8]) -> Self {
        let first = cmdline.split(|byte| *byte == 0).next().unwrap_or_default();
        if let Some(title) = first.strip_prefix(b"sshd: ") {
            let end = find(title, b" [listener]").unwrap_or(title.len());
            let words = title.get(..end).unwrap_or_default().split(|byte| *byte == b' ');
            return Self::parse(words.filter(|word| !word.is_empty()), Blanks::Lost);
        }
        let mut arguments: Vec<&[u8]> = cmdline.split(|byte| *byte == 0).collect();
        // The last one ends in NUL too.
        arguments.pop_if(|last| last.is_empty());
        Self::parse(arguments.into_iter(), Blanks::Kept)
    }

    /// From a unit's `ExecStart`, with its variables replaced as systemd does it.
    #[must_use]
    pub fn of_unit(exec_start: &str, environment: &Environment) -> Self {
        // { path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no ; … }
        let argv = exec_start
            .split_once("argv[]=")
            .map_or("", |(_, rest)| rest.split_once(" ; ").map_or(rest, |(argv, _)| argv));
        // Of `@/usr/sbin/sshd name -D` the first word is not the program.
        let path = exec_start.split_once("path=").and_then(|(_, rest)| rest.split_once(" ; "));
        let Some((path, _)) = path else { return Self::default() };
        // One without a directory is looked for by systemd.
        let program = Path::new("/").join(path).into_os_string().into_vec();
        let mut arguments = vec![program];
        for word in words(argv.as_bytes()).iter().skip(1) {
            arguments.extend(environment.expand(word));
        }
        Self::parse(arguments.iter().map(Vec::as_slice), Blanks::Kept)
    }

    /// From the options alone, as a distribution's environment file has them.
    #[must_use]
    pub fn of_options(options: &[u8]) -> Self {
        let words = words(options);
        let program: &[u8] = b"";
        Self::parse(std::iter::once(program).chain(words.iter().map(Vec::as_slice)), Blanks::Kept)
    }

    fn parse<'a>(mut words: impl Iterator<Item = &'a [u8]>, blanks: Blanks) -> Self {
        let Some(program) = words.next().filter(|word| is_sshd(word)) else {
            // A wrapper's arguments are not sshd's.
            return Self::default();
        };
        let program = (!program.is_empty()).then(|| path(program));
        let mut line = Self { program, ..Self::default() };
        let arguments: Vec<&[u8]> = words.collect();
        line.arguments = arguments.iter().map(|word| os(word)).collect();
        let mut rest = arguments.as_slice();
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            let Some(mut letters) = word.strip_prefix(b"-") else { continue };
            while let Some((letter, more)) = letters.split_first() {
                letters = more;
                if WITH_ARGUMENT.contains(letter) {
                    let argument = take_argument(more, &mut rest, blanks);
                    line.add(*letter, Some(&argument));
                    break;
                }
                line.add(*letter, None);
            }
        }
        line
    }

    fn add(&mut self, letter: u8, argument: Option<&[u8]>) {
        if let (b'f', Some(file)) = (letter, argument) {
            // A service's working directory is /.
            self.main = Some(Path::new("/").join(path(file)));
        }
        if OF_CONFIGURATION.contains(&letter) {
            self.options.push(os(&[b'-', letter]));
            self.options.extend(argument.map(os));
        }
    }
}

/// The absolute path of an sshd; or nothing, where only its options are known.
fn is_sshd(program: &[u8]) -> bool {
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    program.is_empty() || (program.starts_with(b"/") && name.starts_with(b"sshd"))
}

/// Whether an argument that holds blanks is still one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blanks {
    Kept,
    /// The title joins all arguments by blanks: up to the next option it is taken for one.
    Lost,
}

fn take_argument(attached: &[u8], rest: &mut &[&[u8]], blanks: Blanks) -> Vec<u8> {
    let mut argument = attached.to_vec();
    while let Some((word, after)) = rest.split_first() {
        let more = blanks == Blanks::Lost && !word.starts_with(b"-");
        if !argument.is_empty() && !more {
            break;
        }
        if !argument.is_empty() {
            argument.push(b' ');
        }
        argument.extend_from_slice(word);
        *rest = after;
    }
    argument
}

/// The variables that a service starts with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment(BTreeMap<Vec<u8>, Vec<u8>>);

impl Environment {
    /// Adds a unit's `Environment`, as `systemctl show` prints it: `A=1 "B=2 3"`.
    pub fn add_assignments(&mut self, text: &str) {
        for assignment in words(text.as_bytes()) {
            if let Some(equals) = find(&assignment, b"=") {
                let (name, value) = assignment.split_at(equals);
                self.0.insert(name.to_vec(), value.get(1..).unwrap_or_default().to_vec());
            }
        }
    }

    /// Adds what an environment file sets; later ones win.
    pub fn add_file(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if line.starts_with(b"#") || line.starts_with(b";") {
                continue;
            }
            if let Some(equals) = find(line, b"=") {
                let (name, value) = line.split_at(equals);
                let value = words(value.get(1..).unwrap_or_default()).join(&b' ');
                self.0.insert(name.trim_ascii().to_vec(), value);
            }
        }
    }

    /// A variable's value; empty when it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> &[u8] {
        self.0.get(name.as_bytes()).map_or(&[], Vec::as_slice)
    }

    /// `$NAME` alone becomes the words of its value, `${NAME}` inside a word is replaced: the two
    /// forms of systemd.service(5).
    fn expand(&self, word: &[u8]) -> Vec<Vec<u8>> {
        match word.strip_prefix(b"$") {
            Some(name) if !name.is_empty() && !name.starts_with(b"{") => {
                self.0.get(name).map(|value| words(value)).unwrap_or_default()
            }
            _ => vec![self.replace(word)],
        }
    }

    fn replace(&self, word: &[u8]) -> Vec<u8> {
        let mut replaced = Vec::new();
        let mut rest = word;
        while let Some(start) = find(rest, b"${") {
            let (before, variable) = rest.split_at(start);
            let Some(end) = find(variable, b"}") else { break };
            replaced.extend_from_slice(before);
            let name = variable.get(2..end).unwrap_or_default();
            replaced.extend_from_slice(self.0.get(name).map_or(&[], Vec::as_slice));
            rest = variable.get(end + 1..).unwrap_or_default();
        }
        replaced.extend_from_slice(rest);
        replaced
    }
}

/// Splits at blanks; quotes keep blanks and are taken away, a backslash keeps the next byte.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => word.get_or_insert_default().extend(bytes.next()),
            (_, Some(open)) if byte == open => quote = None,
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, None) if byte.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(os(bytes))
}
