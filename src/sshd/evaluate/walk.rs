//! The walk over all lines in the order in which sshd reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Assignment, Effective, Evaluation, Refusal, managed};
use crate::reconcile::Source;
use crate::sshd::dialect::{Dialect, Include};
use crate::sshd::match_criteria::{self, Criteria, Criterion};
use crate::sshd::syntax::{self, Directive, prefix};
use crate::sshd::tree::{Entry, Tree};
use crate::sshd::{Keyword, glob, idle_limit, value};

/// sshd reads 16 levels of included files below the main file.
const DEPTH: usize = 16;

/// Files that include each other without a cycle can still multiply; sshd would be busy for as
/// long. Real configurations have a few hundred lines.
const STEPS: usize = 400_000;

/// More than anybody reads.
const REFUSALS: usize = 100;

/// So many lines are kept to be listed by `explain`.
const LISTED: usize = 1000;

/// The state of both of sshd's walks at one line.
#[derive(Debug, Clone)]
struct State {
    /// Whether the line counts when sshd starts.
    active: bool,
    /// Whether it counts for a connection.
    block: Block,
    /// Set in files that are included from a block that does not match: none of their own blocks
    /// matches then, not even `Match all`.
    sealed_at_start: bool,
}

/// Where a line stands, seen by a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    /// Before any block: read at the start only.
    Outside,
    /// In a block, for connections that meet these.
    Within(Criteria),
    /// In a block that nobody can be in.
    Never,
}

/// Why the walk ends before its time, as sshd would.
struct Fatal;

pub(super) struct Walk<'a> {
    tree: &'a Tree,
    dialect: &'a Dialect,
    evaluation: &'a mut Evaluation,
    files: BTreeMap<PathBuf, Rc<Vec<Directive>>>,
    globs: BTreeMap<Vec<u8>, Rc<[PathBuf]>>,
    idle_lines: Vec<idle_limit::Line>,
    steps: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        tree: &'a Tree,
        dialect: &'a Dialect,
        evaluation: &'a mut Evaluation,
    ) -> Self {
        let (files, globs) = (BTreeMap::new(), BTreeMap::new());
        Self { tree, dialect, evaluation, files, globs, idle_lines: Vec::new(), steps: 0 }
    }

    pub(super) fn run(mut self) {
        let state = State { active: true, block: Block::Outside, sealed_at_start: false };
        // What made it end is among the refusals.
        let _ = self.file(&self.tree.main.clone(), &state, 0);
        self.evaluation.idle_limits = idle_limit::limits(&self.idle_lines, self.dialect);
    }

    fn file(&mut self, path: &Path, outer: &State, depth: usize) -> Result<(), Fatal> {
        if depth > DEPTH {
            return Err(self.fatal(path, None, "too many levels of included files"));
        }
        let directives = self.read(path)?;
        let mut state = outer.clone();
        for directive in directives.iter() {
            self.steps += 1;
            if self.steps > STEPS {
                return Err(self.fatal(path, None, "included files multiply beyond measure"));
            }
            self.line(path, directive, outer, &mut state, depth)?;
        }
        Ok(())
    }

    fn read(&mut self, path: &Path) -> Result<Rc<Vec<Directive>>, Fatal> {
        if let Some(directives) = self.files.get(path) {
            return Ok(directives.clone());
        }
        let directives: Rc<Vec<Directive>> = match self.tree.get(path) {
            Some(Entry::File { bytes, .. }) => {
                Rc::new(syntax::each(bytes, self.dialect).filter(takes_part).collect())
            }
            // sshd opens it and reads nothing.
            Some(Entry::Directory) => Rc::default(),
            Some(Entry::Opaque) => {
                self.evaluation.opaque.push(path.to_owned());
                Rc::default()
            }
            Some(Entry::Dangling) => {
                return Err(self.fatal(path, None, "a symbolic link that leads nowhere"));
            }
            None => return Err(self.fatal(path, None, "no such file")),
        };
        self.files.insert(path.to_owned(), directives.clone());
        Ok(directives)
    }

    fn line(
        &mut self,
        path: &Path,
        directive: &Directive,
        outer: &State,
        state: &mut State,
        depth: usize,
    ) -> Result<(), Fatal> {
        let arguments = match &directive.arguments {
            Ok(arguments) => arguments,
            Err(malformed) => {
                self.refuse(path, directive, malformed.to_string());
                return Ok(());
            }
        };
        if directive.is("Match") {
            let entered = self.enter(path, directive, outer)?;
            *state = entered;
        } else if directive.is("Include") {
            let patterns: Vec<Vec<u8>> =
                arguments.iter().map(|argument| argument.bytes.clone()).collect();
            self.include(path, directive, &patterns, state, depth)?;
        } else if let Some(keyword) = managed(directive) {
            self.assign(path, directive, keyword, state);
        } else if let Some(keyword) = idle_limit::Keyword::of(directive)
            && self.dialect.has_idle_limits()
        {
            self.idle_lines.push(idle_limit::Line {
                keyword,
                arguments: arguments.iter().map(|argument| argument.bytes.clone()).collect(),
                source: Source { file: path.to_owned(), line: directive.line },
                at_start: state.active,
                block: match &state.block {
                    Block::Within(criteria) => Some(criteria.clone()),
                    Block::Outside | Block::Never => None,
                },
            });
        }
        Ok(())
    }

    /// The state behind a `Match` line.
    fn enter(&mut self, path: &Path, line: &Directive, outer: &State) -> Result<State, Fatal> {
        let criteria = match_criteria::parse(line, self.dialect)
            .map_err(|bad| self.fatal(path, Some(line.line), &bad.to_string()))?;
        let active =
            !outer.sealed_at_start && match_criteria::met_at_start(&criteria, self.dialect);
        let possible = match_criteria::possible(criteria, self.dialect);
        let block = match (&outer.block, possible) {
            (Block::Never, _) | (_, None) => Block::Never,
            (Block::Outside, Some(criteria)) => Block::Within(united(&[], criteria)),
            (Block::Within(around), Some(criteria)) => Block::Within(united(around, criteria)),
        };
        Ok(State { active, block, sealed_at_start: outer.sealed_at_start })
    }

    fn include(
        &mut self,
        path: &Path,
        line: &Directive,
        patterns: &[Vec<u8>],
        state: &State,
        depth: usize,
    ) -> Result<(), Fatal> {
        if patterns.is_empty() {
            return Err(self.fatal(path, Some(line.line), "Include names no file"));
        }
        let forgotten =
            state.block == Block::Outside && self.dialect.include() == Include::ForgetsBlocks;
        let inner = State {
            active: state.active,
            block: if forgotten { Block::Never } else { state.block.clone() },
            sealed_at_start: !state.active,
        };
        for pattern in patterns {
            if pattern.is_empty() {
                self.refuse(path, line, "Include has an empty argument".to_owned());
                return Ok(());
            }
            let Some(pattern) = absolute(pattern, self.dialect) else { continue };
            for file in self.glob(&pattern).iter() {
                self.file(file, &inner, depth + 1)?;
            }
        }
        Ok(())
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

    fn assign(&mut self, path: &Path, line: &Directive, keyword: Keyword, state: &State) {
        let arguments = line.arguments.as_deref().unwrap_or_default();
        let value = match arguments {
            [] => Err("no argument".to_owned()),
            [one] => value::parse(keyword, &one.bytes, self.dialect)
                .map_err(|refused| refused.to_string()),
            _ => Err("more than one argument".to_owned()),
        };
        let value = match value {
            Ok(value) => value,
            Err(why) => return self.refuse(path, line, format!("{}: {why}", keyword.name())),
        };
        if keyword == Keyword::TcpKeepAlive && !state.active {
            let message = format!("{} is not allowed in a Match block", keyword.name());
            return self.refuse(path, line, message);
        }
        let source = Some(Source { file: path.to_owned(), line: line.line });
        let effective = Effective { value, source };
        if state.active {
            if self.evaluation.at_start_lines.len() < LISTED {
                self.evaluation.at_start_lines.push((keyword, effective.clone()));
            }
            self.evaluation.at_start.entry(keyword).or_insert_with(|| effective.clone());
        }
        if let (Block::Within(criteria), true) = (&state.block, keyword != Keyword::TcpKeepAlive) {
            let criteria = criteria.clone();
            self.evaluation.in_blocks.push(Assignment { keyword, effective, criteria });
        }
    }

    fn refuse(&mut self, path: &Path, line: &Directive, message: String) {
        let refusal = Refusal { file: path.to_owned(), line: Some(line.line), message };
        // A file that is included twice is wrong once.
        let refusals = &self.evaluation.refusals;
        if refusals.len() < REFUSALS && !refusals.contains(&refusal) {
            self.evaluation.refusals.push(refusal);
        }
    }

    fn fatal(&mut self, path: &Path, line: Option<usize>, message: &str) -> Fatal {
        let file = path.to_owned();
        self.evaluation.refusals.push(Refusal { file, line, message: message.to_owned() });
        Fatal
    }
}

/// Whether a line has a bearing on our settings, or is one that sshd refuses by its form.
fn takes_part(line: &Directive) -> bool {
    line.arguments.is_err()
        || line.is("Match")
        || line.is("Include")
        || managed(line).is_some()
        || idle_limit::Keyword::of(line).is_some()
}

/// A pattern of an `Include` line as sshd gives it to its glob; `None` for a relative one where sshd
/// reads none.
#[must_use]
pub fn absolute(pattern: &[u8], dialect: &Dialect) -> Option<Vec<u8>> {
    Some(match pattern.first() {
        Some(b'/') => pattern.to_vec(),
        // Taken for absolute, but looked up in the working directory of a service: `/`.
        Some(b'~') => [b"/", pattern].concat(),
        _ if !dialect.reads_relative_includes() => return None,
        _ => [prefix::DIRECTORY, pattern].concat(),
    })
}

/// Both lists as written, each criterion once.
fn united(around: &[Criterion], criteria: Criteria) -> Criteria {
    let mut all = around.to_vec();
    for criterion in criteria {
        if !all.contains(&criterion) {
            all.push(criterion);
        }
    }
    all
}
