//! How long corrections take, from a kernel value in microseconds to an sshd that is reloaded.

use super::Page;

/// Upper bounds in microseconds, and as the text format wants them, in seconds.
const BOUNDS: [(u64, &str); 12] = [
    (50, "5e-05"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
    (30_000_000, "30"),
];

/// Counts by duration.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    within: [u64; BOUNDS.len()],
    count: u64,
    micros: u64,
}

impl Histogram {
    pub fn observe(&mut self, micros: u64) {
        for (within, (bound, _)) in self.within.iter_mut().zip(BOUNDS) {
            *within += u64::from(micros <= bound);
        }
        self.count += 1;
        self.micros = self.micros.saturating_add(micros);
    }

    pub fn print(&self, page: &mut Page, name: &str, resource: &str) {
        let bucket = format!("{name}_bucket");
        for (within, (_, bound)) in self.within.iter().zip(BOUNDS) {
            page.sample(&bucket, &[("resource", resource), ("le", bound)], within);
        }
        page.sample(&bucket, &[("resource", resource), ("le", "+Inf")], self.count);
        let seconds = format!("{}.{:06}", self.micros / 1_000_000, self.micros % 1_000_000);
        page.sample(&format!("{name}_sum"), &[("resource", resource)], seconds);
        page.sample(&format!("{name}_count"), &[("resource", resource)], self.count);
    }
}
