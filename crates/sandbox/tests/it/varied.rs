//! Fleets for property tests of undo.

use amiwarden_sandbox::{
    Actor, Change, Effect, Fleet, FleetRetentionRule, ImageRecord, ImageState, LaunchPermission, Protection,
    ResourceKind, World,
};

use crate::client::{REGION, now};

fn actor() -> Actor {
    Actor { region: REGION.to_owned(), may_delete_snapshots: true, now: now() }
}

fn world(fleet: &Fleet) -> World {
    fleet.to_world(now()).unwrap()
}

#[test]
fn the_same_arguments_give_the_same_fleet() {
    assert_eq!(Fleet::varied(200, 3), Fleet::varied(200, 3));
    assert_ne!(Fleet::varied(200, 3), Fleet::varied(200, 4));
    assert!(Fleet::varied(0, 1).images.is_empty());
}

#[test]
fn everything_occurs_that_an_undo_has_to_bring_back() {
    let world = world(&Fleet::varied(1_000, 1));
    assert_eq!(world.images.len(), 1_000);
    let count =
        |wanted: &dyn Fn(&ImageRecord) -> bool| world.images.values().filter(|image| wanted(image)).count();
    let grants =
        |wanted: fn(&LaunchPermission) -> bool| count(&|image| image.launch_permissions.iter().any(wanted));
    let shared = |image: &ImageRecord| {
        let others = world.images.values().filter(|other| other.id != image.id);
        others.flat_map(|other| &other.snapshots).any(|id| image.snapshots.contains(id))
    };
    for (kind, found) in [
        ("public", grants(|grant| *grant == LaunchPermission::All)),
        ("accounts", grants(|grant| matches!(grant, LaunchPermission::Account(_)))),
        ("organizations", grants(|grant| matches!(grant, LaunchPermission::Organization(_)))),
        ("units", grants(|grant| matches!(grant, LaunchPermission::OrganizationalUnit(_)))),
        ("hundreds of grants", count(&|image| image.launch_permissions.len() > 200)),
        ("private", count(&|image| image.launch_permissions.is_empty())),
        ("disabled", count(&|image| image.state == ImageState::Disabled)),
        ("deprecated", count(&|image| image.deprecated_at.is_some_and(|at| at < now()))),
        ("to be deprecated", count(&|image| image.deprecated_at.is_some_and(|at| at > now()))),
        ("undescribed", count(&|image| image.description.is_none())),
        (
            "described at length",
            count(&|image| image.description.as_ref().is_some_and(|text| text.chars().count() == 255)),
        ),
        ("without tags", count(&|image| image.tags.is_empty())),
        ("fifty tags", count(&|image| image.tags.len() == 50)),
        ("empty values", count(&|image| image.tags.values().any(String::is_empty))),
        ("tags beyond ASCII", count(&|image| image.tags.keys().any(|key| !key.is_ascii()))),
        ("cooldown", count(&|image| image.protection == Protection::EnabledWithCooldown)),
        ("no cooldown", count(&|image| image.protection == Protection::EnabledWithoutCooldown)),
        ("shared snapshots", count(&shared)),
    ] {
        assert!(found >= 5, "{kind}: {found} of 1000");
    }
    let tagged = world.snapshots.values().filter(|snapshot| !snapshot.tags.is_empty()).count();
    assert!(tagged > 100, "{tagged} tagged snapshots");
}

/// Takes everything from an image that has an inverse, and gives it back.
fn there_and_back(image: &ImageRecord) -> Vec<Change> {
    let image_id = || image.id.clone();
    let mut changes = vec![Change::DisableImage { image_id: image_id() }];
    if let Some(at) = image.deprecated_at.filter(|at| *at > now()) {
        changes.push(Change::DisableDeprecation { image_id: image_id() });
        changes.push(Change::EnableDeprecation { image_id: image_id(), at });
    }
    if let Some(description) = &image.description {
        changes.push(Change::SetDescription { image_id: image_id(), description: "other".to_owned() });
        changes.push(Change::SetDescription { image_id: image_id(), description: description.clone() });
    }
    let resources = || vec![image_id()];
    changes.push(Change::DeleteTags { resources: resources(), tags: [].into() });
    changes.push(Change::CreateTags { resources: resources(), tags: image.tags.clone() });
    if image.protection == Protection::EnabledWithoutCooldown {
        changes.push(Change::DisableProtection { image_id: image_id() });
        changes.push(Change::EnableProtection { image_id: image_id(), with_cooldown: false });
    }
    if image.state == ImageState::Available {
        changes.push(Change::EnableImage { image_id: image_id() });
        let add = image.launch_permissions.clone();
        changes.push(Change::ModifyLaunchPermissions { image_id: image_id(), add, remove: [].into() });
    }
    changes
}

#[test]
fn every_image_can_be_changed_and_given_back_identical() {
    for seed in 0..5 {
        let mut world = world(&Fleet::varied(200, seed));
        let images: Vec<ImageRecord> = world.images.values().cloned().collect();
        for image in images {
            let before = world.whole_image(&image.id, now()).unwrap();
            for change in there_and_back(&image) {
                world.apply(&change, &actor()).unwrap_or_else(|error| panic!("{change:?}: {error}"));
            }
            assert_eq!(world.whole_image(&image.id, now()).unwrap(), before);
        }
    }
}

#[test]
fn every_unprotected_image_comes_back_from_the_bin_identical() {
    let rules = [ResourceKind::Image, ResourceKind::Snapshot].map(|kind| FleetRetentionRule::new(kind, 7));
    let mut world = world(&Fleet { recycle_bin_rules: rules.into(), ..Fleet::varied(300, 9) });
    let images: Vec<ImageRecord> = world.images.values().cloned().collect();
    let mut returned = 0;
    for image in images.iter().filter(|image| !image.is_protected(now())) {
        let before = world.whole_image(&image.id, now()).unwrap();
        let image_id = image.id.clone();
        let deregister = Change::DeregisterImage { image_id: image_id.clone(), delete_snapshots: true };
        assert!(matches!(world.apply(&deregister, &actor()), Ok(Effect::Deregistered(_))));
        assert_eq!(world.whole_image(&image.id, now()), None);
        for snapshot_id in &image.snapshots {
            let restore = Change::RestoreSnapshot { snapshot_id: snapshot_id.clone() };
            // A shared one was left alone.
            if world.recycle_bin.snapshots.contains_key(snapshot_id) {
                world.apply(&restore, &actor()).unwrap();
            }
        }
        world.apply(&Change::RestoreImage { image_id }, &actor()).unwrap();
        assert_eq!(world.whole_image(&image.id, now()).unwrap(), before);
        returned += 1;
    }
    assert!(returned > 200, "{returned}");
}

#[test]
fn whole_images_differ_where_ec2_shows_a_difference() {
    let mut world = world(&Fleet::varied(50, 2));
    let image = world
        .images
        .values()
        .find(|image| image.launch_permissions.len() > 1 && image.first_seen_disabled.is_none())
        .unwrap()
        .clone();
    let before = world.whole_image(&image.id, now()).unwrap();
    let changed = |world: &World| world.whole_image(&image.id, now()).unwrap() != before;
    let mut other = world.clone();
    other.images.get_mut(&image.id).unwrap().launch_permissions.pop_first();
    assert!(changed(&other), "a grant");
    other = world.clone();
    other.snapshots.remove(&image.snapshots[0]);
    assert!(changed(&other), "a snapshot");
    other = world.clone();
    other.images.get_mut(&image.id).unwrap().protection =
        Protection::DisabledAfter(now() + jiff::SignedDuration::from_hours(1));
    assert!(changed(&other), "a cooldown that holds");
    let record = world.images.get_mut(&image.id).unwrap();
    record.first_seen_disabled = Some(now());
    assert!(!changed(&world), "what EC2 does not know");
}
