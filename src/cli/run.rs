//! `run`, `plan`, `apply`, `undo` and `accept`.

use std::path::PathBuf;

use amiwarden_core::{CycleReport, Mode, RunId, Timestamp};
use anyhow::{Context, anyhow};
use tracing::Instrument;
use uuid::Uuid;

use super::args::{AcceptableGuard, ApplyArgs, EnforceArgs, Global, PlanArgs, RunArgs, UndoArgs};
use super::earlier::{stored_plan, what_to_undo};
use super::failure::{Failure, Outcome};
use super::{interrupt, prepare, terminal};
use crate::cycle::Acceptance;
use crate::metrics::SingleRun;
use crate::notify::{Ended, Notifiers, Surroundings};
use crate::progress::Progress;
use crate::report::{Format, render};
use crate::rules::Rules;
use crate::run::{Judgement, Order, Performed, Preview, Run, Task, links};
use crate::store::{Accepted, Store};
use crate::telemetry;

/// What was asked for.
enum Request {
    Run,
    Plan,
    Apply(Option<String>),
    Undo(UndoArgs),
}

impl Request {
    fn command(&self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Plan => "plan",
            Self::Apply(_) => "apply",
            Self::Undo(_) => "undo",
        }
    }

    async fn task(&self, store: &Store) -> Result<Task, Failure> {
        Ok(match self {
            Self::Run => Task::Run,
            Self::Plan => Task::Plan,
            Self::Apply(name) => Task::Apply(Box::new(stored_plan(store, name.as_deref()).await?)),
            Self::Undo(args) => Task::Undo(what_to_undo(store, args).await?),
        })
    }
}

/// What a run is asked besides.
struct Wishes {
    enforce: EnforceArgs,
    acceptance: Acceptance,
    exit_code: bool,
    metrics_file: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &RunArgs) -> Result<Outcome, Failure> {
    let acceptance = Acceptance {
        surge: args.accept.contains(&AcceptableGuard::Surge),
        collapse: args.accept.contains(&AcceptableGuard::Collapse),
        clock: args.accept.contains(&AcceptableGuard::Clock),
    };
    let (exit_code, metrics_file) = (args.exit_code, args.metrics_file.clone());
    let wishes = Wishes { enforce: args.enforce, acceptance, exit_code, metrics_file };
    perform(global, Request::Run, wishes).await
}

pub(super) async fn plan(global: &Global, args: &PlanArgs) -> Result<Outcome, Failure> {
    let enforce = EnforceArgs { enforce: false, yes: false };
    let (exit_code, metrics_file) = (args.exit_code, args.metrics_file.clone());
    let wishes = Wishes { enforce, acceptance: Acceptance::default(), exit_code, metrics_file };
    perform(global, Request::Plan, wishes).await
}

pub(super) async fn apply(global: &Global, args: &ApplyArgs) -> Result<Outcome, Failure> {
    let (exit_code, metrics_file) = (args.exit_code, args.metrics_file.clone());
    let wishes = Wishes { enforce: args.enforce, acceptance: Acceptance::default(), exit_code, metrics_file };
    perform(global, Request::Apply(args.plan.clone()), wishes).await
}

pub(super) async fn undo(global: &Global, args: &UndoArgs) -> Result<Outcome, Failure> {
    let enforce = EnforceArgs { enforce: true, yes: args.yes };
    let wishes = Wishes { enforce, acceptance: Acceptance::default(), exit_code: false, metrics_file: None };
    perform(global, Request::Undo(args.clone()), wishes).await
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

/// Everything of `run`, `plan`, `apply` and `undo` that is the same.
async fn perform(global: &Global, request: Request, wishes: Wishes) -> Result<Outcome, Failure> {
    let run_id = RunId::new(Uuid::now_v7().to_string());
    let span = telemetry::run_span(&run_id);
    Box::pin(perform_as(run_id, global, request, wishes).instrument(span)).await
}

async fn perform_as(
    run_id: RunId,
    global: &Global,
    request: Request,
    wishes: Wishes,
) -> Result<Outcome, Failure> {
    let mode = match request {
        Request::Plan => Some(Mode::Observe),
        Request::Run | Request::Apply(_) => wishes.enforce.enforce.then_some(Mode::Enforce),
        Request::Undo(_) => Some(Mode::Enforce),
    };
    let config = prepare::load_config(global, mode)?;
    let rules = match request {
        Request::Run | Request::Plan | Request::Apply(_) => prepare::load_rules(config)?,
        // What was done can be undone whatever has become of the policies.
        Request::Undo(_) => Rules::without_policies(config).map_err(Failure::usage)?,
    };
    check_enforcement(&rules, wishes.enforce)?;
    let cloud = prepare::connect(global, &rules.config, Some(run_id.clone())).await?;
    let told = match request {
        // Whoever only looks tells nobody.
        Request::Plan => &[],
        Request::Run | Request::Apply(_) | Request::Undo(_) => &rules.config.notify[..],
    };
    let notifiers = Notifiers::new(told, Some(cloud.connection.publisher()), Surroundings::REAL)?;
    let store = prepare::open_store(&rules.config).await?;
    let task = request.task(&store).await?;
    cloud.seed(&store).await?;

    let progress = if global.verbose > 0 { Progress::hidden() } else { Progress::visible() };
    let stop = interrupt::stop_on_signal();
    let scopes = prepare::scopes(&cloud);
    let links = links(&cloud.connection, &scopes, rules.config.usage.template_versions);
    let run = Run {
        id: &run_id,
        rules: &rules,
        links: &links,
        bystanders: &[],
        unlisted: cloud.connection.unlisted(),
        store: &store,
        stop: &stop,
        progress: &progress,
    };
    let order = Order {
        command: request.command().to_owned(),
        task,
        acceptance: wishes.acceptance,
        is_attended: true,
    };
    let confirm = async |preview: &Preview<'_>| {
        if wishes.enforce.yes {
            return Ok(true);
        }
        progress.clear();
        let mut text = Vec::new();
        render(&preview.report(), Format::Table, &terminal::style_of_preview(global), &mut text)?;
        terminal::note(&String::from_utf8_lossy(&text));
        terminal::ask(&format!("Carry out {}?", preview.counts()), &stop).await
    };
    let started_at = Timestamp::now();
    let performed = Box::pin(run.perform(order, confirm)).await;
    progress.clear();
    let single_run = SingleRun { command: request.command(), rules: &rules, store: &store, started_at };
    let Performed { report, prospect } = match performed {
        Ok(performed) => performed,
        Err(error) => {
            if let Some(file) = &wishes.metrics_file
                && let Err(error) = single_run.write(None, file).await
            {
                // The failure of the run is what is told in the end.
                terminal::note(&format!("{:#}", anyhow!(error)));
            }
            Box::pin(notifiers.tell_once(&store, Ended::Failure(&run_id, &error), &stop)).await;
            return Err(error.into());
        }
    };
    // The report first: were the store to fail now, nobody would know otherwise what was done.
    let recorded = store.finish_run(&report).await;
    let measured = match &wishes.metrics_file {
        Some(file) => single_run.write(Some(&report), file).await,
        None => Ok(()),
    };
    let mut out = Vec::new();
    render(&report, global.format.into(), &terminal::style(global), &mut out)?;
    let printed = terminal::print(&out);
    Box::pin(notifiers.tell_once(&store, Ended::Report(&report, prospect), &stop)).await;
    let closed = store.close().await;
    drop(links);
    cloud.close().await;
    recorded?;
    closed?;
    measured?;
    printed.context("the report could not be printed; what was done is recorded (`amiwarden history`)")?;
    Ok(outcome(&report, &request, wishes.exit_code))
}

/// Enforcing needs limits that somebody has chosen, and somebody who says yes.
fn check_enforcement(rules: &Rules, args: EnforceArgs) -> Result<(), Failure> {
    rules.check_enforcement().map_err(Failure::usage)?;
    if rules.config.mode == Mode::Enforce && !args.yes && !terminal::can_ask() {
        return Err(Failure::Usage(anyhow!(
            "carrying out changes needs a confirmation, and there is no terminal to ask at: add --yes"
        )));
    }
    Ok(())
}

/// What the report comes to for whoever called.
fn outcome(report: &CycleReport, request: &Request, exit_code: bool) -> Outcome {
    // An undo of which nothing is possible has failed; one that is as it was has not.
    let undone_in_vain = matches!(request, Request::Undo(_))
        && report.steps.is_empty()
        && (!report.held.is_empty() || report.kept.iter().any(|kept| kept.rule.is_some()));
    match Judgement::of(report) {
        _ if undone_in_vain => Outcome::StepsFailed,
        Judgement::Failed => Outcome::StepsFailed,
        Judgement::GuardTripped => Outcome::GuardTripped,
        Judgement::Due if exit_code => Outcome::ChangesDue,
        Judgement::Due | Judgement::Fine => Outcome::Fine,
    }
}
