//! From the drafts of all scopes to one plan.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Candidate, Held, Kept, Plan, PolicySettings, ScopeDraft, Step, Wanted};
use crate::fingerprint::hex;
use crate::guard::scope::per_cycle;
use crate::{
    Change, Fingerprint, Guard, ImageId, Limits, LimitsOverride, Mode, PlanId, PolicyName, Scope, Tally,
    TrippedGuard,
};

/// A plan, and what was found on the way to it.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The plan. What lacks evidence that has not been read is held back in it.
    pub plan: Plan,
    /// Images to which nothing happens.
    pub kept: Vec<Kept>,
    /// What has to be read so that the plan can hold more, by scope. Empty when nothing is missing.
    pub wanted: BTreeMap<Scope, Wanted>,
}

/// Joins the drafts under the caps that hold over all scopes.
pub fn assemble(
    drafts: Vec<ScopeDraft>,
    limits: &Limits,
    policies: &BTreeMap<PolicyName, PolicySettings>,
) -> Assembled {
    let mut candidates = Vec::new();
    let mut held = Vec::new();
    let mut kept = Vec::new();
    let mut tripped = Vec::new();
    let mut wanted: BTreeMap<Scope, Wanted> = BTreeMap::new();
    for draft in drafts {
        candidates.extend(draft.candidates);
        held.extend(draft.held);
        kept.extend(draft.kept);
        tripped.extend(draft.tripped);
        wanted.insert(draft.scope, draft.wanted);
    }
    let overrides: BTreeMap<&PolicyName, &LimitsOverride> =
        policies.iter().map(|(name, settings)| (name, &settings.limits)).collect();
    let sifted = per_cycle(candidates, limits, &overrides);
    held.extend(
        sifted.held.into_iter().map(|(candidate, reason)| candidate.into_held(Guard::PerCycle, reason)),
    );
    let (lacking, proven): (Vec<_>, Vec<_>) = sifted
        .passed
        .into_iter()
        .map(|candidate| (candidate.lack(), candidate))
        .partition(|(lack, _)| lack.is_some());
    for (lack, candidate) in lacking {
        // As long as a source of the whole scope is to be read, it is too early to ask about single images.
        let wanted = wanted.entry(candidate.facts.scope.clone()).or_default();
        if wanted.usage.is_empty() && !wanted.retention_rules && !wanted.snapshots {
            wanted.of_candidate(&candidate);
        }
        if let Some((guard, reason)) = lack {
            held.push(candidate.into_held(guard, reason));
        }
    }
    wanted.retain(|_, wanted| !wanted.is_empty());
    let steps = steps(proven.into_iter().map(|(_, candidate)| candidate).collect());
    held.sort_by(|one, other| {
        (&one.scope, &one.image_id, one.change.kind()).cmp(&(
            &other.scope,
            &other.image_id,
            other.change.kind(),
        ))
    });
    kept.sort_by(|one, other| (&one.scope, &one.image_id).cmp(&(&other.scope, &other.image_id)));
    tripped.sort_by(|one, other| (&one.scope, one.guard).cmp(&(&other.scope, other.guard)));
    let id = plan_id(&steps, &held, &tripped);
    Assembled { plan: Plan { id, steps, held, tripped }, kept, wanted }
}

impl Plan {
    /// The plan of exactly these steps, which a person has asked for.
    pub fn of_steps(steps: Vec<Step>) -> Self {
        let id = plan_id(&steps, &[], &[]);
        Self { id, steps, held: Vec::new(), tripped: Vec::new() }
    }
}

/// Steps in the order of execution: scope by scope, within it the oldest image first, all changes of one image
/// together.
fn steps(mut candidates: Vec<Candidate>) -> Vec<Step> {
    candidates.sort_by_cached_key(|candidate| (candidate.facts.scope.clone(), candidate.order()));
    let mut steps: Vec<Step> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let is_same =
            |step: &&Step| step.image_id == candidate.facts.image.id && step.scope == candidate.facts.scope;
        // What only observing policies ask for changes nothing, so it excuses no difference either.
        let earlier: Vec<Change> = steps
            .iter()
            .rev()
            .take_while(is_same)
            .filter(|step| step.mode == Mode::Enforce)
            .map(|step| step.change.clone())
            .collect();
        steps.push(candidate.into_step(earlier.iter()));
    }
    steps
}

/// What a plan's name stands for: all of it but the wording of its reasons, which count days and would make
/// every day's plan another one.
#[derive(Serialize)]
struct Content<'a> {
    steps: Vec<StepContent<'a>>,
    held: Vec<(&'a Scope, &'a ImageId, &'a Change, Guard)>,
    tripped: Vec<(&'a Scope, Guard, &'a Option<Tally>)>,
}

#[derive(Serialize)]
struct StepContent<'a> {
    scope: &'a Scope,
    image_id: &'a ImageId,
    change: &'a Change,
    mode: Mode,
    fingerprint: &'a Fingerprint,
    rules: Vec<(&'a PolicyName, &'a str)>,
}

fn plan_id(steps: &[Step], held: &[Held], tripped: &[TrippedGuard]) -> PlanId {
    let content = Content {
        steps: steps
            .iter()
            .map(|step| StepContent {
                scope: &step.scope,
                image_id: &step.image_id,
                change: &step.change,
                mode: step.mode,
                fingerprint: &step.fingerprint,
                rules: step.because.iter().map(|it| (&it.policy, it.rule.name.as_str())).collect(),
            })
            .collect(),
        held: held.iter().map(|held| (&held.scope, &held.image_id, &held.change, held.guard)).collect(),
        tripped: tripped.iter().map(|tripped| (&tripped.scope, tripped.guard, &tripped.counted)).collect(),
    };
    let mut hash = Sha256::new();
    match serde_json::to_vec(&content) {
        Ok(bytes) => hash.update(bytes),
        // Plain data with text keys always has a JSON form; were it not so, two plans must not share a name.
        Err(error) => hash.update(format!("{error} {steps:?} {held:?} {tripped:?}")),
    }
    PlanId::new(format!("plan-{}", &hex(&hash.finalize())[..12]))
}
