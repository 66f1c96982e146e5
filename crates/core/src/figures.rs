//! What is counted of a run besides what its report tells image by image: the material of the metrics.
//!
//! Nothing here decides anything. A figure that cannot be known is left out or counted as unknown, never guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ActionKind, Change, Cost, Decision, Duration, Fact, Facts, Held, ImageId, ImageState, Inventory, Opinion,
    PolicyName, Scope, SnapshotFate, Step, StepOutcome, StepReport, Timestamp, UseKind, Wish, cost_at_most,
};

/// What is counted over all scopes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// How long each part of the run took, in their order.
    pub phases: Vec<PhaseDuration>,
    /// The requests that were sent.
    pub calls: CallCounts,
    /// What the policies said, by policy.
    pub decisions: Vec<DecisionCount>,
    /// What the snapshots that went with deregistered images cost a month, at most.
    pub saved: Cost,
}

/// What is counted of one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeFigures {
    /// Its images by their state, as they were read: before any change.
    pub images_by_state: BTreeMap<ImageState, usize>,
    /// Images of which it was asked whether something uses them, and nobody can tell.
    pub usage_unknown: usize,
    /// Disabled images that something would launch: a template, a group, a fleet, an alias.
    pub disabled_referenced: usize,
    /// What the snapshots of disabled images cost a month, at most.
    pub disabled_cost: Cost,
    /// Disabled images whose cost is not known.
    pub disabled_cost_unknown: usize,
    /// Disabled images whose minimum hold has not ended, and those whose deregistration a policy asks for and that are
    /// still there.
    pub pending_deregistrations: usize,
    /// When the next minimum hold ends.
    pub next_deregistration_at: Option<Timestamp>,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CyclePhase {
    /// Reading images and asking the policies.
    Survey,
    /// Proving that nothing uses what is to go, and making the plan.
    Prove,
    /// Recording decisions and plan.
    Record,
    /// Rehearsing with `DryRun`.
    Rehearse,
    /// Carrying out.
    Enforce,
}

impl CyclePhase {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Survey, Self::Prove, Self::Record, Self::Rehearse, Self::Enforce];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Prove => "prove",
            Self::Record => "record",
            Self::Rehearse => "rehearse",
            Self::Enforce => "enforce",
        }
    }
}

/// How long one part of a run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseDuration {
    /// The part.
    pub phase: CyclePhase,
    /// Its duration in milliseconds.
    pub duration_ms: u64,
}

/// How a request to AWS ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallResult {
    /// AWS did what was asked.
    Ok,
    /// AWS said that it would have: the answer to a rehearsal.
    Rehearsed,
    /// AWS was too busy.
    Throttled,
    /// The credentials do not permit it.
    Denied,
    /// AWS understood and refused it.
    Refused,
    /// No reply, a broken one, or a server error.
    NoReply,
}

impl CallResult {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ok, Self::Rehearsed, Self::Throttled, Self::Denied, Self::Refused, Self::NoReply];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rehearsed => "rehearsed",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::NoReply => "no-reply",
        }
    }
}

/// Requests to AWS by operation and result, retries included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// How many, by operation (such as `DescribeImages`) and result.
    pub by_operation: BTreeMap<String, BTreeMap<CallResult, u64>>,
    /// How long requests waited for a token of their bucket, all of them together, in milliseconds.
    pub waited_ms: u64,
}

impl CallCounts {
    /// One more request.
    pub fn add(&mut self, operation: &str, result: CallResult, waited_ms: u64) {
        if let Some(results) = self.by_operation.get_mut(operation) {
            *results.entry(result).or_default() += 1;
        } else {
            self.by_operation.insert(operation.to_owned(), BTreeMap::from([(result, 1)]));
        }
        self.waited_ms = self.waited_ms.saturating_add(waited_ms);
    }

    /// Takes in those of another client.
    pub fn extend(&mut self, other: &Self) {
        for (operation, results) in &other.by_operation {
            let own = self.by_operation.entry(operation.clone()).or_default();
            for (result, count) in results {
                *own.entry(*result).or_default() += count;
            }
        }
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
    }

    /// How many ended so.
    pub fn with_result(&self, result: CallResult) -> u64 {
        self.by_operation.values().filter_map(|results| results.get(&result)).sum()
    }
}

/// What a policy says of an image, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Keep it.
    Keep,
    /// Tell somebody.
    Notify,
    /// Change it.
    Act(ActionKind),
}

impl Said {
    /// Its name in metrics: that of the function in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Notify => "notify",
            Self::Act(kind) => kind.as_str(),
        }
    }
}

/// Of how many images a policy said something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionCount {
    /// The policy.
    pub policy: PolicyName,
    /// What it said.
    pub said: Said,
    /// Of how many images.
    pub images: usize,
}

/// Counts what the policies said, by policy and then by what it was.
pub fn count_decisions<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Vec<DecisionCount> {
    let mut counts: BTreeMap<(&PolicyName, Said), usize> = BTreeMap::new();
    for verdict in decisions.into_iter().flat_map(|decision| &decision.verdicts) {
        let proposals = match &verdict.opinion {
            Opinion::Matched { proposals, .. } => proposals.as_slice(),
            Opinion::None | Opinion::Failed(_) => &[],
        };
        let said: BTreeSet<Said> = proposals.iter().map(|proposal| said(&proposal.wish)).collect();
        for said in said {
            *counts.entry((&verdict.policy, said)).or_default() += 1;
        }
    }
    let count = |((policy, said), images): ((&PolicyName, Said), usize)| DecisionCount {
        policy: policy.clone(),
        said,
        images,
    };
    counts.into_iter().map(count).collect()
}

fn said(wish: &Wish) -> Said {
    match wish {
        Wish::Keep => Said::Keep,
        Wish::Notify => Said::Notify,
        Wish::Act(action) => Said::Act(action.kind()),
    }
}

/// What became of a run's plan, as far as figures depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Became<'a> {
    /// The steps of the plan.
    pub steps: &'a [Step],
    /// What became of each, in the same order.
    pub reports: &'a [StepReport],
    /// What guards hold back.
    pub held: &'a [Held],
}

impl Became<'_> {
    fn deregistrations(&self) -> impl Iterator<Item = (&Step, SnapshotFate, bool)> {
        self.steps.iter().zip(self.reports).filter_map(|(step, report)| match step.change {
            Change::Deregister(snapshots) => {
                let is_gone = matches!(report.outcome, StepOutcome::Done | StepOutcome::AlreadyDone);
                Some((step, snapshots, is_gone))
            }
            _ => None,
        })
    }

    /// Images of `scope` whose deregistration is asked for: whether each is gone.
    fn asked(&self, scope: &Scope) -> BTreeMap<&ImageId, bool> {
        let held = self.held.iter().filter(|held| matches!(held.change, Change::Deregister(_)));
        let held = held.filter(|held| held.scope == *scope).map(|held| (&held.image_id, false));
        let steps = self.deregistrations().filter(|(step, ..)| step.scope == *scope);
        held.chain(steps.map(|(step, _, is_gone)| (&step.image_id, is_gone))).collect()
    }
}

/// Counts one scope at `now`. An image's minimum hold ends `min_hold` after it was disabled.
pub fn scope_figures(
    inventory: &Inventory,
    facts: &BTreeMap<ImageId, Arc<Facts>>,
    became: Became<'_>,
    min_hold: Duration,
    now: Timestamp,
) -> ScopeFigures {
    let mut figures = ScopeFigures::default();
    let asked = became.asked(&inventory.scope);
    for (id, image) in &inventory.images {
        *figures.images_by_state.entry(image.state.clone()).or_default() += 1;
        let facts = facts.get(id);
        if facts.is_some_and(|facts| matches!(facts.in_use, Fact::Unknown(_))) {
            figures.usage_unknown += 1;
        }
        let is_gone = asked.get(id);
        if image.state != ImageState::Disabled || is_gone == Some(&true) {
            continue;
        }
        if inventory.uses_of(id).iter().any(|it| would_launch(it.kind)) {
            figures.disabled_referenced += 1;
        }
        match cost_at_most(inventory, image) {
            Some(cost) => figures.disabled_cost.micro_usd += cost.micro_usd,
            None => figures.disabled_cost_unknown += 1,
        }
        let disabled_at = facts.and_then(|facts| facts.disabled_at.known().copied().flatten());
        let hold_ends = disabled_at.and_then(|at| min_hold.after(at)).filter(|ends| *ends > now);
        if hold_ends.is_some() || is_gone.is_some() {
            figures.pending_deregistrations += 1;
        }
        let next = figures.next_deregistration_at.into_iter().chain(hold_ends).min();
        figures.next_deregistration_at = next;
    }
    figures
}

/// What the snapshots cost a month, at most, that were deleted with their images.
pub fn saved<'a>(inventories: impl IntoIterator<Item = &'a Inventory>, became: Became<'_>) -> Cost {
    let inventories: BTreeMap<&Scope, &Inventory> =
        inventories.into_iter().map(|inventory| (&inventory.scope, inventory)).collect();
    let gone =
        became.deregistrations().filter(|(_, snapshots, gone)| *gone && *snapshots == SnapshotFate::Delete);
    let costs = gone.filter_map(|(step, ..)| {
        let inventory = inventories.get(&step.scope)?;
        cost_at_most(inventory, inventory.images.get(&step.image_id)?)
    });
    Cost { micro_usd: costs.map(|cost| cost.micro_usd).sum() }
}

/// Whether what refers to an image so would launch it. An instance that runs does not need it any more.
fn would_launch(kind: UseKind) -> bool {
    match kind {
        UseKind::Instance | UseKind::Image => false,
        UseKind::LaunchTemplate
        | UseKind::AutoScalingGroup
        | UseKind::LaunchConfiguration
        | UseKind::Fleet
        | UseKind::SpotFleetRequest
        | UseKind::SpotInstanceRequest
        | UseKind::SsmParameter
        | UseKind::ImageRecipe
        | UseKind::ContainerRecipe
        | UseKind::Other => true,
    }
}
