//! Undo: from changes that were carried out to the changes that bring back what was before.
//!
//! Each part of an image (its state, each launch permission, each tag, its description, its protection, its
//! deprecation) goes back to what it was before the oldest of the selected changes that touched it; and only if it is
//! still as the newest of them left it. What somebody has changed since is not ours to undo.
//!
//! Deliberately absent: which changes are selected, and whether a disabled image may be disabled again. Those are for
//! whoever asks.

mod parts;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ActionKind, Because, Change, Image, ImageState, LaunchPermissions, Mask, Mode, Scope, SnapshotId, Step,
    Timestamp, fingerprint,
};

/// A change that was carried out, with what the image was right before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneChange {
    /// What was changed.
    pub change: Change,
    /// The image before; nothing where it was in the Recycle Bin.
    pub image: Option<Image>,
    /// Who could launch it before, where that was saved.
    pub launch_permissions: Option<LaunchPermissions>,
}

/// The image as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// EC2 lists it.
    Listed {
        /// The image.
        image: Box<Image>,
        /// Who may launch it. Nobody, where it is disabled.
        launch_permissions: LaunchPermissions,
    },
    /// It is in the Recycle Bin, and so are these of its snapshots.
    InRecycleBin {
        /// Snapshots that have to be restored first.
        snapshots: Vec<SnapshotId>,
    },
    /// It is nowhere.
    Gone,
}

/// What undoing comes to for one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// What brings it back, in this order.
    pub changes: Vec<Change>,
    /// What cannot be brought back, or is not ours any more.
    pub refusals: Vec<Refusal>,
    /// What is to be known of what is brought back.
    pub notes: Vec<String>,
}

/// Something that is not undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What had been done.
    pub kind: ActionKind,
    /// Why it stays.
    pub reason: String,
    /// Which of the changes that were to be undone are not, or not wholly, by their places.
    pub changes: BTreeSet<usize>,
}

impl Undo {
    /// The steps that carry it out on the image that EC2 lists (or, where it has to be restored first, on the image as
    /// it was), for the reason that `because` gives.
    pub fn steps(&self, scope: &Scope, image: &Image, present: &Present, because: &Because) -> Vec<Step> {
        let permissions = match present {
            Present::Listed { launch_permissions, image } if image.state != ImageState::Disabled => {
                Some(launch_permissions)
            }
            Present::Listed { .. } | Present::InRecycleBin { .. } | Present::Gone => None,
        };
        let step = |(index, change): (usize, &Change)| {
            let mask = Mask::of_changes(self.changes[..index].iter());
            Step {
                image_id: image.id.clone(),
                name: image.name.clone(),
                scope: scope.clone(),
                change: change.clone(),
                mode: Mode::Enforce,
                because: vec![because.clone()],
                fingerprint: fingerprint(image, permissions, &mask),
                covers_launch_permissions: permissions.is_some(),
                mask,
                proof: None,
                restorable_days: None,
            }
        };
        self.changes.iter().enumerate().map(step).collect()
    }

    /// Notes that the changes that `touches` tells are not undone, or not wholly.
    fn refuse(&mut self, done: &[DoneChange], reason: impl Into<String>, touches: impl Fn(&Change) -> bool) {
        let concerned = done.iter().enumerate().filter(|(_, done)| touches(&done.change));
        let changes: BTreeSet<usize> = concerned.clone().map(|(index, _)| index).collect();
        let kind = concerned.map(|(_, done)| done.change.kind()).last();
        let refusal = Refusal { kind: kind.unwrap_or(ActionKind::Restore), reason: reason.into(), changes };
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }
}

/// What undoes `done`, the changes to one image that are to be undone, the oldest first.
pub fn undo(done: &[DoneChange], present: &Present, now: Timestamp) -> Undo {
    let mut undo = Undo::default();
    let (image, permissions) = match present {
        Present::Listed { image, launch_permissions } => (Image::clone(image), launch_permissions.clone()),
        Present::InRecycleBin { .. } | Present::Gone => match restored(done, present, &mut undo) {
            Some(image) => image,
            None => return undo,
        },
    };
    let mut work = parts::Work { done, image: &image, permissions: &permissions, now, undo: &mut undo };
    work.state();
    // Before it may become public again: EC2 takes the deprecation of a public image away from nobody.
    work.deprecation();
    work.launch_permissions();
    work.description();
    work.tags();
    work.protection();
    let is_imds = |change: &Change| *change == Change::RequireImdsV2;
    if done.iter().any(|done| is_imds(&done.change)) {
        let reason =
            "EC2 offers no way back from requiring IMDSv2; register a new image from its snapshots instead";
        undo.refuse(done, reason, is_imds);
    }
    let is_restore = |change: &Change| matches!(change, Change::Restore { .. });
    if done.iter().any(|done| is_restore(&done.change)) {
        undo.refuse(done, "deregistering it again is for a policy and its guards", is_restore);
    }
    undo
}

/// Restores an image that is not listed any more, if it can be. Yields it as it will be then: as it was before it was
/// deregistered, with its launch permissions (EBS User Guide, "Restore deregistered AMIs from the Recycle Bin").
fn restored(done: &[DoneChange], present: &Present, undo: &mut Undo) -> Option<(Image, LaunchPermissions)> {
    let deregistered = done.iter().rev().find(|done| matches!(done.change, Change::Deregister(_)));
    let Present::InRecycleBin { snapshots } = present else {
        let reason = "the image is deregistered and not in the Recycle Bin: it cannot be brought back";
        undo.refuse(done, reason, |_| true);
        return None;
    };
    let Some((deregistered, image)) = deregistered.and_then(|done| Some((done, done.image.clone()?))) else {
        let reason = "the image is in the Recycle Bin, and what put it there is not among what is undone";
        undo.refuse(done, reason, |_| true);
        return None;
    };
    undo.changes.push(Change::Restore { snapshots: snapshots.clone() });
    let permissions = match image.state {
        ImageState::Disabled => LaunchPermissions::new(),
        _ => deregistered.launch_permissions.clone().unwrap_or_default(),
    };
    Some((image, permissions))
}
