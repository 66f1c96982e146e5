//! `ListImagesInRecycleBin`, `ListSnapshotsInRecycleBin`, and the answer of a restored snapshot.

use super::page::PageRequest;
use super::{Context, date_with_millis, response};
use crate::protocol::{ApiError, Parameters, Xml};
use crate::world::{Binned, SnapshotRecord, World};

/// How many images one call may name (botocore model documentation of `ListImagesInRecycleBin`).
const IMAGE_IDS_MAX: usize = 20;

/// The parameters of `ListImagesInRecycleBin`.
#[derive(Debug)]
pub(crate) struct BinnedImagesQuery {
    image_ids: Vec<String>,
    page: PageRequest,
}

/// The parameters of `ListSnapshotsInRecycleBin`.
#[derive(Debug)]
pub(crate) struct BinnedSnapshotsQuery {
    snapshot_ids: Vec<String>,
    page: PageRequest,
}

impl BinnedImagesQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["ImageId", "MaxResults", "NextToken"])?;
        let image_ids = parameters.list("ImageId");
        if image_ids.len() > IMAGE_IDS_MAX {
            return Err(ApiError::bad_request(
                "InvalidParameterValue",
                format!("A request can name at most {IMAGE_IDS_MAX} images."),
            ));
        }
        Ok(Self { image_ids, page: PageRequest::parse(parameters, 1, 1000)? })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for id in &self.image_ids {
            world.binned_image(id, context.region, context.now)?;
        }
        let binned = world
            .recycle_bin
            .images
            .iter()
            .filter(|(_, binned)| binned.is_kept(context.now) && binned.resource.region == context.region)
            .filter(|(id, _)| self.image_ids.is_empty() || self.image_ids.contains(id))
            .map(|(id, binned)| (id.clone(), binned));
        let page = self.page.cut(binned, context)?;
        Ok(response(context, |xml| {
            xml.list("imageSet", &page.items, |xml, binned| {
                xml.text("imageId", &binned.resource.id);
                xml.text("name", &binned.resource.name);
                xml.optional("description", binned.resource.description.as_deref());
                write_times(xml, binned);
            });
            page.write_token(xml);
        }))
    }
}

impl BinnedSnapshotsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["SnapshotId", "MaxResults", "NextToken"])?;
        let page = PageRequest::parse(parameters, 5, 1000)?;
        Ok(Self { snapshot_ids: parameters.list("SnapshotId"), page })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for id in &self.snapshot_ids {
            world.binned_snapshot(id, context.region, context.now)?;
        }
        let binned = world
            .recycle_bin
            .snapshots
            .iter()
            .filter(|(_, binned)| binned.is_kept(context.now) && binned.resource.region == context.region)
            .filter(|(id, _)| self.snapshot_ids.is_empty() || self.snapshot_ids.contains(id))
            .map(|(id, binned)| (id.clone(), binned));
        let page = self.page.cut(binned, context)?;
        Ok(response(context, |xml| {
            xml.list("snapshotSet", &page.items, |xml, binned| {
                xml.text("snapshotId", &binned.resource.id);
                xml.text("description", &binned.resource.description);
                xml.text("volumeId", &volume_id(&binned.resource));
                write_times(xml, binned);
            });
            page.write_token(xml);
        }))
    }
}

/// The members of `RestoreSnapshotFromRecycleBin`'s answer. The snapshot can be used at once, yet is
/// called `recovering` (assumed from the values that the botocore model lists).
pub(super) fn write_restored_snapshot(xml: &mut Xml, snapshot: &SnapshotRecord) {
    xml.text("snapshotId", &snapshot.id);
    xml.text("description", &snapshot.description);
    xml.boolean("encrypted", snapshot.encrypted);
    xml.text("ownerId", &snapshot.owner);
    xml.text("progress", "100%");
    xml.text("startTime", &date_with_millis(snapshot.started_at));
    xml.text("status", "recovering");
    xml.text("volumeId", &volume_id(snapshot));
    xml.text("volumeSize", &snapshot.size_gib.to_string());
}

fn write_times<T>(xml: &mut Xml, binned: &Binned<T>) {
    xml.text("recycleBinEnterTime", &date_with_millis(binned.entered_at));
    xml.text("recycleBinExitTime", &date_with_millis(binned.exits_at));
}

/// The volume that a snapshot was made of: none exists here, so it is named after the snapshot.
fn volume_id(snapshot: &SnapshotRecord) -> String {
    snapshot.id.replacen("snap-", "vol-", 1)
}
