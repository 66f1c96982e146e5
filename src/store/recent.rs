//! What was carried out a moment ago: EC2 may not show it yet.

use amiwarden_core::{Step, Timestamp};

use super::column::{from_json, instant};
use super::error::During;
use super::{StoreError, StoreReader};

const READ: &str = "read what was done lately";

/// A step that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneStep {
    /// The step.
    pub step: Step,
    /// When its outcome was written.
    pub at: Timestamp,
}

impl StoreReader {
    /// The steps that were carried out after `since` and not undone afterwards, the oldest first.
    pub async fn done_since(&self, since: Timestamp) -> Result<Vec<DoneStep>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select intent.step, outcome.at
             from outcome join intent using (intent_id)
             where outcome.outcome = 'done' and outcome.at > ?1 and not exists (
                 select 1 from undo join outcome as undone on undone.intent_id = undo.intent_id
                 where undo.undone_intent_id = intent.intent_id and undone.outcome = 'done'
             )
             order by outcome.outcome_id",
        )
        .bind(since.as_second())
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter()
            .map(|(step, at)| Ok(DoneStep { step: from_json("a step", &step)?, at: instant(at)? }))
            .collect()
    }
}
