//! The command line: one file a command, each giving its exit code.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::escape;
use crate::host::Host;
use crate::policy::{self, Policy};
use crate::reconcile::Report;
use crate::report::text::Style;
use crate::ssh_client::{Whose, homes};
use crate::user::User;

mod apply;
mod check;
mod client;
mod diff;
mod explain;
mod hops;
mod pause;
mod reload;
mod restore;
mod sessions;
mod status;
mod validate;
mod watch;

/// Where the policy is, below the root.
const POLICY: &str = "etc/keepalive-policy.toml";

/// `EX_CONFIG` of sysexits.h: the policy is bad. The unit does not restart the daemon then.
const BAD_POLICY: u8 = 78;

/// Could not tell, or could not do it.
const ERROR: u8 = 2;

/// Keeps the keepalive settings of the kernel and of sshd as declared.
#[derive(Debug, Parser)]
#[command(name = "keepalive-policy", version)]
struct Cli {
    /// The policy [default: /etc/keepalive-policy.toml]
    ///
    /// With --root DIR the default is the one below DIR.
    #[arg(long, value_name = "FILE", global = true)]
    policy: Option<PathBuf>,
    /// Treat DIR as /: files only, no live values, no reload
    #[arg(long, value_name = "DIR", global = true)]
    root: Option<PathBuf>,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Watch and enforce: what systemd starts
    Daemon {
        /// Only for the caller's own ~/.ssh/config
        ///
        /// By ~/.config/keepalive-policy.toml, or the host's policy without one.
        #[arg(long)]
        user: bool,
    },
    /// Show every declared setting: desired, effective, source
    ///
    /// Exits 0 when all comply, 1 on drift, 2 when it could not be told.
    Check(Watch),
    /// Show what `apply` would change
    ///
    /// Exits 0 when nothing, 1 when something, 2 on an error.
    Diff,
    /// Bring the host into line once, and verify
    ///
    /// Exits 0 when in force, 1 when not, 2 on an error.
    Apply {
        /// Undo it unless `confirm` is run in a newer login
        ///
        /// From 10s to 1h. Neither a lost session nor a reboot prevents it.
        ///
        /// `client apply` has no such thing: it locks nobody out.
        #[arg(long, value_name = "TIME", value_parser = apply::time)]
        confirm: Option<u32>,
    },
    /// Keep what `apply --confirm` changed
    ///
    /// Only in a login that is newer than the change, to show that one can log in.
    ///
    /// Exits 0 when kept, 1 when there is nothing to keep (any more), 2 when refused.
    Confirm {
        /// Wait until the time is over, and undo: what the timer runs
        #[arg(long, hide = true)]
        undo: bool,
    },
    /// Show what the daemon last saw and did
    ///
    /// Exits 0 when in force, 1 when not, 3 when it does not run.
    Status {
        #[command(flatten)]
        watch: Watch,
        /// Of the caller's own daemon (`systemctl --user`)
        #[arg(long)]
        user: bool,
    },
    /// The caller's own ssh client, and settings for other clients
    Client {
        #[command(subcommand)]
        command: client::Command,
    },
    /// List the live sessions of sshd, and those that run on older settings
    Sessions(Watch),
    /// Explain who decides about each setting, and what follows
    ///
    /// Shows when a dead peer is noticed, and whether idle sessions survive the path.
    ///
    /// Exits 0, 1 when a hop is not survived, 2 when it could not be told.
    Explain,
    /// List the middleboxes that [path] hops can name, with their patience
    Hops,
    /// Check the policy file alone
    ///
    /// Exits 0, or 78 with all findings.
    Validate,
    /// Have the daemon read its policy again, and wait until it is in force
    ///
    /// Exits 0, 3 when the daemon does not run, 78 when the policy is refused.
    Reload {
        /// The caller's own daemon (`systemctl --user`)
        #[arg(long)]
        user: bool,
    },
    /// Stop corrections for a while: 30s, 10m, 2h, at most 30d
    ///
    /// The daemon goes on reporting. A pause survives its restart and a reboot.
    ///
    /// It needs neither a daemon nor a valid policy. `status` shows it.
    ///
    /// Exits 0, or 2 on an error.
    Pause {
        /// How long, as times in the policy
        #[arg(value_name = "TIME", value_parser = pause::time)]
        time: u32,
    },
    /// End a pause: what drifted meanwhile is corrected at once
    ///
    /// Exits 0, or 2 on an error.
    Resume,
    /// Undo everything that this tool ever changed
    ///
    /// Exits 0 when done, 1 when not all, 2 on an error, as while the daemon runs.
    Restore,
    /// Read users' files for the commands above, which go on where that hangs
    #[command(name = homes::COMMAND, hide = true)]
    ReadHomes,
}

/// Of the commands that can go on.
#[derive(Debug, Clone, Copy, Args)]
struct Watch {
    /// Go on, with a look every 2 seconds
    #[arg(long)]
    watch: bool,
}

/// What every command gets.
#[derive(Clone)]
struct Invocation {
    host: Host,
    policy: PathBuf,
    /// Whether `--policy` was given.
    policy_is_given: bool,
    format: Format,
    /// Whether output was lost: a full disk, a device that failed.
    lost: Cell<bool>,
}

/// Parses the arguments, runs the command, gives the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let text = error.to_string();
            let text = escape::layout(&text, &[]);
            // Where the terminal is gone there is no reader left to tell.
            let _ = match error.use_stderr() {
                true => write!(std::io::stderr(), "{text}"),
                false => write!(std::io::stdout(), "{text}"),
            };
            return ExitCode::from(if error.use_stderr() { ERROR } else { 0 });
        }
    };
    let root = cli.root.unwrap_or_else(|| PathBuf::from("/"));
    let invocation = Invocation {
        policy_is_given: cli.policy.is_some(),
        policy: absolute(cli.policy.unwrap_or_else(|| root.join(POLICY))),
        host: match Host::open(&root) {
            Ok(host) if matches!(cli.command, Command::Daemon { .. }) => host,
            // The daemon has neither the right to become other users nor a view of their homes.
            Ok(host) => host.that_runs_itself(),
            Err(error) => return ExitCode::from(complain(&error)),
        },
        format: cli.format,
        lost: Cell::new(false),
    };
    let code = match cli.command {
        Command::Daemon { user } => daemon(invocation.clone(), user),
        Command::Client { command } => client::run(&invocation, &command),
        Command::Check(watch) => check::run(&invocation, watch),
        Command::Diff => diff::run(&invocation),
        Command::Apply { confirm } => apply::run(&invocation, confirm),
        Command::Confirm { undo: false } => apply::confirm(&invocation),
        Command::Confirm { undo: true } => apply::undo(&invocation),
        Command::Sessions(watch) => sessions::run(&invocation, watch),
        Command::Status { watch, user } => status::run(&invocation, watch, user),
        Command::Explain => explain::run(&invocation),
        Command::Hops => hops::run(&invocation),
        Command::Validate => validate::run(&invocation),
        Command::Reload { user } => reload::run(&invocation, user),
        Command::Pause { time } => pause::pause(&invocation, time),
        Command::Resume => pause::resume(&invocation),
        Command::Restore => restore::run(&invocation),
        Command::ReadHomes => read_homes(&invocation),
    };
    ExitCode::from(if invocation.lost.get() { ERROR } else { code })
}

/// Reads users' files, of which the question is on standard input.
fn read_homes(invocation: &Invocation) -> u8 {
    match homes::child::serve(&invocation.host, std::io::stdin(), std::io::stdout()) {
        Ok(()) => 0,
        Err(error) => complain(&error),
    }
}

/// Runs the host's daemon, or the caller's own.
fn daemon(mut invocation: Invocation, user: bool) -> u8 {
    let mut whose = Whose::Everybodys;
    if user {
        let caller = match User::find(|name| std::env::var_os(name)) {
            Ok(caller) => caller,
            Err(error) => return complain(&error),
        };
        invocation.policy = client::policy_of(&invocation, &caller);
        invocation.host = caller.host();
        whose = Whose::Users(caller.ssh_config());
    }
    if whose == Whose::Everybodys {
        crate::daemon::settle_unconfirmed(&invocation.host);
    }
    match invocation.load() {
        Ok(policy) => crate::daemon::run(invocation.host, policy, whose),
        Err(code) => code,
    }
}

impl Invocation {
    /// The policy, or the exit code after all findings were printed.
    fn load(&self) -> Result<Policy, u8> {
        policy::load(&self.policy).map_err(|rejection| refuse(&rejection))
    }

    /// Where the daemon that is meant keeps its state: the host's, or the caller's own.
    fn daemons_host(&self, user: bool) -> Result<Host, crate::host::HostError> {
        match user {
            true => User::find(|name| std::env::var_os(name)).map(|caller| caller.host()),
            false => Ok(self.host.clone()),
        }
    }

    /// Prints in the form that was asked for; whether anybody reads it.
    fn print(&self, data: &impl Serialize, text: impl FnOnce() -> String) -> bool {
        let output = match self.format {
            Format::Text => Style::of_stdout().let_out(&text()).into_owned(),
            Format::Json => {
                escape::json(serde_json::to_string_pretty(data).unwrap_or_default()) + "\n"
            }
        };
        self.write(output.as_bytes())
    }

    /// Writes to standard output; whether anybody reads it. What can't be written is told, and the
    /// exit code is that of an error.
    fn write(&self, output: &[u8]) -> bool {
        let mut stdout = std::io::stdout();
        let Err(error) = stdout.write_all(output).and_then(|()| stdout.flush()) else {
            return true;
        };
        // A closed pipe (`| head`) is the reader's choice, not an error.
        if error.kind() != ErrorKind::BrokenPipe {
            complain(&format!("standard output: cannot write: {error}"));
            self.lost.set(true);
        }
        false
    }
}

/// Messages, the status file and the watches outlive the working directory.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Prints an error on one line; gives the exit code for one.
fn complain(error: &impl std::fmt::Display) -> u8 {
    let error = error.to_string();
    let _ = writeln!(std::io::stderr(), "keepalive-policy: {}", escape::line(&error));
    ERROR
}

/// Prints the findings of a policy, which stand on several lines each; gives the exit code for them.
fn refuse(rejection: &impl std::fmt::Display) -> u8 {
    let rejection = rejection.to_string();
    let _ = writeln!(std::io::stderr(), "keepalive-policy: {}", escape::layout(&rejection, &[]));
    BAD_POLICY
}

/// The exit code of what was done: 0 in force, 1 not in force, 2 when a step failed and it shows.
fn verdict(reports: &[Report]) -> u8 {
    let failed = reports.iter().flat_map(|report| &report.outcomes).any(|outcome| outcome.failed());
    if reports.iter().all(Report::in_force) {
        0
    } else if failed || reports.iter().any(Report::blocked) {
        ERROR
    } else {
        1
    }
}
