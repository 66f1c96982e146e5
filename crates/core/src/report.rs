//! What one run came to. The printed report, the log, the metrics and the stored run are all made from this
//! one value, so they cannot disagree.

use serde::{Deserialize, Serialize};

use crate::{
    Conflict, Estimate, Figures, Gap, Held, ImageId, Kept, Mode, PlanId, PolicyFailure, PolicyName, RunId,
    Scope, ScopeFigures, Source, Step, StepOutcome, StepReport, Timestamp, TrippedGuard,
};

/// One run over all its scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleReport {
    /// The run.
    pub run_id: RunId,
    /// The plan that it made, or carried out.
    pub plan_id: PlanId,
    /// Whether it was to carry out anything.
    pub mode: Mode,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Each scope, and how completely it was read.
    pub scopes: Vec<ScopeReport>,
    /// Each step with what became of it.
    pub steps: Vec<(Step, StepReport)>,
    /// What guards hold back.
    pub held: Vec<Held>,
    /// Images to which nothing happens.
    pub kept: Vec<Kept>,
    /// Policies that could not be evaluated, by image.
    pub errors: Vec<PolicyErrorReport>,
    /// Contradictions, by image.
    pub conflicts: Vec<(ImageId, Conflict)>,
    /// Guards that found something wrong with a whole scope.
    pub tripped: Vec<TrippedGuard>,
    /// Sources of usage that the configuration has switched off: no proof of the run rests on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switched_off: Vec<Source>,
    /// Requests sent to AWS.
    pub api_calls: u64,
    /// What rehearsing and carrying out the steps takes at least.
    #[serde(default)]
    pub estimate: Estimate,
    /// Whether it was told to stop before its end.
    pub interrupted: bool,
    /// What was counted besides, for the metrics.
    #[serde(default)]
    pub figures: Figures,
}

/// One scope of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeReport {
    /// The account and Region.
    pub scope: Scope,
    /// How many images were read.
    pub images: usize,
    /// What could not be read.
    pub gaps: Vec<(Source, Gap)>,
    /// Why nothing was rehearsed or changed there, if so: the endpoint does not honour `DryRun`.
    pub dry_run_error: Option<String>,
    /// What was counted besides, for the metrics. Not stored.
    #[serde(default)]
    pub figures: ScopeFigures,
}

impl ScopeReport {
    /// Whether everything that was asked for was read.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// A policy that could not be evaluated for an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyErrorReport {
    /// The policy.
    pub policy: PolicyName,
    /// The image.
    pub image_id: ImageId,
    /// What went wrong.
    pub failure: PolicyFailure,
}

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Images read.
    pub images: usize,
    /// Steps in the plan.
    pub steps: usize,
    /// Changes held back.
    pub held: usize,
    /// Images kept.
    pub kept: usize,
    /// Policy errors.
    pub errors: usize,
    /// Steps whose effect holds: done now, or found done.
    pub done: usize,
    /// Steps that EC2 refused, or whose fate is unknown.
    pub failed: usize,
    /// Requests sent to AWS.
    pub api_calls: u64,
}

impl CycleReport {
    /// Its counts.
    pub fn totals(&self) -> Totals {
        let count = |wanted: fn(&StepOutcome) -> bool| {
            self.steps.iter().filter(|(_, report)| wanted(&report.outcome)).count()
        };
        Totals {
            images: self.scopes.iter().map(|scope| scope.images).sum(),
            steps: self.steps.len(),
            held: self.held.len(),
            kept: self.kept.len(),
            errors: self.errors.len(),
            done: count(|outcome| matches!(outcome, StepOutcome::Done | StepOutcome::AlreadyDone)),
            failed: count(|outcome| matches!(outcome, StepOutcome::Failed(_) | StepOutcome::Unknown(_))),
            api_calls: self.api_calls,
        }
    }
}
