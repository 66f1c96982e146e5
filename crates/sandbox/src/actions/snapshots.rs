//! `DescribeSnapshots`.

use std::ops::Bound;

use super::page::PageRequest;
use super::{Context, date_with_millis, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters};
use crate::world::{SnapshotRecord, World};

/// The parameters of `DescribeSnapshots`.
#[derive(Debug)]
pub(crate) struct SnapshotsQuery {
    owners: Vec<String>,
    snapshot_ids: Vec<String>,
    filters: Vec<Filter>,
    page: PageRequest,
}

impl SnapshotsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["Owner", "SnapshotId", "Filter", "MaxResults", "NextToken"])?;
        Ok(Self {
            owners: parameters.list("Owner"),
            snapshot_ids: parameters.list("SnapshotId"),
            filters: parameters.filters()?,
            page: PageRequest::parse(parameters, 5, 1000)?,
        })
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.filters.is_empty() && self.snapshot_ids.is_empty() && !self.page.is_paginated()
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for filter in &self.filters {
            if !is_filter(&filter.name) {
                return Err(invalid_filter(&filter.name));
            }
        }
        for id in &self.snapshot_ids {
            if world.snapshots.get(id).is_none_or(|found| found.region != context.region) {
                return Err(ApiError::bad_request(
                    "InvalidSnapshot.NotFound",
                    format!("The snapshot '{id}' does not exist."),
                ));
            }
        }
        let after = (Bound::Excluded(self.page.after(context)?), Bound::Unbounded);
        let snapshots = world
            .snapshots
            .range(after)
            .map(|(_, snapshot)| snapshot)
            .filter(|snapshot| snapshot.region == context.region && self.selects(world, snapshot))
            .map(|snapshot| (snapshot.id.clone(), snapshot));
        let page = self.page.cut(snapshots, context)?;
        Ok(response(context, |xml| {
            xml.list("snapshotSet", &page.items, |xml, snapshot| {
                xml.text("snapshotId", &snapshot.id);
                xml.text("ownerId", &snapshot.owner);
                xml.text("volumeId", &snapshot.id.replacen("snap-", "vol-", 1));
                xml.text("volumeSize", &snapshot.size_gib.to_string());
                xml.text("status", "completed");
                xml.text("progress", "100%");
                xml.text("startTime", &date_with_millis(snapshot.started_at));
                xml.boolean("encrypted", snapshot.encrypted);
                xml.text("storageTier", "standard");
                xml.text("description", &snapshot.description);
                xml.tags(&snapshot.tags);
            });
            page.write_token(xml);
        }))
    }

    fn selects(&self, world: &World, snapshot: &SnapshotRecord) -> bool {
        let owner_fits = |owner: &String| match owner.as_str() {
            "self" => snapshot.owner == world.account,
            other => snapshot.owner == other,
        };
        (self.owners.is_empty() || self.owners.iter().any(owner_fits))
            && (self.snapshot_ids.is_empty() || self.snapshot_ids.contains(&snapshot.id))
            && self.filters.iter().all(|filter| filter.matches(&filter_values(snapshot, &filter.name)))
    }
}

fn is_filter(name: &str) -> bool {
    name.starts_with("tag:")
        || [
            "description",
            "encrypted",
            "owner-id",
            "snapshot-id",
            "start-time",
            "status",
            "storage-tier",
            "tag-key",
            "volume-size",
        ]
        .contains(&name)
}

fn filter_values(snapshot: &SnapshotRecord, name: &str) -> Vec<String> {
    if let Some(key) = name.strip_prefix("tag:") {
        return snapshot.tags.get(key).into_iter().cloned().collect();
    }
    match name {
        "description" => vec![snapshot.description.clone()],
        "encrypted" => vec![snapshot.encrypted.to_string()],
        "owner-id" => vec![snapshot.owner.clone()],
        "snapshot-id" => vec![snapshot.id.clone()],
        "start-time" => vec![date_with_millis(snapshot.started_at)],
        "status" => vec!["completed".to_owned()],
        "storage-tier" => vec!["standard".to_owned()],
        "tag-key" => snapshot.tags.keys().cloned().collect(),
        "volume-size" => vec![snapshot.size_gib.to_string()],
        _ => Vec::new(),
    }
}
