//! The path budget: the longest silence of an idle session against the patience of each hop.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::silence::{Sign, longest};
use super::{After, Party, as_seconds};
use crate::hops::{Certainty, Counts};
use crate::policy::Hop;

/// How much of a hop's patience may be used: a message can be late, and clocks differ.
const SAFE_PERCENT: u32 = 75;

/// What becomes of an idle session at a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The silence is at most 75 % of the hop's patience.
    Survives,
    /// It is longer than that, and still shorter than the patience.
    Tight,
    /// The hop forgets the session.
    Dies,
}

/// One hop of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing<'h> {
    /// The hop.
    pub hop: &'h Hop,
    /// The longest silence that it sees.
    pub silence: After,
    /// Who breaks that silence.
    pub by: Option<Party>,
    /// What becomes of the session.
    pub verdict: Verdict,
}

impl Serialize for Crossing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            hop: &'a str,
            idle_s: u32,
            safe_s: u64,
            tcp_keepalive: bool,
            #[serde(serialize_with = "as_seconds")]
            longest_silence_s: After,
            by: Option<Party>,
            verdict: Verdict,
        }
        Shown {
            hop: self.hop.id(),
            idle_s: self.hop.idle(),
            safe_s: self.hop.safe().as_secs(),
            tcp_keepalive: self.hop.counts_bare(),
            longest_silence_s: self.silence,
            by: self.by,
            verdict: self.verdict,
        }
        .serialize(serializer)
    }
}

impl Crossing<'_> {
    /// Why the silence is as long as it is: the formula of the sign that breaks it, or why there is
    /// none.
    #[must_use]
    pub fn why(&self, signs: &[Sign]) -> String {
        if let Some(sign) = signs.iter().find(|sign| Some(sign.by) == self.by) {
            return sign.reason.clone();
        }
        let reason = |sign: &Sign| match sign.every {
            Some(_) => "it does not count bare TCP keepalives".to_owned(),
            None => sign.reason.clone(),
        };
        signs.iter().map(reason).collect::<Vec<_>>().join("; ")
    }
}

impl Hop {
    /// Its id in the table, or its own name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Known(hop) => hop.id,
            Self::Own(hop) => &hop.name,
        }
    }

    /// Seconds of silence that it forgives.
    #[must_use]
    pub const fn idle(&self) -> u32 {
        match self {
            Self::Known(hop) => hop.idle,
            Self::Own(hop) => hop.idle,
        }
    }

    /// The longest silence that is safe: 75 % of its patience.
    #[must_use]
    pub fn safe(&self) -> Duration {
        safe(self.idle())
    }

    /// Whether a bare kernel probe restarts its clock. Where nobody knows, it does not.
    #[must_use]
    pub fn counts_bare(&self) -> bool {
        match self {
            Self::Known(hop) => hop.tcp_keepalive == Counts::Yes,
            Self::Own(hop) => hop.tcp_keepalive,
        }
    }

    /// Whether its patience is only general knowledge.
    #[must_use]
    pub fn is_hearsay(&self) -> bool {
        matches!(self, Self::Known(hop) if hop.certainty == Certainty::Hearsay)
    }
}

/// The longest silence, in whole seconds, that a hop of this patience forgives with the margin.
#[must_use]
pub fn safe(idle: u32) -> Duration {
    Duration::from_secs(u64::from(idle) * u64::from(SAFE_PERCENT) / 100)
}

/// Judges every hop. `signs` are those of the ends whose settings are known.
#[must_use]
pub fn budget<'h>(hops: &'h [Hop], signs: &[Sign]) -> Vec<Crossing<'h>> {
    let cross = |hop: &'h Hop| {
        let sign = longest(signs, hop.counts_bare());
        let silence = sign.and_then(|sign| sign.every);
        let verdict = match silence {
            Some(silence) if silence <= hop.safe() => Verdict::Survives,
            Some(silence) if silence < Duration::from_secs(hop.idle().into()) => Verdict::Tight,
            _ => Verdict::Dies,
        };
        Crossing { hop, silence, by: sign.map(|sign| sign.by), verdict }
    };
    hops.iter().map(cross).collect()
}

/// The largest interval that all of `hops` forgive with the margin, when a question comes every
/// `factor` intervals; rounded down to what people write. `None` when even 1 s is too long.
#[must_use]
pub fn interval_for(hops: &[Hop], factor: u32) -> Option<u32> {
    let shortest = hops.iter().map(Hop::safe).min()?;
    let exact = u32::try_from(shortest.as_secs()).unwrap_or(u32::MAX).checked_div(factor)?;
    let rounded = match exact {
        0..20 => exact,
        20..100 => exact - exact % 5,
        _ => exact - exact % 10,
    };
    (rounded > 0).then_some(rounded)
}
