//! What is counted for the metrics.

use std::collections::BTreeMap;

use amiwarden_core::{
    Action, Became, Cost, ImageId, ImageState, ImageUse, Listing, Said, ScopeFigures, SnapshotFate, Source,
    StepOutcome, StepReport, UseKind, cost_at_most, count_decisions, saved, scope_figures,
};

use crate::builders::{World, act, days_ago, disabled, image, now, scope, wish};

const DEREGISTER: Action = Action::Deregister(SnapshotFate::Delete);

/// Counts the world when its steps have come to `outcome`.
fn figures(world: &World, outcome: &StepOutcome) -> (ScopeFigures, Cost) {
    let plan = world.plan().0;
    let report = StepReport {
        rehearsal: amiwarden_core::Rehearsal::Permitted,
        outcome: outcome.clone(),
        request_id: None,
        snapshots: Vec::new(),
        note: None,
    };
    let reports = vec![report; plan.steps.len()];
    let became = Became { steps: &plan.steps, reports: &reports, held: &plan.held };
    let (inventory, facts) = (&world.inventory, world.facts());
    let of_scope = scope_figures(inventory, &facts, became, world.limits.min_hold, now());
    (of_scope, saved([inventory], became))
}

fn not_attempted() -> StepOutcome {
    StepOutcome::NotAttempted("observed".to_owned())
}

#[test]
fn images_are_counted_by_state() {
    let world = World::new([image("a", 10), disabled(image("b", 10)), disabled(image("c", 10))]);
    let (figures, _) = figures(&world, &not_attempted());
    let expected = BTreeMap::from([(ImageState::Available, 1), (ImageState::Disabled, 2)]);
    assert_eq!(figures.images_by_state, expected);
}

#[test]
fn the_cost_of_disabled_images_is_that_of_snapshots_shared_with_no_other() {
    let mut shared = disabled(image("b", 10));
    shared.block_devices = image("c", 10).block_devices;
    let world = World::new([disabled(image("a", 10)), shared, image("c", 10)]);
    let (figures, _) = figures(&world, &not_attempted());
    // 8 GiB at 0.05 dollars; the snapshot of `b` is also that of `c`.
    assert_eq!(figures.disabled_cost, Cost { micro_usd: 400_000 });
    assert_eq!(figures.disabled_cost_unknown, 0);
}

#[test]
fn a_volume_of_unknown_size_has_no_cost() {
    let mut unknown = disabled(image("a", 10));
    unknown.block_devices[0].size_gib = None;
    let world = World::new([unknown.clone()]);
    assert_eq!(cost_at_most(&world.inventory, &unknown), None);
    assert_eq!(figures(&world, &not_attempted()).0.disabled_cost_unknown, 1);
}

#[test]
fn a_deregistration_is_pending_while_the_hold_lasts_and_while_it_is_asked_for() {
    let images = || [disabled(image("held", 90)), disabled(image("due", 90)), disabled(image("old", 90))];
    let world = World::new(images())
        .seen_disabled("held", 3)
        .seen_disabled("due", 30)
        .seen_disabled("old", 30)
        .asks("due", act("p", DEREGISTER));
    let (before, nothing) = figures(&world, &not_attempted());
    assert_eq!(world.steps(), ["due deregister"]);
    assert_eq!((before.pending_deregistrations, nothing), (2, Cost::default()));
    // Disabled three days ago, held for seven.
    assert_eq!(before.next_deregistration_at, Some(days_ago(-4)));

    let (after, saved) = figures(&world, &StepOutcome::Done);
    assert_eq!(after.pending_deregistrations, 1, "`due` is gone");
    assert_eq!(saved, Cost { micro_usd: 400_000 });
    assert_eq!(after.disabled_cost, Cost { micro_usd: 800_000 });
}

#[test]
fn snapshots_that_stay_save_nothing() {
    let world = World::new([disabled(image("due", 90))])
        .seen_disabled("due", 30)
        .asks("due", act("p", Action::Deregister(SnapshotFate::Keep)));
    assert_eq!(figures(&world, &StepOutcome::Done).1, Cost::default());
}

#[test]
fn a_disabled_image_that_something_would_launch_is_counted() {
    let check = |kind: UseKind, is_disabled: bool, expected: usize| {
        let image = if is_disabled { disabled(image("a", 10)) } else { image("a", 10) };
        let mut world = World::new([image]);
        let image_use =
            ImageUse { image: ImageId::new("a"), kind, id: "x".to_owned(), account: scope().account };
        world.inventory.add_uses(Source::LaunchTemplates, Listing::complete(vec![image_use]), now());
        assert_eq!(figures(&world, &not_attempted()).0.disabled_referenced, expected, "{kind} {is_disabled}");
    };
    check(UseKind::LaunchTemplate, true, 1);
    check(UseKind::SsmParameter, true, 1);
    check(UseKind::Instance, true, 0);
    check(UseKind::LaunchTemplate, false, 0);
}

#[test]
fn usage_that_nobody_can_tell_is_counted() {
    let mut world = World::new([image("a", 10), image("b", 10)]).used("b");
    world.inventory.add_uses(Source::Fleets, Listing::partial(Vec::new(), "denied"), now());
    // `b` is in use whatever the fleets are.
    assert_eq!(figures(&world, &not_attempted()).0.usage_unknown, 1);
}

#[test]
fn what_policies_say_is_counted_once_for_each_image() {
    let world = World::new([image("a", 10), image("b", 10)])
        .asks("a", act("p", Action::Disable))
        .asks("a", wish("q", amiwarden_core::Wish::Keep))
        .asks("b", act("p", Action::Disable));
    let counts = count_decisions(&world.decisions());
    let counts: Vec<(&str, &str, usize)> =
        counts.iter().map(|it| (it.policy.as_str(), it.said.as_str(), it.images)).collect();
    assert_eq!(counts, [("p", "disable", 2), ("q", "keep", 1)]);
    assert_eq!(Said::Notify.as_str(), "notify");
}
