//! A session that ClientAlive keeps up and ChannelTimeout ends, and what `check` and `explain` say of it.

use std::time::{Duration, Instant};

use crate::bed::{Network, await_some};

const PORT: u16 = 2401;

#[test]
fn on_this_machine() {
    an_idle_session_ends(None);
}

#[test]
fn on_debian_13() {
    an_idle_session_ends(Some("trixie"));
}

fn an_idle_session_ends(suite: Option<&str>) {
    let mut network = Network::new(suite, &[]);
    network.configure(PORT..=PORT, "ClientAliveInterval 1\nChannelTimeout session:*=4s\n");
    network.write_policy("[sshd_config]\nClientAliveInterval = 1\n");
    network.start_sshd();
    let mut session = network.session(PORT, "cat", &[]);
    let begin = Instant::now();
    await_some(20, "the idle session to be ended", || session.has_ended().then_some(()));
    let after = begin.elapsed();
    assert!(after > Duration::from_secs(2) && after < Duration::from_secs(9), "{after:?}");
    let told = "ChannelTimeout session:*=4s ends an idle session after 4 s";
    for command in ["check", "explain"] {
        let said = network.keepalive_policy(command)["problems"].to_string();
        assert!(said.contains(told), "{command}: {said}");
    }
}
