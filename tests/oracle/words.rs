//! The words that random trees are made of.

/// Comments of all sorts.
pub const COMMENTS: [&str; 5] =
    ["# a comment", "#", "  # ClientAliveInterval 5", "\t#\"", "#'unbalanced"];

/// Lines of other keywords that are allowed everywhere, with arguments that are hard to split.
pub const OTHERS: [&str; 9] = [
    "PermitRootLogin no",
    "X11Forwarding yes",
    "MaxAuthTries 4",
    "Banner /etc/a#b",
    "AllowUsers \"a #b\" c # d",
    "ForceCommand echo \"a' # b\"'",
    "AcceptEnv LANG LC_*",
    "LogLevel VERBOSE",
    "AuthorizedKeysFile .ssh/a\\ b '.ssh/c d'",
];

/// Lines that sshd passes over without a word.
pub const IGNORED: [&str; 10] = [
    "==ClientAliveInterval 5",
    "\"\" \"\" TCPKeepAlive no",
    "=",
    "\"",
    "\"TCPKeepAlive no",
    "TCPKeepAlive\"no",
    "\"#x\" y",
    "= # c",
    "= = ClientAliveInterval 9",
    "\"\"\"\"ClientAliveInterval 9",
];

/// Lines that sshd refuses.
pub const REFUSED: [&str; 46] = [
    "TCPKeepAlive true",
    "TCPKeepAlive no#c",
    "TCPKeepAlive yes no",
    "TCPKeepAlive",
    "TCPKeepAlive \"\"",
    "TCPKeepAlive\"no\"",
    "ClientAliveInterval none",
    "ClientAliveInterval 1.5",
    "ClientAliveInterval -1",
    "ClientAliveInterval \"5 \"",
    "ClientAliveInterval 5ms",
    "ClientAliveInterval 0x5",
    "ClientAliveInterval m",
    "ClientAliveInterval 2147483648",
    "ClientAliveInterval 3551w",
    "ClientAliveInterval == 5",
    "ClientAliveInterval 5 \\# c",
    "ClientAliveInterval 5 \r#",
    "ClientAliveInterval 5\r#",
    "ClientAliveInterval 5\x0b",
    "ClientAliveInterval '5",
    "ClientAliveInterval 5\\",
    "ClientAliveCountMax 3x",
    "ClientAliveCountMax -1",
    "ClientAliveCountMax 2147483648",
    "ClientAliveCountMax \"3 \"",
    "ClientAliveCountMax 1m",
    "Match",
    "Match User",
    "Match \"\" User bob",
    "Match User bob \"\" Host x",
    "Match all User bob",
    "Match User bob all",
    "Match user bob bogus",
    "Match Bogus x",
    "Match Address 192.0.2.1/24",
    "Match Address 192.0.2.0/33",
    "Match Address 192.0.2.1,",
    "Match LocalPort 70000",
    "Match User o'brien",
    "Match User ==bob",
    "Match # c",
    "Include",
    "Include # c",
    "Include \"\"",
    "Include '",
];

/// What may follow `Match`.
pub const CRITERIA: [&str; 45] = [
    "all",
    "ALL",
    "all",
    "User bob",
    "User=bob",
    "user \"bob\"",
    "User bob,root",
    "User *",
    "User r*t,!root",
    "User !bob",
    "User !bob,*",
    "User ?ob",
    "User BOB",
    "User bob User *",
    "User bob Host web1",
    "Group root",
    "Group nogroup,!root",
    "Group *",
    "Group !root,*",
    "Host WEB1",
    "Host web?,!web2",
    "Host *.example.org",
    "Address 192.0.2.0/24",
    "Address 192.0.2.7",
    "Address 192.0.2.*,!192.0.2.9",
    "Address !192.0.2.7,192.0.2.0/24",
    "Address 2001:db8::/32",
    "Address 10.1,192.0.2.0/25",
    "Address 0xc0.0.2.7",
    "Address *:*",
    "LocalAddress 127.0.0.1",
    "LocalAddress 198.51.100.0/24 User bob",
    "LocalPort 22",
    "LocalPort 2222",
    "LocalPort \" 22\"",
    "RDomain blue",
    "User bob # c",
    "User bob#c",
    "all # c",
    "all \"\"",
    "User bob \"\"",
    "User \"bob, root\"",
    "User = root",
    "User \"ro\"ot",
    "Host=web1 User=root",
];

/// What may follow `Match` in newer releases, or in older ones only.
pub const NEWER_CRITERIA: [&str; 9] = [
    "User 'bob'",
    "User a\\ b",
    "User \"#c\"",
    "invalid-user",
    "version OpenSSH_*",
    "version OpenSSH_9*",
    "version OpenSSH_10* User bob",
    "User=\"bob\" Host='web1'",
    "user= bob",
];

/// Times that every release takes.
pub const TIMES: [&str; 16] = [
    "0",
    "5",
    "7",
    "60",
    "120",
    "1m",
    "2M",
    "1h",
    "1h30m",
    "90s",
    "1m30",
    "5s5",
    "007",
    "1d",
    "1w",
    "2147483647",
];

/// Times that need quotes or that not every release takes.
pub const ODD_TIMES: [&str; 6] = ["+5", " 5", "1h+30m", " 1h 30m", "-0", "\t7"];

/// Counts.
pub const COUNTS: [&str; 6] = ["0", "1", "3", "30", "007", "2147483647"];

/// Counts that need quotes.
pub const ODD_COUNTS: [&str; 4] = ["+5", " 4", "-0", "\t2"];

/// What may stand before a keyword, between it and its arguments, and behind these.
pub const BEFORE: [&str; 11] =
    ["", "", " ", "\t", "\r", " \t\r ", "=", "= ", "\"\" ", "\"\"", " ="];
pub const BETWEEN: [&str; 11] =
    [" ", "\t", "=", " = ", "= ", " =", "  ", " \t ", "\r", "=\r", " \r= \t"];
pub const BEHIND: [&str; 12] =
    ["", "", " ", "\t", "\r", "\x0c", " \x0c\r ", " # c", "\t#\"", " #", " #'x", "  # \\"];

/// What `Include` lines name: two directories below a root.
pub const COMMON_PATTERNS: [&str; 3] =
    ["ROOT/etc/ssh/ONE/*.conf", "ROOT/etc/ssh/ONE/*.conf", "ROOT/etc/ssh/TWO/*.conf"];

/// What `Include` lines may name.
pub const PATTERNS: [&str; 23] = [
    "ROOT/etc/ssh/*.d/*.conf",
    "ROOT/etc/ssh/ONE/*",
    "ROOT/etc/ssh/ONE/[!a-z]*.conf",
    "ROOT/etc/ssh/ONE/[[:digit:]]*",
    "ROOT/etc/ssh/TWO/?0-*.conf",
    "ROOT/etc/ssh/ONE/.*",
    "ROOT/etc/ssh/ONE",
    "ROOT/etc/ssh/TWO/",
    "\"ROOT/etc/ssh/ONE/b [[]1].conf\"",
    "'ROOT/etc/ssh/ONE/b \\[1\\].conf'",
    "ROOT/etc/ssh/ONE/b\\ *.conf",
    "ROOT//etc/ssh/./TWO//*.conf",
    "ROOT/etc/ssh/TWO/../ONE/*.conf",
    "ROOT/etc/ssh/ONE/[0-9/]*.conf",
    "ROOT/etc/ssh/ONE/**.conf",
    "ROOT/etc/ssh/ONE/[a.conf",
    "ROOT/etc/ssh/TWO/00-a.conf",
    "ROOT/etc/ssh/TWO/{a,A}.conf",
    "ROOT/etc/ssh/ONE/[[:upper:][:punct:]]*.conf",
    "ROOT/etc/ssh/ONE/*.conf/",
    "ROOT/etc/ssh/TWO/[]_A-]*",
    "ROOT/etc/ssh/ONE/*-*.conf",
    "keepalive-policy-nowhere.d/*.conf",
];
