use super::refused::check;
use super::*;

#[test]
fn instances_get_what_is_declared_for_sshd_and_strangers_nothing() {
    let policy = policy(
        "[sshd_config]\nClientAliveInterval = 60\n\n[[sshd_config.instance]]\n\
         file = \"/etc/ssh/sftp_config\"\nunit = \"sshd@sftp.service\"\n\
         [[sshd_config.instance]]\nfile = \"/etc/sftp-2\"\nunit = \"b.service\"\n",
    );
    let units: Vec<&str> = policy.sshd_instances.iter().map(|one| one.unit.as_str()).collect();
    assert_eq!(units, ["sshd@sftp.service", "b.service"]);
    assert_eq!(policy.sshd_of(None), policy.sshd_config);
    assert_eq!(policy.sshd_of(policy.sshd_instances.first()), policy.sshd_config);
    let stranger = Instance { file: "/etc/ssh/sftp_config".into(), unit: "c.service".into() };
    assert!(policy.sshd_of(Some(&stranger)).values.is_empty());
    assert_eq!(policy.notices, [""; 0]);
}

#[test]
fn instances_without_a_setting_have_no_effect() {
    let text = "[[sshd_config.instance]]\nfile = \"/etc/ssh/b\"\nunit = \"b.service\"\n[sysctl]\n\
                net.ipv4.tcp_keepalive_time = 600\n";
    let expected = "p.toml:1: an instance has no effect: no setting is declared";
    assert_eq!(policy(text).notices, [expected]);
}

#[test]
fn instances_that_are_none() {
    check(
        "[sshd_config]\ninstance = \"sftp.service\"\n",
        r#"
p.toml:2:1: `instance` must be an array of tables, written [[sshd_config.instance]] with file = "/etc/ssh/…" and unit = "….service", found "sftp.service"
instance = "sftp.service"
^~~~~~~~
"#,
    );
    check(
        "[sshd_config.instance]\nfile = \"/etc/ssh/sftp_config\"\nunit = \"sftp.service\"\n",
        r#"
p.toml:1:2: `instance` must be an array of tables, written [[sshd_config.instance]] with file = "/etc/ssh/…" and unit = "….service", found a table
[sshd_config.instance]
 ^~~~~~~~~~~~~~~~~~~~
"#,
    );
    check(
        "[[sshd_config.instance]]\nfile = \"/etc/ssh/sftp_config\"\nport = 22\n",
        r#"
p.toml:1:1: an instance needs `unit`: [[sshd_config.instance]] with file = "/etc/ssh/…" and unit = "….service"
[[sshd_config.instance]]
^~~~~~~~~~~~~~~~~~~~~~~~
p.toml:3:1: unknown key `port`, [[sshd_config.instance]] takes file, unit
port = 22
^~~~
"#,
    );
}

#[test]
fn files_and_units_that_are_no_instances() {
    for file in [
        "",
        "sftp_config",
        "/",
        "/etc/ssh/",
        "/etc/../x",
        "/etc//x",
        "/a b",
        "/a*",
        "/a\\\\b",
        "/a#b",
    ] {
        let said = refused(instance(file, "sftp.service"));
        let wanted = "p.toml:2:8: `file` must be the absolute path of the instance's main file, \
                      without . and .., blanks, quotes and what a pattern is made of, found ";
        assert!(said.starts_with(wanted), "{said}");
    }
    for unit in [
        "",
        "sftp",
        ".service",
        "sftp.socket",
        "sftp@.service",
        "a b.service",
        "-a.service",
        "a/b.service",
    ] {
        let said = refused(instance("/etc/ssh/sftp_config", unit));
        let wanted =
            "p.toml:3:8: `unit` must be the name of a service unit, \"sshd-sftp.service\", found ";
        assert!(said.starts_with(wanted), "{said}");
    }
}

fn instance(file: &str, unit: &str) -> String {
    format!("[[sshd_config.instance]]\nfile = \"{file}\"\nunit = \"{unit}\"\n")
}

#[test]
fn instances_that_are_the_hosts_own_sshd_or_declared_twice() {
    check(
        instance("/etc/ssh/sshd_config", "ssh.service"),
        r#"
p.toml:2:8: this is the main file of the host's own sshd, which is governed without being declared; an instance is another sshd beside it
file = "/etc/ssh/sshd_config"
       ^~~~~~~~~~~~~~~~~~~~~~
p.toml:3:8: this is the unit of the host's own sshd, which is governed without being declared; an instance is another sshd beside it
unit = "ssh.service"
       ^~~~~~~~~~~~~
"#,
    );
    check(
        instance("/etc/ssh/a", "a.service") + &instance("/etc/ssh/b", "a.service"),
        r#"
p.toml:6:8: `unit` = "a.service" is declared on line 3 already
unit = "a.service"
       ^~~~~~~~~~~
"#,
    );
}
