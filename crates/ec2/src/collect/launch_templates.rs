//! `DescribeLaunchTemplateVersions`: the default and the latest version of every launch template.

use amiwarden_core::{AccountId, ImageId, ImageUse, Listing, UseKind};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::LaunchTemplateVersion;

use super::pages::{self, Operation, Page, PageLimits};
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeLaunchTemplateVersions",
    permissions: "ec2:DescribeLaunchTemplateVersions and, for the images that templates name by a Systems Manager \
                  parameter, ssm:GetParameters",
    limits: PageLimits::EC2,
};

/// The most that EC2 allows for this operation (botocore model).
const TEMPLATE_PAGE_SIZE: i32 = 200;

/// One use per version. A version that names its image by a Systems Manager parameter (`resolve:ssm:…`) which EC2
/// did not resolve may use any image, so it is a gap.
pub(crate) async fn collect(client: &Client, account: &AccountId) -> Listing<ImageUse> {
    pages::read(OPERATION, |token| async {
        let page = client
            .describe_launch_template_versions()
            .versions("$Default")
            .versions("$Latest")
            .resolve_alias(true)
            .include_managed_resources(true)
            .max_results(TEMPLATE_PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.launch_template_versions, page.next_token, |raw| image_use(raw, account)))
    })
    .await
}

fn image_use(raw: LaunchTemplateVersion, account: &AccountId) -> Result<Option<ImageUse>, String> {
    let id = label(&raw);
    let Some(data) = raw.launch_template_data else {
        return Err(format!("launch template {id} does not tell what it launches"));
    };
    match data.image_id.and_then(filled) {
        None => Ok(None),
        Some(image) if image.starts_with("ami-") => Ok(Some(ImageUse {
            image: ImageId::new(image),
            kind: UseKind::LaunchTemplate,
            id,
            account: account.clone(),
        })),
        Some(alias) => {
            Err(format!("launch template {id} names its image as `{alias}`, which EC2 did not resolve"))
        }
    }
}

/// Which version of which template, for a person: `lt-0abc (web, version 3, $Default)`. Only two versions are asked
/// for, so one that is not the default is the latest.
fn label(raw: &LaunchTemplateVersion) -> String {
    let id = raw.launch_template_id().unwrap_or("without an id");
    let name = raw.launch_template_name().unwrap_or("without a name");
    let version = raw.version_number().map_or_else(|| "?".to_owned(), |number| number.to_string());
    let alias = if raw.default_version() == Some(true) { "$Default" } else { "$Latest" };
    format!("{id} ({name}, version {version}, {alias})")
}
