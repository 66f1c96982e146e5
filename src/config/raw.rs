//! What the file may say: every section and key, read into a type of its own (those of limits and usage beside
//! their defaults). Every value has its place, and nothing has a default yet. What the values mean together is for [`validate`](super::validate).

use std::collections::BTreeMap;

use amiwarden_core::{AccountId, Mode, Region};

use super::accounts::{self, RawAccount, RawOrganization};
use super::http::{self, RawHttp};
use super::limits::{self, RawCommonLimits, RawLimits};
use super::notify::{self, RawNotifier};
use super::place::{Place, Placed, Stated};
use super::problem::Problem;
use super::reader::{Read, Section, list, parsed, some_text, text, word};
use super::schedule::{self, RawSchedule};
use super::scope::NamePattern;
use super::speed::{self, RawSpeed};
use super::tree::{Entries, Node, Value};
use super::usage::{self, RawUsage};
use super::{Param, ParamValue, RegionChoice};

/// The whole file.
#[derive(Debug)]
pub(super) struct RawConfig {
    pub(super) mode: Stated<Mode>,
    pub(super) store: RawStore,
    pub(super) aws: RawAws,
    pub(super) accounts: Vec<RawAccount>,
    pub(super) organization: RawOrganization,
    pub(super) policies: RawPolicies,
    pub(super) policy: Vec<RawPolicy>,
    pub(super) limits: RawLimits,
    pub(super) usage: RawUsage,
    pub(super) speed: RawSpeed,
    pub(super) schedules: Vec<RawSchedule>,
    pub(super) notify: Vec<RawNotifier>,
    pub(super) http: RawHttp,
}

/// `[store]`
#[derive(Debug)]
pub(super) struct RawStore {
    pub(super) path: Stated<String>,
    pub(super) ledger_head: Stated<String>,
}

/// `[aws]`
#[derive(Debug)]
pub(super) struct RawAws {
    pub(super) regions: Option<RegionChoice>,
    pub(super) endpoint_url: Stated<String>,
    pub(super) profile: Stated<String>,
}

/// `[policies]`
#[derive(Debug)]
pub(super) struct RawPolicies {
    pub(super) dir: Stated<String>,
    pub(super) family_tag: Stated<String>,
    pub(super) family_name_pattern: Stated<String>,
}

/// One `[[policy]]`.
#[derive(Debug)]
pub(super) struct RawPolicy {
    /// Where it begins.
    pub(super) place: Place,
    pub(super) file: Stated<String>,
    pub(super) mode: Stated<Mode>,
    pub(super) params: BTreeMap<String, Param>,
    pub(super) scope: RawScope,
    pub(super) limits: RawCommonLimits,
}

/// `scope` of a `[[policy]]`.
#[derive(Debug)]
pub(super) struct RawScope {
    pub(super) accounts: Vec<Placed<AccountId>>,
    pub(super) regions: Vec<Placed<Region>>,
    pub(super) tags: BTreeMap<String, Placed<String>>,
    pub(super) names: Vec<Placed<NamePattern>>,
}

pub(super) const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];

/// Reads the whole tree.
pub(super) fn read(entries: Entries, problems: &mut Vec<Problem>) -> RawConfig {
    let mut top = Section::top(entries, problems);
    let raw = RawConfig {
        mode: top.value("mode", word(&MODES)),
        store: store(top.section("store", "[store]")),
        aws: aws(top.section("aws", "[aws]")),
        accounts: accounts::read(&mut top),
        organization: accounts::read_organization(top.section("organization", "[organization]")),
        policies: policies(top.section("policies", "[policies]")),
        policy: policy_tables(&mut top),
        limits: limits::read_global(top.section("limits", "[limits]")),
        usage: usage::read(top.section("usage", "[usage]")),
        speed: speed::read(top.section("speed", "[speed]")),
        schedules: schedule::read(&mut top),
        notify: notify::read(&mut top),
        http: http::read(top.section("http", "[http]")),
    };
    top.finish();
    raw
}

fn store(mut section: Section<'_>) -> RawStore {
    let raw = RawStore {
        path: section.value("path", some_text),
        ledger_head: section.value("ledger_head", some_text),
    };
    section.finish();
    raw
}

fn aws(mut section: Section<'_>) -> RawAws {
    let raw = RawAws {
        regions: region_choice(&mut section, "regions"),
        endpoint_url: section.value("endpoint_url", endpoint_url),
        profile: section.value("profile", some_text),
    };
    section.finish();
    raw
}

fn policies(mut section: Section<'_>) -> RawPolicies {
    let dir = section.value("dir", some_text);
    let mut family = section.section("family", "[policies] family");
    // Here an empty text has a meaning: this way of finding a family is not used.
    let family_tag = family.value("tag", text);
    let family_name_pattern = family.value("name_pattern", text);
    family.finish();
    section.finish();
    RawPolicies { dir, family_tag, family_name_pattern }
}

fn policy_tables(top: &mut Section<'_>) -> Vec<RawPolicy> {
    let Some(tables) = top.value("policy", list) else { return Vec::new() };
    tables.value.into_iter().filter_map(|node| policy(node, top.problems())).collect()
}

fn policy(node: Node, problems: &mut Vec<Problem>) -> Option<RawPolicy> {
    let place = node.place.clone();
    let mut section = Section::of_node("[[policy]]", node, problems)?;
    let raw = RawPolicy {
        place: place.clone(),
        file: section.value("file", some_text),
        mode: section.value("mode", word(&MODES)),
        params: params(&mut section),
        scope: scope(section.section("scope", "[[policy]] scope")),
        limits: limits::read_own(section.section("limits", "[[policy]] limits")),
    };
    section.finish();
    Some(raw)
}

fn params(section: &mut Section<'_>) -> BTreeMap<String, Param> {
    let params = section.map("params", param_value);
    params.into_iter().map(|(key, it)| (key, Param { value: it.value, place: it.place })).collect()
}

fn param_value(node: Node) -> Read<ParamValue> {
    Ok(match node.value {
        Value::Text(text) | Value::Variable(text) => ParamValue::Text(text),
        Value::Integer(number) => ParamValue::Integer(number),
        Value::Float(number) if number.is_finite() => ParamValue::Float(number),
        Value::Float(_) => {
            return Err(Problem::new(&node.place, "this number is too large, or none at all"));
        }
        Value::Boolean(boolean) => ParamValue::Boolean(boolean),
        Value::Date => return Err(Problem::new(&node.place, "write a date as a text, in quotes")),
        Value::List(items) => ParamValue::List(items.into_iter().map(param_value).collect::<Read<_>>()?),
        Value::Table(entries) => {
            let values = entries.into_iter().map(|(key, entry)| Ok((key, param_value(entry.node)?)));
            ParamValue::Map(values.collect::<Read<_>>()?)
        }
    })
}

fn scope(mut section: Section<'_>) -> RawScope {
    let raw = RawScope {
        accounts: section.list("accounts", parsed),
        regions: section.list("regions", region),
        tags: section.map("tags", text),
        names: section.list("names", parsed),
    };
    section.finish();
    raw
}

/// `"all"`, or a list of Regions. A variable may hold either.
pub(super) fn region_choice(section: &mut Section<'_>, key: &'static str) -> Option<RegionChoice> {
    let node = section.node(key)?;
    let place = node.place.clone();
    match &node.value {
        Value::Text(text) | Value::Variable(text) if text == "all" => return Some(RegionChoice::All),
        Value::Text(text) => {
            let message = format!("expected a list of Regions or `\"all\"`, found `{text}`");
            section.complain(Problem::new(&place, message).with_help(format!("write `[\"{text}\"]`")));
            return None;
        }
        _ => {}
    }
    let empty = |place: &Place| {
        let help = "leave the key out for the profile's Region, or write `regions = \"all\"`";
        Problem::new(place, "this names no Region").with_help(help)
    };
    let named = section.some_items(node, empty, region)?;
    let mut regions: Vec<Region> = Vec::new();
    for region in named.into_iter().map(|region| region.value) {
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    Some(RegionChoice::Named(regions))
}

/// A Region's code, such as `us-gov-west-1`. Whether there is such a Region, only AWS knows.
pub(super) fn region(node: Node) -> Read<Region> {
    let place = node.place.clone();
    let text = text(node)?;
    let parts: Vec<&str> = text.split('-').collect();
    let is_region = match parts.as_slice() {
        [words @ .., number] if words.len() >= 2 => {
            let is_word =
                |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            let is_digits = number.bytes().all(|byte| byte.is_ascii_digit());
            words.iter().all(is_word) && is_digits && (1..=2).contains(&number.len())
        }
        _ => false,
    };
    if is_region {
        return Ok(Region::new(text));
    }
    let problem = Problem::new(&place, format!("`{text}` is not a Region's code, such as `eu-west-1`"));
    Err(if text == "all" { problem.with_help("`all` stands alone, without other Regions") } else { problem })
}

/// A URL of a server. Its path, if any, is the SDK's business.
fn endpoint_url(node: Node) -> Read<String> {
    let place = node.place.clone();
    let url = text(node)?;
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host
        .is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace))
    {
        return Ok(url);
    }
    let message = format!("`{url}` is not the URL of an endpoint, such as `http://127.0.0.1:4566`");
    Err(Problem::new(&place, message))
}
