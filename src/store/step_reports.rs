//! What was said of the steps of a plan that were not carried out: rehearsals, and why a step was not tried.
//! Stored where it differs from what the run before said of the same step, so observing the same plan again and
//! again adds nothing. What became of steps that were carried out stands in `steps`.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{PlanId, Rehearsal, RunId, StepReport};
use serde::Serialize;

use super::column::{count, to_json};
use super::error::During;
use super::plans::plan_row;
use super::{Store, StoreError, Write, run_row};

const RECORD: &str = "record what was said of the steps of a plan";

/// What was said of a step, as its row holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    rehearsal: String,
    outcome: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    index: i64,
    rehearsal: &'a str,
    outcome: Option<&'a str>,
}

impl Store {
    /// Records what rehearsing said of steps, by their places in the plan.
    pub async fn record_rehearsals(
        &self,
        run_id: &RunId,
        plan_id: &PlanId,
        rehearsals: &[(usize, Rehearsal)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(RECORD).await?;
        let run = run_row(&mut tx, run_id).await?;
        let plan = plan_row(&mut tx, plan_id).await?;
        let before = said(&mut tx, plan).await?;
        let mut changed = BTreeMap::new();
        for (index, rehearsal) in rehearsals {
            let (index, rehearsal) = (count(*index), to_json("a rehearsal", rehearsal)?);
            if before.get(&index).is_none_or(|said| said.rehearsal != rehearsal) {
                changed.insert(index, Said { rehearsal, outcome: None });
            }
        }
        write(&mut tx, run, plan, &changed).await?;
        tx.commit().await.during(RECORD)
    }
}

/// Records what became of the steps that no intent of this run was written for.
pub(super) async fn write_unattempted(
    tx: &mut Write,
    run: i64,
    plan: i64,
    reports: impl Iterator<Item = (usize, &StepReport)> + Send,
) -> Result<(), StoreError> {
    let attempted: Vec<i64> =
        sqlx::query_scalar("select step_index from intent where run_id = ?1 and plan_id = ?2")
            .bind(run)
            .bind(plan)
            .fetch_all(&mut **tx)
            .await
            .during(RECORD)?;
    let attempted: BTreeSet<i64> = attempted.into_iter().collect();
    let before = said(tx, plan).await?;
    let mut changed = BTreeMap::new();
    for (index, report) in reports {
        let index = count(index);
        if attempted.contains(&index) {
            continue;
        }
        let now = Said {
            rehearsal: to_json("a rehearsal", &report.rehearsal)?,
            outcome: Some(to_json("an outcome", &report.outcome)?),
        };
        if before.get(&index) != Some(&now) {
            changed.insert(index, now);
        }
    }
    write(tx, run, plan, &changed).await
}

/// What was said last of each step.
async fn said(tx: &mut Write, plan: i64) -> Result<BTreeMap<i64, Said>, StoreError> {
    let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
        "select step_index, rehearsal, outcome from step_report where plan_id = ?1 order by step_report_id",
    )
    .bind(plan)
    .fetch_all(&mut **tx)
    .await
    .during(RECORD)?;
    // A later row takes an earlier one's place.
    Ok(rows.into_iter().map(|(index, rehearsal, outcome)| (index, Said { rehearsal, outcome })).collect())
}

async fn write(tx: &mut Write, run: i64, plan: i64, changed: &BTreeMap<i64, Said>) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row<'_>> = changed
        .iter()
        .map(|(index, said)| Row {
            index: *index,
            rehearsal: &said.rehearsal,
            outcome: said.outcome.as_deref(),
        })
        .collect();
    sqlx::query(
        "insert into step_report (plan_id, step_index, run_id, rehearsal, outcome)
         select ?1, value ->> 'index', ?2, value ->> 'rehearsal', value ->> 'outcome'
         from json_each(?3) order by json_each.key",
    )
    .bind(plan)
    .bind(run)
    .bind(to_json("what was said of steps", &rows)?)
    .execute(&mut **tx)
    .await
    .during(RECORD)?;
    Ok(())
}
