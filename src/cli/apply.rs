//! `apply`: one reconciliation now, with verification; with `--confirm` one that undoes itself unless
//! `confirm` is run.

use serde_json::json;

use super::pause::needs_root;
use super::{ERROR, Invocation, complain, verdict};
use crate::brake;
use crate::brake::unconfirmed::{self, Settled, Trial, Unconfirmed};
use crate::brake::who::Who;
use crate::governed::Governed;
use crate::policy::{Policy, duration};
use crate::reconcile::{Mode, Report};
use crate::report::json;
use crate::report::status::date;
use crate::report::text::{self, Style};
use crate::report::wrap::hanging;

/// The shortest time in which a person can log in and type.
const SHORTEST: u32 = 10;

/// TIME of `--confirm`, in seconds.
pub(super) fn time(text: &str) -> Result<u32, String> {
    match duration::seconds(text) {
        Ok(seconds) if (u64::from(SHORTEST)..=brake::LONGEST_TRIAL).contains(&seconds.into()) => {
            Ok(seconds)
        }
        Ok(_) => Err("from 10s to 1h".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn run(invocation: &Invocation, confirm: Option<u32>) -> u8 {
    let policy = match invocation.load() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    if policy.mode == Mode::Enforce
        && let Err(error) = invocation.host.trust_root()
    {
        return complain(&error);
    }
    if let Err(code) = nothing_waits(invocation, &policy) {
        return code;
    }
    match confirm {
        Some(seconds) => on_trial(invocation, &policy, seconds),
        None => {
            // Under `mode = "audit"` nothing is changed by this command either.
            let reports = Governed::default().reconcile(&invocation.host, &policy, policy.mode);
            show(invocation, &policy, reports, None)
        }
    }
}

/// A change that waits to be confirmed is not built upon; one whose time is over is undone first.
fn nothing_waits(invocation: &Invocation, policy: &Policy) -> Result<(), u8> {
    if policy.mode != Mode::Enforce {
        return Ok(());
    }
    match unconfirmed::settle(&invocation.host, false) {
        Ok(Settled::Nothing) => Ok(()),
        Ok(Settled::Waits(left)) => Err(complain(&format!(
            "a change waits to be confirmed, or is undone in {} s: run `keepalive-policy confirm` in a \
             new login, or wait",
            left.as_secs()
        ))),
        Ok(Settled::Undone(_)) => Err(complain(
            &"a change had not been confirmed in time, and is undone now; run this again if you want it",
        )),
        Err(error) => Err(complain(&error)),
    }
}

fn on_trial(invocation: &Invocation, policy: &Policy, seconds: u32) -> u8 {
    if !invocation.host.is_live() {
        return complain(&"--confirm is about this machine, and not with --root");
    }
    if let Err(code) = needs_root(invocation) {
        return code;
    }
    let who = Who::caller(|name| std::env::var(name).ok());
    let mut trial = match Trial::begin(&invocation.host, seconds, who) {
        Ok(trial) => trial,
        Err(error) => return complain(&error),
    };
    let reports = Governed::default().reconcile_traced(
        &invocation.host,
        policy,
        policy.mode,
        &mut |traces| trial.record(traces),
    );
    match trial.finish() {
        Ok(waits) => show(invocation, policy, reports, Some((seconds, waits))),
        Err(error) => {
            show(invocation, policy, reports, None);
            complain(&format!("{error}; the change can't be confirmed, and will be undone"))
        }
    }
}

/// `trial` is the time that was given, and the change that waits, if there is one.
fn show(
    invocation: &Invocation,
    policy: &Policy,
    mut reports: Vec<Report>,
    trial: Option<(u32, Option<Unconfirmed>)>,
) -> u8 {
    if trial.is_none() {
        // Who runs this wants it now, pause or not; and should know that it will not last.
        let paused = brake::look(&invocation.host).notice().into_iter().collect();
        reports.push(Report::of_problems(brake::NAME, paused));
    }
    let until = trial.as_ref().and_then(|(_, waits)| Some(waits.as_ref()?.span.end()));
    let mut data = serde_json::to_value(json::Applied::of(&reports)).unwrap_or_default();
    if let (Some(fields), true) = (data.as_object_mut(), trial.is_some()) {
        fields.insert("confirm_until".to_owned(), json!(until));
    }
    invocation.print(&data, || {
        let style = Style::of_stdout();
        let text = text::applied(&reports, policy.mode, "keepalive-policy diff", style);
        text + &trial.map_or_else(String::new, |(seconds, _)| advice(seconds, until))
    });
    verdict(&reports)
}

fn advice(seconds: u32, until: Option<u64>) -> String {
    let Some(until) = until else {
        return "\nNothing was changed, so there is nothing to confirm.\n".to_owned();
    };
    let sentence = format!(
        "Within {seconds} s, log in anew, over a connection of its own, and run `keepalive-policy \
         confirm` there. Otherwise all of this is undone at {}, and the daemon corrects nothing until \
         `keepalive-policy resume`.",
        date(until)
    );
    format!("\n{}", hanging("", 0, &sentence))
}

/// `confirm`: keeps the change.
pub(super) fn confirm(invocation: &Invocation) -> u8 {
    use unconfirmed::Confirmed;
    if let Err(code) = needs_root(invocation) {
        return code;
    }
    let said = |confirmed: bool, sentence: &str| {
        let data = json!({ "version": 1, "confirmed": confirmed, "message": sentence });
        invocation.print(&data, || hanging("", 0, sentence));
        u8::from(!confirmed)
    };
    match unconfirmed::confirm(&invocation.host) {
        Ok(Confirmed::Stays) => said(true, "Confirmed: the change stays."),
        Ok(Confirmed::Nothing) => match brake::look(&invocation.host) {
            brake @ brake::Brake::Undone { .. } => {
                said(false, &format!("Too late: {}.", brake.sentence().unwrap_or_default()))
            }
            _ => said(false, "There is nothing to confirm."),
        },
        Ok(Confirmed::TooLate(undone)) if undone.failed() => {
            complain(&"too late; and not all could be undone: see the journal");
            ERROR
        }
        Ok(Confirmed::TooLate(_)) => said(false, "Too late: the change is undone."),
        Ok(Confirmed::Refused(why)) => complain(&format!("not confirmed: {why}")),
        Err(error) => complain(&error),
    }
}

/// `confirm --undo`: what the alarm runs. Waits until the time is over, and undoes the change unless it
/// was confirmed.
pub(super) fn undo(invocation: &Invocation) -> u8 {
    crate::host::Host::leave_session();
    if let Err(code) = needs_root(invocation) {
        return code;
    }
    crate::report::journal::init();
    crate::daemon::undo_unconfirmed(&invocation.host)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn a_change_waits_from_ten_seconds_to_an_hour() {
        for (text, expected) in [
            ("10s", Some(10)),
            ("2m", Some(120)),
            ("1h", Some(3600)),
            ("9s", None),
            ("3601", None),
            ("0", None),
            ("x", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
    }
}
