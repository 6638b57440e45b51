//! Every value is the one that ssh uses.

use std::fs;

use keepalive_policy::reconcile::Value;
use keepalive_policy::ssh_client::Keyword;
use keepalive_policy::ssh_client::evaluate::{self, Destination, Reading};

use super::lines::Dice;
use super::trees::{Answer, Files};
use super::{HOSTS, dialect, release, setting};

/// What differs between our reading and ssh's answers; and how many values could not be told.
pub fn compare(
    reading: &Reading,
    hosts: &[&str],
    answers: &[Result<Answer, String>],
) -> Result<usize, String> {
    let mut untold = 0;
    for (host, answer) in hosts.iter().zip(answers) {
        let answer = match (answer, reading.refusals.first()) {
            (Err(_), Some(_)) => continue,
            (Ok(answer), None) => answer,
            (Err(words), None) => return Err(format!("{host}: only ssh refuses: {words}")),
            (Ok(_), Some(refusal)) => return Err(format!("{host}: only we refuse: {refusal:?}")),
        };
        let values = reading.values_for(&Destination::new(host.as_bytes(), Some(b"alice")));
        for (keyword, real) in Keyword::ALL.into_iter().zip(answer.values) {
            match &values[&keyword] {
                None => untold += 1,
                Some(ours) if ours.value == real => {}
                Some(ours) => return Err(format!("{host}: {keyword:?} is {real}, not {ours:?}")),
            }
            let mut possible =
                reading.deviations(keyword).into_iter().map(|one| one.effective.value);
            let batch = keyword == Keyword::ServerAliveInterval && real == Value::Number(300);
            if real != reading.global(keyword).value
                && !possible.any(|value| value == real)
                && !batch
            {
                return Err(format!(
                    "{host}: {keyword:?} {real} is neither global nor a deviation"
                ));
            }
        }
    }
    Ok(untold)
}

#[test]
fn every_value_is_the_one_that_ssh_uses() {
    let dialect = dialect();
    let (first, count) =
        (setting("KEEPALIVE_ORACLE_SEED", 1), setting("KEEPALIVE_ORACLE_TREES", 160));
    let (mut untold, mut refused) = (0, 0);
    for seed in first..first + count {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let with_user = !dice.one_in(3);
        let files = Files::random(&mut dice, &dialect, with_user);
        let reading = evaluate::read(&files.tree(&dialect, with_user), &dialect);
        if !with_user {
            let _ = fs::remove_dir_all(files.root.path().join("home/alice/.ssh"));
        }
        let first = dice.roll(HOSTS.len());
        let hosts: Vec<&str> = HOSTS.iter().cycle().skip(first).take(4).copied().collect();
        let answers = files.ask(&hosts);
        assert_eq!(reading.opaque, [], "seed {seed}\n{}", files.show());
        refused += u64::from(!reading.refusals.is_empty());
        match compare(&reading, &hosts, &answers) {
            Ok(more) if reading.runs_commands().is_some() => untold += more,
            Ok(0) => {}
            Ok(more) => panic!("seed {seed}: {more} values not told\n{}", files.show()),
            Err(difference) => panic!("seed {seed}: {difference}\n{}", files.show()),
        }
    }
    let release = release();
    eprintln!(
        "{count} trees of {release}, {refused} refused, {untold} values that a command decides"
    );
    assert!(count < 50 || refused > 0 && refused < count / 2, "{refused} of {count} were refused");
}
