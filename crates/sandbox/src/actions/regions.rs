//! `DescribeRegions`.

use super::{Context, response};
use crate::protocol::{ApiError, Parameters};
use crate::world::World;

/// The parameters of `DescribeRegions`. The world holds enabled Regions only, so `AllRegions` adds none.
#[derive(Debug)]
pub(crate) struct RegionsQuery {
    names: Vec<String>,
}

impl RegionsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["RegionName", "AllRegions"])?;
        parameters.flag("AllRegions")?;
        Ok(Self { names: parameters.list("RegionName") })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> String {
        let wanted =
            world.regions.iter().filter(|region| self.names.is_empty() || self.names.contains(region));
        response(context, |xml| {
            xml.list("regionInfo", wanted, |xml, region| {
                xml.text("regionName", region);
                xml.text("regionEndpoint", &format!("ec2.{region}.amazonaws.com"));
                xml.text("optInStatus", "opt-in-not-required");
            });
        })
    }
}
