//! The rules of the world, as tables, without HTTP.

use amiwarden_sandbox::{
    Actor, Change, Effect, Fleet, FleetDate, FleetImage, FleetProtection, FleetSnapshot, ImageState,
    LaunchPermission, Protection, SnapshotReturnCode, World,
};
use jiff::{SignedDuration, Timestamp};

use crate::client::{ACCOUNT, REGION, fleet, now};

const OTHER: &str = "444455556666";
const SHARED: &str = "snap-0aaaaaaaaaaaaaaaa";

fn actor() -> Actor {
    Actor { region: REGION.to_owned(), may_delete_snapshots: true, now: now() }
}

/// A world with one image of each kind, named after its kind.
fn world() -> World {
    let image = FleetImage::new;
    let in_state = |state: ImageState| FleetImage { state, ..image(state.as_str()) };
    let shared = || FleetSnapshot { id: Some(SHARED.to_owned()), ..FleetSnapshot::default() };
    let images = [
        image("available"),
        in_state(ImageState::Disabled),
        in_state(ImageState::Pending),
        in_state(ImageState::Failed),
        FleetImage { backup_managed: true, ..image("backup") },
        FleetImage { owner: Some(OTHER.to_owned()), ..image("foreign") },
        FleetImage { protection: FleetProtection::EnabledWithoutCooldown, ..image("protected") },
        FleetImage { protection: FleetProtection::EnabledWithCooldown, ..image("cooled") },
        FleetImage { product_codes: vec!["code".to_owned()], ..image("marketplace") },
        FleetImage {
            launch_permissions: [LaunchPermission::All, LaunchPermission::Account(OTHER.to_owned())].into(),
            ..image("public")
        },
        FleetImage {
            snapshots: Some(vec![FleetSnapshot { encrypted: Some(true), ..FleetSnapshot::default() }]),
            ..image("encrypted")
        },
        FleetImage { snapshots: Some(vec![shared(), FleetSnapshot::default()]), ..image("twin-a") },
        FleetImage { snapshots: Some(vec![shared()]), ..image("twin-b") },
        FleetImage { region: Some("eu-west-1".to_owned()), ..image("elsewhere") },
    ];
    fleet(images).to_world(now()).unwrap()
}

fn id(world: &World, name: &str) -> String {
    world.images.values().find(|image| image.name == name).unwrap().id.clone()
}

/// Applies a change to the named image: `ok`, or the error code. An error changes nothing.
fn check(name: &str, change: impl Fn(String) -> Change, expected: &str) -> World {
    let mut after = world();
    let before = after.clone();
    let image_id = id(&after, name);
    let outcome = match after.apply(&change(image_id), &actor()) {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            assert_eq!(after, before, "a refused change of {name} altered the world");
            error.code
        }
    };
    assert_eq!(outcome, expected, "{name}");
    after
}

fn grant(add: &[LaunchPermission], remove: &[LaunchPermission]) -> impl Fn(String) -> Change {
    let (add, remove) = (add.iter().cloned().collect(), remove.iter().cloned().collect());
    move |image_id| Change::ModifyLaunchPermissions {
        image_id,
        add: Clone::clone(&add),
        remove: Clone::clone(&remove),
    }
}

#[test]
fn disabling_needs_an_available_image_of_ones_own() {
    for (name, expected) in [
        ("available", "ok"),
        ("public", "ok"),
        ("protected", "ok"),
        ("disabled", "ok"),
        ("pending", "InvalidAMIID.Unavailable"),
        ("failed", "InvalidAMIID.Unavailable"),
        ("backup", "AuthFailure"),
        ("foreign", "AuthFailure"),
        ("elsewhere", "InvalidAMIID.NotFound"),
    ] {
        check(name, |image_id| Change::DisableImage { image_id }, expected);
    }
}

#[test]
fn disabling_takes_every_grant_and_enabling_brings_none_back() {
    let mut world = world();
    let image_id = id(&world, "public");
    world.apply(&Change::DisableImage { image_id: image_id.clone() }, &actor()).unwrap();
    assert_eq!(world.images[&image_id].state, ImageState::Disabled);
    assert!(world.images[&image_id].launch_permissions.is_empty());
    world.apply(&Change::EnableImage { image_id: image_id.clone() }, &actor()).unwrap();
    assert_eq!(world.images[&image_id].state, ImageState::Available);
    assert!(world.images[&image_id].launch_permissions.is_empty());
}

#[test]
fn enabling_forgets_when_the_image_was_first_seen_disabled() {
    let image = FleetImage {
        state: ImageState::Disabled,
        first_seen_disabled: Some(FleetDate::days_ago(5)),
        ..FleetImage::new("old")
    };
    let mut world = fleet([image]).to_world(now()).unwrap();
    let image_id = id(&world, "old");
    world.apply(&Change::EnableImage { image_id: image_id.clone() }, &actor()).unwrap();
    assert_eq!(world.images[&image_id].first_seen_disabled, None);
}

#[test]
fn deregistering_is_refused_for_protected_and_managed_images() {
    for (name, expected) in [
        ("available", "ok"),
        ("disabled", "ok"),
        ("pending", "ok"),
        ("protected", "OperationNotPermitted"),
        ("cooled", "OperationNotPermitted"),
        ("backup", "AuthFailure"),
        ("foreign", "AuthFailure"),
    ] {
        let deregister = |image_id| Change::DeregisterImage { image_id, delete_snapshots: true };
        check(name, deregister, expected);
    }
}

#[test]
fn a_deregistered_image_is_unavailable_for_an_hour_and_then_unknown() {
    let mut world = world();
    let image_id = id(&world, "available");
    let snapshots = world.snapshots.len();
    let deregister = Change::DeregisterImage { image_id: image_id.clone(), delete_snapshots: false };
    assert_eq!(world.apply(&deregister, &actor()), Ok(Effect::Deregistered(Vec::new())));
    assert_eq!(world.snapshots.len(), snapshots, "snapshots stay unless they are asked for");
    let mut later = actor();
    assert_eq!(world.apply(&deregister, &later).unwrap_err().code, "InvalidAMIID.Unavailable");
    later.now = now() + SignedDuration::from_hours(1);
    assert_eq!(world.apply(&deregister, &later).unwrap_err().code, "InvalidAMIID.NotFound");
}

#[test]
fn a_snapshot_goes_with_its_last_image() {
    let mut world = world();
    let delete = |world: &mut World, name: &str, actor: &Actor| {
        let change = Change::DeregisterImage { image_id: id(world, name), delete_snapshots: true };
        match world.apply(&change, actor).unwrap() {
            Effect::Deregistered(results) => results,
            other => panic!("{other:?}"),
        }
    };
    let first = delete(&mut world, "twin-a", &actor());
    assert_eq!(first[0], (SHARED.to_owned(), SnapshotReturnCode::Skipped));
    assert_eq!(first[1].1, SnapshotReturnCode::Success);
    assert!(world.snapshots.contains_key(SHARED) && !world.snapshots.contains_key(&first[1].0));

    let weak = Actor { may_delete_snapshots: false, ..actor() };
    let second = delete(&mut world, "twin-b", &weak);
    assert_eq!(second, [(SHARED.to_owned(), SnapshotReturnCode::MissingPermissions)]);
    assert!(world.snapshots.contains_key(SHARED));

    let change = Change::DeleteSnapshot { snapshot_id: SHARED.to_owned() };
    assert_eq!(world.apply(&change, &actor()), Ok(Effect::Done));
    assert_eq!(world.apply(&change, &actor()).unwrap_err().code, "InvalidSnapshot.NotFound");
}

#[test]
fn a_snapshot_in_use_cannot_be_deleted() {
    for (snapshot, expected) in [
        (SHARED, "InvalidSnapshot.InUse"),
        ("snap-0bbbbbbbbbbbbbbbb", "InvalidSnapshot.NotFound"),
        ("snap-x", "InvalidSnapshotID.Malformed"),
    ] {
        let change = Change::DeleteSnapshot { snapshot_id: snapshot.to_owned() };
        assert_eq!(world().apply(&change, &actor()).unwrap_err().code, expected);
    }
}

#[test]
fn who_may_be_granted_what() {
    let all = [LaunchPermission::All];
    let account = [LaunchPermission::Account(OTHER.to_owned())];
    for (name, add, remove, expected) in [
        ("available", &all[..], &[][..], "ok"),
        ("available", &account, &all, "ok"),
        ("marketplace", &all, &[], "OperationNotPermitted"),
        ("marketplace", &account, &[], "ok"),
        ("encrypted", &all, &[], "OperationNotPermitted"),
        ("disabled", &account, &[], "InvalidAMIID.Unavailable"),
        ("disabled", &[], &account, "ok"),
        ("pending", &account, &[], "InvalidAMIID.Unavailable"),
        ("foreign", &account, &[], "AuthFailure"),
    ] {
        check(name, grant(add, remove), expected);
    }
    let stripped = check("public", grant(&[], &all), "ok");
    let left = &stripped.images[&id(&stripped, "public")].launch_permissions;
    assert_eq!(left, &account.into());
}

#[test]
fn block_public_access_stops_new_public_images_only() {
    let mut world = world();
    world.block_public_access = true;
    let mut share = |name: &str| {
        let change = grant(&[LaunchPermission::All], &[])(id(&world, name));
        world.apply(&change, &actor()).map_err(|error| error.code)
    };
    assert_eq!(share("available"), Err("OperationNotPermitted".to_owned()));
    assert_eq!(share("public"), Ok(Effect::Done));
}

#[test]
fn at_most_a_thousand_shares() {
    let accounts = |count: u64| -> Vec<LaunchPermission> {
        (1..=count).map(|n| LaunchPermission::Account(format!("{n:012}"))).collect()
    };
    check("available", grant(&accounts(1000), &[]), "ok");
    check("available", grant(&accounts(1001), &[]), "ResourceLimitExceeded");
}

#[test]
fn attributes_have_their_limits() {
    let describe =
        |length: usize| move |image_id| Change::SetDescription { image_id, description: "é".repeat(length) };
    check("available", describe(255), "ok");
    check("available", describe(256), "InvalidParameterValue");
    check("pending", describe(1), "InvalidAMIID.Unavailable");
    for (value, expected) in [("v2.0", "ok"), ("v1.0", "InvalidParameterValue")] {
        let imds = |image_id| Change::SetImdsSupport { image_id, value: value.to_owned() };
        check("available", imds, expected);
    }
}

#[test]
fn deprecation_dates_have_a_range_and_whole_minutes() {
    let deprecate = |name: &str, at: Timestamp, expected: &str| {
        let world = check(name, |image_id| Change::EnableDeprecation { image_id, at }, expected);
        world.images[&id(&world, name)].deprecated_at.map(|at| at.to_string())
    };
    let days = |days: i64| now() + SignedDuration::from_hours(24 * days);
    let refused = "InvalidParameterValue";
    deprecate("available", now() - SignedDuration::from_secs(1), refused);
    deprecate("available", days(3654), refused);
    deprecate("available", days(3653), "ok");
    // Public images: two years after a creation that lies 30 days back.
    deprecate("public", days(702), refused);
    deprecate("public", days(701), "ok");
    let half = now() + SignedDuration::from_secs(90);
    assert_eq!(deprecate("available", half, "ok").as_deref(), Some("2026-11-20T10:02:00Z"));
    let below = now() + SignedDuration::from_secs(89);
    assert_eq!(deprecate("available", below, "ok").as_deref(), Some("2026-11-20T10:01:00Z"));
    check("public", |image_id| Change::DisableDeprecation { image_id }, "OperationNotPermitted");
    check("available", |image_id| Change::DisableDeprecation { image_id }, "ok");
}

#[test]
fn a_cooldown_protects_for_a_day_and_cannot_be_prolonged() {
    let mut world = world();
    let image_id = id(&world, "cooled");
    let mut at = actor();
    let disable = Change::DisableProtection { image_id: image_id.clone() };
    let deregister = Change::DeregisterImage { image_id: image_id.clone(), delete_snapshots: false };
    let cooling = Effect::Protection("disabled after 2026-11-21T10:00:00Z".to_owned());
    assert_eq!(world.apply(&disable, &at), Ok(cooling.clone()));
    at.now += SignedDuration::from_hours(23);
    assert_eq!(world.apply(&disable, &at), Ok(cooling));
    assert_eq!(world.apply(&deregister, &at).unwrap_err().code, "OperationNotPermitted");
    at.now += SignedDuration::from_hours(1);
    assert!(world.apply(&deregister, &at).is_ok());
}

#[test]
fn protection_is_reported_in_the_words_of_ec2() {
    let mut world = world();
    let image_id = id(&world, "available");
    for (change, expected) in [
        (
            Change::EnableProtection { image_id: image_id.clone(), with_cooldown: true },
            "enabled-with-cooldown",
        ),
        (
            Change::EnableProtection { image_id: image_id.clone(), with_cooldown: false },
            "enabled-without-cooldown",
        ),
        (Change::DisableProtection { image_id: image_id.clone() }, "disabled"),
    ] {
        assert_eq!(world.apply(&change, &actor()), Ok(Effect::Protection(expected.to_owned())));
    }
    assert_eq!(world.images[&image_id].protection, Protection::Disabled);
}

#[test]
fn tags_are_written_and_deleted_all_or_none() {
    let tags = |count: usize| (0..count).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let create = |tags: std::collections::BTreeMap<String, String>| {
        move |id: String| Change::CreateTags { resources: vec![id], tags: tags.clone() }
    };
    check("pending", create(tags(50)), "ok");
    check("available", create(tags(51)), "TagLimitExceeded");
    check("available", create([("aws:x".to_owned(), String::new())].into()), "InvalidParameterValue");
    check("available", create([("k".repeat(129), String::new())].into()), "InvalidParameterValue");
    check("foreign", create(tags(1)), "AuthFailure");
    let one_bad = |id: String| Change::CreateTags {
        resources: vec![id, "ami-0ffffffffffffffff".to_owned()],
        tags: [("k".to_owned(), "v".to_owned())].into(),
    };
    check("available", one_bad, "InvalidAMIID.NotFound");
}

#[test]
fn which_tags_a_deletion_deletes() {
    let tag = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    for (wanted, left) in [
        (vec![tag("a", None)], vec!["aws:backup:source-resource", "b"]),
        (vec![tag("a", Some("1"))], vec!["aws:backup:source-resource", "b"]),
        (vec![tag("a", Some("2"))], vec!["a", "aws:backup:source-resource", "b"]),
        (vec![], vec!["aws:backup:source-resource"]),
    ] {
        let image = FleetImage {
            tags: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into(),
            backup_managed: true,
            ..FleetImage::new("tagged")
        };
        let mut world = fleet([image]).to_world(now()).unwrap();
        let image_id = id(&world, "tagged");
        let change =
            Change::DeleteTags { resources: vec![image_id.clone()], tags: wanted.into_iter().collect() };
        world.apply(&change, &actor()).unwrap();
        let keys: Vec<&str> = world.images[&image_id].tags.keys().map(String::as_str).collect();
        assert_eq!(keys, left);
    }
}

#[test]
fn malformed_ids_are_told_from_unknown_ones() {
    let mut world = Fleet::empty(ACCOUNT, REGION).to_world(now()).unwrap();
    for (image_id, expected) in [
        ("", "InvalidAMIID.Malformed"),
        ("ami-", "InvalidAMIID.Malformed"),
        ("ami-123", "InvalidAMIID.Malformed"),
        ("ami-0ABCDEF0", "InvalidAMIID.Malformed"),
        ("i-0123456789abcdef0", "InvalidAMIID.Malformed"),
        ("ami-12345678", "InvalidAMIID.NotFound"),
        ("ami-0123456789abcdef0", "InvalidAMIID.NotFound"),
    ] {
        let change = Change::DisableImage { image_id: image_id.to_owned() };
        assert_eq!(world.apply(&change, &actor()).unwrap_err().code, expected, "{image_id}");
    }
}
