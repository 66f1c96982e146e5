//! The dates of images. EC2 types them as plain text, in both `…:SSZ` and `…:SS.000Z`.

use amiwarden_core::{Reading, Timestamp};
use aws_smithy_types::DateTime;

/// Reads a date. Text that is no date, the empty text included, is kept as it is: it is not a date that is missing.
pub(crate) fn reading(text: Option<String>) -> Reading<Timestamp> {
    match text {
        None => Reading::Absent,
        Some(text) => match text.parse() {
            Ok(timestamp) => Reading::Present(timestamp),
            Err(_) => Reading::Unreadable(text),
        },
    }
}

/// The instant as the SDK writes it, to the second.
pub(crate) fn to_sdk(at: Timestamp) -> DateTime {
    DateTime::from_secs(at.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_nothing_is_guessed() {
        let instant = || Reading::Present(Timestamp::from_second(1_736_928_000).unwrap());
        let check = |text: Option<&str>, expected: Reading<Timestamp>| {
            assert_eq!(reading(text.map(str::to_owned)), expected, "{text:?}");
        };
        check(None, Reading::Absent);
        check(Some("2025-01-15T08:00:00.000Z"), instant());
        check(Some("2025-01-15T08:00:00Z"), instant());
        for text in
            ["", "2025-01-15", "yesterday", "2025-01-15T08:00:00", "2025-13-15T08:00:00Z", "1736928000"]
        {
            check(Some(text), Reading::Unreadable(text.to_owned()));
        }
    }

    #[test]
    fn an_instant_is_written_to_the_second() {
        let at: Timestamp = "2027-01-15T08:00:00.9Z".parse().unwrap();
        assert_eq!(to_sdk(at).to_string(), "2027-01-15T08:00:00Z");
    }
}
