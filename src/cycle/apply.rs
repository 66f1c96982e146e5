//! Which steps of an earlier plan still stand today.
//!
//! `apply` carries out the plan that somebody has looked at, and nothing that today's plan would not do, too. So the
//! scopes are read, the policies asked and the guards run afresh, and a step is carried out only if today's plan
//! holds the very same one. A plan is a permission, not an order.

use std::collections::BTreeMap;

use amiwarden_core::{Change, Fact, Mode, Plan, Step, StepOutcome};

use super::Planned;
use super::obstacles::is_same_change;

impl Planned {
    /// The steps of `plan` that are not to be carried out, with what to report of them instead.
    pub(crate) fn objections_to(&self, plan: &Plan) -> BTreeMap<usize, StepOutcome> {
        plan.steps
            .iter()
            .enumerate()
            .filter_map(|(index, step)| Some((index, self.objection_to(step)?)))
            .collect()
    }

    /// Gives the steps of `plan` the proofs of today: what was known when it was made is not what lets it pass.
    pub(crate) fn prove_anew(&self, plan: &mut Plan) {
        for step in &mut plan.steps {
            let today = self.plan.steps.iter().find(|today| is_same_change(today, step));
            if let Some(today) = today {
                step.proof.clone_from(&today.proof);
                step.restorable_days = today.restorable_days;
                step.because.clone_from(&today.because);
            }
        }
    }

    fn objection_to(&self, step: &Step) -> Option<StepOutcome> {
        let Some(survey) = self.surveys.iter().find(|survey| survey.inventory.scope == step.scope) else {
            let reason = format!("this run does not reach {}", step.scope);
            return Some(StepOutcome::NotAttempted(reason));
        };
        let today: Vec<&Step> = self.plan.steps.iter().filter(|today| is_same_change(today, step)).collect();
        if today.iter().any(|today| today.mode == Mode::Enforce && asks_for(&today.change, &step.change)) {
            return None;
        }
        if today.iter().any(|today| asks_for(&today.change, &step.change)) {
            return Some(StepOutcome::NotAttempted("its policy only observes".to_owned()));
        }
        let inventory = &survey.inventory;
        let image = inventory.images.get(&step.image_id);
        let permissions = inventory.launch_permissions.get(&step.image_id).and_then(|it| it.as_ref().ok());
        let holds = step.change.holds(image, permissions, inventory.observed_at);
        if image.is_some() && holds == Fact::Known(true) {
            return Some(StepOutcome::AlreadyDone);
        }
        let held = self.plan.held.iter().find(|held| {
            held.scope == step.scope
                && held.image_id == step.image_id
                && held.change.kind() == step.change.kind()
        });
        Some(StepOutcome::SkippedChanged(match held {
            Some(held) => format!("today it is held back by {}: {}", held.guard, held.reason),
            None if image.is_none() => "EC2 does not list the image any more".to_owned(),
            None if today.is_empty() => "today no policy asks for it".to_owned(),
            None => "today the policies ask for something else".to_owned(),
        }))
    }
}

/// Whether today's change covers the planned one. A deprecation that is due earlier covers a later one.
fn asks_for(today: &Change, planned: &Change) -> bool {
    match (today, planned) {
        (Change::Deprecate(today), Change::Deprecate(planned)) => today <= planned,
        (today, planned) => today == planned,
    }
}
