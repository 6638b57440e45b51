use super::*;

fn edit(before: Option<&str>, after: Option<&str>) -> FileEdit {
    FileEdit {
        path: "/etc/x.conf".into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
        foreign: true,
    }
}

#[test]
fn diffs_are_unified_and_name_dev_null() {
    assert_eq!(
        edit(None, Some("a\n")).to_string(),
        "--- /dev/null\n+++ b/etc/x.conf\n@@ -0,0 +1 @@\n+a\n"
    );
    assert_eq!(
        edit(Some("a\nb"), Some("a\nc")).to_string(),
        "--- a/etc/x.conf\n+++ b/etc/x.conf\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    );
}

#[test]
fn apply_and_undo_meet_only_the_content_they_expect() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    host.make_directory("/etc".as_ref(), 0o755).unwrap();
    let create = edit(None, Some("one"));
    create.apply(&host).unwrap();
    let error = create.apply(&host).unwrap_err().to_string();
    assert_eq!(error, "/etc/x.conf: left as it is: somebody else changed it at the same moment");
    let change = edit(Some("one"), Some("two"));
    change.apply(&host).unwrap();
    assert_eq!(Originals::kept_copy(&host, &change.path).unwrap().unwrap(), b"one");
    change.undo(&host).unwrap();
    create.undo(&host).unwrap();
    assert!(!directory.path().join("etc/x.conf").exists());
}
