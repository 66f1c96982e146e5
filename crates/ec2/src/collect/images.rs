//! `DescribeImages`: the images of the account, disabled and deprecated ones included.

use std::collections::BTreeMap;

use amiwarden_core::{CallError, CallErrorKind, Image, ImageId, Listing, Scope};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::RequestId;

use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use crate::convert;
use crate::errors::Failure;

const OPERATION: Operation =
    Operation { name: "DescribeImages", permissions: "ec2:DescribeImages", limits: PageLimits::EC2 };

/// Every image that the account owns, in the order of their ids.
pub(crate) async fn all(client: &Client) -> Listing<Image> {
    let listing = pages::read(OPERATION, |token| async {
        let page = client
            .describe_images()
            .owners("self")
            .include_disabled(true)
            .include_deprecated(true)
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.images, page.next_token, |raw| convert::image(raw).map(Some)))
    })
    .await;
    Listing { items: once_each(listing.items), gap: listing.gap }
}

/// The list moves while it is read, so an image may stand on two pages. The later reading is the newer one.
fn once_each(images: Vec<Image>) -> Vec<Image> {
    let mut by_id = BTreeMap::new();
    for image in images {
        if let Some(earlier) = by_id.insert(image.id.clone(), image) {
            tracing::debug!(image = %earlier.id, "DescribeImages listed {} twice; the later one counts", earlier.id);
        }
    }
    by_id.into_values().collect()
}

/// The image as it is now; `None` when EC2 does not list it.
pub(crate) async fn one(client: &Client, scope: &Scope, id: &ImageId) -> Result<Option<Image>, CallError> {
    let sent = client
        .describe_images()
        .image_ids(id.as_str())
        .include_disabled(true)
        .include_deprecated(true)
        .send()
        .await;
    let reply = match sent.map_err(|error| Failure::new(OPERATION.name, &error)) {
        Ok(reply) => reply,
        Err(failure) if failure.says_no_image() => return Ok(None),
        Err(failure) => return Err(failure.error),
    };
    let request_id = reply.request_id().map(str::to_owned);
    let fail = |kind, message: String| {
        Err(Failure::in_reply(OPERATION.name, kind, message, request_id.as_deref()).error)
    };
    let Some(images) = reply.images else {
        return fail(CallErrorKind::NoReply, "the reply has no list".to_owned());
    };
    let mut images = images.into_iter();
    let image = match (images.next().map(convert::image), images.next()) {
        (None, _) => return Ok(None),
        (Some(Ok(image)), None) if image.id == *id => image,
        (Some(Err(defect)), None) => return fail(CallErrorKind::NoReply, defect.to_string()),
        (Some(_), _) => {
            let message = format!("EC2 was asked for {id} alone and answered with other images");
            return fail(CallErrorKind::NoReply, message);
        }
    };
    if image.owner != scope.account {
        let message = format!("{id} belongs to account {}, not to {}", image.owner, scope.account);
        return fail(CallErrorKind::Refused, message);
    }
    Ok(Some(image))
}

/// Sends a request that changes nothing with `DryRun=true`, to see whether the endpoint knows what that means.
pub(crate) async fn check_dry_run(client: &Client) -> Result<(), CallError> {
    let sent = client.describe_images().owners("self").dry_run(true).send().await;
    let executed = |request_id: Option<String>| CallError {
        operation: OPERATION.name.to_owned(),
        kind: CallErrorKind::ExecutedDryRun,
        message:
            "the endpoint does not honour DryRun: it carried out a request that was to be rehearsed only"
                .to_owned(),
        request_id,
    };
    match sent.map_err(|error| Failure::new(OPERATION.name, &error)) {
        Ok(reply) => Err(executed(reply.request_id().map(str::to_owned))),
        Err(failure) if failure.is_dry_run_operation() => Ok(()),
        Err(failure) if failure.has_success_status() => Err(executed(failure.error.request_id)),
        Err(failure) => Err(failure.error),
    }
}
