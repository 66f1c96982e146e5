//! A step notices whatever changes under it, except what its own plan changes.

use std::collections::BTreeMap;

use amiwarden_core::{
    Action, DeregistrationProtection, Image, ImageState, LaunchPermission, LaunchPermissions, Reading, Step,
};

use crate::builders::{World, act, days_ago, image, now, tagged};

const OPT_OUT: &str = "amiwarden:keep";

fn step(world: &World) -> Step {
    world.plan().0.steps.pop().unwrap()
}

#[test]
fn an_unchanged_image_raises_no_objection() {
    let original = image("ami-1", 100);
    let step = step(&World::new([original.clone()]).asks_for_all(&Action::Disable));
    assert_eq!(step.objection(&original, None, Some((OPT_OUT, now()))), None);
}

#[test]
fn p2_every_change_that_matters_raises_an_objection() {
    let original = image("ami-1", 100);
    let step = step(&World::new([original.clone()]).asks_for_all(&Action::Disable));
    let check = |change: fn(&mut Image)| {
        let mut changed = original.clone();
        change(&mut changed);
        assert!(step.objection(&changed, None, Some((OPT_OUT, now()))).is_some(), "{changed:?}");
    };
    check(|image| image.state = ImageState::Disabled);
    check(|image| image.public = Reading::Present(true));
    check(|image| image.description = Some("do not touch".into()));
    check(|image| image.protection = DeregistrationProtection::On);
    check(|image| image.deprecated_at = Reading::Present(days_ago(1)));
    check(|image| image.last_launched_at = Reading::Present(days_ago(1)));
    check(|image| image.imds_support = Some("v2.0".into()));
    check(|image| image.name = Some("another".into()));
    check(|image| {
        image.tags.insert("Team".into(), "web".into());
    });
    check(|image| {
        image.tags.insert("amiwarden:keep".into(), String::new());
    });
}

#[test]
fn what_an_earlier_step_changes_is_left_out_and_nothing_else() {
    let original = image("ami-1", 100);
    let tags = BTreeMap::from([("Owner".to_owned(), "web".to_owned())]);
    let world = World::new([original.clone()])
        .asks("ami-1", act("p", Action::Tag(tags)))
        .asks("ami-1", act("p", Action::Disable));
    let step = step(&world);
    assert_eq!(step.objection(&tagged(original.clone(), "Owner", "web"), None, Some((OPT_OUT, now()))), None);
    assert!(
        step.objection(&tagged(original.clone(), "Other", "web"), None, Some((OPT_OUT, now()))).is_some()
    );
    let opted_out = tagged(tagged(original, "Owner", "web"), "amiwarden:keep", "");
    assert!(step.objection(&opted_out, None, Some((OPT_OUT, now()))).is_some());
}

#[test]
fn launch_permissions_count_when_they_were_part_of_the_evidence() {
    let original = image("ami-1", 100);
    let shared: LaunchPermissions = ["444455556666".parse::<LaunchPermission>().unwrap()].into();
    let mut world = World::new([original.clone()]).asks_for_all(&Action::Disable);
    let without = step(&world);
    assert_eq!(without.objection(&original, Some(&shared), Some((OPT_OUT, now()))), None);
    world.inventory.launch_permissions.insert(original.id.clone(), Ok(shared.clone()));
    let with = step(&world);
    assert_eq!(with.objection(&original, Some(&shared), Some((OPT_OUT, now()))), None);
    assert!(with.objection(&original, Some(&LaunchPermissions::new()), Some((OPT_OUT, now()))).is_some());
    assert!(with.objection(&original, None, Some((OPT_OUT, now()))).is_some());
}
