//! What the kernel's TCP does on its own: keepalive probes on a quiet connection, and sending data
//! again that nobody acknowledges.

use std::time::Duration;

use super::alive::GivenUp;
use super::seconds;

/// `TCP_RTO_MIN`: the least time before data is sent again, and the base of `tcp_retries2`.
const RTO_MIN: Duration = Duration::from_millis(200);

/// The retransmission timeout of a path of a few milliseconds: the minimum and a tick or two.
const RTO_USUAL: Duration = Duration::from_millis(208);

/// That of a path that takes a few hundred milliseconds.
const RTO_SLOW: Duration = Duration::from_secs(1);

/// The values in force, of one network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// `net.ipv4.tcp_keepalive_time`, seconds. The kernel takes 0 and negative numbers too.
    pub time: i64,
    /// `net.ipv4.tcp_keepalive_intvl`, seconds.
    pub intvl: i64,
    /// `net.ipv4.tcp_keepalive_probes`.
    pub probes: u32,
    /// `net.ipv4.tcp_retries2`.
    pub retries2: u32,
    /// `net.ipv4.tcp_rto_max_ms`, since 6.15; before, `TCP_RTO_MAX`.
    pub rto_max: Duration,
    /// Ticks a second: the kernel's timers are as coarse as these make them.
    pub hz: u32,
}

impl Default for Kernel {
    /// What every network namespace begins with.
    fn default() -> Self {
        Self {
            time: 7200,
            intvl: 75,
            probes: 9,
            retries2: 15,
            rto_max: Duration::from_secs(120),
            hz: 250,
        }
    }
}

impl Kernel {
    /// The first probe after the last segment that was received; `None` when there is none within
    /// reason: a negative time is weeks.
    #[must_use]
    pub fn first_probe(self) -> Option<Duration> {
        u64::try_from(self.time).ok().filter(|_| self.probes > 0).map(Duration::from_secs)
    }

    /// The time between two probes to a peer that answers.
    #[must_use]
    pub fn between_probes(self) -> Option<Duration> {
        let longer = u64::try_from(self.time.max(self.intvl)).ok()?;
        self.first_probe().map(|_| Duration::from_secs(longer))
    }

    /// The probes to a peer that answers none.
    pub fn probes(self) -> impl Iterator<Item = Duration> {
        let between = Duration::from_secs(u64::try_from(self.intvl).unwrap_or(u64::MAX));
        let first = self.first_probe();
        (0..self.probes).map_while(move |number| first?.checked_add(between.checked_mul(number)?))
    }

    /// When a connection with nothing in flight is given up, after the last segment received.
    #[must_use]
    pub fn keepalive(self) -> GivenUp {
        let Self { time, intvl, probes, .. } = self;
        let (Ok(start), Ok(between)) = (u64::try_from(time), u64::try_from(intvl)) else {
            return GivenUp::never(format!(
                "tcp_keepalive_time {time}, tcp_keepalive_intvl {intvl}: a negative time sends \
                 nothing for weeks"
            ));
        };
        let start = Duration::from_secs(start);
        if probes == 0 {
            let reason = format!(
                "tcp_keepalive_probes 0: the kernel resets every idle connection after {time} s, \
                 also live ones, without a probe"
            );
            return GivenUp::at(start, reason);
        }
        let after = Duration::from_secs(between)
            .checked_mul(probes)
            .and_then(|probing| start.checked_add(probing))
            .unwrap_or(Duration::MAX);
        let reason = format!(
            "tcp_keepalive_time {time} + tcp_keepalive_probes {probes} * tcp_keepalive_intvl \
             {intvl} = {} s",
            seconds(after)
        );
        GivenUp::at(after, reason)
    }

    /// When data that nobody acknowledges is given up, after it was first sent, on a path of a few
    /// milliseconds.
    #[must_use]
    pub fn retransmission(self) -> GivenUp {
        let (usual, slow) = (self.gives_up_after(RTO_USUAL), self.gives_up_after(RTO_SLOW));
        let mut reason = format!(
            "tcp_retries2 {}: sent again after 0.2 s, then after twice as long each time, up to \
             {} s, given up after {} s",
            self.retries2,
            seconds(self.rto_max),
            seconds(usual)
        );
        if slow > usual {
            reason += &format!(" ({} s on a path with a delay of 0.3 s)", seconds(slow));
        }
        GivenUp::at(usual, reason)
    }

    /// `tcp_write_timeout()`: after a tail loss probe the timer fires after `first`, then after
    /// twice that, and so on up to the maximum. The connection is given up at the first firing that
    /// comes as long after the first one as `tcp_retries2` would take with the smallest timeout.
    fn gives_up_after(self, first: Duration) -> Duration {
        let enough = self.patience();
        let mut wait = first.min(self.rto_max);
        let begin = wait.saturating_add(self.late(wait));
        let mut at = begin;
        loop {
            wait = wait.saturating_mul(2).min(self.rto_max);
            at = at.saturating_add(self.late(wait));
            if wait.is_zero() || at.saturating_sub(begin) >= enough {
                return at;
            }
        }
    }

    /// When a timer of the kernel fires on average. Its wheel (`kernel/time/timer.c`) has levels of
    /// 64 slots, each 8 times as coarse as the one before, and rounds up to the next slot.
    fn late(self, wait: Duration) -> Duration {
        let tick = Duration::from_secs(1).checked_div(self.hz).unwrap_or_default();
        let ticks = wait.as_nanos().checked_div(tick.as_nanos()).unwrap_or(0);
        let level = (ticks / 64).checked_ilog2().map_or(0, |log| log / 3 + 1);
        let slot = tick.saturating_mul(8_u32.saturating_pow(level));
        wait.saturating_add(slot / 2)
    }

    /// `tcp_model_timeout()`: doubling from [`RTO_MIN`] while that is below the maximum, then
    /// linear.
    fn patience(self) -> Duration {
        let ratio = self.rto_max.as_millis() / RTO_MIN.as_millis();
        let threshold = ratio.checked_ilog2().unwrap_or(0);
        // The sysctl ends at 255.
        let retries = self.retries2.min(255);
        let doubled = retries.min(threshold);
        let factor = 2_u32.checked_shl(doubled).unwrap_or(u32::MAX).saturating_sub(1);
        let linear = self.rto_max.saturating_mul(retries.saturating_sub(threshold));
        RTO_MIN.saturating_mul(factor).saturating_add(linear)
    }
}
