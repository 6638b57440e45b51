use std::path::Path;

use super::{CommandLine, Environment};

fn options(line: &CommandLine) -> Vec<&str> {
    line.options.iter().map(|option| option.to_str().unwrap()).collect()
}

#[test]
fn the_title_of_a_listener_is_read() {
    // Recorded from 9.2p1, started with -o 'Banner none'.
    let line = CommandLine::of_process(
        b"sshd: /usr/sbin/sshd -D -o ClientAliveCountMax=7 -oTCPKeepAlive=no -o Banner none [listener] 0 of 10-100 startups\0",
    );
    assert_eq!(line.program.as_deref(), Some(Path::new("/usr/sbin/sshd")));
    assert_eq!(line.main, None);
    let expected = ["-o", "ClientAliveCountMax=7", "-o", "TCPKeepAlive=no", "-o", "Banner none"];
    assert_eq!(options(&line), expected);
}

#[test]
fn plain_arguments_are_read() {
    // As 8.0p1 of RHEL 8 leaves them.
    let line = CommandLine::of_process(
        b"/usr/sbin/sshd\0-D\0-oCiphers=aes256-gcm@openssh.com\0-4De\0-f\0etc/other config\0-p2222\0-E\0/var/log/x\0",
    );
    assert_eq!(line.main.as_deref(), Some(Path::new("/etc/other config")));
    let expected = ["-o", "Ciphers=aes256-gcm@openssh.com", "-4", "-p", "2222"];
    assert_eq!(options(&line), expected);
    assert_eq!(line.arguments.len(), 8);
}

#[test]
fn what_is_no_listener_has_nothing() {
    let cmdlines: [&[u8]; 7] = [
        b"",
        b"sshd: ",
        b"sshd: root@pts/0\0",
        b"\0\0",
        b"-o\0",
        b"sshd\0-o\0Banner=none\0",
        b"/bin/sh\0-c\0/usr/sbin/sshd -D; true\0",
    ];
    for cmdline in cmdlines {
        let line = CommandLine::of_process(cmdline);
        assert_eq!((line.program, line.main, line.options), (None, None, vec![]), "{cmdline:?}");
    }
}

#[test]
fn a_unit_is_read_with_its_variables() {
    let mut environment = Environment::default();
    environment.add_assignments("PORT=22 \"OPTIONS=-o Banner=lost\" HIDDEN=1");
    environment.add_file(b"# a comment\nCRYPTO_POLICY='-oCiphers=a,b -oMACs=c'\n");
    environment.add_file(b"OPTIONS=\"-u0 -o 'Banner none'\"\n; no\nbroken\n");
    // Recorded from systemd 252, the arguments those of RHEL 8.
    let line = CommandLine::of_unit(
        "{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D -p ${PORT}00 $OPTIONS $CRYPTO_POLICY $UNSET ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }",
        &environment,
    );
    assert_eq!(line.program.as_deref(), Some(Path::new("/usr/sbin/sshd")));
    let expected =
        ["-p", "2200", "-u", "0", "-o", "Banner none", "-o", "Ciphers=a,b", "-o", "MACs=c"];
    assert_eq!(options(&line), expected);
}

#[test]
fn the_options_of_an_image_are_read() {
    let line = CommandLine::of_options(b"-o ClientAliveInterval=5 -f /etc/other");
    assert_eq!(options(&line), ["-o", "ClientAliveInterval=5"]);
    assert_eq!(line.main.as_deref(), Some(Path::new("/etc/other")));
    assert_eq!(line.program, None);
    assert_eq!(CommandLine::of_options(b""), CommandLine::default());
}

#[test]
fn the_first_argument_need_not_be_the_program() {
    let of_unit = |text| CommandLine::of_unit(text, &Environment::default());
    // ExecStart=@/opt/sbin/sshd listener -D -p 2222
    let renamed =
        of_unit("{ path=/opt/sbin/sshd ; argv[]=listener -D -p 2222 ; ignore_errors=no }");
    assert_eq!(renamed.program.as_deref(), Some(Path::new("/opt/sbin/sshd")));
    assert_eq!(options(&renamed), ["-p", "2222"]);
    // ExecStart=sshd -D -4
    assert_eq!(options(&of_unit("{ path=sshd ; argv[]=sshd -D -4 ; ignore_errors=no }")), ["-4"]);
    let wrapped = of_unit("{ path=/usr/bin/env ; argv[]=/usr/sbin/sshd -4 ; ignore_errors=no }");
    assert_eq!(wrapped, CommandLine::default());
    assert_eq!(of_unit(""), CommandLine::default());
}
