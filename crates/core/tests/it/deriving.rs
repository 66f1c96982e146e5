//! Facts and the doubt about them.

use amiwarden_core::{
    DISABLED_AT_TAG, Duration, Fact, Facts, Image, ImageUse, Listing, Need, Reading, Snapshot, SnapshotId,
    Source, StorageTier, UseKind,
};

use crate::builders::{World, days_ago, disabled, image, now, scope, tagged};

fn facts(world: &World) -> std::sync::Arc<Facts> {
    world.facts().into_values().next().unwrap()
}

fn facts_of(image: Image) -> std::sync::Arc<Facts> {
    facts(&World::new([image]))
}

fn is_unknown<T: std::fmt::Debug>(fact: &Fact<T>, about: &str) {
    assert!(matches!(fact, Fact::Unknown(reason) if reason.contains(about)), "{fact:?}");
}

#[test]
fn age_is_measured_from_creation() {
    assert_eq!(facts_of(image("ami-1", 100)).age, Fact::Known(Duration::from_days(100)));
}

#[test]
fn p2_a_date_that_cannot_be_is_unknown_not_old() {
    let with = |created_at| {
        let mut image = image("ami-1", 0);
        image.created_at = created_at;
        facts_of(image)
    };
    is_unknown(&with(Reading::Absent).age, "no creation date");
    is_unknown(&with(Reading::Unreadable("yesterday".into())).age, "cannot be read");
    is_unknown(&with(Reading::Present(days_ago(-1))).age, "future");
    is_unknown(&with(Reading::Present("1970-01-01T00:00:00Z".parse().unwrap())).age, "before EC2");
    is_unknown(&with(Reading::Present(days_ago(-1))).unused_for, "future");
}

#[test]
fn unused_for_counts_from_the_last_launch_or_else_from_creation() {
    let mut launched = image("ami-1", 100);
    launched.last_launched_at = Reading::Present(days_ago(10));
    assert_eq!(facts_of(launched.clone()).unused_for, Fact::Known(Duration::from_days(10)));
    assert_eq!(facts_of(image("ami-1", 100)).unused_for, Fact::Known(Duration::from_days(100)));
    launched.last_launched_at = Reading::Unreadable("?".into());
    is_unknown(&facts_of(launched).unused_for, "last launch");
}

#[test]
fn disabled_at_is_the_latest_of_tag_and_first_sight() {
    let tag = |days| tagged(disabled(image("ami-1", 300)), DISABLED_AT_TAG, &days_ago(days).to_string());
    let check = |world: World, days| {
        assert_eq!(facts(&world).disabled_for, Fact::Known(Some(Duration::from_days(days))));
    };
    check(World::new([tag(60)]).seen_disabled("ami-1", 40), 40);
    check(World::new([tag(20)]).seen_disabled("ami-1", 40), 20);
    check(World::new([disabled(image("ami-1", 300))]).seen_disabled("ami-1", 40), 40);
    // A lost database can only lengthen the hold: whatever the tag says, it starts again today.
    check(World::new([tag(60)]), 0);
    assert_eq!(facts_of(image("ami-1", 300)).disabled_for, Fact::Known(None));
}

#[test]
fn p2_a_nonsensical_disabled_at_tag_is_unknown() {
    let check = |value: &str, about| {
        let world = World::new([tagged(disabled(image("ami-1", 300)), DISABLED_AT_TAG, value)])
            .seen_disabled("ami-1", 40);
        is_unknown(&facts(&world).disabled_for, about);
    };
    check("long ago", "no date");
    check(&days_ago(-5).to_string(), "future");
}

#[test]
fn p2_in_use_is_false_only_when_every_source_is_complete() {
    let mut world = World::new([image("ami-1", 100)]);
    assert_eq!(facts(&world).in_use, Fact::Known(false));
    world.inventory.add_uses(Source::Instances, Listing::partial(Vec::new(), "access denied"), now());
    is_unknown(&facts(&world).in_use, "access denied");
    is_unknown(&facts(&world).used_by, "access denied");
}

#[test]
fn in_use_is_true_as_soon_as_one_source_shows_a_use() {
    let mut world = World::new([image("ami-1", 100)]).used("ami-1");
    world.inventory.add_uses(Source::LaunchTemplates, Listing::partial(Vec::new(), "access denied"), now());
    assert_eq!(facts(&world).in_use, Fact::Known(true));
    is_unknown(&facts(&world).used_by, "access denied");
}

#[test]
fn p5_usage_and_snapshots_are_not_fetched_before_somebody_asks() {
    let mut inventory = amiwarden_core::Inventory::new(scope(), days_ago(0));
    inventory.add_images(Listing::complete(vec![image("ami-1", 100)]));
    let mut world = World::new([]);
    world.inventory = inventory;
    let facts = facts(&world);
    assert_eq!(facts.in_use, Fact::NotFetched(Need::Usage));
    assert_eq!(facts.monthly_cost, Fact::NotFetched(Need::Snapshots));
    assert_eq!(facts.is_shared(), Fact::NotFetched(Need::LaunchPermissions));
}

#[test]
fn cost_counts_snapshots_of_this_image_alone_and_never_more_than_was_written() {
    let mut shared = image("ami-1", 100);
    shared.block_devices.push(shared.block_devices[0].clone());
    shared.block_devices[1].snapshot = Some(SnapshotId::new("snap-ami-2"));
    let mut world = World::new([shared, image("ami-2", 90)]);
    let snapshot = |id: &str, full_size_bytes| Snapshot {
        id: SnapshotId::new(id),
        volume_size_gib: Some(8),
        full_size_bytes,
        tier: StorageTier::Standard,
        tags: std::collections::BTreeMap::new(),
    };
    let cost = |world: &World| facts(world).monthly_cost.known().map(|cost| cost.micro_usd);
    world.inventory.add_snapshots(Listing::complete(vec![snapshot("snap-ami-1", None)]));
    assert_eq!(cost(&world), Some(8 * 50_000));
    world.inventory.add_snapshots(Listing::complete(vec![snapshot("snap-ami-1", Some((2 << 30) + 1))]));
    assert_eq!(cost(&world), Some(3 * 50_000));
    world.inventory.add_snapshots(Listing::partial(Vec::new(), "denied"));
    assert_eq!(cost(&world), None);
}

#[test]
fn p2_an_image_of_another_account_is_left_out_and_makes_the_listing_doubtful() {
    let mut foreign = image("ami-2", 100);
    foreign.owner = "999988887777".parse().unwrap();
    let world = World::new([image("ami-1", 100), foreign]);
    assert_eq!(world.inventory.images.len(), 1);
    assert!(!world.inventory.is_complete());
}

#[test]
fn a_use_is_counted_once_however_often_it_is_seen() {
    let mut world = World::new([image("ami-1", 1)]).used("ami-1").used("ami-1");
    let template = ImageUse {
        image: image("ami-1", 1).id,
        kind: UseKind::LaunchTemplate,
        id: "lt-1 (web, version 1, $Default)".to_owned(),
        account: scope().account,
    };
    world.inventory.add_uses(Source::LaunchTemplates, Listing::complete(vec![template]), now());
    assert_eq!(facts(&world).used_by.known().map(Vec::len), Some(2));
}
