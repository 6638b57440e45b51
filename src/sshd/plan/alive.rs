//! An sshd that ought to run and does not listen: whoever ended it, and what happens next.

use super::{Change, NAME};
use crate::reconcile::{Listening, Plan, Problem, Severity};
use crate::sshd::judge::Verdict;
use crate::sshd::{Desired, Observed};

/// Adds the start of an sshd that we lost, as soon as it can succeed, and a finding about one that
/// does not listen. `Blocked`: what new connections are given can't be told while there are none.
pub(super) fn add(plan: &mut Plan<Change>, desired: &Desired, observed: &Observed) {
    let standing = observed.lost.standing.as_ref();
    if let Some(unusable) = &observed.lost.unusable {
        let message = format!(
            "{unusable}; whether a reload of ours has ended an sshd can't be told, and none is \
             started. It is kept aside when the next reload is recorded"
        );
        plan.problems.push(Problem::new(NAME, Severity::Conflict, message));
    }
    if let Some(standing) = standing {
        if let (true, Some(unit)) = (observed.may_start(), &standing.unit) {
            let start = Change::Start { unit: unit.clone(), tree: observed.tree.clone() };
            plan.changes.insert(0, start);
        }
        plan.problems.push(Problem::new(NAME, Severity::Blocked, standing.finding(observed)));
        return;
    }
    let silent = observed.listening.as_ref().filter(|found| !found.listens);
    if let Some(silent) = silent.filter(|_| !desired.values.is_empty()) {
        plan.problems.push(Problem::new(NAME, Severity::Blocked, finding(silent)));
    }
}

/// Not by our doing, as far as is known.
fn finding(silent: &Listening) -> String {
    format!(
        "{unit} is {state}: it ought to run and does not listen, so that new connections reach no \
         sshd. No reload of ours has ended it, and we don't start it; see `systemctl status {unit}`",
        unit = silent.unit,
        state = silent.state,
    )
}

impl Observed {
    /// Whether a start can succeed: sshd accepts its files as they stand. One that is still being
    /// written is no reason to wait: nobody can log in meanwhile.
    fn may_start(&self) -> bool {
        !matches!(self.verdict, Verdict::Refused(_))
    }
}

impl crate::sshd::lost::Standing {
    fn finding(&self, observed: &Observed) -> String {
        let Some(unit) = &self.unit else {
            return format!(
                "{} since a reload of ours, so that new connections reach no sshd ({}); no service \
                 manager can be asked to start it, and we don't guess how: start it as it was started",
                self.state, self.why
            );
        };
        let next = if observed.may_start() {
            "we start it"
        } else {
            "we start it as soon as sshd accepts its configuration"
        };
        format!(
            "{unit} is {}: it does not listen since a reload or restart of ours, so that new \
             connections reach no sshd ({}); {next}",
            self.state, self.why
        )
    }
}
