//! Text from outside, made fit to be shown.

use std::borrow::Cow;

/// The text with every character replaced that a terminal would obey or that would show other characters in
/// a false order. An image's name, a tag or a policy's reason may hold anything, an escape sequence included.
/// Line breaks and tabs become spaces.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unfit) {
        return Cow::Borrowed(text);
    }
    let fit = |character: char| match character {
        '\n' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\r' => None,
        other if is_unfit(other) => Some(char::REPLACEMENT_CHARACTER),
        other => Some(other),
    };
    Cow::Owned(text.chars().filter_map(fit).collect())
}

/// The text as a field of CSV: made fit to be shown, and with an apostrophe before what a spreadsheet would take for
/// a formula, which whoever names an image can write.
pub(super) fn csv_field(text: &str) -> Cow<'_, str> {
    let text = clean(text);
    if text.starts_with(['=', '+', '-', '@']) { Cow::Owned(format!("'{text}")) } else { text }
}

/// Control characters, and those that are invisible or turn the direction of writing.
pub(super) fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// `1 image`, `2 images`, `no image`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", grouped(number)),
    }
}

/// The same for a row of counts, where a zero stands out as a zero: `0 images`.
pub(super) fn tally(number: usize, noun: &str) -> String {
    if number == 0 { format!("0 {noun}s") } else { count(number, noun) }
}

/// The verb that goes with a number: `is` or `are`.
pub(super) fn be(number: usize) -> &'static str {
    if number < 2 { "is" } else { "are" }
}

/// The verb that goes with a number: `was` or `were`.
pub(super) fn was(number: usize) -> &'static str {
    if number < 2 { "was" } else { "were" }
}

/// The digits in groups of three: `12,345`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most `most` characters of the text, with a mark where something is missing.
pub(super) fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_survives() {
        let check = |text: &str, shown: &str| assert_eq!(clean(text), shown);
        check("web-2024 (base) [x]/é", "web-2024 (base) [x]/é");
        check("\u{1b}[31mred\u{7}", "\u{fffd}[31mred\u{fffd}");
        check("\u{9b}2J", "\u{fffd}2J");
        check("two\r\nlines\tand a tab", "two lines and a tab");
        check("ami\u{202e}gpj", "ami\u{fffd}gpj");
    }

    #[test]
    fn numbers_read_naturally() {
        assert_eq!(count(0, "image"), "no image");
        assert_eq!(count(1, "image"), "1 image");
        assert_eq!(count(1_234_567, "image"), "1,234,567 images");
        assert_eq!(grouped(999), "999");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shorten("ééé", 3), "ééé");
        assert_eq!(shorten("éééé", 3), "ééé…");
    }
}
