//! `--watch`: the same again and again, until the reader has seen enough.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::{Format, Invocation, Watch};
use crate::host::wait::pause;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Home, and clear to the end of the screen.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// Runs `once`, which gives the exit code and whether anybody still reads; with `--watch` until
/// nobody does.
pub(super) fn watching(
    invocation: &Invocation,
    watch: Watch,
    mut once: impl FnMut(&Invocation) -> (u8, bool),
) -> u8 {
    let screen = invocation.format == Format::Text && std::io::stdout().is_terminal();
    loop {
        if watch.watch && screen {
            let _ = std::io::stdout().write_all(CLEAR);
        }
        let (code, read) = once(invocation);
        if !watch.watch || !read {
            return code;
        }
        let _ = std::io::stdout().flush();
        pause(EVERY);
    }
}
