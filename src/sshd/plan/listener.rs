//! A listener that is behind its files: drift of its own, which a reload ends.

use super::NAME;
use crate::reconcile::{LISTENER, Problem, Setting, Severity, Value};
use crate::sshd::service::loaded::Freshness;
use crate::sshd::service::view::OtherView;
use crate::sshd::service::way::Way;
use crate::sshd::service::{Kind, Service};
use crate::sshd::{Desired, Keyword};

/// One row for each declared keyword that the listener gives somebody otherwise than declared,
/// although the files say something else by now. None while it uses what is in the files: then
/// those have the rows.
pub(super) fn settings(desired: &Desired, freshness: &Freshness) -> Vec<Setting> {
    let behind = |keyword: Keyword, value: Value| match freshness {
        Freshness::Current => None,
        Freshness::Unknown => Some(None),
        Freshness::Outdated(values) => values
            .iter()
            .find(|loaded| loaded.keyword == keyword && loaded.value != value)
            .map(|loaded| Some(loaded.value)),
    };
    let declared = desired.values.iter();
    declared
        .filter_map(|(keyword, value)| {
            behind(*keyword, *value).map(|effective| Setting {
                resource: NAME,
                name: keyword.name(),
                context: LISTENER.to_owned(),
                desired: *value,
                effective,
                source: None,
                compliant: false,
            })
        })
        .collect()
}

/// What keeps the listener from being brought up to date.
pub(super) fn obstacle(service: &Service, is_behind: bool) -> Option<Problem> {
    let Way::Unsafe(reason) = service.way() else { return service.view.as_ref().map(tested) };
    // Whether an sshd that we don't know or can't see is behind can't be told, so that is said in
    // any case.
    let severity = if is_behind { Severity::Conflict } else { Severity::Notice };
    let worth_saying = is_behind || service.kind == Kind::NotSshd || service.view.is_some();
    worth_saying.then(|| Problem::new(NAME, severity, reason))
}

fn tested(view: &OtherView) -> Problem {
    let message = format!(
        "{view}; what is there is not judged, and sshd is reloaded only because ExecReload= of its \
         unit tests the configuration first, as sshd sees it"
    );
    Problem::new(NAME, Severity::Notice, message)
}

/// Where sshd reads another main file than we do, or is another program: nothing is certain.
pub(super) fn unseen(service: &Service) -> Option<Problem> {
    let view = service.view.as_ref().filter(|view| view.is_essential)?;
    let name = service.unit.as_deref().unwrap_or("sshd");
    let message = format!(
        "{name}: {view}; nothing is judged, edited or reloaded until both see the same (look for \
         BindPaths= and RootDirectory= of the unit, and for mounts made after its start)"
    );
    Some(Problem::new(NAME, Severity::Blocked, message))
}
