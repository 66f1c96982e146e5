//! Retention rules of the Recycle Bin in a fleet file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::ResourceKind;

/// One retention rule, in force from the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetRetentionRule {
    /// Eleven letters and digits; derived from Region and position where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What it holds: `image` or `snapshot`.
    pub resource: ResourceKind,
    /// For how many days, from 1 to 365.
    pub retention_days: u32,
    /// Tags of which a resource must have one, `null` standing for any value. None at all: every resource
    /// of the Region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
    /// Tags that keep a resource out, `null` standing for any value. Not together with `tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exclude_tags: BTreeMap<String, Option<String>>,
}

impl FleetRetentionRule {
    /// A rule for every resource of a kind in the default Region.
    pub fn new(resource: ResourceKind, retention_days: u32) -> Self {
        Self {
            id: None,
            region: None,
            resource,
            retention_days,
            tags: BTreeMap::new(),
            exclude_tags: BTreeMap::new(),
        }
    }
}
