//! The values for one destination.

use std::collections::BTreeMap;

use super::{Effective, Reading, Setting, Step, Values};
use crate::reconcile::Value;
use crate::ssh_client::Keyword;
use crate::ssh_client::condition::Subject;

/// Debian's interval under `BatchMode yes`, where nothing sets one: in seconds.
const DEBIAN_BATCH_INTERVAL: i64 = 300;

/// What is given on ssh's command line, and who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The host as it was given.
    pub host: Vec<u8>,
    /// The account there, if it was given: `user@host`, `-l user`.
    pub user: Option<Vec<u8>>,
    /// The account here; `None` where it can be anyone.
    pub local_user: Option<Vec<u8>>,
}

impl Destination {
    /// `host` or `user@host`, as on ssh's command line.
    #[must_use]
    pub fn new(argument: &[u8], local_user: Option<&[u8]>) -> Self {
        let at = argument.iter().rposition(|byte| *byte == b'@');
        let (user, host) = match at.and_then(|at| argument.split_at_checked(at)) {
            Some((user, host)) => (Some(user.to_vec()), host.get(1..).unwrap_or_default()),
            None => (None, argument),
        };
        Self { host: host.to_vec(), user, local_user: local_user.map(<[u8]>::to_vec) }
    }
}

/// Something that may be set, not be set, or depend.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot<T> {
    Unset,
    Set(T),
    Unknown,
}

impl<T> Slot<T> {
    /// The first value counts.
    fn set(&mut self, value: T, active: Option<bool>) {
        if matches!(self, Self::Unset) && active != Some(false) {
            *self = if active == Some(true) { Self::Set(value) } else { Self::Unknown };
        }
    }
}

impl<T> Slot<T> {
    fn hide(&mut self) {
        if matches!(self, Self::Unset) {
            *self = Self::Unknown;
        }
    }
}

/// What was collected for a keepalive keyword: the first certain value ends the list.
#[derive(Debug, Clone, Default)]
struct Candidates {
    possible: Vec<Effective>,
    decided: bool,
    /// Whether a file that we can't read comes before the one that decides.
    hidden: bool,
}

/// ssh's options while it reads.
struct Options<'a> {
    reading: &'a Reading,
    destination: &'a Destination,
    host_name: Slot<Vec<u8>>,
    user: Slot<Vec<u8>>,
    batch_mode: Slot<bool>,
    canonicalize: Slot<bool>,
    alive: BTreeMap<Keyword, Candidates>,
}

impl Reading {
    /// What ssh uses for `destination`.
    #[must_use]
    pub fn values_for(&self, destination: &Destination) -> Values {
        let user = destination.user.clone();
        let mut options = Options {
            reading: self,
            destination,
            host_name: Slot::Unset,
            user: user.map_or(Slot::Unset, Slot::Set),
            batch_mode: Slot::Unset,
            canonicalize: Slot::Unset,
            alive: BTreeMap::new(),
        };
        let given = Some(destination.host.clone());
        options.pass(given.as_deref(), false);
        let canonical = options.canonicalize.clone();
        if self.wants_final_pass() || matches!(canonical, Slot::Set(true) | Slot::Unknown) {
            let resolved = options.resolved_name();
            options.pass(resolved.as_deref(), true);
        }
        Keyword::ALL.into_iter().map(|keyword| (keyword, options.value(keyword))).collect()
    }
}

impl Options<'_> {
    /// Reads everything once. `alias` is what `Host` is compared with.
    fn pass(&mut self, alias: Option<&[u8]>, final_pass: bool) {
        let reading = self.reading;
        let mut active: Vec<Option<bool>> = vec![Some(false); reading.blocks.len()];
        for step in &reading.steps {
            match step {
                Step::Enter(at) => {
                    let verdict = self.enter(*at, &active, alias, final_pass);
                    if let Some(slot) = active.get_mut(*at) {
                        *slot = verdict;
                    }
                }
                Step::Set { block, what } => {
                    let state = block.map_or(Some(true), |at| active.get(at).copied().flatten());
                    self.set(what, state);
                }
                Step::Hidden(block) => {
                    let state = block.map_or(Some(true), |at| active.get(at).copied().flatten());
                    if state != Some(false) {
                        self.hide();
                    }
                }
            }
        }
    }

    fn enter(
        &self,
        at: usize,
        active: &[Option<bool>],
        alias: Option<&[u8]>,
        final_pass: bool,
    ) -> Option<bool> {
        let block = self.reading.blocks.get(at)?;
        let outer = block.outer.map_or(Some(true), |outer| active.get(outer).copied().flatten());
        let host = if final_pass { alias.map(<[u8]>::to_vec) } else { self.expanded_name() };
        let user = match &self.user {
            Slot::Set(user) => Some(user.as_slice()),
            Slot::Unset => self.destination.local_user.as_deref(),
            Slot::Unknown => None,
        };
        let subject = Subject {
            alias,
            host: host.as_deref(),
            original: &self.destination.host,
            user,
            local_user: self.destination.local_user.as_deref(),
            final_pass,
        };
        match (outer, block.condition.is_met(&subject, &self.reading.dialect)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn set(&mut self, what: &Setting, active: Option<bool>) {
        match what {
            Setting::HostName(name) => self.host_name.set(name.clone(), active),
            Setting::User(name) => self.user.set(name.clone(), active),
            Setting::BatchMode(value) => self.batch_mode.set(*value, active),
            Setting::Canonicalize(value) => self.canonicalize.set(*value, active),
            Setting::PermittedCnames => self.canonicalize.set(true, active),
            Setting::Alive(keyword, effective) => {
                let candidates = self.alive.entry(*keyword).or_default();
                if !candidates.decided && active != Some(false) {
                    candidates.possible.push(effective.clone());
                    candidates.decided = active == Some(true);
                }
            }
        }
    }

    /// Whatever has no value yet may get one from a file that we can't read.
    fn hide(&mut self) {
        self.host_name.hide();
        self.user.hide();
        self.batch_mode.hide();
        self.canonicalize.hide();
        for keyword in Keyword::ALL {
            let candidates = self.alive.entry(keyword).or_default();
            candidates.hidden |= !candidates.decided;
        }
    }

    /// `HostName` with its tokens replaced, or the name as it was given.
    fn expanded_name(&self) -> Option<Vec<u8>> {
        let template = match &self.host_name {
            Slot::Unset => return Some(self.destination.host.clone()),
            Slot::Unknown => return None,
            Slot::Set(template) => template,
        };
        let mut name = Vec::new();
        let mut bytes = template.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => match bytes.next()? {
                    b'%' => name.push(b'%'),
                    b'h' => name.extend_from_slice(&self.destination.host),
                    // ssh ends with "unknown key".
                    _ => return None,
                },
                other => name.push(*other),
            }
        }
        Some(name)
    }

    /// The name that the second reading sees. Resolving names is not for us: `None` where ssh
    /// would.
    fn resolved_name(&self) -> Option<Vec<u8>> {
        if self.canonicalize != Slot::Unset && self.canonicalize != Slot::Set(false) {
            return None;
        }
        let name = self.expanded_name()?;
        let text = std::str::from_utf8(&name).ok()?;
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Some(address.to_string().into_bytes());
        }
        // `10.1` and `0x7f.1` are addresses to the resolver too.
        let like_address = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
            && text
                .split('.')
                .all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x'));
        if like_address || text.contains(':') {
            return None;
        }
        Some(name.to_ascii_lowercase())
    }

    fn value(&self, keyword: Keyword) -> Option<Effective> {
        let candidates = self.alive.get(&keyword).cloned().unwrap_or_default();
        if candidates.hidden {
            return None;
        }
        let mut possible = candidates.possible;
        if !candidates.decided {
            possible.push(self.default_of(keyword)?);
        }
        let first = possible.first()?;
        possible.iter().all(|other| other.value == first.value).then(|| first.clone())
    }

    fn default_of(&self, keyword: Keyword) -> Option<Effective> {
        if keyword == Keyword::ServerAliveInterval && self.reading.dialect.is_debian() {
            return match self.batch_mode {
                Slot::Set(true) => {
                    Some(Effective { value: Value::Number(DEBIAN_BATCH_INTERVAL), source: None })
                }
                Slot::Unknown => None,
                _ => Some(Effective::default_of(keyword)),
            };
        }
        Some(Effective::default_of(keyword))
    }
}
