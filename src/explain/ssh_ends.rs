//! What the host's own client gives the sessions that it opens, by the values in force.

use std::collections::BTreeMap;

use crate::policy::SshConfig;
use crate::reconcile::{Problem, Severity, Value};
use crate::ssh_client::judge::Verdict;
use crate::ssh_client::{Keyword, Observed, overrides};
use crate::timing::alive::{Alive, Side};
use crate::timing::{End, Release};

const NAME: &str = "ssh_config";

/// Whether anybody set something for it: else its sessions are not what is asked about.
#[must_use]
pub fn is_of_interest(ssh: &Observed, declared: &SshConfig) -> bool {
    !declared.values().is_empty()
        || Keyword::ALL.into_iter().any(|keyword| ssh.reading.lines(keyword).next().is_some())
}

/// Whether ssh takes the files.
#[must_use]
pub fn is_readable(ssh: &Observed) -> bool {
    !matches!(ssh.verdict, Verdict::Refused(_))
}

/// Why nothing can be told of it, and what users decide for themselves.
#[must_use]
pub fn problems(ssh: &Observed, declared: &SshConfig) -> Vec<Problem> {
    let Verdict::Refused(complaints) = &ssh.verdict else {
        return overrides::problems(&ssh.homes, &declared.values());
    };
    // Where the policy has nothing about it, it is not what was asked.
    let nothing_declared = declared.values().is_empty();
    let severity = if nothing_declared { Severity::Notice } else { Severity::Blocked };
    let problem = |complaint: &crate::sshd::judge::Complaint| {
        let message = format!("ssh ends with an error for every host: {}", complaint.message);
        let problem = Problem::new(NAME, severity, message);
        match &complaint.file {
            Some(file) => problem.at(file, complaint.line),
            None => problem.at(ssh.main(), None),
        }
    };
    complaints.iter().map(problem).collect()
}

/// The sessions that no block treats apart, and those that get other values from blocks.
#[must_use]
pub fn ends(ssh: &Observed, declared: &SshConfig) -> Vec<(String, End)> {
    if !is_of_interest(ssh, declared) {
        return Vec::new();
    }
    let release = Release::of(&ssh.dialect);
    let everybody = Keyword::ALL.map(|keyword| (keyword, ssh.reading.global(keyword).value));
    let everybody = BTreeMap::from(everybody);
    // Each context once, in the order in which it is met, with what it sets.
    let mut contexts: Vec<String> = Vec::new();
    let mut set: BTreeMap<String, BTreeMap<Keyword, Value>> = BTreeMap::new();
    for keyword in Keyword::ALL {
        for deviation in ssh.reading.deviations(keyword) {
            let values = set.entry(deviation.context.clone()).or_insert_with(|| {
                contexts.push(deviation.context);
                everybody.clone()
            });
            values.insert(keyword, deviation.effective.value);
        }
    }
    let global = end(&everybody, release);
    let mut ends = vec![("from this host".to_owned(), global)];
    for context in contexts {
        let found = set.get(&context).map_or(global, |values| end(values, release));
        if found != global {
            ends.push((format!("from this host, {context}"), found));
        }
    }
    ends
}

fn end(values: &BTreeMap<Keyword, Value>, release: Release) -> End {
    let value =
        |keyword: Keyword| values.get(&keyword).copied().unwrap_or_else(|| keyword.default_value());
    let number = |keyword| match value(keyword) {
        Value::Number(number) => u32::try_from(number).unwrap_or(u32::MAX),
        Value::Bool(_) => 0,
    };
    End {
        tcp_keepalive: value(Keyword::TcpKeepAlive) == Value::Bool(true),
        alive: Alive {
            interval: number(Keyword::ServerAliveInterval),
            count: number(Keyword::ServerAliveCountMax),
            side: Side::Client(release),
        },
    }
}
