//! Whether we run in a login that is newer than a change: the proof that one can still log in.
//!
//! Only the processes above us tell. A session of logind is not enough: a second session over an
//! OpenSSH connection that was there before (`ControlMaster`) is a new one to logind, and proves
//! nothing. What counts is the process that was started for the connection or the console: every
//! process from there down to us must be newer than the change, and what started it must be
//! something that lets people in.

use crate::escape;
use crate::host::process::Process;
use crate::sessions::title;

/// Programs that let people in besides sshd. `login` is started as `agetty`, before anybody logs in.
const DOORS: [&str; 9] = [
    "login",
    "agetty",
    "getty",
    "mingetty",
    "dropbear",
    "mosh-server",
    "in.telnetd",
    "telnetd",
    "inetd",
];

/// A process above us, or we.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// The name of its program.
    pub name: String,
    /// What it shows as its command line.
    pub title: String,
    /// When it was started, in milliseconds of `CLOCK_BOOTTIME`.
    pub started: u64,
}

/// Ourselves and all processes above us, up to the first one of the system.
#[must_use]
pub fn ancestors() -> Vec<Ancestor> {
    // More than any honest chain has; a process that ends meanwhile could lead round in a circle.
    const MOST: usize = 256;
    let mut chain = Vec::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid > 1)
        && chain.len() < MOST
        && let Some(process) = Process::find(pid)
    {
        let title = process.command_line();
        let title = title.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        let title: Vec<_> = title.map(String::from_utf8_lossy).collect();
        chain.push(Ancestor {
            title: title.join(" "),
            started: process.started_clock(),
            name: process.name,
        });
        next = Some(process.parent);
    }
    chain
}

/// Whether the first of `chain` runs in a login that began after `change`, in milliseconds of
/// `CLOCK_BOOTTIME`. `chain` is what [`ancestors`] gives.
///
/// # Errors
/// Why not, in a sentence for the person who runs it.
pub fn is_newer(chain: &[Ancestor], change: u64) -> Result<(), String> {
    let newer = chain.iter().take_while(|process| process.started > change).count();
    let Some(newest_door) = newer.checked_sub(1).and_then(|last| chain.get(last)) else {
        return Err(older("this process"));
    };
    match chain.get(newer) {
        Some(above) if is_listener(above) || is_door(above) => Ok(()),
        Some(above) => Err(older(&format!("`{}`", escape::name(&above.name)))),
        // Started by the first process: sshd@.service, a getty that was started anew, or something
        // that left its login, as tmux does.
        None if is_sshd(newest_door) || is_door(newest_door) => Ok(()),
        None => Err(format!(
            "no login is above this process (the first is `{}`): run it in a login shell, outside of \
             tmux, screen and services",
            escape::name(&newest_door.name)
        )),
    }
}

fn older(what: &str) -> String {
    format!(
        "{what} is older than the change, so this proves nothing about new logins: log in anew, over a \
         connection of its own (ssh -o ControlPath=none), and run it there, outside of tmux and \
         screen"
    )
}

fn is_door(process: &Ancestor) -> bool {
    DOORS.contains(&process.name.as_str())
}

fn is_sshd(process: &Ancestor) -> bool {
    ["sshd", "sshd-session", "sshd-auth"].contains(&process.name.as_str())
}

/// Not the sshd of a connection, which may be an old one.
fn is_listener(process: &Ancestor) -> bool {
    process.name == "sshd" && title::is_listener(&process.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: u64 = 1_000;

    /// Each `NAME TITLE` with `+` before it when it is newer than the change, from us upwards.
    fn judge(chain: &[(&str, &str)]) -> bool {
        let ancestor = |(name, title): &(&str, &str)| {
            let (name, started) = match name.strip_prefix('+') {
                Some(name) => (name, CHANGE + 1),
                None => (*name, CHANGE),
            };
            Ancestor { name: name.to_owned(), title: (*title).to_owned(), started }
        };
        is_newer(&chain.iter().map(ancestor).collect::<Vec<_>>(), CHANGE).is_ok()
    }

    const US: (&str, &str) = ("+keepalive-polic", "");
    const LISTENER: (&str, &str) =
        ("sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups");

    #[test]
    fn a_new_login_over_ssh_is_newer() {
        let session = ("+sshd", "sshd: bob@pts/1");
        let monitor = ("+sshd", "sshd: bob [priv]");
        let sudo = ("+sudo", "sudo keepalive-policy confirm");
        assert!(judge(&[US, ("+bash", ""), session, monitor, LISTENER]));
        assert!(judge(&[US, sudo, ("+bash", ""), session, monitor, LISTENER]));
        assert!(judge(&[US, ("+sshd-session", ""), ("+sshd-session", ""), LISTENER]));
        // RHEL 8 leaves the listener's command line alone.
        assert!(judge(&[US, ("+bash", ""), session, ("sshd", "/usr/sbin/sshd -D -oCiphers=x")]));
        // One process for each connection (sshd@.service), and a listener that was started since.
        assert!(judge(&[US, ("+bash", ""), ("+sshd", "sshd: root@pts/0")]));
        assert!(judge(&[US, ("+bash", ""), session, ("+sshd", LISTENER.1)]));
    }

    #[test]
    fn a_console_is_newer_by_its_shell() {
        assert!(judge(&[US, ("+bash", "-bash"), ("login", "/bin/login -p --")]));
        assert!(judge(&[US, ("+bash", "-bash"), ("+login", "/bin/login -p --")]));
        assert!(!judge(&[US, ("bash", "-bash"), ("login", "/bin/login -p --")]));
        assert!(!judge(&[US, ("+bash", ""), ("bash", "-bash"), ("login", "/bin/login -p --")]));
    }

    #[test]
    fn an_old_login_is_older_whatever_it_starts() {
        let old = [("bash", "-bash"), ("sshd", "sshd: bob@pts/0"), ("sshd", "sshd: bob [priv]")];
        let [shell, session, monitor] = old;
        assert!(!judge(&[US, shell, session, monitor, LISTENER]));
        assert!(!judge(&[US, ("+bash", ""), shell, session, monitor, LISTENER]));
        assert!(!judge(&[US, ("+bash", ""), ("+su", ""), ("+sudo", ""), shell, session, LISTENER]));
    }

    /// `ControlMaster`: a new session over a connection that was there before.
    #[test]
    fn a_new_session_over_an_old_connection_is_older() {
        for title in ["sshd: root@pts/0,pts/1", "sshd: bob@notty", "sshd: bob [priv]"] {
            assert!(!judge(&[US, ("+bash", ""), ("sshd", title), LISTENER]), "{title}");
            // The listener that made it is gone.
            assert!(!judge(&[US, ("+bash", ""), ("sshd", title)]), "{title}");
        }
        let session = ("sshd-session", "sshd-session: bob@pts/0");
        assert!(!judge(&[US, ("+bash", ""), session, LISTENER]));
    }

    #[test]
    fn tmux_and_what_left_its_login_are_none() {
        assert!(!judge(&[US, ("+bash", ""), ("tmux: server", "tmux")]));
        assert!(!judge(&[US, ("+bash", ""), ("+tmux: server", "tmux")]));
        assert!(!judge(&[US, ("+bash", ""), ("+screen", "SCREEN")]));
        assert!(!judge(&[US, ("+sh", "sh -c sleep 1; keepalive-policy confirm")]));
        assert!(!judge(&[US, ("+cron", ""), ("cron", "/usr/sbin/cron -f")]));
        assert!(!judge(&[US]));
        assert!(!judge(&[]));
        assert!(!judge(&[("keepalive-polic", "")]));
    }

    #[test]
    fn we_are_the_first_of_our_ancestors() {
        let chain = ancestors();
        assert!(chain.len() >= 2, "{chain:?}");
        assert!(chain[0].started >= chain[1].started);
    }
}
