//! Auto Scaling's `DescribeAutoScalingGroups`: what each group launches from, be it a launch configuration, a launch
//! template, or the parts of a mixed instances policy.
//!
//! All of it is traced to images here, whatever the sources of launch configurations and templates show: those may be
//! switched off. What an instance refresh that is under way would leave behind is not looked at; its instances are.

use amiwarden_core::{ImageUse, Listing, UseKind};
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, MixedInstancesPolicy};

use super::pages::{self, Operation, Page, PageLimits};
use super::references::{Reference, Target, settle};
use super::templates::VersionRef;
use super::{AUTO_SCALING_PAGE_SIZE, Cloud};
use crate::convert::{filled, listed};
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeAutoScalingGroups",
    permissions: "autoscaling:DescribeAutoScalingGroups",
    limits: PageLimits::EC2,
};

/// One use per group and image. A group of no instances counts: it may grow.
pub(crate) async fn collect(cloud: &Cloud) -> Listing<ImageUse> {
    let groups = pages::read(OPERATION, |token| async {
        let page = cloud
            .services
            .auto_scaling
            .describe_auto_scaling_groups()
            .include_instances(false)
            .max_records(AUTO_SCALING_PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.auto_scaling_groups, page.next_token, |raw| references(raw).map(Some)))
    })
    .await;
    settle(cloud, groups).await
}

fn references(raw: AutoScalingGroup) -> Result<Vec<Reference>, &'static str> {
    let id = raw.auto_scaling_group_name.and_then(filled).ok_or("an Auto Scaling group without a name")?;
    let configuration = raw.launch_configuration_name.and_then(filled).map(Target::Configuration);
    let template = raw.launch_template.map(version);
    let mixed = raw.mixed_instances_policy.map(targets);
    let mut targets: Vec<_> =
        configuration.into_iter().chain(template).chain(mixed.into_iter().flatten()).collect();
    if targets.is_empty() {
        targets.push(Target::Untold);
    }
    let reference = |target| Reference { kind: UseKind::AutoScalingGroup, id: id.clone(), target };
    Ok(targets.into_iter().map(reference).collect())
}

/// The template of a mixed instances policy, and what its overrides put in its place: a template or an image of their
/// own. The template counts even where every override has one: an override can be taken away.
fn targets(policy: MixedInstancesPolicy) -> Vec<Target> {
    let Some(template) = policy.launch_template else { return vec![Target::Untold] };
    let base = template.launch_template_specification.map_or(Target::Untold, version);
    let overrides = listed(template.overrides).flat_map(|own| {
        let template = own.launch_template_specification.map(version);
        let image = own.image_id.and_then(filled).map(Target::Image);
        template.into_iter().chain(image)
    });
    std::iter::once(base).chain(overrides).collect()
}

fn version(raw: LaunchTemplateSpecification) -> Target {
    VersionRef::new(raw.launch_template_id, raw.launch_template_name, raw.version)
        .map_or(Target::Untold, Target::Version)
}
