//! What became of the times at which schedules were due.

use std::collections::BTreeMap;

use amiwarden_core::{RunId, Timestamp};

use super::column::instant;
use super::error::During;
use super::{Store, StoreError, StoreReader};

const RECORD: &str = "record what became of a schedule's time";
const READ: &str = "read when schedules were last due";

/// What became of a time at which a schedule was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickBecame {
    /// Nothing: this is when the schedule was first seen.
    New,
    /// A run was started.
    Started,
    /// Another run was under way.
    Busy,
    /// Nobody was there.
    Missed,
    /// A run was started because somebody asked, not because it was due.
    Asked,
}

impl TickBecame {
    /// Its name in the store and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Started => "started",
            Self::Busy => "busy",
            Self::Missed => "missed",
            Self::Asked => "asked",
        }
    }
}

/// A time at which a schedule was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The schedule's name.
    pub schedule: String,
    /// The time.
    pub due_at: Timestamp,
    /// What became of it.
    pub became: TickBecame,
    /// The run that was started.
    pub run_id: Option<RunId>,
}

impl Store {
    /// Records what became of times at which schedules were due.
    pub async fn record_ticks(&self, ticks: &[Tick], now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin(RECORD).await?;
        for tick in ticks {
            sqlx::query(
                "insert into schedule_tick (schedule, due_at, at, became, run_key) values (?1, ?2, ?3, ?4, ?5)",
            )
            .bind(&tick.schedule)
            .bind(tick.due_at.as_second())
            .bind(now.as_second())
            .bind(tick.became.as_str())
            .bind(tick.run_id.as_ref().map(RunId::as_str))
            .execute(&mut *tx)
            .await
            .during(RECORD)?;
        }
        tx.commit().await.during(RECORD)
    }
}

impl StoreReader {
    /// For each schedule the last time that was dealt with.
    pub async fn last_ticks(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select schedule, max(due_at) from schedule_tick where became <> 'asked' group by schedule",
        )
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter().map(|(schedule, due_at)| Ok((schedule, instant(due_at)?))).collect()
    }
}
