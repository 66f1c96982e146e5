//! From what a group, fleet or request says that it launches to the image behind it.

use std::collections::BTreeSet;

use amiwarden_core::{Gap, ImageId, ImageUse, Listing, UseKind};

use super::templates::VersionRef;
use super::{Cloud, launch_configurations, pages, parameters};
use crate::convert::filled;

/// How an image is named by a Systems Manager parameter (EC2 User Guide, "Use a Systems Manager parameter instead of
/// an AMI ID").
const ALIAS_PREFIX: &str = "resolve:ssm:";

/// Something that launches, and one of the things that it launches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// What kind of thing launches.
    pub(super) kind: UseKind,
    /// Which one.
    pub(super) id: String,
    /// What it launches from.
    pub(super) target: Target,
}

/// What something launches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An image, by its id or by an alias.
    Image(String),
    /// A launch configuration of Auto Scaling, by its name.
    Configuration(String),
    /// A version of a launch template.
    Version(VersionRef),
    /// It does not say.
    Untold,
}

/// The images that `references` come to. What cannot be traced to an image is a gap: it may launch any. A template
/// that names no image, or that is not there any more, launches none by itself.
pub(super) async fn settle(cloud: &Cloud, references: Listing<Vec<Reference>>) -> Listing<ImageUse> {
    let references_gap = references.gap;
    let references: Vec<_> = references.items.into_iter().flatten().collect();
    let mut versions = BTreeSet::new();
    let mut configurations = BTreeSet::new();
    for reference in &references {
        match &reference.target {
            Target::Version(version) => drop(versions.insert(version.clone())),
            Target::Configuration(name) => drop(configurations.insert(name.clone())),
            Target::Image(_) | Target::Untold => {}
        }
    }
    let (versions, configurations) = futures::join!(
        cloud.templates.images(&cloud.services.ec2, versions),
        launch_configurations::images(&cloud.services.auto_scaling, configurations)
    );
    let untraced = || Err("EC2 was not asked about it".to_owned());
    let mut named = Vec::new();
    let mut defects = Vec::new();
    for Reference { kind, id, target } in references {
        let image = match &target {
            Target::Image(image) => Ok(Some(image.clone())),
            Target::Version(version) => versions.get(version).cloned().unwrap_or_else(untraced),
            Target::Configuration(name) => configurations.get(name).cloned().unwrap_or_else(untraced),
            Target::Untold => Err("it does not tell what it launches".to_owned()),
        };
        match image {
            Ok(Some(image)) => named.push(Named { kind, id, image }),
            Ok(None) => {}
            Err(reason) => defects.push(format!("{kind} {id}: {reason}")),
        }
    }
    let uses = settle_aliases(cloud, named, &mut defects).await;
    let gap = pages::join(defects.into_iter().map(Gap::new).chain(references_gap));
    Listing { items: uses, gap }
}

/// Something that launches, and the image as it names it.
struct Named {
    kind: UseKind,
    id: String,
    image: String,
}

async fn settle_aliases(cloud: &Cloud, named: Vec<Named>, defects: &mut Vec<String>) -> Vec<ImageUse> {
    let parameter = |image: &str| image.strip_prefix(ALIAS_PREFIX).and_then(filled);
    let aliases = named.iter().filter_map(|named| parameter(&named.image)).collect();
    let values = parameters::values(&cloud.services.ssm, aliases).await;
    let mut uses = BTreeSet::new();
    for Named { kind, id, image } in named {
        let resolved = match parameter(&image) {
            None => is_image_id(&image).then(|| image.clone()).ok_or_else(|| "which is no image".to_owned()),
            Some(name) => match values.get(&name) {
                Some(Ok(value)) if is_image_id(value) => Ok(value.clone()),
                Some(Ok(_)) => Err("a parameter that does not hold an image".to_owned()),
                Some(Err(defect)) => Err(format!("which could not be resolved: {defect}")),
                None => Err("which was not resolved".to_owned()),
            },
        };
        match resolved {
            Ok(image) => drop(uses.insert(ImageUse {
                image: ImageId::new(image),
                kind,
                id,
                account: cloud.account.clone(),
            })),
            Err(reason) => defects.push(format!("{kind} {id} names its image as `{image}`, {reason}")),
        }
    }
    uses.into_iter().collect()
}

/// Whether the text has the form of an image's id.
pub(super) fn is_image_id(text: &str) -> bool {
    text.strip_prefix("ami-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
