//! The walk over all lines in the order in which ssh reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::include::{self, Base, Unusable};
use super::{Block, Effective, Reading, Refusal, Setting, Step, managed};
use crate::reconcile::Source;
use crate::ssh_client::condition::Condition;
use crate::ssh_client::tree::{Entry, Tree};
use crate::ssh_client::{Keyword, value};
use crate::sshd::glob;
use crate::sshd::syntax::{self, Argument, Directive};

/// ssh reads 16 levels of included files below each of its two files.
const DEPTH: usize = 16;

/// Files that include each other without a cycle can still multiply; ssh would be busy for as
/// long. Real configurations have a few hundred lines.
const STEPS: usize = 1_000_000;

/// More than anybody reads.
const REFUSALS: usize = 100;

/// Why the walk ends before its time, as ssh would.
struct Fatal;

pub(super) struct Walk<'a> {
    tree: &'a Tree,
    reading: &'a mut Reading,
    files: BTreeMap<PathBuf, Rc<[Directive]>>,
    globs: BTreeMap<Vec<u8>, Rc<[PathBuf]>>,
    steps: usize,
}

/// A file that is being read.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    base: Base<'a>,
    depth: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree, reading: &'a mut Reading) -> Self {
        Self { tree, reading, files: BTreeMap::new(), globs: BTreeMap::new(), steps: 0 }
    }

    pub(super) fn run(mut self) {
        // What made it end is among the refusals.
        let _ = self.both();
    }

    fn both(&mut self) -> Result<(), Fatal> {
        let tree = self.tree;
        if let Some(user) = &tree.user {
            let place = Place { path: &user.path, base: Base::User(&user.home), depth: 0 };
            self.main(place, true)?;
        }
        self.main(Place { path: &tree.system, base: Base::System, depth: 0 }, false)
    }

    /// One of the two files. That it is missing or can't be read is passed over in silence.
    fn main(&mut self, place: Place<'_>, check: bool) -> Result<(), Fatal> {
        match self.tree.entries.get(place.path) {
            None | Some(Entry::Dangling) => Ok(()),
            Some(_) if self.tree.is_unreadable(place.path) => Ok(()),
            Some(_) => self.file(place, None, check),
        }
    }

    fn file(&mut self, place: Place<'_>, outer: Option<usize>, check: bool) -> Result<(), Fatal> {
        if place.depth > DEPTH {
            return Err(self.fatal(place, None, "Too many recursive configuration includes"));
        }
        let trusted = match self.tree.entries.get(place.path) {
            Some(Entry::File { trusted, .. } | Entry::Directory { trusted, .. }) => *trusted,
            _ => true,
        };
        if check && !trusted {
            let message = format!("Bad owner or permissions on {}", place.path.display());
            return Err(self.fatal(place, None, &message));
        }
        if matches!(self.tree.entries.get(place.path), Some(Entry::Opaque)) {
            self.reading.steps.push(Step::Hidden(outer));
        }
        let directives = self.read(place);
        let mut block = outer;
        for directive in directives.iter() {
            self.steps += 1;
            if self.steps > STEPS {
                return Err(self.fatal(place, None, "included files multiply beyond measure"));
            }
            if directive.is("Host") || directive.is("Match") {
                block = self.enter(place, directive, outer);
            } else {
                self.line(place, directive, block)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, place: Place<'_>) -> Rc<[Directive]> {
        if let Some(directives) = self.files.get(place.path) {
            return directives.clone();
        }
        let directives: Rc<[Directive]> = match self.tree.entries.get(place.path) {
            Some(Entry::File { bytes, .. }) => {
                syntax::directives(bytes, &self.reading.dialect).into()
            }
            Some(Entry::Opaque) => {
                self.reading.opaque.push(Source { file: place.path.to_owned(), line: 1 });
                Rc::new([])
            }
            // A directory is opened, and has no lines.
            _ => Rc::new([]),
        };
        self.files.insert(place.path.to_owned(), directives.clone());
        directives
    }

    fn arguments<'d>(&mut self, place: Place<'_>, line: &'d Directive) -> Option<&'d [Argument]> {
        match &line.arguments {
            Ok(arguments) => Some(arguments),
            Err(malformed) => {
                let keyword = String::from_utf8_lossy(&line.keyword).to_lowercase();
                let message = match malformed {
                    syntax::Malformed::NoArgument => {
                        format!("no argument after keyword \"{keyword}\"")
                    }
                    syntax::Malformed::Quotes => "invalid quotes".to_owned(),
                };
                self.refuse(place, line, message);
                None
            }
        }
    }

    /// The block behind a `Host` or `Match` line. In an included file it stands for its own
    /// demands only where the including block is met.
    fn enter(&mut self, place: Place<'_>, line: &Directive, outer: Option<usize>) -> Option<usize> {
        self.arguments(place, line)?;
        match Condition::parse(line, &self.reading.dialect) {
            Ok(condition) => {
                let source = Source { file: place.path.to_owned(), line: line.line };
                self.reading.blocks.push(Block { outer, condition, source });
                let block = self.reading.blocks.len() - 1;
                self.reading.steps.push(Step::Enter(block));
                Some(block)
            }
            Err(message) => {
                self.refuse(place, line, message);
                outer
            }
        }
    }

    fn line(
        &mut self,
        place: Place<'_>,
        line: &Directive,
        block: Option<usize>,
    ) -> Result<(), Fatal> {
        let Some(arguments) = self.arguments(place, line) else { return Ok(()) };
        if line.is("Include") {
            return self.include(place, line, arguments, block);
        }
        let first = arguments.first().map(|argument| argument.bytes.as_slice());
        let what = match managed(line, &self.reading.dialect) {
            Some(keyword) => self.alive(place, line, keyword, arguments),
            None => self.other(place, line, first.unwrap_or_default()),
        };
        if let Some(what) = what {
            self.reading.steps.push(Step::Set { block, what });
        }
        Ok(())
    }

    fn alive(
        &mut self,
        place: Place<'_>,
        line: &Directive,
        keyword: Keyword,
        arguments: &[Argument],
    ) -> Option<Setting> {
        let first = arguments.first().map(|argument| argument.bytes.as_slice());
        let value = match value::parse(keyword, first, &self.reading.dialect) {
            Ok(_) if arguments.len() > 1 => {
                let keyword = String::from_utf8_lossy(&line.keyword).to_lowercase();
                Err(format!("keyword {keyword} extra arguments at end of line"))
            }
            other => other,
        };
        match value {
            Ok(value) => {
                let source = Some(Source { file: place.path.to_owned(), line: line.line });
                Some(Setting::Alive(keyword, Effective { value: value?, source }))
            }
            Err(message) => {
                self.refuse(place, line, message);
                None
            }
        }
    }

    /// What has a bearing on blocks and defaults.
    fn other(&mut self, place: Place<'_>, line: &Directive, argument: &[u8]) -> Option<Setting> {
        if line.is("HostName") && !argument.is_empty() {
            Some(Setting::HostName(argument.to_vec()))
        } else if line.is("User") && !argument.is_empty() {
            Some(Setting::User(argument.to_vec()))
        } else if line.is("BatchMode") {
            match value::flag(argument) {
                Ok(value) => Some(Setting::BatchMode(value)),
                Err(message) => {
                    self.refuse(place, line, message);
                    None
                }
            }
        } else if line.is("CanonicalizeHostname") {
            Some(Setting::Canonicalize(value::flag(argument) != Ok(false)))
        } else if line.is("CanonicalizePermittedCNAMEs") {
            let none = argument.eq_ignore_ascii_case(b"none");
            (!none).then_some(Setting::PermittedCnames)
        } else {
            None
        }
    }

    fn include(
        &mut self,
        place: Place<'_>,
        line: &Directive,
        patterns: &[Argument],
        block: Option<usize>,
    ) -> Result<(), Fatal> {
        for pattern in patterns {
            match include::absolute(&pattern.bytes, place.base, &self.reading.dialect) {
                Ok(pattern) => {
                    for file in self.glob(&pattern).iter() {
                        let inner = Place { path: file, depth: place.depth + 1, ..place };
                        if !self.included(inner, line, place, block)? {
                            return Ok(());
                        }
                    }
                }
                Err(Unusable::Refused(message)) => {
                    self.refuse(place, line, message);
                    return Ok(());
                }
                Err(Unusable::Unknown) => {
                    let source = Source { file: place.path.to_owned(), line: line.line };
                    self.reading.opaque.push(source);
                    self.reading.steps.push(Step::Hidden(block));
                }
            }
        }
        Ok(())
    }

    /// Whether ssh goes on with the next file.
    fn included(
        &mut self,
        inner: Place<'_>,
        line: &Directive,
        outer: Place<'_>,
        block: Option<usize>,
    ) -> Result<bool, Fatal> {
        match self.tree.entries.get(inner.path) {
            Some(_) if self.tree.is_unreadable(inner.path) => {
                let path = inner.path.display();
                let message = format!("Can't open user config file {path}: Permission denied");
                self.refuse(outer, line, message);
                Ok(false)
            }
            Some(Entry::Dangling) if self.reading.dialect.splits_like_keywords() => {
                let path = inner.path.display();
                let message =
                    format!("Can't open user config file {path}: No such file or directory");
                Err(self.fatal(outer, Some(line.line), &message))
            }
            Some(Entry::Dangling) | None => Ok(true),
            Some(_) => self.file(inner, block, true).map(|()| true),
        }
    }

    fn glob(&mut self, pattern: &[u8]) -> Rc<[PathBuf]> {
        if let Some(known) = self.globs.get(pattern) {
            return known.clone();
        }
        let Ok(found) = glob::expand(pattern, &mut { self.tree });
        let found: Rc<[PathBuf]> = found.into();
        self.globs.insert(pattern.to_vec(), found.clone());
        found
    }

    fn refuse(&mut self, place: Place<'_>, line: &Directive, message: String) {
        let refusal = Refusal { file: place.path.to_owned(), line: Some(line.line), message };
        // A file that is included twice is wrong once.
        let refusals = &self.reading.refusals;
        if refusals.len() < REFUSALS && !refusals.contains(&refusal) {
            self.reading.refusals.push(refusal);
        }
    }

    fn fatal(&mut self, place: Place<'_>, line: Option<usize>, message: &str) -> Fatal {
        let file = place.path.to_owned();
        self.reading.refusals.push(Refusal { file, line, message: message.to_owned() });
        Fatal
    }
}
