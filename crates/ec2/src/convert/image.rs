//! `Image`, as `DescribeImages` returns it.

use amiwarden_core::{
    AccountId, BlockDevice, DeregistrationProtection, Image, ImageId, ImageState, Lineage, Reading,
    SnapshotId,
};
use aws_sdk_ec2::types as sdk;

use super::{filled, listed, reading, tags};

/// An image without which the list of images is not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImageDefect {
    /// It has no id.
    #[error("an image without an id (name `{}`)", .name.as_deref().unwrap_or("none"))]
    Id {
        /// Its name, if it has one.
        name: Option<String>,
    },
    /// It has no owner.
    #[error("{0} has no owner")]
    NoOwner(ImageId),
    /// Its owner is no account.
    #[error("{id} has the owner `{owner}`, which is no account")]
    Owner {
        /// The image.
        id: ImageId,
        /// What its owner is instead.
        owner: String,
    },
    /// It has a tag without a key, which may be the one that keeps it.
    #[error("{0} has a tag without a key")]
    TagKey(ImageId),
}

/// The image, if it can be told whose it is.
pub(crate) fn image(raw: sdk::Image) -> Result<Image, ImageDefect> {
    let Some(id) = raw.image_id.and_then(filled).map(ImageId::new) else {
        return Err(ImageDefect::Id { name: raw.name });
    };
    let Some(owner) = raw.owner_id.and_then(filled) else {
        return Err(ImageDefect::NoOwner(id));
    };
    let Ok(owner) = owner.parse::<AccountId>() else {
        return Err(ImageDefect::Owner { id, owner });
    };
    let Ok(tags) = tags(raw.tags) else {
        return Err(ImageDefect::TagKey(id));
    };
    Ok(Image {
        id,
        owner,
        name: raw.name,
        description: raw.description,
        location: raw.image_location,
        owner_alias: raw.image_owner_alias.and_then(filled),
        state: state(raw.state.as_ref()),
        created_at: reading(raw.creation_date),
        deprecated_at: reading(raw.deprecation_time),
        last_launched_at: reading(raw.last_launched_time),
        public: raw.public.map_or(Reading::Absent, Reading::Present),
        protection: protection(raw.deregistration_protection),
        tags,
        architecture: raw.architecture.as_ref().and_then(|value| filled(value.as_str())),
        platform: raw.platform.as_ref().and_then(|value| filled(value.as_str())),
        virtualization: raw.virtualization_type.as_ref().and_then(|value| filled(value.as_str())),
        root_device_type: raw.root_device_type.as_ref().and_then(|value| filled(value.as_str())),
        boot_mode: raw.boot_mode.as_ref().and_then(|value| filled(value.as_str())),
        tpm_support: raw.tpm_support.as_ref().and_then(|value| filled(value.as_str())),
        imds_support: raw.imds_support.as_ref().and_then(|value| filled(value.as_str())),
        ena_support: raw.ena_support,
        sriov_net_support: raw.sriov_net_support.and_then(filled),
        hypervisor: raw.hypervisor.as_ref().and_then(|value| filled(value.as_str())),
        image_type: raw.image_type.as_ref().and_then(|value| filled(value.as_str())),
        block_devices: block_devices(raw.block_device_mappings),
        lineage: Lineage {
            image: raw.source_image_id.and_then(filled).map(ImageId::new),
            region: raw.source_image_region.and_then(filled),
            instance: raw.source_instance_id.and_then(filled),
        },
        product_codes: product_codes(raw.product_codes),
    })
}

/// An image without a state is in none that this program knows.
fn state(raw: Option<&sdk::ImageState>) -> ImageState {
    raw.map_or_else(|| ImageState::Other(String::new()), |state| state.as_str().to_owned().into())
}

/// An image that reports no protection has none: the member is newer than some endpoints. Every other text that is
/// not plainly `disabled` protects.
fn protection(text: Option<String>) -> DeregistrationProtection {
    text.map_or(DeregistrationProtection::Off, DeregistrationProtection::from)
}

/// Devices without EBS (`virtualName`, `noDevice`) hold nothing that outlives an instance.
fn block_devices(raw: Option<Vec<sdk::BlockDeviceMapping>>) -> Vec<BlockDevice> {
    listed(raw)
        .filter_map(|mapping| mapping.ebs)
        .map(|ebs| BlockDevice {
            snapshot: ebs.snapshot_id.and_then(filled).map(SnapshotId::new),
            size_gib: ebs.volume_size.and_then(|size| u32::try_from(size).ok()),
            encrypted: ebs.encrypted,
        })
        .collect()
}

fn product_codes(raw: Option<Vec<sdk::ProductCode>>) -> Vec<String> {
    listed(raw).filter_map(|code| code.product_code_id).collect()
}
