//! `DescribeImageAttribute` with `launchPermission`: one call per image, the only one that tells it all. The filter
//! `ExecutableBy` of `DescribeImages` misses shares with organizations.

use std::collections::BTreeMap;

use amiwarden_core::{CallErrorKind, Gap, ImageId, LaunchPermissions};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_image_attribute::DescribeImageAttributeOutput;
use aws_sdk_ec2::types::ImageAttributeName;
use futures::StreamExt;

use crate::convert;
use crate::errors::Failure;

const OPERATION: &str = "DescribeImageAttribute";

/// How many images are asked about at once. At a round trip of 50 ms this is several times what EC2 refills a second
/// (EC2 Developer Guide, "Request throttling"), so the bucket is the limit, not this.
const IN_FLIGHT_MAX: usize = 16;

/// How often an image is asked about that is throttled, the SDK's attempts counted as one.
const ROUNDS_MAX: u32 = 8;

/// The launch permissions of each image, or why they are not known.
pub(crate) async fn collect(
    client: &Client,
    images: Vec<ImageId>,
) -> BTreeMap<ImageId, Result<LaunchPermissions, Gap>> {
    futures::stream::iter(images)
        .map(|id| async {
            let permissions = of_image(client, &id).await;
            (id, permissions)
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .collect()
        .await
}

/// One call per image is many calls, so where others draw on the bucket some of them are throttled more often than the
/// SDK tries. EC2 has done nothing then, and an image whose permissions are unknown is one that is left alone.
async fn ask(client: &Client, id: &ImageId) -> Result<DescribeImageAttributeOutput, Failure> {
    let mut round = 1;
    loop {
        let request = client.describe_image_attribute().image_id(id.as_str());
        let sent = request.attribute(ImageAttributeName::LaunchPermission).send().await;
        match sent.map_err(|error| Failure::new(OPERATION, &error)) {
            Err(failure) if failure.error.kind == CallErrorKind::Throttled && round < ROUNDS_MAX => {
                round += 1;
            }
            answer => return answer,
        }
    }
}

async fn of_image(client: &Client, id: &ImageId) -> Result<LaunchPermissions, Gap> {
    let gap = |reason: &dyn std::fmt::Display| Gap::new(format!("{OPERATION} of {id}: {reason}"));
    let reply = ask(client, id).await.map_err(|failure| {
        let message = &failure.error.message;
        if failure.lacks_permission() {
            gap(&format!("{message} (the credentials need ec2:DescribeImageAttribute)"))
        } else {
            gap(message)
        }
    })?;
    if let Some(other) = reply.image_id().filter(|other| *other != id.as_str()) {
        return Err(gap(&format!("the answer is about {other}")));
    }
    // An empty list is a private image; no list at all is no answer.
    let permissions = reply.launch_permissions.ok_or_else(|| gap(&"the reply has no launch permissions"))?;
    permissions
        .iter()
        .map(convert::launch_permission)
        .collect::<Result<_, _>>()
        .map_err(|defect| gap(&defect))
}
