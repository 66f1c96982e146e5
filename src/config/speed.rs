//! `[speed]`: how fast AWS is asked, and how much happens at a time.

use std::collections::BTreeMap;

use amiwarden_core::{BucketSize, OPERATIONS, Pace, Share};

use super::place::{Place, Placed};
use super::problem::{Problem, nearest};
use super::reader::{Read, Section, count, table, wrong_kind};
use super::tree::{Entries, Node, Value};

/// How fast AWS is asked, and how much happens at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeedConfig {
    /// The share of AWS's token buckets that is taken, and their sizes.
    pub pace: Pace,
    /// Scopes that are worked on at the same time: 1 to 64.
    pub concurrent_scopes: usize,
    /// Images of one scope that are changed at the same time: 1 to 64.
    pub concurrent_images: usize,
}

impl Default for SpeedConfig {
    fn default() -> Self {
        Self { pace: Pace::default(), concurrent_scopes: 8, concurrent_images: 4 }
    }
}

/// What the file says of it.
#[derive(Debug)]
pub(super) struct RawSpeed {
    share: Option<Placed<Share>>,
    buckets: BTreeMap<String, Placed<BucketSize>>,
    concurrent_scopes: Option<Placed<u32>>,
    concurrent_images: Option<Placed<u32>>,
}

/// More at a time than this gains nothing and opens too many connections.
const CONCURRENT_MAX: u32 = 64;

/// Stands for every operation that is not named.
const OTHERWISE: &str = "*";

/// Reads the section.
pub(super) fn read(mut section: Section<'_>) -> RawSpeed {
    let raw = RawSpeed {
        share: section.value("api_share_percent", share),
        buckets: buckets(&mut section),
        concurrent_scopes: section.value("concurrent_scopes", count(1, CONCURRENT_MAX)),
        concurrent_images: section.value("concurrent_images", count(1, CONCURRENT_MAX)),
    };
    section.finish();
    raw
}

/// What it comes to.
pub(super) fn settings(raw: RawSpeed) -> SpeedConfig {
    let default = SpeedConfig::default();
    let mut sizes: BTreeMap<String, BucketSize> =
        raw.buckets.into_iter().map(|(operation, size)| (operation, size.value)).collect();
    let number = |stated: Option<Placed<u32>>, default: usize| {
        stated.and_then(|stated| usize::try_from(stated.value).ok()).unwrap_or(default)
    };
    SpeedConfig {
        pace: Pace {
            share: raw.share.map_or(Share::DEFAULT, |share| share.value),
            otherwise: sizes.remove(OTHERWISE),
            sizes,
        },
        concurrent_scopes: number(raw.concurrent_scopes, default.concurrent_scopes),
        concurrent_images: number(raw.concurrent_images, default.concurrent_images),
    }
}

fn share(node: Node) -> Read<Share> {
    let place = node.place.clone();
    let percent = count(1, 100)(node)?;
    Share::new(percent).ok_or_else(|| Problem::new(&place, "a share is 1 to 100 percent"))
}

/// The table of buckets, by operation. A variable cannot tell capital letters, so they do not count.
fn buckets(section: &mut Section<'_>) -> BTreeMap<String, Placed<BucketSize>> {
    let Some(stated) = section.value("buckets", table) else { return BTreeMap::new() };
    let mut sizes = BTreeMap::new();
    for (key, entry) in stated.value {
        let place = entry.key.clone();
        match (operation(&key, &place), bucket(entry.node)) {
            (Ok(operation), Ok(value)) => {
                sizes.insert(operation.to_owned(), Placed { value, place });
            }
            (operation, size) => {
                let problems = [operation.err(), size.err()];
                problems.into_iter().flatten().for_each(|problem| section.complain(problem));
            }
        }
    }
    sizes
}

fn operation(key: &str, place: &Place) -> Read<&'static str> {
    let mut known = OPERATIONS.iter().copied().chain([OTHERWISE]);
    known.find(|operation| operation.eq_ignore_ascii_case(key)).ok_or_else(|| {
        let problem = Problem::new(place, format!("`{key}` is no operation of EC2 that amiwarden uses"));
        match nearest(key, OPERATIONS) {
            Some(meant) => problem.with_help(format!("did you mean `{meant}`?")),
            None => {
                problem.with_help("write the name as EC2 does, such as `DisableImage`, or `\"*\"` for all")
            }
        }
    })
}

/// `{ burst = 100, refill = 20 }`
fn bucket(node: Node) -> Read<BucketSize> {
    let place = node.place.clone();
    let mut entries = table(node)?;
    let size = BucketSize {
        burst: number(&mut entries, "burst", &place)?,
        refill_per_second: number(&mut entries, "refill", &place)?,
    };
    match entries.into_iter().next() {
        Some((key, entry)) => {
            let problem = Problem::new(&entry.key, format!("unknown key `{key}` of a bucket"));
            Err(problem.with_help("known here: `burst` and `refill`"))
        }
        None => Ok(size),
    }
}

/// A number that a bucket can have. Its limits keep every time that is computed from it within reason.
fn number(entries: &mut Entries, key: &str, place: &Place) -> Read<f64> {
    let Some(entry) = entries.remove(key) else {
        let problem = Problem::new(place, format!("this bucket has no `{key}`"));
        return Err(problem.with_help("write both, as in `{ burst = 100, refill = 20 }`"));
    };
    let least = if key == "burst" { 1.0 } else { 0.001 };
    let number = match &entry.node.value {
        Value::Integer(number) => i32::try_from(*number).map_or(f64::INFINITY, f64::from),
        Value::Float(number) => *number,
        _ => return Err(wrong_kind(&entry.node, "a number")),
    };
    if (least..=1e6).contains(&number) {
        return Ok(number);
    }
    Err(Problem::new(&entry.node.place, format!("`{key}` is out of range: {least} to 1000000 is expected")))
}
