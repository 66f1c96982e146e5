//! What the metrics have been told, and the values that it comes to.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    ActionKind, CallResult, Cost, CycleReport, Figures, Guard, ImageState, Mode, PolicyName, Scope,
    ScopeFigures, Source, StepOutcome, Timestamp,
};

use super::samples::{
    CALLS_MAX, DECISIONS_MAX, FAILING_POLICIES_MAX, Names, OTHER, SCHEDULES_MAX, STEPS_MAX, Samples, Scopes,
    from_ms, number, size,
};
use super::{Notified, NotifierKind, PolicySetInfo, Skipped, series};

/// The guards that trip for a whole scope.
const TRIPPING: [Guard; 3] = [Guard::Clock, Guard::Collapse, Guard::Surge];

/// The outcomes of steps, by their names in reports.
const OUTCOMES: [&str; 6] = ["done", "already-done", "skipped-changed", "failed", "unknown", "not-attempted"];

/// So many characters of a digest tell one set of policies from another.
const DIGEST_CHARS: usize = 12;

/// Everything that was told.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) version: String,
    pub(super) schedules: BTreeMap<String, ScheduleState>,
    pub(super) scopes: BTreeMap<Scope, ScopeState>,
    pub(super) last: Option<LastRun>,
    pub(super) counted: Counted,
    pub(super) policies: Option<PolicySetInfo>,
    pub(super) ledger_head: Option<i64>,
    pub(super) ledger_ok: Option<bool>,
    pub(super) unresolved_intents: Option<usize>,
}

/// What is known of a schedule.
#[derive(Debug, Default)]
pub(super) struct ScheduleState {
    pub(super) attempted_at: Option<Timestamp>,
    pub(super) succeeded_at: Option<Timestamp>,
    pub(super) last_ok: Option<bool>,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) skipped: BTreeMap<Skipped, u64>,
}

/// What is known of a scope: from the last run that covers it, for schedules may cover different ones.
#[derive(Debug, Default)]
pub(super) struct ScopeState {
    pub(super) attempted_at: Option<Timestamp>,
    pub(super) read: Option<ScopeRead>,
    pub(super) succeeded_at: Option<Timestamp>,
}

/// What a run found in a scope.
#[derive(Debug)]
pub(super) struct ScopeRead {
    gaps: usize,
    figures: ScopeFigures,
    tripped: BTreeSet<Guard>,
}

/// The last run that ended, without its images.
#[derive(Debug)]
pub(super) struct LastRun {
    duration_ms: u64,
    mode: Mode,
    figures: Figures,
    steps: BTreeMap<(ActionKind, &'static str), usize>,
    held: BTreeMap<Guard, usize>,
    errors: BTreeMap<PolicyName, usize>,
    conflicts: usize,
}

/// What is counted over all runs of the process.
#[derive(Debug, Default)]
pub(super) struct Counted {
    steps: BTreeMap<&'static str, u64>,
    trips: BTreeMap<Guard, u64>,
    calls: BTreeMap<CallResult, u64>,
    waited_ms: u64,
    saved: Cost,
    pub(super) notified: BTreeMap<(NotifierKind, Notified), u64>,
}

impl State {
    pub(super) fn schedule(&mut self, name: &str) -> &mut ScheduleState {
        self.schedules.entry(name.to_owned()).or_default()
    }

    /// Takes in the report of a run of `schedule`.
    pub(super) fn finish(&mut self, schedule: &str, report: &CycleReport, is_ok: bool) {
        let schedule = self.schedule(schedule);
        schedule.attempted_at = Some(report.started_at);
        schedule.last_ok = Some(is_ok);
        if is_ok {
            schedule.succeeded += 1;
            schedule.succeeded_at = Some(report.finished_at);
        } else {
            schedule.failed += 1;
        }
        for of_scope in &report.scopes {
            let scope = self.scopes.entry(of_scope.scope.clone()).or_default();
            scope.attempted_at = Some(report.started_at);
            let is_listed = of_scope.gaps.iter().all(|(source, _)| *source != Source::Images);
            if is_listed && of_scope.dry_run_error.is_none() {
                scope.succeeded_at = Some(report.finished_at);
            }
            let tripped = report.tripped.iter().filter(|it| it.scope == of_scope.scope);
            scope.read = Some(ScopeRead {
                gaps: of_scope.gaps.len(),
                figures: of_scope.figures.clone(),
                tripped: tripped.map(|it| it.guard).collect(),
            });
        }
        self.counted.take(report);
        self.last = Some(LastRun::of(report));
    }

    /// All values.
    pub(super) fn samples(&self, is_paused: bool) -> Samples {
        let mut samples = Samples::default();
        samples.add(&series::BUILD_INFO, [&self.version], 1.0);
        samples.add_flag(&series::PAUSED, [], is_paused);
        self.sample_schedules(&mut samples);
        self.sample_scopes(&mut samples);
        self.sample_policies(&mut samples);
        if let Some(last) = &self.last {
            last.sample(&mut samples);
        }
        self.counted.sample(&mut samples);
        if let Some(sequence) = self.ledger_head {
            samples.add(&series::LEDGER_HEAD, [], number(u64::try_from(sequence).unwrap_or(0)));
        }
        if let Some(is_ok) = self.ledger_ok {
            samples.add_flag(&series::LEDGER_OK, [], is_ok);
        }
        if let Some(count) = self.unresolved_intents {
            samples.add(&series::UNRESOLVED_INTENTS, [], size(count));
        }
        samples
    }

    fn sample_schedules(&self, samples: &mut Samples) {
        let names = Names::first(self.schedules.keys().map(String::as_str), SCHEDULES_MAX);
        let mut ok: BTreeMap<&str, bool> = BTreeMap::new();
        for (name, schedule) in &self.schedules {
            let name = names.of(name);
            if let Some(at) = schedule.attempted_at {
                samples.add_instant(&series::LAST_ATTEMPT, [name], at);
            }
            if let Some(at) = schedule.succeeded_at {
                samples.add_instant(&series::LAST_SUCCESS, [name], at);
            }
            if let Some(is_ok) = schedule.last_ok {
                let all = ok.entry(name).or_insert(true);
                *all = *all && is_ok;
            }
            samples.add(&series::RUNS, [name, "succeeded"], number(schedule.succeeded));
            samples.add(&series::RUNS, [name, "failed"], number(schedule.failed));
            for reason in Skipped::ALL {
                let count = schedule.skipped.get(&reason).copied().unwrap_or(0);
                samples.add(&series::TICKS_SKIPPED, [name, reason.as_str()], number(count));
            }
        }
        for (name, is_ok) in ok {
            samples.add_flag(&series::LAST_RUN_OK, [name], is_ok);
        }
    }

    fn sample_scopes(&self, samples: &mut Samples) {
        let scopes = Scopes::first(self.scopes.keys());
        for (scope, state) in &self.scopes {
            let (account, region) = scopes.of(scope);
            if let Some(at) = state.attempted_at {
                samples.add_instant(&series::SCOPE_LAST_ATTEMPT, [account, region], at);
            }
            if let Some(at) = state.succeeded_at {
                samples.add_instant(&series::SCOPE_LAST_SUCCESS, [account, region], at);
            }
            if let Some(read) = &state.read {
                read.sample(samples, account, region);
            }
        }
    }

    fn sample_policies(&self, samples: &mut Samples) {
        let Some(policies) = &self.policies else { return };
        let digest: String = policies.digest.chars().take(DIGEST_CHARS).collect();
        samples.add(&series::POLICY_SET_INFO, [&digest], 1.0);
        samples.add_instant(&series::POLICY_SET_LOADED, [], policies.loaded_at);
        samples.add_flag(&series::POLICY_SET_OK, [], policies.ok);
        samples.add(&series::POLICIES, [], size(policies.names.len()));
        let Some(last) = &self.last else { return };
        let all = policies.names.iter().chain(last.errors.keys());
        let names = Names::first(all.clone().map(PolicyName::as_str), FAILING_POLICIES_MAX);
        for policy in all.collect::<BTreeSet<_>>() {
            let count = last.errors.get(policy).copied().unwrap_or(0);
            samples.add(&series::RUN_POLICY_ERRORS, [names.of(policy.as_str())], size(count));
        }
    }
}

impl ScopeRead {
    fn sample(&self, samples: &mut Samples, account: &str, region: &str) {
        let figures = &self.figures;
        let scope = [account, region];
        for state in ["available", "disabled", "failed", "pending", OTHER] {
            samples.add(&series::IMAGES, [account, region, state], 0.0);
        }
        for (state, count) in &figures.images_by_state {
            samples.add(&series::IMAGES, [account, region, state_label(state)], size(*count));
        }
        for guard in TRIPPING {
            let is_tripped = self.tripped.contains(&guard);
            samples.add_flag(&series::GUARD_TRIPPED, [account, region, guard.as_str()], is_tripped);
        }
        samples.add(&series::SCOPE_INCOMPLETE, scope, size(self.gaps));
        samples.add(&series::USAGE_UNKNOWN, scope, size(figures.usage_unknown));
        samples.add(&series::DISABLED_REFERENCED, scope, size(figures.disabled_referenced));
        samples.add(&series::DISABLED_COST, scope, figures.disabled_cost.usd());
        samples.add(&series::PENDING_DEREGISTRATIONS, scope, size(figures.pending_deregistrations));
        if let Some(at) = figures.next_deregistration_at {
            samples.add_instant(&series::NEXT_DEREGISTRATION, scope, at);
        }
    }
}

/// The states that matter have a label of their own.
fn state_label(state: &ImageState) -> &'static str {
    match state {
        ImageState::Available => "available",
        ImageState::Disabled => "disabled",
        ImageState::Pending => "pending",
        ImageState::Failed | ImageState::Error | ImageState::Invalid => "failed",
        ImageState::Deregistered | ImageState::Transient | ImageState::Other(_) => OTHER,
    }
}

impl LastRun {
    fn of(report: &CycleReport) -> Self {
        let duration = report.finished_at.as_millisecond() - report.started_at.as_millisecond();
        let mut steps: BTreeMap<_, usize> = BTreeMap::new();
        for (step, became) in &report.steps {
            *steps.entry((step.change.kind(), became.outcome.as_str())).or_default() += 1;
        }
        let mut held: BTreeMap<_, usize> = BTreeMap::new();
        for it in &report.held {
            *held.entry(it.guard).or_default() += 1;
        }
        let mut errors: BTreeMap<_, usize> = BTreeMap::new();
        for it in &report.errors {
            *errors.entry(it.policy.clone()).or_default() += 1;
        }
        Self {
            duration_ms: u64::try_from(duration).unwrap_or(0),
            mode: report.mode,
            figures: report.figures.clone(),
            steps,
            held,
            errors,
            conflicts: report.conflicts.len(),
        }
    }

    fn sample(&self, samples: &mut Samples) {
        samples.add(&series::RUN_DURATION, [], from_ms(self.duration_ms));
        for it in &self.figures.phases {
            samples.add(&series::RUN_PHASE_DURATION, [it.phase.as_str()], from_ms(it.duration_ms));
        }
        samples.add_flag(&series::RUN_ENFORCES, [], self.mode == Mode::Enforce);
        samples.add(&series::RUN_CONFLICTS, [], size(self.conflicts));
        samples.add(&series::RUN_SAVED_COST, [], self.figures.saved.usd());
        for (guard, count) in &self.held {
            samples.add(&series::RUN_HELD, [guard.as_str()], size(*count));
        }
        self.sample_decisions(samples);
        let actions = self.steps.keys().map(|(action, _)| action.as_str());
        let actions = Names::of_pairs(actions, STEPS_MAX, OUTCOMES.len());
        for ((action, outcome), count) in &self.steps {
            samples.add(&series::RUN_STEPS, [actions.of(action.as_str()), outcome], size(*count));
        }
        self.sample_calls(samples);
    }

    fn sample_decisions(&self, samples: &mut Samples) {
        let decisions = &self.figures.decisions;
        let actions_max = ActionKind::ALL.len() + ["keep", "notify"].len();
        let policies = decisions.iter().map(|it| it.policy.as_str());
        let policies = Names::of_pairs(policies, DECISIONS_MAX, actions_max);
        for it in decisions {
            let labels = [policies.of(it.policy.as_str()), it.said.as_str()];
            samples.add(&series::RUN_DECISIONS, labels, size(it.images));
        }
    }

    fn sample_calls(&self, samples: &mut Samples) {
        let calls = &self.figures.calls;
        let each = || {
            let each = calls.by_operation.iter();
            each.flat_map(|(operation, results)| {
                results.iter().map(move |(it, count)| (operation, it, count))
            })
        };
        let operations = each().map(|(operation, ..)| operation.as_str());
        let operations = Names::of_pairs(operations, CALLS_MAX, CallResult::ALL.len());
        for (operation, result, count) in each() {
            let labels = [operations.of(operation), result.as_str()];
            samples.add(&series::RUN_AWS_CALLS, labels, number(*count));
        }
        let throttled = calls.with_result(CallResult::Throttled);
        samples.add(&series::RUN_AWS_THROTTLED, [], number(throttled));
        samples.add(&series::RUN_AWS_WAIT, [], from_ms(calls.waited_ms));
    }
}

impl Counted {
    fn take(&mut self, report: &CycleReport) {
        for (_, became) in &report.steps {
            *self.steps.entry(StepOutcome::as_str(&became.outcome)).or_default() += 1;
        }
        for tripped in &report.tripped {
            *self.trips.entry(tripped.guard).or_default() += 1;
        }
        let calls = &report.figures.calls;
        for result in CallResult::ALL {
            *self.calls.entry(result).or_default() += calls.with_result(result);
        }
        self.waited_ms = self.waited_ms.saturating_add(calls.waited_ms);
        self.saved.micro_usd = self.saved.micro_usd.saturating_add(report.figures.saved.micro_usd);
    }

    /// Everything that can be counted is there from the start: what appears only when it happens cannot be seen to
    /// have grown.
    fn sample(&self, samples: &mut Samples) {
        for outcome in OUTCOMES {
            let count = self.steps.get(outcome).copied().unwrap_or(0);
            samples.add(&series::STEPS, [outcome], number(count));
        }
        for guard in TRIPPING {
            let count = self.trips.get(&guard).copied().unwrap_or(0);
            samples.add(&series::GUARD_TRIPS, [guard.as_str()], number(count));
        }
        for result in CallResult::ALL {
            let count = self.calls.get(&result).copied().unwrap_or(0);
            samples.add(&series::AWS_CALLS, [result.as_str()], number(count));
        }
        samples.add(&series::AWS_WAIT, [], from_ms(self.waited_ms));
        samples.add(&series::SAVED_COST, [], self.saved.usd());
        for kind in NotifierKind::ALL {
            for result in Notified::ALL {
                let count = self.notified.get(&(kind, result)).copied().unwrap_or(0);
                samples.add(&series::NOTIFICATIONS, [kind.as_str(), result.as_str()], number(count));
            }
        }
    }
}
