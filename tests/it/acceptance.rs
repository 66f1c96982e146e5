//! What somebody accepts although a guard tripped, and what it is good for.

use serde_json::Value;

use crate::harness::{Account, Place, having};

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
"#;

const POLICY: &str = "rule \"old\" when image.name == \"web-0\" { disable(\"old\") }\n";

const ENFORCE: [&str; 5] = ["run", "--enforce", "--yes", "--format", "json"];

/// Twenty images, of which an honest run has been recorded.
fn seen() -> (Account, Place) {
    let images: Vec<String> =
        (0..20).map(|n| format!(r#"{{"name": "web-{n}", "created": "-{}d"}}"#, 100 + n)).collect();
    let account = Account::start(&format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [{}]}}"#,
        images.join(",")
    ));
    let place = account.place();
    place.write("amiwarden.toml", CONFIG).write("policies/only.rhai", POLICY);
    place.run(&["run"]).code(0);
    (account, place)
}

/// Lets all images but the first `left` vanish.
fn vanish(account: &Account, left: usize) {
    account.cloud().update(|world| {
        let number = |name: &str| name.trim_start_matches("web-").parse::<usize>().unwrap();
        world.images.retain(|_, image| number(&image.name) < left);
    });
}

fn tripped(place: &Place, arguments: &[&str]) -> Value {
    let report = place.run(arguments).code(4).json();
    assert_eq!(having(&report["held"], &[("guard", "collapse")]).len(), 1, "{report}");
    report
}

#[test]
fn p3_accepting_a_collapse_without_carrying_anything_out_accepts_nothing() {
    let (account, place) = seen();
    vanish(&account, 10);
    // This observes: nothing of it is carried out.
    let report = place.run(&["run", "--accept", "collapse", "--format", "json"]).code(0).json();
    assert_eq!(report["totals"]["steps"], 1, "{report}");
    tripped(&place, &ENFORCE);
    // Nor does a policy that only observes, when the rest enforces.
    let observing = format!("{CONFIG}[[policy]]\nfile = \"only.rhai\"\nmode = \"observe\"\n");
    place.write("amiwarden.toml", &observing);
    place.run(&[&ENFORCE[..], &["--accept", "collapse"]].concat()).code(0);
    place.write("amiwarden.toml", CONFIG);
    tripped(&place, &ENFORCE);
    assert!(account.applied().is_empty());
    // What is carried out is accepted, once and for all.
    place.run(&[&ENFORCE[..], &["--accept", "collapse"]].concat()).code(0);
    assert_eq!(account.count("DisableImage"), 1);
    place.run(&ENFORCE).code(0);
}

#[test]
fn p2_accepting_a_plan_accepts_what_that_plan_counted_and_no_later_reading() {
    let (account, place) = seen();
    vanish(&account, 10);
    let looked_at = tripped(&place, &ENFORCE);
    vanish(&account, 5);
    tripped(&place, &ENFORCE);
    place.run(&["accept", looked_at["plan_id"].as_str().unwrap()]).code(0);
    // Ten images were accepted; five are another half less, which nobody has looked at.
    let now = tripped(&place, &ENFORCE);
    assert!(account.applied().is_empty());
    place.run(&["accept", now["plan_id"].as_str().unwrap()]).code(0);
    assert_eq!(place.run(&ENFORCE).code(0).json()["totals"]["done"], 1);
}
