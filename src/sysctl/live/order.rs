//! In which order values are written: each write is in force at once, and connections live through
//! every state in between.

use std::collections::BTreeMap;

use super::Change;
use crate::sysctl::Key;

#[cfg(test)]
mod tests;

/// The order whose intermediate states do the least harm; the given one among equals.
pub fn least_harmful(current: &BTreeMap<Key, i64>, changes: Vec<Change>) -> Vec<Change> {
    permutations(&changes)
        .into_iter()
        .min_by_key(|order| harm_on_the_way(current, order))
        .unwrap_or(changes)
}

/// The harm of every state but the first and the last, which no order changes.
fn harm_on_the_way(current: &BTreeMap<Key, i64>, order: &[Change]) -> u32 {
    let mut state = current.clone();
    let mut total = 0;
    for change in order.iter().take(order.len().saturating_sub(1)) {
        state.insert(change.key, change.to);
        total += harm(&state);
    }
    total
}

/// What a state does: no probes or no retries resets connections that are alive, a time or an interval of 0 kills
/// them within milliseconds; a negative one switches keepalive off; an interval above the time only
/// delays.
fn harm(state: &BTreeMap<Key, i64>) -> u32 {
    let value = |key| state.get(&key).copied();
    let of_number = |number: Option<i64>| match number {
        Some(0) => 100,
        Some(negative) if negative < 0 => 10,
        _ => 0,
    };
    let (time, intvl) = (value(Key::KeepaliveTime), value(Key::KeepaliveIntvl));
    let slow = time.zip(intvl).is_some_and(|(time, intvl)| intvl > time);
    let (probes, retries) = (value(Key::KeepaliveProbes), value(Key::Retries2));
    let numbers = [time, intvl, probes, retries].map(of_number);
    numbers.iter().sum::<u32>() + u32::from(slow)
}

/// Every order, the given one first. There are at most four changes, so at most 24.
fn permutations(changes: &[Change]) -> Vec<Vec<Change>> {
    if changes.len() <= 1 {
        return vec![changes.to_vec()];
    }
    let mut orders = Vec::new();
    for (index, first) in changes.iter().enumerate() {
        let mut rest = changes.to_vec();
        rest.remove(index);
        for mut order in permutations(&rest) {
            order.insert(0, first.clone());
            orders.push(order);
        }
    }
    orders
}
