//! `DescribeSnapshots`: the snapshots of the account, for sizes and prices.

use amiwarden_core::{Listing, Snapshot, SnapshotId, StorageTier};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types as sdk;

use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use crate::convert::{self, filled};
use crate::errors::Failure;

const OPERATION: Operation =
    Operation { name: "DescribeSnapshots", permissions: "ec2:DescribeSnapshots", limits: PageLimits::EC2 };

/// Every snapshot that the account owns.
pub(crate) async fn collect(client: &Client) -> Listing<Snapshot> {
    pages::read(OPERATION, |token| async {
        let page = client
            .describe_snapshots()
            .owner_ids("self")
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.snapshots, page.next_token, |raw| snapshot(raw).map(Some)))
    })
    .await
}

fn snapshot(raw: sdk::Snapshot) -> Result<Snapshot, &'static str> {
    let id = raw.snapshot_id.and_then(filled).ok_or("a snapshot without an id")?;
    // Tags decide whether the Recycle Bin holds it, so one that cannot be read is not left out.
    let tags = convert::tags(raw.tags).map_err(|_| "a snapshot has a tag without a key")?;
    Ok(Snapshot {
        id: SnapshotId::new(id),
        tags,
        volume_size_gib: raw.volume_size.and_then(|size| u32::try_from(size).ok()),
        full_size_bytes: raw.full_snapshot_size_in_bytes.and_then(|size| u64::try_from(size).ok()),
        tier: raw.storage_tier.as_ref().map_or(StorageTier::Other, tier),
    })
}

fn tier(raw: &sdk::StorageTier) -> StorageTier {
    match raw.as_str() {
        "standard" => StorageTier::Standard,
        "archive" => StorageTier::Archive,
        _ => StorageTier::Other,
    }
}
