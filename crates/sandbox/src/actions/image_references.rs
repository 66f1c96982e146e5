//! `DescribeImageReferences`: what of the account's own refers to an image, in one Region.
//!
//! What EC2 leaves out is left out here too: Auto Scaling, fleets, Spot requests, template versions below
//! the depth. Assumed, because no guide says it: a template that names a parameter does not refer to the
//! image behind it (the parameter does), instances run by AWS services are listed, an image that does not
//! exist is an error, and the permissions of the services behind the check are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::page::PageRequest;
use super::{Context, parameter_arn, response};
use crate::protocol::{ApiError, Parameters};
use crate::world::{LaunchTemplateRecord, RecipeKind, World, check_image_id};

/// How many images one call may name (User Guide: ec2-ami-references).
const IDS_MAX: usize = 10;
/// How many versions of a template are checked where nothing is said, and at most (botocore model:
/// `ResourceTypeOption`).
const DEPTH_DEFAULT: usize = 10;
const DEPTH_MAX: u64 = 10_000;
const STATES: [&str; 6] = ["pending", "running", "shutting-down", "terminated", "stopping", "stopped"];

/// The parameters of `DescribeImageReferences`.
#[derive(Debug)]
pub(crate) struct ReferencesQuery {
    image_ids: Vec<String>,
    types: BTreeMap<ReferenceType, TypeOptions>,
    page: PageRequest,
}

/// Resource types, in the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ReferenceType {
    Instance,
    LaunchTemplate,
    ContainerRecipe,
    ImageRecipe,
    Parameter,
}

/// How a resource type is checked.
#[derive(Debug, Clone)]
struct TypeOptions {
    /// States of instances; none means all.
    states: BTreeSet<String>,
    /// How many versions of a template, the newest first.
    depth: usize,
}

impl Default for TypeOptions {
    fn default() -> Self {
        Self { states: BTreeSet::new(), depth: DEPTH_DEFAULT }
    }
}

impl ReferenceType {
    const ALL: [Self; 5] =
        [Self::Instance, Self::LaunchTemplate, Self::ContainerRecipe, Self::ImageRecipe, Self::Parameter];

    fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "ec2:Instance",
            Self::LaunchTemplate => "ec2:LaunchTemplate",
            Self::ContainerRecipe => "imagebuilder:ContainerRecipe",
            Self::ImageRecipe => "imagebuilder:ImageRecipe",
            Self::Parameter => "ssm:Parameter",
        }
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| ApiError::invalid_value("ResourceType", text, "Unknown resource type."))
    }
}

impl ReferencesQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&[
            "ImageId",
            "IncludeAllResourceTypes",
            "ResourceType",
            "MaxResults",
            "NextToken",
        ])?;
        let image_ids = parameters.list("ImageId");
        if image_ids.is_empty() {
            return Err(ApiError::missing_parameter("ImageId"));
        }
        if image_ids.len() > IDS_MAX {
            return Err(ApiError::bad_request(
                "InvalidParameterValue",
                format!("A request can name at most {IDS_MAX} images."),
            ));
        }
        for image_id in &image_ids {
            check_image_id(image_id)?;
        }
        let mut types = BTreeMap::new();
        if parameters.flag("IncludeAllResourceTypes")? {
            types.extend(ReferenceType::ALL.map(|kind| (kind, TypeOptions::default())));
        }
        // Named types override the defaults (botocore model: `IncludeAllResourceTypes`).
        for wanted in parameters.structures("ResourceType") {
            let kind = ReferenceType::parse(wanted.required("ResourceType")?)?;
            types.insert(kind, TypeOptions::parse(kind, &wanted)?);
        }
        if types.is_empty() {
            return Err(ApiError::bad_request(
                "MissingParameter",
                "Either IncludeAllResourceTypes or ResourceType must be specified.",
            ));
        }
        Ok(Self { image_ids, types, page: PageRequest::parse(parameters, 5, 1000)? })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        let mut rows = BTreeMap::new();
        for image_id in &self.image_ids {
            world.image_in(image_id, context.region, context.now)?;
            for (kind, options) in &self.types {
                for arn in references(world, context.region, image_id, *kind, options) {
                    rows.insert(format!("{image_id}/{}/{arn}", kind.as_str()), (image_id, kind, arn));
                }
            }
        }
        let page = self.page.cut(rows.into_iter(), context)?;
        Ok(response(context, |xml| {
            xml.list("imageReferenceSet", &page.items, |xml, (image_id, kind, arn)| {
                xml.text("imageId", image_id);
                xml.text("resourceType", kind.as_str());
                xml.text("arn", arn);
            });
            page.write_token(xml);
        }))
    }
}

impl TypeOptions {
    fn parse(kind: ReferenceType, wanted: &Parameters) -> Result<Self, ApiError> {
        let mut options = Self::default();
        for option in wanted.structures("ResourceTypeOption") {
            let (name, values) = (option.required("OptionName")?, option.list("OptionValue"));
            match (kind, name) {
                (ReferenceType::Instance, "state-name") => {
                    if let Some(other) = values.iter().find(|state| !STATES.contains(&state.as_str())) {
                        return Err(ApiError::invalid_value(name, other, "Unknown state."));
                    }
                    options.states = values.into_iter().collect();
                }
                (ReferenceType::LaunchTemplate, "version-depth") => options.depth = depth(&values)?,
                _ => {
                    return Err(ApiError::invalid_value(
                        "OptionName",
                        name,
                        &format!("{} has no such option.", kind.as_str()),
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// The one value of a `version-depth`.
pub(super) fn depth(values: &[String]) -> Result<usize, ApiError> {
    let depth = match values {
        [value] => value.parse().ok().filter(|depth| (1..=DEPTH_MAX).contains(depth)),
        _ => None,
    };
    depth.and_then(|depth| usize::try_from(depth).ok()).ok_or_else(|| {
        ApiError::invalid_value(
            "version-depth",
            &values.join(", "),
            &format!("Use one whole number from 1 to {DEPTH_MAX}."),
        )
    })
}

/// The ARNs of what refers to an image, of one type.
fn references(
    world: &World,
    region: &str,
    image_id: &str,
    kind: ReferenceType,
    options: &TypeOptions,
) -> Vec<String> {
    let account = &world.account;
    let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{region}:{account}:{resource}");
    let recipes = |wanted: RecipeKind, path: &str| {
        let fitting = world
            .image_recipes
            .iter()
            .filter(|recipe| recipe.region == region && recipe.image_id == image_id && recipe.kind == wanted);
        fitting.map(|recipe| arn("imagebuilder", &format!("{path}/{}/1.0.0", recipe.name))).collect()
    };
    match kind {
        ReferenceType::Instance => world
            .instances
            .values()
            .filter(|instance| instance.region == region && instance.image_id == image_id)
            .filter(|instance| options.states.is_empty() || options.states.contains(instance.state.as_str()))
            .map(|instance| arn("ec2", &format!("instance/{}", instance.id)))
            .collect(),
        ReferenceType::LaunchTemplate => world
            .launch_templates
            .values()
            .filter(|template| template.region == region && names(template, image_id, options.depth))
            .map(|template| arn("ec2", &format!("launch-template/{}", template.id)))
            .collect(),
        ReferenceType::ContainerRecipe => recipes(RecipeKind::Container, "container-recipe"),
        ReferenceType::ImageRecipe => recipes(RecipeKind::Image, "image-recipe"),
        ReferenceType::Parameter => world
            .ssm_parameters
            .iter()
            .filter(|(_, image)| region == world.default_region && *image == image_id)
            .map(|(name, _)| parameter_arn(region, account, name))
            .collect(),
    }
}

/// Whether one of the newest versions names an image.
fn names(template: &LaunchTemplateRecord, image_id: &str, depth: usize) -> bool {
    let newest = template.versions.iter().rev().take(depth);
    newest.into_iter().any(|version| version.image.as_deref() == Some(image_id))
}
