//! Clocks, earlier readings, windows, pauses and new policies, each at its limit and one past it.

use std::collections::BTreeMap;

use amiwarden_core::{
    Action, Circumstances, ImageTally, Listing, PolicyName, Source, Tally, Timestamp, Window, clock_doubt,
};

use crate::builders::{World, image, now, tagged};

fn world() -> World {
    World::new((0..10).map(|n| image(&format!("ami-{n}"), 100 + n))).asks_for_all(&Action::Disable)
}

/// What the guards make of it: the guard that holds everything, or nothing.
fn held_by(world: &World) -> Option<String> {
    let guards: std::collections::BTreeSet<String> =
        world.held().iter().map(|held| held.rsplit(' ').next().unwrap().to_owned()).collect();
    assert!(guards.len() <= 1, "{guards:?}");
    let guard = guards.into_iter().next();
    assert_eq!(world.steps().is_empty(), guard.is_some());
    guard
}

fn after(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(at.as_second() + seconds).unwrap()
}

#[test]
fn clock_holds_everything_one_second_past_five_minutes() {
    let check = |record: Option<i64>, server: Option<i64>, doubts: bool| {
        let at = |offset: Option<i64>| offset.map(|seconds| after(now(), seconds));
        let doubt = clock_doubt(now(), at(record), at(server));
        assert_eq!(doubt.is_some(), doubts, "{doubt:?}");
    };
    check(None, None, false);
    check(Some(300), Some(300), false);
    check(Some(301), None, true);
    check(Some(-1_000_000), None, false);
    check(None, Some(301), true);
    check(None, Some(-300), false);
    check(None, Some(-301), true);

    let mut world = world();
    world.circumstances.clock_doubt = Some("it is wrong".to_owned());
    assert_eq!(held_by(&world).as_deref(), Some("clock"));
    assert_eq!(world.plan().0.tripped.len(), 1);
}

/// A reading that counted so many images, of which all had tags and were launched, and so many uses.
fn baseline(images: usize, references: usize) -> Circumstances {
    let tally = Tally {
        images: Some(ImageTally { all: images, tagged: 0, launched: 0 }),
        references: BTreeMap::from([(Source::Instances, references)]),
    };
    Circumstances { baseline: Some(tally), ..Circumstances::default() }
}

#[test]
fn p2_collapse_of_the_images_trips_one_past_the_limit() {
    let mut world = world();
    world.circumstances = baseline(14, 0);
    assert_eq!(held_by(&world), None, "4 of 14 is 28 %");
    world.circumstances = baseline(15, 0);
    assert_eq!(held_by(&world).as_deref(), Some("collapse"), "5 of 15 is 33 %");
    world.limits.collapse_percent = 34;
    assert_eq!(held_by(&world), None);
    world.limits.collapse_percent = 0;
    world.circumstances = baseline(12, 0);
    assert_eq!(held_by(&world).as_deref(), Some("collapse"), "zero means zero");
}

#[test]
fn p2_collapse_of_the_references_trips_and_one_less_does_not() {
    let world = |before| World { circumstances: baseline(10, before), ..world() };
    assert_eq!(held_by(&world(0)), None);
    assert_eq!(held_by(&world(1)).as_deref(), Some("collapse"), "the last one is gone");
    let mut one_left = world(2).used("ami-3");
    assert_eq!(one_left.steps().len(), 9, "one of two may go");
    one_left.circumstances = baseline(10, 3);
    assert!(one_left.steps().is_empty());
}

#[test]
fn p2_collapse_notices_that_all_tags_and_all_launches_are_gone() {
    let tally = |tagged, launched| Tally {
        images: Some(ImageTally { all: 10, tagged, launched }),
        references: BTreeMap::new(),
    };
    for (tagged, launched) in [(10, 0), (0, 10)] {
        let mut world = world();
        world.circumstances.baseline = Some(tally(tagged, launched));
        assert_eq!(held_by(&world).as_deref(), Some("collapse"));
        let reason = &world.plan().0.tripped[0].reason;
        assert!(reason.starts_with("0 images with"), "{reason}");
    }
}

#[test]
fn a_tally_takes_over_what_was_not_read_this_time() {
    let mut world = World::new([tagged(image("ami-1", 100), "a", "b")]);
    world.inventory.add_uses(Source::Fleets, Listing::partial(Vec::new(), "denied"), now());
    let tally = Tally::of(&world.inventory);
    assert_eq!(tally.images, Some(ImageTally { all: 1, tagged: 1, launched: 0 }));
    assert_eq!(tally.references.get(&Source::Fleets), None);
    let earlier = Tally { images: None, references: BTreeMap::from([(Source::Fleets, 7)]) };
    assert_eq!(tally.or(&earlier).references.get(&Source::Fleets), Some(&7));
}

#[test]
fn pause_holds_everything() {
    let mut world = world().asks_for_all(&Action::RequireImdsV2);
    world.circumstances.pause = Some("paused by somebody".to_owned());
    assert_eq!(held_by(&world).as_deref(), Some("pause"));
}

#[test]
fn new_policy_holds_until_it_has_been_rehearsed_often_enough() {
    let rehearsed = |cycles: u32| {
        let mut world = world();
        world.limits.rehearse_cycles = 2;
        world.circumstances.rehearsed_cycles = Some(BTreeMap::from([(PolicyName::new("p"), cycles)]));
        world
    };
    assert_eq!(held_by(&rehearsed(1)).as_deref(), Some("new-policy"));
    assert_eq!(held_by(&rehearsed(2)), None);
    let mut unheard_of = world();
    unheard_of.circumstances.rehearsed_cycles = Some(BTreeMap::new());
    assert_eq!(held_by(&unheard_of).as_deref(), Some("new-policy"));
    unheard_of.limits.rehearse_cycles = 0;
    assert_eq!(held_by(&unheard_of), None, "zero means zero");
    let mut own = rehearsed(2);
    own.policies.get_mut(&PolicyName::new("p")).unwrap().limits.rehearse_cycles = Some(3);
    assert_eq!(held_by(&own).as_deref(), Some("new-policy"));
}

fn window(days: &[&str], hours: Option<&str>, zone: Option<&str>) -> Window {
    let days: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
    Window::new(&days, hours, zone).unwrap()
}

#[test]
fn window_holds_outside_its_days_and_hours() {
    // It is Monday, noon UTC, which is 14:00 in Berlin.
    let check = |window: Window, open: bool| {
        let mut world = world();
        world.limits.window = Some(window.clone());
        assert_eq!(held_by(&world).is_none(), open, "{window}");
        let mut own = self::world();
        own.policies.get_mut(&PolicyName::new("p")).unwrap().limits.window = Some(window);
        assert_eq!(held_by(&own).is_none(), open);
    };
    check(window(&["Mon"], None, None), true);
    check(window(&["Tue", "Sun"], None, None), false);
    check(window(&[], Some("12:00-13:00"), None), true);
    check(window(&[], Some("11:00-12:00"), None), false);
    check(window(&[], Some("13:30-14:01"), Some("Europe/Berlin")), true);
    check(window(&[], Some("12:00-13:00"), Some("Europe/Berlin")), false);
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
    let night = window(&["Fri"], Some("22:00-04:00"), None);
    let check = |at: &str, open: bool| assert_eq!(night.is_open(at.parse().unwrap()), open, "{at}");
    check("2026-06-05T21:59:59Z", false);
    check("2026-06-05T22:00:00Z", true);
    check("2026-06-06T03:59:59Z", true);
    check("2026-06-06T04:00:00Z", false);
    check("2026-06-06T22:00:00Z", false);
}

#[test]
fn a_window_follows_daylight_saving_time() {
    let morning = window(&[], Some("09:00-10:00"), Some("Europe/Berlin"));
    assert!(morning.is_open("2026-03-28T08:30:00Z".parse().unwrap()), "winter: UTC+1");
    assert!(morning.is_open("2026-03-30T07:30:00Z".parse().unwrap()), "summer: UTC+2");
    assert!(!morning.is_open("2026-03-30T08:30:00Z".parse().unwrap()));
}

#[test]
fn a_window_that_makes_no_sense_is_refused() {
    let refused = |days: &[&str], hours: Option<&str>, zone: Option<&str>| {
        let days: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
        Window::new(&days, hours, zone).unwrap_err().to_string()
    };
    assert!(refused(&["Someday"], None, None).contains("`Someday`"));
    assert!(refused(&[], Some("9-16"), None).contains("24 hours"));
    assert!(refused(&[], Some("09:00-09:00"), None).contains("never be open"));
    assert!(refused(&[], Some("09:00-25:00"), None).contains("24 hours"));
    assert!(refused(&[], None, Some("Berlin")).contains("IANA"));
    assert!(refused(&[], Some("00:00-24:00"), None).contains("leave the hours out"));
    assert_eq!(window(&["sun", "Monday"], Some("20:00-24:00"), None).to_string(), "Mon, Sun 20:00-00:00 UTC");
}
