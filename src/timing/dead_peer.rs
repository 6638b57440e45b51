//! When a peer that is gone is noticed, and who is first.
//!
//! sshd's questions are data. A peer that vanished does not acknowledge them, so from the first
//! one on the kernel counts retransmissions instead of sending keepalive probes, and may give up
//! long before sshd has asked as often as it should.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::alive::{GivenUp, Side};
use super::{After, End, Kernel, Party, as_seconds, seconds};

/// What happened to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// It lost power, or the link is cut: nothing answers, not even its kernel.
    Vanished,
    /// Its program hangs, and its kernel acknowledges what it gets.
    Frozen,
}

/// What this end of the session does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Nothing.
    Idle,
    /// It keeps writing, more often than every interval.
    Writing,
}

/// Who would find out, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Who.
    pub by: Party,
    /// After the peer's last packet, or while this end writes after the first unacknowledged byte.
    #[serde(rename = "after_s", serialize_with = "as_seconds")]
    pub after: After,
    /// The formula with its numbers, or why never.
    pub reason: String,
}

/// All who would find out, the first one first, those who never do at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadPeer {
    /// What happened to the peer.
    pub loss: Loss,
    /// What this end does meanwhile.
    pub traffic: Traffic,
    /// Never empty.
    pub findings: Vec<Finding>,
}

impl Serialize for DeadPeer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            peer: Loss,
            session: Traffic,
            #[serde(serialize_with = "as_seconds")]
            noticed_after_s: After,
            by: Option<Party>,
            findings: &'a [Finding],
        }
        let first = self.first();
        Shown {
            peer: self.loss,
            session: self.traffic,
            noticed_after_s: first.and_then(|finding| finding.after),
            by: first.map(|finding| finding.by),
            findings: &self.findings,
        }
        .serialize(serializer)
    }
}

impl DeadPeer {
    /// All four cases for one end of a session.
    #[must_use]
    pub fn all(end: End, kernel: Kernel) -> [Self; 4] {
        [
            Self::of(Loss::Vanished, Traffic::Idle, end, kernel),
            Self::of(Loss::Frozen, Traffic::Idle, end, kernel),
            Self::of(Loss::Vanished, Traffic::Writing, end, kernel),
            Self::of(Loss::Frozen, Traffic::Writing, end, kernel),
        ]
    }

    /// One of them.
    #[must_use]
    pub fn of(loss: Loss, traffic: Traffic, end: End, kernel: Kernel) -> Self {
        let mut findings = vec![
            finding(end.party(), asked(traffic, end)),
            finding(Party::KernelRetransmission, retransmission(loss, traffic, end, kernel)),
            finding(Party::KernelKeepalive, keepalive(loss, traffic, end, kernel)),
        ];
        findings.sort_by_key(|finding| finding.after.unwrap_or(Duration::MAX));
        Self { loss, traffic, findings }
    }

    /// Who is first; `None` when nobody ever finds out.
    #[must_use]
    pub fn first(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.after.is_some())
    }
}

fn finding(by: Party, given_up: GivenUp) -> Finding {
    Finding { by, after: given_up.after, reason: given_up.reason }
}

impl End {
    /// The program at this end.
    #[must_use]
    pub const fn party(&self) -> Party {
        match self.alive.side {
            Side::Server(_) => Party::Sshd,
            Side::Client(_) => Party::Ssh,
        }
    }
}

fn asked(traffic: Traffic, end: End) -> GivenUp {
    match traffic {
        Traffic::Idle => end.alive.gives_up(),
        Traffic::Writing => end.alive.gives_up_while_writing(),
    }
}

fn retransmission(loss: Loss, traffic: Traffic, end: End, kernel: Kernel) -> GivenUp {
    if loss == Loss::Frozen {
        return GivenUp::never("the peer's kernel acknowledges what it gets");
    }
    let given_up = kernel.retransmission();
    if traffic == Traffic::Writing {
        return given_up;
    }
    let Some((question, tries)) = end.alive.first_question().zip(given_up.after) else {
        return GivenUp::never("nothing is sent that could go unacknowledged");
    };
    let after = question.saturating_add(tries);
    let (question, tries) = (seconds(question), seconds(tries));
    let reason = format!(
        "the question after {question} s is not acknowledged: {question} + {tries} = {} s; {}",
        seconds(after),
        given_up.reason
    );
    GivenUp::at(after, reason)
}

fn keepalive(loss: Loss, traffic: Traffic, end: End, kernel: Kernel) -> GivenUp {
    if !end.tcp_keepalive {
        return GivenUp::never("TCPKeepAlive no: the kernel sends no probes");
    }
    let given_up = kernel.keepalive();
    // A reset without a probe waits for no answer.
    if loss == Loss::Frozen && kernel.probes > 0 {
        return GivenUp::never("the peer's kernel answers the probes");
    }
    if traffic == Traffic::Writing {
        return GivenUp::never("no probes while data is unacknowledged");
    }
    match end.alive.first_question().zip(given_up.after) {
        Some((question, after)) if loss == Loss::Vanished && question < after => {
            GivenUp::never(format!(
                "the question after {} s is unacknowledged data, and stops the probes before {} s",
                seconds(question),
                seconds(after)
            ))
        }
        _ => given_up,
    }
}
