//! What became of each decision in the plan, in the form that is stored.

use std::collections::BTreeMap;

use amiwarden_core::{Decision, Held, ImageId, Kept, Plan, Scope, Step};

use crate::store::DecisionRecord;

/// One record for each decision of the scope.
pub(super) fn records(
    decisions: &[Decision],
    scope: &Scope,
    plan: &Plan,
    kept: &[Kept],
) -> Vec<DecisionRecord> {
    let mut planned: BTreeMap<&ImageId, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.scope == *scope) {
        planned.entry(&step.image_id).or_default().push(step);
    }
    let mut held: BTreeMap<&ImageId, Vec<&Held>> = BTreeMap::new();
    for one in plan.held.iter().filter(|held| held.scope == *scope) {
        held.entry(&one.image_id).or_default().push(one);
    }
    let kept: BTreeMap<&ImageId, &Kept> =
        kept.iter().filter(|kept| kept.scope == *scope).map(|kept| (&kept.image_id, kept)).collect();
    decisions
        .iter()
        .map(|decision| {
            let id = &decision.image;
            let held = held.get(id).map_or(&[][..], Vec::as_slice);
            let planned = planned.get(id).map_or(&[][..], Vec::as_slice);
            DecisionRecord::new(decision, held, planned, kept.get(id).copied())
        })
        .collect()
}
