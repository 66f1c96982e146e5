//! What is asked about runs.

use amiwarden_core::{
    Mode, PlanId, PolicyName, Rehearsal, RunId, ScopeFigures, ScopeReport, StepOutcome, StepReport,
    Timestamp, Totals,
};
use sqlx::SqliteConnection;

use super::column::{from_json, instant, read_count, read_mode, read_scope};
use super::error::During;
use super::{StoreError, StoreReader, find_run};

const READ: &str = "read the runs";

/// How a run ended, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It has not ended: it is under way, or its process died and no other run has begun since.
    Running,
    /// It came to its end.
    Finished,
    /// It was told to stop, and stopped.
    Stopped,
    /// Its process died.
    Died,
}

impl RunState {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Died => "died",
        }
    }

    fn read(text: &str) -> Result<Self, StoreError> {
        [Self::Running, Self::Finished, Self::Stopped, Self::Died]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Malformed { what: "the state of a run", value: text.to_owned() })
    }
}

/// A run in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Its name.
    pub run_id: RunId,
    /// What was asked for.
    pub command: String,
    /// Whether it was to carry out anything.
    pub mode: Mode,
    /// The version of amiwarden.
    pub version: String,
    /// The digest of its configuration.
    pub config_digest: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, if it did.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub state: RunState,
    /// The plan that it made or carried out, if it came so far.
    pub plan_id: Option<PlanId>,
    /// Its counts, if it ended.
    pub totals: Option<Totals>,
}

/// A run with everything that is stored about it but its decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDetail {
    /// The run.
    pub summary: RunSummary,
    /// The policies that it asked, with their digests, by name.
    pub policies: Vec<(PolicyName, String)>,
    /// The scopes that it read.
    pub scopes: Vec<ScopeReport>,
    /// What became of the steps of its plan, as far as it came, by their places in the plan.
    pub steps: Vec<RunStep>,
}

/// What became of one step in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStep {
    /// Its place in the plan.
    pub index: usize,
    /// What its rehearsal said.
    pub rehearsal: Rehearsal,
    /// What became of it; `None` where the run died before that was known.
    pub outcome: Option<StepOutcome>,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    run_key: String,
    command: String,
    mode: String,
    version: String,
    config_digest: String,
    started_at: i64,
    finished_at: Option<i64>,
    state: String,
    plan_key: Option<String>,
    images: Option<i64>,
    steps: Option<i64>,
    held: Option<i64>,
    kept: Option<i64>,
    errors: Option<i64>,
    done: Option<i64>,
    failed: Option<i64>,
    api_calls: Option<i64>,
}

impl StoreReader {
    /// The newest runs, the newest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let rows: Vec<RunRow> = sqlx::query_as(
            "select run.*, plan.plan_key from run left join plan on plan.plan_id = run.plan_id
             order by run.run_id desc limit ?1",
        )
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter().map(RunRow::summary).collect()
    }

    /// The newest runs that began before this one, the newest first; `None` where there is no such run.
    pub async fn runs_before(
        &self,
        before: &RunId,
        limit: u32,
    ) -> Result<Option<Vec<RunSummary>>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let Some(run) = find_run(&mut connection, before).await? else { return Ok(None) };
        let rows: Vec<RunRow> = sqlx::query_as(
            "select run.*, plan.plan_key from run left join plan on plan.plan_id = run.plan_id
             where run.run_id < ?1 order by run.run_id desc limit ?2",
        )
        .bind(run)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter().map(RunRow::summary).collect::<Result<_, _>>().map(Some)
    }

    /// One run.
    pub async fn run(&self, run_id: &RunId) -> Result<Option<RunDetail>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let Some(run) = find_run(&mut connection, run_id).await? else { return Ok(None) };
        let row: RunRow = sqlx::query_as(
            "select run.*, plan.plan_key from run left join plan on plan.plan_id = run.plan_id
             where run.run_id = ?1",
        )
        .bind(run)
        .fetch_one(&mut *connection)
        .await
        .during(READ)?;
        let policies: Vec<(String, String)> = sqlx::query_as(
            "select policy.name, policy.digest from run_policy join policy using (policy_id)
             where run_policy.run_id = ?1 order by policy.name",
        )
        .bind(run)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        Ok(Some(RunDetail {
            summary: row.summary()?,
            policies: policies.into_iter().map(|(name, digest)| (PolicyName::new(name), digest)).collect(),
            scopes: scopes(&mut connection, run).await?,
            steps: steps(&mut connection, run).await?,
        }))
    }
}

impl RunRow {
    fn summary(self) -> Result<RunSummary, StoreError> {
        let totals = self.totals()?;
        Ok(RunSummary {
            run_id: RunId::new(self.run_key),
            command: self.command,
            mode: read_mode(&self.mode)?,
            version: self.version,
            config_digest: self.config_digest,
            started_at: instant(self.started_at)?,
            finished_at: self.finished_at.map(instant).transpose()?,
            state: RunState::read(&self.state)?,
            plan_id: self.plan_key.map(PlanId::new),
            totals,
        })
    }

    /// `None` unless the run ended: then all counts are there.
    fn totals(&self) -> Result<Option<Totals>, StoreError> {
        if self.finished_at.is_none() {
            return Ok(None);
        }
        let read = |column: Option<i64>| {
            let missing = StoreError::Malformed { what: "a count of a run", value: "null".to_owned() };
            read_count(column.ok_or(missing)?)
        };
        Ok(Some(Totals {
            images: read(self.images)?,
            steps: read(self.steps)?,
            held: read(self.held)?,
            kept: read(self.kept)?,
            errors: read(self.errors)?,
            done: read(self.done)?,
            failed: read(self.failed)?,
            api_calls: read(self.api_calls)? as u64,
        }))
    }
}

async fn scopes(connection: &mut SqliteConnection, run: i64) -> Result<Vec<ScopeReport>, StoreError> {
    let rows: Vec<(String, String, i64, String, Option<String>)> = sqlx::query_as(
        "select scope.account, scope.region, run_scope.images, run_scope.gaps, run_scope.dry_run_error
         from run_scope join scope using (scope_id)
         where run_scope.run_id = ?1 order by scope.account, scope.region",
    )
    .bind(run)
    .fetch_all(connection)
    .await
    .during(READ)?;
    let scopes = rows.into_iter().map(|(account, region, images, gaps, dry_run_error)| {
        Ok(ScopeReport {
            scope: read_scope(&account, region)?,
            images: read_count(images)?,
            gaps: from_json("the gaps of a scope", &gaps)?,
            dry_run_error,
            figures: ScopeFigures::default(),
        })
    });
    scopes.collect()
}

/// The steps that the run carried out, and those of its plan that it did not, as they stood then.
async fn steps(connection: &mut SqliteConnection, run: i64) -> Result<Vec<RunStep>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        step_index: i64,
        rehearsal: Option<String>,
        outcome: Option<String>,
        is_attempted: bool,
        report: Option<String>,
    }
    // A run that died before it rehearsed has said nothing itself, so what earlier runs said of the same plan
    // counts only for a run that ended.
    let rows: Vec<Row> = sqlx::query_as(
        "with said as (
             select step_report.step_index, step_report.rehearsal, step_report.outcome,
                    max(step_report.step_report_id)
             from run join step_report using (plan_id)
             where run.run_id = ?1 and step_report.run_id <= ?1
                   and (run.finished_at is not null or step_report.run_id = ?1)
             group by step_report.step_index
         ),
         attempted as (
             select intent.step_index,
                    (select outcome.report from outcome where outcome.intent_id = intent.intent_id
                     order by outcome.outcome_id desc limit 1) as report
             from intent where intent.run_id = ?1
         )
         select coalesce(said.step_index, attempted.step_index) as step_index, said.rehearsal, said.outcome,
                attempted.step_index is not null as is_attempted, attempted.report
         from said full join attempted on attempted.step_index = said.step_index
         order by 1",
    )
    .bind(run)
    .fetch_all(connection)
    .await
    .during(READ)?;
    let steps = rows.into_iter().map(|row| {
        let index = read_count(row.step_index)?;
        if let Some(report) = row.report {
            let report: StepReport = from_json("the report of a step", &report)?;
            let StepReport { rehearsal, outcome, .. } = report;
            return Ok(RunStep { index, rehearsal, outcome: Some(outcome) });
        }
        let rehearsal = match row.rehearsal {
            Some(rehearsal) => from_json("a rehearsal", &rehearsal)?,
            None => Rehearsal::Skipped("what it said was not recorded".to_owned()),
        };
        let outcome = row.outcome.filter(|_| !row.is_attempted);
        let outcome = outcome.map(|outcome| from_json("an outcome", &outcome)).transpose()?;
        Ok(RunStep { index, rehearsal, outcome })
    });
    steps.collect()
}
