//! Instants and durations as policies and configurations write them.

use std::fmt;
use std::str::FromStr;

pub use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// The longest duration that can be written: about 10,000 years, so that sums cannot overflow.
const SECONDS_MAX: i64 = 10_000 * 366 * DAY;

/// A length of time in whole seconds. A day is always 24 hours; months and years, whose length varies,
/// cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(i64);

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// The text has no form that is understood.
    #[error(
        "`{0}` is not a duration: write a whole number and a unit, such as `90d`, `12h`, `2w`, `30m` or `45s`"
    )]
    Malformed(String),
    /// Months and years have no fixed length.
    #[error("`{0}` names months or years, whose length varies: write days, such as `90d`")]
    Calendar(String),
    /// Longer than amiwarden can count.
    #[error("`{0}` is longer than 10,000 years")]
    TooLong(String),
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// For constants: so many seconds, as they are.
    pub(crate) const fn from_const_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// So many seconds, held to the longest duration that can be written.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(-SECONDS_MAX, SECONDS_MAX))
    }

    /// So many days of 24 hours.
    pub fn from_days(days: i64) -> Self {
        Self::from_seconds(days.saturating_mul(DAY))
    }

    /// For constants: so many minutes.
    pub const fn from_minutes(minutes: i64) -> Self {
        Self(minutes * MINUTE)
    }

    /// From one instant to a later one; negative when `later` is earlier.
    pub fn between(earlier: Timestamp, later: Timestamp) -> Self {
        Self::from_seconds(later.as_second().saturating_sub(earlier.as_second()))
    }

    /// Whole seconds.
    pub fn as_seconds(self) -> i64 {
        self.0
    }

    /// This long after `start`; `None` beyond the instants that can be represented.
    pub fn after(self, start: Timestamp) -> Option<Timestamp> {
        Timestamp::from_second(start.as_second().checked_add(self.0)?).ok()
    }

    /// This long before `end`; `None` beyond the instants that can be represented.
    pub fn before(self, end: Timestamp) -> Option<Timestamp> {
        Self(-self.0).after(end)
    }

    /// The form that [`FromStr`] reads, such as `90d` or `36h`: the largest unit that loses nothing.
    pub fn compact(self) -> String {
        let units = [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')];
        let unit = units.into_iter().find(|(size, _)| self.0 != 0 && self.0 % size == 0);
        match unit {
            Some((size, letter)) => format!("{}{letter}", self.0 / size),
            None => format!("{}s", self.0),
        }
    }
}

/// Reads as a person would say it: whole days from two days up, else the largest unit that fits.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let seconds = self.0.abs();
        let (count, unit) = match seconds {
            DAY.. => (seconds / DAY, "day"),
            HOUR.. => (seconds / HOUR, "hour"),
            MINUTE.. => (seconds / MINUTE, "minute"),
            _ => (seconds, "second"),
        };
        let plural = if count == 1 { "" } else { "s" };
        f.pad(&format!("{sign}{count} {unit}{plural}"))
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (digits, unit) = trimmed.split_at(split);
        let size = match unit.trim() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => MINUTE,
            "h" | "hour" | "hours" => HOUR,
            "d" | "day" | "days" => DAY,
            "w" | "week" | "weeks" => WEEK,
            "M" | "mo" | "month" | "months" | "y" | "year" | "years" => {
                return Err(ParseDurationError::Calendar(text.to_owned()));
            }
            _ => return Err(ParseDurationError::Malformed(text.to_owned())),
        };
        if digits.is_empty() {
            return Err(ParseDurationError::Malformed(text.to_owned()));
        }
        let count: i64 = digits.parse().map_err(|_| ParseDurationError::TooLong(text.to_owned()))?;
        match count.checked_mul(size) {
            Some(seconds) if seconds <= SECONDS_MAX => Ok(Self(seconds)),
            _ => Err(ParseDurationError::TooLong(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = ParseDurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.compact()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        let check = |text: &str, seconds: i64| {
            assert_eq!(text.parse::<Duration>().map(Duration::as_seconds), Ok(seconds), "{text}");
        };
        check("90d", 90 * DAY);
        check("12h", 12 * HOUR);
        check("2w", 14 * DAY);
        check("30 minutes", 30 * MINUTE);
        check("0d", 0);
    }

    #[test]
    fn what_is_not_a_duration_says_why() {
        let error = |text: &str| text.parse::<Duration>().expect_err(text);
        assert!(matches!(error("3 months"), ParseDurationError::Calendar(_)));
        assert!(matches!(error("1y"), ParseDurationError::Calendar(_)));
        assert!(matches!(error("90"), ParseDurationError::Malformed(_)));
        assert!(matches!(error("d"), ParseDurationError::Malformed(_)));
        assert!(matches!(error("-3d"), ParseDurationError::Malformed(_)));
        assert!(matches!(error("1.5d"), ParseDurationError::Malformed(_)));
        assert!(matches!(error("99999999999999999999d"), ParseDurationError::TooLong(_)));
        assert!(matches!(error("4000000d"), ParseDurationError::TooLong(_)));
    }

    #[test]
    fn durations_read_naturally() {
        let check = |seconds: i64, shown: &str| {
            assert_eq!(Duration::from_seconds(seconds).to_string(), shown);
        };
        check(0, "0 seconds");
        check(61, "1 minute");
        check(HOUR, "1 hour");
        check(DAY, "1 day");
        check(91 * DAY + HOUR, "91 days");
        check(-3 * DAY, "-3 days");
    }

    #[test]
    fn the_compact_form_is_read_back() {
        for seconds in [0, 1, 60, 3600, 5400, DAY, 90 * DAY, 90 * DAY + 1] {
            let duration = Duration::from_seconds(seconds);
            assert_eq!(duration.compact().parse(), Ok(duration));
        }
    }
}
