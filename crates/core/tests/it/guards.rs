//! Every guard, at its limit and one past it.

use amiwarden_core::{
    Action, ActionKind, DISABLED_AT_TAG, DeregistrationProtection, Duration, Image, ImageId, ImageState,
    Ladder, Listing, Permanent, PolicyName, Reading, SnapshotFate, Source,
};

use crate::builders::{World, act, disabled, image, now, tagged};

const DEREGISTER: Action = Action::Deregister(SnapshotFate::Keep);

fn disables(image: Image) -> World {
    World::new([image]).asks_for_all(&Action::Disable)
}

/// A disabled image that has been for 60 days, to be deregistered.
fn deregisters(image: Image) -> World {
    let id = image.id.clone();
    World::new([disabled(image)]).seen_disabled(id.as_str(), 60).asks_for_all(&DEREGISTER)
}

fn passes(world: &World) {
    assert_eq!(world.held(), Vec::<String>::new());
    assert_eq!(world.steps().len(), 1);
}

fn holds(world: &World, held: &str) {
    assert_eq!(world.held(), [held]);
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn opt_out_holds_everything() {
    let kept = |action: &Action| {
        World::new([tagged(image("ami-1", 100), "amiwarden:keep", "")]).asks_for_all(action)
    };
    holds(&kept(&Action::Disable), "ami-1 disable opt-out");
    holds(&kept(&Action::RequireImdsV2), "ami-1 require_imdsv2 opt-out");
}

#[test]
fn opt_out_until_a_date_ends_with_it() {
    let until = |value: &str| disables(tagged(image("ami-1", 100), "amiwarden:keep", value));
    // It is noon on 1 June.
    for value in ["2026-06-01", "2026-06-01T12:00:01Z", "2027-01-31", "until further notice", "true", "0"] {
        holds(&until(value), "ami-1 disable opt-out");
    }
    for value in ["2026-05-31", "2026-06-01T12:00:00Z", " 2025-01-01 "] {
        passes(&until(value));
    }
    let mut own = disables(tagged(image("ami-1", 100), "keep-me", ""));
    passes(&own);
    own.policies.get_mut(&PolicyName::new("p")).unwrap().limits.opt_out_tag = Some("keep-me".to_owned());
    holds(&own, "ami-1 disable opt-out");
}

#[test]
fn pending_holds_everything() {
    let in_state = |state| {
        let mut image = image("ami-1", 100);
        image.state = state;
        World::new([image]).asks_for_all(&Action::RequireImdsV2)
    };
    holds(&in_state(ImageState::Pending), "ami-1 require_imdsv2 pending");
    holds(&in_state(ImageState::Transient), "ami-1 require_imdsv2 pending");
    holds(&in_state(ImageState::Other("novel".into())), "ami-1 require_imdsv2 pending");
    passes(&in_state(ImageState::Failed));
}

#[test]
fn backup_managed_holds_the_lifecycle() {
    let backup = || tagged(image("ami-1", 100), "aws:backup:source-resource", "i-1");
    holds(&disables(backup()), "ami-1 disable backup-managed");
    passes(&World::new([backup()]).asks_for_all(&Action::RequireImdsV2));
}

#[test]
fn protected_holds_deregister_whatever_the_protection_is_called() {
    let protected = |protection| {
        let mut image = image("ami-1", 100);
        image.protection = protection;
        image
    };
    holds(&deregisters(protected(DeregistrationProtection::On)), "ami-1 deregister protected");
    let cooling = DeregistrationProtection::Other("disabled after 2026-01-01T00:00:00Z".into());
    holds(&deregisters(protected(cooling)), "ami-1 deregister protected");
    passes(&disables(protected(DeregistrationProtection::On)));
}

#[test]
fn ladder_holds_deregister_of_what_is_not_disabled() {
    let mut world = World::new([image("ami-1", 100)]).asks_for_all(&DEREGISTER);
    holds(&world, "ami-1 deregister ladder");
    world.limits.ladder = Ladder::Any;
    passes(&world);
}

#[test]
fn one_rung_holds_deregister_of_what_is_disabled_in_the_same_cycle() {
    let mut world = disables(image("ami-1", 100)).asks("ami-1", act("q", DEREGISTER));
    world.limits.ladder = Ladder::Any;
    assert_eq!(world.steps(), ["ami-1 disable"]);
    assert_eq!(world.held(), ["ami-1 deregister one-rung"]);
}

#[test]
fn minimum_age_holds_one_day_below_and_passes_at_the_limit() {
    passes(&disables(image("ami-1", 7)));
    holds(&disables(image("ami-1", 6)), "ami-1 disable minimum-age");
    let mut dateless = image("ami-1", 7);
    dateless.created_at = Reading::Absent;
    holds(&disables(dateless), "ami-1 disable minimum-age");
    passes(&World::new([image("ami-1", 0)]).asks_for_all(&Action::RequireImdsV2));
}

#[test]
fn minimum_hold_holds_one_day_below_and_passes_at_the_limit() {
    let held_for = |days| {
        World::new([disabled(image("ami-1", 300))]).seen_disabled("ami-1", days).asks_for_all(&DEREGISTER)
    };
    passes(&held_for(7));
    holds(&held_for(6), "ami-1 deregister minimum-hold");
    let unknown = tagged(disabled(image("ami-1", 300)), DISABLED_AT_TAG, "nonsense");
    let world = World::new([unknown]).seen_disabled("ami-1", 60).asks_for_all(&DEREGISTER);
    holds(&world, "ami-1 deregister minimum-hold");
}

#[test]
fn newest_of_family_holds_so_many_and_no_more() {
    let family = || {
        [("ami-1", 300), ("ami-2", 200), ("ami-3", 100)]
            .map(|(id, age)| tagged(image(id, age), "Family", "web"))
    };
    let mut world = World::new(family()).asks_for_all(&Action::Disable);
    assert_eq!(world.held(), ["ami-3 disable newest-of-family"]);
    world.limits.keep_newest = 2;
    assert_eq!(world.held(), ["ami-2 disable newest-of-family", "ami-3 disable newest-of-family"]);
    world.limits.keep_newest = 0;
    assert_eq!(world.steps().len(), 3);
}

#[test]
fn p2_usage_proof_holds_what_is_used_and_what_may_be() {
    holds(&disables(image("ami-1", 100)).used("ami-1"), "ami-1 disable usage-proof");
    holds(&deregisters(image("ami-1", 100)).used("ami-1"), "ami-1 deregister usage-proof");
    let mut denied = disables(image("ami-1", 100));
    denied.inventory.add_uses(Source::Instances, Listing::partial(Vec::new(), "denied"), now());
    holds(&denied, "ami-1 disable usage-proof");
    let mut unread = disables(image("ami-1", 100));
    unread.inventory =
        amiwarden_core::Inventory::new(unread.inventory.scope.clone(), unread.inventory.observed_at);
    unread.inventory.add_images(Listing::complete(vec![image("ami-1", 100)]));
    holds(&unread, "ami-1 disable usage-proof");
    passes(&World::new([image("ami-1", 100)]).used("ami-1").asks_for_all(&Action::RequireImdsV2));
}

#[test]
fn p2_completeness_holds_destructive_steps_of_a_scope_that_was_not_all_read() {
    let mut world = disables(image("ami-1", 100)).asks("ami-1", act("p", Action::RequireImdsV2));
    world.inventory.add_images(Listing::partial(vec![image("ami-1", 100)], "page 2 was throttled"));
    assert_eq!(world.held(), ["ami-1 disable completeness"]);
    assert_eq!(world.steps(), ["ami-1 require_imdsv2"]);
}

#[test]
fn recycle_bin_holds_deregister_unless_permanent_is_allowed() {
    let mut world = deregisters(image("ami-1", 100));
    passes(&world);
    world.limits.permanent = Permanent::Refuse;
    holds(&world, "ami-1 deregister recycle-bin");
}

fn ten() -> World {
    // ami-0 is the youngest.
    World::new((0..10).map(|n| image(&format!("ami-{n}"), 100 + n))).asks_for_all(&Action::Disable)
}

#[test]
fn per_cycle_takes_the_oldest_first_and_zero_is_zero() {
    let mut world = ten();
    world.limits.disable_per_cycle = 2;
    assert_eq!(world.steps(), ["ami-9 disable", "ami-8 disable"]);
    assert_eq!(world.held().len(), 8);
    world.limits.disable_per_cycle = 10;
    assert_eq!(world.steps().len(), 10);
    world.limits.disable_per_cycle = 0;
    assert_eq!(world.steps().len(), 0);
}

#[test]
fn per_cycle_of_a_policy_holds_besides_the_global_one() {
    let mut world = ten();
    let policy = world.policies.get_mut(&PolicyName::new("p")).unwrap();
    policy.limits.disable_per_cycle = Some(3);
    assert_eq!(world.steps().len(), 3);
    assert!(world.held().iter().all(|held| held.ends_with("per-cycle")));
}

#[test]
fn a_policys_own_limits_only_ever_tighten() {
    let mut world = disables(image("ami-1", 8));
    let policy = world.policies.get_mut(&PolicyName::new("p")).unwrap();
    policy.limits.min_age = Some(Duration::from_days(1));
    passes(&world);
    world.limits.min_age = Duration::from_days(9);
    holds(&world, "ami-1 disable minimum-age");
}

#[test]
fn share_of_scope_takes_so_many_percent_but_at_least_one() {
    let mut world = ten();
    world.limits.share_percent = 30;
    assert_eq!(world.steps(), ["ami-9 disable", "ami-8 disable", "ami-7 disable"]);
    world.limits.share_percent = 39;
    assert_eq!(world.steps().len(), 3);
    world.limits.share_percent = 1;
    assert_eq!(world.steps().len(), 1);
    world.limits.share_percent = 0;
    assert_eq!(world.steps().len(), 0);
    assert!(world.held().iter().all(|held| held.ends_with("share-of-scope")));
}

#[test]
fn share_and_surge_of_a_policy_hold_besides_the_global_ones() {
    let mut world = ten();
    world.policies.get_mut(&PolicyName::new("p")).unwrap().limits.share_percent = Some(20);
    assert_eq!(world.steps().len(), 2);
    world.policies.get_mut(&PolicyName::new("p")).unwrap().limits.share_percent = Some(0);
    assert_eq!(world.steps().len(), 0);
    let mut world = ten();
    world.policies.get_mut(&PolicyName::new("p")).unwrap().limits.surge_percent = Some(99);
    assert_eq!(world.steps().len(), 0);
    assert!(world.plan().0.tripped[0].reason.contains("by p"));
    world.policies.get_mut(&PolicyName::new("p")).unwrap().limits.surge_percent = Some(100);
    assert_eq!(world.steps().len(), 10);
}

#[test]
fn a_policy_may_be_stricter_about_the_ladder_and_the_recycle_bin() {
    let mut ladder = World::new([image("ami-1", 100)]).asks_for_all(&DEREGISTER);
    ladder.limits.ladder = Ladder::Any;
    passes(&ladder);
    ladder.policies.get_mut(&PolicyName::new("p")).unwrap().limits.ladder = Some(Ladder::DisabledFirst);
    holds(&ladder, "ami-1 deregister ladder");
    let mut bin = deregisters(image("ami-1", 100));
    passes(&bin);
    bin.policies.get_mut(&PolicyName::new("p")).unwrap().limits.permanent = Some(Permanent::Refuse);
    holds(&bin, "ami-1 deregister recycle-bin");
}

#[test]
fn surge_trips_one_past_the_limit_and_names_the_scope() {
    let quarter = |candidates: i64| {
        let mut world = World::new((0..20).map(|n| image(&format!("ami-{n:02}"), 100 + n)));
        for n in 0..candidates {
            world = world.asks(&format!("ami-{n:02}"), act("p", Action::Disable));
        }
        world.limits.surge_percent = 25;
        world
    };
    assert_eq!(quarter(5).steps().len(), 5);
    let world = quarter(6);
    assert_eq!(world.steps().len(), 0);
    let plan = world.plan().0;
    assert_eq!(plan.tripped.len(), 1);
    assert!(plan.tripped[0].reason.starts_with("6 of 20 images"), "{}", plan.tripped[0].reason);
}

#[test]
fn surge_lets_accepted_images_through_and_still_holds_the_rest() {
    let mut world = ten();
    world.limits.surge_percent = 25;
    assert_eq!(world.steps().len(), 0);
    world.accepted = ["ami-4", "ami-5"].map(|id| (ImageId::new(id), ActionKind::Disable)).into();
    assert_eq!(world.steps(), ["ami-5 disable", "ami-4 disable"]);
    assert_eq!(world.held().len(), 8);
    world.accepted = (0..10).map(|n| (ImageId::new(format!("ami-{n}")), ActionKind::Disable)).collect();
    assert_eq!(world.steps().len(), 10);
    assert!(world.plan().0.tripped.is_empty());
}

#[test]
fn surge_leaves_other_actions_alone() {
    let mut world = ten().asks_for_all(&Action::RequireImdsV2);
    world.limits.surge_percent = 25;
    assert_eq!(world.steps().len(), 10);
    assert!(world.steps().iter().all(|step| step.ends_with("require_imdsv2")));
}
