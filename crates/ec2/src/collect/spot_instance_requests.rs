//! `DescribeSpotInstanceRequests`: Spot Instance requests that may still launch.

use amiwarden_core::{ImageUse, Listing, UseKind};
use aws_sdk_ec2::types::{SpotInstanceRequest, SpotInstanceState};

use super::Cloud;
use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use super::references::{Reference, Target, settle};
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeSpotInstanceRequests",
    permissions: "ec2:DescribeSpotInstanceRequests",
    limits: PageLimits::EC2,
};

/// The states of a request that will launch nothing any more (EC2 User Guide, "Spot Instance request states"). Every
/// other state counts, an unknown one too: a request that is `disabled` launches again when its instance is started.
const OVER: [SpotInstanceState; 3] =
    [SpotInstanceState::Cancelled, SpotInstanceState::Closed, SpotInstanceState::Failed];

/// One use per request.
pub(crate) async fn collect(cloud: &Cloud) -> Listing<ImageUse> {
    let requests = pages::read(OPERATION, |token| async {
        let page = cloud
            .services
            .ec2
            .describe_spot_instance_requests()
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.spot_instance_requests, page.next_token, references))
    })
    .await;
    settle(cloud, requests).await
}

fn references(raw: SpotInstanceRequest) -> Result<Option<Vec<Reference>>, &'static str> {
    if raw.state.is_some_and(|state| OVER.contains(&state)) {
        return Ok(None);
    }
    let id = raw.spot_instance_request_id.and_then(filled).ok_or("a Spot Instance request without an id")?;
    let image = raw.launch_specification.and_then(|specification| specification.image_id.and_then(filled));
    let target = image.map_or(Target::Untold, Target::Image);
    Ok(Some(vec![Reference { kind: UseKind::SpotInstanceRequest, id, target }]))
}
