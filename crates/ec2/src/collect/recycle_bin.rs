//! `ListImagesInRecycleBin` and `ListSnapshotsInRecycleBin`: what can still be restored.

use amiwarden_core::{ImageId, Listing, SnapshotId};
use aws_sdk_ec2::Client;

use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use crate::convert::filled;
use crate::errors::Failure;

const IMAGES: Operation = Operation {
    name: "ListImagesInRecycleBin",
    permissions: "ec2:ListImagesInRecycleBin",
    limits: PageLimits::EC2,
};

const SNAPSHOTS: Operation = Operation {
    name: "ListSnapshotsInRecycleBin",
    permissions: "ec2:ListSnapshotsInRecycleBin",
    limits: PageLimits::EC2,
};

/// Every image in the Recycle Bin. Asked for as a whole: naming an image that is not there may be an error.
pub(crate) async fn images(client: &Client) -> Listing<ImageId> {
    pages::read(IMAGES, |token| async {
        let page = client
            .list_images_in_recycle_bin()
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(IMAGES.name, &error))?;
        Ok(Page::convert(page.images, page.next_token, |raw| {
            let id = raw.image_id.and_then(filled).ok_or("an image without an id")?;
            Ok::<_, &'static str>(Some(ImageId::new(id)))
        }))
    })
    .await
}

/// Every snapshot in the Recycle Bin.
pub(crate) async fn snapshots(client: &Client) -> Listing<SnapshotId> {
    pages::read(SNAPSHOTS, |token| async {
        let page = client
            .list_snapshots_in_recycle_bin()
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(SNAPSHOTS.name, &error))?;
        Ok(Page::convert(page.snapshots, page.next_token, |raw| {
            let id = raw.snapshot_id.and_then(filled).ok_or("a snapshot without an id")?;
            Ok::<_, &'static str>(Some(SnapshotId::new(id)))
        }))
    })
    .await
}
