//! The whole program against an account with token buckets.

use amiwarden_sandbox::{Bucket, BucketSizes, Fleet};
use serde_json::Value;

use crate::harness::{Account, Place, having};

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 1000
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
"#;

/// An account whose buckets are those of EC2, at another scale, and which amiwarden knows.
const BUCKETS: &str = r"{
    DisableImage = { burst = 20, refill = 30 }, CreateTags = { burst = 20, refill = 60 },
    DescribeImages = { burst = 40, refill = 120 }, DescribeImageAttribute = { burst = 40, refill = 120 }
}";

fn sizes() -> BucketSizes {
    let bucket = |burst, refill_per_second| Bucket { burst, refill_per_second };
    BucketSizes {
        describe: bucket(40.0, 120.0),
        tags: bucket(20.0, 60.0),
        other_mutations: bucket(20.0, 30.0),
        ..BucketSizes::documented()
    }
}

/// So many images that are all to be disabled, and what amiwarden is told of the buckets.
fn account(images: usize, buckets: Option<&str>) -> (Account, Place) {
    let images: Vec<String> =
        (0..images).map(|n| format!(r#"{{"name": "web-{n}", "created": "-{}d"}}"#, 100 + n)).collect();
    let fleet = format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [{}]}}"#,
        images.join(",")
    );
    let account = Account::with(Fleet::from_json(&fleet).unwrap(), |options| options.buckets = Some(sizes()));
    let mut place = account.place();
    if let Some(buckets) = buckets {
        place.set("AMIWARDEN_SPEED__BUCKETS", &buckets.replace('\n', " "));
    }
    place.write("amiwarden.toml", CONFIG);
    place.write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
    (account, place)
}

/// How many requests the account was too busy for.
fn throttled(account: &Account) -> usize {
    let is_throttled = |code: Option<&str>| code == Some("RequestLimitExceeded");
    account.cloud().requests().iter().filter(|request| is_throttled(request.error_code.as_deref())).count()
}

fn enforce(place: &Place) -> Value {
    place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json()
}

#[test]
fn a_run_at_its_share_is_never_throttled_and_takes_what_the_plan_said_at_least() {
    let (account, place) = account(40, Some(BUCKETS));
    let planned = place.run(&["plan", "--format", "json"]).code(0).json();
    account.cloud().forget_requests();
    let report = enforce(&place);
    assert_eq!(report["totals"]["done"], 40, "{report}");
    assert_eq!(throttled(&account), 0);

    let estimate = &report["estimate"];
    assert_eq!(estimate, &planned["estimate"]);
    // 80 times DisableImage at 60 % of a bucket of 20 and 30 a second.
    assert_eq!(estimate["seconds"], 3.7, "{estimate}");
    let at = |field: &str| report[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let took = at("started_at").duration_until(at("finished_at")).as_secs_f64();
    assert!(took >= 3.7, "{took}");
    // Every request is counted but those by which the images and their uses were read.
    let of_plan = |action: &str, image_ids: &[String]| {
        let is_read_again = action == "DescribeImages" && !image_ids.is_empty();
        is_read_again || ["CreateTags", "DisableImage", "DescribeImageAttribute"].contains(&action)
    };
    let requests = account.cloud().requests();
    let counted = requests
        .iter()
        .filter(|request| request.dry_run || of_plan(&request.action, &request.image_ids))
        .count();
    assert_eq!(estimate["api_calls"], counted);
}

#[test]
fn a_run_that_knows_no_buckets_is_throttled_there() {
    let (account, place) = account(40, None);
    let report = enforce(&place);
    assert!(throttled(&account) > 0, "the other test would prove nothing");
    assert_eq!(having(&report["steps"], &[("outcome", "done")]).len(), 40, "{report}");
}

#[test]
fn reports_for_people_say_what_it_takes_at_least() {
    let (_account, place) = account(40, Some(BUCKETS));
    let words = "Rehearsing and carrying out the changes takes at least 241 API calls and 3 seconds.";
    for format in ["table", "markdown"] {
        let report = place.run(&["plan", "--format", format]).code(0).out;
        assert!(report.contains(words), "{report}");
    }
    place.write("policies/only.rhai", "rule \"none\" when false { disable(\"old\") }\n");
    let report = place.run(&["plan"]).code(0).out;
    assert!(!report.contains("at least"), "{report}");
}
