//! The operators: strict where Rhai is lenient.
//!
//! Rhai compares values of different types as unequal, silently: `() < 30` is `false` there, and a rule built on
//! it would take an image with an unknown date for an old one. Here such a comparison is an error with a place.
//! Only `==` and `!=` take `()`, which is how a policy asks whether something is there.

use std::cmp::Ordering;

use amiwarden_core::{Duration, FailureKind, Timestamp};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use crate::EngineLimits;
use crate::fault::{Certainty, RhaiError, raise, raise_limit, raise_type, raise_value};
use crate::value::Kind;
use crate::version::Version;

/// The operators that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

impl Comparison {
    const ALL: [Self; 6] =
        [Self::Equal, Self::Unequal, Self::Less, Self::LessOrEqual, Self::More, Self::MoreOrEqual];

    /// The operator that is written so.
    pub(crate) fn of(symbol: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparison| comparison.symbol() == symbol)
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::More => ">",
            Self::MoreOrEqual => ">=",
        }
    }

    /// Whether it holds between two values; an error for values that do not compare.
    pub(crate) fn holds(self, one: &Dynamic, other: &Dynamic) -> Result<bool, RhaiError> {
        let order = || order(self.symbol(), one, other);
        match self {
            Self::Equal => equal(one, other),
            Self::Unequal => equal(one, other).map(|same| !same),
            Self::Less => order().map(Ordering::is_lt),
            Self::LessOrEqual => order().map(Ordering::is_le),
            Self::More => order().map(Ordering::is_gt),
            Self::MoreOrEqual => order().map(Ordering::is_ge),
        }
    }
}

const ARITHMETIC: [(&str, &str); 6] =
    [("+", "+="), ("-", "-="), ("*", "*="), ("/", "/="), ("%", "%="), ("**", "**=")];

/// The operators of Rhai that the language does without: on bits, which no fact has. `|` stays, because closures
/// are written with it.
pub(crate) const DISABLED: [&str; 9] = ["<<", ">>", "&", "^", "<<=", ">>=", "&=", "|=", "^="];

/// Replaces every operator of Rhai.
pub(crate) fn register(engine: &mut Engine, limits: &EngineLimits) {
    for comparison in Comparison::ALL {
        engine.register_fn(comparison.symbol(), move |one: &mut Dynamic, other: Dynamic| {
            comparison.holds(one, &other)
        });
    }
    for (symbol, assigning) in ARITHMETIC {
        let text_bytes_max = limits.text_bytes_max;
        engine.register_fn(symbol, move |one: &mut Dynamic, other: Dynamic| {
            calculate(symbol, one, &other, text_bytes_max)
        });
        engine.register_fn(assigning, move |one: &mut Dynamic, other: Dynamic| {
            *one = calculate(symbol, one, &other, text_bytes_max)?;
            Ok::<(), RhaiError>(())
        });
    }
    engine.register_fn("!", |truth: bool| !truth);
    engine.register_fn("-", |number: i64| number.checked_neg().ok_or_else(overflow));
    engine.register_fn("-", |number: f64| -number);
    engine.register_fn("-", |length: Duration| Duration::from_seconds(-length.as_seconds()));
}

/// Whether two values are the same. Values of different kinds are an error, unless one of them is `()`.
pub(crate) fn equal(one: &Dynamic, other: &Dynamic) -> Result<bool, RhaiError> {
    let kind = Kind::of(one);
    let other_kind = Kind::of(other);
    if kind != other_kind {
        return if kind == Kind::Absent || other_kind == Kind::Absent {
            Ok(false)
        } else {
            Err(mixed("==", one, other))
        };
    }
    match kind {
        Kind::Absent => Ok(true),
        Kind::Truth => Ok(same::<bool>(one, other)),
        Kind::Integer => Ok(same::<i64>(one, other)),
        Kind::Number => Ok(same::<f64>(one, other)),
        Kind::Character => Ok(same::<char>(one, other)),
        Kind::Text => Ok(same::<ImmutableString>(one, other)),
        Kind::Duration => Ok(same::<Duration>(one, other)),
        Kind::Time => Ok(same::<Timestamp>(one, other)),
        Kind::Version => Ok(same::<Version>(one, other)),
        Kind::List => equal_lists(one, other),
        Kind::Map => equal_maps(one, other),
        Kind::Action | Kind::Image | Kind::Sharing | Kind::Function | Kind::Other => {
            Err(raise(FailureKind::Type, Certainty::Always, format!("{} cannot be compared", kind.name())))
        }
    }
}

fn same<T: PartialEq + Clone + 'static>(one: &Dynamic, other: &Dynamic) -> bool {
    match (one.read_lock::<T>(), other.read_lock::<T>()) {
        (Some(one), Some(other)) => *one == *other,
        _ => false,
    }
}

fn equal_lists(one: &Dynamic, other: &Dynamic) -> Result<bool, RhaiError> {
    let (Some(one), Some(other)) = (one.read_lock::<Array>(), other.read_lock::<Array>()) else {
        return Ok(false);
    };
    if one.len() != other.len() {
        return Ok(false);
    }
    for (item, other_item) in one.iter().zip(other.iter()) {
        if !equal(item, other_item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(one: &Dynamic, other: &Dynamic) -> Result<bool, RhaiError> {
    let (Some(one), Some(other)) = (one.read_lock::<Map>(), other.read_lock::<Map>()) else {
        return Ok(false);
    };
    if !one.keys().eq(other.keys()) {
        return Ok(false);
    }
    for (item, other_item) in one.values().zip(other.values()) {
        if !equal(item, other_item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn order(symbol: &str, one: &Dynamic, other: &Dynamic) -> Result<Ordering, RhaiError> {
    let ordering = match Kind::of(one) {
        Kind::Duration => compare::<Duration>(one, other),
        Kind::Integer => compare::<i64>(one, other),
        Kind::Time => compare::<Timestamp>(one, other),
        Kind::Version => compare::<Version>(one, other),
        Kind::Text => compare::<ImmutableString>(one, other),
        Kind::Character => compare::<char>(one, other),
        Kind::Number => compare::<f64>(one, other),
        Kind::Absent
        | Kind::Truth
        | Kind::List
        | Kind::Map
        | Kind::Action
        | Kind::Image
        | Kind::Sharing
        | Kind::Function
        | Kind::Other => None,
    };
    ordering.ok_or_else(|| mixed(symbol, one, other))
}

fn compare<T: PartialOrd + Clone + 'static>(one: &Dynamic, other: &Dynamic) -> Option<Ordering> {
    one.read_lock::<T>()?.partial_cmp(&*other.read_lock::<T>()?)
}

/// The error for values that do not compare, with the remedy for the mistakes that everybody makes once.
fn mixed(symbol: &str, one: &Dynamic, other: &Dynamic) -> RhaiError {
    let (left, right) = (Kind::of(one), Kind::of(other));
    let remedy = match (left, right) {
        (Kind::Absent, _) | (_, Kind::Absent) => {
            ": test for it first (`x != () && …`), or say what stands in for it (`x ?? …`)"
        }
        (Kind::Duration, Kind::Integer) | (Kind::Integer, Kind::Duration) => {
            ": a duration has a unit, as in `90.days`"
        }
        (Kind::Number, Kind::Integer) | (Kind::Integer, Kind::Number) => {
            ": write a decimal number, as in `5.0`"
        }
        (Kind::Time, Kind::Duration) | (Kind::Duration, Kind::Time) => {
            ": `now - x` makes a duration of a time"
        }
        (Kind::Version, Kind::Text) | (Kind::Text, Kind::Version) => {
            ": `version(\"1.2\")` makes a version of text"
        }
        (Kind::Time, Kind::Text) | (Kind::Text, Kind::Time) => {
            ": `time(\"2026-01-01T00:00:00Z\")` makes a time of text"
        }
        _ => "",
    };
    raise_type(
        [one, other],
        format!("`{symbol}` cannot compare {} with {}{remedy}", left.name(), right.name()),
    )
}

fn overflow() -> RhaiError {
    raise_value("the result is too large for a whole number")
}

fn calculate(
    symbol: &str,
    one: &Dynamic,
    other: &Dynamic,
    text_bytes_max: usize,
) -> Result<Dynamic, RhaiError> {
    let (left, right) = (Kind::of(one), Kind::of(other));
    let unfit = || {
        let remedy = match (symbol, left, right) {
            ("+", Kind::Text, _) | ("+", _, Kind::Text) => ": interpolate instead, as in `…${x}…`",
            (_, Kind::Number, Kind::Integer) | (_, Kind::Integer, Kind::Number) => {
                ": write a decimal number, as in `5.0`"
            }
            _ => "",
        };
        raise_type(
            [one, other],
            format!("`{symbol}` cannot be applied to {} and {}{remedy}", left.name(), right.name()),
        )
    };
    let result = match (left, right) {
        (Kind::Integer, Kind::Integer) => {
            let (one, other) = (integer(one), integer(other));
            Some(Dynamic::from(integers(symbol, one, other)?))
        }
        (Kind::Number, Kind::Number) => numbers(symbol, number(one), number(other)).map(Dynamic::from),
        (Kind::Duration, Kind::Duration | Kind::Integer) | (Kind::Integer, Kind::Duration) => {
            durations(symbol, one, other)?
        }
        (Kind::Time, Kind::Duration | Kind::Time) | (Kind::Duration, Kind::Time) => {
            times(symbol, one, other)?
        }
        (Kind::Text, Kind::Text) if symbol == "+" => Some(joined_texts(one, other, text_bytes_max)?),
        (Kind::List, Kind::List) if symbol == "+" => joined_lists(one, other),
        _ => None,
    };
    result.ok_or_else(unfit)
}

fn integer(value: &Dynamic) -> i64 {
    value.as_int().unwrap_or(0)
}

fn number(value: &Dynamic) -> f64 {
    value.as_float().unwrap_or(f64::NAN)
}

fn integers(symbol: &str, one: i64, other: i64) -> Result<i64, RhaiError> {
    if matches!(symbol, "/" | "%") && other == 0 {
        return Err(raise_value("division by zero"));
    }
    let result = match symbol {
        "+" => one.checked_add(other),
        "-" => one.checked_sub(other),
        "*" => one.checked_mul(other),
        "/" => one.checked_div(other),
        "%" => one.checked_rem(other),
        _ => u32::try_from(other).ok().and_then(|power| one.checked_pow(power)),
    };
    result.ok_or_else(overflow)
}

fn numbers(symbol: &str, one: f64, other: f64) -> Option<f64> {
    match symbol {
        "+" => Some(one + other),
        "-" => Some(one - other),
        "*" => Some(one * other),
        "/" => Some(one / other),
        _ => None,
    }
}

fn seconds(value: &Dynamic) -> Option<i64> {
    Some(value.read_lock::<Duration>()?.as_seconds())
}

fn durations(symbol: &str, one: &Dynamic, other: &Dynamic) -> Result<Option<Dynamic>, RhaiError> {
    let result = match (symbol, seconds(one), seconds(other)) {
        ("+", Some(one), Some(other)) => one.saturating_add(other),
        ("-", Some(one), Some(other)) => one.saturating_sub(other),
        ("*", Some(one), None) => one.saturating_mul(integer(other)),
        ("*", None, Some(other)) => integer(one).saturating_mul(other),
        ("/", Some(one), None) => integers("/", one, integer(other))?,
        _ => return Ok(None),
    };
    Ok(Some(Dynamic::from(Duration::from_seconds(result))))
}

fn times(symbol: &str, one: &Dynamic, other: &Dynamic) -> Result<Option<Dynamic>, RhaiError> {
    let time = |value: &Dynamic| value.read_lock::<Timestamp>().map(|time| *time);
    let length = |value: &Dynamic| value.read_lock::<Duration>().map(|length| *length);
    let result = match (symbol, time(one), time(other)) {
        ("-", Some(one), Some(other)) => return Ok(Some(Dynamic::from(Duration::between(other, one)))),
        ("+", Some(start), None) => length(other).map(|length| length.after(start)),
        ("+", None, Some(start)) => length(one).map(|length| length.after(start)),
        ("-", Some(end), None) => length(other).map(|length| length.before(end)),
        _ => None,
    };
    match result {
        None => Ok(None),
        Some(Some(time)) => Ok(Some(Dynamic::from(time))),
        Some(None) => Err(raise_value("the result lies beyond the times that can be represented")),
    }
}

fn joined_texts(one: &Dynamic, other: &Dynamic, bytes_max: usize) -> Result<Dynamic, RhaiError> {
    let (Ok(one), Ok(other)) = (one.as_immutable_string_ref(), other.as_immutable_string_ref()) else {
        return Ok(Dynamic::UNIT);
    };
    if one.len() + other.len() > bytes_max {
        return Err(raise_limit(format!("a text may hold {bytes_max} bytes at most")));
    }
    Ok(Dynamic::from(format!("{}{}", one.as_str(), other.as_str())))
}

fn joined_lists(one: &Dynamic, other: &Dynamic) -> Option<Dynamic> {
    let mut list = one.read_lock::<Array>()?.clone();
    list.extend(other.read_lock::<Array>()?.iter().cloned());
    Some(Dynamic::from_array(list))
}
