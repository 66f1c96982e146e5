//! One cycle: read, ask, decide, plan, rehearse, carry out, report.
//!
//! [`Cycle::plan`] reads and plans; [`Cycle::rehearse`] sends nothing but `DryRun`; [`Cycle::obstacles`] sorts out
//! what may not be tried; [`Cycle::enforce`] changes.
//! Each takes what the one before it made, so nothing can be carried out that was not planned and rehearsed.

mod apply;
mod evidence;
mod forecast;
mod obstacles;
mod report;
mod standing;
mod stopwatch;
mod survey;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use amiwarden_core::{
    Assembled, Circumstances, CloudReader, CloudWriter, Conflict, CyclePhase, Duration, Figures, Guard,
    ImageId, Kept, Limits, Mode, Plan, PolicyErrorReport, Rehearsal, RunId, Scope, ScopeReport, StepOutcome,
    StepReport, Tally, Timestamp, UsageSettings, clock_doubt,
};
use futures::{StreamExt, TryStreamExt};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::config::SpeedConfig;
use crate::executor::{Clock, Executor, Gate, Rehearsed, rehearse_scope};
use crate::pause::PauseFile;
use crate::progress::Progress;
use crate::store::{ScopeCount, Store, StoreError};
use report::{conflicts, policy_errors, scope_report};

pub(crate) use evidence::{Background, Planner};
pub(crate) use forecast::{Approaching, Horizon, Notice, Prospect};
pub(crate) use report::report_without_request;
pub(crate) use stopwatch::Stopwatch;
pub(crate) use survey::{RuleBook, Survey, ask_policies, list_images};
pub(crate) use undo::{UNDO, Undoes};

/// The two doors to one scope.
pub(crate) struct Link<R, W> {
    pub(crate) reader: R,
    pub(crate) writer: W,
}

/// All that a cycle works with.
pub(crate) struct Cycle<'a, R, W> {
    pub(crate) run_id: &'a RunId,
    pub(crate) started_at: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) links: &'a [Link<R, W>],
    /// Readers of other accounts, whose use of the images counts.
    pub(crate) bystanders: &'a [R],
    /// Why there may be more accounts than are known, if so.
    pub(crate) unlisted: Option<&'a str>,
    pub(crate) store: &'a Store,
    pub(crate) rules: &'a Arc<RuleBook>,
    pub(crate) limits: &'a Limits,
    pub(crate) usage: &'a UsageSettings,
    pub(crate) pause: &'a PauseFile,
    /// Whether a person, or whoever said `--yes`, answers for this plan. Otherwise a policy that changed is only
    /// rehearsed at first.
    pub(crate) is_attended: bool,
    /// Whether a person has asked for exactly these changes: then neither a pause nor the window nor the opt-out tag
    /// holds them.
    pub(crate) is_undo: bool,
    /// So long EC2 may take to show a change.
    pub(crate) settle_after: Duration,
    pub(crate) speed: &'a SpeedConfig,
    pub(crate) clock: Clock,
    pub(crate) stopwatch: &'a Stopwatch,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) progress: &'a Progress,
}

/// Why a cycle could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CycleError {
    /// What happens cannot be written down, so nothing may happen.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A bug.
    #[error("the evaluation of the policies ended abnormally")]
    Evaluation(#[from] JoinError),
}

/// A plan with all that was found on the way to it.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) kept: Vec<Kept>,
    pub(crate) scopes: Vec<ScopeReport>,
    errors: Vec<PolicyErrorReport>,
    conflicts: Vec<(ImageId, Conflict)>,
    surveys: Vec<Survey>,
    figures: Figures,
    /// The plan as it was before `--accept` let pass what a guard held back in it.
    accepted_plan: Option<Plan>,
}

/// Whether guards that a person has looked at let things pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acceptance {
    /// `--accept surge`
    pub(crate) surge: bool,
    /// `--accept collapse`
    pub(crate) collapse: bool,
    /// `--accept clock`
    pub(crate) clock: bool,
}

/// What the survey of a scope found wrong with the clock, if something.
type ClockDoubt = Option<String>;

impl<R: CloudReader, W: CloudWriter> Cycle<'_, R, W> {
    /// Reads every scope, asks the policies and makes the plan. Records what was seen; recording the plan is for
    /// whoever means to keep it.
    pub(crate) async fn plan(&self, acceptance: Acceptance) -> Result<Planned, CycleError> {
        self.progress.phase("reading images and asking the policies");
        let timing = self.stopwatch.start(CyclePhase::Survey, self.clock);
        let surveys = futures::stream::iter(self.links).map(|link| self.survey(link, acceptance));
        let mut surveys: Vec<(Survey, ClockDoubt)> =
            surveys.buffer_unordered(self.speed.concurrent_scopes).try_collect().await?;
        surveys.sort_by(|(one, _), (other, _)| one.inventory.scope.cmp(&other.inventory.scope));
        let mut backgrounds = BTreeMap::new();
        for (survey, doubt) in &surveys {
            let scope = &survey.inventory.scope;
            backgrounds.insert(scope.clone(), self.background(scope, doubt.clone()).await?);
        }
        let mut surveys: Vec<Survey> = surveys.into_iter().map(|(survey, _)| survey).collect();

        drop(timing);

        self.progress.phase("proving that nothing uses what is to go");
        let _timing = self.stopwatch.start(CyclePhase::Prove, self.clock);
        let mut assembled = self.assemble(&mut surveys, &backgrounds).await;
        let mut accepted_plan = None;
        if accept(acceptance, &assembled.plan, &mut backgrounds) {
            accepted_plan = Some(assembled.plan);
            assembled = self.assemble(&mut surveys, &backgrounds).await;
        }
        Ok(Planned {
            scopes: surveys.iter().map(scope_report).collect(),
            errors: surveys.iter().flat_map(policy_errors).collect(),
            conflicts: surveys.iter().flat_map(conflicts).collect(),
            plan: assembled.plan,
            kept: assembled.kept,
            surveys,
            figures: Figures::default(),
            accepted_plan,
        })
    }

    /// Remembers what `--accept` let pass. Called once it is certain that the plan is carried out.
    pub(crate) async fn remember_acceptance(&self, planned: &Planned) -> Result<(), CycleError> {
        if let Some(plan) = &planned.accepted_plan {
            self.store.record_plan(self.run_id, plan, self.started_at).await?;
            self.store.accept(plan, self.started_at).await?;
        }
        Ok(())
    }

    /// Records what was decided about each image. Not where the clock is in doubt: what was seen there is not
    /// remembered, so the store may not know the images, and the decisions would bear a wrong date. The report and
    /// the plan have them.
    pub(crate) async fn record_decisions(&self, planned: &Planned) -> Result<(), CycleError> {
        self.progress.phase("recording the decisions");
        let _timing = self.stopwatch.start(CyclePhase::Record, self.clock);
        for survey in &planned.surveys {
            let scope = &survey.inventory.scope;
            let tripped = |guard| {
                // What `--accept` let pass becomes the truth only when the plan is carried out.
                let plan = planned.accepted_plan.as_ref().unwrap_or(&planned.plan);
                plan.tripped.iter().any(|tripped| tripped.guard == guard && tripped.scope == *scope)
            };
            if tripped(Guard::Clock) {
                continue;
            }
            let records = standing::records(&survey.decisions, scope, &planned.plan, &planned.kept);
            self.store.record_decisions(self.run_id, scope, &records, self.started_at).await?;
            let tally = Tally::of(&survey.inventory);
            let count = ScopeCount { scope, tally: &tally, is_collapsed: tripped(Guard::Collapse) };
            self.store.record_count(self.run_id, &count, self.started_at).await?;
        }
        Ok(())
    }

    /// Records the plan, by which `apply` finds it.
    pub(crate) async fn record_plan(&self, planned: &Planned) -> Result<(), CycleError> {
        Ok(self.store.record_plan(self.run_id, &planned.plan, self.started_at).await?)
    }

    /// Reads one scope and asks the policies. While the clock is in doubt nothing is remembered of what was seen: a
    /// date that is wrong would count as the day since when an image is disabled.
    async fn survey(
        &self,
        link: &Link<R, W>,
        acceptance: Acceptance,
    ) -> Result<(Survey, ClockDoubt), CycleError> {
        let inventory = list_images(&link.reader, self.usage, self.started_at).await;
        let server_time = link.reader.server_time().filter(|_| !acceptance.clock);
        let doubt = clock_doubt((self.clock)(), None, server_time);
        let memory = match doubt {
            None => self.store.observe_images(self.run_id, &inventory, self.started_at).await?,
            Some(_) => self.store.reader().memory(&inventory.scope).await?,
        };
        Ok((ask_policies(&link.reader, inventory, &memory, self.rules, self.started_at).await?, doubt))
    }

    async fn background(&self, scope: &Scope, clock_doubt: ClockDoubt) -> Result<Background, CycleError> {
        let reader = self.store.reader();
        let rehearsed_cycles =
            if self.is_attended { None } else { Some(reader.rehearsed_cycles(self.run_id).await?) };
        Ok(Background {
            circumstances: Circumstances {
                baseline: reader.baseline(scope).await?,
                pause: self.pause.reason(),
                clock_doubt,
                rehearsed_cycles,
            },
            accepted: self.store.accepted(scope).await?,
        })
    }

    async fn assemble(
        &self,
        surveys: &mut Vec<Survey>,
        backgrounds: &BTreeMap<Scope, Background>,
    ) -> Assembled {
        let planner = Planner {
            limits: self.limits,
            policies: &self.rules.settings,
            backgrounds,
            bystanders: self.bystanders,
            usage: self.usage,
            unlisted: self.unlisted,
            concurrent_scopes: self.speed.concurrent_scopes,
            clock: self.clock,
        };
        let readers: Vec<&R> = self.links.iter().map(|link| &link.reader).collect();
        planner.plan(&readers, surveys).await
    }

    /// Sends every step of the plan with `DryRun=true`. The answer has a rehearsal for every step, and notes in
    /// `scopes` where the endpoint does not honour `DryRun`.
    pub(crate) async fn rehearse(
        &self,
        plan: &Plan,
        scopes: &mut [ScopeReport],
    ) -> Result<Vec<Rehearsal>, CycleError> {
        self.progress.phase_of("rehearsing with DryRun", plan.steps.len());
        let _timing = self.stopwatch.start(CyclePhase::Rehearse, self.clock);
        let rehearsals = futures::stream::iter(self.links).map(|link| async move {
            let scope = link.reader.scope();
            let steps: Vec<_> =
                plan.steps.iter().enumerate().filter(|(_, step)| step.scope == *scope).collect();
            let now = (self.clock)();
            (scope, rehearse_scope(&link.reader, &link.writer, &steps, now, self.stop, self.progress).await)
        });
        let mut by_step: BTreeMap<usize, Rehearsal> = BTreeMap::new();
        let all: Vec<_> = rehearsals.buffer_unordered(self.speed.concurrent_scopes).collect().await;
        for (scope, rehearsal) in all {
            by_step.extend(rehearsal.steps);
            if let Some(report) = scopes.iter_mut().find(|report| report.scope == *scope) {
                report.dry_run_error = rehearsal.dry_run_error;
            }
        }
        let unreached = || Rehearsal::Skipped("this run does not reach its account and Region".to_owned());
        let rehearsals: Vec<Rehearsal> =
            (0..plan.steps.len()).map(|index| by_step.remove(&index).unwrap_or_else(unreached)).collect();
        let numbered: Vec<(usize, Rehearsal)> = rehearsals.iter().cloned().enumerate().collect();
        self.store.record_rehearsals(self.run_id, &plan.id, &numbered).await?;
        Ok(rehearsals)
    }

    /// Carries out every step but those that `obstacles` names.
    pub(crate) async fn enforce(
        &self,
        plan: &Plan,
        rehearsals: Vec<Rehearsal>,
        obstacles: &BTreeMap<usize, StepOutcome>,
        undoes: &Undoes,
    ) -> Result<Vec<StepReport>, CycleError> {
        let _timing = self.stopwatch.start(CyclePhase::Enforce, self.clock);
        let mut reports: Vec<StepReport> = rehearsals
            .iter()
            .enumerate()
            .map(|(index, rehearsal)| {
                let not_reached =
                    || StepOutcome::NotAttempted("this run does not reach its account and Region".to_owned());
                let outcome = obstacles.get(&index).cloned().unwrap_or_else(not_reached);
                report_without_request(rehearsal.clone(), outcome)
            })
            .collect();
        let mut due: BTreeMap<&Scope, Vec<Rehearsed<'_>>> = BTreeMap::new();
        for (index, (step, rehearsal)) in plan.steps.iter().zip(rehearsals).enumerate() {
            if !obstacles.contains_key(&index) {
                due.entry(&step.scope).or_default().push(Rehearsed { index, step, rehearsal });
            }
        }
        if !due.is_empty() {
            self.progress.phase_of("carrying out", due.values().map(Vec::len).sum());
        }
        // Its own token, so that a failing store in one scope stops the others and not the whole program.
        let stop = self.stop.child_token();
        let executors = futures::stream::iter(self.links).filter_map(|link| {
            let steps = due.remove(link.reader.scope());
            std::future::ready(steps.map(|steps| (link, steps)))
        });
        let stop = &stop;
        // Every scope is awaited, the failing store or not: what was sent there is to be recorded.
        let carried_out: Vec<Result<Vec<(usize, StepReport)>, StoreError>> = executors
            .map(
                |(link, steps)| async move { self.executor(link, plan, undoes, stop).carry_out(steps).await },
            )
            .buffer_unordered(self.speed.concurrent_scopes)
            .collect()
            .await;
        for scope in carried_out {
            for (index, report) in scope? {
                reports[index] = report;
            }
        }
        Ok(reports)
    }

    fn executor<'b>(
        &'b self,
        link: &'b Link<R, W>,
        plan: &'b Plan,
        undoes: &'b Undoes,
        stop: &'b CancellationToken,
    ) -> Executor<'b, R, W> {
        Executor {
            reader: &link.reader,
            writer: &link.writer,
            store: self.store,
            run_id: self.run_id,
            plan,
            gate: (!self.is_undo).then_some(Gate {
                limits: self.limits,
                policies: &self.rules.settings,
                pause: self.pause,
            }),
            undoes,
            clock: self.clock,
            concurrent_images: self.speed.concurrent_images,
            stop,
            progress: self.progress,
            observed_at: self.started_at,
        }
    }
}

/// Lets pass what a person has accepted on the command line of what tripped in `plan`. Returns whether there was
/// anything.
fn accept(acceptance: Acceptance, plan: &Plan, backgrounds: &mut BTreeMap<Scope, Background>) -> bool {
    let mut any = false;
    for tripped in &plan.tripped {
        let Some(background) = backgrounds.get_mut(&tripped.scope) else { continue };
        match tripped.guard {
            Guard::Collapse if acceptance.collapse => {
                background.circumstances.baseline = None;
                any = true;
            }
            Guard::Surge if acceptance.surge => {
                let surged =
                    plan.held.iter().filter(|held| held.guard == Guard::Surge && held.scope == tripped.scope);
                background.accepted.extend(surged.map(|held| (held.image_id.clone(), held.change.kind())));
                any = true;
            }
            _ => {}
        }
    }
    any
}
