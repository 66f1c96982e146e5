//! Which steps of an earlier plan still stand today.
//!
//! `apply` carries out exactly the plan that somebody has looked at, and nothing that would not pass every
//! guard today. So the scopes are read, the policies asked and the guards run afresh; a step that today's
//! policies no longer ask for, or that a guard would hold today, is skipped as changed.

use std::collections::BTreeMap;

use amiwarden_core::{Fact, Plan, Step, StepOutcome};

use super::Planned;

impl Planned {
    /// The steps of `plan` that are not to be carried out, with what to report of them instead.
    pub(crate) fn objections_to(&self, plan: &Plan) -> BTreeMap<usize, StepOutcome> {
        plan.steps
            .iter()
            .enumerate()
            .filter_map(|(index, step)| Some((index, self.objection_to(step)?)))
            .collect()
    }

    fn objection_to(&self, step: &Step) -> Option<StepOutcome> {
        let place = self.surveys.iter().position(|survey| survey.inventory.scope == step.scope);
        let Some(place) = place else {
            let reason = format!("this run does not reach {}", step.scope);
            return Some(StepOutcome::NotAttempted(reason));
        };
        let (inventory, draft) = (&self.surveys[place].inventory, self.drafts.get(place)?);
        let kind = step.change.kind();
        if draft.is_eligible(&step.image_id, kind) {
            return None;
        }
        let image = inventory.images.get(&step.image_id);
        let permissions = inventory.launch_permissions.get(&step.image_id).and_then(|it| it.as_ref().ok());
        if image.is_some()
            && step.change.holds(image, permissions, inventory.observed_at) == Fact::Known(true)
        {
            return Some(StepOutcome::AlreadyDone);
        }
        Some(StepOutcome::SkippedChanged(match draft.held_reason(&step.image_id, kind) {
            Some(reason) => format!("today it is held back by {reason}"),
            None if image.is_none() => "EC2 does not list the image any more".to_owned(),
            None => "today no policy asks for it".to_owned(),
        }))
    }
}
