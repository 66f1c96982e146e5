//! The pause and the window, on the built program.

use serde_json::Value;

use crate::harness::{Account, Place};

const FLEET: &str = r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
    {"name": "web-1", "created": "-100d"}, {"name": "web-2", "created": "-90d"}]}"#;

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
"#;

fn scene(more: &str) -> (Account, Place) {
    let account = Account::start(FLEET);
    let place = account.place();
    let policy = "rule \"all\" when true { disable(\"old\") }\n";
    place.write("amiwarden.toml", &format!("{CONFIG}{more}")).write("policies/only.rhai", policy);
    (account, place)
}

fn enforce(place: &Place) -> Value {
    place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json()
}

#[test]
fn a_pause_holds_everything_until_it_ends() {
    let (account, place) = scene("");
    place.run(&["pause", "--reason", "an incident"]).code(0).says(&["nothing is changed while"]);
    let report = enforce(&place);
    assert_eq!(report["totals"]["held"], 2, "{report}");
    assert_eq!(report["held"][0]["guard"], "pause");
    assert!(report["held"][0]["reason"].as_str().unwrap().contains("an incident"));
    assert!(account.applied().is_empty());
    place.run(&["pause"]).code(0).says(&["an incident"]);
    place.run(&["resume"]).code(0).says(&["resumed"]);
    place.run(&["resume"]).code(0).says(&["not paused"]);
    assert_eq!(enforce(&place)["totals"]["done"], 2);
}

#[test]
fn a_pause_that_begins_in_the_middle_of_a_run_stops_it_between_two_steps() {
    use amiwarden_sandbox::{ExchangePoint, Verdict};
    let (account, place) = scene("[speed]\nconcurrent_images = 1\n");
    let file = place.path("amiwarden.pause");
    account.cloud().on_exchange(std::sync::Arc::new(move |event| {
        if event.action == "DisableImage" && !event.dry_run && event.point == ExchangePoint::Applied {
            std::fs::write(&file, "stop").unwrap();
        }
        Verdict::Continue
    }));
    let report = enforce(&place);
    let outcomes: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "not-attempted"], "{report}");
    assert_eq!(account.count("DisableImage"), 1);
}

#[test]
fn a_window_that_is_closed_holds_everything() {
    // Whatever the time is: yesterday's day of the week is not today's.
    let yesterday = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).yesterday().unwrap();
    let day = yesterday.strftime("%a").to_string();
    let (account, place) = scene(&format!("window = {{ days = [\"{day}\"] }}\n"));
    let report = enforce(&place);
    assert_eq!(report["held"][0]["guard"], "window", "{report}");
    assert!(account.applied().is_empty());
}
