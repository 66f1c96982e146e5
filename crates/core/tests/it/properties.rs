//! What holds for every world.

use std::collections::BTreeSet;

use amiwarden_core::{
    Action, ActionKind, Image, ImageId, ImageState, Listing, Reading, SnapshotFate, Source,
};
use proptest::prelude::*;

use crate::builders::{World, act, days_ago, image, now, tagged};

/// What one image of a random world is like.
#[derive(Clone, Debug)]
struct Sketch {
    age_days: i64,
    is_disabled: bool,
    held_days: i64,
    is_used: bool,
    has_date: bool,
    family: Option<u8>,
    action: Option<Action>,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let action = prop_oneof![
        Just(None),
        Just(Some(Action::Disable)),
        Just(Some(Action::Deregister(SnapshotFate::Keep))),
        Just(Some(Action::RequireImdsV2)),
    ];
    (
        0..400_i64,
        any::<bool>(),
        0..60_i64,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.9),
        prop::option::of(0..3_u8),
        action,
    )
        .prop_map(|(age_days, is_disabled, held_days, is_used, has_date, family, action)| Sketch {
            age_days,
            is_disabled,
            held_days,
            is_used,
            has_date,
            family,
            action,
        })
}

fn id(n: usize) -> String {
    format!("ami-{n:03}")
}

fn draw(n: usize, sketch: &Sketch) -> Image {
    let mut image = image(&id(n), sketch.age_days);
    if sketch.is_disabled {
        image.state = ImageState::Disabled;
    }
    if !sketch.has_date {
        image.created_at = Reading::Absent;
    }
    match sketch.family {
        Some(family) => tagged(image, "Family", &family.to_string()),
        None => image,
    }
}

fn world(sketches: &[Sketch]) -> World {
    let mut world = World::new(sketches.iter().enumerate().map(|(n, sketch)| draw(n, sketch)));
    for (n, sketch) in sketches.iter().enumerate() {
        if sketch.is_disabled {
            world = world.seen_disabled(&id(n), sketch.held_days);
        }
        if sketch.is_used {
            world = world.used(&id(n));
        }
        if let Some(action) = &sketch.action {
            world = world.asks(&id(n), act("p", action.clone()));
        }
    }
    world
}

fn destructive(world: &World) -> BTreeSet<(ImageId, ActionKind)> {
    let steps = world.plan().0.steps;
    steps
        .into_iter()
        .map(|step| (step.image_id, step.change.kind()))
        .filter(|(_, kind)| kind.is_destructive())
        .collect()
}

proptest! {
    #[test]
    fn p2_nothing_used_is_ever_disabled_or_deregistered(sketches in prop::collection::vec(sketch(), 1..30)) {
        let world = world(&sketches);
        for (image, _) in destructive(&world) {
            prop_assert!(world.inventory.uses_of(&image).is_empty());
        }
    }

    #[test]
    fn p2_with_any_source_in_doubt_nothing_is_disabled_or_deregistered(
        sketches in prop::collection::vec(sketch(), 1..30),
        source in prop::sample::select([&[Source::Images][..], &Source::USAGE[..]].concat()),
    ) {
        let mut world = world(&sketches);
        match source {
            Source::Images => world.inventory.add_images(Listing::partial(Vec::new(), "lost")),
            _ => world.inventory.add_uses(source, Listing::partial(Vec::new(), "lost"), now()),
        }
        prop_assert!(destructive(&world).is_empty());
    }

    #[test]
    fn p2_an_image_without_a_date_keeps_its_life(sketches in prop::collection::vec(sketch(), 1..30)) {
        let world = world(&sketches);
        for (image, _) in destructive(&world) {
            prop_assert!(world.inventory.images[&image].created_at.present().is_some());
        }
    }

    #[test]
    fn disable_and_deregister_never_meet(sketches in prop::collection::vec(sketch(), 1..30)) {
        let world = world(&sketches).asks_for_all(&Action::Disable);
        let images: Vec<ImageId> = destructive(&world).into_iter().map(|(image, _)| image).collect();
        let distinct: BTreeSet<&ImageId> = images.iter().collect();
        prop_assert_eq!(images.len(), distinct.len());
    }

    #[test]
    fn p4_every_image_has_a_step_a_guard_or_a_reason(sketches in prop::collection::vec(sketch(), 1..30)) {
        let world = world(&sketches);
        let (plan, kept) = world.plan();
        let mut named: BTreeSet<ImageId> = plan.steps.into_iter().map(|step| step.image_id).collect();
        named.extend(plan.held.into_iter().map(|held| held.image_id));
        prop_assert!(kept.iter().all(|kept| !named.contains(&kept.image_id)));
        named.extend(kept.into_iter().map(|kept| kept.image_id));
        prop_assert_eq!(named.len(), world.inventory.images.len());
    }

    #[test]
    fn the_order_of_images_is_irrelevant(sketches in prop::collection::vec(sketch(), 1..20)) {
        let one = world(&sketches);
        let mut other = World::new(
            sketches.iter().enumerate().rev().map(|(n, sketch)| draw(n, sketch)).collect::<Vec<_>>(),
        );
        other.memory = one.memory.clone();
        other.verdicts = one.verdicts.clone();
        for image_use in one.inventory.images.keys().flat_map(|id| one.inventory.uses_of(id)) {
            other = other.used(image_use.image.as_str());
        }
        prop_assert_eq!(one.plan(), other.plan());
    }

    #[test]
    fn tighter_limits_never_act_more(
        sketches in prop::collection::vec(sketch(), 1..30),
        cap in 0..5_u32,
        share in 0..100_u32,
        surge in 0..100_u32,
        min_age in 7..200_i64,
    ) {
        let loose = world(&sketches);
        let mut tight = world(&sketches);
        tight.limits.disable_per_cycle = cap;
        tight.limits.share_percent = share;
        tight.limits.surge_percent = surge;
        tight.limits.min_age = amiwarden_core::Duration::from_days(min_age);
        prop_assert!(destructive(&tight).is_subset(&destructive(&loose)));
    }

    #[test]
    fn applying_a_plan_leaves_nothing_of_it_to_plan(sketches in prop::collection::vec(sketch(), 1..30)) {
        let before = world(&sketches);
        let mut after = world(&sketches);
        for step in before.plan().0.steps {
            let image = after.inventory.images.get_mut(&step.image_id).unwrap();
            match step.change.kind() {
                ActionKind::Disable => image.state = ImageState::Disabled,
                ActionKind::RequireImdsv2 => image.imds_support = Some("v2.0".to_owned()),
                ActionKind::Deregister => {
                    after.inventory.images.remove(&step.image_id);
                }
                other => prop_assert!(false, "no sketch asks for {other}"),
            }
        }
        let done: BTreeSet<String> = before.steps().into_iter().collect();
        prop_assert!(after.steps().iter().all(|step| !done.contains(step)));
    }

    #[test]
    fn an_image_from_the_future_keeps_its_life(days in 1..400_i64) {
        let mut future = image("ami-1", 0);
        future.created_at = Reading::Present(days_ago(-days));
        prop_assert!(destructive(&World::new([future]).asks_for_all(&Action::Disable)).is_empty());
    }
}
