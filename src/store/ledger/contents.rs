//! What the entries vouch for: plans, decisions, intents and outcomes are stored in tables of their own, and the
//! ledger holds their digests.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{PlanId, Scope};
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::body::{DecisionsBody, IntentBody, OutcomeBody, PlanBody};
use super::encoding::EntryKind;
use super::verify::{LedgerFinding, Row};
use crate::store::column::count;
use crate::store::decisions::set_digest;
use crate::store::error::During;
use crate::store::plans::plan_digest;
use crate::store::sha::Sha;
use crate::store::steps::{IntentColumns, intent_digest, outcome_digest};
use crate::store::{IntentId, StoreError};

const CHECK: &str = "check what the ledger records";

/// The walk's view of everything that the entries so far vouch for.
#[derive(Default)]
pub(super) struct Contents {
    /// The decisions that stand in each scope, by image.
    standing: BTreeMap<Scope, BTreeMap<String, Sha>>,
    plans: BTreeSet<PlanId>,
    decisions: usize,
    intents: usize,
    outcomes: usize,
}

impl Contents {
    /// Compares what one entry vouches for with what is stored.
    pub(super) async fn check(
        &mut self,
        connection: &mut SqliteConnection,
        row: &Row,
    ) -> Result<Option<LedgerFinding>, StoreError> {
        let (kind, body) = (row.kind.as_str(), row.body.as_str());
        // A body that cannot be read is not what was hashed, which is a finding already.
        let (what, is_intact) = if kind == EntryKind::Plan.as_str() {
            let Some(body) = read::<PlanBody>(body) else { return Ok(None) };
            (body.plan.to_string(), self.plan(connection, &body).await?)
        } else if kind == EntryKind::Decisions.as_str() {
            let Some(body) = read::<DecisionsBody>(body) else { return Ok(None) };
            let what = format!("what was decided about {}", body.scope);
            (what, self.decisions(connection, row.run_key.as_deref(), &body).await?)
        } else if kind == EntryKind::Intent.as_str() {
            let Some(body) = read::<IntentBody>(body) else { return Ok(None) };
            (format!("intent {}", body.intent), self.intent(connection, &body).await?)
        } else if kind == EntryKind::Outcome.as_str() || kind == EntryKind::Settlement.as_str() {
            let Some(body) = read::<OutcomeBody>(body) else { return Ok(None) };
            (format!("an outcome of intent {}", body.intent), self.outcome(connection, &body).await?)
        } else {
            return Ok(None);
        };
        Ok((!is_intact).then_some(LedgerFinding::Contents { sequence: row.sequence, what }))
    }

    async fn plan(
        &mut self,
        connection: &mut SqliteConnection,
        entry: &PlanBody,
    ) -> Result<bool, StoreError> {
        self.plans.insert(entry.plan.clone());
        let body: Option<String> = sqlx::query_scalar("select body from plan where plan_key = ?1")
            .bind(entry.plan.as_str())
            .fetch_optional(connection)
            .await
            .during(CHECK)?;
        Ok(body.is_some_and(|body| plan_digest(entry.plan.as_str(), &body) == entry.sha256))
    }

    /// Takes in what the run changed, and compares all that stands in the scope from then on.
    async fn decisions(
        &mut self,
        connection: &mut SqliteConnection,
        run: Option<&str>,
        entry: &DecisionsBody,
    ) -> Result<bool, StoreError> {
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "select image.image_key, decision.body
             from run
             join decision using (run_id)
             join image using (image_id)
             join scope using (scope_id)
             where run.run_key = ?1 and scope.account = ?2 and scope.region = ?3
             order by decision.decision_id",
        )
        .bind(run)
        .bind(entry.scope.account.as_str())
        .bind(entry.scope.region.as_str())
        .fetch_all(connection)
        .await
        .during(CHECK)?;
        self.decisions += rows.len();
        let standing = self.standing.entry(entry.scope.clone()).or_default();
        for (image, body) in rows {
            match body {
                Some(body) => standing.insert(image, Sha::of(body.as_bytes())),
                None => standing.remove(&image),
            };
        }
        let digest = set_digest(standing.iter().map(|(image, digest)| (image.as_str(), digest)));
        Ok(digest == entry.sha256)
    }

    async fn intent(
        &mut self,
        connection: &mut SqliteConnection,
        entry: &IntentBody,
    ) -> Result<bool, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            run_key: String,
            plan_key: String,
            step_index: i64,
            image_key: String,
            step: String,
            before: String,
            at: i64,
        }
        self.intents += 1;
        let row: Option<Row> = sqlx::query_as(
            "select run.run_key, plan.plan_key, intent.step_index, intent.image_key, intent.step, intent.before,
                    intent.at
             from intent
             join run on run.run_id = intent.run_id
             join plan on plan.plan_id = intent.plan_id
             where intent.intent_id = ?1",
        )
        .bind(entry.intent.0)
        .fetch_optional(connection)
        .await
        .during(CHECK)?;
        let digest = row.map(|row| {
            intent_digest(&IntentColumns {
                run: &row.run_key,
                plan: &row.plan_key,
                index: row.step_index,
                image: &row.image_key,
                step: &row.step,
                before: &row.before,
                at: row.at,
            })
        });
        Ok(digest == Some(entry.sha256))
    }

    async fn outcome(
        &mut self,
        connection: &mut SqliteConnection,
        entry: &OutcomeBody,
    ) -> Result<bool, StoreError> {
        self.outcomes += 1;
        let row: Option<(i64, String, String, i64)> =
            sqlx::query_as("select intent_id, outcome, report, at from outcome where outcome_id = ?1")
                .bind(entry.outcome_id)
                .fetch_optional(connection)
                .await
                .during(CHECK)?;
        let digest =
            row.map(|(intent, outcome, report, at)| outcome_digest(IntentId(intent), &outcome, &report, at));
        Ok(digest == Some(entry.sha256))
    }

    /// Whether there are as many rows as entries vouch for.
    pub(super) async fn finish(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<LedgerFinding>, StoreError> {
        let (plans, decisions, intents, outcomes): (i64, i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from plan), (select count(*) from decision),
                    (select count(*) from intent), (select count(*) from outcome)",
        )
        .fetch_one(connection)
        .await
        .during(CHECK)?;
        let surplus = [
            ("plans", plans - count(self.plans.len())),
            ("decisions", decisions - count(self.decisions)),
            ("intents", intents - count(self.intents)),
            ("outcomes", outcomes - count(self.outcomes)),
        ];
        let surplus = surplus.into_iter().filter(|(_, rows)| *rows != 0);
        Ok(surplus.map(|(what, rows)| LedgerFinding::Unrecorded { what, rows }).collect())
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Option<T> {
    serde_json::from_str(body).ok()
}
