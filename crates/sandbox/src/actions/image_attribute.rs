//! `DescribeImageAttribute`.

use super::images::write_product_codes;
use super::{Context, date, response};
use crate::protocol::{ApiError, Parameters, Xml};
use crate::world::{LaunchPermission, World};

/// The parameters of `DescribeImageAttribute`.
#[derive(Debug)]
pub(crate) struct AttributeQuery {
    image_id: String,
    attribute: Attribute,
}

/// The attributes that can be asked for (botocore model: `ImageAttributeName`; `uefiData` is left out).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    LaunchPermission,
    Description,
    ProductCodes,
    BlockDeviceMapping,
    LastLaunchedTime,
    ImdsSupport,
    DeregistrationProtection,
    BootMode,
    TpmSupport,
    SriovNetSupport,
    Kernel,
    Ramdisk,
}

impl AttributeQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["ImageId", "Attribute"])?;
        let name = parameters.required("Attribute")?;
        let attribute = match name {
            "launchPermission" => Attribute::LaunchPermission,
            "description" => Attribute::Description,
            "productCodes" => Attribute::ProductCodes,
            "blockDeviceMapping" => Attribute::BlockDeviceMapping,
            "lastLaunchedTime" => Attribute::LastLaunchedTime,
            "imdsSupport" => Attribute::ImdsSupport,
            "deregistrationProtection" => Attribute::DeregistrationProtection,
            "bootMode" => Attribute::BootMode,
            "tpmSupport" => Attribute::TpmSupport,
            "sriovNetSupport" => Attribute::SriovNetSupport,
            "kernel" => Attribute::Kernel,
            "ramdisk" => Attribute::Ramdisk,
            other => {
                return Err(ApiError::invalid_value("Attribute", other, "Unknown attribute."));
            }
        };
        Ok(Self { image_id: parameters.required("ImageId")?.to_owned(), attribute })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        let image = world.own_image(&self.image_id, context.region, context.now)?;
        if self.attribute == Attribute::BlockDeviceMapping {
            // EC2 refuses this one to everybody; DescribeImages has it (botocore model documentation).
            return Err(ApiError::with_status(
                403,
                "AuthFailure",
                format!("Unauthorized attempt to access restricted resource {}", image.id),
            ));
        }
        Ok(response(context, |xml| {
            xml.text("imageId", &image.id);
            let mut value = |name: &str, value: Option<&str>| {
                xml.element(name, |xml| xml.optional("value", value));
            };
            match self.attribute {
                Attribute::LaunchPermission => {
                    xml.list("launchPermission", &image.launch_permissions, write_grant);
                }
                Attribute::ProductCodes => write_product_codes(xml, image),
                Attribute::Description => value("description", image.description.as_deref()),
                Attribute::LastLaunchedTime => {
                    value("lastLaunchedTime", image.last_launched_at.map(date).as_deref());
                }
                Attribute::ImdsSupport => value("imdsSupport", image.imds_support.as_deref()),
                Attribute::DeregistrationProtection => {
                    value("deregistrationProtection", Some(&image.protection_text(context.now)));
                }
                Attribute::BootMode => value("bootMode", image.boot_mode.as_deref()),
                Attribute::TpmSupport => value("tpmSupport", image.tpm_support.as_deref()),
                Attribute::SriovNetSupport => {
                    value("sriovNetSupport", image.sriov_net_support.as_deref());
                }
                Attribute::Kernel => value("kernel", None),
                Attribute::Ramdisk => value("ramdisk", None),
                Attribute::BlockDeviceMapping => {}
            }
        }))
    }
}

fn write_grant(xml: &mut Xml, grant: &LaunchPermission) {
    match grant {
        LaunchPermission::All => xml.text("group", "all"),
        LaunchPermission::Account(account) => xml.text("userId", account),
        LaunchPermission::Organization(arn) => xml.text("organizationArn", arn),
        LaunchPermission::OrganizationalUnit(arn) => xml.text("organizationalUnitArn", arn),
    }
}
