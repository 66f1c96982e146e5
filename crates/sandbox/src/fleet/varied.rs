//! Fleets for property tests of undo: images that differ in everything that a change can take away.
//!
//! Deliberately absent: uses of the images, which would keep most of them from being acted on, images
//! that nobody can act on (AWS Backup's, other states), and a second Region.

use std::collections::{BTreeMap, BTreeSet};

use super::random::Random;
use super::{Fleet, FleetDate, FleetImage, FleetProtection, FleetSnapshot};
use crate::world::{ImageState, LaunchPermission};

const ACCOUNT: &str = "111122223333";
const MINUTES_A_DAY: u64 = 24 * 60;
/// A public image may be kept from deprecation for so many days after its creation.
const PUBLIC_DAYS_MAX: u64 = 730;
/// How many tags one resource may have.
const TAGS_MAX: u64 = 50;

/// The shapes of names that EC2 admits; `#` stands for the number.
const NAMES: [&str; 6] =
    ["web-#", "api.v#", "team/db #", "batch (nightly) #", "edge_#@blue", "it's-[golden]-#"];
const DESCRIPTIONS: [&str; 6] = [
    "Web front end",
    "Größe <8 GiB> & \"Übermut\"",
    "日本語の説明",
    "]]> &amp; not an entity",
    "emoji 🛰️ and combining e\u{301}",
    "x",
];
const KEYS: [&str; 6] = ["Owner", "Größe", "部署", "with space", "a:b/c=d+e-f@g", "CaSe"];
const VALUES: [&str; 6] = ["", "web-team", "<&>\"'", "значение", "2026-11-20T10:00:00Z", "🛰️"];

pub(super) fn fleet(images: usize, seed: u64) -> Fleet {
    let mut random = Random::new(seed);
    // Snapshots that later images may share.
    let mut shared = Vec::new();
    let mut fleet = Fleet::empty(ACCOUNT, "us-east-1");
    for index in 0..images {
        fleet.images.push(image(index, &mut shared, &mut random));
    }
    fleet
}

fn image(index: usize, shared: &mut Vec<String>, random: &mut Random) -> FleetImage {
    let name = random.pick(&NAMES).replace('#', &format!("{index:05}"));
    let disabled = random.percent(25);
    let launch_permissions = if disabled { BTreeSet::new() } else { launch_permissions(random) };
    let public = launch_permissions.contains(&LaunchPermission::All);
    let age_days = 1 + random.below(if public { PUBLIC_DAYS_MAX / 2 } else { 1500 });
    let protection = match random.below(10) {
        0 => FleetProtection::EnabledWithCooldown,
        1 => FleetProtection::EnabledWithoutCooldown,
        _ => FleetProtection::Disabled,
    };
    FleetImage {
        created: days_ago(age_days),
        last_launched: random.percent(50).then(|| days_ago(random.below(age_days + 1))),
        state: if disabled { ImageState::Disabled } else { ImageState::Available },
        first_seen_disabled: (disabled && random.percent(50)).then(|| days_ago(random.below(age_days + 1))),
        description: random.percent(70).then(|| description(random)),
        deprecated_at: deprecation(public, age_days, random),
        protection,
        tags: tags(random),
        launch_permissions,
        snapshots: Some(snapshots(public, shared, random)),
        imds_support: random.percent(30).then(|| "v2.0".to_owned()),
        ..FleetImage::new(&name)
    }
}

/// None for half of the images; else any mix of the four kinds, now and then hundreds of accounts.
fn launch_permissions(random: &mut Random) -> BTreeSet<LaunchPermission> {
    let mut permissions = BTreeSet::new();
    if random.percent(50) {
        return permissions;
    }
    let accounts = match random.below(20) {
        0 => 200 + random.below(300),
        1..=6 => 0,
        _ => 1 + random.below(5),
    };
    for _ in 0..accounts {
        let account = format!("{:012}", 222_200_000_000 + random.below(1_000_000_000));
        permissions.insert(LaunchPermission::Account(account));
    }
    let organization = format!("o-{:010x}", random.below(1 << 40));
    if random.percent(30) {
        let arn = format!("arn:aws:organizations::{ACCOUNT}:organization/{organization}");
        permissions.insert(LaunchPermission::Organization(arn));
    }
    for _ in 0..random.below(4) {
        let unit = format!("ou-{:04x}-{:08x}", random.below(1 << 16), random.below(1 << 32));
        let arn = format!("arn:aws:organizations::{ACCOUNT}:ou/{organization}/{unit}");
        permissions.insert(LaunchPermission::OrganizationalUnit(arn));
    }
    if random.percent(15) {
        permissions.insert(LaunchPermission::All);
    }
    permissions
}

/// Past or future; for public images never more than two years after their creation.
fn deprecation(public: bool, age_days: u64, random: &mut Random) -> Option<FleetDate> {
    if random.percent(50) {
        return None;
    }
    if random.percent(25) {
        return Some(days_ago(random.below(age_days)));
    }
    let ahead = if public { PUBLIC_DAYS_MAX - age_days } else { 3600 };
    let minutes = 60 + random.below(ahead * MINUTES_A_DAY - 60);
    Some(FleetDate::RelativeMinutes(i64::try_from(minutes).unwrap_or(60)))
}

fn description(random: &mut Random) -> String {
    let text = random.pick(&DESCRIPTIONS);
    if random.percent(10) { text.chars().cycle().take(255).collect() } else { text.to_owned() }
}

/// None, a few, or as many as one resource may have; some keys and values as long as they may be.
fn tags(random: &mut Random) -> BTreeMap<String, String> {
    let count = match random.below(10) {
        0 => TAGS_MAX,
        1 | 2 => 0,
        _ => 1 + random.below(6),
    };
    (0..count)
        .map(|index| {
            let mut key = format!("{}{index}", random.pick(&KEYS));
            let mut value = random.pick(&VALUES).to_owned();
            if random.percent(5) {
                key = format!("{key}-{}", "ö".repeat(127 - key.chars().count()));
                value = "ß".repeat(256);
            }
            (key, value)
        })
        .collect()
}

/// One to four; a public image can have no encrypted ones, and so shared ones are never encrypted.
fn snapshots(public: bool, shared: &mut Vec<String>, random: &mut Random) -> Vec<FleetSnapshot> {
    let mut snapshots: Vec<FleetSnapshot> = (0..=random.below(3))
        .map(|_| FleetSnapshot {
            id: None,
            size_gib: Some(8 << random.below(6)),
            encrypted: Some(!public && random.percent(40)),
            tags: random.percent(30).then(|| tags(random)),
        })
        .collect();
    if !shared.is_empty() && random.percent(20) {
        let known = usize::try_from(random.below(shared.len() as u64)).unwrap_or(0);
        snapshots.push(FleetSnapshot { id: Some(shared[known].clone()), ..FleetSnapshot::default() });
    } else if random.percent(20) {
        let id = format!("snap-0{:016x}", random.next());
        shared.push(id.clone());
        snapshots.push(FleetSnapshot {
            id: Some(id),
            size_gib: Some(20),
            encrypted: Some(false),
            tags: Some(tags(random)),
        });
    }
    snapshots
}

fn days_ago(days: u64) -> FleetDate {
    FleetDate::days_ago(i64::try_from(days).unwrap_or(0))
}
