//! EC2 Fleets, Spot Fleet requests and Spot Instance requests in a fleet file.

use serde::{Deserialize, Serialize};

use super::FleetMixedInstances;
use crate::world::{Ec2FleetKind, Ec2FleetState, SpotFleetRequestState, SpotInstanceRequestState};

/// One EC2 Fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetEc2Fleet {
    /// Derived from Region and position where it is not given.
    pub id: Option<String>,
    /// Its Region.
    pub region: Option<String>,
    /// How it asks for its capacity: `maintain` where nothing is said.
    #[serde(rename = "type")]
    pub kind: Ec2FleetKind,
    /// Its state: `active` where nothing is said.
    pub state: Ec2FleetState,
    /// What it launches. Overrides have no launch template of their own here.
    pub launch_templates: Vec<FleetMixedInstances>,
}

/// One Spot Fleet request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetSpotFleetRequest {
    /// Derived from Region and position where it is not given.
    pub id: Option<String>,
    /// Its Region.
    pub region: Option<String>,
    /// Its state: `active` where nothing is said.
    pub state: SpotFleetRequestState,
    /// Name or id of the image of each launch specification. An id may name an image that is gone.
    pub images: Vec<String>,
    /// Launch templates, in place of launch specifications. Their overrides have no image and
    /// no launch template of their own.
    pub launch_templates: Vec<FleetMixedInstances>,
}

/// One Spot Instance request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSpotInstanceRequest {
    /// Derived from Region and position where it is not given.
    #[serde(default)]
    pub id: Option<String>,
    /// Its Region.
    #[serde(default)]
    pub region: Option<String>,
    /// Its state: `open` where nothing is said.
    #[serde(default)]
    pub state: SpotInstanceRequestState,
    /// Name or id of the image that it launches. An id may name an image that is gone.
    pub image: String,
}
