//! Large plausible fleets for benchmarks and load tests.

use super::random::Random;
use super::{
    Fleet, FleetDate, FleetImage, FleetInstance, FleetSnapshot, FleetTemplate, FleetTemplateVersion,
};
use crate::world::{ImageState, InstanceState, LaunchPermission};

const PRODUCTS: [&str; 12] = [
    "billing", "catalog", "checkout", "identity", "ingest", "ledger", "mail", "orders", "payments", "search",
    "shipping", "web",
];
const ROLES: [&str; 8] = ["api", "batch", "cache", "db", "gateway", "runner", "worker", "base"];
const TEAMS: [&str; 5] = ["core", "data", "growth", "platform", "security"];
const DAYS: u64 = 3 * 365;

/// How many images a family has on average.
const FAMILY_SIZE: usize = 25;

pub(super) fn fleet(images: usize, seed: u64) -> Fleet {
    let mut random = Random::new(seed);
    let families = images.div_ceil(FAMILY_SIZE);
    let mut fleet = Fleet::empty("111122223333", "us-east-1");
    for index in 0..images {
        let image = image(index, families, &mut random);
        // The last image of a family is its newest: some of those are in use.
        let newest = index + families >= images;
        if newest && random.percent(40) {
            fleet.instances.push(instance(&image, &mut random));
        }
        if newest && random.percent(30) {
            fleet.launch_templates.push(template(&image));
        }
        fleet.images.push(image);
    }
    fleet
}

fn family_name(family: usize) -> String {
    let product = PRODUCTS[family % PRODUCTS.len()];
    let role = ROLES[family / PRODUCTS.len() % ROLES.len()];
    match family / (PRODUCTS.len() * ROLES.len()) {
        0 => format!("{product}-{role}"),
        series => format!("{product}-{role}-s{series}"),
    }
}

fn image(index: usize, families: usize, random: &mut Random) -> FleetImage {
    let (family, build) = (index % families.max(1), index / families.max(1));
    let name = format!("{}-{build:05}", family_name(family));
    // Builds of a family follow each other at even distances, the last being recent.
    let step = DAYS / (FAMILY_SIZE as u64 + 1);
    let nth_from_newest = (FAMILY_SIZE - 1).saturating_sub(build) as u64;
    let age_days = (nth_from_newest * step + random.below(step)).min(DAYS);
    let mut image = FleetImage {
        created: days_ago(age_days),
        architecture: if random.percent(30) { "arm64" } else { "x86_64" }.to_owned(),
        imds_support: random.percent(50).then(|| "v2.0".to_owned()),
        boot_mode: Some("uefi-preferred".to_owned()),
        ..FleetImage::new(&name)
    };
    if random.percent(80) {
        let launched = random.below(age_days + 1);
        image.last_launched = Some(days_ago(launched));
    }
    if random.percent(70) {
        let team = random.pick(&TEAMS);
        image.tags.insert("Owner".to_owned(), team.to_owned());
    }
    image.tags.insert("Family".to_owned(), family_name(family));
    image.snapshots = Some(vec![FleetSnapshot {
        id: None,
        size_gib: Some(8 << random.below(4)),
        encrypted: Some(random.percent(60)),
        tags: None,
    }]);
    if random.percent(10) {
        image.state = ImageState::Disabled;
        image.first_seen_disabled = Some(days_ago(random.below(age_days.min(60) + 1)));
    } else if random.percent(5) {
        let account = format!("{:012}", 444_400_000_000_u64 + random.below(40));
        image.launch_permissions.insert(LaunchPermission::Account(account));
    } else if random.percent(1) {
        image.launch_permissions.insert(LaunchPermission::All);
    }
    image
}

fn instance(image: &FleetImage, random: &mut Random) -> FleetInstance {
    FleetInstance {
        id: None,
        image: image.name.clone(),
        state: if random.percent(80) { InstanceState::Running } else { InstanceState::Stopped },
        managed: random.percent(5),
        region: None,
        account: None,
    }
}

fn template(image: &FleetImage) -> FleetTemplate {
    FleetTemplate {
        id: None,
        name: format!("{}-template", image.name),
        region: None,
        account: None,
        default_version: None,
        versions: vec![FleetTemplateVersion { version: 1, image: Some(image.name.clone()) }],
    }
}

fn days_ago(days: u64) -> FleetDate {
    FleetDate::days_ago(i64::try_from(days).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::fleet;
    use crate::world::ImageState;

    #[test]
    fn generated_fleets_are_valid_stable_and_of_the_promised_mix() {
        let first = fleet(4_000, 7);
        assert_eq!(first, fleet(4_000, 7));
        assert_ne!(first, fleet(4_000, 8));
        let world = first.to_world("2026-11-20T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(world.images.len(), 4_000);
        let share = |count: usize| count * 1000 / 4_000;
        let disabled = world.images.values().filter(|image| image.state == ImageState::Disabled).count();
        let public = world.images.values().filter(|image| image.is_public()).count();
        let granted = world.images.values().filter(|image| !image.launch_permissions.is_empty()).count();
        assert!((80..=120).contains(&share(disabled)), "{disabled} disabled");
        assert!((4..=15).contains(&share(public)), "{public} public");
        assert!((35..=75).contains(&share(granted)), "{granted} granted");
        assert!(!world.instances.is_empty() && !world.launch_templates.is_empty());
    }

    #[test]
    fn small_fleets_are_possible() {
        assert!(fleet(0, 1).images.is_empty());
        assert_eq!(fleet(1, 1).images.len(), 1);
    }
}
