//! How many times a second one core can ask a policy about an image.
//!
//! 100,000 images of a typical account and the shipped policies, everything fetched: the worst case, because no
//! policy stops at a fact that is not there yet.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark is no interface, and stops where it cannot go on"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use amiwarden_core::{
    BlockDevice, DeregistrationProtection, Evaluation, Facts, FamilyRule, Image, ImageId, ImageState,
    Inventory, Lineage, Listing, Memory, PolicyName, Reading, Region, Scope, SnapshotId, Source, StorageTier,
    Timestamp, derive_facts,
};
use amiwarden_policy::{EngineLimits, Modules, ParamValue, Policy, PolicySet, PolicySource};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const IMAGES: u32 = 100_000;

fn shipped() -> PolicySet {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut sources: Vec<PolicySource> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rhai"))
        .map(|path| PolicySource {
            name: PolicyName::new(path.file_stem().unwrap().to_str().unwrap()),
            origin: path.display().to_string(),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .collect();
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    let known = ParamValue::List(vec![ParamValue::Text("444455556666".to_owned())]);
    let params = BTreeMap::from([(
        PolicyName::new("unshare-unknown-accounts"),
        BTreeMap::from([("known_accounts".to_owned(), known)]),
    )]);
    PolicySet::compile(sources, &Modules::Directory(dir), &params, &EngineLimits::default()).unwrap()
}

/// Ten images a family, a tenth disabled, a tenth public, a twentieth shared, a third with an owner.
fn account() -> BTreeMap<ImageId, Arc<Facts>> {
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
    let scope = Scope { account: "111122223333".parse().unwrap(), region: Region::new("us-east-1") };
    let mut inventory = Inventory::new(scope.clone(), now);
    let images: Vec<Image> = (0..IMAGES).map(|number| image(number, &scope, now)).collect();
    for image in &images {
        let shared = image.id.as_str().ends_with("00");
        let grants = if shared { vec!["777788889999".parse().unwrap()] } else { Vec::new() };
        inventory.launch_permissions.insert(image.id.clone(), Ok(grants.into_iter().collect()));
    }
    let snapshots = images.iter().map(|image| amiwarden_core::Snapshot {
        id: image.block_devices[0].snapshot.clone().unwrap(),
        volume_size_gib: Some(8),
        full_size_bytes: None,
        tier: StorageTier::Standard,
        tags: BTreeMap::new(),
    });
    inventory.add_snapshots(Listing::complete(snapshots.collect()));
    inventory.add_images(Listing::complete(images));
    for source in Source::USAGE {
        inventory.add_uses(source, Listing::complete(Vec::new()), now);
    }
    let families = FamilyRule::new(None, Some(r"^(?<family>.+?)-\d")).unwrap();
    derive_facts(&inventory, &Memory::default(), &families, now)
}

fn image(number: u32, scope: &Scope, now: Timestamp) -> Image {
    let age_days = i64::from(number % 400);
    let mut tags = BTreeMap::from([("Env".to_owned(), "dev".to_owned())]);
    if number.is_multiple_of(3) {
        tags.insert("Owner".to_owned(), "web".to_owned());
    }
    Image {
        id: ImageId::new(format!("ami-{number:017}")),
        owner: scope.account.clone(),
        name: Some(format!("service{}-{number}", number / 10)),
        description: None,
        location: None,
        owner_alias: None,
        state: if number % 10 == 3 { ImageState::Disabled } else { ImageState::Available },
        created_at: Reading::Present(Timestamp::from_second(now.as_second() - age_days * 86_400).unwrap()),
        deprecated_at: Reading::Absent,
        last_launched_at: Reading::Absent,
        public: Reading::Present(number % 10 == 4),
        protection: DeregistrationProtection::Off,
        tags,
        architecture: Some("x86_64".to_owned()),
        platform: None,
        virtualization: Some("hvm".to_owned()),
        root_device_type: Some("ebs".to_owned()),
        boot_mode: None,
        tpm_support: None,
        imds_support: number.is_multiple_of(2).then(|| "v2.0".to_owned()),
        ena_support: Some(true),
        sriov_net_support: None,
        hypervisor: Some("xen".to_owned()),
        image_type: Some("machine".to_owned()),
        block_devices: vec![BlockDevice {
            snapshot: Some(SnapshotId::new(format!("snap-{number:017}"))),
            size_gib: Some(8),
            encrypted: Some(true),
        }],
        lineage: Lineage::default(),
        product_codes: Vec::new(),
    }
}

fn ask(policy: &Policy, facts: &BTreeMap<ImageId, Arc<Facts>>) -> usize {
    let mut evaluator = policy.evaluator(facts);
    let verdicts = facts.values().map(|facts| match evaluator.evaluate(facts) {
        Evaluation::Verdict(verdict) => black_box(verdict).facts_read.len(),
        Evaluation::Suspended(need) => panic!("{need}"),
    });
    verdicts.sum()
}

fn evaluate(criterion: &mut Criterion) {
    let set = shipped();
    let facts = account();
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10);
    let policies = u64::try_from(set.policies().len()).unwrap();
    group.throughput(Throughput::Elements(u64::from(IMAGES) * policies));
    group.bench_function("all shipped policies, 100,000 images", |bencher| {
        bencher.iter(|| set.policies().iter().map(|policy| ask(policy, &facts)).sum::<usize>());
    });
    group.throughput(Throughput::Elements(u64::from(IMAGES)));
    for policy in set.policies() {
        group.bench_function(policy.name().as_str(), |bencher| bencher.iter(|| ask(policy, &facts)));
    }
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
