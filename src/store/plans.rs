//! Plans, named by their content, and what else is found by its digest.

use amiwarden_core::{Plan, PlanId, RunId, Timestamp};
use sqlx::SqliteConnection;

use super::column::{from_json, to_json};
use super::error::During;
use super::ledger::{EntryKind, PlanBody, append};
use super::sha::Sha;
use super::{Store, StoreError, StoreReader, run_row};

const RECORD: &str = "record a plan";
const READ: &str = "read a plan";

impl Store {
    /// Records the plan that a run made or carries out. A plan that is known already is not stored again: its
    /// reasons stay those of the day on which it was made first.
    pub async fn record_plan(&self, run_id: &RunId, plan: &Plan, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin(RECORD).await?;
        let run = run_row(&mut tx, run_id).await?;
        let known: Option<(i64, String)> =
            sqlx::query_as("select plan_id, body from plan where plan_key = ?1")
                .bind(plan.id.as_str())
                .fetch_optional(&mut *tx)
                .await
                .during(RECORD)?;
        let (plan_id, body) = if let Some(known) = known {
            known
        } else {
            let body = to_json("a plan", plan)?;
            let plan_id = sqlx::query_scalar(
                "insert into plan (plan_key, run_id, at, body) values (?1, ?2, ?3, ?4) returning plan_id",
            )
            .bind(plan.id.as_str())
            .bind(run)
            .bind(now.as_second())
            .bind(&body)
            .fetch_one(&mut *tx)
            .await
            .during(RECORD)?;
            (plan_id, body)
        };
        sqlx::query("update run set plan_id = ?2 where run_id = ?1")
            .bind(run)
            .bind(plan_id)
            .execute(&mut *tx)
            .await
            .during(RECORD)?;
        let sha256 = plan_digest(plan.id.as_str().as_bytes(), body.as_bytes());
        let body = PlanBody { plan: plan.id.clone(), sha256 };
        append(&mut tx, EntryKind::Plan, Some(run_id), now, &body).await?;
        tx.commit().await.during(RECORD)
    }
}

impl StoreReader {
    /// A plan by its full name.
    pub async fn plan(&self, id: &PlanId) -> Result<Option<Plan>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let body: Option<String> = sqlx::query_scalar("select body from plan where plan_key = ?1")
            .bind(id.as_str())
            .fetch_optional(&mut *connection)
            .await
            .during(READ)?;
        body.map(|body| from_json("a plan", &body)).transpose()
    }

    /// The plan of the newest run that has one.
    pub async fn newest_plan(&self) -> Result<Option<PlanId>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let key: Option<String> = sqlx::query_scalar(
            "select plan.plan_key from run join plan on plan.plan_id = run.plan_id
             order by run.run_id desc limit 1",
        )
        .fetch_optional(&mut *connection)
        .await
        .during(READ)?;
        Ok(key.map(PlanId::new))
    }

    /// The plans whose names begin so, the newest first, at most `limit`. More than one: the beginning is
    /// ambiguous. The leading `plan-` may be left out.
    pub async fn plans_beginning(&self, beginning: &str, limit: u32) -> Result<Vec<PlanId>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let keys: Vec<String> = sqlx::query_scalar(
            "select plan_key from plan
             where substr(plan_key, 1, length(?1)) = ?1 or substr(plan_key, 1, length(?1) + 5) = 'plan-' || ?1
             order by plan_id desc limit ?2",
        )
        .bind(beginning)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        Ok(keys.into_iter().map(PlanId::new).collect())
    }

    /// The text of a policy as some run used it, by its digest.
    pub async fn policy_text(&self, digest: &str) -> Result<Option<String>, StoreError> {
        let mut connection = self.connection("read a policy").await?;
        sqlx::query_scalar("select text from policy where digest = ?1 order by policy_id limit 1")
            .bind(digest)
            .fetch_optional(&mut *connection)
            .await
            .during("read a policy")
    }
}

/// The row of a plan that was recorded.
pub(super) async fn plan_row(connection: &mut SqliteConnection, plan: &PlanId) -> Result<i64, StoreError> {
    let row = sqlx::query_scalar("select plan_id from plan where plan_key = ?1")
        .bind(plan.as_str())
        .fetch_optional(connection)
        .await
        .during("look up a plan")?;
    row.ok_or_else(|| StoreError::UnknownPlan(plan.clone()))
}

/// What the ledger says of a plan's row.
pub(super) fn plan_digest(key: &[u8], body: &[u8]) -> Sha {
    Sha::of_texts([key, body])
}
