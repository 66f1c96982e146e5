//! How close a run comes to the shortest time that EC2's token buckets allow.
//!
//! Two hundred images are disabled in an account whose buckets are EC2's documented ones five times over, so that it
//! takes half a minute and not two and a half. The figure is the time of the whole program, from its start to its
//! end, against the least that its own plan names.
//!
//! What is measured is waiting, so a debug build does: `cargo bench --profile dev --workspace --bench pace`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot prepare its world has nothing to measure")]

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use amiwarden_sandbox::{BucketSizes, Fleet, Sandbox, SandboxOptions};
use serde_json::Value;

const IMAGES: usize = 200;

/// The same for the endpoint and for the program.
const SCALE: f64 = 5.0;

const OPERATIONS: [(&str, f64, f64); 6] = [
    ("DescribeImages", 100.0, 20.0),
    ("DescribeImageAttribute", 100.0, 20.0),
    ("DescribeInstances", 100.0, 20.0),
    ("DescribeLaunchTemplateVersions", 100.0, 20.0),
    ("CreateTags", 100.0, 10.0),
    ("DisableImage", 50.0, 5.0),
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut options = SandboxOptions::new(fleet(), jiff::Timestamp::now());
    options.buckets = Some(BucketSizes::documented().scaled(SCALE));
    let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("amiwarden.toml"), config()).unwrap();
    std::fs::create_dir(directory.path().join("policies")).unwrap();
    let policy = "rule \"all\" when true { disable(\"old\") }\n";
    std::fs::write(directory.path().join("policies/only.rhai"), policy).unwrap();

    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_amiwarden"))
        .args(["run", "--enforce", "--yes", "--format", "json"])
        .current_dir(directory.path())
        .env_clear()
        .env("AWS_ENDPOINT_URL", sandbox.endpoint_url())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .output()
        .unwrap();
    let took = started.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["totals"]["done"], IMAGES);
    let requests = sandbox.cloud().requests();
    let throttled =
        requests.iter().filter(|it| it.error_code.as_deref() == Some("RequestLimitExceeded")).count();
    print_figures(&report, took, requests.len(), throttled);
}

#[expect(clippy::print_stderr, reason = "the figures that the benchmark is for")]
fn print_figures(report: &Value, took: f64, requests: usize, throttled: usize) {
    let floor = report["estimate"]["seconds"].as_f64().unwrap();
    let over = (took / floor - 1.0) * 100.0;
    eprintln!("{IMAGES} images disabled: {took:.2} s, {over:.1} % above the floor of {floor:.1} s");
    eprintln!("{requests} requests, {throttled} throttled");
}

fn fleet() -> Fleet {
    let images: Vec<String> =
        (0..IMAGES).map(|n| format!(r#"{{"name": "web-{n}", "created": "-{}d"}}"#, 100 + n)).collect();
    let fleet = format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [{}]}}"#,
        images.join(",")
    );
    Fleet::from_json(&fleet).unwrap()
}

fn config() -> String {
    let mut text = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 1000
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
[speed.buckets]
"#
    .to_owned();
    for (operation, burst, refill) in OPERATIONS {
        let (burst, refill) = (burst * SCALE, refill * SCALE);
        writeln!(text, "{operation} = {{ burst = {burst}, refill = {refill} }}").unwrap();
    }
    text
}
