//! When changes may happen: days and hours in a time zone.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::Timestamp;

/// Days of the week and hours of the day at which changes may happen. Time zone rules come with amiwarden, so two
/// machines never disagree about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens, Monday first. All of them where none is named.
    days: Vec<Weekday>,
    /// From the first, to just before the second; over midnight where the second is earlier.
    hours: Option<(Time, Time)>,
    time_zone: TimeZone,
}

/// What is wrong with a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseWindowError {
    /// No day of the week.
    #[error("`{0}` is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun")]
    Day(String),
    /// No hours.
    #[error("`{0}` are no hours: write a beginning and an end in 24 hours, such as `09:00-16:00`")]
    Hours(String),
    /// A window that never opens.
    #[error(
        "`{0}` begins and ends at the same time, so it would never be open: leave the hours out for whole days"
    )]
    Empty(String),
    /// No time zone.
    #[error("`{0}` is no time zone: write a name of the IANA database, such as `UTC` or `Europe/Berlin`")]
    TimeZone(String),
}

impl Window {
    /// A window from its parts as a configuration writes them. Without days it is every day, without hours all day,
    /// without a time zone UTC.
    pub fn new(
        days: &[String],
        hours: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Self, ParseWindowError> {
        let days: BTreeSet<i8> = days
            .iter()
            .map(|day| weekday(day).map(Weekday::to_monday_zero_offset))
            .collect::<Result<_, _>>()?;
        let days = days.into_iter().filter_map(|day| Weekday::from_monday_zero_offset(day).ok());
        let name = time_zone.unwrap_or("UTC");
        Ok(Self {
            days: days.collect(),
            hours: hours.map(parse_hours).transpose()?,
            time_zone: TimeZoneDatabase::bundled()
                .get(name)
                .map_err(|_| ParseWindowError::TimeZone(name.to_owned()))?,
        })
    }

    /// Whether it is open at `at`. Hours that pass midnight belong to the day on which they begin.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.time_zone.clone());
        let (day, time) = (local.weekday(), local.time());
        let opens = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        match self.hours {
            None => opens(day),
            Some((from, to)) if from < to => opens(day) && from <= time && time < to,
            Some((from, to)) => (opens(day) && from <= time) || (opens(day.previous()) && time < to),
        }
    }
}

fn weekday(text: &str) -> Result<Weekday, ParseWindowError> {
    match text.to_ascii_lowercase().as_str() {
        "mon" | "monday" => Ok(Weekday::Monday),
        "tue" | "tuesday" => Ok(Weekday::Tuesday),
        "wed" | "wednesday" => Ok(Weekday::Wednesday),
        "thu" | "thursday" => Ok(Weekday::Thursday),
        "fri" | "friday" => Ok(Weekday::Friday),
        "sat" | "saturday" => Ok(Weekday::Saturday),
        "sun" | "sunday" => Ok(Weekday::Sunday),
        _ => Err(ParseWindowError::Day(text.to_owned())),
    }
}

fn parse_hours(text: &str) -> Result<(Time, Time), ParseWindowError> {
    let wrong = || ParseWindowError::Hours(text.to_owned());
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let time = |text: &str| {
        let text = text.trim();
        let is_plain = text.len() == 5 && text.as_bytes()[2] == b':';
        // The end of the day may be written as such.
        if text == "24:00" {
            Ok(Time::midnight())
        } else if is_plain {
            Time::from_str(text).map_err(|_| wrong())
        } else {
            Err(wrong())
        }
    };
    let (from, to) = (time(from)?, time(to)?);
    if from == to { Err(ParseWindowError::Empty(text.to_owned())) } else { Ok((from, to)) }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.days.iter().map(|day| name(*day)).collect();
        if names.is_empty() {
            f.write_str("every day")?;
        } else {
            f.write_str(&names.join(", "))?;
        }
        if let Some((from, to)) = self.hours {
            write!(f, " {:02}:{:02}-{:02}:{:02}", from.hour(), from.minute(), to.hour(), to.minute())?;
        }
        write!(f, " {}", self.time_zone.iana_name().unwrap_or("UTC"))
    }
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}
