use super::*;
use crate::sshd::instance::Instance;

/// An instance whose main file shares the drop-ins of the host's own sshd.
fn instance(files: &[(&str, &str)]) -> Observed {
    let mut seen = observed(files);
    let instance = Instance { file: path("sftp_config"), unit: "sftp.service".to_owned() };
    seen.tree.main = instance.file.clone();
    seen.places = Places::of(Some(&instance));
    seen.service.instance = Some(instance);
    seen.service.unit = Some("sftp.service".to_owned());
    ask(&mut seen);
    seen
}

#[test]
fn an_instance_is_edited_in_its_own_main_file_only() {
    let foreign = format!("{INCLUDE}Match User bob\nClientAliveInterval 7\n");
    let seen = instance(&[(MAIN, INCLUDE), ("sftp_config", &foreign)]);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let Change::Install { install, load } = &plan.changes[0] else { panic!("{plan:?}") };
    let edited: Vec<&Path> = install.edits.iter().map(|edit| edit.path.as_path()).collect();
    assert_eq!(edited, [path("sftp_config.keepalive-policy"), path("sftp_config")]);
    assert_eq!(load.as_deref(), Some("reload sftp.service"));
    let corrected = after(&plan, &seen);
    let again = planned(&desired(MatchBlocks::Override), &corrected);
    assert_eq!((again.changes.len(), rows(&again)), (0, vec![]));
    let back = after(&planned(&Desired::default(), &corrected), &corrected);
    assert_eq!(files(&back), files(&seen));
    // Values that come from the drop-in of the host's own sshd are good enough, and are left there.
    let shared = "# Written by keepalive-policy\nClientAliveInterval 120\nClientAliveCountMax 30\n";
    let seen = instance(&[(DROP_IN, shared), ("sftp_config", INCLUDE)]);
    for wanted in [desired(MatchBlocks::Override), Desired::default()] {
        assert_eq!(planned(&wanted, &seen).changes, []);
    }
}

#[test]
fn everything_that_is_said_of_an_instance_names_its_unit() {
    let mut seen = instance(&[("sftp_config", "ClientAliveInterval 7\n")]);
    let unit = seen.service.instance.clone().unwrap();
    seen.service.unit = None;
    seen.service.kind = Kind::NotRunning;
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let plan = instance::named(plan, &unit);
    assert_eq!(
        rows(&plan),
        ["ClientAliveInterval 7", "ClientAliveCountMax 3"]
            .map(|row| format!("sftp.service: global {row}"))
    );
    assert_eq!(
        messages(&plan),
        ["Notice sftp.service is not a unit of this host's service manager: the file is kept as \
          declared, and nothing is reloaded"]
    );
}

#[test]
fn an_instance_whose_unit_reads_another_file_is_left_alone() {
    let mut seen = instance(&[("sftp_config", "ClientAliveInterval 7\n")]);
    seen.service.command_line.program = Some("/usr/sbin/sshd".into());
    seen.service.command_line.main = Some(path("sftp_config"));
    assert_eq!(planned(&desired(MatchBlocks::Override), &seen).changes.len(), 1);
    for (main, named) in [(None, path(MAIN)), (Some(path("other")), path("other"))] {
        seen.service.command_line.main = main;
        let plan = planned(&desired(MatchBlocks::Override), &seen);
        assert_eq!(plan.changes, []);
        let expected = format!(
            "Blocked /etc/ssh/sftp_config: sftp.service runs sshd with {}, not with this file, which the policy declares \
             for it; nothing is changed until the policy names the right one",
            named.display()
        );
        assert_eq!(messages(&plan), [expected]);
    }
    let link = Entry::File { bytes: (*b"Port 22\n").into(), real: path(MAIN) };
    seen.tree.entries.insert(path("sftp_config"), link);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    let expected = "Blocked /etc/ssh/sftp_config: leads to /etc/ssh/sshd_config, which is governed already; nothing is \
                    changed";
    assert_eq!((messages(&plan), plan.changes), (vec![expected.to_owned()], vec![]));
}
