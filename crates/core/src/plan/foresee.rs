//! Which images would go, as far as each image by itself can tell.
//!
//! This is the part of planning that can be asked of a later time: facts and decisions are those of that time, and only
//! the guards look that look at nothing but the image. Deliberately absent: caps, windows, pauses and whatever else is
//! about the moment. Nobody knows them in advance, and they only ever make it later.

use std::sync::Arc;

use super::PlanRequest;
use super::draft::{check, propose};
use crate::{ActionKind, Because, Facts, Guard, ImageId, Mode};

/// A change after which launches of the image fail, and that nothing about the image itself holds back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The image, with the facts that the decision rests on.
    pub facts: Arc<Facts>,
    /// `disable` or `deregister`.
    pub action: ActionKind,
    /// Who asks for it. At least one.
    pub because: Vec<Because>,
}

impl Removal {
    /// The image.
    pub fn image_id(&self) -> &ImageId {
        &self.facts.image.id
    }
}

/// Every disable and deregister that policies in force ask for at the time of `request`'s facts and decisions, and that
/// no guard about the image itself holds back. What has not been read of an image's uses holds nothing back: it is
/// better to announce what will not happen than the other way round.
pub fn due_removals(request: &PlanRequest<'_>) -> Vec<Removal> {
    let mut removals = Vec::new();
    for decision in request.decisions {
        let Some(facts) = request.facts.get(&decision.image) else { continue };
        for change in &decision.changes {
            let action = change.change.kind();
            if !action.is_destructive() || change.mode != Mode::Enforce {
                continue;
            }
            let candidate = propose(request, facts, change);
            if check(request, decision, &candidate, Guard::is_about_the_image).is_none() {
                let because = candidate.because;
                removals.push(Removal { facts: Arc::clone(facts), action, because });
            }
        }
    }
    removals
}
