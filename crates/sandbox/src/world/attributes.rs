//! `ModifyImageAttribute`: launch permissions, description, IMDS support.

use std::collections::BTreeSet;

use super::{Actor, Effect, ImageRecord, ImageState, LaunchPermission, World, not_permitted, unavailable};
use crate::protocol::ApiError;

/// How many grants one image may have (User Guide: AMI quotas).
const SHARES_MAX: usize = 1000;
/// How long a description may be, in characters (botocore model documentation of `CreateImage`).
const DESCRIPTION_CHARS_MAX: usize = 255;

impl World {
    /// Adding what is there and removing what is not are no errors. An image with product codes or
    /// encrypted snapshots cannot be made public (User Guide: sharingamis-intro); a disabled image
    /// cannot be shared (User Guide: disable-an-ami). The codes of these refusals are assumed.
    pub(super) fn modify_launch_permissions(
        &mut self,
        image_id: &str,
        add: &BTreeSet<LaunchPermission>,
        remove: &BTreeSet<LaunchPermission>,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        let image = self.modifiable_image(image_id, actor)?;
        if !add.is_empty() && image.state == ImageState::Disabled {
            return Err(unavailable(image_id, "a disabled image cannot be shared; enable it first"));
        }
        let newly_public = add.contains(&LaunchPermission::All) && !image.is_public();
        if newly_public {
            self.check_may_be_public(image)?;
        }
        let mut permissions = image.launch_permissions.clone();
        permissions.extend(add.iter().cloned());
        permissions.retain(|permission| !remove.contains(permission));
        if permissions.len() > SHARES_MAX {
            return Err(ApiError::bad_request(
                "ResourceLimitExceeded",
                format!("The image '{image_id}' cannot have more than {SHARES_MAX} shares."),
            ));
        }
        self.own_image_mut(image_id, actor)?.launch_permissions = permissions;
        Ok(Effect::Done)
    }

    pub(super) fn set_description(
        &mut self,
        image_id: &str,
        description: &str,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        self.modifiable_image(image_id, actor)?;
        if description.chars().count() > DESCRIPTION_CHARS_MAX {
            return Err(ApiError::bad_request(
                "InvalidParameterValue",
                format!("The description is longer than {DESCRIPTION_CHARS_MAX} characters."),
            ));
        }
        self.own_image_mut(image_id, actor)?.description = Some(description.to_owned());
        Ok(Effect::Done)
    }

    /// IMDS support can be set to `v2.0` only, and never be taken back (User Guide:
    /// configuring-IMDS-new-instances).
    pub(super) fn set_imds_support(
        &mut self,
        image_id: &str,
        value: &str,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        self.modifiable_image(image_id, actor)?;
        if value != "v2.0" {
            return Err(ApiError::invalid_value("ImdsSupport", value, "The only value is v2.0."));
        }
        self.own_image_mut(image_id, actor)?.imds_support = Some(value.to_owned());
        Ok(Effect::Done)
    }

    fn modifiable_image(&self, image_id: &str, actor: &Actor) -> Result<&ImageRecord, ApiError> {
        let image = self.own_image(image_id, &actor.region, actor.now)?;
        match image.state {
            ImageState::Available | ImageState::Disabled => Ok(image),
            ImageState::Pending
            | ImageState::Invalid
            | ImageState::Transient
            | ImageState::Failed
            | ImageState::Error => Err(unavailable(image_id, image.state.as_str())),
        }
    }

    fn check_may_be_public(&self, image: &ImageRecord) -> Result<(), ApiError> {
        let id = &image.id;
        if self.block_public_access {
            return Err(not_permitted(format!(
                "You can't publicly share the image '{id}' because block public access is enabled."
            )));
        }
        if !image.product_codes.is_empty() {
            return Err(not_permitted(format!(
                "The image '{id}' has product codes and cannot be made public."
            )));
        }
        let encrypted = |snapshot: &String| self.snapshots.get(snapshot).is_some_and(|s| s.encrypted);
        if image.snapshots.iter().any(encrypted) {
            return Err(not_permitted(format!(
                "The image '{id}' has encrypted snapshots and cannot be made public."
            )));
        }
        Ok(())
    }
}
