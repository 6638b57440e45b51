use std::collections::BTreeMap;

use super::*;

#[test]
fn what_a_verdict_depends_on_is_named() {
    let text = "HostKey /keys/a\nHostKey relative\nhostcertificate \"/keys/a cert\"\nHostKeyAgent none\n\
                Match User bob\nBanner /banner\n";
    let file = Entry::File { bytes: text.as_bytes().into(), real: "/c".into() };
    let tree = Tree { main: "/c".into(), entries: BTreeMap::from([("/c".into(), file)]) };
    let dump = Dump::parse("hostkey /keys/b\nhostkeyagent none\nbanner /x\n", None);
    let options = ["-o", "hostkey=/keys/c", "-h", "/keys/d", "-o", "Banner=/y", "-p", "22"];
    let options = options.map(OsString::from);
    let found = paths(&tree, Some(&dump), &options, &Dialect::default());
    let wanted = ["/keys/a", "/keys/a cert", "/keys/b", "/keys/c", "/keys/d", SEPARATION];
    let wanted: BTreeSet<PathBuf> =
        wanted.into_iter().chain(DEFAULT_KEYS).map(PathBuf::from).collect();
    assert_eq!(found, wanted);
}
