//! The plan: what will be done to which image, in which order, and what will not and why.
//!
//! A plan is immutable and specific: carrying it out needs no choice. It is named by its content, so planning
//! the same thing twice yields the same plan.

mod assemble;
mod draft;
mod foresee;
mod kept;
mod wanted;

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Because, Change, Facts, Fingerprint, Guard, ImageId, LaunchPermissions, Mask, Mode, PlanId, PolicyName,
    Proof, RecycleBinCover, RuleRef, Scope, Source, Timestamp, TrippedGuard, opted_out,
};

pub use assemble::{Assembled, assemble};
pub use draft::{PlanRequest, PolicySettings, ScopeDraft, draft_scope};
pub use foresee::{Removal, due_removals};
pub use wanted::Wanted;

/// What one cycle is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name: a digest of everything in it but the wording of the reasons.
    pub id: PlanId,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What a guard holds back.
    pub held: Vec<Held>,
    /// Guards that found something wrong with a whole scope.
    pub tripped: Vec<TrippedGuard>,
}

/// One change to one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The image.
    pub image_id: ImageId,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its account and Region.
    pub scope: Scope,
    /// What to change.
    pub change: Change,
    /// Whether to carry it out, by the policies that ask for it.
    pub mode: Mode,
    /// Who asks for it. At least one.
    pub because: Vec<Because>,
    /// What the decision rests on. A step whose image has another fingerprint when its turn comes is skipped.
    pub fingerprint: Fingerprint,
    /// What the fingerprint leaves out, because earlier steps of this plan change it.
    pub mask: Mask,
    /// Whether the fingerprint covers the launch permissions.
    pub covers_launch_permissions: bool,
    /// What was known of the image's uses, where the change takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// For how many days the Recycle Bin holds the image once it is deregistered, where a rule covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restorable_days: Option<u32>,
}

/// A change that a guard holds back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The image.
    pub image_id: ImageId,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its account and Region.
    pub scope: Scope,
    /// What was to be changed.
    pub change: Change,
    /// Who asks for it.
    pub because: Vec<Because>,
    /// What holds it.
    pub guard: Guard,
    /// Why.
    pub reason: String,
}

/// An image to which nothing happens and of which nothing is held back, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The image.
    pub image_id: ImageId,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its account and Region.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// The policy whose word it was, where it was one's.
    pub policy: Option<PolicyName>,
    /// And its rule.
    pub rule: Option<RuleRef>,
}

/// A change on its way through the guards.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) facts: Arc<Facts>,
    pub(crate) change: Change,
    pub(crate) because: Vec<Because>,
    pub(crate) mode: Mode,
    /// What is known of the image's uses, if the change takes it away.
    pub(crate) proof: Option<Proof>,
    /// Whether it could be restored, if it has to be.
    pub(crate) cover: Option<RecycleBinCover>,
}

impl Candidate {
    /// The oldest image first, then by id, then in the order of execution. An image whose creation date is in
    /// doubt comes last: whatever takes the oldest first takes it last.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let created_at: Option<Timestamp> = self.facts.created_at.known().copied();
        let id = self.facts.image.id.clone();
        (created_at.is_none(), created_at, id, self.change.kind(), Reverse(self.mode))
    }

    /// Whether `policy` is among those that ask for it.
    pub(crate) fn is_asked_for_by(&self, policy: &PolicyName) -> bool {
        self.because.iter().any(|because| because.policy == *policy)
    }

    /// Why it may not become a step yet: something that a guard looks at has not been read.
    fn lack(&self) -> Option<(Guard, String)> {
        let unread: Vec<&str> = self.proof.iter().flat_map(Proof::unread).map(Source::as_str).collect();
        if !unread.is_empty() {
            let reason =
                format!("it cannot be ruled out that something uses it: {} not read", unread.join(", "));
            return Some((Guard::UsageProof, reason));
        }
        match self.cover.as_ref()? {
            RecycleBinCover::RulesNotRead => {
                Some((Guard::RecycleBin, "the Recycle Bin's rules were not read".to_owned()))
            }
            RecycleBinCover::SnapshotsNotRead => {
                Some((Guard::RecycleBin, "its snapshots, whose tags decide, were not read".to_owned()))
            }
            RecycleBinCover::Covered { .. } | RecycleBinCover::NotCovered(_) => None,
        }
    }

    fn into_held(self, guard: Guard, reason: String) -> Held {
        Held {
            image_id: self.facts.image.id.clone(),
            name: self.facts.image.name.clone(),
            scope: self.facts.scope.clone(),
            change: self.change,
            because: self.because,
            guard,
            reason,
        }
    }

    /// The step that carries it out after `earlier` steps on the same image.
    fn into_step<'a>(self, earlier: impl Iterator<Item = &'a Change>) -> Step {
        let mask = Mask::of_changes(earlier);
        let permissions: Option<&LaunchPermissions> = self.facts.launch_permissions.known();
        Step {
            image_id: self.facts.image.id.clone(),
            name: self.facts.image.name.clone(),
            scope: self.facts.scope.clone(),
            fingerprint: crate::fingerprint(&self.facts.image, permissions, &mask),
            covers_launch_permissions: permissions.is_some(),
            change: self.change,
            mode: self.mode,
            because: self.because,
            mask,
            proof: self.proof,
            restorable_days: match self.cover {
                Some(RecycleBinCover::Covered { days }) => Some(days),
                _ => None,
            },
        }
    }
}

impl Step {
    /// Whether the image's launch permissions are read again before the step is carried out.
    pub fn reads_launch_permissions(&self) -> bool {
        self.covers_launch_permissions || self.change.takes_launch_permissions_away()
    }

    /// What stands in the way of carrying the step out on the image as it is now, in words; `None` when it is
    /// still what the plan rests on. `opt_out` is the tag that protects an image, and the time; none where a person
    /// has asked for exactly this.
    pub fn objection(
        &self,
        image: &crate::Image,
        permissions: Option<&LaunchPermissions>,
        opt_out: Option<(&str, Timestamp)>,
    ) -> Option<String> {
        if let Some(reason) = opt_out.and_then(|(key, now)| opted_out(image, key, now)) {
            return Some(format!("{reason} now"));
        }
        let permissions = permissions.filter(|_| self.covers_launch_permissions);
        if self.covers_launch_permissions && permissions.is_none() {
            return Some("its launch permissions cannot be read any more".to_owned());
        }
        (crate::fingerprint(image, permissions, &self.mask) != self.fingerprint)
            .then(|| "it is not what it was when the plan was made".to_owned())
    }
}
