//! The parts of the host that are governed, together, for the commands that take them one by one.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::brake::trace::{Trace, Traced};
use crate::host::{Host, HostError};
use crate::originals::Originals;
use crate::policy::Policy;
use crate::reconcile::{Mode, Plan, Report, Resource, reconcile, reconcile_if};
use crate::record::Found;
use crate::ssh_client::SshClient;
use crate::sshd::Sshd;
use crate::sshd::instance::Instance;
use crate::sysctl::boot::Boot;
use crate::sysctl::live::Live;
use crate::sysctl::live::named::Named;

pub mod unknown;

/// The locks under which they are changed.
pub const LOCKS: [&str; 5] = [Live::LOCK, Named::LOCK, Boot::LOCK, Sshd::LOCK, SshClient::LOCK];

/// All resources, with what they keep open; the instances of sshd are found anew for each pass.
#[derive(Debug, Default)]
pub struct Governed {
    /// The kernel's values now.
    pub live: Live,
    /// The same in the named network namespaces.
    pub named: Named,
    /// The kernel's values after the next boot.
    pub boot: Boot,
    /// The settings of the host's own sshd.
    pub sshd: Sshd,
    /// ssh's settings, the host's.
    pub ssh_client: SshClient,
}

impl Governed {
    /// One pass over each. The kernel's values come first: nothing needs to wait for them.
    #[must_use]
    pub fn reconcile(&self, host: &Host, policy: &Policy, mode: Mode) -> Vec<Report> {
        self.reconcile_traced(host, policy, mode, &mut |_| Ok(()))
    }

    /// The same, where `record` is told what each change will leave before it is made. What can't be
    /// recorded is not changed.
    #[must_use]
    pub fn reconcile_traced(
        &self,
        host: &Host,
        policy: &Policy,
        mode: Mode,
        record: &mut Recorder<'_>,
    ) -> Vec<Report> {
        if mode == Mode::Enforce {
            keep_unusable_record(host);
        }
        let mut reports = vec![
            traced(&self.live, None, host, &policy.sysctl, mode, record),
            traced(&self.named, None, host, &policy.namespaces, mode, record),
            traced(&self.boot, None, host, &policy.sysctl, mode, record),
            traced(&self.sshd, None, host, &policy.sshd_of(None), mode, record),
            traced(&self.ssh_client, None, host, &policy.ssh_config, mode, record),
        ];
        reports.extend(over_instances(host, Some(policy), |instance| {
            let desired = policy.sshd_of(Some(&instance));
            traced(&Sshd::of(instance.clone()), Some(&instance), host, &desired, mode, record)
        }));
        reports.retain(|report| !report.is_empty());
        reports
    }

    /// One pass towards a policy that declares nothing: everything of ours is taken back.
    #[must_use]
    pub fn restore(&self, host: &Host) -> Vec<Report> {
        keep_unusable_record(host);
        let mut reports = vec![
            reconcile(&self.boot, host, &Default::default(), Mode::Enforce),
            reconcile(&self.live, host, &Default::default(), Mode::Enforce),
            reconcile(&self.named, host, &Default::default(), Mode::Enforce),
            reconcile(&self.sshd, host, &Default::default(), Mode::Enforce),
            reconcile(&self.ssh_client, host, &Default::default(), Mode::Enforce),
        ];
        reports.extend(over_instances(host, None, |instance| {
            reconcile(&Sshd::of(instance), host, &Default::default(), Mode::Enforce)
        }));
        reports
    }
}

/// Is told what changes will leave.
pub type Recorder<'r> = dyn FnMut(Vec<Trace>) -> Result<(), HostError> + 'r;

fn traced<R: Resource<Change: Traced>>(
    resource: &R,
    instance: Option<&Instance>,
    host: &Host,
    desired: &R::Desired,
    mode: Mode,
    record: &mut Recorder<'_>,
) -> Report {
    let last_word = |plan: &Plan<R::Change>| {
        record(plan.changes.iter().filter_map(|change| change.traces(instance)).collect())?;
        Ok(true)
    };
    reconcile_if(resource, host, desired, mode, |_| true, last_word)
}

/// Keeps a record aside that can't be used, before anything looks at it: one pass then does all.
fn keep_unusable_record(host: &Host) {
    if matches!(Originals::load(host), Ok(Found::Unusable(_))) {
        // Where it fails, the first pass that needs the record says so.
        let _ = Originals::update(host, |_| {});
    }
}

fn over_instances(
    host: &Host,
    policy: Option<&Policy>,
    pass: impl FnMut(Instance) -> Report,
) -> Vec<Report> {
    let declared = policy.map_or(&[][..], |policy| &policy.sshd_instances);
    match instances(host, declared) {
        Ok(instances) => instances.into_iter().map(pass).collect(),
        Err(error) => vec![Report::unobservable(Sshd::NAME, &error.into(), Duration::ZERO)],
    }
}

/// The declared instances of sshd, and those in which something of ours is since an earlier policy.
///
/// # Errors
/// When the record of these can't be read. Others than root may not, and need not: they change
/// nothing.
pub fn instances(host: &Host, declared: &[Instance]) -> Result<BTreeSet<Instance>, HostError> {
    let recorded = match Originals::load_usable(host) {
        Ok(originals) => originals.sshd_instances,
        Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
            BTreeSet::new()
        }
        Err(error) => return Err(error),
    };
    Ok(recorded.into_iter().chain(declared.iter().cloned()).collect())
}
