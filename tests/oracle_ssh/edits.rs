//! What we write brings the declared values into force, changes nothing else, and can be undone.

use std::path::{Path, PathBuf};

use keepalive_policy::host::Host;
use keepalive_policy::policy::SshConfig;
use keepalive_policy::reconcile::{Mode, Report, Severity, Value, reconcile};
use keepalive_policy::ssh_client::tree::UserFile;
use keepalive_policy::ssh_client::{SshClient, Whose, evaluate};

use super::lines::Dice;
use super::trees::{Answer, Files};
use super::values::compare;
use super::{HOSTS, dialect, release, setting};

/// Every file of the host with its mode, what we keep aside left out.
fn picture(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let mut files = Vec::new();
    let mut due = vec![root.join("etc"), root.join("home")];
    while let Some(directory) = due.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            if path.is_dir() {
                due.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                files.push((path, mode, content));
            }
        }
    }
    files.sort();
    files
}

fn client(with_user: bool) -> SshClient {
    let user = UserFile::of(PathBuf::from("/home/alice"));
    let whose = if with_user { Whose::Users(user) } else { Whose::Everybodys };
    SshClient { whose, ..SshClient::default() }
}

fn works(answer: &Result<Answer, String>) -> &Answer {
    answer.as_ref().unwrap()
}

/// One tree: gives whether the policy came into force.
fn try_tree(seed: u64) -> Result<bool, (String, Files)> {
    let dialect = dialect();
    let mut dice = Dice(seed.wrapping_mul(0xD134_2543_DE82_EF95));
    let with_user = dice.one_in(2);
    let files = Files::sound(&mut dice, &dialect, with_user);
    let bare = files.root.path().join("usr/bin");
    std::fs::create_dir_all(&bare).unwrap();
    std::fs::write(bare.join("ssh"), "").unwrap();
    let before = picture(files.root.path());
    let (host, client) = (Host::at(files.root.path()), client(with_user));
    let desired = SshConfig {
        tcp_keep_alive: dice.one_in(3).then_some(true),
        server_alive_interval: Some(120),
        server_alive_count_max: dice.one_in(2).then_some(30),
    };
    let hosts: Vec<&str> = HOSTS.iter().cycle().skip(dice.roll(9)).take(3).copied().collect();
    let earlier = files.ask(&hosts);
    let report = reconcile(&client, &host, &desired, Mode::Enforce);
    if with_user {
        files.show_to_alice();
    }
    let later = files.ask(&hosts);
    if let Err(message) = judge(&files, with_user, &report, &desired, &hosts, &earlier, &later) {
        return Err((format!("{message}\n{report:#?}"), files));
    }
    let again = reconcile(&client, &host, &desired, Mode::Enforce);
    if !again.outcomes.is_empty() {
        return Err((format!("a second pass is not quiet: {again:#?}"), files));
    }
    let restored = reconcile(&client, &host, &SshConfig::default(), Mode::Enforce);
    let after = picture(files.root.path());
    let missing = before.iter().find(|file| !after.contains(file));
    let more = after.iter().find(|file| !before.contains(file));
    if missing.is_some() || more.is_some() {
        return Err((format!("not restored: {missing:?} became {more:?}\n{restored:#?}"), files));
    }
    Ok(report.in_force())
}

fn judge(
    files: &Files,
    with_user: bool,
    report: &Report,
    desired: &SshConfig,
    hosts: &[&str],
    earlier: &[Result<Answer, String>],
    later: &[Result<Answer, String>],
) -> Result<(), String> {
    let dialect = dialect();
    let reading = evaluate::read(&files.tree(&dialect, with_user), &dialect);
    compare(&reading, hosts, later)?;
    if let Some(failed) = report.outcomes.iter().find(|outcome| outcome.failed()) {
        return Err(format!("{failed:?}"));
    }
    let conflict = report.problems.iter().any(|one| one.severity == Severity::Conflict);
    if !report.in_force() && !conflict {
        return Err("neither in force nor a conflict".to_owned());
    }
    if !with_user && conflict {
        return Err("from /etc there is always a place".to_owned());
    }
    for (host, (one, other)) in hosts.iter().zip(earlier.iter().zip(later)) {
        if works(one).others != works(other).others {
            return Err(format!("{host}: other settings changed"));
        }
        let wanted = [
            desired.tcp_keep_alive.map(Value::Bool),
            desired.server_alive_interval.map(|number| Value::Number(number.into())),
            desired.server_alive_count_max.map(|number| Value::Number(number.into())),
        ];
        let pairs = works(one).values.into_iter().zip(works(other).values).zip(wanted);
        for ((old, new), wanted) in pairs {
            let expected = match wanted {
                None => new == old,
                Some(wanted) if with_user => new == wanted || new == old,
                Some(wanted) => new == wanted,
            };
            if !expected {
                return Err(format!("{host}: {old} became {new}, declared is {wanted:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn edits_win_change_nothing_else_and_can_be_undone() {
    let first = setting("KEEPALIVE_ORACLE_SEED", 1);
    let count = setting("KEEPALIVE_ORACLE_TREES", 40);
    let mut in_force = 0;
    for seed in first..first + count {
        match try_tree(seed) {
            Ok(reached) => in_force += u64::from(reached),
            Err((message, files)) => panic!("seed {seed}: {message}\n{}", files.show()),
        }
    }
    eprintln!("{in_force} of {count} in force by the ssh of {}", release());
    assert!(in_force * 10 >= count * 8, "only {in_force} of {count} came into force");
}
