use super::*;

const LONG: Duration = Duration::from_secs(60);

fn sh(script: &str, limit: Duration) -> Result<Output, HostError> {
    Host::run(OsStr::new("sh"), ["-c", script], limit)
}

/// Whether the process whose id a script printed is gone.
fn is_gone(pid: &[u8]) -> bool {
    let pid = String::from_utf8_lossy(pid).trim().parse().unwrap();
    super::super::wait::wait_until(LONG, || {
        crate::host::process::Process::find(pid).is_none().then_some(())
    })
    .is_some()
}

#[test]
fn both_outputs_and_the_status_are_given() {
    let output = sh("echo out; echo err >&2; exit 7", LONG).unwrap();
    let expected = Output { code: 7, stdout: b"out\n".into(), stderr: b"err\n".into() };
    assert_eq!(output, expected);
    assert_eq!(sh("kill -TERM $$", LONG).unwrap().code, 143);
}

#[test]
fn a_program_that_fills_both_pipes_does_not_wait_for_us() {
    let script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 9 /dev/zero >&2";
    let output = sh(script, LONG).unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_009));
}

#[test]
fn a_program_that_closes_its_outputs_is_waited_for() {
    assert_eq!(sh("exec >&- 2>&-; exec sh -c 'exit 3'", LONG).unwrap().code, 3);
}

#[test]
fn output_is_limited_as_it_is_read() {
    let fits = sh(&format!("head -c {LONGEST_OUTPUT} /dev/zero"), LONG).unwrap();
    assert_eq!(fits.stdout.len(), LONGEST_OUTPUT);
    for script in ["yes", "yes >&2", "head -c 1000000000 /dev/zero"] {
        let error = sh(script, LONG).unwrap_err();
        let message = "sh: was killed: it said more than 4194304 bytes";
        assert_eq!(error.to_string(), message, "{script}");
    }
}

#[test]
fn what_a_program_leaves_behind_is_not_waited_for() {
    let output = sh("sleep 1000 & echo $!; exit 0", Duration::from_secs(600)).unwrap();
    assert_eq!(output.code, 0);
    assert!(is_gone(&output.stdout), "it holds the pipe, and is killed");
    // One that left the process group can't be killed with it, and does not make us wait.
    let output = sh("setsid sleep 20 & echo said", Duration::from_secs(600)).unwrap();
    assert_eq!(output.stdout, b"said\n");
}

#[test]
fn what_a_daemon_leaves_behind_stays() {
    let arguments = ["-c", "sleep 1000 & echo $!"];
    let output = Host::run_daemon(OsStr::new("sh"), arguments, LONG).unwrap();
    let pid: i32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    assert!(crate::host::process::Process::find(pid.try_into().unwrap()).is_some());
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn at_the_deadline_the_whole_group_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!("sleep 1000 & echo $! >{}; wait", file.display());
    let error = sh(&script, Duration::from_millis(500)).unwrap_err();
    assert_eq!(error.to_string(), "sh: was killed: it did not end in time");
    assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
    assert!(is_gone(&std::fs::read(file).unwrap()));
}
