use super::*;
use crate::host::process::Process;

fn running(at_start: &[&str]) -> Observed {
    let mut seen = observed(&[(MAIN, INCLUDE)]);
    seen.service.listener = Process::find(std::process::id());
    seen.service.option_files = BTreeSet::from([PathBuf::from("/etc/default/ssh")]);
    let line = |options: &[&str]| {
        let words = [&["/usr/sbin/sshd", "-D"], options].concat().join("\0");
        CommandLine::of_process(words.as_bytes())
    };
    seen.service.command_line = line(&[]);
    seen.service.at_start = line(at_start);
    seen.preset_at_start = preset::values(&seen.service.at_start.options, &seen.dialect);
    seen
}

#[test]
fn options_that_only_the_next_start_brings_are_told_before_it() {
    let all = desired(MatchBlocks::Override);
    let cases: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&["-oClientAliveInterval=120", "-o", "Banner=none"], &[]),
        (
            &["-o", "ClientAliveInterval=7"],
            &[
                "Conflict ssh.service will start sshd with -o ClientAliveInterval=7 the next time, which \
               beats every file; wanted 120: remove it from the options of ssh.service in \
               /etc/default/ssh",
            ],
        ),
        (
            &["-f", "/etc/ssh/other"],
            &[
                "Conflict ssh.service will start sshd with /etc/ssh/other the next time, and not with \
               /etc/ssh/sshd_config, which it runs with now: whether the policy is in force there is \
               looked at only then",
            ],
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(messages(&planned(&all, &running(options))), expected, "{options:?}");
    }
}

#[test]
fn what_it_runs_with_already_is_told_once() {
    let mut seen = running(&["-o", "ClientAliveInterval=7"]);
    seen.service.command_line = seen.service.at_start.clone();
    seen.preset = seen.preset_at_start.clone();
    ask(&mut seen);
    let plan = planned(&desired(MatchBlocks::Override), &seen);
    assert_eq!(
        messages(&plan),
        ["Conflict sshd is started with -o ClientAliveInterval=7, which beats every file; wanted \
          120: remove it from the options of ssh.service"]
    );
}

#[test]
fn nothing_is_told_of_a_wrapper_or_where_nothing_is_declared() {
    let mut seen = running(&["-o", "ClientAliveInterval=7"]);
    assert_eq!(messages(&planned(&Desired::default(), &seen)), [""; 0]);
    seen.service.at_start.program = None;
    assert_eq!(messages(&planned(&desired(MatchBlocks::Override), &seen)), [""; 0]);
}

#[test]
fn what_a_block_beats_is_no_conflict_now_or_then() {
    let blocks = "Match User bob\nClientAliveInterval 9\n";
    let mut seen = running(&["-o", "ClientAliveInterval=7"]);
    let file =
        Entry::File { bytes: format!("{INCLUDE}{blocks}").as_bytes().into(), real: path(MAIN) };
    seen.tree.entries.insert(path(MAIN), file);
    ask(&mut seen);
    let told = |seen: &Observed| messages(&planned(&desired(MatchBlocks::Override), seen));
    assert_eq!(told(&seen), [""; 0]);
    seen.service.command_line = seen.service.at_start.clone();
    seen.preset = seen.preset_at_start.clone();
    ask(&mut seen);
    assert_eq!(told(&seen), [""; 0]);
}
