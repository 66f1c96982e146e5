//! The actions: from parameters to typed calls, and from answers to XML or JSON.
//!
//! A call is parsed completely before permissions, `DryRun` or the world are looked at, so a malformed
//! request fails alike with and without `DryRun`.

mod auto_scaling;
mod changes;
mod ec2_fleets;
mod image_attribute;
mod image_references;
mod images;
mod instances;
mod launch_templates;
mod organizations;
mod page;
mod parameter_store;
mod recycle_bin;
mod regions;
mod retention_rules;
mod roles;
mod snapshots;
mod sns;
mod spot;
mod usage_reports;

use jiff::Timestamp;

use crate::protocol::{ApiError, Parameters, Service, Xml};
use crate::world::{Change, Effect, World};

pub(crate) use page::ListingTwist;
pub(crate) use roles::{RoleQuery, session_xml};
pub(crate) use usage_reports::{ReportCall, created_xml, deleted_xml};

/// One parsed request.
#[derive(Debug)]
pub(crate) enum Call {
    /// STS `GetCallerIdentity`.
    Identity,
    /// STS `AssumeRole`.
    AssumeRole(RoleQuery),
    Read(Read),
    Change(Change),
    /// What concerns image usage reports, which are no part of an image.
    Report(ReportCall),
}

/// One parsed request that only reads.
#[derive(Debug)]
pub(crate) enum Read {
    Images(images::ImagesQuery),
    ImageAttribute(image_attribute::AttributeQuery),
    Snapshots(snapshots::SnapshotsQuery),
    Instances(instances::InstancesQuery),
    LaunchTemplates(launch_templates::TemplatesQuery),
    TemplateVersions(launch_templates::VersionsQuery),
    Regions(regions::RegionsQuery),
    ImageReferences(image_references::ReferencesQuery),
    UsageReportEntries(usage_reports::EntriesQuery),
    AutoScaling(auto_scaling::AutoScalingQuery),
    Parameters(parameter_store::ParameterQuery),
    RetentionRules(retention_rules::RuleQuery),
    /// SNS `Publish`: it changes nothing that the sandbox models, and is found in the log of requests.
    Publish(sns::Published),
    BinnedImages(recycle_bin::BinnedImagesQuery),
    BinnedSnapshots(recycle_bin::BinnedSnapshotsQuery),
    Ec2Fleets(ec2_fleets::Ec2FleetsQuery),
    SpotFleetRequests(spot::SpotFleetRequestsQuery),
    SpotInstanceRequests(spot::SpotInstanceRequestsQuery),
    Organization(organizations::OrganizationQuery),
}

/// What an answer depends on besides the world and the query.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) action: &'a str,
    /// The account that the caller acts in.
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) page_size_max: usize,
    pub(crate) twist: Option<ListingTwist>,
}

/// Parses a request.
pub(crate) fn parse(service: Service, action: &str, parameters: &Parameters) -> Result<Call, ApiError> {
    match service {
        Service::Ec2 => parse_ec2(action, parameters),
        Service::Sts => match action {
            "GetCallerIdentity" => Ok(Call::Identity),
            "AssumeRole" => Ok(Call::AssumeRole(roles::RoleQuery::parse(parameters)?)),
            _ => Err(unknown_action(action)),
        },
        Service::AutoScaling => {
            let query = auto_scaling::AutoScalingQuery::parse(action, parameters)?;
            Ok(Call::Read(Read::AutoScaling(query)))
        }
        Service::Ssm => {
            let query = parameter_store::ParameterQuery::parse(action, parameters)?;
            Ok(Call::Read(Read::Parameters(query)))
        }
        Service::RecycleBin => {
            let query = retention_rules::RuleQuery::parse(action, parameters)?;
            Ok(Call::Read(Read::RetentionRules(query)))
        }
        Service::Sns => Ok(Call::Read(Read::Publish(sns::Published::parse(action, parameters)?))),
        Service::Organizations => {
            let query = organizations::OrganizationQuery::parse(action, parameters)?;
            Ok(Call::Read(Read::Organization(query)))
        }
    }
}

fn parse_ec2(action: &str, parameters: &Parameters) -> Result<Call, ApiError> {
    if let Some(change) = changes::parse(action, parameters)? {
        return Ok(Call::Change(change));
    }
    if let Some(call) = ReportCall::parse(action, parameters)? {
        return Ok(Call::Report(call));
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
        "DescribeImageReferences" => {
            Read::ImageReferences(image_references::ReferencesQuery::parse(parameters)?)
        }
        "DescribeImageUsageReportEntries" => {
            Read::UsageReportEntries(usage_reports::EntriesQuery::parse(parameters)?)
        }
        "ListImagesInRecycleBin" => Read::BinnedImages(recycle_bin::BinnedImagesQuery::parse(parameters)?),
        "ListSnapshotsInRecycleBin" => {
            Read::BinnedSnapshots(recycle_bin::BinnedSnapshotsQuery::parse(parameters)?)
        }
        "DescribeFleets" => Read::Ec2Fleets(ec2_fleets::Ec2FleetsQuery::parse(parameters)?),
        "DescribeSpotFleetRequests" => {
            Read::SpotFleetRequests(spot::SpotFleetRequestsQuery::parse(parameters)?)
        }
        "DescribeSpotInstanceRequests" => {
            Read::SpotInstanceRequests(spot::SpotInstanceRequestsQuery::parse(parameters)?)
        }
        _ => return Err(unknown_action(action)),
    };
    Ok(Call::Read(read))
}

impl Call {
    /// Whether the action is one that changes something, usage reports included.
    pub(crate) fn is_change(&self) -> bool {
        match self {
            Self::Change(_) | Self::Report(ReportCall::Create(_) | ReportCall::Delete { .. }) => true,
            Self::Identity | Self::AssumeRole(_) | Self::Read(_) | Self::Report(ReportCall::Describe(_)) => {
                false
            }
        }
    }

    /// Whether the request is neither filtered nor paginated and so draws from a smaller bucket.
    pub(crate) fn is_heavy(&self) -> bool {
        match self {
            Self::Read(read) => read.is_heavy(),
            Self::Identity | Self::AssumeRole(_) | Self::Change(_) | Self::Report(_) => false,
        }
    }
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
            Self::ImageReferences(query) => query.answer(world, context),
            Self::UsageReportEntries(query) => query.answer(world, context),
            Self::AutoScaling(query) => query.answer(world, context),
            Self::Parameters(query) => query.answer(world, context),
            Self::RetentionRules(query) => query.answer(world, context),
            Self::Publish(published) => published.answer(world, context),
            Self::BinnedImages(query) => query.answer(world, context),
            Self::BinnedSnapshots(query) => query.answer(world, context),
            Self::Ec2Fleets(query) => query.answer(world, context),
            Self::SpotFleetRequests(query) => query.answer(world, context),
            Self::SpotInstanceRequests(query) => query.answer(world, context),
            Self::Organization(query) => query.answer(world, context),
        }
    }

    fn is_heavy(&self) -> bool {
        match self {
            Self::Snapshots(query) => query.is_heavy(),
            Self::Instances(query) => query.is_heavy(),
            Self::SpotInstanceRequests(query) => query.is_heavy(),
            Self::Images(_)
            | Self::ImageAttribute(_)
            | Self::LaunchTemplates(_)
            | Self::TemplateVersions(_)
            | Self::Regions(_)
            | Self::ImageReferences(_)
            | Self::UsageReportEntries(_)
            | Self::AutoScaling(_)
            | Self::Parameters(_)
            | Self::RetentionRules(_)
            | Self::Publish(_)
            | Self::BinnedImages(_)
            | Self::BinnedSnapshots(_)
            | Self::Ec2Fleets(_)
            | Self::SpotFleetRequests(_)
            | Self::Organization(_) => false,
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

/// The ARN of a parameter; names that begin with a slash bring their own.
fn parameter_arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:ssm:{region}:{account}:parameter/{}", name.strip_prefix('/').unwrap_or(name))
}

/// A success of EC2: the root is exactly `<ActionResponse>`.
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
