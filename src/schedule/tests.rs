use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule {
        name: "nightly".to_owned(),
        expression: Expression::parse(cron, zone).unwrap(),
        jitter: Duration::from_minutes(0),
        missed: Missed::RunOnce,
        mode: None,
        policies: Vec::new(),
        accounts: Vec::new(),
        regions: Vec::new(),
    }
}

fn check_next(cron: &str, zone: &str, after: &str, expected: &[&str]) {
    let times = schedule(cron, zone).next_times(at(after), "host", expected.len());
    let expected: Vec<Timestamp> = expected.iter().map(|text| at(text)).collect();
    assert_eq!(times, expected, "{cron} in {zone}");
}

#[test]
fn fires_by_the_wall_clock_of_its_zone() {
    check_next(
        "12 3 * * *",
        "UTC",
        "2026-11-21T04:00:00Z",
        &["2026-11-22T03:12:00Z", "2026-11-23T03:12:00Z"],
    );
    check_next(
        "*/20 * * * * *",
        "UTC",
        "2026-11-21T04:00:00Z",
        &["2026-11-21T04:00:20Z", "2026-11-21T04:00:40Z"],
    );
    check_next("@daily", "America/New_York", "2026-11-21T04:00:00Z", &["2026-11-21T05:00:00Z"]);
    check_next("@hourly", "UTC", "2026-11-21T04:00:00Z", &["2026-11-21T05:00:00Z"]);
    // Either day is enough, as in cron(8).
    check_next(
        "0 0 13 * 5",
        "UTC",
        "2026-11-11T00:00:00Z",
        &["2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"],
    );
}

#[test]
fn follows_daylight_saving() {
    // Berlin: UTC+1 until 29 March 2026, 02:00, then UTC+2 until 25 October, 03:00.
    check_next(
        "0 9 * * *",
        "Europe/Berlin",
        "2026-03-27T12:00:00Z",
        &["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"],
    );
    // 02:30 does not exist on that day: right after the gap, and never twice.
    check_next(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    );
    // 02:30 comes twice on that day: the first counts.
    check_next(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    );
}

#[test]
fn refuses_what_nobody_means() {
    let check = |cron: &str, expected: &str| {
        let error = Expression::parse(cron, "UTC").unwrap_err().to_string();
        assert!(error.contains(expected), "{cron}: {error}");
    };
    check("0 0 30 2 *", "never fires");
    check("0 0 31 4 *", "never fires");
    check("*/90 * * * *", "step 90");
    check("0 */24 * * *", "step 24");
    check("* * *", "3 fields");
    check("0 0 0 1 1 1 2030", "7 fields");
    check("", "0 fields");
    check("61 * * * *", "no cron expression");
    check("@sometimes", "no cron expression");
    assert_eq!(
        Expression::parse("@daily", "Europe/Atlantis").unwrap_err(),
        ParseExpressionError::Zone("Europe/Atlantis".to_owned())
    );
}

#[test]
fn jitter_is_stable_for_a_host_and_differs_between_hosts() {
    let mut nightly = schedule("0 3 * * *", "UTC");
    nightly.jitter = Duration::from_minutes(10);
    let next =
        |schedule: &Schedule, host: &str| schedule.next_after(at("2026-11-21T04:00:00Z"), host).unwrap();
    assert_eq!(next(&nightly, "a"), next(&nightly, "a"));
    let times: std::collections::BTreeSet<Timestamp> =
        (0..50).map(|n| next(&nightly, &format!("host-{n}"))).collect();
    assert!(times.len() > 30, "{times:?}");
    assert!(
        times.iter().all(|time| (at("2026-11-22T03:00:00Z")..=at("2026-11-22T03:10:00Z")).contains(time))
    );
}

#[test]
fn what_was_missed_runs_once_or_not_at_all() {
    let mut nightly = schedule("0 3 * * *", "UTC");
    let now = at("2026-11-21T12:00:00Z");
    let check = |schedule: &Schedule, last: Option<&str>, expected| {
        assert_eq!(at_start(schedule, last.map(at), now, "host"), expected, "{last:?}");
    };
    check(&nightly, None, AtStart::New);
    check(&nightly, Some("2026-11-21T03:00:00Z"), AtStart::Nothing);
    check(&nightly, Some("2026-11-20T03:00:00Z"), AtStart::RunOnce(at("2026-11-21T03:00:00Z")));
    // Three nights: one run.
    check(&nightly, Some("2026-11-18T03:00:00Z"), AtStart::RunOnce(at("2026-11-19T03:00:00Z")));
    nightly.missed = Missed::Skip;
    check(&nightly, Some("2026-11-20T03:00:00Z"), AtStart::Skip(at("2026-11-21T03:00:00Z")));
}

#[test]
fn a_ring_starts_one_run_at_a_time() {
    let due = at("2026-11-21T03:00:00Z");
    let check = |missed, now: &str, is_running, expected| {
        assert_eq!(at_ring(missed, due, at(now), is_running), expected, "{missed:?} {now} {is_running}");
    };
    check(Missed::RunOnce, "2026-11-21T03:00:01Z", false, AtRing::Start);
    check(Missed::RunOnce, "2026-11-21T03:00:01Z", true, AtRing::Busy);
    check(Missed::Skip, "2026-11-21T03:05:00Z", false, AtRing::Start);
    check(Missed::Skip, "2026-11-21T03:05:01Z", false, AtRing::Missed);
    check(Missed::RunOnce, "2026-11-21T09:00:00Z", false, AtRing::Start);
}

proptest! {
    /// Each time is later than the one before, whatever the zone and the jitter: nothing runs twice, nothing stops.
    #[test]
    fn times_only_go_forward(
        cron in prop::sample::select(vec!["30 2 * * *", "*/15 * * * *", "@weekly", "5 4 3,9 * 1-5", "0 */6 * * *"]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        start in 1_700_000_000_i64..1_900_000_000,
        jitter in 0_i64..1_440,
    ) {
        let mut schedule = schedule(cron, zone);
        schedule.jitter = Duration::from_minutes(jitter);
        let start = Timestamp::from_second(start).unwrap();
        let times = schedule.next_times(start, "host", 20);
        prop_assert_eq!(times.len(), 20);
        prop_assert!(times[0] > start);
        prop_assert!(times.is_sorted_by(|one, other| one < other), "{:?}", times);
    }
}

#[tokio::test]
async fn the_bell_rings_once_and_never_before_the_time() {
    let mut bell = Bell::start().await.unwrap();
    let now = Timestamp::now();
    let due_at = Timestamp::from_second(now.as_second() + 2).unwrap();
    bell.set("nightly", now, now).await.unwrap();
    bell.set("nightly", due_at, now).await.unwrap();
    let ring = bell.ring().await;
    assert_eq!(ring, Ring { schedule: "nightly".to_owned(), due_at });
    assert!(Timestamp::now() >= due_at);
    bell.set("nightly", due_at, Timestamp::now()).await.unwrap();
    bell.clear("nightly").await.unwrap();
    let silence = tokio::time::timeout(std::time::Duration::from_secs(2), bell.ring()).await;
    assert!(silence.is_err(), "{silence:?}");
}
