//! From an inventory to facts: everything that is concluded about an image, and all doubt about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Cost, Coverage, DISABLED_AT_TAG, Duration, Fact, Facts, FamilyRule, Image, ImageId, ImageState, ImageUse,
    Inventory, LaunchPermissions, Need, Reading, Snapshot, Source, StorageTier, Timestamp, place_families,
};

/// No image is older than EC2's first public day, 25 August 2006. An earlier date is a lie or a default value.
const EC2_LAUNCH: i64 = 1_156_464_000;

/// List prices in us-east-1 in millionths of a US dollar per GiB-month (EBS User Guide, "Archive Amazon EBS
/// snapshots"). Other Regions differ; the cost is an upper bound by volume, not an invoice.
const STANDARD_MICRO_USD: u64 = 50_000;
const ARCHIVE_MICRO_USD: u64 = 12_500;

const GIB: u64 = 1 << 30;

/// What amiwarden remembers from earlier runs about the images of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When each image was first seen disabled, without a break since.
    pub first_seen_disabled: BTreeMap<ImageId, Timestamp>,
}

/// The facts of every image of the inventory, in the order of their ids.
pub fn derive_facts(
    inventory: &Inventory,
    memory: &Memory,
    families: &FamilyRule,
    now: Timestamp,
) -> BTreeMap<ImageId, Arc<Facts>> {
    let mut places = place_families(inventory.images.values(), now, |image| families.family_of(image));
    let derive = |(id, image): (&ImageId, &Image)| {
        let created_at = created_at(image, now);
        let last_launched_at = past_date("last launch", &image.last_launched_at, now);
        let deprecated_at = date("deprecation", &image.deprecated_at);
        let disabled_at = disabled_at(image, memory, now);
        let used_by = used_by(inventory, id);
        let facts = Facts {
            scope: inventory.scope.clone(),
            now,
            family: places.remove(id),
            age: created_at.map(|at| Duration::between(*at, now)),
            is_deprecated: deprecated_at.map(|at| at.is_some_and(|at| at <= now)),
            unused_for: unused_for(&created_at, &last_launched_at, now),
            disabled_for: disabled_at.map(|at| at.map(|at| Duration::between(at, now))),
            is_public: is_public(image),
            launch_permissions: launch_permissions(inventory, id),
            in_use: in_use(inventory, id, &used_by),
            size_gib: size_gib(image),
            is_encrypted: is_encrypted(image),
            monthly_cost: monthly_cost(inventory, image),
            image: Arc::new(image.clone()),
            created_at,
            deprecated_at,
            last_launched_at,
            disabled_at,
            used_by,
        };
        (id.clone(), Arc::new(facts))
    };
    inventory.images.iter().map(derive).collect()
}

fn date(what: &str, reading: &Reading<Timestamp>) -> Fact<Option<Timestamp>> {
    match reading {
        Reading::Present(at) => Fact::Known(Some(*at)),
        Reading::Absent => Fact::Known(None),
        Reading::Unreadable(text) => Fact::Unknown(format!("its {what} date `{text}` cannot be read")),
    }
}

/// A date that has happened, or nothing. One that cannot have happened is a doubt, not a date.
fn past_date(what: &str, reading: &Reading<Timestamp>, now: Timestamp) -> Fact<Option<Timestamp>> {
    date(what, reading).and_then(|at| match at {
        Some(at) if *at > now => Fact::Unknown(format!("its {what} date {at} lies in the future")),
        Some(at) if at.as_second() < EC2_LAUNCH => {
            Fact::Unknown(format!("its {what} date {at} is before EC2 existed"))
        }
        Some(_) | None => Fact::Known(*at),
    })
}

fn created_at(image: &Image, now: Timestamp) -> Fact<Timestamp> {
    past_date("creation", &image.created_at, now).and_then(|at| match at {
        Some(at) => Fact::Known(*at),
        None => Fact::Unknown("EC2 reported no creation date".to_owned()),
    })
}

fn unused_for(
    created_at: &Fact<Timestamp>,
    last_launched_at: &Fact<Option<Timestamp>>,
    now: Timestamp,
) -> Fact<Duration> {
    last_launched_at.and_then(|launched| match launched {
        Some(at) => Fact::Known(Duration::between(*at, now)),
        None => created_at.map(|at| Duration::between(*at, now)),
    })
}

fn disabled_at(image: &Image, memory: &Memory, now: Timestamp) -> Fact<Option<Timestamp>> {
    if image.state != ImageState::Disabled {
        return Fact::Known(None);
    }
    let first_seen = memory.first_seen_disabled.get(&image.id).copied().unwrap_or(now).min(now);
    let Some(tag) = image.tags.get(DISABLED_AT_TAG) else {
        return Fact::Known(Some(first_seen));
    };
    match tag.parse::<Timestamp>() {
        Ok(at) if at > now => {
            Fact::Unknown(format!("its tag {DISABLED_AT_TAG} says {at}, which lies in the future"))
        }
        Ok(at) => Fact::Known(Some(at.max(first_seen))),
        Err(_) => Fact::Unknown(format!("its tag {DISABLED_AT_TAG} holds no date")),
    }
}

fn is_public(image: &Image) -> Fact<bool> {
    match &image.public {
        Reading::Present(public) => Fact::Known(*public),
        Reading::Absent => Fact::Unknown("EC2 did not report whether it is public".to_owned()),
        Reading::Unreadable(text) => Fact::Unknown(format!("EC2 reported `{text}` for whether it is public")),
    }
}

fn launch_permissions(inventory: &Inventory, id: &ImageId) -> Fact<LaunchPermissions> {
    match inventory.launch_permissions.get(id) {
        Some(Ok(permissions)) => Fact::Known(permissions.clone()),
        Some(Err(gap)) => Fact::Unknown(format!("its launch permissions could not be read: {gap}")),
        None => Fact::NotFetched(Need::LaunchPermissions),
    }
}

fn used_by(inventory: &Inventory, id: &ImageId) -> Fact<Vec<ImageUse>> {
    let mut reasons = Vec::new();
    for source in inventory.usage.bulk() {
        match inventory.coverage(source) {
            Coverage::Complete => {}
            Coverage::Gap(gap) => reasons.push(format!("{source}: {gap}")),
            Coverage::NotRead => return Fact::NotFetched(Need::Usage),
        }
    }
    if reasons.is_empty() {
        Fact::Known(inventory.uses_of(id).to_vec())
    } else {
        Fact::Unknown(format!("usage is not fully known ({})", reasons.join("; ")))
    }
}

fn in_use(inventory: &Inventory, id: &ImageId, used_by: &Fact<Vec<ImageUse>>) -> Fact<bool> {
    if inventory.uses_of(id).is_empty() { used_by.map(|uses| !uses.is_empty()) } else { Fact::Known(true) }
}

fn size_gib(image: &Image) -> Fact<u64> {
    let sizes: Option<u64> = image.block_devices.iter().map(|device| device.size_gib.map(u64::from)).sum();
    sizes.map_or_else(|| Fact::Unknown("EC2 reported no size for one of its volumes".to_owned()), Fact::Known)
}

fn is_encrypted(image: &Image) -> Fact<bool> {
    let devices = &image.block_devices;
    if devices.iter().any(|device| device.encrypted == Some(false)) {
        return Fact::Known(false);
    }
    if devices.iter().any(|device| device.encrypted.is_none()) {
        return Fact::Unknown("EC2 did not report whether one of its volumes is encrypted".to_owned());
    }
    Fact::Known(!devices.is_empty())
}

fn monthly_cost(inventory: &Inventory, image: &Image) -> Fact<Cost> {
    match inventory.coverage(Source::Snapshots) {
        Coverage::NotRead => return Fact::NotFetched(Need::Snapshots),
        Coverage::Gap(gap) => return Fact::Unknown(format!("snapshots could not all be read: {gap}")),
        Coverage::Complete => {}
    }
    if let Coverage::Gap(gap) = inventory.coverage(Source::Images) {
        return Fact::Unknown(format!("another image may share its snapshots: {gap}"));
    }
    let mut micro_usd = 0;
    for id in image.snapshots().filter(|id| inventory.images_of(id).count() == 1) {
        let cost = inventory.snapshots.get(id).and_then(snapshot_cost);
        let Some(cost) = cost else {
            return Fact::Unknown(format!("the size or storage tier of {id} is not known"));
        };
        micro_usd += cost;
    }
    Fact::Known(Cost { micro_usd })
}

/// What an image's snapshots cost a month, at most: those that it shares with no other image. By what was read of a
/// snapshot, or else by the size of its volume, which the image itself tells; so it takes no call. `None` where not even
/// that is known.
pub fn cost_at_most(inventory: &Inventory, image: &Image) -> Option<Cost> {
    let mut micro_usd = 0;
    for device in &image.block_devices {
        let Some(id) = device.snapshot.as_ref().filter(|id| inventory.images_of(id).count() <= 1) else {
            continue;
        };
        let by_volume = || Some(u64::from(device.size_gib?) * STANDARD_MICRO_USD);
        micro_usd += inventory.snapshots.get(id).and_then(snapshot_cost).or_else(by_volume)?;
    }
    Some(Cost { micro_usd })
}

/// At most what the snapshot bills: never more than its volume, nor than all blocks ever written.
fn snapshot_cost(snapshot: &Snapshot) -> Option<u64> {
    let price = match snapshot.tier {
        StorageTier::Standard => STANDARD_MICRO_USD,
        StorageTier::Archive => ARCHIVE_MICRO_USD,
        StorageTier::Other => return None,
    };
    let volume = u64::from(snapshot.volume_size_gib?) * price;
    let written = snapshot.full_size_bytes.map(|bytes| bytes.div_ceil(GIB).saturating_mul(price));
    Some(written.map_or(volume, |written| written.min(volume)))
}
