//! The actions: from parameters to typed calls, and from answers to XML.
//!
//! A call is parsed completely before permissions, `DryRun` or the world are looked at, so a malformed
//! request fails alike with and without `DryRun`.

mod changes;
mod image_attribute;
mod images;
mod instances;
mod launch_templates;
mod page;
mod regions;
mod snapshots;

use jiff::Timestamp;

use crate::protocol::{ApiError, Parameters, Service, Xml};
use crate::world::{Change, Effect, World};

pub(crate) use page::ListingTwist;

/// One parsed request.
#[derive(Debug)]
pub(crate) enum Call {
    /// STS `GetCallerIdentity`.
    Identity,
    Read(Read),
    Change(Change),
}

/// One parsed Describe request.
#[derive(Debug)]
pub(crate) enum Read {
    Images(images::ImagesQuery),
    ImageAttribute(image_attribute::AttributeQuery),
    Snapshots(snapshots::SnapshotsQuery),
    Instances(instances::InstancesQuery),
    LaunchTemplates(launch_templates::TemplatesQuery),
    TemplateVersions(launch_templates::VersionsQuery),
    Regions(regions::RegionsQuery),
}

/// What an answer depends on besides the world and the query.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) action: &'a str,
    pub(crate) region: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) page_size_max: usize,
    pub(crate) twist: Option<ListingTwist>,
}

/// Parses a request.
pub(crate) fn parse(service: Service, action: &str, parameters: &Parameters) -> Result<Call, ApiError> {
    if service == Service::Sts {
        return match action {
            "GetCallerIdentity" => Ok(Call::Identity),
            _ => Err(unknown_action(action)),
        };
    }
    if let Some(change) = changes::parse(action, parameters)? {
        return Ok(Call::Change(change));
    }
    let read = match action {
        "DescribeImages" => Read::Images(images::ImagesQuery::parse(parameters)?),
        "DescribeImageAttribute" => Read::ImageAttribute(image_attribute::AttributeQuery::parse(parameters)?),
        "DescribeSnapshots" => Read::Snapshots(snapshots::SnapshotsQuery::parse(parameters)?),
        "DescribeInstances" => Read::Instances(instances::InstancesQuery::parse(parameters)?),
        "DescribeLaunchTemplates" => {
            Read::LaunchTemplates(launch_templates::TemplatesQuery::parse(parameters)?)
        }
        "DescribeLaunchTemplateVersions" => {
            Read::TemplateVersions(launch_templates::VersionsQuery::parse(parameters)?)
        }
        "DescribeRegions" => Read::Regions(regions::RegionsQuery::parse(parameters)?),
        _ => return Err(unknown_action(action)),
    };
    Ok(Call::Read(read))
}

impl Read {
    /// The body of the answer.
    pub(crate) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        match self {
            Self::Images(query) => query.answer(world, context),
            Self::ImageAttribute(query) => query.answer(world, context),
            Self::Snapshots(query) => query.answer(world, context),
            Self::Instances(query) => query.answer(world, context),
            Self::LaunchTemplates(query) => query.answer(world, context),
            Self::TemplateVersions(query) => query.answer(world, context),
            Self::Regions(query) => Ok(query.answer(world, context)),
        }
    }

    /// Whether the request is neither filtered nor paginated and so draws from a smaller bucket.
    pub(crate) fn is_heavy(&self) -> bool {
        match self {
            Self::Snapshots(query) => query.is_heavy(),
            Self::Instances(query) => query.is_heavy(),
            Self::Images(_)
            | Self::ImageAttribute(_)
            | Self::LaunchTemplates(_)
            | Self::TemplateVersions(_)
            | Self::Regions(_) => false,
        }
    }
}

/// The body that tells of a change.
pub(crate) fn effect_xml(effect: &Effect, context: &Context<'_>) -> String {
    response(context, |xml| changes::write_effect(xml, effect))
}

/// The body of `GetCallerIdentity` (API version 2011-06-15).
pub(crate) fn identity_xml(account: &str, access_key: &str, request_id: &str) -> String {
    let mut xml = Xml::document();
    xml.element_with(
        "GetCallerIdentityResponse",
        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"",
        |xml| {
            xml.element("GetCallerIdentityResult", |xml| {
                xml.text("Arn", &format!("arn:aws:iam::{account}:user/sandbox"));
                xml.text("UserId", access_key);
                xml.text("Account", account);
            });
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
        },
    );
    xml.finish()
}

/// A success: the root is exactly `<ActionResponse>`.
fn response(context: &Context<'_>, write: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::document();
    xml.element_with(
        &format!("{}Response", context.action),
        "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"",
        |xml| {
            xml.text("requestId", context.request_id);
            write(xml);
        },
    );
    xml.finish()
}

fn unknown_action(action: &str) -> ApiError {
    ApiError::bad_request("InvalidAction", format!("The action {action} is not valid for this web service."))
}

fn invalid_filter(name: &str) -> ApiError {
    ApiError::bad_request("InvalidParameterValue", format!("The filter '{name}' is invalid"))
}

/// `2026-01-15T08:00:00.000Z`, the form of most dates of EC2.
fn date_with_millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// `2026-01-15T08:00:00Z`, the form in which EC2 writes the time of the last launch.
fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
