//! `DescribeSpotFleetRequests`: Spot Fleet requests that may still launch.

use amiwarden_core::{ImageUse, Listing, UseKind};
use aws_sdk_ec2::types::{BatchState, SpotFleetRequestConfig};

use super::Cloud;
use super::fleets::version;
use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use super::references::{Reference, Target, settle};
use crate::convert::{filled, listed};
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeSpotFleetRequests",
    permissions: "ec2:DescribeSpotFleetRequests",
    limits: PageLimits::EC2,
};

/// The states of a request that will launch nothing any more (EC2 User Guide, "Spot Fleet request states"). Every other
/// state counts, an unknown one too.
const OVER: [BatchState; 4] = [
    BatchState::Cancelled,
    BatchState::CancelledRunning,
    BatchState::CancelledTerminatingInstances,
    BatchState::Failed,
];

/// One use per request and image.
pub(crate) async fn collect(cloud: &Cloud) -> Listing<ImageUse> {
    let requests = pages::read(OPERATION, |token| async {
        let page = cloud
            .services
            .ec2
            .describe_spot_fleet_requests()
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.spot_fleet_request_configs, page.next_token, references))
    })
    .await;
    settle(cloud, requests).await
}

/// A request has launch specifications with an image each, or launch templates, whose overrides name no image.
fn references(raw: SpotFleetRequestConfig) -> Result<Option<Vec<Reference>>, &'static str> {
    if raw.spot_fleet_request_state.is_some_and(|state| OVER.contains(&state)) {
        return Ok(None);
    }
    let id = raw.spot_fleet_request_id.and_then(filled).ok_or("a Spot Fleet request without an id")?;
    let mut targets = Vec::new();
    if let Some(config) = raw.spot_fleet_request_config {
        targets.extend(listed(config.launch_specifications).map(|specification| {
            specification.image_id.and_then(filled).map_or(Target::Untold, Target::Image)
        }));
        targets.extend(
            listed(config.launch_template_configs)
                .map(|config| config.launch_template_specification.map_or(Target::Untold, version)),
        );
    }
    if targets.is_empty() {
        targets.push(Target::Untold);
    }
    let reference = |target| Reference { kind: UseKind::SpotFleetRequest, id: id.clone(), target };
    Ok(Some(targets.into_iter().map(reference).collect()))
}
