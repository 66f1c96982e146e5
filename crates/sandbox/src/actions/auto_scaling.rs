//! Auto Scaling: `DescribeAutoScalingGroups` and `DescribeLaunchConfigurations` (API version 2011-01-01).
//!
//! Names that do not exist are left out of an answer, which is no error here. Deliberately absent: the
//! parameter `Filters`, and whatever a group has besides the place where its images come from; members
//! that the API requires hold plausible constants.

use super::page::{Page, PageRequest};
use super::{Context, Xml, date_with_millis, unknown_action};
use crate::protocol::{ApiError, Parameters};
use crate::world::{
    AutoScalingGroupRecord, LaunchConfigurationRecord, LaunchSource, TemplateOverride, TemplateReference,
    World,
};

/// The size of a page where nothing is said, and the largest (botocore model of `autoscaling`:
/// `MaxRecords`).
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: u64 = 100;

/// One parsed request to Auto Scaling.
#[derive(Debug)]
pub(crate) enum AutoScalingQuery {
    Groups(NamedQuery),
    Configurations(NamedQuery),
}

/// Names, of which none means all, and a page.
#[derive(Debug)]
pub(crate) struct NamedQuery {
    names: Vec<String>,
    page: PageRequest,
}

impl AutoScalingQuery {
    pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Self, ApiError> {
        match action {
            "DescribeAutoScalingGroups" => {
                parameters.flag("IncludeInstances")?;
                NamedQuery::parse(parameters, "AutoScalingGroupNames", &["IncludeInstances"])
                    .map(Self::Groups)
            }
            "DescribeLaunchConfigurations" => {
                NamedQuery::parse(parameters, "LaunchConfigurationNames", &[]).map(Self::Configurations)
            }
            _ => Err(unknown_action(action)),
        }
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        match self {
            Self::Groups(query) => {
                let groups =
                    world.auto_scaling_groups.values().filter(|group| group.region == context.region);
                let page = query.cut(groups.map(|group| (&group.name, group)), context)?;
                Ok(response(context, |xml| {
                    xml.members("AutoScalingGroups", &page.items, |xml, group| {
                        write_group(xml, world, group);
                    });
                    page.write_token_as(xml, "NextToken");
                }))
            }
            Self::Configurations(query) => {
                let configurations = world.launch_configurations.values();
                let here = configurations.filter(|found| found.region == context.region);
                let page = query.cut(here.map(|found| (&found.name, found)), context)?;
                Ok(response(context, |xml| {
                    xml.members("LaunchConfigurations", &page.items, |xml, found| {
                        write_configuration(xml, world, found);
                    });
                    page.write_token_as(xml, "NextToken");
                }))
            }
        }
    }
}

impl NamedQuery {
    fn parse(parameters: &Parameters, names: &str, others: &[&str]) -> Result<Self, ApiError> {
        parameters.check_names(&[&[names, "MaxRecords", "NextToken"], others].concat())?;
        let page = PageRequest::parse_sized(parameters, "MaxRecords", 1..=PAGE_MAX, PAGE_DEFAULT)?;
        Ok(Self { names: parameters.list(names), page })
    }

    fn cut<'a, T: 'a>(
        &self,
        found: impl Iterator<Item = (&'a String, &'a T)>,
        context: &Context<'_>,
    ) -> Result<Page<&'a T>, ApiError> {
        let wanted = found.filter(|(name, _)| self.names.is_empty() || self.names.contains(name));
        // A token that cannot be read is the only thing that can go wrong with a page.
        self.page
            .cut(wanted.map(|(name, item)| (name.clone(), item)), context)
            .map_err(|error| ApiError::bad_request("InvalidNextToken", error.message))
    }
}

fn write_group(xml: &mut Xml, world: &World, group: &AutoScalingGroupRecord) {
    let (account, region, name) = (&world.account, &group.region, &group.name);
    xml.text("AutoScalingGroupName", name);
    xml.text(
        "AutoScalingGroupARN",
        &format!(
            "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:sandbox:autoScalingGroupName/{name}"
        ),
    );
    match &group.source {
        LaunchSource::Configuration(name) => xml.text("LaunchConfigurationName", name),
        LaunchSource::Template(template) => write_template(xml, "LaunchTemplate", template),
        LaunchSource::Mixed { template, overrides } => xml.element("MixedInstancesPolicy", |xml| {
            xml.element("LaunchTemplate", |xml| {
                write_template(xml, "LaunchTemplateSpecification", template);
                xml.members("Overrides", overrides, write_override);
            });
        }),
    }
    for (name, value) in [("MinSize", "0"), ("MaxSize", "1"), ("DesiredCapacity", "0")] {
        xml.text(name, value);
    }
    xml.text("DefaultCooldown", "300");
    xml.members("AvailabilityZones", [format!("{region}a")], |xml, zone| xml.push_text(&zone));
    xml.text("HealthCheckType", "EC2");
    xml.text("CreatedTime", &date_with_millis(group.created_at));
}

fn write_override(xml: &mut Xml, wanted: &TemplateOverride) {
    xml.optional("InstanceType", wanted.instance_type.as_deref());
    if let Some(template) = &wanted.template {
        write_template(xml, "LaunchTemplateSpecification", template);
    }
    xml.optional("ImageId", wanted.image.as_deref());
}

fn write_template(xml: &mut Xml, name: &str, template: &TemplateReference) {
    xml.element(name, |xml| {
        xml.optional("LaunchTemplateId", template.id.as_deref());
        xml.optional("LaunchTemplateName", template.name.as_deref());
        xml.optional("Version", template.version.as_deref());
    });
}

fn write_configuration(xml: &mut Xml, world: &World, found: &LaunchConfigurationRecord) {
    let (account, region, name) = (&world.account, &found.region, &found.name);
    xml.text("LaunchConfigurationName", name);
    xml.text(
        "LaunchConfigurationARN",
        &format!(
            "arn:aws:autoscaling:{region}:{account}:launchConfiguration:sandbox:launchConfigurationName/{name}"
        ),
    );
    xml.text("ImageId", &found.image_id);
    xml.text("InstanceType", "t3.micro");
    xml.text("CreatedTime", &date_with_millis(found.created_at));
}

/// A success of AWS query: the root, the result, and the metadata.
fn response(context: &Context<'_>, write: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::document();
    xml.element_with(
        &format!("{}Response", context.action),
        "xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"",
        |xml| {
            xml.element(&format!("{}Result", context.action), write);
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", context.request_id));
        },
    );
    xml.finish()
}
