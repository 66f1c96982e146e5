//! Functions on texts and lists. Rhai's own are left out: some grow without bound before any limit is looked at.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use crate::EngineLimits;
use crate::fault::{RhaiError, raise_limit, raise_type, raise_value};
use crate::operators::equal;
use crate::value::{Kind, describe};

/// Memory for one compiled regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Compiled regular expressions that are kept. A policy that makes up new ones all the time starts over.
const REGEX_CACHE_MAX: usize = 256;

/// Registers them all.
pub(crate) fn register(engine: &mut Engine, limits: &EngineLimits) {
    register_texts(engine, limits.text_bytes_max);
    register_regex(engine);
    register_lists(engine, limits.text_bytes_max);
    engine.register_fn("to_string", |value: &mut Dynamic| describe(value));
    engine.register_fn("to_debug", |value: &mut Dynamic| describe(value));
    engine.register_fn("contains", |map: &mut Map, key: &str| map.contains_key(key));
    engine.register_fn("keys", |map: &mut Map| -> Array {
        map.keys().map(|key| Dynamic::from(ImmutableString::from(key.as_str()))).collect()
    });
    engine.register_fn("len", |map: &mut Map| count(map.len()));
    engine.register_get("len", |map: &mut Map| count(map.len()));
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

fn register_texts(engine: &mut Engine, bytes_max: usize) {
    engine.register_fn("len", |text: &str| count(text.chars().count()));
    engine.register_get("len", |text: &mut ImmutableString| count(text.chars().count()));
    engine.register_fn("is_empty", |text: &str| text.is_empty());
    engine.register_fn("contains", |text: &str, part: &str| text.contains(part));
    engine.register_fn("starts_with", |text: &str, part: &str| text.starts_with(part));
    engine.register_fn("ends_with", |text: &str, part: &str| text.ends_with(part));
    engine.register_fn("to_lower", |text: &str| text.to_lowercase());
    engine.register_fn("to_upper", |text: &str| text.to_uppercase());
    engine.register_fn("trim", |text: &str| ImmutableString::from(text.trim()));
    engine.register_fn("split", |text: &str, separator: &str| -> Result<Array, RhaiError> {
        if separator.is_empty() {
            return Err(raise_value("`split` needs a separator that is not empty"));
        }
        Ok(text.split(separator).map(|part| Dynamic::from(ImmutableString::from(part))).collect())
    });
    engine.register_fn("replace", move |text: &str, from: &str, to: &str| {
        if from.is_empty() {
            return Err(raise_value("`replace` needs something to look for that is not empty"));
        }
        // The length is known before anything is built: a text that replaces itself with itself grows fast.
        let hits = text.matches(from).count();
        if text.len() - hits * from.len() + hits.saturating_mul(to.len()) > bytes_max {
            return Err(raise_limit(format!("a text may hold {bytes_max} bytes at most")));
        }
        Ok(text.replace(from, to))
    });
    engine.register_fn("to_int", |text: &str| {
        text.trim().parse::<i64>().map_err(|_| raise_value(format!("`{text}` is not a whole number")))
    });
    engine.register_fn("to_float", |text: &str| {
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| raise_value(format!("`{text}` is not a number")))
    });
    #[expect(clippy::cast_precision_loss, reason = "a policy asks for it by name")]
    engine.register_fn("to_float", |number: i64| number as f64);
}

fn register_regex(engine: &mut Engine) {
    let cache: Mutex<BTreeMap<String, Regex>> = Mutex::default();
    engine.register_fn("matches", move |text: &str, pattern: &str| -> Result<bool, RhaiError> {
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = cache.get(pattern) {
            return Ok(regex.is_match(text));
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|error| raise_value(format!("`{pattern}` is not a regular expression: {error}")))?;
        if cache.len() >= REGEX_CACHE_MAX {
            cache.clear();
        }
        let found = regex.is_match(text);
        cache.insert(pattern.to_owned(), regex);
        Ok(found)
    });
}

fn register_lists(engine: &mut Engine, bytes_max: usize) {
    engine.register_iterator::<Array>();
    engine.register_iterator::<std::ops::Range<i64>>();
    engine.register_iterator::<std::ops::RangeInclusive<i64>>();
    engine.register_fn("contains", |range: &mut std::ops::Range<i64>, number: i64| range.contains(&number));
    engine.register_fn("contains", |range: &mut std::ops::RangeInclusive<i64>, number: i64| {
        range.contains(&number)
    });
    engine.register_fn("len", |list: &mut Array| count(list.len()));
    engine.register_get("len", |list: &mut Array| count(list.len()));
    engine.register_fn("is_empty", |list: &mut Array| list.is_empty());
    engine.register_fn("contains", |list: &mut Array, wanted: Dynamic| holds(list, &wanted));
    engine.register_fn("join", move |list: &mut Array, separator: &str| {
        let texts: Vec<String> = list.iter().map(describe).collect();
        let joined = texts.join(separator);
        if joined.len() > bytes_max {
            return Err(raise_limit(format!("a text may hold {bytes_max} bytes at most")));
        }
        Ok(joined)
    });
    engine.register_fn("any", |context: NativeCallContext, list: &mut Array, test: FnPtr| {
        for item in list.iter() {
            if passes(&context, &test, item)? {
                return Ok::<_, RhaiError>(true);
            }
        }
        Ok(false)
    });
    engine.register_fn("all", |context: NativeCallContext, list: &mut Array, test: FnPtr| {
        for item in list.iter() {
            if !passes(&context, &test, item)? {
                return Ok::<_, RhaiError>(false);
            }
        }
        Ok(true)
    });
    engine.register_fn("filter", |context: NativeCallContext, list: &mut Array, test: FnPtr| {
        let mut kept = Array::new();
        for item in list.iter() {
            if passes(&context, &test, item)? {
                kept.push(item.clone());
            }
        }
        Ok::<_, RhaiError>(kept)
    });
    engine.register_fn("map", |context: NativeCallContext, list: &mut Array, change: FnPtr| {
        let mut changed = Array::with_capacity(list.len());
        for item in list.iter() {
            changed.push(change.call_within_context::<Dynamic>(&context, (item.clone(),))?);
        }
        Ok::<_, RhaiError>(changed)
    });
}

fn holds(list: &Array, wanted: &Dynamic) -> Result<bool, RhaiError> {
    for item in list {
        if equal(item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn passes(context: &NativeCallContext, test: &FnPtr, item: &Dynamic) -> Result<bool, RhaiError> {
    let answer = test.call_within_context::<Dynamic>(context, (item.clone(),))?;
    answer.as_bool().map_err(|_| {
        let kind = Kind::of(&answer).name();
        raise_type([&answer], format!("the function must give a boolean, not {kind}"))
    })
}
