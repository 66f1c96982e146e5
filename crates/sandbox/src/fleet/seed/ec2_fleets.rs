//! Seeding of EC2 Fleets, Spot Fleet requests and Spot Instance requests.

use super::{Seeding, derived_id};
use crate::fleet::FleetMixedInstances;
use crate::world::{Ec2FleetRecord, SpotFleetRequestRecord, SpotInstanceRequestRecord, TemplateUseRecord};

/// How many letters and digits follow `sir-`.
const SPOT_REQUEST_CHARS: usize = 8;

impl Seeding<'_> {
    pub(super) fn ec2_fleets(&mut self) {
        for (index, fleet) in self.fleet.ec2_fleets.iter().enumerate() {
            let path = format!("ec2_fleets[{index}]");
            let region = self.region(&format!("{path}.region"), fleet.region.as_deref());
            let id = self.uuid(&path, "fleet-", fleet.id.as_ref(), &[&region, &index.to_string()]);
            let templates = self.template_uses(&path, &region, &fleet.launch_templates);
            let record = Ec2FleetRecord {
                id: id.clone(),
                region,
                state: fleet.state,
                kind: fleet.kind,
                created_at: self.now,
                templates,
            };
            if self.world.ec2_fleets.insert(id.clone(), record).is_some() {
                self.duplicate(&path, &id);
            }
        }
    }

    pub(super) fn spot_fleet_requests(&mut self) {
        for (index, request) in self.fleet.spot_fleet_requests.iter().enumerate() {
            let path = format!("spot_fleet_requests[{index}]");
            let region = self.region(&format!("{path}.region"), request.region.as_deref());
            let id = self.uuid(&path, "sfr-", request.id.as_ref(), &[&region, &index.to_string()]);
            let mentions = request.images.iter().enumerate();
            let images = mentions
                .map(|(at, image)| self.image(&format!("{path}.images[{at}]"), &region, image))
                .collect();
            let templates = self.template_uses(&path, &region, &request.launch_templates);
            if templates.iter().flat_map(|used| &used.overrides).any(|replaced| replaced.image.is_some()) {
                self.problems.add(
                    format!("{path}.launch_templates"),
                    "a Spot Fleet request cannot override the image of a launch template",
                    "Leave the image out of the overrides, or write an entry of ec2_fleets.",
                );
            }
            let record = SpotFleetRequestRecord {
                id: id.clone(),
                region,
                state: request.state,
                created_at: self.now,
                images,
                templates,
            };
            if self.world.spot_fleet_requests.insert(id.clone(), record).is_some() {
                self.duplicate(&path, &id);
            }
        }
    }

    pub(super) fn spot_instance_requests(&mut self) {
        for (index, request) in self.fleet.spot_instance_requests.iter().enumerate() {
            let path = format!("spot_instance_requests[{index}]");
            let region = self.region(&format!("{path}.region"), request.region.as_deref());
            let id = request.id.clone().unwrap_or_else(|| {
                let derived = derived_id("", &["spot request", &region, &index.to_string()]);
                format!("sir-{}", &derived[derived.len() - SPOT_REQUEST_CHARS..])
            });
            let well_formed = id.strip_prefix("sir-").is_some_and(|rest| {
                rest.len() == SPOT_REQUEST_CHARS && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
            if !well_formed {
                self.problems.add(
                    format!("{path}.id"),
                    format!("`{id}` is not the id of a Spot Instance request"),
                    "Write sir- and eight letters and digits, or leave it out.",
                );
            }
            let image_id = self.image(&format!("{path}.image"), &region, &request.image);
            let record = SpotInstanceRequestRecord {
                id: id.clone(),
                region,
                state: request.state,
                created_at: self.now,
                image_id,
            };
            if self.world.spot_instance_requests.insert(id.clone(), record).is_some() {
                self.duplicate(&path, &id);
            }
        }
    }

    fn template_uses(
        &mut self,
        path: &str,
        region: &str,
        uses: &[FleetMixedInstances],
    ) -> Vec<TemplateUseRecord> {
        let mut records = Vec::new();
        for (index, used) in uses.iter().enumerate() {
            let path = format!("{path}.launch_templates[{index}]");
            let (template, overrides) = self.template_with_overrides(&path, region, used);
            if overrides.iter().any(|replaced| replaced.template.is_some()) {
                self.problems.add(
                    format!("{path}.overrides"),
                    "a fleet cannot override the launch template itself",
                    "Leave the launch template out of the overrides, or add another entry.",
                );
            }
            records.push(TemplateUseRecord { template, overrides });
        }
        records
    }

    /// The id of a fleet: a prefix and a UUID.
    fn uuid(&mut self, path: &str, prefix: &str, given: Option<&String>, key: &[&str]) -> String {
        let Some(id) = given else {
            let digits = derived_id("", &[&[prefix], key].concat()) + &derived_id("", key);
            let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32]];
            return format!("{prefix}{}", groups.join("-"));
        };
        let well_formed = id.strip_prefix(prefix).is_some_and(|rest| {
            let groups: Vec<usize> = rest.split('-').map(str::len).collect();
            groups == [8, 4, 4, 4, 12]
                && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
        });
        if !well_formed {
            self.problems.add(
                format!("{path}.id"),
                format!("`{id}` is not an id"),
                format!("Write {prefix} and a UUID in lower case, or leave it out."),
            );
        }
        id.clone()
    }
}
