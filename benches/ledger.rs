//! Verifying the ledger of a store that has run for years.
//!
//! The entries are written here, in the form in which they are hashed, and not by amiwarden: a store that makes them
//! one after the other, each on the disk before the next, would take an hour to fill. A ledger that does not verify
//! ends the benchmark.

#![expect(clippy::expect_used, reason = "a benchmark that cannot make its ledger has nothing to measure")]

use std::path::Path;
use std::time::Duration;

use amiwarden::store::{Store, StoreOptions, StoreReader};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Runtime;

const ENTRIES: i64 = 500_000;

/// Rows that go into one statement.
const BATCH: usize = 20_000;

/// What an entry is about that a ledger consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ledger {
    /// Runs that change nothing: four entries each.
    Observing,
    /// Runs that each carry out eight changes: twenty entries each, sixteen of which vouch for rows elsewhere.
    Enforcing,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn of_texts(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex(&hash.finalize())
}

/// Makes rows for [`fill`], in the order of their tables' ids.
struct Maker {
    ledger: Vec<Value>,
    intents: Vec<Value>,
    outcomes: Vec<Value>,
    runs: Vec<Value>,
    sets: Vec<Value>,
    previous: [u8; 32],
    sequence: i64,
    intent: i64,
}

const PLAN_BODY: &str = r#"{"id":"plan-0123456789ab","steps":[],"held":[],"tripped":[]}"#;

impl Maker {
    fn new() -> Self {
        Self {
            ledger: Vec::new(),
            intents: Vec::new(),
            outcomes: Vec::new(),
            runs: Vec::new(),
            sets: Vec::new(),
            previous: [0; 32],
            sequence: 0,
            intent: 0,
        }
    }

    fn entry(&mut self, kind: &str, run: &str, body: &Value) {
        self.sequence += 1;
        let (at, body) = (self.at(), body.to_string());
        let mut hash = Sha256::new();
        hash.update(b"amiwarden ledger entry 1");
        hash.update(self.previous);
        hash.update(self.sequence.to_be_bytes());
        hash.update(at.to_be_bytes());
        for text in [kind, run, &body] {
            if text == run {
                hash.update([1]);
            }
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        self.previous = hash.finalize().into();
        self.ledger.push(json!([self.sequence, at, kind, run, body, hex(&self.previous)]));
    }

    fn at(&self) -> i64 {
        1_780_000_000 + self.sequence
    }

    fn run(&mut self, shape: Ledger) {
        let (n, run) = (self.runs.len() + 1, format!("0197e5a0-0000-7000-8000-{:012x}", self.sequence));
        self.runs.push(json!([n, run]));
        let digest = "0123456789abcdef".repeat(4);
        let names = ["deprecate-first", "keep-newest", "require-imdsv2", "retire-stale", "strip-public"];
        let policies: Value = names.into_iter().map(|name| (name.to_owned(), json!(digest))).collect();
        let started = json!({
            "command": "run", "mode": "enforce", "version": "0.1.0", "config_digest": digest,
            "policies": policies,
        });
        self.entry("run-started", &run, &started);
        let scope = json!({ "account": "111122223333", "region": "eu-west-1" });
        let nothing = of_texts(&[]);
        self.sets.push(json!([n, self.at() + 1, nothing]));
        self.entry("decisions", &run, &json!({ "scope": scope, "images": 0, "sha256": nothing }));
        let sha256 = of_texts(&["plan-0123456789ab", PLAN_BODY]);
        self.entry("plan", &run, &json!({ "plan": "plan-0123456789ab", "sha256": sha256 }));
        if shape == Ledger::Enforcing {
            for index in 0..8 {
                self.change(&run, n, index, &scope);
            }
        }
        let totals = json!({
            "images": 10_000, "steps": 8, "held": 0, "kept": 9_992, "errors": 0, "done": 8, "failed": 0,
            "api_calls": 40,
        });
        let finished = json!({ "state": "finished", "plan": "plan-0123456789ab", "totals": totals });
        self.entry("run-finished", &run, &finished);
    }

    fn change(&mut self, run: &str, n: usize, index: i64, scope: &Value) {
        self.intent += 1;
        let (intent, image) = (self.intent, format!("ami-{:017x}", self.intent));
        let step = format!(r#"{{"image_id":"{image}","because":"{}"}}"#, "no launch for 91 days ".repeat(20));
        let before = format!(r#"{{"image":"{image}","tags":"{}"}}"#, "Family=app ".repeat(40));
        let at = (self.at() + 1).to_string();
        let columns = [run, "plan-0123456789ab", &index.to_string(), &image, &step, &before, &at];
        let sha256 = of_texts(&columns);
        self.intents.push(json!([intent, n, index, image, step, before, self.at() + 1]));
        let body = json!({
            "intent": intent, "plan": "plan-0123456789ab", "scope": scope, "image": image, "action": "disable",
            "sha256": sha256,
        });
        self.entry("intent", run, &body);
        let report = r#"{"rehearsal":"permitted","outcome":"done","request_id":"11111111-2222-3333-4444"}"#;
        let at = (self.at() + 1).to_string();
        let sha256 = of_texts(&[&intent.to_string(), "done", report, &at]);
        self.outcomes.push(json!([intent, "done", report, self.at() + 1]));
        let body = json!({
            "outcome_id": intent, "intent": intent, "outcome": "done",
            "request_id": "11111111-2222-3333-4444", "sha256": sha256,
        });
        self.entry("outcome", run, &body);
    }
}

async fn insert(connection: &mut SqliteConnection, sql: &'static str, rows: &[Value]) {
    for batch in rows.chunks(BATCH) {
        let batch = serde_json::to_string(batch).expect("JSON");
        sqlx::query(sql).bind(batch).execute(&mut *connection).await.expect("rows that fit");
    }
}

/// Fills the store in `directory` with a ledger of that shape.
async fn fill(directory: &Path, shape: Ledger) {
    let path = directory.join("amiwarden.db");
    Store::open(&path, StoreOptions::default()).await.expect("a new store").close().await.expect("closed");
    let mut maker = Maker::new();
    while maker.sequence < ENTRIES {
        maker.run(shape);
    }
    let options = SqliteConnectOptions::new().filename(&path).foreign_keys(false);
    let mut connection = options.connect().await.expect("the store's file");
    let mut tx = connection.begin().await.expect("a transaction");
    sqlx::raw_sql("insert into scope values (1, '111122223333', 'eu-west-1')")
        .execute(&mut *tx)
        .await
        .expect("a scope");
    sqlx::query("insert into plan values (1, 'plan-0123456789ab', 1, 1780000003, ?1)")
        .bind(PLAN_BODY)
        .execute(&mut *tx)
        .await
        .expect("a plan");
    let runs = "insert into run (run_id, run_key, command, mode, version, config_digest, started_at, state)
                select value ->> 0, value ->> 1, 'run', 'enforce', '0.1.0', 'c0ffee', 0, 'finished'
                from json_each(?1)";
    insert(&mut tx, runs, &maker.runs).await;
    let sets = "insert into decision_set
                select value ->> 0, 1, value ->> 1, 0, unhex(value ->> 2) from json_each(?1)";
    insert(&mut tx, sets, &maker.sets).await;
    let intents = "insert into intent
                   select value ->> 0, value ->> 1, 1, value ->> 2, 1, value ->> 3, value ->> 4, value ->> 5,
                          value ->> 6
                   from json_each(?1)";
    insert(&mut tx, intents, &maker.intents).await;
    let outcomes = "insert into outcome
                    select value ->> 0, value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each(?1)";
    insert(&mut tx, outcomes, &maker.outcomes).await;
    let ledger = "insert into ledger
                  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, unhex(value ->> 5)
                  from json_each(?1)";
    insert(&mut tx, ledger, &maker.ledger).await;
    tx.commit().await.expect("committed");
    connection.close().await.expect("closed");
}

fn verify(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("verify the ledger");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    for (name, shape) in [("observing runs", Ledger::Observing), ("enforcing runs", Ledger::Enforcing)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        runtime.block_on(fill(directory.path(), shape));
        let reader = runtime.block_on(StoreReader::open(&directory.path().join("amiwarden.db")));
        let reader = reader.expect("a store");
        let verification = runtime.block_on(reader.verify(None)).expect("a ledger");
        assert!(verification.is_intact(), "{:?}", verification.findings.first());
        group.throughput(Throughput::Elements(verification.entries as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(reader.verify(None)).expect("a ledger"));
        });
        runtime.block_on(reader.close());
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
