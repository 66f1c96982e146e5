//! Families and ranks.

use amiwarden_core::{Fact, FamilyRule, Image, ImageState, ParseFamilyRuleError, Reading, place_families};

use crate::builders::{disabled, image, now};

fn named(id: &str, name: &str, age_days: i64) -> Image {
    Image { name: Some(name.to_owned()), ..image(id, age_days) }
}

fn rule() -> FamilyRule {
    FamilyRule::new(Some("Family".to_owned()), Some(r"^(?<family>.+?)-\d")).unwrap()
}

fn ranks(images: &[Image]) -> Vec<(String, Option<u32>, u32)> {
    let rule = rule();
    let places = place_families(images, now(), |image| rule.family_of(image));
    places
        .into_iter()
        .map(|(id, place)| (id.as_str().to_owned(), place.rank.known().copied(), place.size))
        .collect()
}

#[test]
fn a_family_is_a_tag_or_a_part_of_the_name() {
    let family = |image: Image| rule().family_of(&image);
    assert_eq!(family(named("ami-1", "web-2026-01-01", 1)).as_deref(), Some("web"));
    assert_eq!(family(named("ami-1", "web-server-12", 1)).as_deref(), Some("web-server"));
    assert_eq!(family(named("ami-1", "web", 1)), None);
    let mut tagged = named("ami-1", "web-1", 1);
    tagged.tags.insert("Family".to_owned(), "api".to_owned());
    assert_eq!(family(tagged).as_deref(), Some("api"));
}

#[test]
fn the_newest_has_rank_zero() {
    let images = [named("ami-1", "web-1", 30), named("ami-2", "web-2", 20), named("ami-3", "web-3", 10)];
    let expected = [("ami-1", 2), ("ami-2", 1), ("ami-3", 0)];
    assert_eq!(ranks(&images), expected.map(|(id, rank)| (id.to_owned(), Some(rank), 3)));
}

#[test]
fn p2_an_image_that_cannot_be_launched_never_pushes_a_good_one_down() {
    let good = named("ami-1", "web-1", 30);
    let mut failed = named("ami-2", "web-2", 20);
    failed.state = ImageState::Failed;
    let future = named("ami-3", "web-3", -10);
    let mut dateless = named("ami-4", "web-4", 0);
    dateless.created_at = Reading::Absent;
    let retired = disabled(named("ami-5", "web-5", 5));
    let ranks = ranks(&[good, failed, future, dateless, retired]);
    assert_eq!(ranks[0], ("ami-1".to_owned(), Some(0), 1));
    assert_eq!(ranks[3], ("ami-4".to_owned(), None, 1));
}

#[test]
fn a_rank_that_cannot_be_known_is_unknown() {
    let mut dateless = named("ami-4", "web-4", 0);
    dateless.created_at = Reading::Unreadable("?".to_owned());
    let rule = rule();
    let places = place_families([&dateless], now(), |image| rule.family_of(image));
    assert!(matches!(places.values().next().map(|place| &place.rank), Some(Fact::Unknown(_))));
}

#[test]
fn a_pattern_without_the_group_is_refused() {
    let error = |pattern| FamilyRule::new(None, Some(pattern)).unwrap_err();
    assert!(matches!(error("^(.+)-"), ParseFamilyRuleError::NoGroup(_)));
    assert!(matches!(error("("), ParseFamilyRuleError::Pattern(_)));
}
