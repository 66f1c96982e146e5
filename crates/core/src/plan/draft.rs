//! The part of planning that one scope decides for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kept::why_kept;
use super::{Candidate, Held, Kept};
use crate::guard::scope::{share, surge};
use crate::guard::{ImageCheck, check_image};
use crate::{
    ActionKind, Because, Decision, Facts, Guard, ImageId, Inventory, Limits, LimitsOverride, Mode,
    PlannedChange, PolicyName, Scope, TrippedGuard,
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
}

/// Drafts the plan of one scope: every change that the decisions ask for either becomes a candidate or is held
/// back by a named guard, and every image without either has a reason to be kept.
pub fn draft_scope(request: &PlanRequest<'_>) -> ScopeDraft {
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
            match check(request, decision, facts, change) {
                None => candidates.push(propose(facts, change)),
                Some((guard, reason)) => {
                    held.push(propose(facts, change).into_held(guard, reason));
                }
            }
        }
    }
    let scope = request.inventory.scope.clone();
    let images = request.inventory.images.len();
    let (sifted, tripped) = surge(&scope, candidates, images, request.limits, request.accepted);
    let mut hold_all = |guard, all: Vec<(Candidate, String)>| {
        held.extend(all.into_iter().map(|(candidate, reason)| candidate.into_held(guard, reason)));
    };
    hold_all(Guard::Surge, sifted.held);
    let sifted = share(sifted.passed, images, request.limits);
    hold_all(Guard::ShareOfScope, sifted.held);
    ScopeDraft { scope, candidates: sifted.passed, held, kept, tripped }
}

fn check(
    request: &PlanRequest<'_>,
    decision: &Decision,
    facts: &Facts,
    change: &PlannedChange,
) -> Option<(Guard, String)> {
    let is_disabled_too = decision.changes.iter().any(|other| other.change.kind() == ActionKind::Disable);
    let tighter: Vec<&LimitsOverride> =
        settings(request, &change.because).map(|settings| &settings.limits).collect();
    check_image(&ImageCheck {
        facts,
        inventory: request.inventory,
        kind: change.change.kind(),
        is_disabled_too,
        limits: request.limits,
        overrides: &tighter,
    })
}

fn propose(facts: &Arc<Facts>, change: &PlannedChange) -> Candidate {
    Candidate {
        facts: Arc::clone(facts),
        change: change.change.clone(),
        because: change.because.clone(),
        mode: change.mode,
    }
}

fn settings<'a>(
    request: &PlanRequest<'a>,
    because: &'a [Because],
) -> impl Iterator<Item = &'a PolicySettings> {
    let policies = request.policies;
    because.iter().filter_map(move |because| policies.get(&because.policy))
}
