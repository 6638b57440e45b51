//! A policy of several files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

const MAIN: &str = "[sysctl]\nnet.ipv4.tcp_keepalive_time = 600\nnet.ipv4.tcp_keepalive_intvl = 75\n\
                    [sshd_config]\nClientAliveInterval = 120\n";

fn place(fragments: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let main = place.path().join("p.toml");
    fs::write(&main, MAIN).unwrap();
    let directory = place.path().join("p.d");
    fs::create_dir(&directory).unwrap();
    for (name, text) in fragments {
        fs::write(directory.join(name), text).unwrap();
    }
    for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(&main, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    (place, main)
}

fn refused(place: &TempDir, main: &Path) -> String {
    let said = load(main).unwrap_err().to_string();
    said.replace(&format!("{}/", place.path().display()), "")
}

#[test]
fn later_fragments_win_key_by_key_and_it_is_known_which() {
    let (place, main) = place(&[
        ("50-b.toml", "mode = \"audit\"\n[sysctl]\nnet.ipv4.tcp_keepalive_time = 300\n"),
        (
            "10-a.toml",
            "\n\n[sysctl]\nnet.ipv4.tcp_keepalive_time = 200\nnet.ipv4.tcp_keepalive_probes = 4\n",
        ),
        (".swp.toml", "nonsense"),
        ("notes.txt", "nonsense"),
    ]);
    let policy = load(&main).unwrap();
    assert_eq!(policy.mode, Mode::Audit);
    let values = [(Key::KeepaliveTime, 300), (Key::KeepaliveIntvl, 75), (Key::KeepaliveProbes, 4)];
    assert_eq!(policy.sysctl.values, values.into_iter().collect());
    let of = |name: &str| {
        let source = &policy.declared[name];
        let file = source.file.strip_prefix(place.path()).unwrap();
        format!("{}:{}", file.display(), source.line)
    };
    assert_eq!(of("net.ipv4.tcp_keepalive_time"), "p.d/50-b.toml:3");
    assert_eq!(of("net.ipv4.tcp_keepalive_intvl"), "p.toml:3");
    assert_eq!(of("net.ipv4.tcp_keepalive_probes"), "p.d/10-a.toml:5");
    assert_eq!(of("ClientAliveInterval"), "p.toml:5");
}

#[test]
fn findings_name_the_file_they_are_in() {
    let (place, main) = place(&[
        ("a.toml", "# fine\n[sysctl]\nnet.ipv4.tcp_keepalive_intvl = 601\n"),
        ("b.toml", "\n[sshd_config]\nClientAliveIntervall = 1\nTCPKeepAlive yes\n"),
    ]);
    assert_eq!(
        refused(&place, &main),
        "p.d/a.toml:3:32: `net.ipv4.tcp_keepalive_intvl` = 601 is above \
         `net.ipv4.tcp_keepalive_time` = 600 of p.toml:2: the kernel would probe an idle peer every \
         601 seconds, not every 600; lower the one or raise the other\n\
         net.ipv4.tcp_keepalive_intvl = 601\n                               ^~~\n\
         p.d/b.toml:3:1: unknown key `ClientAliveIntervall`, did you mean `ClientAliveInterval`?\n\
         ClientAliveIntervall = 1\n^~~~~~~~~~~~~~~~~~~~\n\
         p.d/b.toml:4:14: key with no value, expected `=`\nTCPKeepAlive yes\n             ^"
    );
}

#[test]
fn who_may_write_a_fragment_or_its_directory_writes_the_policy() {
    let (place, main) = place(&[("a.toml", "mode = \"audit\"\n")]);
    let fragment = place.path().join("p.d/a.toml");
    fs::set_permissions(&fragment, Permissions::from_mode(0o666)).unwrap();
    assert!(refused(&place, &main).starts_with("p.d/a.toml: mode 0666 lets others"));
    fs::set_permissions(&fragment, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(place.path().join("p.d"), Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&place, &main).starts_with("p.d: mode 0777 lets others"));
}

#[test]
fn the_directory_stands_beside_the_policy() {
    let of = |main: &str| fragment::directory(Path::new(main)).display().to_string();
    assert_eq!(of("/etc/keepalive-policy.toml"), "/etc/keepalive-policy.d");
    assert_eq!(of("/srv/policy"), "/srv/policy.d");
    assert_eq!(of("/srv/x.d"), "/srv/x.d.d");
}

#[test]
fn a_comment_more_is_no_other_policy() {
    let path = Path::new("/p.toml");
    let (one, two) = (policy(MAIN), parse(format!("# why\n{MAIN}").as_bytes(), path).unwrap());
    assert!(one.declared != two.declared);
    assert!(Policy { path: path.to_owned(), ..one.clone() }.says_the_same(&two));
    assert!(!one.says_the_same(&policy("mode = \"audit\"")));
}

#[test]
fn a_metrics_file_is_one_that_the_node_exporter_takes_up() {
    let of = |text: &str| parse(format!("[metrics]\ntextfile = {text}").as_bytes(), Path::new("p"));
    let taken = of("\"/var/lib/node_exporter/k.prom\"").unwrap().metrics_textfile;
    assert_eq!(taken, Some(PathBuf::from("/var/lib/node_exporter/k.prom")));
    for refused in ["\"k.prom\"", "\"/var/lib/k.txt\"", "1", "\"/var/../k.prom\""] {
        assert!(
            of(refused).unwrap_err().to_string().contains("must be an absolute path"),
            "{refused}"
        );
    }
}
