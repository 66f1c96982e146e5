//! Durations, times and versions: how a policy writes them.

use amiwarden_core::{Duration, Timestamp};
use rhai::Engine;

use crate::fault::{RhaiError, raise_value};
use crate::version::Version;

/// The units that follow a whole number, in seconds. Months and years are no durations: their length varies.
const UNITS: [(&str, &str, i64); 5] = [
    ("second", "seconds", 1),
    ("minute", "minutes", 60),
    ("hour", "hours", 3_600),
    ("day", "days", 86_400),
    ("week", "weeks", 604_800),
];

/// Registers units, constructors and conversions.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Duration>("a duration");
    engine.register_type_with_name::<Timestamp>("a time");
    engine.register_type_with_name::<Version>("a version");
    for (one, many, seconds) in UNITS {
        let make = move |number: &mut i64| Duration::from_seconds(number.saturating_mul(seconds));
        engine.register_get(one, make);
        engine.register_get(many, make);
    }
    engine.register_get("whole_days", |length: &mut Duration| length.as_seconds() / 86_400);
    engine.register_get("whole_hours", |length: &mut Duration| length.as_seconds() / 3_600);
    engine.register_fn("duration", |text: &str| -> Result<Duration, RhaiError> {
        text.parse().map_err(|error: amiwarden_core::ParseDurationError| raise_value(error.to_string()))
    });
    engine.register_fn("time", |text: &str| -> Result<Timestamp, RhaiError> {
        parse_time(text).ok_or_else(|| {
            raise_value(format!("`{text}` is not a time: write one such as `2026-01-31T12:00:00Z`"))
        })
    });
    engine.register_fn("version", |text: &str| -> Result<Version, RhaiError> {
        text.parse().map_err(|()| {
            raise_value(format!("`{text}` is not a version: write numbers and dots, such as `1.10.2`"))
        })
    });
}

/// An instant, or a day, which begins at midnight UTC.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}
