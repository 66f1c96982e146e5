//! The Recycle Bin: what goes into it instead of being deleted, and how it comes back.
//!
//! Rules of the EBS User Guide (recycle-bin, recycle-bin-concepts, recycle-bin-factors). Deliberately
//! absent: emptying the bin by hand, which nobody can do, and volumes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Actor, Effect, ImageRecord, ResourceKind, SnapshotRecord, World, check_image_id, is_resource_id,
};
use crate::protocol::ApiError;

/// What the bins of all Regions hold, by id. What has reached the end of its time is gone, whether or
/// not it has been swept out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecycleBin {
    /// Images, each as it was when it was deregistered.
    pub images: BTreeMap<String, Binned<ImageRecord>>,
    /// Snapshots, each as it was when it was deleted.
    pub snapshots: BTreeMap<String, Binned<SnapshotRecord>>,
}

/// A resource in the bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binned<T> {
    /// The resource as it was, tags and launch permissions included.
    pub resource: T,
    /// When it was put into the bin.
    pub entered_at: Timestamp,
    /// When it is deleted for good.
    pub exits_at: Timestamp,
}

impl<T> Binned<T> {
    /// Whether the resource is still there at a time.
    pub fn is_kept(&self, now: Timestamp) -> bool {
        now < self.exits_at
    }
}

impl RecycleBin {
    /// Forgets what has reached the end of its time.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        self.images.retain(|_, binned| binned.is_kept(now));
        self.snapshots.retain(|_, binned| binned.is_kept(now));
    }
}

impl World {
    /// Takes an image away: into the bin where it is EBS-backed and a rule covers it, else for good.
    pub(super) fn discard_image(&mut self, image_id: &str, actor: &Actor) {
        let Some(resource) = self.images.remove(image_id) else { return };
        if resource.root_device_type != "ebs" {
            return;
        }
        let exits_at = self.retained_until(ResourceKind::Image, &resource.tags, actor);
        if let Some(exits_at) = exits_at {
            let binned = Binned { resource, entered_at: actor.now, exits_at };
            self.recycle_bin.images.insert(image_id.to_owned(), binned);
        }
    }

    /// Takes a snapshot away: into the bin where a rule for snapshots covers it, else for good. That
    /// its image is in the bin does not save it (recycle-bin-factors).
    pub(super) fn discard_snapshot(&mut self, snapshot_id: &str, actor: &Actor) {
        let Some(resource) = self.snapshots.remove(snapshot_id) else { return };
        let exits_at = self.retained_until(ResourceKind::Snapshot, &resource.tags, actor);
        if let Some(exits_at) = exits_at {
            let binned = Binned { resource, entered_at: actor.now, exits_at };
            self.recycle_bin.snapshots.insert(snapshot_id.to_owned(), binned);
        }
    }

    /// Until when the rules keep a resource that is deleted now. Where several fit, the longest period
    /// counts.
    fn retained_until(
        &self,
        kind: ResourceKind,
        tags: &BTreeMap<String, String>,
        actor: &Actor,
    ) -> Option<Timestamp> {
        let rules = self.retention_rules.values().filter(|rule| rule.resource == kind);
        let days =
            rules.filter(|rule| rule.covers(&actor.region, tags)).map(|rule| rule.retention_days).max()?;
        let kept_for = SignedDuration::from_hours(24 * i64::from(days));
        Some(actor.now.checked_add(kept_for).unwrap_or(Timestamp::MAX))
    }

    /// Every snapshot of the image must be there first; launch permissions come back with the image,
    /// and a disabled image comes back disabled (recycle-bin-factors). The code for a snapshot that is
    /// missing is assumed.
    pub(super) fn restore_image(&mut self, image_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        let image = &self.binned_image(image_id, &actor.region, actor.now)?.resource;
        if let Some(missing) = image.snapshots.iter().find(|id| !self.snapshots.contains_key(*id)) {
            return Err(ApiError::bad_request(
                "InvalidSnapshot.NotFound",
                format!(
                    "The image '{image_id}' cannot be restored: its snapshot '{missing}' does not exist. \
                     Restore the snapshots of the image first."
                ),
            ));
        }
        if let Some(binned) = self.recycle_bin.images.remove(image_id) {
            self.deregistered.remove(image_id);
            self.images.insert(image_id.to_owned(), binned.resource);
        }
        Ok(Effect::Done)
    }

    pub(super) fn restore_snapshot(&mut self, snapshot_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        let snapshot = self.binned_snapshot(snapshot_id, &actor.region, actor.now)?.resource.clone();
        self.recycle_bin.snapshots.remove(snapshot_id);
        self.snapshots.insert(snapshot_id.to_owned(), snapshot.clone());
        Ok(Effect::RestoredSnapshot(Box::new(snapshot)))
    }

    /// An image that is in the bin of a Region. That naming another one is an error is assumed.
    pub(crate) fn binned_image(
        &self,
        image_id: &str,
        region: &str,
        now: Timestamp,
    ) -> Result<&Binned<ImageRecord>, ApiError> {
        check_image_id(image_id)?;
        let binned = self.recycle_bin.images.get(image_id);
        binned.filter(|binned| binned.is_kept(now) && binned.resource.region == region).ok_or_else(|| {
            ApiError::bad_request(
                "InvalidAMIID.NotFound",
                format!("The image id '[{image_id}]' does not exist in the Recycle Bin"),
            )
        })
    }

    /// As [`Self::binned_image`], for a snapshot.
    pub(crate) fn binned_snapshot(
        &self,
        snapshot_id: &str,
        region: &str,
        now: Timestamp,
    ) -> Result<&Binned<SnapshotRecord>, ApiError> {
        if !is_resource_id(snapshot_id, "snap-") {
            return Err(super::malformed_snapshot_id(snapshot_id));
        }
        let binned = self.recycle_bin.snapshots.get(snapshot_id);
        binned.filter(|binned| binned.is_kept(now) && binned.resource.region == region).ok_or_else(|| {
            ApiError::bad_request(
                "InvalidSnapshot.NotFound",
                format!("The snapshot '{snapshot_id}' does not exist in the Recycle Bin."),
            )
        })
    }
}
