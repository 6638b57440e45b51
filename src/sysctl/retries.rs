//! What a number of retries (`net.ipv4.tcp_retries2`) means in seconds.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// `TCP_RTO_MIN`: the first retransmission comes no sooner, and the model begins with it.
const SHORTEST: Duration = Duration::from_millis(200);

/// `TCP_RTO_MAX`: the wait doubles up to this.
const LONGEST: Duration = Duration::from_secs(120);

/// How long data may go unacknowledged before the kernel gives the connection up, at the least.
///
/// `tcp_model_timeout()` of `net/ipv4/tcp_timer.c`: the kernel does not count retransmissions, but
/// computes from the count how long they would take on the fastest path, `(2^(n+1) - 1) * 0.2 s` up
/// to 9 and 120 s for each one beyond. It gives up at the first retransmission after that, which on
/// a slow path is later, up to twice as late.
#[must_use]
pub fn gives_up_after(retries: u32) -> Duration {
    let waits = (0..=retries).map(|nth| {
        let doubled = 1_u32.checked_shl(nth).and_then(|factor| SHORTEST.checked_mul(factor));
        doubled.unwrap_or(LONGEST).min(LONGEST)
    });
    waits.sum()
}
