//! Terminals that keep their settings in `.ini` files.

use super::{Certainty, IGNORE, Notes, Settings};
use crate::client::securecrt;

pub(super) fn securecrt(settings: &Settings) -> String {
    let notes = Notes {
        title: "Keepalive settings for SecureCRT",
        place: "in a session's .ini file below Sessions in %APPDATA%\\VanDyke\\Config (Windows), \
                ~/Library/Application Support/VanDyke/SecureCRT/Config (macOS) or \
                ~/.vandyke/SecureCRT/Config (Linux), while SecureCRT is closed; new sessions copy \
                Default.ini, existing ones don't follow it",
        wire: "a protocol NO-OP every N seconds: keeps a NAT or firewall open; whether it finds a dead \
               server is not documented",
        certainty: Certainty::Observed,
        more: &["These lines of comment are for you: don't put them into the file. \
             `--into FILE` edits a session's file in place"],
    };
    let lines: Vec<String> =
        securecrt::lines(settings.interval).map(|(name, value)| format!("{name}={value}\n")).into();
    notes.comment(";") + &lines.concat()
}

pub(super) fn teraterm(settings: &Settings) -> String {
    let notes = Notes {
        title: "Keepalive settings for Tera Term",
        place: "in TERATERM.INI (version 5: %APPDATA%\\teraterm5), section [TTSSH]",
        wire: IGNORE,
        certainty: Certainty::Documented,
        more: &["Seconds without SSH packets; 0 switches it off, 300 is the default"],
    };
    format!("{}[TTSSH]\nHeartBeat={}\n", notes.comment(";"), settings.interval)
        .replace('\n', "\r\n")
}

pub(super) fn mobaxterm(settings: &Settings) -> String {
    let notes = Notes {
        title: "Keepalive settings for MobaXterm",
        place: "in MobaXterm.ini, section [SSH], while MobaXterm is closed",
        wire: "not known",
        certainty: Certainty::Assumed,
        more: &[
            "The key was seen in real files, its meaning is an assumption",
            "It only switches a keepalive on or off: the declared interval has no place in it",
        ],
    };
    let on = u32::from(settings.interval > 0);
    format!("{}[SSH]\nSSHKeepAlive2={on}\n", notes.comment(";")).replace('\n', "\r\n")
}
