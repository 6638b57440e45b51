use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::reconcile::{Mode, Report, reconcile};
use crate::sysctl::tests::write;

/// A tree in a directory of its own.
struct Tree {
    directory: tempfile::TempDir,
    host: Host,
}

impl Tree {
    fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("etc/sysctl.d")).unwrap();
        let host = Host::at(directory.path());
        let tree = Self { directory, host };
        for (path, content) in files {
            tree.put(path, content);
        }
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => symlink(target, path).unwrap(),
            None => write(&path, content.as_bytes()),
        }
    }

    fn get(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok()
    }

    fn names(&self) -> Vec<String> {
        let names = self.host.list(Path::new("/etc/sysctl.d")).unwrap();
        names.into_iter().map(|name| name.into_string().unwrap()).collect()
    }

    fn enforce(&self, desired: &Desired) -> Report {
        let report = reconcile(&Boot::default(), &self.host, desired, Mode::Enforce);
        assert!(report.pending.is_empty(), "{report:#?}");
        assert!(report.outcomes.iter().all(|outcome| !outcome.failed()), "{report:#?}");
        report
    }
}

fn desired(time: u32) -> Desired {
    Desired { values: BTreeMap::from([(Key::KeepaliveTime, time)]) }
}

fn shown(report: &Report) -> Vec<String> {
    report.problems.iter().map(|problem| format!("{:?} {problem}", problem.severity)).collect()
}

const OURS: &str = "/etc/sysctl.d/99-zz-keepalive-policy.conf";
const ONE: &str = "net.ipv4.tcp_keepalive_time = 1\n";

#[test]
fn a_drop_in_is_made_and_removed() {
    let tree = Tree::with(&[("/etc/sysctl.d/50-a.conf", ONE)]);
    let report = tree.enforce(&desired(600));
    assert!(report.in_force(), "{report:#?}");
    assert_eq!(report.outcomes[0].action, format!("create {OURS}"));
    assert!(tree.get(OURS).unwrap().ends_with("\nnet.ipv4.tcp_keepalive_time = 600\n"));
    let rows: Vec<String> = report
        .settings
        .iter()
        .map(|row| format!("{} {}", row.context, row.source.as_ref().unwrap()))
        .collect();
    assert_eq!(rows, ["boot", "systemd-sysctl", "procps"].map(|name| format!("{name} {OURS}:4")));
    assert!(tree.enforce(&desired(600)).outcomes.is_empty());
    assert!(tree.enforce(&desired(900)).in_force());
    tree.enforce(&Desired::default());
    assert_eq!(tree.names(), ["50-a.conf"]);
}

#[test]
fn nothing_is_done_where_the_files_say_so_already() {
    let tree = Tree::with(&[("/etc/sysctl.d/50-a.conf", ONE)]);
    let report = tree.enforce(&desired(1));
    assert!(report.in_force() && report.outcomes.is_empty());
}

#[test]
fn a_missing_directory_is_made_and_removed_again() {
    let tree = Tree::with(&[]);
    std::fs::remove_dir(tree.path("/etc/sysctl.d")).unwrap();
    assert!(tree.enforce(&desired(600)).in_force());
    tree.enforce(&Desired::default());
    assert!(!tree.path("/etc/sysctl.d").exists());
}

#[test]
fn the_name_climbs_the_ladder_and_stays_there() {
    let tree = Tree::with(&[("/usr/lib/sysctl.d/99-zzx.conf", ONE)]);
    assert!(tree.enforce(&desired(600)).in_force());
    assert_eq!(tree.names(), ["99-zzz-keepalive-policy.conf"]);
    tree.put("/run/sysctl.d/zzzz.conf", ONE);
    assert!(tree.enforce(&desired(600)).in_force());
    assert_eq!(tree.names(), ["zzzz~keepalive-policy.conf"]);
    std::fs::remove_file(tree.path("/run/sysctl.d/zzzz.conf")).unwrap();
    std::fs::remove_file(tree.path("/usr/lib/sysctl.d/99-zzx.conf")).unwrap();
    assert!(tree.enforce(&desired(600)).outcomes.is_empty());
    assert_eq!(tree.names(), ["zzzz~keepalive-policy.conf"]);
}

#[test]
fn what_somebody_does_to_our_file_is_undone() {
    let tree = Tree::with(&[]);
    tree.enforce(&desired(600));
    let text = tree.get(OURS).unwrap();
    for tampered in ["", ONE, "-net.ipv4.tcp_keepalive_time\n"] {
        tree.put(OURS, tampered);
        assert!(tree.enforce(&desired(600)).in_force());
        assert_eq!(tree.get(OURS).unwrap(), text);
    }
    std::fs::remove_file(tree.path(OURS)).unwrap();
    assert!(tree.enforce(&desired(600)).in_force());
    tree.enforce(&Desired::default());
    assert!(tree.names().is_empty());
}

#[test]
fn a_file_of_our_name_that_is_not_ours_stays() {
    let tree = Tree::with(&[(OURS, "# mine\n")]);
    let report = tree.enforce(&desired(600));
    assert!(report.in_force());
    assert_eq!(
        shown(&report),
        [format!("Notice {OURS}: has the name of our drop-in and is not ours, so it stays")]
    );
    tree.enforce(&Desired::default());
    assert_eq!(tree.names(), ["99-zz-keepalive-policy.conf"]);
    assert_eq!(tree.get(OURS).unwrap(), "# mine\n");
}

#[test]
fn a_file_that_says_more_and_took_the_place_of_ours_stays() {
    let tree = Tree::with(&[]);
    tree.enforce(&desired(600));
    let theirs = "vm.swappiness = 10\nnet.ipv4.tcp_keepalive_time = 1\n";
    tree.put(OURS, theirs);
    assert!(tree.enforce(&desired(600)).in_force());
    assert_eq!(tree.get(OURS).unwrap(), theirs);
    tree.enforce(&Desired::default());
    assert_eq!(tree.get(OURS).unwrap(), theirs);
    assert_eq!(tree.names(), ["99-zz-keepalive-policy.conf"]);
}

#[test]
fn lines_of_others_in_our_drop_in_stay_whatever_becomes_of_ours() {
    let tree = Tree::with(&[]);
    tree.enforce(&desired(600));
    let theirs = "# ours since 2019\nkernel.panic = 10\n";
    let put = |text: &str| write(&tree.path(OURS), text.as_bytes());
    let made = tree.get(OURS).unwrap();
    put(&format!("{made}{theirs}net.ipv4.tcp_keepalive_time = 7"));
    let report = tree.enforce(&desired(600));
    assert_eq!(tree.get(OURS).unwrap(), format!("{made}{theirs}"));
    let said = report.problems[0].to_string();
    assert!(said.starts_with(&format!("{OURS}:5: this line")), "{said}");
    assert!(tree.enforce(&desired(600)).outcomes.is_empty(), "written once");
    // A key that leaves the policy, and one that comes.
    let other = Desired { values: BTreeMap::from([(Key::KeepaliveIntvl, 60)]) };
    tree.enforce(&other);
    let content = tree.get(OURS).unwrap();
    assert!(
        content.ends_with(&format!("net.ipv4.tcp_keepalive_intvl = 60\n{theirs}")),
        "{content}"
    );
    // A neighbour that has our file take another name.
    tree.put("/etc/sysctl.d/99-zz-z.conf", "net.ipv4.tcp_keepalive_intvl = 7\n");
    tree.enforce(&other);
    assert_eq!(tree.get(OURS).as_deref(), Some(theirs));
    assert_eq!(tree.names().len(), 3, "{:?}", tree.names());
    tree.enforce(&Desired::default());
    assert_eq!(tree.get(OURS).as_deref(), Some(theirs));
    assert_eq!(tree.names(), ["99-zz-keepalive-policy.conf", "99-zz-z.conf"]);
    assert_eq!(Originals::load_usable(&tree.host).unwrap(), Originals::default());
}

#[test]
fn lines_of_others_in_our_drop_in_stay_when_it_is_taken_back() {
    let tree = Tree::with(&[]);
    tree.enforce(&desired(600));
    let made = tree.get(OURS).unwrap();
    write(&tree.path(OURS), format!("{made}kernel.panic = 10\n").as_bytes());
    tree.enforce(&Desired::default());
    assert_eq!(tree.get(OURS).as_deref(), Some("kernel.panic = 10\n"));
    assert_eq!(Originals::load_usable(&tree.host).unwrap(), Originals::default());
}

#[test]
fn a_mask_of_our_name_is_respected() {
    let tree = Tree::with(&[(OURS, "-> /dev/null")]);
    let report = tree.enforce(&desired(600));
    assert!(!report.in_force() && report.outcomes.is_empty());
    let problems = shown(&report);
    assert!(problems[0].starts_with(&format!("Conflict {OURS}: something that reads as nothing")));
    assert!(tree.path(OURS).is_symlink());
}

#[test]
fn sysctl_conf_is_edited_in_one_place_and_put_back() {
    let before =
        "# mine\r\nnet.ipv4.tcp_keepalive_time=1\nnet.ipv4.tcp_keepalive_time = 2 # why\nx=1";
    let tree = Tree::with(&[
        ("/etc/sysctl.conf", before),
        ("/etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
    ]);
    let report = tree.enforce(&desired(600));
    assert!(report.in_force(), "{report:#?}");
    let after = before.replace("= 2 #", "= 600 #");
    assert_eq!(tree.get("/etc/sysctl.conf").unwrap(), after);
    assert!(tree.path("/etc/sysctl.d/99-sysctl.conf").is_symlink());
    tree.enforce(&desired(900));
    assert_eq!(tree.get("/etc/sysctl.conf").unwrap(), before.replace("= 2 #", "= 900 #"));
    assert_eq!(Originals::load_usable(&tree.host).unwrap().lines.len(), 1);
    tree.enforce(&Desired::default());
    assert_eq!(tree.get("/etc/sysctl.conf").unwrap(), before);
    assert_eq!(Originals::load_usable(&tree.host).unwrap(), Originals::default());
    let copy = Originals::kept_copy(&tree.host, Path::new("/etc/sysctl.conf")).unwrap();
    assert_eq!(copy, None);
}

#[test]
fn a_key_that_leaves_the_policy_is_put_back_alone() {
    let before = "net.ipv4.tcp_keepalive_time = 1\nnet.ipv4.tcp_keepalive_intvl = 2\n";
    let tree = Tree::with(&[("/etc/sysctl.conf", before)]);
    let both =
        Desired { values: BTreeMap::from([(Key::KeepaliveTime, 600), (Key::KeepaliveIntvl, 60)]) };
    assert!(tree.enforce(&both).in_force());
    assert!(tree.enforce(&desired(600)).in_force());
    let expected = "net.ipv4.tcp_keepalive_time = 600\nnet.ipv4.tcp_keepalive_intvl = 2\n";
    assert_eq!(tree.get("/etc/sysctl.conf").unwrap(), expected);
    assert!(!tree.get(OURS).unwrap().contains("intvl"));
}

#[test]
fn a_line_that_somebody_edited_since_is_left_alone() {
    let tree = Tree::with(&[("/etc/sysctl.conf", ONE)]);
    tree.enforce(&desired(600));
    tree.put("/etc/sysctl.conf", "net.ipv4.tcp_keepalive_time = 7\n");
    let observed = Boot::default().observe(&tree.host).unwrap();
    let plan = Boot::default().plan(&Desired::default(), &observed);
    assert_eq!(
        plan.problems[0].to_string(),
        "/etc/sysctl.conf: the line \"net.ipv4.tcp_keepalive_time = 600\" that carried our value is \
         not there any more; what is there now stays, \"net.ipv4.tcp_keepalive_time = 1\" is not put \
         back"
    );
    tree.enforce(&Desired::default());
    assert_eq!(tree.get("/etc/sysctl.conf").unwrap(), "net.ipv4.tcp_keepalive_time = 7\n");
    assert_eq!(Originals::load_usable(&tree.host).unwrap(), Originals::default());
}

#[test]
fn a_line_that_is_ours_again_goes_back_to_what_somebody_made_of_it() {
    let tree = Tree::with(&[("/etc/sysctl.conf", ONE)]);
    tree.enforce(&desired(600));
    let seven = "net.ipv4.tcp_keepalive_time = 7\n";
    tree.put("/etc/sysctl.conf", seven);
    assert!(tree.enforce(&desired(600)).in_force());
    assert!(shown(&tree.enforce(&Desired::default())).is_empty());
    assert_eq!(tree.get("/etc/sysctl.conf").unwrap(), seven);
}

#[test]
fn an_edit_that_a_crash_cut_short_is_made_and_recorded_once() {
    let tree = Tree::with(&[("/etc/sysctl.conf", ONE)]);
    tree.enforce(&desired(600));
    let originals = Originals::load_usable(&tree.host).unwrap();
    // The record was written, the file was not.
    tree.put("/etc/sysctl.conf", ONE);
    assert!(tree.enforce(&desired(600)).in_force());
    assert_eq!(Originals::load_usable(&tree.host).unwrap(), originals);
}

#[test]
fn a_name_that_comes_to_hide_another_file_is_given_up() {
    let tree = Tree::with(&[]);
    tree.enforce(&desired(600));
    tree.put("/etc/sysctl.d/9[9]-zz-keepalive-policy.conf", "x = 1\n");
    assert!(tree.enforce(&desired(600)).in_force());
    assert_eq!(tree.names().len(), 2);
    assert!(!tree.path(OURS).exists());
}

#[test]
fn what_can_not_be_read_stops_every_change_unless_only_root_may_look() {
    let tree = Tree::with(&[("/etc/sysctl.d/a.conf", ONE)]);
    let boot = Boot::default();
    let mut observed = boot.observe(&tree.host).unwrap();
    let denied = |path: &str| (PathBuf::from(path), "Permission denied".to_owned());
    observed.tree.unreadable = vec![denied("/etc/credstore/sysctl.extra")];
    let plan = boot.plan(&desired(600), &observed);
    assert_eq!(plan.problems[0].severity, Severity::Notice);
    assert_eq!(plan.changes.len(), 1);
    observed.tree.unreadable = vec![denied("/etc/sysctl.d/b.conf")];
    let plan = boot.plan(&desired(600), &observed);
    assert_eq!(
        plan.problems[0].to_string(),
        "/etc/sysctl.d/b.conf: cannot be read (Permission denied): what the loaders make of it can't \
         be told, so no file is changed"
    );
    assert!(plan.changes.is_empty() && plan.settings.len() == 3);
    assert!(plan.settings.iter().all(|row| row.effective.is_none() && row.source.is_none()));
}

#[test]
fn a_vendors_file_behind_a_link_is_not_edited() {
    let tree = Tree::with(&[
        ("/usr/share/sysctl.conf", ONE),
        ("/etc/sysctl.conf", "-> ../usr/share/sysctl.conf"),
        ("/usr/lib/credstore/sysctl.extra", "\nnet.ipv4.tcp_keepalive_time=3\n"),
    ]);
    let report = tree.enforce(&desired(600));
    assert!(!report.in_force());
    assert_eq!(
        shown(&report),
        [
            "Conflict /usr/lib/credstore/sysctl.extra:2: sets 3 (net.ipv4.tcp_keepalive_time, boot, \
             systemd-sysctl): a credential is read after every file, and is never edited; wanted is 600",
            "Conflict /etc/sysctl.conf:1: sets 1 (net.ipv4.tcp_keepalive_time, procps): no name of a \
             drop-in sorts after it, and /etc/sysctl.conf is a link that leads to \
             /usr/share/sysctl.conf, which belongs to a package or a store and is not edited: put a \
             file of this host's own in the link's place; wanted is 600",
        ]
    );
    assert_eq!(tree.get("/usr/share/sysctl.conf").unwrap(), ONE);
}

#[test]
fn a_directory_that_leads_to_a_vendors_takes_no_drop_in() {
    let tree = Tree::with(&[("/usr/lib/sysctl.d/a.conf", ONE)]);
    std::fs::remove_dir(tree.path("/etc/sysctl.d")).unwrap();
    tree.put("/etc/sysctl.d", "-> ../usr/lib/sysctl.d");
    let report = tree.enforce(&desired(600));
    assert!(!report.in_force() && report.outcomes.is_empty());
    let begins = "Conflict /etc/sysctl.d: a link that leads to /usr/lib/sysctl.d, which belongs";
    assert!(shown(&report)[0].starts_with(begins), "{report:#?}");
}

#[test]
fn files_and_drop_ins_on_a_volume_that_etc_links_to_are_kept() {
    let tree = Tree::with(&[
        ("/persist/sysctl.conf", ONE),
        ("/etc/sysctl.conf", "-> ../persist/sysctl.conf"),
        ("/persist/sysctl.d/a.conf", ONE),
    ]);
    std::fs::remove_dir(tree.path("/etc/sysctl.d")).unwrap();
    tree.put("/etc/sysctl.d", "-> ../persist/sysctl.d");
    let report = tree.enforce(&desired(600));
    assert!(report.in_force(), "{report:#?}");
    assert_ne!(tree.get("/persist/sysctl.conf").unwrap(), ONE);
    assert!(tree.enforce(&Desired::default()).in_force());
    assert_eq!(tree.get("/persist/sysctl.conf").unwrap(), ONE);
    assert_eq!(std::fs::read_dir(tree.path("/persist/sysctl.d")).unwrap().count(), 1);
}

#[test]
fn a_pattern_that_finds_our_key_by_another_path_is_shielded() {
    let tree = Tree::with(&[("/etc/sysctl.conf", "/net/ipv4/tcp_keepalive_* = 7\n")]);
    let report = tree.enforce(&desired(200));
    assert!(report.in_force(), "{report:#?}");
    assert!(tree.get(OURS).unwrap().ends_with("\n/net/ipv4/tcp_keepalive_time = 200\n"));
    assert!(tree.enforce(&desired(200)).outcomes.is_empty());
}

#[test]
fn our_name_must_not_keep_an_old_file_from_being_read() {
    // To procps the name is a pattern, which our usual name would match; to systemd it sorts after
    // every other 99-.
    let tree = Tree::with(&[("/etc/sysctl.d/9[9]-zz-keepalive-policy.conf", ONE)]);
    assert!(tree.enforce(&desired(600)).in_force());
    assert!(tree.names().contains(&"zz-keepalive-policy.conf".to_owned()));
}

#[test]
fn dead_lines_are_named() {
    let tree = Tree::with(&[("/etc/sysctl.d/a.conf", "net.ipv4.tcp_keepalive_time = 10m\n")]);
    let observed = Boot::default().observe(&tree.host).unwrap();
    let plan = Boot::default().plan(&desired(600), &observed);
    assert_eq!(
        plan.problems[0].to_string(),
        "/etc/sysctl.d/a.conf:1: the kernel refuses \"10m\" for net.ipv4.tcp_keepalive_time, so that \
         it stays at what it was, 7200 after a boot"
    );
    assert_eq!(plan.settings[0].effective, None);
    assert_eq!(plan.settings[0].source.as_ref().unwrap().line, 1);
}

#[test]
fn the_loader_at_boot_is_that_of_the_init() {
    for (files, expected) in [
        (vec![], Loader::SystemdSysctl),
        (vec![("/usr/sbin/sysctl", "")], Loader::Procps),
        (
            vec![("/usr/sbin/sysctl", ""), ("/lib/systemd/systemd-sysctl", "")],
            Loader::SystemdSysctl,
        ),
        (
            vec![("/sbin/init", "-> /lib/systemd/systemd"), ("/lib/systemd/systemd", "")],
            Loader::SystemdSysctl,
        ),
        (vec![("/sbin/init", ""), ("/lib/systemd/systemd-sysctl", "")], Loader::Procps),
    ] {
        let tree = Tree::with(&files);
        assert_eq!(at_boot::loader(&tree.host), expected, "{files:?}");
    }
}

#[test]
fn an_old_systemd_gets_no_credential() {
    let unit = "/lib/systemd/system/systemd-sysctl.service";
    let credential = ("/etc/credstore/sysctl.extra", ONE);
    let old = Tree::with(&[credential, (unit, "[Service]\nExecStart=x\n")]);
    assert!(Boot::default().observe(&old.host).unwrap().tree.credentials.is_empty());
    let new = Tree::with(&[credential, (unit, "[Service]\nLoadCredential=sysctl.extra\n")]);
    assert_eq!(Boot::default().observe(&new.host).unwrap().tree.credentials.len(), 1);
}

#[test]
fn a_damaged_record_is_kept_aside_and_stops_nothing() {
    let tree = Tree::with(&[("/var/lib/keepalive-policy/originals.json", "{")]);
    let looked = reconcile(&Boot::default(), &tree.host, &desired(600), Mode::Audit);
    assert!(shown(&looked)[0].contains("originals.json: the record of what was there"));
    assert!(matches!(Originals::load(&tree.host).unwrap(), Found::Unusable(_)), "audit only reads");

    let report = tree.enforce(&desired(600));
    assert!(report.in_force(), "{:?}", report.problems);
    let said = shown(&report);
    assert!(said[0].contains("is incomplete (/var/lib/keepalive-policy/originals.json: damaged"));
    assert!(said[0].contains("kept as /var/lib/keepalive-policy/originals.json.unusable-"));
}

#[test]
fn what_is_watched() {
    let tree =
        Tree::with(&[("/etc/sysctl.conf", "-> ../usr/local/etc/x"), ("/usr/local/etc/x", "")]);
    let boot = Boot::default();
    let watched = boot.watched(&boot.observe(&tree.host).unwrap());
    for path in ["/etc/sysctl.d", "/run/sysctl.d", "/etc/sysctl.conf", "/etc/credstore"] {
        assert!(watched.contains(Path::new(path)), "{path}");
    }
    // Where everything is written.
    assert!(!watched.contains(Path::new("/etc")));
}

/// A line about one of the keys, or about something else.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "net.ipv4.tcp_keepalive_time",
        "net/ipv4/tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_*",
        "/net/ipv4/tcp_keepalive_*",
        "net.ipv4.tcp_fin_timeout",
        "-net.ipv4.tcp_keepalive_time",
        "- net.ipv4.tcp_keepalive_probes",
        "--net.ipv4.tcp_keepalive_probes",
    ]);
    let value =
        prop::sample::select(vec![" = 5", "=77", " = abc", "", " = 9 # why", "\t=\t0x10\r"]);
    (key, value).prop_map(|(key, value)| format!("{key}{value}\n"))
}

fn files() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let path = prop::sample::select(vec![
        "/etc/sysctl.conf",
        "/etc/sysctl.d/99-sysctl.conf",
        "/etc/sysctl.d/zz.conf",
        "/run/sysctl.d/99-zzz.conf",
        "/usr/lib/sysctl.d/a.conf",
        "/etc/credstore/sysctl.extra",
        "/usr/lib/sysctl.d/99-zz-keepalive-policy.conf",
        "/etc/sysctl.d/9[9]-zz*.conf",
    ]);
    let content = prop::collection::vec(line(), 0..4).prop_map(|lines| lines.concat());
    prop::collection::btree_map(path, content, 0..5).prop_map(|files| files.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_second_plan_is_empty_and_restoring_gives_every_byte_back(
        files in files(),
        (time, intvl) in (1_u32..32_767, 1_u32..32_767),
    ) {
        let tree = Tree::with(&[]);
        for (path, content) in &files {
            tree.put(path, content);
        }
        let desired = Desired {
            values: BTreeMap::from([(Key::KeepaliveTime, time), (Key::KeepaliveIntvl, intvl)]),
        };
        let report = tree.enforce(&desired);
        let conflict = report.problems.iter().any(|problem| problem.severity == Severity::Conflict);
        prop_assert_eq!(report.in_force(), !conflict, "{:#?}", report);
        prop_assert!(tree.enforce(&desired).outcomes.is_empty());
        tree.enforce(&Desired::default());
        for (path, content) in &files {
            let restored = tree.get(path);
            prop_assert_eq!(restored.as_ref(), Some(content));
        }
        let known = |name: &String| files.iter().any(|(path, _)| path.ends_with(name.as_str()));
        prop_assert!(tree.names().iter().all(known));
    }
}
