//! Everything that happened to one image, in order.

use amiwarden_core::{ImageId, ImageState, PlanId, RunId, Scope, Step, StepReport, Timestamp};
use sqlx::SqliteConnection;

use super::column::{from_json, instant, read_count, read_scope};
use super::error::During;
use super::{DecisionRecord, IntentId, SavedState, StoreError, StoreReader};

const READ: &str = "read the history of an image";

/// Something that happened to an image, or was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageEvent {
    /// When it was seen, decided or done.
    pub at: Timestamp,
    /// In which run. A settlement stands under the run whose intent it settles.
    pub run_id: RunId,
    /// Where the image is.
    pub scope: Scope,
    /// What.
    pub kind: ImageEventKind,
}

/// What happened to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageEventKind {
    /// It was seen for the first time.
    FirstSeen {
        /// Its state then.
        state: ImageState,
    },
    /// It was seen in another state than before.
    StateChanged {
        /// Its new state.
        state: ImageState,
    },
    /// A complete reading did not hold it any more.
    Gone {
        /// Its last state.
        state: ImageState,
    },
    /// It was seen again.
    Returned {
        /// Its state then.
        state: ImageState,
    },
    /// Something else was decided about it than before.
    Decided(Box<DecisionRecord>),
    /// It was not decided about any more, because it was not seen.
    NotDecided,
    /// A change was about to be sent.
    Intended {
        /// The intent.
        intent_id: IntentId,
        /// The plan that it belongs to.
        plan_id: PlanId,
        /// The step's place in the plan, from 0.
        index: usize,
        /// The step.
        step: Box<Step>,
        /// The image right before it.
        before: Box<SavedState>,
    },
    /// What became of a change was found out.
    Outcome {
        /// The intent.
        intent_id: IntentId,
        /// What became of it.
        report: Box<StepReport>,
    },
}

/// The order in which things happened. Instants are whole seconds: within one, an earlier run goes first, and within a
/// run what was seen, what was decided, then what was done, each change before what became of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    at: i64,
    run: i64,
    phase: Phase,
    row: i64,
    outcome: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Seen,
    Decided,
    Done,
}

impl StoreReader {
    /// Everything that is known of an image, the oldest first. Empty for an image that was never seen.
    pub async fn image_history(&self, image: &ImageId) -> Result<Vec<ImageEvent>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let mut events = sightings(&mut connection, image).await?;
        events.extend(decisions(&mut connection, image).await?);
        events.extend(intents(&mut connection, image).await?);
        events.extend(outcomes(&mut connection, image).await?);
        events.sort_by_key(|(order, _)| *order);
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }
}

/// The columns that every event has.
#[derive(sqlx::FromRow)]
struct Common {
    at: i64,
    run_id: i64,
    run_key: String,
    account: String,
    region: String,
}

impl Common {
    fn order(&self, phase: Phase, row: i64) -> Order {
        Order { at: self.at, run: self.run_id, phase, row, outcome: 0 }
    }

    fn event(self, kind: ImageEventKind) -> Result<ImageEvent, StoreError> {
        Ok(ImageEvent {
            at: instant(self.at)?,
            run_id: RunId::new(self.run_key),
            scope: read_scope(&self.account, self.region)?,
            kind,
        })
    }
}

async fn sightings(
    connection: &mut SqliteConnection,
    image: &ImageId,
) -> Result<Vec<(Order, ImageEvent)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        common: Common,
        sighting_id: i64,
        kind: String,
        state: String,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select sighting.sighting_id, sighting.at, sighting.kind, sighting.state, run.run_id, run.run_key,
                scope.account, scope.region
         from image
         join scope using (scope_id)
         join sighting using (image_id)
         join run on run.run_id = sighting.run_id
         where image.image_key = ?1",
    )
    .bind(image.as_str())
    .fetch_all(connection)
    .await
    .during(READ)?;
    let events = rows.into_iter().map(|row| {
        let state = ImageState::from(row.state);
        let kind = match row.kind.as_str() {
            "first-seen" => ImageEventKind::FirstSeen { state },
            "state-changed" => ImageEventKind::StateChanged { state },
            "gone" => ImageEventKind::Gone { state },
            "returned" => ImageEventKind::Returned { state },
            _ => return Err(StoreError::Malformed { what: "the kind of a sighting", value: row.kind }),
        };
        Ok((row.common.order(Phase::Seen, row.sighting_id), row.common.event(kind)?))
    });
    events.collect()
}

async fn decisions(
    connection: &mut SqliteConnection,
    image: &ImageId,
) -> Result<Vec<(Order, ImageEvent)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        common: Common,
        decision_id: i64,
        body: Option<String>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select decision.decision_id, decision.at, decision.body, run.run_id, run.run_key, scope.account, scope.region
         from image
         join scope using (scope_id)
         join decision using (image_id)
         join run on run.run_id = decision.run_id
         where image.image_key = ?1",
    )
    .bind(image.as_str())
    .fetch_all(connection)
    .await
    .during(READ)?;
    let events = rows.into_iter().map(|row| {
        let kind = match row.body {
            Some(body) => ImageEventKind::Decided(Box::new(from_json("a decision", &body)?)),
            None => ImageEventKind::NotDecided,
        };
        Ok((row.common.order(Phase::Decided, row.decision_id), row.common.event(kind)?))
    });
    events.collect()
}

async fn intents(
    connection: &mut SqliteConnection,
    image: &ImageId,
) -> Result<Vec<(Order, ImageEvent)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        common: Common,
        intent_id: i64,
        plan_key: String,
        step_index: i64,
        step: String,
        before: String,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select intent.intent_id, intent.at, intent.step_index, intent.step, intent.before, plan.plan_key,
                run.run_id, run.run_key,
                scope.account, scope.region
         from intent
         join scope using (scope_id)
         join plan on plan.plan_id = intent.plan_id
         join run on run.run_id = intent.run_id
         where intent.image_key = ?1",
    )
    .bind(image.as_str())
    .fetch_all(connection)
    .await
    .during(READ)?;
    let events = rows.into_iter().map(|row| {
        let kind = ImageEventKind::Intended {
            intent_id: IntentId(row.intent_id),
            plan_id: PlanId::new(row.plan_key),
            index: read_count(row.step_index)?,
            step: Box::new(from_json("a step", &row.step)?),
            before: Box::new(from_json("the state before a step", &row.before)?),
        };
        Ok((row.common.order(Phase::Done, row.intent_id), row.common.event(kind)?))
    });
    events.collect()
}

async fn outcomes(
    connection: &mut SqliteConnection,
    image: &ImageId,
) -> Result<Vec<(Order, ImageEvent)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        common: Common,
        intent_id: i64,
        outcome_id: i64,
        report: String,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select outcome.outcome_id, outcome.intent_id, outcome.at, outcome.report, run.run_id, run.run_key,
                scope.account, scope.region
         from intent
         join scope using (scope_id)
         join outcome using (intent_id)
         join run on run.run_id = intent.run_id
         where intent.image_key = ?1",
    )
    .bind(image.as_str())
    .fetch_all(connection)
    .await
    .during(READ)?;
    let events = rows.into_iter().map(|row| {
        let kind = ImageEventKind::Outcome {
            intent_id: IntentId(row.intent_id),
            report: Box::new(from_json("the report of a step", &row.report)?),
        };
        let order = Order { outcome: row.outcome_id, ..row.common.order(Phase::Done, row.intent_id) };
        Ok((order, row.common.event(kind)?))
    });
    events.collect()
}
