//! `explain`: who decides about each setting, what that means in seconds, whether the path is
//! survived.

use super::{ERROR, Invocation, complain};
use crate::explain::{blocked, explain, look};
use crate::report::explain::text;
use crate::report::text::Style;

pub(super) fn run(invocation: &Invocation) -> u8 {
    let policy = match invocation.load() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    let seen = match look(&invocation.host, &policy) {
        Ok(seen) => seen,
        Err(error) => return complain(&error),
    };
    let explained = explain(&policy, &seen);
    invocation.print(&explained, || text(&explained, Style::of_stdout()));
    if blocked(&explained.problems) { ERROR } else { u8::from(!explained.survives) }
}
