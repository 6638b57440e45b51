use super::*;

/// What is said must be exactly `expected`, findings and carets.
pub(super) fn check(text: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(refused(text), expected.trim_matches('\n'));
}

#[test]
fn sysctls_that_the_kernel_refuses_or_does_harm_with() {
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 0\nnet.ipv4.tcp_keepalive_intvl = -5\nnet.ipv4.tcp_keepalive_probes = 0\n",
        r#"
p.toml:2:31: `net.ipv4.tcp_keepalive_time` = 0 is refused: time 0 makes the kernel probe every idle connection without pause, and with intvl 0 reset it within milliseconds; use 1 to 2147483 s
net.ipv4.tcp_keepalive_time = 0
                              ^
p.toml:3:32: `net.ipv4.tcp_keepalive_intvl` = -5 is refused: the kernel takes a negative number and then sends no probe for weeks; use 1 to 2147483 s
net.ipv4.tcp_keepalive_intvl = -5
                               ^~
p.toml:4:33: `net.ipv4.tcp_keepalive_probes` = 0 is refused: probes 0 makes the kernel reset every live idle connection, without a probe; use 1 to 255
net.ipv4.tcp_keepalive_probes = 0
                                ^
"#,
    );
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 2147484\nnet.ipv4.tcp_keepalive_intvl = 0\nnet.ipv4.tcp_keepalive_probes = 256\n",
        r#"
p.toml:2:31: `net.ipv4.tcp_keepalive_time` = 2147484 is refused: the kernel takes no such number of seconds where its clock runs at 1000 Hz; use 1 to 2147483 s
net.ipv4.tcp_keepalive_time = 2147484
                              ^~~~~~~
p.toml:3:32: `net.ipv4.tcp_keepalive_intvl` = 0 is refused: intvl 0 makes the kernel send hundreds of probes a second to a silent peer, and with time 0 reset live connections; use 1 to 2147483 s
net.ipv4.tcp_keepalive_intvl = 0
                               ^
p.toml:4:33: `net.ipv4.tcp_keepalive_probes` = 256 is refused: the kernel takes no such number of probes; use 1 to 255
net.ipv4.tcp_keepalive_probes = 256
                                ^~~
"#,
    );
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 60\nnet.ipv4.tcp_keepalive_intvl = 75\n",
        r#"
p.toml:3:32: `net.ipv4.tcp_keepalive_intvl` = 75 is above `net.ipv4.tcp_keepalive_time` = 60 of line 2: the kernel would probe an idle peer every 75 seconds, not every 60; lower the one or raise the other
net.ipv4.tcp_keepalive_intvl = 75
                               ^~
"#,
    );
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_intvl = 75\nnet.ipv4.tcp_keepalive_time = -60\nnet.ipv4.tcp_keepalive_probes = -1\n",
        r#"
p.toml:3:31: `net.ipv4.tcp_keepalive_time` = -60 is refused: the kernel takes a negative number and then sends no probe for weeks; use 1 to 2147483 s
net.ipv4.tcp_keepalive_time = -60
                              ^~~
p.toml:4:33: `net.ipv4.tcp_keepalive_probes` = -1 is refused: the kernel takes no such number of probes; use 1 to 255
net.ipv4.tcp_keepalive_probes = -1
                                ^~
"#,
    );
}

#[test]
fn retries_that_end_live_connections() {
    check(
        "[sysctl]\nnet.ipv4.tcp_retries2 = 1\n",
        r#"
p.toml:2:25: `net.ipv4.tcp_retries2` = 1 is refused: the kernel then resets a live connection whose receiver reads nothing for a second or two (a stopped terminal), and every other one after as long without an answer; use 3 to 255
net.ipv4.tcp_retries2 = 1
                        ^
"#,
    );
    check(
        "[sysctl]\nnet.ipv4.tcp_retries2 = 2\n",
        r#"
p.toml:2:25: `net.ipv4.tcp_retries2` = 2 is refused: the kernel then gives up after two to three seconds without an answer, which is less than a router's failover or a change of the access point takes; use 3 to 255
net.ipv4.tcp_retries2 = 2
                        ^
"#,
    );
    check(
        "[sysctl]\nnet.ipv4.tcp_retries2 = 256\n",
        r#"
p.toml:2:25: `net.ipv4.tcp_retries2` = 256 is refused: the kernel takes no such number of retries; use 3 to 255
net.ipv4.tcp_retries2 = 256
                        ^~~
"#,
    );
}

#[test]
fn namespaces_that_are_none() {
    check(
        "[sysctl]\nnamespaces = ['named']\n",
        r#"
p.toml:2:14: `namespaces` must have "host": the host's own values are always kept
namespaces = ['named']
             ^~~~~~~~~
"#,
    );
    check(
        "[sysctl]\nnamespaces = ['host', 'docker']\n",
        r#"
p.toml:2:23: a namespace is "host" or "named", found "docker"
namespaces = ['host', 'docker']
                      ^~~~~~~~
"#,
    );
    check(
        "[sysctl]\nnamespaces = 'named'\n",
        r#"
p.toml:2:14: `namespaces` must be ["host"] or ["host", "named"], found "named"
namespaces = 'named'
             ^~~~~~~
"#,
    );
}

#[test]
fn numbers_that_could_mean_something_else() {
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = \"0600\"\nnet.ipv4.tcp_keepalive_intvl = \"75\"\nnet.ipv4.tcp_keepalive_probes = 0x9\n",
        r#"
p.toml:2:31: `net.ipv4.tcp_keepalive_time` = "0600" is refused: the kernel reads a number with a leading 0 as octal or hexadecimal; write it in decimal, without quotes
net.ipv4.tcp_keepalive_time = "0600"
                              ^~~~~~
p.toml:3:32: `net.ipv4.tcp_keepalive_intvl` must be a whole number of seconds without quotes, found "75"
net.ipv4.tcp_keepalive_intvl = "75"
                               ^~~~
p.toml:4:33: `net.ipv4.tcp_keepalive_probes` must be a whole number of probes in decimal, found 0x9
net.ipv4.tcp_keepalive_probes = 0x9
                                ^~~
"#,
    );
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 0600\nnet.ipv4.tcp_keepalive_intvl = 7.5\nnet.ipv4.tcp_keepalive_probes = 99999999999999999999\n",
        r#"
p.toml:2:31: unexpected leading zero
net.ipv4.tcp_keepalive_time = 0600
                              ^
p.toml:3:32: `net.ipv4.tcp_keepalive_intvl` must be a whole number of seconds, found 7.5
net.ipv4.tcp_keepalive_intvl = 7.5
                               ^~~
p.toml:4:33: `net.ipv4.tcp_keepalive_probes` = 99999999999999999999 is refused: the kernel takes no such number of probes; use 1 to 255
net.ipv4.tcp_keepalive_probes = 99999999999999999999
                                ^~~~~~~~~~~~~~~~~~~~
"#,
    );
}

#[test]
fn values_of_sshd() {
    check(
        "[sshd_config]\nTCPKeepAlive = 1\nClientAliveInterval = '2 m'\nClientAliveCountMax = 0\nmatch_blocks = 'ignore'\nnever_disconnect = 'x'\n",
        r#"
p.toml:2:16: `TCPKeepAlive` must be true, false, "yes" or "no", found 1
TCPKeepAlive = 1
               ^
p.toml:3:23: `ClientAliveInterval` = "2 m" is not a time: write seconds (120) or numbers with the units s, m, h, d, w ("1h30m")
ClientAliveInterval = '2 m'
                      ^~~~~
p.toml:4:23: `ClientAliveCountMax` = 0 is refused: sshd then never disconnects a dead peer, and before OpenSSH 8.2 disconnects at the first silent interval; use 1 or more, or add never_disconnect = true
ClientAliveCountMax = 0
                      ^
p.toml:5:16: `match_blocks` must be "override" or "report", found "ignore"
match_blocks = 'ignore'
               ^~~~~~~~
p.toml:6:20: `never_disconnect` must be true or false, found "x"
never_disconnect = 'x'
                   ^~~
"#,
    );
    check(
        "[sshd_config]\nTCPKeepAlive = 'true'\nClientAliveInterval = '5s5'\nClientAliveCountMax = 3\nnever_disconnect = true\n",
        r#"
p.toml:2:16: `TCPKeepAlive` must be true, false, "yes" or "no", found "true"
TCPKeepAlive = 'true'
               ^~~~~~
p.toml:3:23: `ClientAliveInterval` = "5s5" names seconds twice, which sshd 10.3 and later refuse
ClientAliveInterval = '5s5'
                      ^~~~~
p.toml:5:1: `never_disconnect` contradicts `ClientAliveCountMax`, which is not 0
never_disconnect = true
^~~~~~~~~~~~~~~~
"#,
    );
}

#[test]
fn values_of_sshd_out_of_range() {
    check(
        "[sshd_config]\nClientAliveInterval = -1\nClientAliveCountMax = 2147483648\n",
        r#"
p.toml:2:23: `ClientAliveInterval` = -1 is refused: OpenSSH takes no such number of seconds; use 0 to 2147483647 s
ClientAliveInterval = -1
                      ^~
p.toml:3:23: `ClientAliveCountMax` = 2147483648 is refused: sshd takes no such number; use 0 to 2147483647
ClientAliveCountMax = 2147483648
                      ^~~~~~~~~~
"#,
    );
    check(
        "[sshd_config]\nClientAliveInterval = '99999w'\nClientAliveCountMax = '30'\n",
        r#"
p.toml:2:23: `ClientAliveInterval` = "99999w" is too long: the times of OpenSSH end at 2147483647 s
ClientAliveInterval = '99999w'
                      ^~~~~~~~
p.toml:3:23: `ClientAliveCountMax` must be a whole number of requests without quotes, found "30"
ClientAliveCountMax = '30'
                      ^~~~
"#,
    );
    check(
        "[sshd_config]\nTCPKeepAlive = { a = 1 }\nClientAliveInterval = [1]\nnever_disconnect = true\n",
        r#"
p.toml:2:16: `TCPKeepAlive` must be true, false, "yes" or "no", found a table
TCPKeepAlive = { a = 1 }
               ^~~~~~~~~
p.toml:3:23: `ClientAliveInterval` must be seconds (120) or a time ("2m"), found an array
ClientAliveInterval = [1]
                      ^~~
p.toml:4:1: `never_disconnect` needs `ClientAliveCountMax` = 0, which is not declared
never_disconnect = true
^~~~~~~~~~~~~~~~
"#,
    );
}

#[test]
fn values_of_ssh() {
    check(
        "[ssh_config]\nServerAliveInterval = 'none'\nServerAliveCountMax = 0\n",
        r#"
p.toml:2:23: `ServerAliveInterval` = "none" is not a time: write seconds (120) or numbers with the units s, m, h, d, w ("1h30m")
ServerAliveInterval = 'none'
                      ^~~~~~
p.toml:3:23: `ServerAliveCountMax` = 0 is refused: with 0 the client disconnects at the first silent interval, without asking; use 1 to 2147483647
ServerAliveCountMax = 0
                      ^
"#,
    );
}

#[test]
fn keys_that_are_not_known_with_the_one_that_was_meant() {
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_tim = 60\nvm.swappiness = 1\n'net/ipv4/tcp_keepalive_intvl' = 3\ntcp_keepalive_time = 5\nClientAliveInterval = 3\n",
        r#"
p.toml:2:1: unknown key `net.ipv4.tcp_keepalive_tim`, did you mean `net.ipv4.tcp_keepalive_time`?
net.ipv4.tcp_keepalive_tim = 60
^~~~~~~~~~~~~~~~~~~~~~~~~~
p.toml:3:1: unknown key `vm.swappiness`, [sysctl] takes net.ipv4.tcp_keepalive_time, net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes, net.ipv4.tcp_retries2, namespaces
vm.swappiness = 1
^~~~~~~~~~~~~
p.toml:4:1: unknown key `net/ipv4/tcp_keepalive_intvl`, did you mean `net.ipv4.tcp_keepalive_intvl`?
'net/ipv4/tcp_keepalive_intvl' = 3
^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
p.toml:5:1: unknown key `tcp_keepalive_time`, did you mean `net.ipv4.tcp_keepalive_time`?
tcp_keepalive_time = 5
^~~~~~~~~~~~~~~~~~
p.toml:6:1: unknown key `ClientAliveInterval` in [sysctl], it belongs in [sshd_config]
ClientAliveInterval = 3
^~~~~~~~~~~~~~~~~~~
"#,
    );
    check(
        "[sshd_config]\nclientaliveinterval = 5\nClientAliveIntervall = 5\nKeepAlive = true\nPermitRootLogin = 'no'\nServerAliveInterval = 5\n",
        r#"
p.toml:2:1: unknown key `clientaliveinterval`, did you mean `ClientAliveInterval`?
clientaliveinterval = 5
^~~~~~~~~~~~~~~~~~~
p.toml:3:1: unknown key `ClientAliveIntervall`, did you mean `ClientAliveInterval`?
ClientAliveIntervall = 5
^~~~~~~~~~~~~~~~~~~~
p.toml:4:1: unknown key `KeepAlive`, did you mean `TCPKeepAlive`?
KeepAlive = true
^~~~~~~~~
p.toml:5:1: unknown key `PermitRootLogin`, [sshd_config] takes TCPKeepAlive, ClientAliveInterval, ClientAliveCountMax, never_disconnect, match_blocks, instance
PermitRootLogin = 'no'
^~~~~~~~~~~~~~~
p.toml:6:1: unknown key `ServerAliveInterval` in [sshd_config], it belongs in [ssh_config]
ServerAliveInterval = 5
^~~~~~~~~~~~~~~~~~~
"#,
    );
}

#[test]
fn keys_that_are_not_known_at_the_top_or_in_tables() {
    check(
        "mod = 'audit'\nClientAliveInterval = 120\n[sshd]\nx = 1\ny = 2\n[systemd.x]\n",
        r#"
p.toml:1:1: unknown key `mod`, did you mean `mode`?
mod = 'audit'
^~~
p.toml:2:1: unknown key `ClientAliveInterval` in the policy, it belongs in [sshd_config]
ClientAliveInterval = 120
^~~~~~~~~~~~~~~~~~~
p.toml:3:2: unknown key `sshd`, did you mean `sshd_config`?
[sshd]
 ^~~~
p.toml:6:2: unknown key `systemd`, the policy takes mode, sysctl, sshd_config, ssh_config, path, objective, daemon, metrics, witness
[systemd.x]
 ^~~~~~~
"#,
    );
    check(
        "[sysctl.net.core]\nsomaxconn = 1\n[daemon.live_interval]\nx = 5\n",
        r#"
p.toml:2:1: unknown key `net.core.somaxconn`, [sysctl] takes net.ipv4.tcp_keepalive_time, net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes, net.ipv4.tcp_retries2, namespaces
somaxconn = 1
^~~~~~~~~
p.toml:3:1: `live_interval` must be seconds (120) or a time ("2m"), found a table
[daemon.live_interval]
^~~~~~~~~~~~~~~~~~~~~~
"#,
    );
}

#[test]
fn keys_given_twice_in_whatever_spelling() {
    check(
        "[sysctl]\nnet.ipv4.tcp_keepalive_time = 60\n'net.ipv4.tcp_keepalive_time' = 60\nnet.ipv4.tcp_keepalive_time = 60\n[daemon]\nlive_interval = 1\nlive_interval = 2\n[sysctl]\n",
        r#"
p.toml:3:1: duplicate key `net.ipv4.tcp_keepalive_time`
'net.ipv4.tcp_keepalive_time' = 60
^~~~~~~~~~~~~~~~~~~~~~~~~~~~~
p.toml:4:1: duplicate key `net.ipv4.tcp_keepalive_time`
net.ipv4.tcp_keepalive_time = 60
^~~~~~~~~~~~~~~~~~~~~~~~~~~
p.toml:7:1: duplicate key `live_interval`
live_interval = 2
^~~~~~~~~~~~~
p.toml:8:2: duplicate key `sysctl`
[sysctl]
 ^~~~~~
"#,
    );
    check(
        "[sysctl]\n'net.ipv4.tcp_keepalive_time' = 60\n  net.ipv4.tcp_keepalive_time = 60 # again\n",
        r#"
p.toml:3:3: duplicate key `net.ipv4.tcp_keepalive_time`
  net.ipv4.tcp_keepalive_time = 60 # again
  ^~~~~~~~~~~~~~~~~~~~~~~~~~~
"#,
    );
}

#[test]
fn sections_that_are_no_tables_and_modes_that_are_none() {
    check(
        "mode = 'dry-run'\nsysctl = 5\n[[path]]\nhops = 'aws-nlb'\n",
        r#"
p.toml:1:8: `mode` must be "enforce" or "audit", found "dry-run"
mode = 'dry-run'
       ^~~~~~~~~
p.toml:2:1: `sysctl` must be a table, written [sysctl], found 5
sysctl = 5
^~~~~~
p.toml:3:3: `path` must be a table, written [path], found an array
[[path]]
  ^~~~
"#,
    );
    check(
        "mode = true\n[path]\nhops = 'aws-nlb'\n",
        r#"
p.toml:1:8: `mode` must be "enforce" or "audit", found true
mode = true
       ^~~~
p.toml:3:8: `hops` must be an array, hops = ["aws-nlb"], found "aws-nlb"
hops = 'aws-nlb'
       ^~~~~~~~~
"#,
    );
}

#[test]
fn hops_and_times() {
    check(
        "[path]\nhops = ['aws-nbl', 'aws', 'my box',\n  5, {}, { name = '', idle = 0 },\n  { name = 'x', idle = '1h', tcp_keepalive = 1, x = 2 }]\n",
        r#"
p.toml:2:9: unknown hop "aws-nbl", did you mean "aws-nlb"?
hops = ['aws-nbl', 'aws', 'my box',
        ^~~~~~~~~
p.toml:2:20: unknown hop "aws", did you mean "aws-nlb"?
hops = ['aws-nbl', 'aws', 'my box',
                   ^~~~~
p.toml:2:27: unknown hop "my box": describe one of your own as { name = "my box", idle = "350s", tcp_keepalive = true }
hops = ['aws-nbl', 'aws', 'my box',
                          ^~~~~~~~
p.toml:3:3: a hop must be an id ("aws-nlb") or a table of its own ({ name = "…", idle = "350s", tcp_keepalive = true }), found 5
  5, {}, { name = '', idle = 0 },
  ^
p.toml:3:6: a hop of your own needs `idle`
  5, {}, { name = '', idle = 0 },
     ^~
p.toml:3:6: a hop of your own needs `name`
  5, {}, { name = '', idle = 0 },
     ^~
p.toml:3:19: `name` must be a text to recognise the hop by, found ""
  5, {}, { name = '', idle = 0 },
                  ^~
p.toml:3:30: `idle` = 0 is refused: a hop that forgets at once lets nothing through; use 1 to 2147483647 s
  5, {}, { name = '', idle = 0 },
                             ^
p.toml:4:46: `tcp_keepalive` must be true or false, found 1
  { name = 'x', idle = '1h', tcp_keepalive = 1, x = 2 }]
                                             ^
p.toml:4:49: unknown key `x`, a hop takes name, idle, tcp_keepalive
  { name = 'x', idle = '1h', tcp_keepalive = 1, x = 2 }]
                                                ^
"#,
    );
    check(
        "[daemon]\nlive_interval = 0\nresync_interval = '2d'\nreload_spacing = '500ms'\n",
        r#"
p.toml:2:17: `live_interval` = 0 is refused: a shorter one wastes wake-ups, a longer one lets drift last; use 1 to 3600 s
live_interval = 0
                ^
p.toml:3:19: `resync_interval` = "2d" is refused: a shorter one wastes wake-ups, a longer one lets drift last; use 1 to 86400 s
resync_interval = '2d'
                  ^~~~
p.toml:4:18: `reload_spacing` = "500ms" is not a time: write seconds (120) or numbers with the units s, m, h, d, w ("1h30m")
reload_spacing = '500ms'
                 ^~~~~~~
"#,
    );
}

#[test]
fn what_is_no_toml_together_with_the_rest() {
    check(
        "mode = enforce\nTCPKeepAlive yes\n[daemon]\nlive_interval = 05\nresync_interval =\nlive = \"x\n[sysctl\n",
        r#"
p.toml:1:8: text must be quoted: "enforce"
mode = enforce
       ^~~~~~~
p.toml:2:14: key with no value, expected `=`
TCPKeepAlive yes
             ^
p.toml:4:17: unexpected leading zero
live_interval = 05
                ^
p.toml:5:18: there is no value after the `=`
resync_interval =
                 ^
p.toml:6:10: invalid basic string, expected `"`
live = "x
         ^
p.toml:7:8: unclosed table, expected `]`
[sysctl
       ^
"#,
    );
    check(
        "[daemon] # times\nreload_spacing = '2s' '3s'\nfoo = 1\n",
        r#"
p.toml:2:23: unexpected key or value, expected newline, `#`
reload_spacing = '2s' '3s'
                      ^
p.toml:3:1: unknown key `foo`, [daemon] takes live_interval, resync_interval, reload_spacing
foo = 1
^~~
"#,
    );
}

#[test]
fn what_is_no_text_together_with_the_rest() {
    check(
        b"\xef\xbb\xbfmode = 'x'\nfoo = 1\n",
        r#"
p.toml:1:1: a byte order mark: save the file as UTF-8 without one
\u{feff}mode = 'x'
^~~~~~~~
p.toml:2:1: unknown key `foo`, the policy takes mode, sysctl, sshd_config, ssh_config, path, objective, daemon, metrics, witness
foo = 1
^~~
"#,
    );
    check(
        b"a\x00b = 1\nfoo = 1\n",
        r#"
p.toml:1:2: a NUL byte: this is no text
a\x00b = 1
 ^~~~
p.toml:2:1: unknown key `foo`, the policy takes mode, sysctl, sshd_config, ssh_config, path, objective, daemon, metrics, witness
foo = 1
^~~
"#,
    );
    check(
        b"# caf\xe9 \xe9\nmode = 'x\xff'\nfoo = 1\n",
        r#"
p.toml:1:6: byte 0xe9 is not UTF-8: save the file as UTF-8
# caf� �
     ^
p.toml:2:10: byte 0xff is not UTF-8: save the file as UTF-8
mode = 'x�'
         ^
p.toml:3:1: unknown key `foo`, the policy takes mode, sysctl, sshd_config, ssh_config, path, objective, daemon, metrics, witness
foo = 1
^~~
"#,
    );
    check(
        b"\xff\xfem\x00o\x00",
        r#"
p.toml:1:1: byte 0xff is not UTF-8: save the file as UTF-8
��m\x00o\x00
^
"#,
    );
}

#[test]
fn columns_are_characters_and_carets_keep_tabs_and_wide_letters() {
    check(
        "[daemon]\n\tresync_interval\t=\t0\t# tab\n'ｋｅｙé😀' = 1\r\n",
        r#"
p.toml:2:20: `resync_interval` = 0 is refused: a shorter one wastes wake-ups, a longer one lets drift last; use 1 to 86400 s
	resync_interval	=	0	# tab
	               	 	^
p.toml:3:1: unknown key `ｋｅｙé😀`, [daemon] takes live_interval, resync_interval, reload_spacing
'ｋｅｙé😀' = 1
^~~~~~~~~~~
"#,
    );
    check(
        "[daemon]\n\"\\u001b[31m\" = 1\nresync_interval = '\u{1b}[1m'\n",
        r#"
p.toml:2:1: unknown key `\x1b[31m`, [daemon] takes live_interval, resync_interval, reload_spacing
"\u001b[31m" = 1
^~~~~~~~~~~~
p.toml:3:20: invalid literal string, expected non-single-quote visible characters
resync_interval = '\x1b[1m'
                   ^
"#,
    );
}
