//! Assignments in files that a shell reads with `.`: /etc/default/ufw.

/// The last value that `NAME=value` gives, as sh reads it: with `export` before it, quotes, escapes and
/// comments. `None` also where the value depends on more than the file (`$`, a backquote).
#[must_use]
pub fn variable(text: &str, name: &str) -> Option<String> {
    let mut value = None;
    for line in text.lines() {
        for word in words(line) {
            if let Some((found, assigned)) = word.split_once('=')
                && found == name
            {
                value = Some(assigned.to_owned());
            }
        }
    }
    value.filter(|value| !value.contains(['$', '`']))
}

/// The words of a line up to its comment; `;` and `&` end a word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            (_, Some(open)) if character == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (' ' | '\t' | ';' | '&' | '|', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_sh() {
        for (text, expected) in [
            ("X=/a", Some("/a")),
            ("X=/a # why", Some("/a")),
            ("X=\"/etc/ufw/sysctl.conf\"   # why", Some("/etc/ufw/sysctl.conf")),
            ("export X='/a b'", Some("/a b")),
            ("X=/a#b", Some("/a#b")),
            ("X=/a\\ b", Some("/a b")),
            ("Y=1; X=/a", Some("/a")),
            ("X=/a\nX=/b\n", Some("/b")),
            ("# X=/a", None),
            ("XX=/a", None),
            ("X=$HOME/a", None),
            ("X=\"/a", Some("/a")),
        ] {
            assert_eq!(variable(text, "X").as_deref(), expected, "{text}");
        }
    }
}
