//! `DescribeImages`.

use std::collections::BTreeSet;
use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};

use super::page::{Page, PageRequest};
use super::{Context, ListingTwist, date, date_with_millis, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters, Xml};
use crate::world::{ImageRecord, ImageState, LaunchPermission, World, check_image_id};

/// How many images one call may name (Developer Guide: pagination).
const IDS_MAX: usize = 1000;
/// How far ahead the dates of a lying answer are: ten years.
const FALSE_FUTURE: SignedDuration = SignedDuration::from_hours(24 * 3650);

/// The parameters of `DescribeImages`.
#[derive(Debug)]
pub(crate) struct ImagesQuery {
    owners: Vec<String>,
    image_ids: BTreeSet<String>,
    executable_by: Vec<String>,
    filters: Vec<Filter>,
    include_deprecated: bool,
    include_disabled: bool,
    page: PageRequest,
}

impl ImagesQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&[
            "Owner",
            "ImageId",
            "ExecutableBy",
            "Filter",
            "IncludeDeprecated",
            "IncludeDisabled",
            "MaxResults",
            "NextToken",
        ])?;
        let query = Self {
            owners: parameters.list("Owner"),
            image_ids: parameters.list("ImageId").into_iter().collect(),
            executable_by: parameters.list("ExecutableBy"),
            filters: parameters.filters()?,
            include_deprecated: parameters.flag("IncludeDeprecated")?,
            include_disabled: parameters.flag("IncludeDisabled")?,
            page: PageRequest::parse(parameters, 1, 1000)?,
        };
        if query.image_ids.len() > IDS_MAX {
            return Err(ApiError::bad_request(
                "InvalidParameterValue",
                format!("A request can name at most {IDS_MAX} images."),
            ));
        }
        for image_id in &query.image_ids {
            check_image_id(image_id)?;
        }
        // Reported of EC2: the filter alone is refused rather than answered with nothing.
        let wants_disabled =
            |filter: &Filter| filter.name == "state" && filter.values.iter().any(|state| state == "disabled");
        if !query.include_disabled && query.filters.iter().any(wants_disabled) {
            return Err(ApiError::bad_request(
                "InvalidParameter",
                "The state filter cannot be 'disabled' unless IncludeDisabled is true.",
            ));
        }
        Ok(query)
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        self.check_ids(world, context)?;
        for filter in &self.filters {
            if !is_filter(&filter.name) {
                return Err(invalid_filter(&filter.name));
            }
        }
        // Large fleets are read in many pages: none starts again from the first image.
        let after = (Bound::Excluded(self.page.after(context)?), Bound::Unbounded);
        let images = world
            .images
            .range(after)
            .map(|(_, image)| image)
            .filter(|image| image.region == context.region && self.selects(world, image, context))
            .map(|image| (image.id.clone(), image));
        let page: Page<&ImageRecord> = self.page.cut(images, context)?;
        Ok(response(context, |xml| {
            xml.list("imagesSet", &page.items, |xml, image| {
                write_image(xml, world, image, context);
            });
            page.write_token(xml);
        }))
    }

    /// One bad id fails the whole call; a freshly deregistered one yields nothing.
    fn check_ids(&self, world: &World, context: &Context<'_>) -> Result<(), ApiError> {
        for image_id in &self.image_ids {
            match world.image_in(image_id, context.region, context.now) {
                Ok(image) if visible(world, image) => {}
                Err(error) if error.code == "InvalidAMIID.Unavailable" => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    return Err(ApiError::bad_request(
                        "InvalidAMIID.NotFound",
                        format!("The image id '[{image_id}]' does not exist"),
                    ));
                }
            }
        }
        Ok(())
    }

    fn selects(&self, world: &World, image: &ImageRecord, context: &Context<'_>) -> bool {
        let by_id = self.image_ids.contains(&image.id);
        if !self.image_ids.is_empty() && !by_id {
            return false;
        }
        let own = image.owner == world.account;
        let foreign_is_own = context.twist == Some(ListingTwist::ForeignImages);
        let owner_fits = |owner: &String| match owner.as_str() {
            "self" => own || foreign_is_own,
            other => image.owner == other || image.owner_alias.as_deref() == Some(other),
        };
        // The guide shows a disabled image fetched by id without the flag (disable-an-ami).
        let state_fits = image.state != ImageState::Disabled || (own && (self.include_disabled || by_id));
        // Deprecated images of one's own are always listed (ami-deprecate).
        let deprecated = image.deprecated_at.is_some_and(|at| at <= context.now);
        let deprecation_fits = own || by_id || self.include_deprecated || !deprecated;
        let executable = |user: &String| {
            image.launch_permissions.iter().any(|grant| match grant {
                LaunchPermission::All => user == "all",
                LaunchPermission::Account(account) => {
                    user == account || (user == "self" && *account == world.account)
                }
                LaunchPermission::Organization(_) | LaunchPermission::OrganizationalUnit(_) => false,
            })
        };
        (visible(world, image) || foreign_is_own)
            && (self.owners.is_empty() || self.owners.iter().any(owner_fits))
            && (self.executable_by.is_empty() || self.executable_by.iter().any(executable))
            && state_fits
            && deprecation_fits
            && self.filters.iter().all(|filter| filter.matches(&filter_values(world, image, &filter.name)))
    }
}

/// Whether the account may see an image at all.
fn visible(world: &World, image: &ImageRecord) -> bool {
    image.owner == world.account
        || image.is_public()
        || image.launch_permissions.contains(&LaunchPermission::Account(world.account.clone()))
}

/// The filters that the simulator knows. The botocore model has more.
fn is_filter(name: &str) -> bool {
    name.starts_with("tag:")
        || [
            "architecture",
            "block-device-mapping.encrypted",
            "block-device-mapping.snapshot-id",
            "boot-mode",
            "creation-date",
            "description",
            "ena-support",
            "hypervisor",
            "image-id",
            "image-type",
            "is-public",
            "name",
            "owner-alias",
            "owner-id",
            "platform",
            "product-code",
            "root-device-type",
            "source-image-id",
            "source-image-region",
            "source-instance-id",
            "state",
            "tag-key",
            "virtualization-type",
        ]
        .contains(&name)
}

/// The values of an image under a filter's name.
fn filter_values(world: &World, image: &ImageRecord, name: &str) -> Vec<String> {
    let one = |value: &str| vec![value.to_owned()];
    let maybe = |value: &Option<String>| value.iter().cloned().collect();
    if let Some(key) = name.strip_prefix("tag:") {
        return image.tags.get(key).into_iter().cloned().collect();
    }
    match name {
        "architecture" => one(&image.architecture),
        "block-device-mapping.encrypted" => image
            .snapshots
            .iter()
            .filter_map(|id| world.snapshots.get(id))
            .map(|snapshot| snapshot.encrypted.to_string())
            .collect(),
        "block-device-mapping.snapshot-id" => image.snapshots.clone(),
        "boot-mode" => maybe(&image.boot_mode),
        "creation-date" => vec![date_with_millis(image.created_at)],
        "description" => maybe(&image.description),
        "ena-support" => vec![image.ena_support.to_string()],
        "hypervisor" => one(&image.hypervisor),
        "image-id" => one(&image.id),
        "image-type" => one(&image.image_type),
        "is-public" => vec![image.is_public().to_string()],
        "name" => one(&image.name),
        "owner-alias" => maybe(&image.owner_alias),
        "owner-id" => one(&image.owner),
        "platform" => maybe(&image.platform),
        "product-code" => image.product_codes.clone(),
        "root-device-type" => one(&image.root_device_type),
        "source-image-id" => maybe(&image.source_image_id),
        "source-image-region" => maybe(&image.source_region),
        "source-instance-id" => maybe(&image.source_instance_id),
        "state" => one(image.state.as_str()),
        "tag-key" => image.tags.keys().cloned().collect(),
        "virtualization-type" => one(&image.virtualization),
        _ => Vec::new(),
    }
}

fn write_image(xml: &mut Xml, world: &World, image: &ImageRecord, context: &Context<'_>) {
    let own = image.owner == world.account;
    xml.text("imageId", &image.id);
    xml.text("imageLocation", &format!("{}/{}", image.owner, image.name));
    xml.text("imageState", image.state.as_str());
    xml.text("imageOwnerId", &image.owner);
    xml.optional("imageOwnerAlias", image.owner_alias.as_deref());
    xml.optional("creationDate", told(Some(image.created_at), context).map(date_with_millis).as_deref());
    xml.boolean("isPublic", image.is_public());
    write_product_codes(xml, image);
    xml.text("architecture", &image.architecture);
    xml.text("imageType", &image.image_type);
    xml.optional("platform", image.platform.as_deref());
    xml.text("platformDetails", &image.platform_details);
    xml.text("usageOperation", "RunInstances");
    xml.text("name", &image.name);
    xml.optional("description", image.description.as_deref());
    xml.text("rootDeviceType", &image.root_device_type);
    if !image.snapshots.is_empty() {
        xml.text("rootDeviceName", &device_name(0));
        write_mappings(xml, world, image);
    }
    xml.text("virtualizationType", &image.virtualization);
    xml.text("hypervisor", &image.hypervisor);
    xml.boolean("enaSupport", image.ena_support);
    xml.optional("sriovNetSupport", image.sriov_net_support.as_deref());
    xml.optional("bootMode", image.boot_mode.as_deref());
    xml.optional("tpmSupport", image.tpm_support.as_deref());
    xml.optional("imdsSupport", image.imds_support.as_deref());
    xml.optional("deprecationTime", told(image.deprecated_at, context).map(date_with_millis).as_deref());
    if own {
        // Told to the owner only (ami-last-launched-time), and in the other of EC2's two date forms.
        xml.optional("lastLaunchedTime", told(image.last_launched_at, context).map(date).as_deref());
        xml.text("deregistrationProtection", &image.protection_text(context.now));
    }
    xml.optional("sourceInstanceId", image.source_instance_id.as_deref());
    xml.optional("sourceImageId", image.source_image_id.as_deref());
    xml.optional("sourceImageRegion", image.source_region.as_deref());
    if image.state == ImageState::Failed {
        xml.element("stateReason", |xml| {
            xml.text("code", "Server.InternalError");
            xml.text("message", "Server.InternalError: the image could not be created");
        });
    }
    if context.twist != Some(ListingTwist::TagsGone) {
        xml.tags(&image.tags);
    }
}

/// A date as the answer tells it, truly or not.
fn told(at: Option<Timestamp>, context: &Context<'_>) -> Option<Timestamp> {
    match context.twist {
        Some(ListingTwist::DatesMissing) => None,
        Some(ListingTwist::DatesAtEpoch) => at.and(Some(Timestamp::UNIX_EPOCH)),
        Some(ListingTwist::DatesInFuture) => at.and(context.now.checked_add(FALSE_FUTURE).ok()),
        Some(
            ListingTwist::RepeatedToken
            | ListingTwist::EmptyPage
            | ListingTwist::EndsEarly
            | ListingTwist::FewerItems { .. }
            | ListingTwist::ForeignImages
            | ListingTwist::TagsGone,
        )
        | None => at,
    }
}

pub(super) fn write_product_codes(xml: &mut Xml, image: &ImageRecord) {
    if !image.product_codes.is_empty() {
        xml.list("productCodes", &image.product_codes, |xml, code| {
            xml.text("productCode", code);
            xml.text("type", "marketplace");
        });
    }
}

fn write_mappings(xml: &mut Xml, world: &World, image: &ImageRecord) {
    let numbered = image.snapshots.iter().enumerate();
    xml.list("blockDeviceMapping", numbered, |xml, (index, id)| {
        xml.text("deviceName", &device_name(index));
        xml.element("ebs", |xml| {
            xml.text("snapshotId", id);
            if let Some(snapshot) = world.snapshots.get(id) {
                xml.text("volumeSize", &snapshot.size_gib.to_string());
                xml.boolean("encrypted", snapshot.encrypted);
            }
            xml.boolean("deleteOnTermination", true);
            xml.text("volumeType", "gp3");
        });
    });
}

/// `/dev/xvda` for the root, then `/dev/sdb` and on.
fn device_name(index: usize) -> String {
    let Some(after_root) = index.checked_sub(1) else {
        return "/dev/xvda".to_owned();
    };
    let letter = b'b'.saturating_add(u8::try_from(after_root).unwrap_or(24));
    format!("/dev/sd{}", char::from(letter))
}
