//! What can be undone: changes that were carried out and not taken back since.

use amiwarden_core::{ImageId, PlanId, Step, Timestamp};

use super::column::{from_json, instant, read_count};
use super::error::During;
use super::{IntentId, SavedState, StoreError, StoreReader};

const READ: &str = "read what was carried out";

/// A change that was carried out and can be asked to be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneIntent {
    /// Its intent.
    pub intent_id: IntentId,
    /// The plan that it belonged to.
    pub plan_id: PlanId,
    /// The step's place in the plan, from 0.
    pub index: usize,
    /// The step.
    pub step: Step,
    /// The image right before it.
    pub before: SavedState,
    /// When it was written down.
    pub at: Timestamp,
}

/// Which changes are to be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undoable {
    /// All of a plan.
    Plan(PlanId),
    /// One step of a plan, by its place from 0.
    Step(PlanId, usize),
    /// What the last run that changed the image did to it.
    LastOfImage(ImageId),
    /// Everything that was ever done to the image.
    AllOfImage(ImageId),
}

#[derive(sqlx::FromRow)]
struct Row {
    intent_id: i64,
    run_id: i64,
    plan_key: String,
    step_index: i64,
    step: String,
    before: String,
    at: i64,
    is_undone: bool,
}

impl StoreReader {
    /// The changes of `wanted` that were carried out and have not been undone, the oldest first. What an undo did
    /// can only be undone by naming its plan or step.
    pub async fn undoable(&self, wanted: &Undoable) -> Result<Vec<DoneIntent>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let (plan, index, image) = match wanted {
            Undoable::Plan(plan) => (Some(plan.as_str()), None, None),
            Undoable::Step(plan, index) => (Some(plan.as_str()), i64::try_from(*index).ok(), None),
            Undoable::LastOfImage(image) | Undoable::AllOfImage(image) => (None, None, Some(image.as_str())),
        };
        let rows: Vec<Row> = sqlx::query_as(
            "select intent.intent_id, intent.run_id, plan.plan_key, intent.step_index, intent.step,
                    intent.before, intent.at,
                    -- By something that was carried out and not itself undone.
                    exists (
                        select 1 from undo
                        join outcome on outcome.intent_id = undo.intent_id and outcome.outcome = 'done'
                        where undo.undone_intent_id = intent.intent_id and not exists (
                            select 1 from undo as again
                            join outcome on outcome.intent_id = again.intent_id and outcome.outcome = 'done'
                            where again.undone_intent_id = undo.intent_id
                        )
                    ) as is_undone
             from intent
             join plan on plan.plan_id = intent.plan_id
             join run on run.run_id = intent.run_id
             where (?1 is null or plan.plan_key = ?1)
               and (?2 is null or intent.step_index = ?2)
               and (?3 is null or (intent.image_key = ?3 and run.command <> 'undo'))
               and exists (
                   select 1 from outcome
                   where outcome.intent_id = intent.intent_id and outcome.outcome = 'done'
               )
             order by intent.intent_id",
        )
        .bind(plan)
        .bind(index)
        .bind(image)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        let last = rows.iter().map(|row| row.run_id).max();
        // The last run that changed the image stays the last when it has been undone: asking twice takes back nothing
        // more.
        let is_of_last = |row: &Row| !matches!(wanted, Undoable::LastOfImage(_)) || Some(row.run_id) == last;
        let is_wanted = |row: &Row| is_of_last(row) && !row.is_undone;
        rows.into_iter().filter(is_wanted).map(Row::done).collect()
    }
}

impl Row {
    fn done(self) -> Result<DoneIntent, StoreError> {
        Ok(DoneIntent {
            intent_id: IntentId(self.intent_id),
            plan_id: PlanId::new(self.plan_key),
            index: read_count(self.step_index)?,
            step: from_json("a step", &self.step)?,
            before: from_json("the state before a step", &self.before)?,
            at: instant(self.at)?,
        })
    }
}
