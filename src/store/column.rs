//! How values of the domain stand in columns, and how they are read back: instants as seconds, counts as
//! integers, the rest as JSON.

use std::str::FromStr;

use amiwarden_core::{ActionKind, Mode, Scope, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

pub(super) fn to_json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Json { what, source })
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Json { what, source })
}

pub(super) fn instant(seconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_second(seconds)
        .map_err(|_| StoreError::Malformed { what: "an instant", value: seconds.to_string() })
}

/// A count as a column holds it. No count that amiwarden makes comes near the limit.
pub(super) fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn read_count(count: i64) -> Result<usize, StoreError> {
    usize::try_from(count).map_err(|_| StoreError::Malformed { what: "a count", value: count.to_string() })
}

pub(super) fn parse<T: FromStr>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Malformed { what, value: text.to_owned() })
}

pub(super) fn read_mode(text: &str) -> Result<Mode, StoreError> {
    [Mode::Observe, Mode::Enforce]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| StoreError::Malformed { what: "a mode", value: text.to_owned() })
}

pub(super) fn read_action(text: &str) -> Result<ActionKind, StoreError> {
    ActionKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| StoreError::Malformed { what: "an action", value: text.to_owned() })
}

pub(super) fn read_scope(account: &str, region: String) -> Result<Scope, StoreError> {
    Ok(Scope { account: parse("an account", account)?, region: amiwarden_core::Region::new(region) })
}
