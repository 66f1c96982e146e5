//! Token buckets and what a plan takes at least.

use std::collections::BTreeMap;
use std::time::Duration;

use amiwarden_core::{
    Action, BucketSize, Estimate, Mode, Pace, Region, Scope, Share, TokenBucket, Traffic, estimate,
};
use proptest::prelude::*;

use crate::builders::{World, image, now, scope};

fn share(percent: u32) -> Pace {
    Pace { share: Share::new(percent).unwrap(), ..Pace::default() }
}

fn region(name: &str) -> Scope {
    Scope { region: Region::new(name), ..scope() }
}

fn traffic(calls: &[(&str, &'static str, u64)]) -> Traffic {
    let mut traffic = Traffic::default();
    for (name, operation, count) in calls {
        for _ in 0..*count {
            traffic.add(&region(name), operation);
        }
    }
    traffic
}

#[test]
fn the_share_is_a_percentage_of_something() {
    for (percent, expected) in [(0, None), (1, Some(1)), (60, Some(60)), (100, Some(100)), (101, None)] {
        assert_eq!(Share::new(percent).map(Share::percent), expected);
    }
    assert_eq!(Share::default().percent(), 60);
}

#[test]
fn the_floor_is_that_of_the_slowest_bucket() {
    let check =
        |phases: &[&[(&str, &'static str, u64)]], percent: u32, at_a_time: usize, expected: (u64, u64)| {
            let phases: Vec<Traffic> = phases.iter().map(|calls| traffic(calls)).collect();
            let found = Estimate::of(&phases, &share(percent), at_a_time);
            assert_eq!((found.api_calls, found.duration_ms), expected, "{phases:?}");
        };
    check(&[], 100, 8, (0, 0));
    // Up to the burst, no time at all; one more takes the time of one token.
    check(&[&[("a", "DisableImage", 50)]], 100, 8, (50, 0));
    check(&[&[("a", "DisableImage", 51)]], 100, 8, (51, 200));
    check(&[&[("a", "DisableImage", 31)]], 60, 8, (31, 333));
    // The table of the fact sheet: 1000 images each.
    check(&[&[("a", "DescribeImageAttribute", 1000)]], 100, 8, (1000, 45_000));
    check(&[&[("a", "DisableImage", 1000)]], 100, 8, (1000, 190_000));
    check(&[&[("a", "DeregisterImage", 1000)]], 100, 8, (1000, 180_000));
    // Buckets of different operations drain side by side, though they are of one class.
    check(&[&[("a", "DisableImage", 150), ("a", "EnableImage", 100)]], 100, 8, (250, 20_000));
    // Two phases draw on one bucket.
    check(&[&[("a", "DisableImage", 50)], &[("a", "DisableImage", 50)]], 100, 8, (100, 10_000));
    // Regions go side by side, as far as they may.
    let two: &[(&str, &'static str, u64)] = &[("a", "DisableImage", 100), ("b", "DisableImage", 100)];
    check(&[two], 100, 8, (200, 10_000));
    check(&[two], 100, 1, (200, 20_000));
    // While one Region is worked on, the bucket of the other refills, so its phases cannot be added up.
    check(&[two, two], 100, 1, (400, 40_000));
    check(&[two, two], 100, 2, (400, 30_000));
}

#[test]
fn buckets_that_aws_has_raised_count() {
    let raised = BucketSize { burst: 500.0, refill_per_second: 50.0 };
    let pace = Pace { sizes: BTreeMap::from([("DisableImage".to_owned(), raised)]), ..share(50) };
    let calls = [traffic(&[("a", "DisableImage", 300), ("a", "EnableImage", 30)])];
    assert_eq!(Estimate::of(&calls, &pace, 8).duration_ms, 2000);
    let everywhere = Pace { otherwise: Some(raised), ..share(50) };
    assert_eq!(Estimate::of(&calls, &everywhere, 8).duration_ms, 2000);
    let both = Pace { otherwise: Some(BucketSize { burst: 1.0, refill_per_second: 1.0 }), ..pace };
    assert_eq!(Estimate::of(&calls, &both, 8).duration_ms, 58_000);
}

#[test]
fn a_plan_is_rehearsed_once_and_carried_out_where_its_policies_say_so() {
    let images = || (0..100).map(|n| image(&format!("ami-{n:03}"), 100));
    let plan = World::new(images()).asks_for_all(&Action::Disable).plan().0;
    assert_eq!(plan.steps.len(), 100);
    let found = estimate(&plan, &share(100), 8, now());
    // The canary; a tag and a disable each, rehearsed; image, launch permissions, tag and disable each.
    assert_eq!(found.api_calls, 1 + 100 * 2 + 100 * 4);
    // 200 DisableImage through a bucket of 50 and 5 a second.
    assert_eq!(found.duration_ms, 30_000);

    let mut observing = plan.clone();
    for step in &mut observing.steps {
        step.mode = Mode::Observe;
    }
    let found = estimate(&observing, &share(100), 8, now());
    assert_eq!((found.api_calls, found.duration_ms), (1 + 100 * 2, 10_000));

    // Launch permissions are saved only before changes that take them away.
    let plan = World::new(images()).asks_for_all(&Action::RequireImdsV2).plan().0;
    assert_eq!(estimate(&plan, &share(100), 8, now()).api_calls, 1 + 100 + 100 * 2);
    let empty = World::new(images()).plan().0;
    assert_eq!(estimate(&empty, &share(100), 8, now()), Estimate::default());
}

proptest! {
    /// However the requests come, EC2's own bucket, which is the same size, never refuses one that passed ours.
    #[test]
    fn what_passes_is_within_the_bucket(
        burst in 1.0..20.0_f64,
        refill in 0.1..50.0_f64,
        pauses in prop::collection::vec(0..2_000_u64, 1..200),
    ) {
        let mut bucket = TokenBucket::full(BucketSize { burst, refill_per_second: refill }, Duration::ZERO);
        let mut at = Duration::ZERO;
        let mut passed: Vec<f64> = Vec::new();
        for pause in pauses {
            at += Duration::from_millis(pause);
            if bucket.take(at).is_ok() {
                passed.push(at.as_secs_f64());
            }
        }
        for (first, start) in passed.iter().enumerate() {
            for (last, end) in passed.iter().enumerate().skip(first) {
                let count = f64::from(u32::try_from(last - first + 1).unwrap());
                prop_assert!(count <= burst + refill * (end - start) + 1e-6);
            }
        }
    }

    /// Whoever sends as soon as a token is there is done when the estimate says, and not before.
    #[test]
    fn the_floor_is_reached_and_never_beaten(calls in 1..400_u64, percent in 1..=100_u32) {
        let pace = share(percent);
        let estimated = Estimate::of(&[traffic(&[("a", "DisableImage", calls)])], &pace, 1);
        let class = amiwarden_core::ApiClass::of("DisableImage", true);
        let mut bucket = TokenBucket::full(pace.bucket("DisableImage", class), Duration::ZERO);
        let mut at = Duration::ZERO;
        for _ in 0..calls {
            while let Err(wait) = bucket.take(at) {
                at += wait.max(Duration::from_nanos(1));
            }
        }
        let floor = Duration::from_millis(estimated.duration_ms);
        prop_assert!(at + Duration::from_micros(1) >= floor, "{at:?} {floor:?}");
        prop_assert!(at <= floor + Duration::from_millis(2), "{at:?} {floor:?}");
    }

    /// A greater share, and more Regions at a time, never take longer; more requests never take less.
    #[test]
    fn more_leave_is_never_slower(
        calls in prop::collection::vec((0..4_usize, 1..200_u64), 1..8),
        percent in 1..100_u32,
        at_a_time in 1..6_usize,
    ) {
        const REGIONS: [&str; 4] = ["a", "b", "c", "d"];
        let calls: Vec<_> = calls.iter().map(|(n, count)| (REGIONS[*n], "DisableImage", *count)).collect();
        let phases = [traffic(&calls), traffic(&calls[1..])];
        let found = Estimate::of(&phases, &share(percent), at_a_time);
        prop_assert!(Estimate::of(&phases, &share(percent + 1), at_a_time).duration_ms <= found.duration_ms);
        prop_assert!(Estimate::of(&phases, &share(percent), at_a_time + 1).duration_ms <= found.duration_ms);
        let fewer = Estimate::of(&phases[..1], &share(percent), at_a_time);
        prop_assert!(fewer.duration_ms <= found.duration_ms && fewer.api_calls <= found.api_calls);
    }
}
