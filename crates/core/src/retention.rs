//! The Recycle Bin: which deregistered images and deleted snapshots it would hold, so that they can be restored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Image, Inventory, Snapshot, SnapshotFate};

/// What a retention rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetainedKind {
    /// Images that are backed by EBS.
    Image,
    /// EBS snapshots.
    Snapshot,
}

/// A retention rule that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRule {
    /// Its identifier.
    pub id: String,
    /// What it is about.
    pub kind: RetainedKind,
    /// How long it holds, in days.
    pub retention_days: u32,
    /// It holds what has one of these tags; everything in the Region where there are none. A tag without a value
    /// stands for any value.
    pub tags: Vec<(String, Option<String>)>,
    /// It does not hold what has one of these tags.
    pub exclude_tags: Vec<(String, Option<String>)>,
}

impl RetentionRule {
    /// Whether it holds something with these tags (EBS User Guide, "Recycle Bin retention rules").
    pub fn covers(&self, kind: RetainedKind, tags: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): &(String, Option<String>)| {
            tags.get(key).is_some_and(|held| value.as_ref().is_none_or(|value| value == held))
        };
        self.kind == kind
            && self.retention_days > 0
            && (self.tags.is_empty() || self.tags.iter().any(has))
            && !self.exclude_tags.iter().any(has)
    }
}

/// Whether an image could be restored after it has been deregistered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecycleBinCover {
    /// For so many days.
    Covered {
        /// The shortest retention of all that is needed to restore it.
        days: u32,
    },
    /// It could not, or it cannot be told; the text says why.
    NotCovered(String),
    /// The retention rules have not been read.
    RulesNotRead,
    /// The snapshots, whose tags decide, have not been read.
    SnapshotsNotRead,
}

/// Whether the Recycle Bin would hold `image`, and its snapshots where they are to be deleted with it.
pub fn recycle_bin_cover(inventory: &Inventory, image: &Image, fate: SnapshotFate) -> RecycleBinCover {
    let Some(rules) = &inventory.retention_rules else { return RecycleBinCover::RulesNotRead };
    if let Some(gap) = &rules.gap {
        return RecycleBinCover::NotCovered(format!("the Recycle Bin's rules could not all be read: {gap}"));
    }
    if image.root_device_type.as_deref() != Some("ebs") {
        return RecycleBinCover::NotCovered(
            "the Recycle Bin holds only images that are backed by EBS".to_owned(),
        );
    }
    let longest = |kind: RetainedKind, tags: &BTreeMap<String, String>| {
        rules.items.iter().filter(|rule| rule.covers(kind, tags)).map(|rule| rule.retention_days).max()
    };
    let Some(mut days) = longest(RetainedKind::Image, &image.tags) else {
        return RecycleBinCover::NotCovered("no retention rule of the Recycle Bin covers it".to_owned());
    };
    if fate == SnapshotFate::Keep {
        return RecycleBinCover::Covered { days };
    }
    let by_tag = rules.items.iter().any(|rule| {
        rule.kind == RetainedKind::Snapshot && !(rule.tags.is_empty() && rule.exclude_tags.is_empty())
    });
    if by_tag && !inventory.has_read_snapshots() {
        return RecycleBinCover::SnapshotsNotRead;
    }
    for id in image.snapshots() {
        let snapshot: Option<&Snapshot> = inventory.snapshots.get(id);
        let held = match snapshot {
            Some(snapshot) => longest(RetainedKind::Snapshot, &snapshot.tags),
            None if by_tag => None,
            None => longest(RetainedKind::Snapshot, &BTreeMap::new()),
        };
        let Some(held) = held else {
            return RecycleBinCover::NotCovered(format!(
                "no retention rule of the Recycle Bin covers its snapshot {id}, without which it cannot be restored"
            ));
        };
        days = days.min(held);
    }
    RecycleBinCover::Covered { days }
}
