use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;

/// Row of hostile inputs: another user, who owns a directory above the file, puts a link to a file of
/// root's there.
#[tokio::test]
async fn a_page_is_not_written_through_another_users_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = |path: &str| directory.path().join(path);
    for made in ["prometheus/node-exporter", "run"] {
        fs::create_dir_all(path(made)).unwrap();
        fs::set_permissions(path(made), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::copy("/proc/self/cmdline", path("victim")).unwrap();
    let before = fs::read(path("victim")).unwrap();
    symlink(path("victim"), path("prometheus/node-exporter/k.prom")).unwrap();
    chown(path("prometheus"), Some(4711), None).unwrap();
    let page = |name: &str| Some(Page { path: path(name), text: "k 1\n".to_owned() });

    let file = MetricsFile::start();
    file.write(page("prometheus/node-exporter/k.prom"));
    file.withdraw().await;
    assert_eq!(fs::read(path("victim")).unwrap(), before);
    let said = put(&path("prometheus/node-exporter/k.prom"), b"k 1\n").unwrap_err().to_string();
    assert!(said.contains("prometheus belongs to uid 4711, not to root"), "{said}");

    // What the manual says instead: a file of root's, and a link to it.
    put(&path("run/metrics.prom"), b"k 1\n").unwrap();
    fs::remove_file(path("prometheus/node-exporter/k.prom")).unwrap();
    symlink(path("run/metrics.prom"), path("prometheus/node-exporter/k.prom")).unwrap();
    assert_eq!(fs::read(path("prometheus/node-exporter/k.prom")).unwrap(), b"k 1\n");
}
