//! What stands in the way of carrying out a step, before anything of it is sent.

use std::collections::BTreeMap;

use amiwarden_core::{
    CloudReader, CloudWriter, Mode, Plan, Rehearsal, ScopeReport, Step, StepOutcome, Timestamp,
};

use super::{Cycle, CycleError};
use crate::store::DoneStep;

impl<R: CloudReader, W: CloudWriter> Cycle<'_, R, W> {
    /// The steps that are not even tried, with what to report of them: those that `objections` names, those whose
    /// policy or rehearsal does not permit it, and those whose image an earlier change has left in doubt.
    pub(crate) async fn obstacles(
        &self,
        plan: &Plan,
        rehearsals: &[Rehearsal],
        mut objections: BTreeMap<usize, StepOutcome>,
        scopes: &[ScopeReport],
    ) -> Result<BTreeMap<usize, StepOutcome>, CycleError> {
        let open = self.store.open_intents().await?;
        let earliest = Timestamp::from_second(self.started_at.as_second() - self.settle_after.as_seconds());
        let recent = if self.is_undo {
            // A person who takes something back means it.
            Vec::new()
        } else {
            // Before the first instant there is nothing: all that was ever done counts then.
            self.store.reader().done_since(earliest.unwrap_or(Timestamp::MIN)).await?
        };
        for (index, (step, rehearsal)) in plan.steps.iter().zip(rehearsals).enumerate() {
            if objections.contains_key(&index) {
                continue;
            }
            let in_doubt =
                open.iter().any(|open| open.step.scope == step.scope && open.step.image_id == step.image_id);
            // EC2 shows changes late: what was done a moment ago is not done twice.
            let is_this =
                |done: &&DoneStep| is_same_change(&done.step, step) && done.step.change == step.change;
            let done = recent.iter().rev().find(is_this);
            let reason = if in_doubt {
                Some("an earlier change of the image is not settled yet".to_owned())
            } else if let Some(done) = done {
                Some(format!("it was carried out at {}, which EC2 does not show yet", done.at))
            } else {
                self.obstacle(step, rehearsal, scopes)
            };
            if let Some(reason) = reason {
                objections.insert(index, StepOutcome::NotAttempted(reason));
            }
        }
        Ok(objections)
    }

    fn obstacle(&self, step: &Step, rehearsal: &Rehearsal, scopes: &[ScopeReport]) -> Option<String> {
        let reason = if self.mode == Mode::Observe {
            "this run only observes"
        } else if step.mode == Mode::Observe {
            "its policy only observes"
        } else {
            let scope = scopes.iter().find(|scope| scope.scope == step.scope);
            if let Some(error) = scope.and_then(|scope| scope.dry_run_error.as_deref()) {
                return Some(format!("nothing is sent there, because {error}"));
            }
            match rehearsal {
                Rehearsal::Permitted => return None,
                Rehearsal::Denied(_) => "the rehearsal was denied",
                Rehearsal::Error(_) => "the rehearsal failed",
                Rehearsal::Skipped(_) => "it was not rehearsed",
            }
        };
        Some(reason.to_owned())
    }
}

/// Whether both are the same kind of change to the same image.
pub(super) fn is_same_change(one: &Step, other: &Step) -> bool {
    one.scope == other.scope && one.image_id == other.image_id && one.change.kind() == other.change.kind()
}
