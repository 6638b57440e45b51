//! The same before the ssh of another release: Debian 13's OpenSSH 10.

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that starts itself in another place")]
fn all_of_it_holds_for_debian_13() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle_ssh/other-release.sh");
    let output = Command::new(script)
        .arg("trixie")
        .arg(std::env::current_exe().unwrap())
        .args(["--skip", "other_release", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    assert!(errors.contains("of OpenSSH 10."), "{errors}");
}
