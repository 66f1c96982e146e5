//! Breaks text into lines: between words, and within a word where a person would.

/// The words of `text` in lines of at most `width` characters. A longer word has a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        append(&mut lines, word, width);
    }
    lines
}

/// The same, with longer words broken: behind a hyphen, colon, slash or the like, or else where the line ends.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        if length(word) <= width {
            append(&mut lines, word, width);
            continue;
        }
        let mut rest = word;
        while length(rest) > width {
            let (head, tail) = rest.split_at(break_of(rest, width));
            lines.push(head.to_owned());
            rest = tail;
        }
        lines.push(rest.to_owned());
    }
    lines
}

/// Puts the word behind the others of the last line, if it fits there, or else below.
fn append(lines: &mut Vec<String>, word: &str, width: usize) {
    match lines.last_mut() {
        Some(line) if length(line) + 1 + length(word) <= width => {
            line.push(' ');
            line.push_str(word);
        }
        _ => lines.push(word.to_owned()),
    }
}

/// Where a word that is longer than `width` is broken: the byte at which its next line begins.
fn break_of(word: &str, width: usize) -> usize {
    let ends =
        || word.char_indices().map(|(at, character)| (at + character.len_utf8(), character)).take(width);
    let joints = ends().enumerate().filter(|(_, (_, it))| matches!(it, '-' | ':' | '/' | ',' | '='));
    // A line that holds little more than the beginning of an identifier, `ami-`, helps nobody.
    let joint = joints.last().filter(|(index, _)| index * 3 >= width).map(|(_, (end, _))| end);
    joint.or_else(|| ends().last().map(|(end, _)| end)).unwrap_or(word.len())
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_break_behind_what_joins_their_parts() {
        assert_eq!(fold("batch-worker-1.4.0-x86", 15), ["batch-worker-", "1.4.0-x86"]);
        assert_eq!(fold("User: arn:aws:iam:1:role/x", 12), ["User:", "arn:aws:iam:", "1:role/x"]);
        assert_eq!(fold("a-long-name-of-an-image (disable)", 18), ["a-long-name-of-an-", "image (disable)"]);
        assert_eq!(fold("short words stay whole", 11), ["short words", "stay whole"]);
    }

    #[test]
    fn words_without_joints_break_where_the_line_ends() {
        assert_eq!(fold("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(fold("ami-0123456789abcdef", 16), ["ami-0123456789ab", "cdef"]);
        assert_eq!(fold("éééé", 3), ["ééé", "é"]);
        assert_eq!(fold("ab", 0), ["a", "b"]);
        assert_eq!(fold("", 5), [""]);
    }
}
