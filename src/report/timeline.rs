//! A timeline of 80 columns: lanes below one another on a common scale.

use std::time::Duration;

/// Columns before the scale begins, and those of the scale.
const LABEL: usize = 16;
const SCALE: usize = 62;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lane {
    /// What it is about; cut where it is long.
    pub label: String,
    /// Times that are drawn through, from and to.
    pub bars: Vec<(Duration, Duration)>,
    /// Events, each with its sign. Later ones are drawn over earlier ones.
    pub marks: Vec<(Duration, char)>,
}

/// Draws the lanes from 0 to `end`; what comes later is left out.
#[must_use]
pub fn draw(end: Duration, lanes: &[Lane]) -> String {
    let step = step(end);
    let mut text = String::new();
    let (mut labels, mut axis) = (" ".repeat(LABEL), " ".repeat(LABEL));
    axis.push_str(&"-".repeat(SCALE));
    for tick in (0..).map_while(|number| step.checked_mul(number)) {
        let Some(column) = column(tick, end) else { break };
        put(&mut axis, column, '+');
        let label = label(tick);
        let at = labels.chars().count();
        // A label needs a blank before it, and room before the edge.
        if at <= column && column + label.chars().count() <= LABEL + SCALE + 2 {
            labels.push_str(&" ".repeat(column - at));
            labels.push_str(&label);
            labels.push(' ');
        }
    }
    text.push_str(labels.trim_end());
    text.push('\n');
    text.push_str(&axis);
    text.push('\n');
    for lane in lanes {
        text.push_str(&lane.draw(end));
        text.push('\n');
    }
    text
}

impl Lane {
    fn draw(&self, end: Duration) -> String {
        let label: String = self.label.chars().take(LABEL - 1).collect();
        let mut line = format!("{label:<LABEL$}");
        for (from, to) in &self.bars {
            let first = column(*from, end);
            let last = column((*to).min(end), end);
            if let (Some(first), Some(last)) = (first, last) {
                (first..=last).for_each(|column| put(&mut line, column, '='));
            }
        }
        for (at, mark) in &self.marks {
            if let Some(column) = column(*at, end) {
                put(&mut line, column, *mark);
            }
        }
        line.trim_end().to_owned()
    }
}

/// The column of a time; `None` beyond the end.
fn column(at: Duration, end: Duration) -> Option<usize> {
    if at > end {
        return None;
    }
    let last = u128::try_from(SCALE - 1).ok()?;
    let column = (at.as_millis() * last + end.as_millis() / 2).checked_div(end.as_millis())?;
    Some(LABEL + usize::try_from(column).ok()?)
}

/// Puts a character of one column at a column, whatever the line's length.
fn put(line: &mut String, column: usize, mark: char) {
    let mut chars: Vec<char> = line.chars().collect();
    if chars.len() <= column {
        chars.resize(column + 1, ' ');
    }
    if let Some(place) = chars.get_mut(column) {
        *place = mark;
    }
    *line = chars.into_iter().collect();
}

/// The time between two ticks: a round one, so that there are at most six.
fn step(end: Duration) -> Duration {
    const ROUND: [u64; 22] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
        86_400, 172_800, 432_000, 864_000, 2_592_000,
    ];
    let fits = |step: &u64| end.as_secs() / step < 7;
    let round = ROUND.into_iter().find(fits);
    Duration::from_secs(round.unwrap_or(end.as_secs() / 6).max(1))
}

/// One unit: `0`, `30 s`, `2 min`, `90 min`, `3 h`, `5 d`.
fn label(at: Duration) -> String {
    let seconds = at.as_secs();
    match seconds {
        0 => "0".to_owned(),
        _ if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn lanes_share_a_scale() {
        let questions = [4, 8, 12].map(|at| (seconds(at), '?'));
        let lanes = [
            Lane {
                label: "sshd asks".to_owned(),
                marks: questions.into_iter().chain([(seconds(13), 'X')]).collect(),
                bars: Vec::new(),
            },
            Lane {
                label: "a hop with a very long name".to_owned(),
                bars: vec![(seconds(0), seconds(6))],
                marks: vec![(seconds(6), 'X')],
            },
        ];
        assert_eq!(
            draw(seconds(12), &lanes),
            "                0         2 s       4 s        6 s       8 s       10 s
                +---------+---------+----------+---------+---------+---------+
sshd asks                           ?                    ?                   ?
a hop with a ve ===============================X
"
        );
    }

    #[test]
    fn no_line_is_longer_than_80_columns() {
        for end in [0, 1, 3, 59, 61, 240, 942, 7875, 86_399, 432_000, 100_000_000, u64::MAX / 2000]
        {
            let lane = Lane {
                label: "x".repeat(50),
                bars: vec![(seconds(0), seconds(u64::MAX))],
                marks: vec![(seconds(end), 'X'), (seconds(u64::MAX), '?')],
            };
            for line in draw(seconds(end), &[lane]).lines() {
                assert!(line.chars().count() <= 80, "{end}: {line}");
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        for (end, expected) in [(3, 1), (12, 2), (60, 10), (240, 60), (942, 300), (7875, 1800)] {
            assert_eq!(step(seconds(end)), seconds(expected), "{end}");
        }
    }
}
