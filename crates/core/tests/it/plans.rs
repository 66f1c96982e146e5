//! Plans: named by content, with a reason for every image.

use amiwarden_core::{
    Action, Call, Change, LimitsOverride, Mode, Opinion, PolicyName, PolicySettings, Proposal, RuleRef,
    SnapshotFate, Wish,
};

use crate::builders::{World, act, days_ago, image, now, verdict, wish};

#[test]
fn p4_every_image_is_a_step_held_or_kept() {
    let world = World::new([image("ami-1", 100), image("ami-2", 100), image("ami-3", 3)])
        .asks("ami-1", act("p", Action::Disable))
        .asks("ami-2", wish("p", Wish::Keep))
        .asks("ami-3", act("p", Action::Disable));
    let (plan, kept) = world.plan();
    assert_eq!((plan.steps.len(), plan.held.len(), kept.len()), (1, 1, 1));
    assert_eq!(kept[0].reason, "p says so");
    assert_eq!(kept[0].policy, Some(PolicyName::new("p")));
}

#[test]
fn p4_an_image_that_no_rule_matches_has_a_reason_too() {
    let reason = |verdicts: &[&str]| {
        let mut world = World::new([image("ami-1", 100)]);
        for policy in verdicts {
            world = world.asks("ami-1", verdict(policy, Opinion::None));
        }
        world.plan().1.remove(0).reason
    };
    assert_eq!(reason(&[]), "no policy applies to it");
    assert_eq!(reason(&["p"]), "the one policy that applies has no rule that matches");
    assert_eq!(reason(&["p", "q"]), "none of the 2 policies that apply has a rule that matches");
}

#[test]
fn equal_inputs_give_the_same_plan_and_wording_does_not_count() {
    let world = |reason: &str, days| {
        let rule = RuleRef { name: "stale".to_owned(), line: 3 };
        let proposals = vec![Proposal { wish: Wish::Act(Action::Disable), reason: reason.to_owned() }];
        World::new([image("ami-1", days)]).asks("ami-1", verdict("p", Opinion::Matched { rule, proposals }))
    };
    let id = |world: World| world.plan().0.id;
    assert_eq!(id(world("unused for 90 days", 90)), id(world("unused for 90 days", 90)));
    assert_eq!(id(world("unused for 90 days", 90)), id(world("unused for 91 days", 90)));
    assert_ne!(id(world("unused for 90 days", 90)), id(world("unused for 90 days", 91)));
}

#[test]
fn a_step_is_in_force_when_one_policy_in_force_asks_for_it() {
    let mode = |asked_by: &[&str]| {
        let mut world = World::new([image("ami-1", 100)]);
        for policy in asked_by {
            world = world.asks("ami-1", act(policy, Action::Disable));
        }
        let observing = PolicySettings { mode: Mode::Observe, limits: LimitsOverride::default() };
        world.policies.insert(PolicyName::new("q"), observing);
        world.plan().0.steps.remove(0).mode
    };
    assert_eq!(mode(&["p"]), Mode::Enforce);
    assert_eq!(mode(&["q"]), Mode::Observe);
    assert_eq!(mode(&["p", "q"]), Mode::Enforce);
    assert_eq!(mode(&["nobody-configured"]), Mode::Observe);
}

#[test]
fn a_disable_is_dated_before_it_happens() {
    let calls = Change::Disable.calls(now());
    assert!(matches!(&calls[..], [Call::CreateTags(tags), Call::DisableImage]
        if tags["amiwarden:disabled-at"] == now().to_string()));
}

#[test]
fn a_deprecation_that_is_due_is_sent_slightly_ahead() {
    let sent = |at| match Change::Deprecate(at).calls(now()).remove(0) {
        Call::EnableDeprecation(at) => at.as_second() - now().as_second(),
        other => panic!("{other:?}"),
    };
    assert_eq!(sent(days_ago(10)), 120);
    assert_eq!(sent(days_ago(-10)), 864_000);
}

#[test]
fn deregistering_says_what_becomes_of_the_snapshots() {
    let calls = Change::Deregister(SnapshotFate::Delete).calls(now());
    assert_eq!(calls, [Call::DeregisterImage { snapshots: SnapshotFate::Delete }]);
}

/// A policy that only observes asks for more than the one that is in force.
fn observed_and_enforced() -> World {
    let tag = |key: &str| Action::Tag([(key.to_owned(), "x".to_owned())].into());
    let mut world = World::new([image("ami-1", 100)])
        .asks("ami-1", act("p", tag("Enforced")))
        .asks("ami-1", act("q", tag("Observed")))
        .asks("ami-1", act("q", Action::RequireImdsV2));
    let observing = PolicySettings { mode: Mode::Observe, limits: LimitsOverride::default() };
    world.policies.insert(PolicyName::new("q"), observing);
    world
}

#[test]
fn p3_an_observing_policy_adds_nothing_to_what_is_carried_out() {
    let steps = observed_and_enforced().plan().0.steps;
    let enforced: Vec<_> = steps.iter().filter(|step| step.mode == Mode::Enforce).collect();
    assert_eq!(enforced.len(), 1);
    assert_eq!(enforced[0].change, Change::Tag([("Enforced".to_owned(), "x".to_owned())].into()));
    assert_eq!(steps.iter().filter(|step| step.mode == Mode::Observe).count(), 2);
}

#[test]
fn what_is_only_observed_takes_no_place_from_what_is_carried_out() {
    let mut world = observed_and_enforced();
    world.limits.other_per_cycle = 1;
    let steps = world.plan().0.steps;
    assert_eq!(steps.iter().filter(|step| step.mode == Mode::Enforce).count(), 1);
}

#[test]
fn what_is_only_observed_excuses_no_difference() {
    let mut world = observed_and_enforced();
    world = world.asks("ami-1", act("p", Action::Disable));
    let steps = world.plan().0.steps;
    let disable = steps.iter().find(|step| step.change == Change::Disable).unwrap();
    let mut tagged = image("ami-1", 100);
    tagged.tags.insert("Enforced".to_owned(), "x".to_owned());
    assert_eq!(disable.objection(&tagged, None, Some(("amiwarden:keep", now()))), None);
    tagged.tags.insert("Observed".to_owned(), "x".to_owned());
    assert!(disable.objection(&tagged, None, Some(("amiwarden:keep", now()))).is_some());
}
