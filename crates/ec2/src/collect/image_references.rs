//! `DescribeImageReferences`: what refers to a candidate in its own account and Region, as EC2 itself finds out. It is
//! the only source that knows the recipes of EC2 Image Builder, and it sees template versions of any age.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{AccountId, CandidateUses, ImageId, ImageUse, Timestamp, UseKind};
use aws_sdk_ec2::types::{
    ImageReference, ImageReferenceOptionName, ImageReferenceResourceType, ResourceTypeOption,
    ResourceTypeRequest,
};

use super::Cloud;
use super::candidates;
use super::instances::STATES;
use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits, Reading};
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeImageReferences",
    permissions: "ec2:DescribeImageReferences and what the managed policy AmazonEC2ImageReferencesAccessPolicy allows",
    limits: PageLimits::EC2,
};

/// The most images that EC2 takes in one request (botocore model).
const IMAGES_MAX: usize = 10;

/// How many of the newest versions of each launch template are looked at: the most that EC2 allows.
pub(super) const VERSION_DEPTH: &str = "10000";

/// What refers to each of `images` at `now`.
pub(crate) async fn collect(
    cloud: &Cloud,
    images: Vec<ImageId>,
    now: Timestamp,
) -> BTreeMap<ImageId, CandidateUses> {
    let images: BTreeSet<_> = images.into_iter().collect();
    let asked = images.iter().cloned().collect();
    let mut answers = candidates::ask(asked, IMAGES_MAX, |batch| read(cloud, batch)).await;
    let mut uses = BTreeMap::<_, BTreeSet<_>>::new();
    for image_use in answers.items {
        uses.entry(image_use.image.clone()).or_default().insert(image_use);
    }
    let answer = |image: ImageId| {
        let uses = uses.remove(&image).into_iter().flatten().collect();
        let gap = answers.gaps.remove(&image);
        (image, CandidateUses { uses, gap, as_of: now })
    };
    images.into_iter().map(answer).collect()
}

async fn read(cloud: &Cloud, images: Vec<ImageId>) -> Reading<ImageUse> {
    let images = images.as_slice();
    pages::read_to_failure(OPERATION, |token| async {
        let page = cloud
            .services
            .ec2
            .describe_image_references()
            .set_image_ids(Some(images.iter().map(|image| image.as_str().to_owned()).collect()))
            .set_resource_types(Some(resource_types()))
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.image_references, page.next_token, |raw| {
            image_use(raw, images, &cloud.account).map(Some)
        }))
    })
    .await
}

/// Every type of resource: instances in every state but terminated, and templates to the greatest depth.
fn resource_types() -> Vec<ResourceTypeRequest> {
    use ImageReferenceResourceType as Type;
    let of = |kind: Type| ResourceTypeRequest::builder().resource_type(kind);
    let option = |name: ImageReferenceOptionName, values: Vec<String>| {
        ResourceTypeOption::builder().option_name(name).set_option_values(Some(values)).build()
    };
    let states = STATES.iter().map(|state| state.as_str().to_owned()).collect();
    let states = option(ImageReferenceOptionName::StateName, states);
    let depth = option(ImageReferenceOptionName::VersionDepth, vec![VERSION_DEPTH.to_owned()]);
    vec![
        of(Type::Ec2Instance).resource_type_options(states).build(),
        of(Type::Ec2LaunchTemplate).resource_type_options(depth).build(),
        of(Type::SsmParameter).build(),
        of(Type::ImageBuilderImageRecipe).build(),
        of(Type::ImageBuilderContainerRecipe).build(),
    ]
}

fn image_use(raw: ImageReference, asked: &[ImageId], account: &AccountId) -> Result<ImageUse, String> {
    let arn = raw.arn.and_then(filled);
    let shown = arn.as_deref().unwrap_or("without an ARN");
    let image = raw.image_id.and_then(filled).map(ImageId::new);
    let image = image.ok_or_else(|| format!("the reference {shown} does not tell its image"))?;
    if !asked.contains(&image) {
        return Err(format!("the reference {shown} is to {image}, which was not asked for"));
    }
    let kind = kind(raw.resource_type.as_ref());
    let (id, holder) = match arn {
        Some(arn) => named(kind, &arn),
        // It is a reference all the same.
        None => ("without an ARN".to_owned(), None),
    };
    Ok(ImageUse { image, kind, id, account: holder.unwrap_or_else(|| account.clone()) })
}

fn kind(raw: Option<&ImageReferenceResourceType>) -> UseKind {
    match raw.map(ImageReferenceResourceType::as_str) {
        Some("ec2:Instance") => UseKind::Instance,
        Some("ec2:LaunchTemplate") => UseKind::LaunchTemplate,
        Some("ssm:Parameter") => UseKind::SsmParameter,
        Some("imagebuilder:ImageRecipe") => UseKind::ImageRecipe,
        Some("imagebuilder:ContainerRecipe") => UseKind::ContainerRecipe,
        Some(_) | None => UseKind::Other,
    }
}

/// What an ARN (`arn:partition:service:region:account:type/id`) names, and whose it is. An instance is named as the
/// source `instances` names it, so that it is one use and not two; all else by the whole ARN.
fn named(kind: UseKind, arn: &str) -> (String, Option<AccountId>) {
    let mut parts = arn.splitn(6, ':').skip(4);
    let (account, resource) = (parts.next(), parts.next());
    let instance = resource.and_then(|resource| resource.strip_prefix("instance/")).and_then(filled);
    let id = match (kind, instance) {
        (UseKind::Instance, Some(id)) => id,
        (_, _) => arn.to_owned(),
    };
    (id, account.and_then(|account| account.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_named_by_their_ids_and_all_else_by_the_arn() {
        let check = |kind: UseKind, arn: &str, id: &str, account: Option<&str>| {
            let (named, holder) = named(kind, arn);
            assert_eq!((named.as_str(), holder.as_ref().map(AccountId::as_str)), (id, account), "{arn}");
        };
        let own = Some("111122223333");
        check(UseKind::Instance, "arn:aws:ec2:eu-west-1:111122223333:instance/i-1", "i-1", own);
        for arn in [
            "arn:aws:ec2:eu-west-1:111122223333:launch-template/lt-1",
            "arn:aws-cn:imagebuilder:cn-north-1:111122223333:image-recipe/web/1.0.0",
        ] {
            check(UseKind::LaunchTemplate, arn, arn, own);
        }
        check(UseKind::Instance, "i-1", "i-1", None);
        check(
            UseKind::Instance,
            "arn:aws:ec2:eu-west-1::instance/",
            "arn:aws:ec2:eu-west-1::instance/",
            None,
        );
    }
}
