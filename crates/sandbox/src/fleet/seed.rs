//! From a fleet to the world that it describes, or to the list of its problems.

mod accounts;
mod ec2_fleets;
mod retention;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::problems::Problems;
use super::{FLEET_SCHEMA, Fleet, FleetError, FleetImage, FleetSnapshot};
use crate::world::{
    ImageRecord, ImageState, InstanceRecord, LaunchTemplateRecord, RecycleBin, SnapshotRecord,
    TemplateVersionRecord, UsageReports, World, is_account, is_resource_id, round_to_minute,
};

/// The size of a snapshot whose first mention does not say it.
const SNAPSHOT_GIB: u32 = 8;
/// The tag by which images made by AWS Backup are known.
const BACKUP_TAG: &str = "aws:backup:source-resource";

/// Builds the world, collecting every problem on the way.
pub(super) fn world(fleet: &Fleet, now: Timestamp) -> Result<World, FleetError> {
    let mut seeding = Seeding::new(fleet, &fleet.account, now);
    seeding.head();
    seeding.accounts();
    seeding.computing();
    seeding.parameters();
    seeding.retention_rules();
    seeding.launch_configurations();
    seeding.auto_scaling_groups();
    seeding.image_recipes();
    seeding.foreign_uses();
    if let Some(describes) = fleet.usage_report_pending_describes {
        seeding.world.usage_reports.pending_describes = describes;
    }
    seeding.ec2_fleets();
    seeding.spot_fleet_requests();
    seeding.spot_instance_requests();
    // Regions are enabled, or not, for all of them alike.
    seeding.members();
    seeding.problems.into_result(seeding.world)
}

struct Seeding<'a> {
    fleet: &'a Fleet,
    /// The account that is seeded.
    account: &'a str,
    now: Timestamp,
    /// Image ids by Region and name.
    names: BTreeMap<(String, String), String>,
    /// The same of the account that others may share images with.
    names_elsewhere: BTreeMap<(String, String), String>,
    problems: Problems,
    world: World,
}

impl<'a> Seeding<'a> {
    fn new(fleet: &'a Fleet, account: &'a str, now: Timestamp) -> Self {
        Self {
            fleet,
            account,
            now,
            names: BTreeMap::new(),
            names_elsewhere: BTreeMap::new(),
            problems: Problems::default(),
            world: World {
                account: account.to_owned(),
                default_region: fleet.region.clone(),
                regions: fleet.regions.clone(),
                block_public_access: fleet.block_public_access,
                images: BTreeMap::new(),
                deregistered: BTreeMap::new(),
                snapshots: BTreeMap::new(),
                instances: BTreeMap::new(),
                launch_templates: BTreeMap::new(),
                ssm_parameters: BTreeMap::new(),
                retention_rules: BTreeMap::new(),
                auto_scaling_groups: BTreeMap::new(),
                launch_configurations: BTreeMap::new(),
                image_recipes: Vec::new(),
                foreign_uses: Vec::new(),
                usage_reports: UsageReports::default(),
                recycle_bin: RecycleBin::default(),
                ec2_fleets: BTreeMap::new(),
                spot_fleet_requests: BTreeMap::new(),
                spot_instance_requests: BTreeMap::new(),
                organization: BTreeMap::new(),
                members: BTreeMap::new(),
            },
        }
    }

    /// What can be in any of the accounts.
    fn computing(&mut self) {
        self.images();
        self.instances();
        self.launch_templates();
    }

    fn head(&mut self) {
        let fleet = self.fleet;
        if fleet.schema != FLEET_SCHEMA {
            self.problems.add(
                "schema",
                format!("version {} is unknown", fleet.schema),
                format!("Write {FLEET_SCHEMA}."),
            );
        }
        self.account("account", &fleet.account);
        for region in fleet.regions.iter().chain([&fleet.region]) {
            self.region("region", Some(region));
        }
        for (index, fault) in fleet.faults.iter().enumerate() {
            if let Some(message) = fault.problem() {
                self.problems.add(format!("faults[{index}]"), message, "Mend the fault, or leave it out.");
            }
        }
    }

    fn images(&mut self) {
        for (index, image) in self.fleet.images.iter().enumerate() {
            if !self.is_here(image.account.as_deref()) {
                continue;
            }
            let path = format!("images[{index}]");
            if image.name.is_empty() {
                self.problems.add(format!("{path}.name"), "the name is missing", "Give every image a name.");
            }
            let region = self.region(&format!("{path}.region"), image.region.as_deref());
            let owner = image.owner.clone().unwrap_or(self.account.to_owned());
            self.account(&format!("{path}.owner"), &owner);
            let id =
                self.id(&format!("{path}.id"), "ami-", image.id.as_ref(), &[&region, &owner, &image.name]);
            if image.first_seen_disabled.is_some() && image.state != ImageState::Disabled {
                self.problems.add(
                    format!("{path}.first_seen_disabled"),
                    format!("the image is {}", image.state.as_str()),
                    "Set the state to \"disabled\", or leave this out.",
                );
            }
            if image.state == ImageState::Disabled && !image.launch_permissions.is_empty() {
                self.problems.add(
                    format!("{path}.launch_permissions"),
                    "a disabled image has none",
                    "EC2 removes them when it disables an image; leave them out.",
                );
            }
            let snapshots = self.snapshots(&path, image, &id, &region);
            if self.names.insert((region.clone(), image.name.clone()), id.clone()).is_some() {
                self.problems.add(
                    format!("{path}.name"),
                    format!("`{}` is the name of another image in {region}", image.name),
                    "Names are unique in an account and Region.",
                );
            } else if self.world.images.contains_key(&id) {
                self.problems.add(
                    format!("{path}.id"),
                    format!("`{id}` is the id of another image"),
                    "Choose another id, or leave it out.",
                );
            }
            let record = image_record(image, id.clone(), region, owner, snapshots, self.now);
            self.world.images.insert(id, record);
        }
    }

    /// Creates the snapshots of one image, or finds those that other images share with it.
    fn snapshots(&mut self, path: &str, image: &FleetImage, image_id: &str, region: &str) -> Vec<String> {
        let implied =
            if image.root_device_type == "ebs" { vec![FleetSnapshot::default()] } else { Vec::new() };
        let listed = image.snapshots.as_ref().unwrap_or(&implied);
        let mut ids = Vec::new();
        for (index, snapshot) in listed.iter().enumerate() {
            let path = format!("{path}.snapshots[{index}]");
            let id = self.id(
                &format!("{path}.id"),
                "snap-",
                snapshot.id.as_ref(),
                &[image_id, &index.to_string()],
            );
            if let Some(known) = self.world.snapshots.get(&id) {
                let differs = snapshot.size_gib.is_some_and(|size| size != known.size_gib)
                    || snapshot.encrypted.is_some_and(|encrypted| encrypted != known.encrypted)
                    || snapshot.tags.as_ref().is_some_and(|tags| *tags != known.tags)
                    || known.region != region;
                if differs {
                    self.problems.add(
                        path,
                        format!("`{id}` differs from its first mention"),
                        "Say size, encryption and tags where a shared snapshot is first mentioned, and share it within one Region.",
                    );
                }
            } else {
                let record = SnapshotRecord {
                    id: id.clone(),
                    region: region.to_owned(),
                    owner: self.account.to_owned(),
                    size_gib: snapshot.size_gib.unwrap_or(SNAPSHOT_GIB),
                    encrypted: snapshot.encrypted.unwrap_or(false),
                    started_at: image.created.at(self.now),
                    description: format!("Created by CreateImage for {image_id}"),
                    tags: snapshot.tags.clone().unwrap_or_else(BTreeMap::new),
                };
                self.world.snapshots.insert(id.clone(), record);
            }
            ids.push(id);
        }
        ids
    }

    fn instances(&mut self) {
        for (index, instance) in self.fleet.instances.iter().enumerate() {
            if !self.is_here(instance.account.as_deref()) {
                continue;
            }
            let path = format!("instances[{index}]");
            let region = self.region(&format!("{path}.region"), instance.region.as_deref());
            let id = self.id(
                &format!("{path}.id"),
                "i-",
                instance.id.as_ref(),
                &[&region, &instance.image, &index.to_string()],
            );
            let image_id = self.image(&format!("{path}.image"), &region, &instance.image);
            let launched_at = self
                .world
                .images
                .get(&image_id)
                .and_then(|image| image.last_launched_at.or(Some(image.created_at)))
                .unwrap_or(self.now);
            let record = InstanceRecord {
                id: id.clone(),
                region,
                image_id,
                state: instance.state,
                launched_at,
                managed: instance.managed,
            };
            if self.world.instances.insert(id.clone(), record).is_some() {
                self.duplicate(&path, &id);
            }
        }
    }

    fn launch_templates(&mut self) {
        for (index, template) in self.fleet.launch_templates.iter().enumerate() {
            if !self.is_here(template.account.as_deref()) {
                continue;
            }
            let path = format!("launch_templates[{index}]");
            let region = self.region(&format!("{path}.region"), template.region.as_deref());
            let id = self.id(&format!("{path}.id"), "lt-", template.id.as_ref(), &[&region, &template.name]);
            let mut versions: Vec<TemplateVersionRecord> = Vec::new();
            for (at, version) in template.versions.iter().enumerate() {
                let image = version.image.as_ref().map(|image| {
                    if image.starts_with("resolve:") {
                        image.clone()
                    } else {
                        self.image(&format!("{path}.versions[{at}].image"), &region, image)
                    }
                });
                versions.push(TemplateVersionRecord { number: version.version, image });
            }
            versions.sort_by_key(|version| version.number);
            let numbers: BTreeSet<u64> = versions.iter().map(|version| version.number).collect();
            let default_version = template.default_version.or(numbers.first().copied());
            let default_version = default_version.unwrap_or(0);
            if numbers.len() != versions.len() || !numbers.contains(&default_version) {
                self.problems.add(
                    format!("{path}.versions"),
                    "versions repeat, or the default version is not among them",
                    "Number the versions 1, 2, … and name one of them as default_version.",
                );
            }
            let record = LaunchTemplateRecord {
                id: id.clone(),
                region,
                name: template.name.clone(),
                created_at: self.now,
                default_version,
                versions,
            };
            if self.world.launch_templates.insert(id.clone(), record).is_some() {
                self.duplicate(&path, &id);
            }
        }
    }

    fn parameters(&mut self) {
        let region = self.fleet.region.clone();
        for (name, image) in &self.fleet.ssm_parameters {
            let image_id = self.image(&format!("ssm_parameters[\"{name}\"]"), &region, image);
            self.world.ssm_parameters.insert(name.clone(), image_id);
        }
    }

    /// The id of an image that is mentioned by name or by id. An id may dangle, as it may in EC2.
    fn image(&mut self, path: &str, region: &str, mention: &str) -> String {
        let name = (region.to_owned(), mention.to_owned());
        if let Some(id) = self.names.get(&name).or_else(|| self.names_elsewhere.get(&name)) {
            return id.clone();
        }
        if !is_resource_id(mention, "ami-") {
            self.problems.add(
                path,
                format!("no image in {region} is named `{mention}`"),
                "Name an image of the fleet, or write an id (ami- and 8 or 17 hexadecimal digits).",
            );
        }
        mention.to_owned()
    }

    fn id(&mut self, path: &str, prefix: &str, given: Option<&String>, key: &[&str]) -> String {
        match given {
            Some(id) => {
                if !is_resource_id(id, prefix) {
                    self.problems.add(
                        path,
                        format!("`{id}` is not an id"),
                        format!("Write {prefix} and 8 or 17 hexadecimal digits, or leave it out."),
                    );
                }
                id.clone()
            }
            None => derived_id(prefix, key),
        }
    }

    fn region(&mut self, path: &str, region: Option<&str>) -> String {
        let region = region.unwrap_or(&self.fleet.region);
        let well_formed = region.len() >= 9
            && region.split('-').count() >= 3
            && region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !well_formed {
            self.problems.add(
                path,
                format!("`{region}` is not a Region"),
                "Write a Region such as us-east-1.",
            );
        }
        self.world.regions.insert(region.to_owned());
        region.to_owned()
    }

    fn account(&mut self, path: &str, account: &str) {
        if !is_account(account) {
            self.problems.add(
                path,
                format!("`{account}` is not an account"),
                "Write twelve digits, in quotes.",
            );
        }
    }

    fn duplicate(&mut self, path: &str, id: &str) {
        self.problems.add(
            format!("{path}.id"),
            format!("`{id}` appears twice"),
            "Choose another id or name.",
        );
    }
}

fn image_record(
    image: &FleetImage,
    id: String,
    region: String,
    owner: String,
    snapshots: Vec<String>,
    now: Timestamp,
) -> ImageRecord {
    let mut tags = image.tags.clone();
    if image.backup_managed {
        tags.entry(BACKUP_TAG.to_owned())
            .or_insert_with(|| format!("arn:aws:ec2:{region}:{owner}:instance/i-0123456789abcdef0"));
    }
    let windows = image.platform.as_deref() == Some("windows");
    ImageRecord {
        id,
        region,
        owner,
        owner_alias: image.owner_alias.clone(),
        name: image.name.clone(),
        description: image.description.clone(),
        created_at: image.created.at(now),
        last_launched_at: image.last_launched.map(|date| date.at(now)),
        state: image.state,
        architecture: image.architecture.clone(),
        platform: image.platform.clone(),
        platform_details: if windows { "Windows" } else { "Linux/UNIX" }.to_owned(),
        root_device_type: image.root_device_type.clone(),
        virtualization: image.virtualization.clone(),
        hypervisor: image.hypervisor.clone(),
        boot_mode: image.boot_mode.clone(),
        tpm_support: image.tpm_support.clone(),
        imds_support: image.imds_support.clone(),
        ena_support: image.ena_support,
        sriov_net_support: image.sriov_net_support.clone(),
        image_type: image.image_type.clone(),
        // EC2 has whole minutes only.
        deprecated_at: image.deprecated_at.map(|date| round_to_minute(date.at(now))),
        protection: image.protection.into(),
        tags,
        launch_permissions: image.launch_permissions.clone(),
        snapshots,
        product_codes: image.product_codes.clone(),
        source_image_id: image.source_image_id.clone(),
        source_region: image.source_region.clone(),
        source_instance_id: image.source_instance_id.clone(),
        backup_managed: image.backup_managed,
        first_seen_disabled: image.first_seen_disabled.map(|date| date.at(now)),
    }
}

/// A stable id of 17 hexadecimal digits: the same parts always give the same id (FNV-1a, then mixed).
fn derived_id(prefix: &str, parts: &[&str]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    format!("{prefix}0{hash:016x}")
}
