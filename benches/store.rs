//! Storing a run of 10,000 images: the first one, and one in which nothing changed.
//!
//! Besides the times it prints how many bytes each adds to the file, with the write-ahead log folded in.

#![expect(clippy::expect_used, reason = "a benchmark that cannot store anything has nothing to measure")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use amiwarden::store::{DecisionEntry, DecisionRecord, NewRun, PolicyRecord, Standing, Store, StoreOptions};
use amiwarden_core::{
    CycleReport, FactReading, Image, ImageId, Inventory, Listing, Mode, Opinion, Plan, PlanId, PolicyName,
    Proposal, Region, RuleRef, RunId, Scope, ScopeFigures, ScopeReport, Timestamp, Verdict, Wish,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const IMAGES: u32 = 10_000;

/// Of the seven policies that amiwarden ships, one has an opinion of an ordinary image.
const SILENT_POLICIES: [&str; 6] =
    ["deprecate-first", "keep-newest", "require-imdsv2", "strip-public", "tag-owners", "unshare"];

const FACTS: [&str; 4] = ["in_use", "is_available", "age", "unused_for"];

fn day(n: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + n * 86_400).expect("within the range of instants")
}

fn scope() -> Scope {
    let account = "111122223333".parse().expect("an account id");
    Scope { account, region: Region::new("eu-west-1") }
}

fn image_id(n: u32) -> ImageId {
    ImageId::new(format!("ami-{n:017x}"))
}

fn image(n: u32) -> Image {
    serde_json::from_value(json!({
        "id": image_id(n), "owner": scope().account, "name": format!("app-{n}"), "state": "available",
        "created_at": {"Present": day(-400)}, "deprecated_at": "Absent", "last_launched_at": "Absent",
        "public": {"Present": false}, "protection": "disabled", "tags": {"Family": format!("app-{}", n % 500)},
        "block_devices": [], "lineage": {}, "product_codes": [],
    }))
    .expect("the fields of an image")
}

/// What is decided about an image on the n-th day: the same each day, in other words.
fn record(image: u32, n: i64) -> DecisionRecord {
    let policy = PolicyName::new("retire-stale");
    let rule = RuleRef { name: "something uses it".to_owned(), line: 9 };
    let reason = format!("launched {n} days ago");
    let fact = |name: &str| FactReading { name: name.to_owned(), value: format!("{n} days") };
    let entry = DecisionEntry {
        kind: None,
        standing: Standing::Kept,
        policy: Some(policy.clone()),
        rule: Some(rule.clone()),
        reason: reason.clone(),
    };
    let verdict = Verdict {
        policy,
        opinion: Opinion::Matched { rule, proposals: vec![Proposal { wish: Wish::Keep, reason }] },
        facts_read: FACTS.into_iter().map(fact).collect(),
    };
    DecisionRecord {
        image_id: image_id(image),
        entries: vec![entry],
        verdicts: vec![verdict],
        without_opinion: SILENT_POLICIES.map(PolicyName::new).to_vec(),
    }
}

/// Everything that a run hands to the store.
struct Day {
    run: NewRun,
    inventory: Inventory,
    records: Vec<DecisionRecord>,
    plan: Plan,
    report: CycleReport,
}

impl Day {
    fn new(n: i64) -> Self {
        let now = day(n);
        let run_id = RunId::new(format!("run-{n}"));
        let plan_id = PlanId::new("plan-0123456789ab");
        let mut inventory = Inventory::new(scope(), now);
        inventory.add_images(Listing::complete((0..IMAGES).map(image).collect()));
        let policies = SILENT_POLICIES.into_iter().chain(["retire-stale"]).map(|name| PolicyRecord {
            name: PolicyName::new(name),
            digest: "0123456789abcdef".repeat(4),
            origin: "built in".to_owned(),
            text: "//! A policy.\n".repeat(80),
            parameters: "{}".to_owned(),
        });
        Self {
            run: NewRun {
                run_id: run_id.clone(),
                command: "run".to_owned(),
                mode: Mode::Observe,
                started_at: now,
                version: "0.1.0".to_owned(),
                config_digest: "0123456789abcdef".repeat(4),
                policies: policies.collect(),
            },
            inventory,
            records: (0..IMAGES).map(|image| record(image, n)).collect(),
            plan: Plan { id: plan_id.clone(), steps: Vec::new(), held: Vec::new(), tripped: Vec::new() },
            report: CycleReport {
                run_id,
                plan_id,
                mode: Mode::Observe,
                started_at: now,
                finished_at: now,
                scopes: vec![ScopeReport {
                    scope: scope(),
                    images: IMAGES as usize,
                    gaps: Vec::new(),
                    dry_run_error: None,
                    figures: ScopeFigures::default(),
                }],
                steps: Vec::new(),
                held: Vec::new(),
                kept: Vec::new(),
                errors: Vec::new(),
                conflicts: Vec::new(),
                tripped: Vec::new(),
                switched_off: Vec::new(),
                api_calls: 12,
                estimate: amiwarden_core::Estimate::default(),
                interrupted: false,
                figures: amiwarden_core::Figures::default(),
            },
        }
    }

    async fn record(&self, store: &Store) {
        let (run_id, now) = (&self.run.run_id, self.run.started_at);
        store.begin_run(&self.run).await.expect("begin the run");
        let memory = store.observe_images(run_id, &self.inventory, now).await.expect("observe");
        black_box(memory);
        store.record_decisions(run_id, &scope(), &self.records, now).await.expect("record decisions");
        store.record_plan(run_id, &self.plan, now).await.expect("record the plan");
        store.finish_run(&self.report).await.expect("finish the run");
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

async fn open(directory: &Path) -> Store {
    let options = StoreOptions { ledger_head: Some(directory.join("amiwarden.head")) };
    Store::open(&directory.join("amiwarden.db"), options).await.expect("open the store")
}

/// Stores the n-th day in a store of its own opening, and yields the size of the file afterwards: closing folds the
/// write-ahead log into it.
async fn bytes_after(directory: &Path, n: i64) -> u64 {
    let store = open(directory).await;
    Day::new(n).record(&store).await;
    store.close().await.expect("close the store");
    std::fs::metadata(directory.join("amiwarden.db")).expect("the store's file").len()
}

/// Runs in which nothing changed, over which the growth is averaged: the file grows by whole pages.
const UNCHANGED_RUNS: u32 = 20;

#[expect(clippy::print_stderr, reason = "the figure that the benchmark is for")]
fn print_growth(runtime: &Runtime) {
    let directory = directory();
    let first = runtime.block_on(bytes_after(directory.path(), 1));
    let mut last = first;
    for n in 0..UNCHANGED_RUNS {
        last = runtime.block_on(bytes_after(directory.path(), 2 + i64::from(n)));
    }
    let added = (last - first) / u64::from(UNCHANGED_RUNS);
    eprintln!("the first run of {IMAGES} images: {first} bytes");
    eprintln!("an unchanged run of {IMAGES} images adds: {added} bytes (mean of {UNCHANGED_RUNS})");
}

fn store_runs(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    print_growth(&runtime);
    let mut group = criterion.benchmark_group("store 10,000 images");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));

    let first = Day::new(1);
    group.bench_function("first run", |bencher| {
        let new_store = || {
            let directory = directory();
            let store = runtime.block_on(open(directory.path()));
            (directory, store)
        };
        bencher.iter_batched(
            new_store,
            |(directory, store)| {
                runtime.block_on(first.record(&store));
                (directory, store)
            },
            BatchSize::PerIteration,
        );
    });

    let directory = directory();
    let store = runtime.block_on(open(directory.path()));
    runtime.block_on(first.record(&store));
    let mut unchanged = Day::new(2);
    let mut n = 2;
    group.bench_function("unchanged run", |bencher| {
        bencher.iter(|| {
            // Runs have names of their own.
            let run_id = RunId::new(format!("run-{n}"));
            n += 1;
            unchanged.run.run_id.clone_from(&run_id);
            unchanged.report.run_id = run_id;
            runtime.block_on(unchanged.record(&store));
        });
    });
    group.finish();
}

criterion_group!(benches, store_runs);
criterion_main!(benches);
