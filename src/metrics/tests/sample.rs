//! Reports to render.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Because, CallResult, Change, Cost, CycleReport, DecisionCount, Estimate, FailureKind, Figures,
    Fingerprint, Gap, Guard, Held, ImageId, ImageState, Kept, LaunchPermissions, Mask, Mode, PhaseDuration,
    PlanId, PolicyErrorReport, PolicyFailure, PolicyName, Region, Rehearsal, RuleRef, RunId, Said, Scope,
    ScopeFigures, ScopeReport, SnapshotFate, Source, Step, StepOutcome, StepReport, Timestamp, TrippedGuard,
};

use crate::metrics::Metrics;
use crate::pause::PauseFile;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn scope(account: usize, region: &str) -> Scope {
    Scope { account: format!("{account:012}").parse().unwrap(), region: Region::new(region) }
}

/// Metrics beside which no file pauses anything.
pub(super) fn metrics() -> Metrics {
    Metrics::new("9.9.9", PauseFile::new("/nonexistent/amiwarden.pause".into())).unwrap()
}

/// A run that began at 0 and ended at 10 and found nothing.
pub(super) fn report(scopes: impl IntoIterator<Item = Scope>) -> CycleReport {
    let of_scope = |scope| ScopeReport {
        scope,
        images: 0,
        gaps: Vec::new(),
        dry_run_error: None,
        figures: ScopeFigures::default(),
    };
    CycleReport {
        run_id: RunId::new("run"),
        plan_id: PlanId::new("plan"),
        mode: Mode::Enforce,
        started_at: at(0),
        finished_at: at(10),
        scopes: scopes.into_iter().map(of_scope).collect(),
        steps: Vec::new(),
        held: Vec::new(),
        kept: Vec::new(),
        errors: Vec::new(),
        conflicts: Vec::new(),
        tripped: Vec::new(),
        switched_off: Vec::new(),
        api_calls: 0,
        estimate: Estimate::default(),
        interrupted: false,
        figures: Figures::default(),
    }
}

fn image_id(number: usize) -> ImageId {
    ImageId::new(format!("ami-{number:017}"))
}

pub(super) fn policy(number: usize) -> PolicyName {
    PolicyName::new(format!("policy-{number:03}"))
}

fn because(policy: PolicyName) -> Vec<Because> {
    let rule = RuleRef { name: "rule".to_owned(), line: 1 };
    vec![Because { policy, rule, reason: "reason".to_owned() }]
}

pub(super) fn step(scope: &Scope, number: usize, change: Change, outcome: StepOutcome) -> (Step, StepReport) {
    let step = Step {
        image_id: image_id(number),
        name: None,
        scope: scope.clone(),
        change,
        mode: Mode::Enforce,
        because: because(policy(0)),
        fingerprint: serde_json::from_str::<Fingerprint>(&format!("\"{}\"", "0".repeat(32))).unwrap(),
        mask: Mask::default(),
        covers_launch_permissions: false,
        proof: None,
        restorable_days: None,
    };
    let rehearsal = Rehearsal::Permitted;
    (step, StepReport { rehearsal, outcome, request_id: None, snapshots: Vec::new(), note: None })
}

fn failure(policy: PolicyName, number: usize) -> PolicyErrorReport {
    let failure = PolicyFailure {
        kind: FailureKind::UnknownFact,
        message: "unknown".to_owned(),
        line: None,
        column: None,
        rule: None,
    };
    PolicyErrorReport { policy, image_id: image_id(number), failure }
}

/// Every outcome.
pub(super) fn outcomes() -> Vec<StepOutcome> {
    let words = || "words".to_owned();
    vec![
        StepOutcome::Done,
        StepOutcome::AlreadyDone,
        StepOutcome::SkippedChanged(words()),
        StepOutcome::Failed(words()),
        StepOutcome::Unknown(words()),
        StepOutcome::NotAttempted(words()),
    ]
}

/// Every change, of one kind each.
pub(super) fn changes() -> Vec<Change> {
    let grants = LaunchPermissions::new;
    vec![
        Change::StripPublic,
        Change::StripShares(grants()),
        Change::Share(grants()),
        Change::SetDescription(String::new()),
        Change::RequireImdsV2,
        Change::Tag(BTreeMap::new()),
        Change::Untag(BTreeSet::new()),
        Change::Protect { cooldown: false },
        Change::Unprotect,
        Change::Deprecate(at(0)),
        Change::Undeprecate,
        Change::Disable,
        Change::Enable,
        Change::Deregister(SnapshotFate::Delete),
    ]
}

/// Every guard.
pub(super) const GUARDS: [Guard; 20] = [
    Guard::Clock,
    Guard::Collapse,
    Guard::OptOut,
    Guard::Pending,
    Guard::BackupManaged,
    Guard::Protected,
    Guard::Ladder,
    Guard::OneRung,
    Guard::MinimumAge,
    Guard::MinimumHold,
    Guard::NewestOfFamily,
    Guard::UsageProof,
    Guard::Completeness,
    Guard::RecycleBin,
    Guard::NewPolicy,
    Guard::Window,
    Guard::Pause,
    Guard::Surge,
    Guard::ShareOfScope,
    Guard::PerCycle,
];

/// A run over `scopes` with `images` images and `policies` policies, in which everything happens that can.
pub(super) fn everything(scopes: &[Scope], images: usize, policies: usize) -> CycleReport {
    let mut report = report(scopes.iter().cloned());
    for of_scope in &mut report.scopes {
        of_scope.gaps = vec![(Source::Instances, Gap::new("denied"))];
        let states = ["available", "disabled", "failed", "pending", "transient", "something new"];
        of_scope.figures.images_by_state =
            states.map(|state| (ImageState::from(state.to_owned()), images)).into();
        of_scope.figures.next_deregistration_at = Some(at(5));
    }
    let guards = [Guard::Clock, Guard::Collapse, Guard::Surge];
    report.tripped = scopes
        .iter()
        .flat_map(|scope| {
            guards.map(|guard| TrippedGuard {
                scope: scope.clone(),
                guard,
                reason: "reason".to_owned(),
                counted: None,
            })
        })
        .collect();
    let kept = |number| Kept {
        image_id: image_id(number),
        name: None,
        scope: scopes[number % scopes.len()].clone(),
        reason: "in use".to_owned(),
        policy: Some(policy(number % policies)),
        rule: None,
    };
    report.kept = (0..images).map(kept).collect();
    report.errors = (0..images).map(|number| failure(policy(number % policies), number)).collect();
    let held = |number: usize| Held {
        image_id: image_id(number),
        name: None,
        scope: scopes[number % scopes.len()].clone(),
        change: Change::Disable,
        because: because(policy(number % policies)),
        guard: GUARDS[number % GUARDS.len()],
        reason: "reason".to_owned(),
    };
    report.held = (0..images).map(held).collect();
    for change in changes() {
        for outcome in outcomes() {
            report.steps.push(step(&scopes[0], 1, change.clone(), outcome));
        }
    }
    report.figures = figures(policies);
    report
}

fn figures(policies: usize) -> Figures {
    let mut figures = Figures { saved: Cost { micro_usd: 1_500_000 }, ..Figures::default() };
    for phase in amiwarden_core::CyclePhase::ALL {
        figures.phases.push(PhaseDuration { phase, duration_ms: 1500 });
    }
    for number in 0..policies {
        let acts = changes().into_iter().map(|change| Said::Act(change.kind()));
        for said in acts.chain([Said::Keep, Said::Notify]) {
            figures.decisions.push(DecisionCount { policy: policy(number), said, images: 2 });
        }
    }
    for operation in amiwarden_core::OPERATIONS {
        for result in CallResult::ALL {
            figures.calls.add(operation, result, 10);
        }
    }
    figures
}
