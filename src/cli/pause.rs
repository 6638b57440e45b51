//! `pause` and `resume`: no corrections for a while.

use rustix::process::geteuid;
use serde_json::json;

use super::{Invocation, complain};
use crate::brake::who::Who;
use crate::brake::{self, Brake, LONGEST};
use crate::governed;
use crate::policy::duration;
use crate::report::status::{Status, date};
use crate::report::wrap::hanging;

/// TIME of `pause`, in seconds.
pub(super) fn time(text: &str) -> Result<u32, String> {
    match duration::seconds(text) {
        Ok(0) => Err("a pause of no time is none".to_owned()),
        Ok(seconds) if seconds > LONGEST => Err(
            "the longest pause is 30d; what is to stay as it is belongs out of the policy, or mode = \
             \"audit\" into it"
                .to_owned(),
        ),
        Ok(seconds) => Ok(seconds),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn pause(invocation: &Invocation, seconds: u32) -> u8 {
    if let Err(code) = needs_root(invocation) {
        return code;
    }
    let host = &invocation.host;
    let who = Who::caller(|name| std::env::var(name).ok());
    let paused = brake::pause(host, seconds, who).and_then(|brake| {
        // Who is correcting something at this moment has not seen the record.
        governed::LOCKS.iter().try_for_each(|name| host.lock(name).map(drop))?;
        Ok(brake)
    });
    let brake = match paused {
        Ok(brake) => brake,
        Err(error) => return complain(&error),
    };
    let until = brake.until();
    let runs = matches!(Status::read(host), Ok(Some(_)));
    let data = json!({ "version": 1, "paused_until": until, "daemon_runs": runs });
    invocation.print(&data, || {
        let rest = match runs {
            true => "",
            false => " No daemon runs here now; one that is started meanwhile waits, too.",
        };
        let until = date(until.unwrap_or_default());
        hanging(
            "",
            0,
            &format!(
                "Paused until {until}: the daemon reports drift and corrects nothing. \
                 `keepalive-policy resume` ends that.{rest}"
            ),
        )
    });
    0
}

pub(super) fn resume(invocation: &Invocation) -> u8 {
    if let Err(code) = needs_root(invocation) {
        return code;
    }
    let before = match brake::resume(&invocation.host) {
        Ok(before) => before,
        Err(error) => return complain(&error),
    };
    if let Brake::Awaiting { .. } = before {
        return complain(
            &"a change waits to be confirmed: run `keepalive-policy confirm` in a new login, or wait \
              until it is undone",
        );
    }
    let data = json!({ "version": 1, "was_paused": before.is_on() });
    invocation.print(&data, || {
        let sentence = match before {
            Brake::Off => "Nothing was paused.\n",
            Brake::Undone { .. } => {
                "The daemon enforces again, and with that makes the change again that was undone.\n"
            }
            _ => "The pause is over: the daemon corrects again.\n",
        };
        sentence.to_owned()
    });
    0
}

/// Of a tree (`--root`) its files decide who may.
pub(super) fn needs_root(invocation: &Invocation) -> Result<(), u8> {
    if invocation.host.is_live() && !geteuid().is_root() {
        return Err(complain(&"needs root"));
    }
    invocation.host.trust_root().map_err(|error| complain(&error))
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_those_of_the_policy_within_bounds() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("10m", Some(600)),
            ("2h", Some(7200)),
            ("1d", Some(86_400)),
            ("90", Some(90)),
            ("30d", Some(2_592_000)),
            ("30d1s", None),
            ("0", None),
            ("", None),
            ("-1", None),
            ("1.5h", None),
            ("forever", None),
            ("99999999999999d", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
    }
}
