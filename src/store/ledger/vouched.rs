//! What is stored of that which a page of entries vouches for: a few statements for a whole page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amiwarden_core::{PlanId, Scope};
use futures::TryStreamExt;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::body::DecisionsBody;
use super::claim::{IntentClaim, OutcomeClaim};
use super::decided::{Decided, StoredDecision, StoredRuns};
use super::keys::{Keys, Pointers};
use super::packed::{PackedRows, pack};
use crate::store::column::to_json;
use crate::store::error::During;
use crate::store::plans::plan_digest;
use crate::store::sha::Sha;
use crate::store::steps::{IntentColumns, intent_digest, outcome_digest};
use crate::store::{IntentId, StoreError};

// `cross join` keeps SQLite from choosing the order of the tables ("Query Planning", sqlite.org): from the list to
// the few rows that it names, never the other way round.

pub(super) const CHECK: &str = "check what the ledger records";

/// What to look up.
#[derive(Default)]
pub(super) struct Wanted {
    plans: BTreeSet<PlanId>,
    runs: Vec<String>,
    intents: Numbers,
    /// Those that undo others.
    undoing: Numbers,
    outcomes: Numbers,
}

/// Numbers of rows. Those of neighbouring entries follow each other, so they are kept as ranges.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) ranges: Vec<[i64; 2]>,
}

impl Numbers {
    pub(super) fn add(&mut self, number: i64) {
        match self.ranges.last_mut() {
            Some([first, last]) if (*first..=*last).contains(&number) => {}
            Some([_, last]) if last.checked_add(1) == Some(number) => *last = number,
            Some(_) | None => self.ranges.push([number; 2]),
        }
    }
}

/// What is stored, as it comes from SQLite.
pub(super) struct Stored {
    runs: StoredRuns,
    intents: PackedRows,
    undone: Vec<(i64, i64)>,
    outcomes: PackedRows,
}

/// What is there. What could not be read as what amiwarden writes is absent.
pub(super) struct Vouched<'a> {
    decided: Decided<'a>,
    keys: Keys,
    /// By their numbers, as the outcomes.
    intents: Vec<StoredIntent<'a>>,
    outcomes: Vec<(i64, Sha)>,
    /// Intents, and those that they undo.
    undone: &'a [(i64, i64)],
}

/// A plan, and when it was made first.
pub(super) struct StoredPlan {
    pub(super) digest: Sha,
    pub(super) run: String,
    pub(super) at: i64,
}

/// An intent, as its row holds it.
#[derive(Clone, Copy)]
struct StoredIntent<'a> {
    id: i64,
    run: i64,
    plan: i64,
    scope: i64,
    index: i64,
    at: i64,
    image: &'a [u8],
    step: &'a [u8],
    before: &'a [u8],
}

impl Wanted {
    pub(super) fn add_plan(&mut self, plan: &PlanId) {
        if !self.plans.contains(plan) {
            self.plans.insert(plan.clone());
        }
    }

    pub(super) fn add_run(&mut self, run: &[u8]) {
        // A run's entries about its scopes follow each other; those that do not are looked up twice.
        if self.runs.last().is_none_or(|last| last.as_bytes() != run) {
            self.runs.push(String::from_utf8_lossy(run).into_owned());
        }
    }

    pub(super) fn add_intent(&mut self, claim: &IntentClaim<'_>) {
        self.intents.add(claim.intent);
        if !claim.undoes.is_empty() {
            self.undoing.add(claim.intent);
        }
    }

    pub(super) fn add_outcome(&mut self, outcome: i64) {
        self.outcomes.add(outcome);
    }

    /// Adds the plans to those that are known.
    pub(super) async fn read_plans(
        &self,
        connection: &mut SqliteConnection,
        plans: &mut BTreeMap<PlanId, Option<StoredPlan>>,
    ) -> Result<(), StoreError> {
        if self.plans.is_empty() {
            return Ok(());
        }
        // Row by row: a plan may be long.
        let mut rows = sqlx::query_as(
            "select plan.plan_key, plan.body, run.run_key, plan.at
             from json_each(?1)
             cross join plan on plan.plan_key = json_each.value
             join run on run.run_id = plan.run_id",
        )
        .bind(list(&self.plans)?)
        .fetch(connection);
        while let Some(row) = rows.try_next().await.during(CHECK)? {
            let (plan, body, run, at): (String, Vec<u8>, String, i64) = row;
            let digest = plan_digest(plan.as_bytes(), &body);
            plans.insert(PlanId::new(plan), Some(StoredPlan { digest, run, at }));
        }
        for plan in &self.plans {
            plans.entry(plan.clone()).or_default();
        }
        Ok(())
    }

    /// Everything but the plans.
    pub(super) async fn read(&self, connection: &mut SqliteConnection) -> Result<Stored, StoreError> {
        let runs = StoredRuns::read(connection, &self.runs).await?;
        let intents = packed(connection, INTENTS, &self.intents).await?;
        let undone = undone(connection, &self.undoing).await?;
        let outcomes = packed(connection, OUTCOMES, &self.outcomes).await?;
        Ok(Stored { runs, intents, undone, outcomes })
    }
}

impl<'a> Vouched<'a> {
    /// Looks up the decisions of the runs, and the names that rows point to, too.
    pub(super) async fn unpack(
        connection: &mut SqliteConnection,
        wanted: &Wanted,
        stored: &'a Stored,
    ) -> Result<Self, StoreError> {
        let intents = read_intents(&stored.intents)?;
        let decided = Decided::unpack(connection, &wanted.runs, &stored.runs).await?;
        let mut pointers = Pointers::default();
        pointers.scopes.extend(decided.scopes());
        for intent in &intents {
            pointers.runs.insert(intent.run);
            pointers.plans.insert(intent.plan);
            pointers.scopes.insert(intent.scope);
        }
        Ok(Self {
            decided,
            keys: Keys::read(connection, &pointers).await?,
            intents,
            outcomes: read_outcomes(&stored.outcomes)?,
            undone: &stored.undone,
        })
    }

    /// The changes of decisions that a run made in a scope.
    pub(super) fn changed(&self, run: &[u8], scope: &Scope) -> Arc<Vec<StoredDecision>> {
        self.decided.changed(run, scope)
    }

    /// Whether it is stored that the run decided at that time as the entry says.
    pub(super) fn has_set(&self, run: &[u8], at: i64, body: &DecisionsBody) -> bool {
        self.decided.has_set(run, at, body, &self.keys)
    }

    /// Whether the intent is stored as the entry says, and undoes what the entry says.
    pub(super) fn has_intent(&self, claim: &IntentClaim<'_>) -> bool {
        let Ok(index) = self.intents.binary_search_by_key(&claim.intent, |stored| stored.id) else {
            return false;
        };
        let StoredIntent { run, plan, scope, index, at, image, step, before, .. } = self.intents[index];
        let keys = (self.keys.runs.get(&run), self.keys.plans.get(&plan), self.keys.scopes.get(&scope));
        let (Some(run), Some(plan), Some((account, region))) = keys else { return false };
        let undone = self.undone.iter().filter(|(undoing, _)| *undoing == claim.intent);
        let undone: BTreeSet<i64> = undone.map(|(_, undone)| *undone).collect();
        undone == claim.undoes.iter().copied().collect()
            && *account == claim.scope.account.as_bytes()
            && *region == claim.scope.region.as_bytes()
            && intent_digest(&IntentColumns { run, plan, index, image, step, before, at }) == claim.sha256
    }

    /// Whether the outcome is stored as the entry says.
    pub(super) fn has_outcome(&self, claim: &OutcomeClaim) -> bool {
        let found = self.outcomes.binary_search_by_key(&claim.outcome_id, |(id, _)| *id);
        found.is_ok_and(|index| self.outcomes[index].1 == claim.sha256)
    }
}

/// What these intents undo. Few intents undo anything.
async fn undone(connection: &mut SqliteConnection, intents: &Numbers) -> Result<Vec<(i64, i64)>, StoreError> {
    if intents.ranges.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as(
        "select undo.intent_id, undo.undone_intent_id
         from json_each(?1) as span
         cross join undo on undo.intent_id between span.value ->> 0 and span.value ->> 1",
    )
    .bind(list(&intents.ranges)?)
    .fetch_all(connection)
    .await
    .during(CHECK)
}

const INTENTS: &str = concat!(
    "select ",
    pack!(
        ["intent_id", "run_id", "plan_id", "scope_id", "step_index", "at"],
        ["image_key", "step", "before"]
    ),
    " from json_each(?1) as span
      cross join intent on intent.intent_id between span.value ->> 0 and span.value ->> 1"
);

const OUTCOMES: &str = concat!(
    "select ",
    pack!(["outcome_id", "intent_id", "at"], ["outcome", "report"]),
    " from json_each(?1) as span
      cross join outcome on outcome.outcome_id between span.value ->> 0 and span.value ->> 1"
);

/// The rows of these numbers, as the statement packs them.
async fn packed(
    connection: &mut SqliteConnection,
    sql: &'static str,
    wanted: &Numbers,
) -> Result<PackedRows, StoreError> {
    if wanted.ranges.is_empty() {
        return Ok(PackedRows::default());
    }
    read_packed(connection, sql, list(&wanted.ranges)?).await
}

pub(super) async fn read_packed(
    connection: &mut SqliteConnection,
    sql: &'static str,
    wanted: String,
) -> Result<PackedRows, StoreError> {
    Ok(sqlx::query(sql).bind(wanted).fetch_one(connection).await.during(CHECK)?.into())
}

fn read_intents(packed: &PackedRows) -> Result<Vec<StoredIntent<'_>>, StoreError> {
    let mut packed = packed.rows()?;
    let mut intents = Vec::new();
    while !packed.is_at_end() {
        let ([id, run, plan, scope, index, at], [image, step, before]) = packed.full_row()?;
        intents.push(StoredIntent { id, run, plan, scope, index, at, image, step, before });
    }
    intents.sort_by_key(|intent| intent.id);
    Ok(intents)
}

fn read_outcomes(packed: &PackedRows) -> Result<Vec<(i64, Sha)>, StoreError> {
    let mut packed = packed.rows()?;
    let mut outcomes = Vec::new();
    while !packed.is_at_end() {
        let ([id, intent, at], [outcome, report]) = packed.full_row()?;
        outcomes.push((id, outcome_digest(IntentId(intent), outcome, report, at)));
    }
    outcomes.sort_by_key(|(id, _)| *id);
    Ok(outcomes)
}

pub(super) fn list<T: Serialize + ?Sized>(wanted: &T) -> Result<String, StoreError> {
    to_json("a list of rows", wanted)
}
