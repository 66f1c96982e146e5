//! What undoes what, part by part.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Change, DISABLED_AT_TAG, DeregistrationProtection, DoneChange, Image, LaunchPermission,
    LaunchPermissions, Present, Reading, SnapshotFate, SnapshotId, Undo, undo,
};

use crate::builders::{days_ago, disabled, image, now, tagged};

fn done(change: Change, before: &Image) -> DoneChange {
    DoneChange {
        change,
        image: Some(before.clone()),
        launch_permissions: Some(grants(&["444455556666", "all"])),
    }
}

fn grants(names: &[&str]) -> LaunchPermissions {
    names.iter().map(|name| name.parse::<LaunchPermission>().unwrap()).collect()
}

fn listed(image: &Image, permissions: &[&str]) -> Present {
    Present::Listed { image: Box::new(image.clone()), launch_permissions: grants(permissions) }
}

fn check(done: &[DoneChange], present: &Present, changes: &[Change], refused: &[&str]) -> Undo {
    let undo = undo(done, present, now());
    assert_eq!(undo.changes, changes);
    let kinds: Vec<&str> = undo.refusals.iter().map(|refusal| refusal.kind.as_str()).collect();
    assert_eq!(kinds, refused, "{:?}", undo.refusals);
    undo
}

fn tag(key: &str, value: &str) -> Change {
    Change::Tag(BTreeMap::from([(key.to_owned(), value.to_owned())]))
}

fn untag(key: &str) -> Change {
    Change::Untag(BTreeSet::from([key.to_owned()]))
}

#[test]
fn p3_a_disabled_image_is_enabled_and_given_back_to_everyone() {
    let before = image("ami-1", 100);
    let now = tagged(disabled(before.clone()), DISABLED_AT_TAG, "2026-06-01T00:00:00Z");
    let give_back = Change::Share(grants(&["444455556666", "all"]));
    check(&[done(Change::Disable, &before)], &listed(&now, &[]), &[Change::Enable, give_back], &[]);
    // Somebody has enabled it since, and knows whom it is shared with.
    let undo = [done(Change::Disable, &before)];
    check(&undo, &listed(&before, &["444455556666"]), &[], &["disable"]);
}

#[test]
fn an_enabled_image_is_disabled_again_with_its_old_date() {
    let before = tagged(disabled(image("ami-1", 100)), DISABLED_AT_TAG, "2026-01-01T00:00:00Z");
    let now = listed(&image("ami-1", 100), &[]);
    let date = tag(DISABLED_AT_TAG, "2026-01-01T00:00:00Z");
    check(&[done(Change::Enable, &before)], &now, &[Change::Disable, date], &[]);
    let undated = disabled(image("ami-1", 100));
    check(&[done(Change::Enable, &undated)], &now, &[Change::Disable, untag(DISABLED_AT_TAG)], &[]);
}

#[test]
fn exactly_what_was_taken_is_given_back_and_what_was_given_is_taken() {
    let before = image("ami-1", 100);
    let strip = done(Change::StripShares(grants(&["444455556666"])), &before);
    let given = done(Change::Share(grants(&["999988887777"])), &before);
    let present = listed(&before, &["all", "999988887777"]);
    let give_back = Change::Share(grants(&["444455556666"]));
    check(std::slice::from_ref(&strip), &present, std::slice::from_ref(&give_back), &[]);
    let take = Change::StripShares(grants(&["999988887777"]));
    check(&[strip, given], &present, &[give_back, take], &[]);
}

#[test]
fn several_changes_of_one_thing_go_back_to_before_the_first() {
    let original = tagged(image("ami-1", 100), "Env", "dev");
    let second = tagged(image("ami-1", 100), "Env", "test");
    let third = listed(&tagged(image("ami-1", 100), "Env", "prod"), &[]);
    let both = [done(tag("Env", "test"), &original), done(tag("Env", "prod"), &second)];
    check(&both, &third, &[tag("Env", "dev")], &[]);
    check(&both[1..], &third, &[tag("Env", "test")], &[]);
    // The first alone is not what stands now.
    check(&both[..1], &third, &[], &["tag"]);
}

#[test]
fn what_somebody_changed_since_stays() {
    let before = image("ami-1", 100);
    let theirs = tagged(image("ami-1", 100), "Env", "theirs");
    check(&[done(tag("Env", "ours"), &before)], &listed(&theirs, &[]), &[], &["tag"]);
    check(&[done(tag("Env", "ours"), &before)], &listed(&before, &[]), &[], &[]);
    let mut described = before.clone();
    described.description = Some("theirs".to_owned());
    let ours = done(Change::SetDescription("ours".to_owned()), &before);
    check(&[ours], &listed(&described, &[]), &[], &["set_description"]);
}

#[test]
fn p3_a_change_that_is_undone_in_part_is_not_undone() {
    let before = image("ami-1", 100);
    let two = Change::Tag(BTreeMap::from(["A", "B"].map(|key| (key.to_owned(), "ours".to_owned()))));
    let theirs = tagged(tagged(image("ami-1", 100), "A", "ours"), "B", "theirs");
    let undo = check(&[done(two, &before)], &listed(&theirs, &[]), &[untag("A")], &["tag"]);
    assert_eq!(undo.refusals[0].changes, BTreeSet::from([0]));
    // What cannot be given to a disabled image is a refusal of what was taken away, and of nothing else.
    let strip = done(Change::StripShares(grants(&["444455556666"])), &before);
    let described = done(Change::SetDescription("ours".to_owned()), &before);
    let mut now = disabled(before.clone());
    now.description = Some("ours".to_owned());
    let back = Change::SetDescription(String::new());
    let undo = check(&[described, strip], &listed(&now, &[]), &[back], &["strip_shares"]);
    assert_eq!(undo.refusals[0].changes, BTreeSet::from([1]));
}

#[test]
fn deprecation_goes_back_to_its_date_and_a_public_image_keeps_it() {
    let mut before = image("ami-1", 100);
    let mut after = before.clone();
    after.deprecated_at = Reading::Present(days_ago(-3));
    let ours = |before: &Image| [done(Change::Deprecate(days_ago(-3)), before)];
    check(&ours(&before), &listed(&after, &[]), &[Change::Undeprecate], &[]);
    check(&ours(&before), &listed(&after, &["all"]), &[], &["deprecate"]);
    before.deprecated_at = Reading::Present(days_ago(-30));
    check(&ours(&before), &listed(&after, &["all"]), &[Change::SetDeprecation(days_ago(-30))], &[]);
    before.deprecated_at = Reading::Present(days_ago(30));
    let undeprecated = listed(&image("ami-1", 100), &[]);
    let back = [done(Change::Undeprecate, &before)];
    let undo = check(&back, &undeprecated, &[Change::SetDeprecation(days_ago(30))], &[]);
    assert!(undo.notes[0].contains("no date that has passed"), "{:?}", undo.notes);
}

#[test]
fn protection_goes_back_and_a_cooldown_is_said() {
    let before = image("ami-1", 100);
    let with = |protection| {
        let mut image = image("ami-1", 100);
        image.protection = protection;
        image
    };
    let cooling = with(DeregistrationProtection::OnWithCooldown);
    let protect = done(Change::Protect { cooldown: true }, &before);
    let undo = check(&[protect], &listed(&cooling, &[]), &[Change::Unprotect], &[]);
    assert!(undo.notes[0].contains("24 hours"));
    let ended = done(Change::Unprotect, &cooling);
    check(&[ended], &listed(&before, &[]), &[Change::Protect { cooldown: true }], &[]);
    let on = with(DeregistrationProtection::On);
    let added = done(Change::Protect { cooldown: true }, &on);
    check(&[added], &listed(&cooling, &[]), &[], &["protect"]);
}

#[test]
fn p3_a_deregistered_image_comes_back_from_the_bin_or_is_said_to_be_gone() {
    let before = disabled(image("ami-1", 300));
    let deregistered = [done(Change::Deregister(SnapshotFate::Delete), &before)];
    let snapshots = vec![SnapshotId::new("snap-ami-1")];
    let bin = Present::InRecycleBin { snapshots: snapshots.clone() };
    check(&deregistered, &bin, &[Change::Restore { snapshots: snapshots.clone() }], &[]);
    check(&deregistered, &Present::Gone, &[], &["deregister"]);
    let available = image("ami-1", 300);
    let all = [done(Change::Disable, &available), deregistered[0].clone()];
    let share = Change::Share(grants(&["444455556666", "all"]));
    check(&all, &bin, &[Change::Restore { snapshots }, Change::Enable, share], &[]);
}

#[test]
fn what_ec2_offers_no_way_back_from_is_said() {
    let before = image("ami-1", 100);
    let undo =
        check(&[done(Change::RequireImdsV2, &before)], &listed(&before, &[]), &[], &["require_imdsv2"]);
    assert!(undo.refusals[0].reason.contains("no way back"));
}
