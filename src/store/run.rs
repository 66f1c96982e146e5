//! The frame of a run: that it began, how completely it read each scope, that it ended.

use amiwarden_core::{CycleReport, Mode, PolicyName, RunId, ScopeReport, Timestamp};
use sqlx::SqliteConnection;

use super::column::{count, to_json};
use super::error::During;
use super::ledger::{EmptyBody, EntryKind, RunFinishedBody, RunStartedBody, append};
use super::plans::plan_row;
use super::{Store, StoreError, Write, run_row, scope_row};

const BEGIN: &str = "record the start of a run";
const RECORD_SCOPE: &str = "record how a scope was read";
const FINISH: &str = "record the end of a run";

/// A run that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its name, new.
    pub run_id: RunId,
    /// What was asked for, such as `run` or `apply`.
    pub command: String,
    /// Whether it is to carry out anything.
    pub mode: Mode,
    /// When it begins.
    pub started_at: Timestamp,
    /// The version of amiwarden.
    pub version: String,
    /// A digest of the configuration that it runs with.
    pub config_digest: String,
    /// The policies that it asks.
    pub policies: Vec<PolicyRecord>,
}

/// A policy as it stands in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its name.
    pub name: PolicyName,
    /// A digest of its text.
    pub digest: String,
    /// Where it came from: a file, or `built in`.
    pub origin: String,
    /// Its text.
    pub text: String,
    /// Its parameters, as JSON.
    pub parameters: String,
}

impl Store {
    /// Records that a run begins. A run that never ended is marked as died: no other process can be in it.
    pub async fn begin_run(&self, run: &NewRun) -> Result<(), StoreError> {
        let mut tx = self.begin(BEGIN).await?;
        bury_dead_runs(&mut tx, run.started_at).await?;
        let row: i64 = sqlx::query_scalar(
            "insert into run (run_key, command, mode, version, config_digest, started_at, state)
             values (?1, ?2, ?3, ?4, ?5, ?6, 'running') returning run_id",
        )
        .bind(run.run_id.as_str())
        .bind(&run.command)
        .bind(run.mode.as_str())
        .bind(&run.version)
        .bind(&run.config_digest)
        .bind(run.started_at.as_second())
        .fetch_one(&mut *tx)
        .await
        .during(BEGIN)?;
        for policy in &run.policies {
            let policy = policy_row(&mut tx, policy).await?;
            sqlx::query("insert into run_policy (run_id, policy_id) values (?1, ?2)")
                .bind(row)
                .bind(policy)
                .execute(&mut *tx)
                .await
                .during(BEGIN)?;
        }
        let body = RunStartedBody {
            command: &run.command,
            mode: run.mode.as_str(),
            version: &run.version,
            config_digest: &run.config_digest,
            policies: run.policies.iter().map(|policy| (&policy.name, policy.digest.as_str())).collect(),
        };
        append(&mut tx, EntryKind::RunStarted, Some(&run.run_id), run.started_at, &body).await?;
        tx.commit().await.during(BEGIN)
    }

    /// Records how completely a run read a scope. Recorded again, the later report stands.
    pub async fn record_scope(&self, run_id: &RunId, report: &ScopeReport) -> Result<(), StoreError> {
        let mut tx = self.begin(RECORD_SCOPE).await?;
        let run = run_row(&mut tx, run_id).await?;
        write_scope(&mut tx, run, report).await?;
        tx.commit().await.during(RECORD_SCOPE)
    }

    /// Records that a run ended and what it came to, then writes the ledger's head.
    pub async fn finish_run(&self, report: &CycleReport) -> Result<(), StoreError> {
        let mut tx = self.begin(FINISH).await?;
        let run = run_row(&mut tx, &report.run_id).await?;
        let plan = plan_row(&mut tx, &report.plan_id).await?;
        for scope in &report.scopes {
            write_scope(&mut tx, run, scope).await?;
        }
        let reports = report.steps.iter().enumerate().map(|(index, (_, report))| (index, report));
        super::step_reports::write_unattempted(&mut tx, run, plan, reports).await?;
        write_end(&mut tx, run, plan, report).await?;
        tx.commit().await.during(FINISH)?;
        self.keep_head().await
    }
}

async fn write_end(tx: &mut Write, run: i64, plan: i64, report: &CycleReport) -> Result<(), StoreError> {
    let state = if report.interrupted { "stopped" } else { "finished" };
    let totals = report.totals();
    sqlx::query(
        "update run set state = ?2, finished_at = ?3, plan_id = ?4, images = ?5, steps = ?6, held = ?7, kept = ?8,
                errors = ?9, done = ?10, failed = ?11, api_calls = ?12
         where run_id = ?1",
    )
    .bind(run)
    .bind(state)
    .bind(report.finished_at.as_second())
    .bind(plan)
    .bind(count(totals.images))
    .bind(count(totals.steps))
    .bind(count(totals.held))
    .bind(count(totals.kept))
    .bind(count(totals.errors))
    .bind(count(totals.done))
    .bind(count(totals.failed))
    .bind(i64::try_from(totals.api_calls).unwrap_or(i64::MAX))
    .execute(&mut **tx)
    .await
    .during(FINISH)?;
    let body = RunFinishedBody { state, plan: &report.plan_id, totals };
    append(tx, EntryKind::RunFinished, Some(&report.run_id), report.finished_at, &body).await
}

/// A run is in one process, and only one process can have the store: whichever run has not ended, has died.
async fn bury_dead_runs(tx: &mut Write, now: Timestamp) -> Result<(), StoreError> {
    let mut dead: Vec<(i64, String)> =
        sqlx::query_as("update run set state = 'died' where state = 'running' returning run_id, run_key")
            .fetch_all(&mut **tx)
            .await
            .during(BEGIN)?;
    dead.sort_unstable();
    for (_, key) in dead {
        append(tx, EntryKind::RunDied, Some(&RunId::new(key)), now, &EmptyBody {}).await?;
    }
    Ok(())
}

async fn policy_row(connection: &mut SqliteConnection, policy: &PolicyRecord) -> Result<i64, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(
        "select policy_id from policy where name = ?1 and digest = ?2 and origin = ?3 and parameters = ?4",
    )
    .bind(policy.name.as_str())
    .bind(&policy.digest)
    .bind(&policy.origin)
    .bind(&policy.parameters)
    .fetch_optional(&mut *connection)
    .await
    .during(BEGIN)?;
    if let Some(found) = found {
        return Ok(found);
    }
    sqlx::query_scalar(
        "insert into policy (name, digest, origin, parameters, text) values (?1, ?2, ?3, ?4, ?5)
         returning policy_id",
    )
    .bind(policy.name.as_str())
    .bind(&policy.digest)
    .bind(&policy.origin)
    .bind(&policy.parameters)
    .bind(&policy.text)
    .fetch_one(connection)
    .await
    .during(BEGIN)
}

async fn write_scope(tx: &mut Write, run: i64, report: &ScopeReport) -> Result<(), StoreError> {
    let scope = scope_row(tx, &report.scope).await?;
    sqlx::query(
        "insert into run_scope (run_id, scope_id, images, gaps, dry_run_error) values (?1, ?2, ?3, ?4, ?5)
         on conflict (run_id, scope_id) do update
         set images = excluded.images, gaps = excluded.gaps, dry_run_error = excluded.dry_run_error",
    )
    .bind(run)
    .bind(scope)
    .bind(count(report.images))
    .bind(to_json("the gaps of a scope", &report.gaps)?)
    .bind(&report.dry_run_error)
    .execute(&mut **tx)
    .await
    .during(RECORD_SCOPE)?;
    Ok(())
}
