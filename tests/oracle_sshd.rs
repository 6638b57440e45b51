//! Our evaluation and our edits before the real sshd, on random trees.
//!
//! `KEEPALIVE_ORACLE_TREES` sets how many trees each test tries, `KEEPALIVE_ORACLE_SEED` the first
//! seed. A failure prints its seed and the tree.

#[cfg(test)]
mod oracle {
    mod criteria;
    mod edits;
    mod globs;
    mod lines;
    mod other_release;
    mod random;
    mod real;
    mod trees;
    mod values;
    mod words;

    fn count(default: u64) -> u64 {
        std::env::var("KEEPALIVE_ORACLE_TREES").map_or(default, |text| text.parse().unwrap())
    }

    fn first_seed() -> u64 {
        std::env::var("KEEPALIVE_ORACLE_SEED").map_or(1, |text| text.parse().unwrap())
    }
}
