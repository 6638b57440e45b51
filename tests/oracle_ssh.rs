//! Our reading of ssh_config and our edits against the real `ssh -G`, on seeded random trees of user
//! and system files. Needs root for a mount namespace in which these trees are /etc/ssh and /home.
//!
//! `KEEPALIVE_ORACLE_TREES` says how many trees, `KEEPALIVE_ORACLE_SEED` where to begin.

#[cfg(test)]
mod oracle_ssh {
    mod edits;
    mod lines;
    mod other_release;
    mod trees;
    mod values;

    use keepalive_policy::sshd::dialect::Dialect;

    const HOSTS: [&str; 9] = [
        "web1",
        "WEB1",
        "web2.example.org",
        "db",
        "bob@db",
        "10.0.0.7",
        "nowhere.invalid",
        "jump",
        "alias",
    ];

    fn dialect() -> Dialect {
        let output =
            std::process::Command::new("ssh").arg("-V").output().expect("ssh is installed");
        Dialect::from_banner(&output.stderr).unwrap().of_client()
    }

    fn release() -> String {
        keepalive_policy::timing::Release::of(&dialect()).to_string()
    }

    fn setting(name: &str, default: u64) -> u64 {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    }
}
