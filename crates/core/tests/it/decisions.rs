//! What all verdicts on one image come to.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Action, Fact, FailureKind, GrantFilter, LaunchPermission, Need, Opinion, PolicyFailure, Reading,
    SnapshotFate, Verdict, Wish, missing,
};

use crate::builders::{World, act, days_ago, disabled, image, tagged, verdict, wish};

/// The decision on one plain old image, in short: changes, then what was dropped and why.
fn check(verdicts: Vec<Verdict>, expected: &[&str]) {
    check_image(World::new([image("ami-1", 100)]), verdicts, expected);
}

fn check_image(mut world: World, verdicts: Vec<Verdict>, expected: &[&str]) {
    let permissions = ["444455556666", "777788889999"].map(|account| account.parse().unwrap());
    world.inventory.launch_permissions.insert(image("ami-1", 0).id, Ok(permissions.into()));
    for (order, verdicts) in [verdicts.clone(), verdicts.into_iter().rev().collect()].into_iter().enumerate()
    {
        world.verdicts.clear();
        for verdict in verdicts {
            world = world.asks("ami-1", verdict);
        }
        let decision = world.decisions().remove(0);
        let mut found: Vec<String> =
            decision.changes.iter().map(|planned| format!("{:?}", planned.change)).collect();
        found.extend(decision.vetoed.iter().map(|vetoed| format!("vetoed {}", vetoed.kind)));
        found.extend(decision.satisfied.iter().map(|satisfied| format!("satisfied {}", satisfied.kind)));
        found.extend(decision.conflicts.iter().map(|conflict| format!("conflict {}", conflict.about)));
        found.extend(decision.unresolved.iter().map(|unresolved| format!("unresolved {}", unresolved.kind)));
        assert_eq!(found, expected, "in order {order}");
    }
}

fn tags(pairs: &[(&str, &str)]) -> Action {
    Action::Tag(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn grants(accounts: &[&str]) -> GrantFilter {
    GrantFilter::new(accounts.iter().map(|account| account.parse::<LaunchPermission>().unwrap()))
}

fn failed(policy: &str) -> Verdict {
    let failure = PolicyFailure {
        kind: FailureKind::Type,
        message: "cannot compare".to_owned(),
        line: Some(3),
        column: Some(1),
        rule: None,
    };
    verdict(policy, Opinion::Failed(failure))
}

#[test]
fn one_wish_is_one_change() {
    check(vec![act("p", Action::Disable)], &["Disable"]);
}

#[test]
fn keep_vetoes_every_lifecycle_action_and_nothing_else() {
    check(
        vec![
            wish("p", Wish::Keep),
            act("q", Action::Disable),
            act("q", Action::Deregister(SnapshotFate::Keep)),
            act("q", Action::Deprecate(days_ago(0))),
            act("q", Action::RequireImdsV2),
        ],
        &["RequireImdsV2", "vetoed deprecate", "vetoed disable", "vetoed deregister"],
    );
}

#[test]
fn p2_a_policy_that_failed_counts_as_keep() {
    check(vec![failed("p"), act("q", Action::Disable)], &["vetoed disable"]);
}

#[test]
fn contradictions_cancel_each_other() {
    check(vec![act("p", Action::Disable), act("q", Action::Enable)], &["conflict disable against enable"]);
    check(
        vec![act("p", Action::Protect { cooldown: false }), act("q", Action::Deregister(SnapshotFate::Keep))],
        &["conflict protect against deregister"],
    );
    check(
        vec![act("p", Action::Deprecate(days_ago(1))), act("q", Action::Deprecate(days_ago(2)))],
        &["conflict two different values for deprecate"],
    );
    check(
        vec![act("p", Action::SetDescription("a".into())), act("q", Action::SetDescription("b".into()))],
        &["conflict two different values for set_description"],
    );
}

#[test]
fn equal_wishes_are_one_change_with_two_reasons() {
    let world = World::new([image("ami-1", 100)])
        .asks("ami-1", act("p", Action::Disable))
        .asks("ami-1", act("q", Action::Disable));
    let decision = world.decisions().remove(0);
    assert_eq!(decision.changes.len(), 1);
    assert_eq!(decision.changes[0].because.len(), 2);
}

#[test]
fn a_contested_tag_is_left_alone_and_the_others_are_set() {
    check(
        vec![act("p", tags(&[("Env", "dev"), ("Team", "a")])), act("q", tags(&[("Env", "prod")]))],
        &[r#"Tag({"Team": "a"})"#, "conflict tag \"Env\""],
    );
    check(
        vec![act("p", tags(&[("Env", "dev")])), act("q", Action::Untag(BTreeSet::from(["Env".to_owned()])))],
        &["conflict tag \"Env\""],
    );
}

#[test]
fn a_contested_grant_is_left_alone_and_the_others_are_stripped() {
    // 4444… is shared and to be stripped, 7777… is to be shared and stripped at once.
    check(
        vec![
            act("p", Action::StripShares { except: grants(&[]) }),
            act("q", Action::Share(grants(&["777788889999"]))),
        ],
        &[r#"StripShares({Account(AccountId("444455556666"))})"#, "conflict sharing with 777788889999"],
    );
}

#[test]
fn strips_take_exactly_the_unwanted_grants() {
    check(
        vec![act("p", Action::StripShares { except: grants(&["444455556666"]) })],
        &[r#"StripShares({Account(AccountId("777788889999"))})"#],
    );
    check(
        vec![act("p", Action::StripShares { except: grants(&["444455556666", "777788889999"]) })],
        &["satisfied strip_shares"],
    );
}

#[test]
fn where_two_differ_in_degree_the_safer_one_stands() {
    let deregister = |fate| act("p", Action::Deregister(fate));
    check(vec![deregister(SnapshotFate::Delete), deregister(SnapshotFate::Keep)], &["Deregister(Keep)"]);
    check(
        vec![act("p", Action::Protect { cooldown: true }), act("q", Action::Protect { cooldown: false })],
        &["Protect { cooldown: true }"],
    );
}

#[test]
fn an_effect_that_holds_is_satisfied() {
    check(vec![act("p", Action::StripPublic)], &["satisfied strip_public"]);
    check(vec![act("p", Action::Enable)], &["satisfied enable"]);
    check(vec![act("p", Action::Unprotect)], &["satisfied unprotect"]);
    check(vec![act("p", Action::Undeprecate)], &["satisfied undeprecate"]);
    check(vec![act("p", Action::SetDescription(String::new()))], &["satisfied set_description"]);
    check(vec![act("p", Action::Share(grants(&["444455556666"])))], &["satisfied share"]);
    let world = World::new([disabled(tagged(image("ami-1", 100), "Env", "dev"))]);
    check_image(world, vec![act("p", Action::Disable)], &["satisfied disable"]);
    let world = World::new([tagged(image("ami-1", 100), "Env", "dev")]);
    check_image(world, vec![act("p", tags(&[("Env", "dev")]))], &["satisfied tag"]);
}

#[test]
fn a_deprecation_date_is_only_ever_moved_earlier() {
    let deprecated = |days| {
        let mut image = image("ami-1", 400);
        image.deprecated_at = Reading::Present(days_ago(days));
        World::new([image])
    };
    let wanted = |days| vec![act("p", Action::Deprecate(days_ago(days)))];
    check_image(deprecated(-30), wanted(-30), &["satisfied deprecate"]);
    check_image(deprecated(-20), wanted(-30), &["satisfied deprecate"]);
    let change = format!("Deprecate({:?})", days_ago(-30));
    check_image(deprecated(-40), wanted(-30), &[&change]);
    // A date that has passed asks for "as soon as possible", which any past date is.
    check_image(deprecated(40), wanted(50), &["satisfied deprecate"]);
    let change = format!("Deprecate({:?})", days_ago(50));
    check_image(deprecated(-1), wanted(50), &[&change]);
}

#[test]
fn p2_an_unreadable_deprecation_date_is_left_alone() {
    let mut unreadable = image("ami-1", 400);
    unreadable.deprecated_at = Reading::Unreadable("soon".to_owned());
    let wanted = vec![act("p", Action::Deprecate(days_ago(50)))];
    check_image(World::new([unreadable]), wanted, &["unresolved deprecate"]);
}

#[test]
fn changes_stand_in_the_order_of_execution() {
    check(
        vec![
            act("p", Action::Disable),
            act("p", Action::Deprecate(days_ago(0))),
            act("p", Action::Protect { cooldown: false }),
            act("p", tags(&[("k", "v")])),
            act("p", Action::RequireImdsV2),
            act("p", Action::StripShares { except: grants(&["777788889999"]) }),
        ],
        &[
            r#"StripShares({Account(AccountId("444455556666"))})"#,
            "RequireImdsV2",
            r#"Tag({"k": "v"})"#,
            "Protect { cooldown: false }",
            &format!("Deprecate({:?})", days_ago(0)),
            "Disable",
        ],
    );
}

#[test]
fn p5_launch_permissions_are_missing_only_when_an_action_depends_on_them() {
    let world = World::new([image("ami-1", 100)]);
    let facts = world.facts().into_values().next().unwrap();
    assert_eq!(facts.launch_permissions, Fact::NotFetched(Need::LaunchPermissions));
    let needs = |action| missing(&facts, &[act("p", action)]);
    assert_eq!(needs(Action::StripShares { except: grants(&[]) }), [Need::LaunchPermissions].into());
    assert_eq!(needs(Action::Share(grants(&["444455556666"]))), [Need::LaunchPermissions].into());
    assert_eq!(needs(Action::Disable), BTreeSet::new());
    assert_eq!(needs(Action::Tag(BTreeMap::new())), BTreeSet::new());
}
