use super::*;
use crate::sshd::instance::Instance;
use crate::sshd::service::command_line::CommandLine;
use crate::sshd::service::observe;

fn unit(active: &str, sub: &str) -> UnitState {
    UnitState {
        name: "ssh.service".to_owned(),
        active: active.to_owned(),
        sub: sub.to_owned(),
        result: if active == "inactive" { "success" } else { "exit-code" }.to_owned(),
        was_started: true,
        enabled: true,
        may_start: true,
        ..UnitState::default()
    }
}

#[test]
fn a_loss_stands_until_sshd_listens_or_was_stopped() {
    let loss = Loss { boot: "this".to_owned(), ..Loss::default() };
    let never = |enabled| UnitState { was_started: false, enabled, ..unit("inactive", "dead") };
    let cases = [
        (unit("failed", "failed"), false, "this", Fate::Stands),
        (unit("failed", "failed"), false, "next", Fate::Stands),
        (unit("activating", "auto-restart"), false, "this", Fate::Stands),
        // It runs, and listens or not.
        (unit("active", "running"), true, "this", Fate::Over),
        (unit("active", "running"), false, "this", Fate::Stands),
        // `systemctl stop`, or `reset-failed`.
        (unit("inactive", "dead"), false, "this", Fate::Over),
        (unit("inactive", "dead"), false, "next", Fate::Over),
        // The boot has not started it: by mistake, or because it is not to.
        (never(true), false, "next", Fate::Stands),
        (never(false), false, "next", Fate::Over),
    ];
    for (state, listens, boot, fate) in cases {
        assert_eq!(loss.fate(&state, listens, boot), fate, "{state:?} {listens} {boot}");
    }
}

fn service(unit: &str, instance: Option<&str>) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let instance = instance.map(|unit| Instance { file: "/etc/x".into(), unit: unit.to_owned() });
    let found = observe(&Host::at(directory.path())).unwrap();
    Service { unit: Some(unit.to_owned()), instance, ..found }
}

#[test]
fn each_sshd_has_its_own_losses() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let own = service("ssh.service", None);
    let other = service("sftp.service", Some("sftp.service"));
    forget(&host, &own).unwrap();
    assert_eq!(known(&host, &own).unwrap(), Known::default());
    note(&host, &own, "a").unwrap();
    note(&host, &other, "b").unwrap();
    note(&host, &own, "c").unwrap();
    let losses = |service: &Service| {
        let known = known(&host, service).unwrap();
        known.losses.into_iter().map(|(unit, loss)| (unit, loss.why)).collect::<Vec<_>>()
    };
    // Its unit may have got another name since.
    let renamed = service("sshd.service", None);
    assert_eq!(losses(&renamed), [("ssh.service".to_owned(), "c".to_owned())]);
    assert_eq!(losses(&other), [("sftp.service".to_owned(), "b".to_owned())]);
    forget(&host, &renamed).unwrap();
    assert_eq!(losses(&own), []);
    assert_eq!(losses(&other).len(), 1);
}

#[test]
fn the_loss_of_an_sshd_of_no_service_manager_stands_until_one_listens() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let boot_id = "proc/sys/kernel/random/boot_id";
    std::fs::create_dir_all(directory.path().join("proc/sys/kernel/random")).unwrap();
    let booted = |id: &str| std::fs::write(directory.path().join(boot_id), id).unwrap();
    booted("first");
    let of = |kind| Service { unit: None, kind, ..service("", None) };
    let running = Service {
        command_line: CommandLine::of_process(b"/usr/sbin/sshd\0-D\0-p\x0022\0"),
        ..of(Kind::NoServiceManager)
    };
    note(&host, &of(Kind::NotRunning), "not a loss").unwrap();
    assert_eq!(unmanaged::look(&host, &running).unwrap(), Look::default());
    note(&host, &running, "it died").unwrap();
    let gone = of(Kind::NotRunning);
    let standing = unmanaged::look(&host, &gone).unwrap().standing.unwrap();
    assert_eq!((standing.unit.as_deref(), standing.why.as_str()), (None, "it died"));
    assert_eq!(standing.state, "sshd (started as `/usr/sbin/sshd -D -p 22`) does not run");
    // An sshd listens, or the host was booted since and has started none.
    let over = Look { is_over: true, ..Look::default() };
    assert_eq!(unmanaged::look(&host, &running).unwrap(), over);
    booted("second");
    assert_eq!(unmanaged::look(&host, &gone).unwrap(), over);
    forget(&host, &running).unwrap();
    assert_eq!(unmanaged::look(&host, &gone).unwrap(), Look::default());
}

#[test]
fn a_record_that_cannot_be_used_is_said_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let own = service("ssh.service", None);
    host.make_directory(host.state_dir(), 0o755).unwrap();
    host.replace(&path(&host), crate::host::replace::Expect::Absent { mode: 0o644 }, b"[]")
        .unwrap();
    let found = known(&host, &own).unwrap();
    assert!(found.unusable.is_some_and(|unusable| unusable.to_string().contains("damaged")));
    forget(&host, &own).unwrap();
    assert!(known(&host, &own).unwrap().unusable.is_some());
    let kept = note(&host, &own, "a").unwrap().unwrap();
    assert!(matches!(host.read(&kept.path).unwrap(), Node::File(file) if file.bytes == b"[]"));
    assert_eq!(known(&host, &own).unwrap().losses.len(), 1);
}
