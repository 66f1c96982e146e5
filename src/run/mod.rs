//! One run, whoever asked for it: a person at the command line, or the service's driver.
//!
//! Everything that a run needs is an argument, so that both go the same way: the clock is checked, the run is begun
//! in the store, what an earlier one left open is settled, and then the [`Cycle`] takes over. What comes out is the
//! one [`CycleReport`].
//!
//! Deliberately absent: connecting, opening the store and printing. And [`Store::finish_run`]: whoever asked looks at
//! the report first, because were the store to fail then, nobody would know otherwise what was done.

mod judgement;
mod preview;

use std::collections::BTreeMap;

use amiwarden_core::{
    CycleReport, Mode, Plan, Rehearsal, RunId, Scope, StepOutcome, StepReport, TemplateVersions, Timestamp,
    clock_doubt,
};
use amiwarden_ec2::{Connection, Ec2Reader, Ec2Writer};
use amiwarden_policy::Policy;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::cycle::{
    Acceptance, Cycle, CycleError, Link, Planned, Prospect, Stopwatch, Undoes, report_without_request,
};
use crate::executor::settle_open_intents;
use crate::pause::PauseFile;
use crate::progress::Progress;
use crate::rules::Rules;
use crate::store::{DoneIntent, NewRun, PolicyRecord, Store, StoreError};

pub(crate) use judgement::Judgement;
pub(crate) use preview::Preview;

/// What a run is to do.
pub(crate) enum Task {
    /// Plan, rehearse and, where the mode says so, carry out.
    Run,
    /// Plan only.
    Plan,
    /// Carry out a plan that was made earlier.
    Apply(Box<Plan>),
    /// Take back what was done.
    Undo(Vec<DoneIntent>),
}

/// Who asked for a run, and for what.
pub(crate) struct Order {
    /// What was asked for, as it is recorded: `run`, or `schedule nightly`.
    pub(crate) command: String,
    pub(crate) task: Task,
    pub(crate) acceptance: Acceptance,
    /// Whether a person, or whoever said `--yes`, answers for this plan.
    pub(crate) is_attended: bool,
}

/// A run that is about to begin, with all that it works with.
pub(crate) struct Run<'a> {
    pub(crate) id: &'a RunId,
    pub(crate) rules: &'a Rules,
    pub(crate) links: &'a [Link<Ec2Reader, Ec2Writer>],
    /// Readers of the other configured accounts, which may use the images of those that are looked at.
    pub(crate) bystanders: &'a [Ec2Reader],
    /// Why there may be more accounts than are known, if so.
    pub(crate) unlisted: Option<&'a str>,
    pub(crate) store: &'a Store,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) progress: &'a Progress,
}

/// What a run came to.
pub(crate) struct Performed {
    /// The report from which everything that is said of the run is made.
    pub(crate) report: CycleReport,
    /// What there is to tell besides, and what looking ahead needs.
    pub(crate) prospect: Box<Prospect>,
}

/// Why a run has no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// A clock that was set back would let changes happen too early, and what is recorded meanwhile would mislead
    /// later runs.
    #[error(
        "{0}: nothing was read or changed. Set the clock right; if it is right, and was wrong before, `amiwarden run \
         --accept clock` goes on"
    )]
    Clock(String),
    /// What happens cannot be written down, so nothing may happen.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cycle could not go on.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// A policy's parameters have no JSON form.
    #[error("the policies cannot be recorded")]
    Record(#[from] serde_json::Error),
    /// The question whether to go on could not be asked.
    #[error("the question could not be asked")]
    Ask(#[source] std::io::Error),
}

impl Run<'_> {
    /// Does what `order` says. Before the first change of an enforcing run `confirm` is asked, if there is something to
    /// ask about.
    pub(crate) async fn perform(
        &self,
        order: Order,
        confirm: impl AsyncFn(&Preview<'_>) -> std::io::Result<bool>,
    ) -> Result<Performed, RunError> {
        self.check_clock(order.acceptance).await?;
        let config = &self.rules.config;
        let started_at = now();
        self.store.begin_run(&self.new_run(&order.command, started_at)?).await?;
        let readers: Vec<&Ec2Reader> = self.links.iter().map(|link| &link.reader).collect();
        settle_open_intents(self.store, &readers, config.settle_after, started_at).await?;
        let pause = PauseFile::of(config);
        let stopwatch = Stopwatch::default();
        let cycle = Cycle {
            run_id: self.id,
            started_at,
            mode: config.mode,
            links: self.links,
            bystanders: self.bystanders,
            unlisted: self.unlisted,
            store: self.store,
            rules: &self.rules.book,
            limits: &config.limits,
            usage: &config.usage,
            pause: &pause,
            is_attended: order.is_attended,
            is_undo: matches!(order.task, Task::Undo(_)),
            settle_after: config.settle_after,
            speed: &config.speed,
            clock: now,
            stopwatch: &stopwatch,
            stop: self.stop,
            progress: self.progress,
        };
        carry_on(&cycle, order, confirm).await
    }

    async fn check_clock(&self, acceptance: Acceptance) -> Result<(), RunError> {
        let newest = self.store.reader().newest_record().await?;
        match clock_doubt(now(), newest.filter(|_| !acceptance.clock), None) {
            None => Ok(()),
            Some(doubt) => Err(RunError::Clock(doubt)),
        }
    }

    fn new_run(&self, command: &str, started_at: Timestamp) -> Result<NewRun, serde_json::Error> {
        let policies = self.rules.book.policies.policies().iter().map(policy_record);
        Ok(NewRun {
            run_id: self.id.clone(),
            command: command.to_owned(),
            mode: self.rules.config.mode,
            started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config_digest: self.rules.digest.clone(),
            policies: policies.collect::<Result<_, _>>()?,
        })
    }
}

/// The doors to `scopes`.
pub(crate) fn links(
    connection: &Connection,
    scopes: &[Scope],
    versions: TemplateVersions,
) -> Vec<Link<Ec2Reader, Ec2Writer>> {
    let link = |scope| Link { reader: connection.reader(scope, versions), writer: connection.writer(scope) };
    scopes.iter().map(link).collect()
}

/// Readers of the accounts of `connection` that are not among `scopes` but in their Regions.
pub(crate) fn bystanders(
    connection: &Connection,
    scopes: &[Scope],
    versions: TemplateVersions,
) -> Vec<Ec2Reader> {
    let all = connection.scopes().into_iter();
    let others = all.filter(|other| {
        !scopes.contains(other)
            && scopes.iter().any(|scope| scope.region == other.region && scope.account != other.account)
    });
    others.map(|scope| connection.reader(&scope, versions)).collect()
}

impl PauseFile {
    /// The file that pauses all changes: the one that the configuration names, or one beside the database.
    pub(crate) fn of(config: &Config) -> Self {
        let beside = || config.store.path.with_extension("pause");
        Self::new(config.pause_file.clone().unwrap_or_else(beside))
    }
}

async fn carry_on(
    cycle: &Cycle<'_, Ec2Reader, Ec2Writer>,
    order: Order,
    confirm: impl AsyncFn(&Preview<'_>) -> std::io::Result<bool>,
) -> Result<Performed, RunError> {
    let is_only_planned = matches!(order.task, Task::Plan);
    let mut undoes = Undoes::new();
    let (mut planned, plan, objections) = match order.task {
        Task::Run | Task::Plan => {
            let planned = cycle.plan(order.acceptance).await?;
            cycle.record_decisions(&planned).await?;
            cycle.record_plan(&planned).await?;
            let plan = planned.plan.clone();
            (planned, plan, BTreeMap::new())
        }
        Task::Apply(mut plan) => {
            let planned = cycle.plan(order.acceptance).await?;
            cycle.record_decisions(&planned).await?;
            let objections = planned.objections_to(&plan);
            planned.prove_anew(&mut plan);
            (planned, *plan, objections)
        }
        Task::Undo(done) => {
            let undo = cycle.plan_undo(done).await?;
            cycle.record_plan(&undo.planned).await?;
            undoes = undo.undoes;
            let plan = undo.planned.plan.clone();
            (undo.planned, plan, BTreeMap::new())
        }
    };
    if is_only_planned {
        let only_reads = Rehearsal::Skipped("`plan` only reads; `run` rehearses".to_owned());
        let steps = all(&plan, &only_reads, "`plan` changes nothing");
        return Ok(performed(cycle, planned, &plan, steps));
    }
    let mut scopes = std::mem::take(&mut planned.scopes);
    let rehearsals = cycle.rehearse(&plan, &mut scopes).await?;
    planned.scopes = scopes;
    let mut obstacles = cycle.obstacles(&plan, &rehearsals, objections, &planned.scopes).await?;
    if cycle.mode == Mode::Enforce && obstacles.len() < plan.steps.len() {
        let preview =
            Preview { cycle, planned: &planned, plan: &plan, rehearsals: &rehearsals, obstacles: &obstacles };
        if !confirm(&preview).await.map_err(RunError::Ask)? {
            for index in 0..plan.steps.len() {
                let declined = || StepOutcome::NotAttempted("it was not confirmed".to_owned());
                obstacles.entry(index).or_insert_with(declined);
            }
        }
    }
    if obstacles.len() < plan.steps.len() {
        cycle.remember_acceptance(&planned).await?;
    }
    let steps = cycle.enforce(&plan, rehearsals, &obstacles, &undoes).await?;
    Ok(performed(cycle, planned, &plan, steps))
}

fn performed(
    cycle: &Cycle<'_, Ec2Reader, Ec2Writer>,
    mut planned: Planned,
    plan: &Plan,
    steps: Vec<StepReport>,
) -> Performed {
    cycle.count(&mut planned, plan, &steps);
    let prospect = Box::new(cycle.prospect(&mut planned));
    Performed { report: cycle.report(planned, plan, steps), prospect }
}

fn all(plan: &Plan, rehearsal: &Rehearsal, reason: &str) -> Vec<StepReport> {
    let report = report_without_request(rehearsal.clone(), StepOutcome::NotAttempted(reason.to_owned()));
    vec![report; plan.steps.len()]
}

fn policy_record(policy: &Policy) -> Result<PolicyRecord, serde_json::Error> {
    let parameters: BTreeMap<&str, &str> = policy
        .parameters()
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.value.as_str()))
        .collect();
    Ok(PolicyRecord {
        name: policy.name().clone(),
        digest: policy.digest().to_owned(),
        origin: policy.origin().to_owned(),
        text: policy.text().to_owned(),
        parameters: serde_json::to_string(&parameters)?,
    })
}

fn now() -> Timestamp {
    Timestamp::now()
}
