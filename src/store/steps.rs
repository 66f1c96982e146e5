//! Intents and outcomes: a change is written down before its first byte is sent, and gets an outcome.

use std::fmt;

use amiwarden_core::{Image, LaunchPermissions, PlanId, RunId, Step, StepReport, Timestamp};
use serde::{Deserialize, Serialize};

use super::column::{count, from_json, instant, read_count, to_json};
use super::error::During;
use super::ledger::{EntryKind, IntentBody, OutcomeBody, append};
use super::plans::plan_row;
use super::sha::Sha;
use super::{Store, StoreError, StoreReader, Write, run_row, scope_row};

const WRITE_INTENT: &str = "write an intent";
const WRITE_OUTCOME: &str = "write an outcome";
const READ_OPEN: &str = "read the open intents";

/// A change that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The run that sends it.
    pub run_id: RunId,
    /// The plan that it belongs to.
    pub plan_id: PlanId,
    /// The step's place in the plan, from 0.
    pub index: usize,
    /// The step.
    pub step: Step,
    /// What undoing it restores.
    pub before: SavedState,
    /// What it undoes, if it is part of an undo.
    pub undoes: Vec<IntentId>,
    /// When it is written.
    pub at: Timestamp,
}

/// An image right before a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedState {
    /// The image; nothing where it was in the Recycle Bin.
    pub image: Option<Image>,
    /// Who could launch it, where the change may take that away: EC2 does not keep it.
    pub launch_permissions: Option<LaunchPermissions>,
}

/// An intent that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub(super) i64);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An intent of which nobody knows what became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIntent {
    /// Its name.
    pub intent_id: IntentId,
    /// The run that wrote it.
    pub run_id: RunId,
    /// The plan that it belongs to.
    pub plan_id: PlanId,
    /// The step's place in the plan.
    pub index: usize,
    /// The step.
    pub step: Step,
    /// The image right before it.
    pub before: SavedState,
    /// When it was written.
    pub at: Timestamp,
    /// The report that says that its outcome is unknown, if the run lived to write one.
    pub unknown: Option<StepReport>,
}

impl Store {
    /// Writes an intent. When this returns, it is on the disk, and the change may be sent.
    pub async fn write_intent(&self, intent: &Intent) -> Result<IntentId, StoreError> {
        let mut tx = self.begin(WRITE_INTENT).await?;
        let run = run_row(&mut tx, &intent.run_id).await?;
        let plan = plan_row(&mut tx, &intent.plan_id).await?;
        let scope = scope_row(&mut tx, &intent.step.scope).await?;
        let step = to_json("a step", &intent.step)?;
        let before = to_json("the state before a step", &intent.before)?;
        let intent_id = sqlx::query_scalar(
            "insert into intent (run_id, plan_id, step_index, scope_id, image_key, step, before, at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) returning intent_id",
        )
        .bind(run)
        .bind(plan)
        .bind(count(intent.index))
        .bind(scope)
        .bind(intent.step.image_id.as_str())
        .bind(&step)
        .bind(&before)
        .bind(intent.at.as_second())
        .fetch_one(&mut *tx)
        .await
        .during(WRITE_INTENT)?;
        for undone in &intent.undoes {
            sqlx::query("insert into undo (intent_id, undone_intent_id) values (?1, ?2)")
                .bind(intent_id)
                .bind(undone.0)
                .execute(&mut *tx)
                .await
                .during(WRITE_INTENT)?;
        }
        let body = IntentBody {
            undoes: intent.undoes.clone(),
            intent: IntentId(intent_id),
            plan: intent.plan_id.clone(),
            scope: intent.step.scope.clone(),
            image: intent.step.image_id.clone(),
            action: intent.step.change.kind(),
            sha256: intent_digest(&IntentColumns {
                run: intent.run_id.as_str().as_bytes(),
                plan: intent.plan_id.as_str().as_bytes(),
                index: count(intent.index),
                image: intent.step.image_id.as_str().as_bytes(),
                step: step.as_bytes(),
                before: before.as_bytes(),
                at: intent.at.as_second(),
            }),
        };
        append(&mut tx, EntryKind::Intent, Some(&intent.run_id), intent.at, &body).await?;
        tx.commit().await.during(WRITE_INTENT)?;
        Ok(IntentId(intent_id))
    }

    /// Writes what became of an intent. After an unknown outcome, or in a later run, it is a settlement.
    ///
    /// # Errors
    ///
    /// Besides those of the database: when the intent has an outcome that is known.
    pub async fn write_outcome(
        &self,
        intent_id: IntentId,
        report: &StepReport,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(WRITE_OUTCOME).await?;
        let standing = intent_standing(&mut tx, intent_id).await?;
        let text = to_json("the report of a step", report)?;
        let outcome = report.outcome.as_str();
        let outcome_id: i64 = sqlx::query_scalar(
            "insert into outcome (intent_id, outcome, report, at) values (?1, ?2, ?3, ?4)
             returning outcome_id",
        )
        .bind(intent_id.0)
        .bind(outcome)
        .bind(&text)
        .bind(at.as_second())
        .fetch_one(&mut *tx)
        .await
        .during(WRITE_OUTCOME)?;
        let body = OutcomeBody {
            outcome_id,
            intent: intent_id,
            outcome: outcome.to_owned(),
            request_id: report.request_id.clone(),
            sha256: outcome_digest(intent_id, outcome.as_bytes(), text.as_bytes(), at.as_second()),
        };
        let kind = if standing.is_settlement { EntryKind::Settlement } else { EntryKind::Outcome };
        append(&mut tx, kind, Some(&standing.run), at, &body).await?;
        tx.commit().await.during(WRITE_OUTCOME)
    }

    /// Every intent without an outcome, or with one that is unknown, in the order in which they were written.
    pub async fn open_intents(&self) -> Result<Vec<OpenIntent>, StoreError> {
        self.reader().open_intents().await
    }
}

impl StoreReader {
    /// As [`Store::open_intents`].
    pub async fn open_intents(&self) -> Result<Vec<OpenIntent>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            intent_id: i64,
            run_key: String,
            plan_key: String,
            step_index: i64,
            step: String,
            before: String,
            at: i64,
            unknown: Option<String>,
        }
        let mut connection = self.connection(READ_OPEN).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "select intent.intent_id, run.run_key, plan.plan_key, intent.step_index, intent.step, intent.before,
                    intent.at,
                    (select outcome.report from outcome where outcome.intent_id = intent.intent_id
                     order by outcome.outcome_id desc limit 1) as unknown
             from intent
             join run on run.run_id = intent.run_id
             join plan on plan.plan_id = intent.plan_id
             where not exists (
                 select 1 from outcome
                 where outcome.intent_id = intent.intent_id and outcome.outcome <> 'unknown'
             )
             order by intent.intent_id",
        )
        .fetch_all(&mut *connection)
        .await
        .during(READ_OPEN)?;
        let open = rows.into_iter().map(|row| {
            Ok(OpenIntent {
                intent_id: IntentId(row.intent_id),
                run_id: RunId::new(row.run_key),
                plan_id: PlanId::new(row.plan_key),
                index: read_count(row.step_index)?,
                step: from_json("a step", &row.step)?,
                before: from_json("the state before a step", &row.before)?,
                at: instant(row.at)?,
                unknown: row.unknown.map(|report| from_json("the report of a step", &report)).transpose()?,
            })
        });
        open.collect()
    }
}

/// Where an intent stands before an outcome is added.
struct IntentStanding {
    run: RunId,
    is_settlement: bool,
}

async fn intent_standing(tx: &mut Write, intent_id: IntentId) -> Result<IntentStanding, StoreError> {
    let row: Option<(String, bool, bool, bool)> = sqlx::query_as(
        "select run.run_key, run.state = 'running',
                exists (select 1 from outcome where outcome.intent_id = intent.intent_id),
                exists (select 1 from outcome
                        where outcome.intent_id = intent.intent_id and outcome.outcome <> 'unknown')
         from intent join run on run.run_id = intent.run_id
         where intent.intent_id = ?1",
    )
    .bind(intent_id.0)
    .fetch_optional(&mut **tx)
    .await
    .during(WRITE_OUTCOME)?;
    let (run, is_running, has_outcome, is_settled) = row.ok_or(StoreError::UnknownIntent(intent_id))?;
    if is_settled {
        return Err(StoreError::SettledIntent(intent_id));
    }
    Ok(IntentStanding { run: RunId::new(run), is_settlement: has_outcome || !is_running })
}

/// The columns of an intent that its ledger entry vouches for.
pub(super) struct IntentColumns<'a> {
    pub(super) run: &'a [u8],
    pub(super) plan: &'a [u8],
    pub(super) index: i64,
    pub(super) image: &'a [u8],
    pub(super) step: &'a [u8],
    pub(super) before: &'a [u8],
    pub(super) at: i64,
}

pub(super) fn intent_digest(row: &IntentColumns<'_>) -> Sha {
    let (index, at) = (row.index.to_string(), row.at.to_string());
    Sha::of_texts([row.run, row.plan, index.as_bytes(), row.image, row.step, row.before, at.as_bytes()])
}

pub(super) fn outcome_digest(intent: IntentId, outcome: &[u8], report: &[u8], at: i64) -> Sha {
    let (intent, at) = (intent.to_string(), at.to_string());
    Sha::of_texts([intent.as_bytes(), outcome, report, at.as_bytes()])
}
