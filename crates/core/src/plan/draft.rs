//! The part of planning that one scope decides for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kept::why_kept;
use super::wanted::Wanted;
use super::{Candidate, Held, Kept};
use crate::guard::scope::{SurgeLimits, share, surge};
use crate::guard::{ImageCheck, check_image, must_be_restorable};
use crate::{
    ActionKind, Change, Circumstances, Decision, Facts, Guard, ImageId, Inventory, Limits, LimitsOverride,
    Mode, PlannedChange, PolicyName, Scope, Tally, TrippedGuard, prove, recycle_bin_cover,
};

/// What planning says of a policy's standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// Whether its steps are carried out.
    pub mode: Mode,
    /// Its own limits.
    pub limits: LimitsOverride,
}

/// All that planning for one scope looks at.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// What was read.
    pub inventory: &'a Inventory,
    /// What was concluded.
    pub facts: &'a BTreeMap<ImageId, Arc<Facts>>,
    /// What the policies say.
    pub decisions: &'a [Decision],
    /// What holds besides.
    pub circumstances: &'a Circumstances,
    /// The global limits.
    pub limits: &'a Limits,
    /// The standing of each policy. One that is not named only observes.
    pub policies: &'a BTreeMap<PolicyName, PolicySettings>,
    /// What a person has accepted although a guard tripped.
    pub accepted: &'a BTreeSet<(ImageId, ActionKind)>,
}

/// What one scope would do, before the caps that hold over all scopes.
#[derive(Clone, Debug)]
pub struct ScopeDraft {
    /// The scope.
    pub scope: Scope,
    pub(super) candidates: Vec<Candidate>,
    pub(super) held: Vec<Held>,
    pub(super) kept: Vec<Kept>,
    pub(super) tripped: Vec<TrippedGuard>,
    pub(super) wanted: Wanted,
}

/// Drafts the plan of one scope: every change that the decisions ask for either becomes a candidate or is held
/// back by a named guard, and every image without either has a reason to be kept.
pub fn draft_scope(request: &PlanRequest<'_>) -> ScopeDraft {
    let doubt = doubt_about_the_scope(request);
    let mut candidates = Vec::new();
    let mut held = Vec::new();
    let mut kept = Vec::new();
    for decision in request.decisions {
        // A decision about an image that the inventory does not hold is about nothing.
        let Some(facts) = request.facts.get(&decision.image) else { continue };
        if decision.changes.is_empty() {
            kept.push(why_kept(decision, facts));
        }
        for change in &decision.changes {
            let candidate = propose(request, facts, change);
            let objection = match &doubt {
                Some(doubt) => Some((doubt.guard, doubt.reason.clone())),
                None => check(request, decision, &candidate, |_| true),
            };
            match objection {
                None => candidates.push(candidate),
                Some((guard, reason)) => held.push(candidate.into_held(guard, reason)),
            }
        }
    }
    let wanted = Wanted::of_scope(&candidates);
    let scope = request.inventory.scope.clone();
    let images = request.inventory.images.len();
    let limits = SurgeLimits {
        global_percent: request.limits.surge_percent,
        policies: request.policies,
        accepted: request.accepted,
    };
    let (sifted, mut tripped) = surge(&scope, candidates, images, &limits);
    tripped.extend(doubt);
    let mut hold_all = |guard, all: Vec<(Candidate, String)>| {
        held.extend(all.into_iter().map(|(candidate, reason)| candidate.into_held(guard, reason)));
    };
    hold_all(Guard::Surge, sifted.held);
    let sifted = share(sifted.passed, images, request.limits, request.policies);
    hold_all(Guard::ShareOfScope, sifted.held);
    ScopeDraft { scope, candidates: sifted.passed, held, kept, tripped, wanted }
}

/// What makes the whole reading of the scope, or every age, untrustworthy: then nothing at all is changed there.
fn doubt_about_the_scope(request: &PlanRequest<'_>) -> Option<TrippedGuard> {
    let PlanRequest { inventory, circumstances, limits, .. } = request;
    let trip =
        |guard, reason, counted| TrippedGuard { scope: inventory.scope.clone(), guard, reason, counted };
    if let Some(reason) = &circumstances.clock_doubt {
        return Some(trip(Guard::Clock, reason.clone(), None));
    }
    let baseline = circumstances.baseline.as_ref()?;
    let counted = Tally::of(inventory).or(baseline);
    let reason = counted.collapse_since(baseline, limits.collapse_percent)?;
    Some(trip(
        Guard::Collapse,
        format!("{reason}, a fall of more than {} %: look, then accept the plan", limits.collapse_percent),
        Some(counted),
    ))
}

/// The first guard that holds one change to one image back, among those that `looks` says look.
pub(super) fn check(
    request: &PlanRequest<'_>,
    decision: &Decision,
    candidate: &Candidate,
    looks: fn(Guard) -> bool,
) -> Option<(Guard, String)> {
    let is_disabled_too = decision.changes.iter().any(|other| other.change.kind() == ActionKind::Disable);
    let check = ImageCheck {
        facts: &candidate.facts,
        inventory: request.inventory,
        circumstances: request.circumstances,
        change: &candidate.change,
        is_disabled_too,
        proof: candidate.proof.as_ref(),
        cover: candidate.cover.as_ref(),
        limits: request.limits,
        overrides: &overrides(request, candidate),
    };
    check_image(&check, looks)
}

pub(super) fn propose(request: &PlanRequest<'_>, facts: &Arc<Facts>, change: &PlannedChange) -> Candidate {
    let inventory = request.inventory;
    let is_destructive = change.change.kind().is_destructive();
    let mut candidate = Candidate {
        facts: Arc::clone(facts),
        change: change.change.clone(),
        because: change.because.clone(),
        mode: change.mode,
        proof: is_destructive.then(|| prove(inventory, &facts.image, &change.change)),
        cover: None,
    };
    if let Change::Deregister(fate) = change.change
        && must_be_restorable(request.limits, &overrides(request, &candidate))
    {
        candidate.cover = Some(recycle_bin_cover(inventory, &facts.image, fate));
    }
    candidate
}

/// The limits of the policies that ask for the change.
fn overrides<'a>(
    request: &PlanRequest<'a>,
    candidate: &Candidate,
) -> Vec<(&'a PolicyName, &'a LimitsOverride)> {
    let asking = candidate.because.iter().map(|because| &because.policy);
    asking
        .filter_map(|policy| request.policies.get_key_value(policy))
        .map(|(policy, settings)| (policy, &settings.limits))
        .collect()
}
