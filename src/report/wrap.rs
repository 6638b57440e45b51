//! Text that fits a terminal of 80 columns.

/// Columns of a terminal, as everything here is made for.
pub const WIDTH: usize = 80;

/// Breaks `text` at blanks so that no line is longer than [`WIDTH`] with its indent; the first line
/// goes behind `head`, which fills `indent` columns or is followed by a blank.
#[must_use]
pub fn hanging(head: &str, indent: usize, text: &str) -> String {
    let mut result = String::new();
    let mut line = format!("{head:<indent$}");
    let mut fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = usize::from(!fresh) + word.chars().count();
        if !fresh && line.chars().count() + needed > WIDTH {
            result.push_str(line.trim_end());
            result.push('\n');
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    result.push_str(line.trim_end());
    result.push('\n');
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_80_columns() {
        let text = "word ".repeat(40);
        let wrapped = hanging("  head", 12, &text);
        assert!(wrapped.starts_with("  head      word word"));
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("            word")));
        assert_eq!(wrapped.split_whitespace().filter(|word| *word == "word").count(), 40);
    }

    #[test]
    fn a_word_that_fits_nowhere_stands_alone() {
        let long = "x".repeat(100);
        assert_eq!(hanging("", 4, &format!("a {long} b")), format!("    a\n    {long}\n    b\n"));
        assert_eq!(hanging("a", 4, ""), "a\n");
    }
}
