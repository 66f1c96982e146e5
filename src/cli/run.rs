//! `run`, `plan`, `apply` and `accept`.

use std::collections::BTreeMap;

use amiwarden_core::{
    ActionKind, CycleReport, ImageId, Mode, Plan, PolicyName, Rehearsal, RunId, Source, Step, StepOutcome,
    StepReport, TemplateVersions, Timestamp, clock_doubt,
};
use amiwarden_ec2::{Ec2Reader, Ec2Writer};
use amiwarden_policy::Policy;
use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::args::{AcceptableGuard, ApplyArgs, EnforceArgs, Global, PlanArgs, RunArgs, UndoArgs};
use super::failure::{Failure, Outcome};
use super::prepare::{self, Cloud, Rules};
use super::{interrupt, terminal};
use crate::cycle::{Acceptance, Cycle, Link, Planned, Undoes, report_without_request};
use crate::executor::settle_open_intents;
use crate::progress::Progress;
use crate::report::{Format, render};
use crate::store::{Accepted, DoneIntent, NewRun, PolicyRecord, Store, Undoable};

/// What a run is to do.
enum Task {
    Run,
    Plan,
    Apply(Option<String>),
    Undo(UndoArgs),
}

impl Task {
    fn command(&self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Plan => "plan",
            Self::Apply(_) => "apply",
            Self::Undo(_) => "undo",
        }
    }
}

/// What a task goes back to.
enum Earlier {
    Nothing,
    /// The plan to carry out.
    Plan(Plan),
    /// The changes to take back.
    Done(Vec<DoneIntent>),
}

/// What a run is asked besides.
struct Wishes {
    enforce: EnforceArgs,
    acceptance: Acceptance,
    exit_code: bool,
}

pub(super) async fn run(global: &Global, args: &RunArgs) -> Result<Outcome, Failure> {
    let acceptance = Acceptance {
        surge: args.accept.contains(&AcceptableGuard::Surge),
        collapse: args.accept.contains(&AcceptableGuard::Collapse),
        clock: args.accept.contains(&AcceptableGuard::Clock),
    };
    let wishes = Wishes { enforce: args.enforce, acceptance, exit_code: args.exit_code };
    perform(global, Task::Run, wishes).await
}

pub(super) async fn plan(global: &Global, args: &PlanArgs) -> Result<Outcome, Failure> {
    let enforce = EnforceArgs { enforce: false, yes: false };
    let wishes = Wishes { enforce, acceptance: Acceptance::default(), exit_code: args.exit_code };
    perform(global, Task::Plan, wishes).await
}

pub(super) async fn apply(global: &Global, args: &ApplyArgs) -> Result<Outcome, Failure> {
    let wishes =
        Wishes { enforce: args.enforce, acceptance: Acceptance::default(), exit_code: args.exit_code };
    perform(global, Task::Apply(args.plan.clone()), wishes).await
}

pub(super) async fn undo(global: &Global, args: &UndoArgs) -> Result<Outcome, Failure> {
    let enforce = EnforceArgs { enforce: true, yes: args.yes };
    let wishes = Wishes { enforce, acceptance: Acceptance::default(), exit_code: false };
    perform(global, Task::Undo(args.clone()), wishes).await
}

pub(super) async fn accept(global: &Global, plan: &str) -> Result<Outcome, Failure> {
    let config = prepare::load_config(global, None)?;
    let store = prepare::open_store(&config).await?;
    let plan = stored_plan(&store, Some(plan)).await?;
    let accepted = store.accept(&plan, Timestamp::now()).await?;
    store.close().await?;
    terminal::note(&format!("{}: {}", plan.id, accepted_words(accepted)));
    Ok(Outcome::Fine)
}

fn accepted_words(accepted: Accepted) -> String {
    let Accepted { changes, scopes } = accepted;
    let changes = (changes > 0).then(|| {
        format!("{changes} changes accepted; the limits per cycle let them through bit by bit from the next run on")
    });
    let scopes = (scopes > 0)
        .then(|| format!("what was last counted in {scopes} scopes is what later runs compare with"));
    let words: Vec<String> = changes.into_iter().chain(scopes).collect();
    if words.is_empty() {
        "no guard has tripped in it that could be accepted".to_owned()
    } else {
        words.join("; ")
    }
}

/// A clock that was set back would let changes happen too early, and what is recorded meanwhile would mislead later
/// runs. So nothing is begun.
async fn check_clock(store: &Store, acceptance: Acceptance) -> Result<(), Failure> {
    let newest = store.reader().newest_record().await?;
    match clock_doubt(now(), newest.filter(|_| !acceptance.clock), None) {
        None => Ok(()),
        Some(doubt) => Err(anyhow!(
            "{doubt}: nothing was read or changed. Set the clock right; if it is right, and was wrong before, \
             `amiwarden run --accept clock` goes on"
        )
        .into()),
    }
}

/// Everything of `run`, `plan` and `apply` that is the same.
async fn perform(global: &Global, task: Task, wishes: Wishes) -> Result<Outcome, Failure> {
    let mode = match task {
        Task::Plan => Some(Mode::Observe),
        Task::Run | Task::Apply(_) => wishes.enforce.enforce.then_some(Mode::Enforce),
        Task::Undo(_) => Some(Mode::Enforce),
    };
    let config = prepare::load_config(global, mode)?;
    let rules = match task {
        Task::Run | Task::Plan | Task::Apply(_) => prepare::load_rules(config)?,
        // What was done can be undone whatever has become of the policies.
        Task::Undo(_) => prepare::without_policies(config)?,
    };
    check_enforcement(&rules, wishes.enforce)?;
    let run_id = RunId::new(Uuid::now_v7().to_string());
    let cloud = prepare::connect(global, &rules.config, Some(run_id.clone())).await?;
    let store = prepare::open_store(&rules.config).await?;
    let earlier = match &task {
        Task::Run | Task::Plan => Earlier::Nothing,
        Task::Apply(name) => Earlier::Plan(stored_plan(&store, name.as_deref()).await?),
        Task::Undo(args) => Earlier::Done(what_to_undo(&store, args).await?),
    };
    check_clock(&store, wishes.acceptance).await?;
    cloud.seed(&store).await?;

    let started_at = now();
    store.begin_run(&new_run(&run_id, &task, &rules, started_at)?).await?;
    let progress = if global.verbose > 0 { Progress::hidden() } else { Progress::visible() };
    let stop = interrupt::stop_on_signal();
    let links = links(&cloud, rules.config.usage.template_versions);
    let readers: Vec<&Ec2Reader> = links.iter().map(|link| &link.reader).collect();
    settle_open_intents(&store, &readers, rules.config.settle_after, started_at).await?;
    let pause = prepare::pause_file(&rules.config);
    let cycle = Cycle {
        run_id: &run_id,
        started_at,
        mode: rules.config.mode,
        links: &links,
        store: &store,
        rules: &rules.book,
        limits: &rules.config.limits,
        usage: &rules.config.usage,
        pause: &pause,
        is_attended: true,
        is_undo: matches!(task, Task::Undo(_)),
        settle_after: rules.config.settle_after,
        speed: &rules.config.speed,
        clock: now,
        stop: &stop,
        progress: &progress,
    };
    let report = perform_task(&cycle, global, &task, earlier, &wishes).await;
    progress.clear();
    let report = report?;
    // The report first: were the store to fail now, nobody would know otherwise what was done.
    let recorded = store.finish_run(&report).await;
    let closed = store.close().await;
    drop(links);
    cloud.close().await;
    let mut out = Vec::new();
    render(&report, global.format.into(), &terminal::style(global), &mut out)?;
    let printed = terminal::print(&out);
    recorded?;
    closed?;
    printed.context("the report could not be printed; what was done is recorded (`amiwarden history`)")?;
    Ok(outcome(&report, &task, wishes.exit_code))
}

async fn perform_task(
    cycle: &Cycle<'_, Ec2Reader, Ec2Writer>,
    global: &Global,
    task: &Task,
    earlier: Earlier,
    wishes: &Wishes,
) -> Result<CycleReport, Failure> {
    let mut undoes = Undoes::new();
    let (mut planned, plan, objections) = match earlier {
        Earlier::Nothing => {
            let planned = cycle.plan(wishes.acceptance).await?;
            cycle.record_decisions(&planned).await?;
            cycle.record_plan(&planned).await?;
            let plan = planned.plan.clone();
            (planned, plan, BTreeMap::new())
        }
        Earlier::Plan(mut plan) => {
            let planned = cycle.plan(wishes.acceptance).await?;
            cycle.record_decisions(&planned).await?;
            let objections = planned.objections_to(&plan);
            planned.prove_anew(&mut plan);
            (planned, plan, objections)
        }
        Earlier::Done(done) => {
            let undo = cycle.plan_undo(done).await?;
            cycle.record_plan(&undo.planned).await?;
            undoes = undo.undoes;
            let plan = undo.planned.plan.clone();
            (undo.planned, plan, BTreeMap::new())
        }
    };
    if let Task::Plan = task {
        let only_reads = Rehearsal::Skipped("`plan` only reads; `run` rehearses".to_owned());
        let steps = all(&plan, &only_reads, "`plan` changes nothing");
        return Ok(cycle.report(planned, &plan, steps));
    }
    let mut scopes = std::mem::take(&mut planned.scopes);
    let rehearsals = cycle.rehearse(&plan, &mut scopes).await?;
    planned.scopes = scopes;
    let mut obstacles = cycle.obstacles(&plan, &rehearsals, objections, &planned.scopes).await?;
    if cycle.mode == Mode::Enforce && !wishes.enforce.yes {
        let preview = Preview { plan: &plan, rehearsals: &rehearsals, obstacles: &obstacles };
        if !preview.confirm(cycle, global, &planned).await? {
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
    Ok(cycle.report(planned, &plan, steps))
}

fn all(plan: &Plan, rehearsal: &Rehearsal, reason: &str) -> Vec<StepReport> {
    let report = report_without_request(rehearsal.clone(), StepOutcome::NotAttempted(reason.to_owned()));
    vec![report; plan.steps.len()]
}

/// What a person looks at before saying yes.
struct Preview<'a> {
    plan: &'a Plan,
    rehearsals: &'a [Rehearsal],
    obstacles: &'a BTreeMap<usize, StepOutcome>,
}

impl Preview<'_> {
    /// Shows what is about to happen and asks. With nothing to do there is nothing to ask.
    async fn confirm(
        &self,
        cycle: &Cycle<'_, Ec2Reader, Ec2Writer>,
        global: &Global,
        planned: &Planned,
    ) -> Result<bool, Failure> {
        let steps = self.plan.steps.iter().enumerate();
        let due: Vec<&Step> =
            steps.filter(|(index, _)| !self.obstacles.contains_key(index)).map(|(_, step)| step).collect();
        if due.is_empty() {
            return Ok(true);
        }
        cycle.progress.clear();
        let waiting = || StepOutcome::NotAttempted("waiting for confirmation".to_owned());
        let reports = self.rehearsals.iter().enumerate().map(|(index, rehearsal)| {
            let outcome = self.obstacles.get(&index).cloned().unwrap_or_else(waiting);
            report_without_request(rehearsal.clone(), outcome)
        });
        let report = cycle.report(planned.clone(), self.plan, reports.collect());
        let mut text = Vec::new();
        render(&report, Format::Table, &terminal::style_of_preview(global), &mut text)?;
        terminal::note(&String::from_utf8_lossy(&text));
        Ok(terminal::ask(&format!("Carry out {}?", counts(&due)), cycle.stop).await?)
    }
}

/// `9 changes (5 disable, 4 tag)`
fn counts(steps: &[&Step]) -> String {
    let mut by_kind: BTreeMap<ActionKind, usize> = BTreeMap::new();
    for step in steps {
        *by_kind.entry(step.change.kind()).or_default() += 1;
    }
    let parts: Vec<String> = by_kind.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let plural = if steps.len() == 1 { "" } else { "s" };
    format!("{} change{plural} ({})", steps.len(), parts.join(", "))
}

/// Enforcing needs limits that somebody has chosen, and somebody who says yes.
fn check_enforcement(rules: &Rules, args: EnforceArgs) -> Result<(), Failure> {
    if rules.config.mode != Mode::Enforce {
        return Ok(());
    }
    let deregistering: Vec<PolicyName> = rules
        .book
        .policies
        .policies()
        .iter()
        .filter(|policy| policy.actions().contains(&ActionKind::Deregister))
        .map(|policy| policy.name().clone())
        .filter(|name| rules.config.mode_of(name) == Mode::Enforce)
        .collect();
    rules.config.check_deregister(&deregistering).map_err(Failure::usage)?;
    if !args.yes && !terminal::can_ask() {
        return Err(Failure::Usage(anyhow!(
            "carrying out changes needs a confirmation, and there is no terminal to ask at: add --yes"
        )));
    }
    Ok(())
}

async fn stored_plan(store: &Store, name: Option<&str>) -> Result<Plan, Failure> {
    let id = match name {
        Some(beginning) => {
            let found = store.reader().plans_beginning(beginning, 3).await?;
            match &found[..] {
                [only] => only.clone(),
                [] => return Err(no_plan(&format!("there is no plan {beginning}"))),
                _ => return Err(no_plan(&format!("more than one plan begins with {beginning}"))),
            }
        }
        None => store.reader().newest_plan().await?.ok_or_else(|| no_plan("there is no plan yet"))?,
    };
    let known: Option<Plan> = store.reader().plan(&id).await?;
    known.ok_or_else(|| no_plan(&format!("there is no plan {id}")))
}

/// The changes that `amiwarden undo` was asked to take back.
async fn what_to_undo(store: &Store, args: &UndoArgs) -> Result<Vec<DoneIntent>, Failure> {
    let what = args.what.as_str();
    let wanted = if what.starts_with("ami-") {
        let image = ImageId::new(what);
        if args.all { Undoable::AllOfImage(image) } else { Undoable::LastOfImage(image) }
    } else if let Some((plan, step)) = what.split_once('/') {
        let plan = stored_plan(store, Some(plan)).await?;
        let step: usize =
            step.parse().ok().filter(|step| (1..=plan.steps.len()).contains(step)).ok_or_else(|| {
                Failure::Usage(anyhow!(
                    "{} has no step {step}: it has steps 1 to {}",
                    plan.id,
                    plan.steps.len()
                ))
            })?;
        Undoable::Step(plan.id, step - 1)
    } else {
        Undoable::Plan(stored_plan(store, Some(what)).await?.id)
    };
    let done = store.reader().undoable(&wanted).await?;
    if done.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "nothing that was carried out, and not undone since, belongs to {what}: `amiwarden history` shows what \
             was done"
        )));
    }
    Ok(done)
}

fn no_plan(reason: &str) -> Failure {
    Failure::Usage(anyhow!("{reason}: make one with `amiwarden plan`, or look at `amiwarden history`"))
}

fn links(cloud: &Cloud, versions: TemplateVersions) -> Vec<Link<Ec2Reader, Ec2Writer>> {
    let link = |scope| Link {
        reader: cloud.connection.reader(scope, versions),
        writer: cloud.connection.writer(scope),
    };
    prepare::scopes(cloud).iter().map(link).collect()
}

fn new_run(run_id: &RunId, task: &Task, rules: &Rules, started_at: Timestamp) -> Result<NewRun, Failure> {
    let policies = rules.book.policies.policies().iter().map(policy_record);
    Ok(NewRun {
        run_id: run_id.clone(),
        command: task.command().to_owned(),
        mode: rules.config.mode,
        started_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_digest: rules.config.digest(),
        policies: policies.collect::<Result<_, Failure>>()?,
    })
}

fn policy_record(policy: &Policy) -> Result<PolicyRecord, Failure> {
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

/// What the report comes to for whoever called. A tripped guard says more than changes that are due.
fn outcome(report: &CycleReport, task: &Task, exit_code: bool) -> Outcome {
    let totals = report.totals();
    // A change that was to be carried out and that EC2 does not permit is a failure, though nothing was tried.
    let refused = report.mode == Mode::Enforce
        && report.steps.iter().any(|(step, became)| {
            step.mode == Mode::Enforce
                && matches!(became.rehearsal, Rehearsal::Denied(_) | Rehearsal::Error(_))
        });
    let unreadable = report.scopes.iter().any(|scope| {
        scope.dry_run_error.is_some() || scope.gaps.iter().any(|(source, _)| *source == Source::Images)
    });
    // An undo of which nothing is possible has failed; one that is as it was has not.
    let undone_in_vain = matches!(task, Task::Undo(_))
        && report.steps.is_empty()
        && (!report.held.is_empty() || report.kept.iter().any(|kept| kept.rule.is_some()));
    if totals.failed > 0 || undone_in_vain || refused || report.interrupted || unreadable {
        Outcome::StepsFailed
    } else if !report.tripped.is_empty() {
        Outcome::GuardTripped
    } else if exit_code && totals.steps > totals.done {
        Outcome::ChangesDue
    } else {
        Outcome::Fine
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}
