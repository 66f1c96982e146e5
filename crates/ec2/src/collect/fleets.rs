//! `DescribeFleets`: EC2 Fleets that may still launch.
//!
//! A fleet of the type `instant` launches once, when it is made, and is shown only to those who ask for it by its id
//! (botocore model); its instances are a source of their own.

use amiwarden_core::{ImageUse, Listing, UseKind};
use aws_sdk_ec2::types::{FleetData, FleetLaunchTemplateSpecification, FleetStateCode};

use super::Cloud;
use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use super::references::{Reference, Target, settle};
use super::templates::VersionRef;
use crate::convert::{filled, listed};
use crate::errors::Failure;

const OPERATION: Operation =
    Operation { name: "DescribeFleets", permissions: "ec2:DescribeFleets", limits: PageLimits::EC2 };

/// The states of a fleet that will launch nothing any more (EC2 User Guide, "EC2 Fleet request states"): deleted, with
/// its instances running on, being terminated or gone; or failed. Every other state counts, an unknown one too.
const OVER: [FleetStateCode; 4] = [
    FleetStateCode::Deleted,
    FleetStateCode::DeletedRunning,
    FleetStateCode::DeletedTerminatingInstances,
    FleetStateCode::Failed,
];

/// One use per fleet and image.
pub(crate) async fn collect(cloud: &Cloud) -> Listing<ImageUse> {
    let fleets = pages::read(OPERATION, |token| async {
        let page = cloud
            .services
            .ec2
            .describe_fleets()
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.fleets, page.next_token, references))
    })
    .await;
    settle(cloud, fleets).await
}

fn references(raw: FleetData) -> Result<Option<Vec<Reference>>, &'static str> {
    if raw.fleet_state.is_some_and(|state| OVER.contains(&state)) {
        return Ok(None);
    }
    let id = raw.fleet_id.and_then(filled).ok_or("a fleet without an id")?;
    let mut targets: Vec<_> = listed(raw.launch_template_configs)
        .flat_map(|config| {
            let template = config.launch_template_specification.map_or(Target::Untold, version);
            let images = listed(config.overrides).filter_map(|own| own.image_id.and_then(filled));
            std::iter::once(template).chain(images.map(Target::Image))
        })
        .collect();
    if targets.is_empty() {
        targets.push(Target::Untold);
    }
    let reference = |target| Reference { kind: UseKind::Fleet, id: id.clone(), target };
    Ok(Some(targets.into_iter().map(reference).collect()))
}

/// What a specification of an EC2 Fleet or a Spot Fleet request names.
pub(super) fn version(raw: FleetLaunchTemplateSpecification) -> Target {
    VersionRef::new(raw.launch_template_id, raw.launch_template_name, raw.version)
        .map_or(Target::Untold, Target::Version)
}
