//! What is stored of that which a page of entries vouches for: a few statements for a whole page.

use std::collections::{BTreeMap, HashMap};

use amiwarden_core::{PlanId, Scope};
use futures::TryStreamExt;
use futures::future::join;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::packed::{Packed, pack};
use crate::store::column::{read_scope, to_json};
use crate::store::error::During;
use crate::store::plans::plan_digest;
use crate::store::sha::Sha;
use crate::store::steps::{IntentColumns, intent_digest, outcome_digest};
use crate::store::{IntentId, StoreError};

// `cross join` keeps SQLite from choosing the order of the tables ("Query Planning", sqlite.org): from the list to
// the few rows that it names, never the other way round.

const CHECK: &str = "check what the ledger records";

/// What to look up.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) plans: Vec<PlanId>,
    pub(super) runs: Vec<String>,
    pub(super) intents: Vec<i64>,
    pub(super) outcomes: Vec<i64>,
}

/// What is there. What could not be read as what amiwarden writes is absent.
#[derive(Default)]
pub(super) struct Vouched {
    pub(super) plans: BTreeMap<PlanId, StoredPlan>,
    pub(super) decisions: BTreeMap<(String, Scope), Vec<StoredDecision>>,
    pub(super) intents: HashMap<i64, StoredIntent>,
    pub(super) outcomes: HashMap<i64, Sha>,
}

/// A plan, and when it was made first.
pub(super) struct StoredPlan {
    pub(super) digest: Sha,
    pub(super) run: String,
    pub(super) at: i64,
}

/// That an image's decision changed.
pub(super) struct StoredDecision {
    pub(super) image: String,
    /// Of its text; absent where the image is not decided about any more.
    pub(super) digest: Option<Sha>,
    /// Whether the digest in the row is that of its text.
    pub(super) is_consistent: bool,
    pub(super) at: i64,
}

/// An intent.
pub(super) struct StoredIntent {
    pub(super) digest: Sha,
    pub(super) account: Vec<u8>,
    pub(super) region: Vec<u8>,
}

impl Vouched {
    pub(super) async fn read(connection: &mut SqliteConnection, wanted: &Wanted) -> Result<Self, StoreError> {
        let mut vouched = Self::default();
        if !wanted.plans.is_empty() {
            vouched.plans = plans(connection, &wanted.plans).await?;
        }
        if !wanted.runs.is_empty() {
            vouched.decisions = decisions(connection, &wanted.runs).await?;
        }
        let intents = packed(connection, INTENTS, &wanted.intents).await?;
        // While SQLite reads on, this thread hashes.
        let (outcomes, intents) =
            join(packed(connection, OUTCOMES, &wanted.outcomes), async { read_intents(&intents) }).await;
        vouched.intents = intents?;
        vouched.outcomes = read_outcomes(&outcomes?)?;
        Ok(vouched)
    }
}

async fn plans(
    connection: &mut SqliteConnection,
    wanted: &[PlanId],
) -> Result<BTreeMap<PlanId, StoredPlan>, StoreError> {
    // One after the other: a plan may be long, and each is looked at once.
    let mut plans = BTreeMap::new();
    for plan in wanted {
        let row: Option<(Vec<u8>, String, i64)> = sqlx::query_as(
            "select plan.body, run.run_key, plan.at from plan join run on run.run_id = plan.run_id
             where plan.plan_key = ?1",
        )
        .bind(plan.as_str())
        .fetch_optional(&mut *connection)
        .await
        .during(CHECK)?;
        let Some((body, run, at)) = row else { continue };
        let digest = plan_digest(plan.as_str().as_bytes(), &body);
        plans.insert(plan.clone(), StoredPlan { digest, run, at });
    }
    Ok(plans)
}

async fn decisions(
    connection: &mut SqliteConnection,
    runs: &[String],
) -> Result<BTreeMap<(String, Scope), Vec<StoredDecision>>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        run_key: String,
        account: String,
        region: String,
        image_key: String,
        at: i64,
        body: Option<Vec<u8>>,
        digest: Vec<u8>,
    }
    let runs = list(runs)?;
    // Row by row: the first run of a store decides about every image.
    let mut rows = sqlx::query_as(
        "select run.run_key, scope.account, scope.region, image.image_key, decision.at, decision.body,
                decision.digest
         from json_each(?1)
         cross join run on run.run_key = json_each.value
         cross join decision using (run_id)
         join image using (image_id)
         join scope using (scope_id)
         order by json_each.key, decision.decision_id",
    )
    .bind(&runs)
    .fetch(connection);
    let mut decisions: BTreeMap<(String, Scope), Vec<StoredDecision>> = BTreeMap::new();
    while let Some(row) = rows.try_next().await.during(CHECK)? {
        let row: Row = row;
        let Ok(scope) = read_scope(&row.account, row.region) else { continue };
        let digest = row.body.as_deref().map(Sha::of);
        let is_consistent = row.digest == digest.as_ref().map_or(&[][..], |digest| &digest.0);
        let decision = StoredDecision { image: row.image_key, digest, is_consistent, at: row.at };
        decisions.entry((row.run_key, scope)).or_default().push(decision);
    }
    Ok(decisions)
}

const INTENTS: &str = concat!(
    "select ",
    pack!(
        "intent_id",
        "run_key",
        "plan_key",
        "step_index",
        "image_key",
        "step",
        "before",
        "at",
        "account",
        "region"
    ),
    " from (
        select intent.intent_id, run.run_key, plan.plan_key, intent.step_index, intent.image_key, intent.step,
               intent.before, intent.at, scope.account, scope.region
        from json_each(?1)
        cross join intent on intent.intent_id = json_each.value
        join run on run.run_id = intent.run_id
        join plan on plan.plan_id = intent.plan_id
        join scope on scope.scope_id = intent.scope_id
     )"
);

const OUTCOMES: &str = concat!(
    "select ",
    pack!("outcome_id", "intent_id", "outcome", "report", "at"),
    " from json_each(?1) cross join outcome on outcome.outcome_id = json_each.value"
);

/// The rows of these numbers, as the statement packs them.
async fn packed(
    connection: &mut SqliteConnection,
    sql: &'static str,
    wanted: &[i64],
) -> Result<Vec<u8>, StoreError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let packed: Option<Vec<u8>> =
        sqlx::query_scalar(sql).bind(list(wanted)?).fetch_one(connection).await.during(CHECK)?;
    Ok(packed.unwrap_or_default())
}

fn read_intents(packed: &[u8]) -> Result<HashMap<i64, StoredIntent>, StoreError> {
    let mut packed = Packed::new(packed);
    let mut intents = HashMap::new();
    while !packed.is_at_end() {
        let id = packed.integer()?;
        let columns = IntentColumns {
            run: packed.bytes()?,
            plan: packed.bytes()?,
            index: packed.integer()?,
            image: packed.bytes()?,
            step: packed.bytes()?,
            before: packed.bytes()?,
            at: packed.integer()?,
        };
        let digest = intent_digest(&columns);
        let (account, region) = (packed.bytes()?.to_vec(), packed.bytes()?.to_vec());
        intents.insert(id, StoredIntent { digest, account, region });
    }
    Ok(intents)
}

fn read_outcomes(packed: &[u8]) -> Result<HashMap<i64, Sha>, StoreError> {
    let mut packed = Packed::new(packed);
    let mut outcomes = HashMap::new();
    while !packed.is_at_end() {
        let (id, intent) = (packed.integer()?, IntentId(packed.integer()?));
        let (outcome, report, at) = (packed.bytes()?, packed.bytes()?, packed.integer()?);
        outcomes.insert(id, outcome_digest(intent, outcome, report, at));
    }
    Ok(outcomes)
}

fn list<T: Serialize>(wanted: &[T]) -> Result<String, StoreError> {
    to_json("a list of rows", wanted)
}
