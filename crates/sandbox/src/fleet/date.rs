//! Dates of a fleet file: absolute, or relative to the start of the sandbox.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How far a relative date may lie from now, in hours: a century.
const HOURS_MAX: i64 = 24 * 366 * 100;

/// A date of a fleet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FleetDate {
    /// So many minutes after (or, negative, before) the start of the sandbox.
    RelativeMinutes(i64),
    /// A moment.
    Absolute(Timestamp),
}

/// A text is not a date of a fleet file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no date: write \"now\", an offset such as \"-120d\", \"+30d\", \"-3h\", \"-15m\" or \"-2w\" \
     (at most a century), or a time such as \"2026-08-01T12:00:00Z\""
)]
pub struct ParseFleetDateError {
    /// What was read.
    pub text: String,
}

impl FleetDate {
    /// So many days before the start of the sandbox.
    pub fn days_ago(days: i64) -> Self {
        Self::RelativeMinutes(-days * 24 * 60)
    }

    /// The moment, in whole seconds as EC2 has them.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        let exact = match self {
            Self::RelativeMinutes(minutes) => {
                now.checked_add(SignedDuration::from_mins(minutes)).unwrap_or(now)
            }
            Self::Absolute(at) => at,
        };
        Timestamp::from_second(exact.as_second()).unwrap_or(exact)
    }
}

impl FromStr for FleetDate {
    type Err = ParseFleetDateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseFleetDateError { text: text.to_owned() };
        if text == "now" {
            return Ok(Self::RelativeMinutes(0));
        }
        if !text.starts_with(['-', '+']) {
            return text.parse().map(Self::Absolute).map_err(|_| error());
        }
        let (minutes_each, number) = match text.chars().last() {
            Some('w') => (7 * 24 * 60, &text[..text.len() - 1]),
            Some('d') => (24 * 60, &text[..text.len() - 1]),
            Some('h') => (60, &text[..text.len() - 1]),
            Some('m') => (1, &text[..text.len() - 1]),
            _ => return Err(error()),
        };
        number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(minutes_each))
            .filter(|minutes| minutes.abs() <= HOURS_MAX * 60)
            .map(Self::RelativeMinutes)
            .ok_or_else(error)
    }
}

impl TryFrom<String> for FleetDate {
    type Error = ParseFleetDateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FleetDate> for String {
    fn from(date: FleetDate) -> Self {
        date.to_string()
    }
}

impl fmt::Display for FleetDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RelativeMinutes(0) => f.write_str("now"),
            Self::RelativeMinutes(minutes) if minutes % (24 * 60) == 0 => {
                write!(f, "{:+}d", minutes / (24 * 60))
            }
            Self::RelativeMinutes(minutes) => write!(f, "{minutes:+}m"),
            Self::Absolute(at) => write!(f, "{at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FleetDate;

    #[test]
    fn relative_and_absolute_dates() {
        let now = "2026-11-20T10:00:00.75Z".parse().unwrap();
        for (text, expected, written) in [
            ("now", "2026-11-20T10:00:00Z", "now"),
            ("-120d", "2026-07-23T10:00:00Z", "-120d"),
            ("+30d", "2026-12-20T10:00:00Z", "+30d"),
            ("-3h", "2026-11-20T07:00:00Z", "-180m"),
            ("-2w", "2026-11-06T10:00:00Z", "-14d"),
            ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05Z", "2025-01-02T03:04:05Z"),
        ] {
            let date: FleetDate = text.parse().unwrap();
            assert_eq!(date.at(now).to_string(), expected, "{text}");
            assert_eq!(date.to_string(), written);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "120d", "-d", "-12y", "-1.5d", "+40000d", "yesterday", "-é"] {
            assert!(text.parse::<FleetDate>().is_err(), "{text}");
        }
        assert!("+36600d".parse::<FleetDate>().is_ok());
    }
}
