//! The values of the language: their kinds, and how they read.

use std::any::{TypeId, type_name};
use std::fmt::Write as _;

use amiwarden_core::{Duration, Timestamp};
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};

use crate::actions::Wished;
use crate::subject::{SharedWith, Subject};
use crate::version::Version;

/// What sort of value it is. Only values of one kind compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Absent,
    Truth,
    Integer,
    Number,
    Character,
    Text,
    List,
    Map,
    Duration,
    Time,
    Version,
    Action,
    Image,
    Sharing,
    Function,
    Other,
}

impl Kind {
    /// Asked twice for each comparison, hence the order: the kinds that policies compare most come first.
    pub(crate) fn of(value: &Dynamic) -> Self {
        let id = value.type_id();
        if id == TypeId::of::<Duration>() {
            Self::Duration
        } else if id == TypeId::of::<i64>() {
            Self::Integer
        } else if id == TypeId::of::<ImmutableString>() {
            Self::Text
        } else if id == TypeId::of::<()>() {
            Self::Absent
        } else if id == TypeId::of::<bool>() {
            Self::Truth
        } else {
            Self::rarer(id)
        }
    }

    fn rarer(id: TypeId) -> Self {
        let kinds = [
            (TypeId::of::<f64>(), Self::Number),
            (TypeId::of::<Timestamp>(), Self::Time),
            (TypeId::of::<Version>(), Self::Version),
            (TypeId::of::<Array>(), Self::List),
            (TypeId::of::<Map>(), Self::Map),
            (TypeId::of::<char>(), Self::Character),
            (TypeId::of::<Wished>(), Self::Action),
            (TypeId::of::<Subject>(), Self::Image),
            (TypeId::of::<SharedWith>(), Self::Sharing),
            (TypeId::of::<FnPtr>(), Self::Function),
        ];
        kinds.into_iter().find(|(kind, _)| *kind == id).map_or(Self::Other, |(_, kind)| kind)
    }

    /// With its article, as messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Absent => "()",
            Self::Truth => "a boolean",
            Self::Integer => "a whole number",
            Self::Number => "a decimal number",
            Self::Character => "a character",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Duration => "a duration",
            Self::Time => "a time",
            Self::Version => "a version",
            Self::Action => "an action",
            Self::Image => "an image",
            Self::Sharing => "`shared_with`",
            Self::Function => "a function",
            Self::Other => "a range",
        }
    }
}

/// Rhai's name of a type as we name it in messages.
pub(crate) fn readable_type(name: &str) -> String {
    let kind = match name.trim() {
        "()" => Kind::Absent,
        "bool" => Kind::Truth,
        "i64" => Kind::Integer,
        "f64" => Kind::Number,
        "char" => Kind::Character,
        "string" | "&str | ImmutableString | String" => Kind::Text,
        "array" => Kind::List,
        "map" => Kind::Map,
        "Fn" => Kind::Function,
        other => return own_type(other),
    };
    kind.name().to_owned()
}

/// Rhai names our types as we registered them, but in some errors as Rust does.
fn own_type(name: &str) -> String {
    let types = [
        (type_name::<Duration>(), Kind::Duration),
        (type_name::<Timestamp>(), Kind::Time),
        (type_name::<Version>(), Kind::Version),
        (type_name::<Wished>(), Kind::Action),
        (type_name::<Subject>(), Kind::Image),
        (type_name::<SharedWith>(), Kind::Sharing),
    ];
    let own = types.into_iter().find(|(rust, _)| *rust == name);
    own.map_or_else(|| name.to_owned(), |(_, kind)| kind.name().to_owned())
}

/// The value as interpolation prints it.
pub(crate) fn describe(value: &Dynamic) -> String {
    if let Ok(truth) = value.as_bool() {
        return if truth { "true" } else { "false" }.to_owned();
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.to_string();
    }
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Dynamic) {
    // Writing to a `String` cannot fail.
    let _ = match Kind::of(value) {
        Kind::Absent => write!(text, "()"),
        Kind::Duration => value.read_lock::<Duration>().map_or(Ok(()), |length| write!(text, "{}", *length)),
        Kind::Time => write!(text, "{}", value.clone().cast::<Timestamp>()),
        Kind::Version => write!(text, "{}", value.clone().cast::<Version>()),
        Kind::Image => write!(text, "the image"),
        Kind::Sharing => write!(text, "its launch permissions"),
        Kind::Action => write!(text, "an action"),
        Kind::List => {
            write_list(text, value);
            Ok(())
        }
        Kind::Map => {
            write_map(text, value);
            Ok(())
        }
        Kind::Truth
        | Kind::Integer
        | Kind::Number
        | Kind::Character
        | Kind::Text
        | Kind::Function
        | Kind::Other => write!(text, "{value}"),
    };
}

fn write_list(text: &mut String, value: &Dynamic) {
    let Some(items) = value.read_lock::<Array>() else { return };
    text.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        write_value(text, item);
    }
    text.push(']');
}

fn write_map(text: &mut String, value: &Dynamic) {
    let Some(entries) = value.read_lock::<Map>() else { return };
    text.push_str("#{");
    for (place, (key, item)) in entries.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        text.push_str(key);
        text.push_str(": ");
        write_value(text, item);
    }
    text.push('}');
}
