//! `client`: the caller's own `~/.ssh/config`, and settings for other clients.

use std::path::PathBuf;

use clap::Subcommand;

use super::restore::refuse_beside_daemon;
use super::{ERROR, Invocation, complain, refuse, verdict};
use crate::client::export::Target;
use crate::host::Host;
use crate::policy::{self, Policy};
use crate::reconcile::{Mode, Report, reconcile};
use crate::report::json;
use crate::report::text::{self, Style};
use crate::ssh_client::{SshClient, Whose};
use crate::user::User;

mod check;
mod export;
mod show;
#[cfg(test)]
mod tests;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Command {
    /// Show what each host gets, and which line decides
    ///
    /// Exits 0, or 2 when it could not be told.
    Show {
        /// As for ssh [default: those of Host lines, and any other]
        #[arg(value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// Compare what HOST gets by the files, by `ssh -G`, and by the policy
    ///
    /// Exits 0 when all agree, 1 when not, 2 when it could not be told.
    Check {
        /// As for ssh: `web1`, `bob@web1`
        host: String,
    },
    /// Put the policy into ~/.ssh/config as defaults, and verify
    ///
    /// Exits 0 when in force, 1 when not, 2 on an error.
    Apply,
    /// Show what `apply` would change
    ///
    /// Exits 0 when nothing, 1 when something, 2 on an error.
    Diff,
    /// Take out of ~/.ssh/config what `apply` put there
    Restore,
    /// Print the policy as settings for another client
    Export {
        /// The client
        #[arg(long = "for", value_name = "CLIENT", value_enum)]
        target: Target,
        /// With securecrt: edit this session's .ini file in place
        #[arg(long, value_name = "FILE")]
        into: Option<PathBuf>,
    },
}

pub(super) fn run(invocation: &Invocation, command: &Command) -> u8 {
    if !invocation.host.is_live() {
        return complain(&"client is about this machine and its caller, and knows no --root");
    }
    let user = match User::find(|name| std::env::var_os(name)) {
        Ok(user) => user,
        Err(error) => return complain(&error),
    };
    let mine = Mine { invocation, host: user.host(), user };
    match command {
        Command::Show { hosts } => show::run(&mine, hosts),
        Command::Check { host } => check::run(&mine, host),
        Command::Apply => mine.apply(),
        Command::Diff => mine.diff(),
        Command::Restore => mine.restore(),
        Command::Export { target, into } => export::run(&mine, *target, into.as_deref()),
    }
}

/// What the caller's commands get.
struct Mine<'a> {
    invocation: &'a Invocation,
    user: User,
    /// This machine, with the caller's own directories.
    host: Host,
}

impl Mine<'_> {
    /// Whether there is a policy to compare with.
    fn is_declared(&self) -> bool {
        let policy = policy_of(self.invocation, &self.user);
        self.invocation.policy_is_given || self.host.exists(&policy)
    }

    /// The caller's policy, else the host's; or the exit code after all findings were printed.
    fn load(&self) -> Result<Policy, u8> {
        policy::load(&policy_of(self.invocation, &self.user))
            .map_err(|rejection| refuse(&rejection))
    }

    fn client(&self, policy: &Policy) -> SshClient {
        let whose = Whose::Users(self.user.ssh_config());
        SshClient { policy: policy.path.clone(), whose }
    }

    fn reconcile(&self, policy: &Policy, mode: Mode) -> Vec<Report> {
        let client = self.client(policy);
        vec![reconcile(&client, &self.host, &policy.ssh_config, mode)]
    }

    fn apply(&self) -> u8 {
        let policy = match self.load() {
            Ok(policy) => policy,
            Err(code) => return code,
        };
        // Under `mode = "audit"` nothing is changed by this command either.
        let reports = self.reconcile(&policy, policy.mode);
        let diff = "keepalive-policy client diff";
        let print = || text::applied(&reports, policy.mode, diff, Style::of_stdout());
        self.invocation.print(&json::Applied::of(&reports), print);
        verdict(&reports)
    }

    fn diff(&self) -> u8 {
        let policy = match self.load() {
            Ok(policy) => policy,
            Err(code) => return code,
        };
        let reports = self.reconcile(&policy, Mode::Audit);
        let print = || text::diff(&reports, Style::of_stdout());
        self.invocation.print(&json::Diff::of(&reports), print);
        if reports.iter().any(Report::blocked) {
            ERROR
        } else {
            u8::from(reports.iter().any(|report| !report.pending.is_empty()))
        }
    }

    fn restore(&self) -> u8 {
        if let Err(code) = refuse_beside_daemon(&self.host, "systemctl --user") {
            return code;
        }
        let whose = Whose::Users(self.user.ssh_config());
        let client = SshClient { policy: PathBuf::new(), whose };
        let report = reconcile(&client, &self.host, &Default::default(), Mode::Enforce);
        let reports = vec![report];
        let print = || text::restored(&reports, Style::of_stdout());
        self.invocation.print(&json::Applied::of(&reports), print);
        verdict(&reports)
    }
}

/// Where the caller's policy is: named on the command line, their own, or the host's. Where there is
/// none of these it is said of their own, which they can write.
pub(super) fn policy_of(invocation: &Invocation, user: &User) -> PathBuf {
    let own = user.policy();
    let host = user.host();
    let others = !host.exists(&own) && host.exists(&invocation.policy);
    if invocation.policy_is_given || others { invocation.policy.clone() } else { own }
}
