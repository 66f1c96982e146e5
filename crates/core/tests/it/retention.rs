//! What the Recycle Bin would hold.

use std::collections::BTreeMap;

use amiwarden_core::{
    Action, Image, Listing, Permanent, RetainedKind, RetentionRule, Snapshot, SnapshotFate, SnapshotId,
    StorageTier,
};

use crate::builders::{World, disabled, image, tagged};

type Tags<'a> = &'a [(&'a str, Option<&'a str>)];

fn rule(kind: RetainedKind, retention_days: u32, tags: Tags<'_>, exclude: Tags<'_>) -> RetentionRule {
    let owned = |tags: Tags<'_>| {
        tags.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
    };
    RetentionRule {
        id: "rule".to_owned(),
        kind,
        retention_days,
        tags: owned(tags),
        exclude_tags: owned(exclude),
    }
}

fn images(retention_days: u32) -> RetentionRule {
    rule(RetainedKind::Image, retention_days, &[], &[])
}

fn snapshots(retention_days: u32) -> RetentionRule {
    rule(RetainedKind::Snapshot, retention_days, &[], &[])
}

fn world(image: Image, fate: SnapshotFate, rules: Vec<RetentionRule>) -> World {
    let mut world =
        World::new([disabled(image)]).seen_disabled("ami-1", 60).asks_for_all(&Action::Deregister(fate));
    world.limits.permanent = Permanent::Refuse;
    world.inventory.retention_rules = Some(Listing::complete(rules));
    world
}

#[test]
fn p3_deregister_needs_a_rule_that_covers_the_image() {
    let check = |image: Image, rules: Vec<RetentionRule>, days: Option<u32>| {
        let world = world(image, SnapshotFate::Keep, rules.clone());
        let steps = world.plan().0.steps;
        assert_eq!(steps.first().map(|step| step.restorable_days.unwrap()), days, "{rules:?}");
        if days.is_none() {
            assert_eq!(world.held(), ["ami-1 deregister recycle-bin"], "{rules:?}");
        }
    };
    let prod = || tagged(image("ami-1", 300), "Env", "prod");
    let by_tag = |tags: Tags<'_>| rule(RetainedKind::Image, 5, tags, &[]);
    let excluding = |tags: Tags<'_>| rule(RetainedKind::Image, 5, &[], tags);
    check(prod(), vec![], None);
    check(prod(), vec![images(30)], Some(30));
    check(prod(), vec![images(30), images(60)], Some(60));
    check(prod(), vec![images(0)], None);
    check(prod(), vec![snapshots(30)], None);
    check(prod(), vec![by_tag(&[("Env", Some("prod"))])], Some(5));
    check(prod(), vec![by_tag(&[("Env", None)])], Some(5));
    check(prod(), vec![by_tag(&[("Team", None), ("Env", Some("prod"))])], Some(5));
    check(prod(), vec![by_tag(&[("Env", Some("dev"))])], None);
    check(prod(), vec![by_tag(&[("env", Some("prod"))])], None);
    check(prod(), vec![excluding(&[("Env", Some("prod"))])], None);
    check(prod(), vec![excluding(&[("Env", Some("dev"))])], Some(5));
    let mut store = prod();
    store.root_device_type = Some("instance-store".to_owned());
    check(store, vec![images(30)], None);
}

#[test]
fn p3_deleting_snapshots_needs_rules_that_cover_them_too() {
    let steps = |rules| world(image("ami-1", 300), SnapshotFate::Delete, rules).plan().0.steps;
    assert_eq!(steps(vec![images(30)]).len(), 0);
    assert_eq!(steps(vec![images(30), snapshots(7)])[0].restorable_days, Some(7));
}

#[test]
fn rules_by_tag_need_the_snapshots_tags() {
    let by_tag = rule(RetainedKind::Snapshot, 7, &[("Keep", None)], &[]);
    let mut world = world(image("ami-1", 300), SnapshotFate::Delete, vec![images(30), by_tag]);
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(world.assembled().wanted.into_values().next().unwrap().snapshots);
    let snapshot = |tags: &[(&str, &str)]| Snapshot {
        id: SnapshotId::new("snap-ami-1"),
        volume_size_gib: Some(8),
        full_size_bytes: None,
        tier: StorageTier::Standard,
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    };
    world.inventory.add_snapshots(Listing::complete(vec![snapshot(&[])]));
    assert_eq!(world.held(), ["ami-1 deregister recycle-bin"]);
    world.inventory.snapshots = BTreeMap::new();
    world.inventory.add_snapshots(Listing::complete(Vec::new()));
    assert_eq!(world.held(), ["ami-1 deregister recycle-bin"], "an unknown snapshot is not covered");
    world.inventory.add_snapshots(Listing::complete(vec![snapshot(&[("Keep", "x")])]));
    assert_eq!(world.steps(), ["ami-1 deregister"]);
}

#[test]
fn p2_rules_that_could_not_all_be_read_cover_nothing() {
    let mut world = world(image("ami-1", 300), SnapshotFate::Keep, vec![]);
    world.inventory.retention_rules = Some(Listing::partial(vec![images(30)], "rbin:ListRules is denied"));
    assert_eq!(world.held(), ["ami-1 deregister recycle-bin"]);
    assert!(world.plan().0.held[0].reason.contains("rbin:ListRules is denied"));
}
