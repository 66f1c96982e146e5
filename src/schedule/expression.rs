//! Cron expressions in a time zone.

use amiwarden_core::Timestamp;
use chrono::DateTime;
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// A cron expression with 5 or 6 fields, or a form such as `@daily`, in a time zone.
///
/// With 6 fields the first is the second. Where both day of month and day of week are named, either is enough, as in
/// cron(8). A fixed time that daylight saving leaves out is due right after the gap, and one that comes twice is due
/// the first time only; expressions with wildcards follow the wall clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    zone: Tz,
    cron: Cron,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseExpressionError {
    /// Neither 5 nor 6 fields.
    #[error(
        "`{text}` has {fields} fields: there are 5 (minute, hour, day, month, weekday), or 6 with the second first"
    )]
    Fields {
        /// The expression.
        text: String,
        /// How many it has.
        fields: usize,
    },
    /// A field is wrong.
    #[error("`{text}` is no cron expression: {reason}")]
    Pattern {
        /// The expression.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A step that is larger than its field's range fires at its beginning only, which nobody means.
    #[error("`{text}`: the step {step} is larger than its field, so it would count only once")]
    Step {
        /// The expression.
        text: String,
        /// The step.
        step: u32,
    },
    /// No such day.
    #[error("`{text}` never fires")]
    Never {
        /// The expression.
        text: String,
    },
    /// A time zone that the IANA database does not have.
    #[error("there is no time zone `{0}`: names are like `Europe/Berlin` or `UTC`")]
    Zone(String),
}

/// How many values each field has, for 6 fields.
const FIELD_SIZES: [u32; 6] = [60, 60, 24, 31, 12, 7];

impl Expression {
    /// Reads an expression; `zone` is a name of the IANA time zone database.
    pub fn parse(text: &str, zone: &str) -> Result<Self, ParseExpressionError> {
        let zone: Tz = zone.parse().map_err(|_| ParseExpressionError::Zone(zone.to_owned()))?;
        let text = text.trim();
        if !text.starts_with('@') {
            check_fields(text)?;
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| ParseExpressionError::Pattern {
            text: text.to_owned(),
            reason: error.to_string(),
        })?;
        let expression = Self { text: text.to_owned(), zone, cron };
        if expression.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(ParseExpressionError::Never { text: text.to_owned() });
        }
        Ok(expression)
    }

    /// The first time after `after` at which it is due; none where there is none.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = DateTime::from_timestamp(after.as_second(), 0)?.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Timestamp::from_second(next.timestamp()).ok()
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its time zone.
    pub fn time_zone(&self) -> &'static str {
        self.zone.name()
    }
}

fn check_fields(text: &str) -> Result<(), ParseExpressionError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let sizes = match fields.len() {
        5 => &FIELD_SIZES[1..],
        6 => &FIELD_SIZES[..],
        other => return Err(ParseExpressionError::Fields { text: text.to_owned(), fields: other }),
    };
    let steps = fields.iter().zip(sizes).flat_map(|(field, size)| {
        field
            .split(',')
            .filter_map(|part| part.split_once('/')?.1.parse().ok())
            .map(move |step: u32| (step, *size))
    });
    for (step, size) in steps {
        if step >= size {
            return Err(ParseExpressionError::Step { text: text.to_owned(), step });
        }
    }
    Ok(())
}
