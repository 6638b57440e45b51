//! The questions that sshd asks a silent client (`ClientAlive`), and ssh a silent server
//! (`ServerAlive`). The answer is automatic, so a live but idle peer is never cut off.

use std::time::Duration;

use super::release::{CountZero, Release};
use super::{After, seconds};

/// An interval and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive {
    /// Seconds of silence before a question; 0 asks nothing.
    pub interval: u32,
    /// Questions that may stay unanswered.
    pub count: u32,
    /// Whose these are.
    pub side: Side,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// sshd of this release.
    Server(Release),
    /// ssh of this release.
    Client(Release),
}

/// When a silent peer is given up, and by which formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// After its last packet; `None` when never.
    pub after: After,
    /// The formula with its numbers, or why never.
    pub reason: String,
}

impl GivenUp {
    /// After this long, by this formula.
    #[must_use]
    pub const fn at(after: Duration, reason: String) -> Self {
        Self { after: Some(after), reason }
    }

    /// Never, and why.
    #[must_use]
    pub fn never(reason: impl Into<String>) -> Self {
        Self { after: None, reason: reason.into() }
    }
}

impl Alive {
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self.side {
            Side::Server(_) => ("sshd", "ClientAliveInterval", "ClientAliveCountMax"),
            Side::Client(_) => ("ssh", "ServerAliveInterval", "ServerAliveCountMax"),
        }
    }

    /// The release of the program that asks.
    #[must_use]
    pub const fn release(self) -> Release {
        match self.side {
            Side::Server(release) | Side::Client(release) => release,
        }
    }

    /// How many intervals lie between two questions.
    #[must_use]
    pub fn intervals_between_questions(self) -> u32 {
        match self.side {
            Side::Server(release) => release.intervals_between_questions(),
            Side::Client(_) => 1,
        }
    }

    /// How often the same question is sent.
    fn questions_at_a_time(self) -> u32 {
        match self.side {
            Side::Server(release) => release.questions_at_a_time(),
            Side::Client(_) => 1,
        }
    }

    /// The time between two questions, and from the peer's last packet to the first one; `None`
    /// where nothing is asked.
    #[must_use]
    pub fn step(self) -> After {
        let step = u64::from(self.interval) * u64::from(self.intervals_between_questions());
        (step > 0).then(|| Duration::from_secs(step))
    }

    /// When the first question is sent, after the peer's last packet; `None` where none is.
    #[must_use]
    pub fn first_question(self) -> After {
        match (self.count, self.side) {
            (0, Side::Client(_)) => None,
            (0, Side::Server(release)) if release.count_zero() == CountZero::DisconnectsAtOnce => {
                None
            }
            _ => self.step(),
        }
    }

    /// The questions to a peer that answers none, up to `end`.
    pub fn questions(self, end: Duration) -> impl Iterator<Item = Duration> {
        let step = self.first_question();
        let last = match self.count {
            0 => u32::MAX,
            count => count.div_ceil(self.questions_at_a_time()),
        };
        (1..=last)
            .map_while(move |number| step?.checked_mul(number))
            .take_while(move |at| *at <= end)
    }

    /// When a peer that is silent, and whose kernel still acknowledges, is given up on an idle
    /// session.
    #[must_use]
    pub fn gives_up(self) -> GivenUp {
        let (who, interval, count) = self.names();
        let Some(step) = self.step() else {
            return GivenUp::never(format!("{interval} 0: {who} asks nothing"));
        };
        if self.count == 0 {
            return self.gives_up_at_zero(step);
        }
        if self.questions_at_a_time() > 1 {
            return self.gives_up_counting_twice(step);
        }
        let after = step.saturating_mul(self.count.saturating_add(1));
        let (twice, note) = match self.intervals_between_questions() {
            1 => ("", String::new()),
            _ => ("2 * ", format!(": {} asks at twice the interval", self.release())),
        };
        let reason = format!(
            "{twice}{interval} {} * ({count} {} + 1) = {} s{note}",
            self.interval,
            self.count,
            seconds(after)
        );
        GivenUp::at(after, reason)
    }

    /// Each question is sent and counted twice, so half as many intervals use the count up.
    fn gives_up_counting_twice(self, step: Duration) -> GivenUp {
        let (_, interval, count) = self.names();
        let intervals = self.count.saturating_add(1).div_ceil(self.questions_at_a_time());
        let after = step.saturating_mul(intervals);
        GivenUp::at(
            after,
            format!(
                "{interval} {} * ({count} {} + 1) / 2, rounded up = {} s: {} sends and counts each \
                 question twice",
                self.interval,
                self.count,
                seconds(after),
                self.release()
            ),
        )
    }

    fn gives_up_at_zero(self, step: Duration) -> GivenUp {
        let (who, interval, count) = self.names();
        let at_once = format!("{count} 0: {who} disconnects at the first silent {interval}");
        match self.side {
            Side::Client(_) => GivenUp::at(step, at_once),
            Side::Server(release) => match release.count_zero() {
                CountZero::NeverDisconnects => GivenUp::never(format!(
                    "{count} 0: {who} asks every {} s for ever and never disconnects (since 8.2)",
                    seconds(step)
                )),
                CountZero::DisconnectsAtOnce => GivenUp::at(step, at_once),
                CountZero::Either => GivenUp::never(format!(
                    "{count} 0: {release} disconnects at the first silent interval, unless its \
                     vendor gave it the rule of 8.2 (Red Hat did), which is never"
                )),
            },
        }
    }

    /// The same while this side keeps writing more often than every interval.
    #[must_use]
    pub fn gives_up_while_writing(self) -> GivenUp {
        let (who, ..) = self.names();
        if self.interval == 0 {
            return self.gives_up();
        }
        match self.side {
            Side::Server(release) if !release.sshd_asks_while_writing() => {
                GivenUp::never(format!("{release}: {who} asks nothing while it keeps writing"))
            }
            Side::Client(release) if !release.ssh_asks_while_writing() => {
                GivenUp::never(format!("{release}: {who} asks nothing while it keeps writing"))
            }
            _ => self.gives_up(),
        }
    }
}
