use std::cell::Cell;
use std::fs;

use super::*;
use crate::cli::Format;

#[test]
fn the_policy_is_the_named_one_the_callers_own_or_the_hosts() {
    let directory = tempfile::tempdir().unwrap();
    let (own, hosts) =
        (directory.path().join("keepalive-policy.toml"), directory.path().join("host.toml"));
    let user = User::find(|name| (name == "XDG_CONFIG_HOME").then(|| directory.path().into()));
    let user = user.unwrap();
    let mut invocation = Invocation {
        host: Host::live(),
        policy: hosts.clone(),
        policy_is_given: false,
        format: Format::Text,
        lost: Cell::new(false),
    };
    // Where there is none, the one that is missed is the one that the caller can write.
    assert_eq!(policy_of(&invocation, &user), own);
    fs::write(&hosts, "").unwrap();
    assert_eq!(policy_of(&invocation, &user), hosts);
    fs::write(&own, "").unwrap();
    assert_eq!(policy_of(&invocation, &user), own);
    invocation.policy_is_given = true;
    assert_eq!(policy_of(&invocation, &user), hosts);
}
