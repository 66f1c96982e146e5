//! Parameters: what a policy lets its users set.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use amiwarden_core::{Duration, Timestamp};
use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::times::parse_time;
use crate::value::{Kind, describe};
use crate::version::Version;

/// A value from the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with decimals.
    Float(f64),
    /// A text; also how durations, times and versions are written.
    Text(String),
    /// A list.
    List(Vec<ParamValue>),
    /// A table.
    Map(BTreeMap<String, ParamValue>),
}

/// A parameter that a policy declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in `[policy.params]`.
    pub name: String,
    /// The type that its default has, in words.
    pub kind: &'static str,
    /// The default as a policy prints it.
    pub default: String,
    /// The value in force as a policy prints it.
    pub value: String,
    /// The line of its declaration, counted from 1.
    pub line: u32,
}

impl ParamValue {
    /// This value as one of the same type as `default`; otherwise the complaint.
    pub(crate) fn fit(&self, name: &str, default: &Dynamic) -> Result<Dynamic, String> {
        self.fitted(default).ok_or_else(|| {
            let mut complaint = format!("`{name}` wants {}", wanted(default));
            let _ = write!(complaint, ", got {}", self.shown());
            complaint
        })
    }

    fn fitted(&self, default: &Dynamic) -> Option<Dynamic> {
        match (self, Kind::of(default)) {
            (Self::Bool(truth), Kind::Truth) => Some(Dynamic::from(*truth)),
            (Self::Int(number), Kind::Integer) => Some(Dynamic::from(*number)),
            (Self::Float(number), Kind::Number) if number.is_finite() => Some(Dynamic::from(*number)),
            #[expect(clippy::cast_precision_loss, reason = "nobody configures numbers beyond 2^53")]
            (Self::Int(number), Kind::Number) => Some(Dynamic::from(*number as f64)),
            (Self::Text(text), Kind::Text) => Some(Dynamic::from(ImmutableString::from(text.as_str()))),
            (Self::Text(text), Kind::Duration) => text.parse::<Duration>().ok().map(Dynamic::from),
            (Self::Text(text), Kind::Time) => parse_time(text).map(|at: Timestamp| Dynamic::from(at)),
            (Self::Text(text), Kind::Version) => text.parse::<Version>().ok().map(Dynamic::from),
            (Self::List(items), Kind::List) => {
                let sample = default.read_lock::<Array>()?.first().cloned();
                let fit =
                    |item: &Self| sample.as_ref().map_or_else(|| item.plain(), |sample| item.fitted(sample));
                Some(Dynamic::from_array(items.iter().map(fit).collect::<Option<Array>>()?))
            }
            (Self::Map(entries), Kind::Map) => {
                let samples = default.read_lock::<Map>()?;
                let fit = |(key, item): (&String, &Self)| {
                    let fitted =
                        samples.get(key.as_str()).map_or_else(|| item.plain(), |sample| item.fitted(sample));
                    Some((key.as_str().into(), fitted?))
                };
                Some(Dynamic::from_map(entries.iter().map(fit).collect::<Option<Map>>()?))
            }
            _ => None,
        }
    }

    /// The value as it stands, where the default does not say what type it should have.
    fn plain(&self) -> Option<Dynamic> {
        Some(match self {
            Self::Bool(truth) => Dynamic::from(*truth),
            Self::Int(number) => Dynamic::from(*number),
            Self::Float(number) => Dynamic::from(*number),
            Self::Text(text) => Dynamic::from(ImmutableString::from(text.as_str())),
            Self::List(items) => {
                Dynamic::from_array(items.iter().map(Self::plain).collect::<Option<Array>>()?)
            }
            Self::Map(entries) => {
                let plain = |(key, item): (&String, &Self)| Some((key.as_str().into(), item.plain()?));
                Dynamic::from_map(entries.iter().map(plain).collect::<Option<Map>>()?)
            }
        })
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("\"{text}\""),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => {
                self.plain().map_or_else(|| "nothing".to_owned(), |value| describe(&value))
            }
        }
    }
}

/// What a value must look like to take the place of `default`.
fn wanted(default: &Dynamic) -> String {
    match Kind::of(default) {
        Kind::Duration => "a duration such as \"90d\"".to_owned(),
        Kind::Time => "a time such as \"2026-01-31T12:00:00Z\"".to_owned(),
        Kind::Version => "a version such as \"1.10.2\"".to_owned(),
        Kind::List => match default.read_lock::<Array>().and_then(|list| list.first().cloned()) {
            Some(sample) => format!("a list, of which each item is {}", wanted(&sample)),
            None => "a list".to_owned(),
        },
        kind => kind.name().to_owned(),
    }
}

/// Whether a parameter may have this default: its type must be one that a configuration can write.
pub(crate) fn can_be_parameter(default: &Dynamic) -> bool {
    match Kind::of(default) {
        Kind::Truth
        | Kind::Integer
        | Kind::Number
        | Kind::Text
        | Kind::List
        | Kind::Map
        | Kind::Duration
        | Kind::Time
        | Kind::Version => true,
        Kind::Absent
        | Kind::Character
        | Kind::Action
        | Kind::Image
        | Kind::Sharing
        | Kind::Function
        | Kind::Other => false,
    }
}

/// The parameter as it stands in force.
pub(crate) fn declared(name: &str, default: &Dynamic, value: &Dynamic, line: u32) -> Parameter {
    Parameter {
        name: name.to_owned(),
        kind: Kind::of(default).name(),
        default: describe(default),
        value: describe(value),
        line,
    }
}
