//! What must hold whatever happened on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use amiwarden::store::{RunState, StoreReader};
use amiwarden_core::{ImageId, RunId};
use amiwarden_sandbox::{Cloud, ExchangeEvent, ExchangePoint, RequestRecord, Sandbox, Verdict};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::scene::{self, End, EndState, Place, RUNTIME, Victim};

/// How long a case may take to come to its end, and the pause before the program is started again: an operator
/// waits longer.
const RECOVERY_MAX: Duration = Duration::from_mins(1);
const RECOVERY_PAUSE: Duration = Duration::from_millis(300);

/// What an undisturbed run comes to, and what its requests go through.
pub(crate) static UNDISTURBED: LazyLock<(EndState, Vec<ExchangeEvent>)> = LazyLock::new(|| {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = events.clone();
    let stage = Stage::set(move |event, _| {
        log.lock().unwrap().push(event.clone());
        Verdict::Continue
    });
    let end = scene::enforce(&stage.place, &stage.victim, &[]);
    assert!(matches!(&end, End::Reported(report) if is_complete(report)), "the undisturbed run failed");
    stage.check_store().unwrap();
    let events = events.lock().unwrap().clone();
    let changes = events.iter().filter(|event| is_sent_change(event)).count();
    assert!(changes >= 10, "too little is due: {events:?}");
    (EndState::of(stage.account.cloud()), events)
});

/// Whether a request that is to change something has just arrived.
pub(crate) fn is_sent_change(event: &ExchangeEvent) -> bool {
    event.is_change && !event.dry_run && event.point == ExchangePoint::Received
}

/// A scene with an account whose exchanges somebody watches.
pub(crate) struct Stage {
    pub(crate) account: Sandbox,
    pub(crate) place: Place,
    pub(crate) victim: Arc<Victim>,
    violations: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    /// `watch` sees each point of each exchange. Besides, every change is held against the store as it arrives.
    pub(crate) fn set(watch: impl Fn(&ExchangeEvent, &Victim) -> Verdict + Send + Sync + 'static) -> Self {
        let account = scene::account();
        let place = Place::facing(&account.endpoint_url());
        let (victim, violations) = (Arc::new(Victim::default()), Arc::new(Mutex::new(Vec::new())));
        let (doomed, found, database) = (victim.clone(), violations.clone(), place.database());
        account.cloud().on_exchange(Arc::new(move |event| {
            if is_sent_change(event) {
                found.lock().unwrap().extend(is_intended(&database, event).err());
            }
            watch(event, &doomed)
        }));
        Self { account, place, victim, violations }
    }

    /// Starts the program until it has nothing left to do, then checks everything.
    pub(crate) fn recover_and_check(&self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            match scene::enforce(&self.place, &self.victim, &[]) {
                // What a late effect has settled meanwhile is nothing to do any more, and noted at the next start.
                End::Reported(report) if is_complete(&report) && self.open_intents()? == 0 => break,
                End::Reported(report) if started.elapsed() > RECOVERY_MAX => {
                    return Err(format!("it does not come to an end: {}", report["steps"]));
                }
                End::Reported(_) => thread::sleep(RECOVERY_PAUSE),
                End::Killed => return Err("somebody else killed it".to_owned()),
                End::Broken(reason) => return Err(reason),
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let violations = self.violations.lock().unwrap();
        ensure(violations.is_empty(), || violations.join("; "))?;
        self.check_store()?;
        let intents = RUNTIME.block_on(disable_intents(&self.place.database()))?;
        applied_once(self.account.cloud(), &intents)?;
        let (expected, found) = (&UNDISTURBED.0, EndState::of(self.account.cloud()));
        ensure(*expected == found, || format!("another end state:\n{found:#?}\nundisturbed:\n{expected:#?}"))
    }

    fn open_intents(&self) -> Result<usize, String> {
        let open = RUNTIME.block_on(async {
            let reader = StoreReader::open(&self.place.database()).await?;
            let open = reader.open_intents().await?;
            reader.close().await;
            anyhow::Ok(open.len())
        });
        open.map_err(|error| format!("the store: {error:#}"))
    }

    fn check_store(&self) -> Result<(), String> {
        RUNTIME.block_on(check_store(&self.place)).map_err(|error| format!("the store: {error:#}"))?
    }
}

/// Whether everything that was due is done.
fn is_complete(report: &Value) -> bool {
    let is_done = |step: &Value| step["outcome"] == "done" || step["outcome"] == "already-done";
    report["steps"].as_array().is_some_and(|steps| steps.iter().all(is_done))
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// No change without a durable intent: one that is still open, for the image that the request names.
fn is_intended(database: &Path, event: &ExchangeEvent) -> Result<(), String> {
    let open = async {
        let mut connection = read_only(database).await?;
        sqlx::query_scalar::<_, i64>(
            "select count(*) from intent where image_key = ?1
             and not exists (select 1 from outcome where outcome.intent_id = intent.intent_id)",
        )
        .bind(event.image_ids.first())
        .fetch_one(&mut connection)
        .await
    };
    // The account calls from its own tasks, where nobody may wait for another task.
    let open: Result<i64, sqlx::Error> =
        thread::scope(|scope| scope.spawn(|| RUNTIME.block_on(open)).join().unwrap());
    match open {
        Ok(1) => Ok(()),
        Ok(open) => Err(format!("{event:?} with {open} open intents")),
        Err(error) => Err(format!("{event:?} while the store cannot be read: {error}")),
    }
}

async fn read_only(database: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(database).read_only(true).connect().await
}

/// The ledger is intact, every intent has ended in an outcome that is known, every run has ended one way or another,
/// and whatever was to be carried out has a decision behind it.
async fn check_store(place: &Place) -> anyhow::Result<Result<(), String>> {
    let reader = StoreReader::open(&place.database()).await?;
    let verification = reader.verify(Some(&place.head())).await?;
    let open = reader.open_intents().await?;
    let runs = reader.runs(1000).await?;
    let intents: Vec<(String, String)> = sqlx::query_as(
        "select run.run_key, intent.image_key from intent join run on run.run_id = intent.run_id",
    )
    .fetch_all(&mut read_only(&place.database()).await?)
    .await?;
    let mut undecided = Vec::new();
    for (run, image) in &intents {
        if reader.decision_at(&ImageId::new(image), &RunId::new(run)).await?.is_none() {
            undecided.push(image);
        }
    }
    reader.close().await;
    let states: Vec<RunState> = runs.iter().map(|run| run.state).collect();
    let ended = states.first() == Some(&RunState::Finished) && !states.contains(&RunState::Running);
    Ok(ensure(verification.is_intact(), || format!("the ledger has findings: {:?}", verification.findings))
        .and_then(|()| ensure(open.is_empty(), || format!("intents without a known outcome: {open:?}")))
        .and_then(|()| ensure(ended, || format!("runs, the newest first: {states:?}")))
        .and_then(|()| ensure(undecided.is_empty(), || format!("no decision about {undecided:?}"))))
}

/// How often each image was to be disabled.
async fn disable_intents(database: &Path) -> Result<BTreeMap<String, i64>, String> {
    let rows: Result<Vec<(String, i64)>, sqlx::Error> = async {
        let mut connection = read_only(database).await?;
        sqlx::query_as(
            "select image_key, count(*) from intent where step ->> 'change' = 'Disable' group by 1",
        )
        .fetch_all(&mut connection)
        .await
    }
    .await;
    rows.map(BTreeMap::from_iter).map_err(|error| error.to_string())
}

/// At most one applied effect per step. The tag that dates a disable belongs to the attempt, not to the image: each
/// attempt that was written down may set it once.
fn applied_once(cloud: &Cloud, disables: &BTreeMap<String, i64>) -> Result<(), String> {
    let mut applied: BTreeMap<(String, String), i64> = BTreeMap::new();
    for request in cloud.requests().into_iter().filter(|request| request.applied) {
        let RequestRecord { action, image_ids, parameters, .. } = request;
        let tag = parameters.get("Tag.1.Key").map_or("", String::as_str);
        *applied.entry((image_ids.join(" "), format!("{action} {tag}"))).or_default() += 1;
    }
    let too_often = applied.into_iter().find(|((image, effect), times)| {
        let dates_a_disable = effect.ends_with("amiwarden:disabled-at");
        *times > if dates_a_disable { disables.get(image).copied().unwrap_or(0) } else { 1 }
    });
    ensure(too_often.is_none(), || format!("applied more than once: {too_often:?}"))
}
