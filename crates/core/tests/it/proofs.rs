//! The proof of non-use: every source, used, unknown and unread, and what is asked for in which order.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Action, ActionKind, Image, ImageId, ImageUse, Inventory, Listing, Permanent, ProofResult, SnapshotFate,
    SnapshotId, Source, UseKind, Wanted,
};

use crate::builders::{World, answer, days_ago, disabled, image, now, scope};

fn world() -> World {
    World::new([image("ami-1", 100)]).asks_for_all(&Action::Disable)
}

fn use_of(image: &str) -> ImageUse {
    ImageUse {
        image: ImageId::new(image),
        kind: UseKind::Other,
        id: "it".to_owned(),
        account: scope().account,
    }
}

fn candidate(world: &mut World, source: Source, uses: Vec<ImageUse>, gap: Option<&str>) {
    world.inventory.add_candidate_uses(source, BTreeMap::from([(ImageId::new("ami-1"), answer(uses, gap))]));
}

#[test]
fn p2_each_source_that_shows_a_use_or_cannot_be_read_holds_the_image() {
    for source in Source::USAGE {
        let mut used = world();
        used.inventory.add_uses(source, Listing::complete(vec![use_of("ami-1")]), now());
        assert_eq!(used.held(), ["ami-1 disable usage-proof"], "{source}");
        let mut denied = world();
        denied.inventory.add_uses(source, Listing::partial(Vec::new(), "needs a permission"), now());
        assert_eq!(denied.held(), ["ami-1 disable usage-proof"], "{source}");
        let reason = &denied.plan().0.held[0].reason;
        assert!(reason.contains(&format!("{source}: needs a permission")), "{reason}");
    }
    for source in Source::PER_CANDIDATE {
        let mut used = world();
        used.inventory.usage.usage_reports = true;
        candidate(&mut used, Source::UsageReports, Vec::new(), None);
        assert_eq!(used.steps(), ["ami-1 disable"]);
        candidate(&mut used, source, vec![use_of("ami-1")], None);
        assert_eq!(used.held(), ["ami-1 disable usage-proof"], "{source}");
        candidate(&mut used, source, Vec::new(), Some("throttled"));
        assert_eq!(used.held(), ["ami-1 disable usage-proof"], "{source}");
        assert!(used.plan().0.held[0].reason.contains("throttled"));
    }
}

#[test]
fn a_gap_of_a_source_that_is_asked_image_by_image_is_a_gap_of_that_image_alone() {
    let mut world = World::new([image("ami-1", 100), image("ami-2", 100)]).asks_for_all(&Action::Disable);
    candidate(&mut world, Source::ImageReferences, Vec::new(), Some("throttled"));
    assert_eq!(world.steps(), ["ami-2 disable"]);
}

#[test]
fn a_step_carries_its_proof_and_says_what_is_switched_off() {
    let mut world = world();
    world.inventory.usage.disabled_sources = BTreeSet::from([Source::Fleets]);
    let step = world.plan().0.steps.pop().unwrap();
    let proof = step.proof.unwrap();
    let said: Vec<(Source, &str, bool)> = proof
        .findings
        .iter()
        .map(|finding| (finding.source, finding.result.as_str(), finding.as_of.is_some()))
        .collect();
    let expected: Vec<(Source, &str, bool)> = Source::USAGE
        .into_iter()
        .map(|source| match source {
            Source::Fleets => (source, "switched-off", false),
            source => (source, "unused", true),
        })
        .chain([(Source::ImageReferences, "unused", true)])
        .collect();
    assert_eq!(said, expected);
    let tag = World::new([image("ami-1", 100)]).asks_for_all(&Action::RequireImdsV2);
    assert_eq!(tag.plan().0.steps[0].proof, None);
}

#[test]
fn the_time_of_a_proof_is_no_part_of_a_plans_name() {
    let early = world();
    let mut late = world();
    late.inventory.add_uses(Source::Fleets, Listing::complete(Vec::new()), days_ago(-1));
    assert_ne!(early.plan().0, late.plan().0);
    assert_eq!(early.plan().0.id, late.plan().0.id);
}

/// Two images that share a snapshot; the first is to be deregistered.
fn sharing(other: Image, fate: SnapshotFate) -> World {
    let mut first = disabled(image("ami-1", 300));
    first.block_devices[0].snapshot = Some(SnapshotId::new("snap-shared"));
    let mut other = other;
    other.block_devices[0].snapshot = Some(SnapshotId::new("snap-shared"));
    World::new([first, other])
        .seen_disabled("ami-1", 60)
        .asks("ami-1", crate::builders::act("p", Action::Deregister(fate)))
}

#[test]
fn snapshots_that_a_launchable_image_shares_are_not_deleted() {
    let held = sharing(image("ami-2", 100), SnapshotFate::Delete);
    assert_eq!(held.held(), ["ami-1 deregister usage-proof"]);
    assert!(held.plan().0.held[0].reason.contains("image ami-2"));
    assert_eq!(sharing(image("ami-2", 100), SnapshotFate::Keep).steps(), ["ami-1 deregister"]);
    // EC2 skips a shared snapshot, so two disabled images do not keep each other for ever.
    assert_eq!(sharing(disabled(image("ami-2", 100)), SnapshotFate::Delete).steps(), ["ami-1 deregister"]);
}

/// A world of which only the images have been read.
fn unread() -> World {
    let images = (0..10).map(|n| image(&format!("ami-{n}"), 100 + n)).collect();
    let mut world = World::new([]);
    world.inventory = Inventory::new(scope(), now());
    world.inventory.add_images(Listing::complete(images));
    world
}

fn wanted(world: &World) -> Wanted {
    world.assembled().wanted.remove(&scope()).unwrap_or_default()
}

fn read_usage(world: &mut World) {
    for source in Source::USAGE {
        world.inventory.add_uses(source, Listing::complete(Vec::new()), now());
    }
}

#[test]
fn p5_nothing_is_wanted_when_every_candidate_is_held_anyway() {
    let mut world = unread().asks_for_all(&Action::Disable);
    world.circumstances.pause = Some("paused".to_owned());
    assert_eq!(wanted(&world), Wanted::default());
    let tags = unread().asks_for_all(&Action::RequireImdsV2);
    assert_eq!(wanted(&tags), Wanted::default());
}

#[test]
fn p5_the_whole_scope_is_read_first_and_single_images_are_asked_about_last() {
    let mut world = unread().asks_for_all(&Action::Disable);
    world.limits.disable_per_cycle = 2;
    assert_eq!(world.steps(), Vec::<String>::new());
    let first = wanted(&world);
    assert_eq!(first.usage, BTreeSet::from(Source::USAGE));
    assert!(first.candidates.is_empty());

    read_usage(&mut world);
    assert_eq!(world.steps(), Vec::<String>::new());
    let second = wanted(&world);
    assert!(second.usage.is_empty());
    let oldest = BTreeSet::from(["ami-9", "ami-8"].map(ImageId::new));
    assert_eq!(second.candidates, BTreeMap::from([(Source::ImageReferences, oldest)]));

    // One of the two is used: the next oldest takes its place, and is asked about alone.
    world.inventory.add_candidate_uses(
        Source::ImageReferences,
        BTreeMap::from([
            (ImageId::new("ami-9"), answer(vec![use_of("ami-9")], None)),
            (ImageId::new("ami-8"), answer(Vec::new(), None)),
        ]),
    );
    assert_eq!(world.steps(), ["ami-8 disable"]);
    let third = wanted(&world).candidates;
    assert_eq!(third[&Source::ImageReferences], BTreeSet::from([ImageId::new("ami-7")]));
}

#[test]
fn p2_a_surge_that_only_unread_uses_make_does_not_stand() {
    let mut world = unread().asks_for_all(&Action::Disable);
    world.limits.surge_percent = 50;
    assert!(!wanted(&world).usage.is_empty(), "the uses are read although the surge trips");
    world.inventory.add_uses(
        Source::Instances,
        Listing::complete((0..6).map(|n| use_of(&format!("ami-{n}"))).collect()),
        now(),
    );
    for source in Source::USAGE.into_iter().filter(|source| *source != Source::Instances) {
        world.inventory.add_uses(source, Listing::complete(Vec::new()), now());
    }
    assert!(world.plan().0.tripped.is_empty());
}

#[test]
fn the_recycle_bins_rules_are_wanted_only_where_they_decide() {
    let mut world = World::new([disabled(image("ami-1", 300))])
        .seen_disabled("ami-1", 60)
        .asks_for_all(&Action::Deregister(SnapshotFate::Keep));
    assert!(!wanted(&world).retention_rules, "permanent = \"allow\"");
    world.limits.permanent = Permanent::Refuse;
    assert!(wanted(&world).retention_rules);
    assert_eq!(world.held(), ["ami-1 deregister recycle-bin"]);
    let asked: Vec<ActionKind> = world.plan().0.steps.iter().map(|step| step.change.kind()).collect();
    assert!(asked.is_empty());
}

#[test]
fn a_use_outweighs_a_doubt() {
    let mut world = world();
    world.inventory.add_uses(Source::Instances, Listing::partial(vec![use_of("ami-1")], "denied"), now());
    let proof =
        amiwarden_core::prove(&world.inventory, &image("ami-1", 100), &amiwarden_core::Change::Disable);
    assert_eq!(proof.findings[0].result, ProofResult::Used(vec![use_of("ami-1")]));
}

#[test]
fn p2_what_another_account_uses_or_may_use_is_kept() {
    let mut other = World::new([]);
    other.inventory.scope.account = "444455556666".parse().unwrap();
    let read = |other: &World| {
        let mut world = world();
        world.inventory.has_neighbours = true;
        assert_eq!(wanted(&world).usage, BTreeSet::from([Source::OtherAccounts]));
        let listing = world.inventory.uses_by_neighbours(std::iter::once(&other.inventory));
        world.inventory.add_uses(Source::OtherAccounts, listing, now());
        world
    };
    assert_eq!(read(&other).steps(), ["ami-1 disable"]);
    other.inventory.add_uses(Source::LaunchTemplates, Listing::partial(Vec::new(), "denied"), now());
    assert_eq!(read(&other).held(), ["ami-1 disable usage-proof"]);
    let other = World::new([]).used("ami-1");
    assert_eq!(read(&other).held(), ["ami-1 disable usage-proof"]);
}
