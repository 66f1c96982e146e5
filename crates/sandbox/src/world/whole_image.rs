//! An image with all that belongs to it, for comparing two moments.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{ImageRecord, Protection, SnapshotRecord, World};

/// An image with all that belongs to it. Two of them are equal where EC2 shows no difference, so equality
/// before a change and after its undo means that the undo brought everything back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WholeImage {
    /// The image, launch permissions and tags included. A cooldown that is over counts as no protection,
    /// and what an observer remembers of the image is left out.
    pub image: ImageRecord,
    /// Its snapshots by id, with nothing for one that does not exist.
    pub snapshots: BTreeMap<String, Option<SnapshotRecord>>,
}

impl World {
    /// One image as it is at a time; nothing where it is deregistered.
    pub fn whole_image(&self, image_id: &str, now: Timestamp) -> Option<WholeImage> {
        let mut image = self.images.get(image_id)?.clone();
        image.first_seen_disabled = None;
        if !image.is_protected(now) {
            image.protection = Protection::Disabled;
        }
        let snapshots = image.snapshots.iter().map(|id| (id.clone(), self.snapshots.get(id).cloned()));
        Some(WholeImage { snapshots: snapshots.collect(), image })
    }
}
