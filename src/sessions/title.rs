//! What sshd writes over its command line: `sshd: bob [priv]`, `sshd: bob@pts/0`,
//! `sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups`; since 9.8 `sshd-session: …`,
//! and since 10.5 `sshd-session: bob [postauth]`.

/// Whether it is a listener's: older ones keep their command line.
#[must_use]
pub fn is_listener(title: &str) -> bool {
    title.contains("[listener]") || body(title).is_none()
}

/// Who is logged in.
#[must_use]
pub fn user(title: &str) -> Option<&str> {
    let body = body(title)?;
    let named = [" [priv]", " [postauth]"].iter().find_map(|role| body.strip_suffix(role));
    let name = match named {
        Some(name) => name,
        // A name may have an @ of its own.
        None if !body.ends_with(']') => body.rsplit_once('@')?.0,
        None => return None,
    };
    (!name.is_empty() && name != "unknown" && !name.starts_with('[')).then_some(name)
}

fn body(title: &str) -> Option<&str> {
    ["sshd: ", "sshd-session: ", "sshd-auth: "].iter().find_map(|head| title.strip_prefix(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_tell_listeners_and_users() {
        for (title, listener, expected) in [
            ("sshd: bob [priv]", false, Some("bob")),
            ("sshd: bob@pts/0", false, Some("bob")),
            ("sshd: root@notty", false, Some("root")),
            ("sshd-session: eve@corp.example [priv]", false, Some("eve@corp.example")),
            ("sshd-session: eve@corp.example@pts/3", false, Some("eve@corp.example")),
            ("sshd-session: bob [postauth]", false, Some("bob")),
            ("sshd-session: eve@corp.example [postauth]", false, Some("eve@corp.example")),
            ("sshd-session: unknown [postauth]", false, None),
            ("sshd-session: bob [net]", false, None),
            ("sshd-session: [accepted]", false, None),
            ("sshd: [accepted]", false, None),
            ("sshd: bob [net]", false, None),
            ("sshd: unknown [priv]", false, None),
            ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", true, None),
            ("/usr/sbin/sshd -D", true, None),
            ("", true, None),
        ] {
            assert_eq!((is_listener(title), user(title)), (listener, expected), "{title}");
        }
    }
}
