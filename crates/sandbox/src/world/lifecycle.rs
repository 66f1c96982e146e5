//! Disabling, enabling, deregistering, deprecating and protecting images; deleting snapshots.

use jiff::{SignedDuration, Timestamp};

use super::{
    Actor, Deregistered, Effect, ImageState, Protection, SnapshotReturnCode, World, is_resource_id,
    malformed_snapshot_id, not_permitted, unavailable,
};
use crate::protocol::ApiError;

/// How far ahead a deprecation date may lie (User Guide: ami-deprecate). Ten years, leap days included.
const DEPRECATION_AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24 * 3653);
/// How long after its creation a public image may be kept from deprecation: two years.
const PUBLIC_DEPRECATION_MAX: SignedDuration = SignedDuration::from_hours(24 * 731);

impl World {
    /// Disabling removes every launch permission (User Guide: disable-an-ami). That a disabled image
    /// may be disabled again, and that AWS Backup's images refuse, is assumed: neither is documented.
    pub(super) fn disable(&mut self, image_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        let image = self.own_image_mut(image_id, actor)?;
        if image.backup_managed {
            return Err(managed_by_backup());
        }
        match image.state {
            ImageState::Available => {
                image.state = ImageState::Disabled;
                image.launch_permissions.clear();
                Ok(Effect::Done)
            }
            ImageState::Disabled => Ok(Effect::Done),
            ImageState::Pending
            | ImageState::Invalid
            | ImageState::Transient
            | ImageState::Failed
            | ImageState::Error => Err(unavailable(image_id, image.state.as_str())),
        }
    }

    /// Enabling brings back no launch permission (User Guide: disable-an-ami).
    pub(super) fn enable(&mut self, image_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        let image = self.own_image_mut(image_id, actor)?;
        match image.state {
            ImageState::Disabled => {
                image.state = ImageState::Available;
                image.first_seen_disabled = None;
                Ok(Effect::Done)
            }
            ImageState::Available => Ok(Effect::Done),
            ImageState::Pending
            | ImageState::Invalid
            | ImageState::Transient
            | ImageState::Failed
            | ImageState::Error => Err(unavailable(image_id, image.state.as_str())),
        }
    }

    /// Deregistering (User Guide: deregister-ami). A snapshot that cannot be deleted does not make the
    /// call fail. An image may be deregistered in any state, pending included.
    pub(super) fn deregister(
        &mut self,
        image_id: &str,
        delete_snapshots: bool,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        let image = self.own_image(image_id, &actor.region, actor.now)?;
        if image.backup_managed {
            return Err(managed_by_backup());
        }
        if image.is_protected(actor.now) {
            return Err(not_permitted(format!(
                "The image '{image_id}' is protected from deregistration ({}).",
                image.protection_text(actor.now)
            )));
        }
        let snapshots = image.snapshots.clone();
        self.discard_image(image_id, actor);
        self.deregistered
            .insert(image_id.to_owned(), Deregistered { region: actor.region.clone(), at: actor.now });
        let mut results = Vec::new();
        if delete_snapshots {
            for snapshot_id in snapshots {
                let code = if self.images_on(&snapshot_id).next().is_some() {
                    SnapshotReturnCode::Skipped
                } else if actor.may_delete_snapshots {
                    self.discard_snapshot(&snapshot_id, actor);
                    SnapshotReturnCode::Success
                } else {
                    SnapshotReturnCode::MissingPermissions
                };
                results.push((snapshot_id, code));
            }
        }
        Ok(Effect::Deregistered(results))
    }

    /// Deprecation dates are not in the past, at most ten years ahead (for public images two years
    /// after creation), and rounded to the minute (User Guide: ami-deprecate).
    pub(super) fn enable_deprecation(
        &mut self,
        image_id: &str,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        let image = self.own_image_mut(image_id, actor)?;
        let refused = |remedy: &str| Err(ApiError::invalid_value("DeprecateAt", &at.to_string(), remedy));
        if at < actor.now {
            return refused("The time must not be in the past.");
        }
        if at.duration_since(actor.now) > DEPRECATION_AHEAD_MAX {
            return refused("The time must be at most 10 years from now.");
        }
        if image.is_public() && at.duration_since(image.created_at) > PUBLIC_DEPRECATION_MAX {
            return refused("The time for a public image must be at most 2 years after its creation.");
        }
        image.deprecated_at = Some(round_to_minute(at));
        Ok(Effect::Done)
    }

    /// A public image must be made private first (User Guide: ami-deprecate).
    pub(super) fn disable_deprecation(&mut self, image_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        let image = self.own_image_mut(image_id, actor)?;
        if image.is_public() {
            return Err(not_permitted(format!(
                "The deprecation of the public image '{image_id}' cannot be removed. Make it private first."
            )));
        }
        image.deprecated_at = None;
        Ok(Effect::Done)
    }

    pub(super) fn enable_protection(
        &mut self,
        image_id: &str,
        with_cooldown: bool,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        let image = self.own_image_mut(image_id, actor)?;
        image.protection =
            if with_cooldown { Protection::EnabledWithCooldown } else { Protection::EnabledWithoutCooldown };
        Ok(Effect::Protection(image.protection_text(actor.now)))
    }

    /// With a cooldown the image stays protected for 24 hours (User Guide:
    /// ami-deregistration-protection). Asking again during the cooldown does not prolong it.
    pub(super) fn disable_protection(&mut self, image_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        let image = self.own_image_mut(image_id, actor)?;
        image.protection = match image.protection {
            Protection::EnabledWithCooldown => Protection::DisabledAfter(actor.now + Protection::COOLDOWN),
            Protection::DisabledAfter(until) if actor.now < until => Protection::DisabledAfter(until),
            Protection::Disabled | Protection::EnabledWithoutCooldown | Protection::DisabledAfter(_) => {
                Protection::Disabled
            }
        };
        Ok(Effect::Protection(image.protection_text(actor.now)))
    }

    pub(super) fn delete_snapshot(&mut self, snapshot_id: &str, actor: &Actor) -> Result<Effect, ApiError> {
        if !is_resource_id(snapshot_id, "snap-") {
            return Err(malformed_snapshot_id(snapshot_id));
        }
        self.own_snapshot(snapshot_id, actor)?;
        if let Some(image_id) = self.images_on(snapshot_id).next() {
            return Err(ApiError::bad_request(
                "InvalidSnapshot.InUse",
                format!("The snapshot {snapshot_id} is currently in use by {image_id}"),
            ));
        }
        self.discard_snapshot(snapshot_id, actor);
        Ok(Effect::Done)
    }

    pub(super) fn own_snapshot(&self, snapshot_id: &str, actor: &Actor) -> Result<(), ApiError> {
        match self.snapshots.get(snapshot_id) {
            Some(snapshot) if snapshot.region == actor.region && snapshot.owner == self.account => Ok(()),
            _ => Err(ApiError::bad_request(
                "InvalidSnapshot.NotFound",
                format!("The snapshot '{snapshot_id}' does not exist."),
            )),
        }
    }
}

/// Rounds to the nearest minute, as EC2 does with deprecation dates.
pub(crate) fn round_to_minute(at: Timestamp) -> Timestamp {
    let seconds = at.as_second();
    let rounded = (seconds + 30).div_euclid(60) * 60;
    Timestamp::from_second(rounded).unwrap_or(at)
}

/// The refusal that owners of AWS Backup's images have reported.
fn managed_by_backup() -> ApiError {
    ApiError::with_status(
        403,
        "AuthFailure",
        "This image is managed by AWS Backup and cannot be deleted via EC2 APIs. To delete this \
         image, please use the AWS Backup APIs, CLI, or console.",
    )
}
