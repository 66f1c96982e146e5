//! How long it takes to decide on 100,000 images and to plan for them.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;

use amiwarden_core::{
    Action, Circumstances, Decision, DeregistrationProtection, Facts, FamilyRule, Image, ImageId, ImageState,
    Inventory, Limits, LimitsOverride, Lineage, Listing, Memory, Mode, Opinion, PlanRequest, PolicyName,
    PolicySettings, Proposal, Reading, Region, RuleRef, Scope, Source, Timestamp, Verdict, Wish, assemble,
    decide, derive_facts, draft_scope,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const IMAGES: i64 = 100_000;
const NOW: i64 = 1_780_000_000;

fn image(n: i64, scope: &Scope, now: Timestamp) -> Image {
    let age = 86_400 * (n % 1000);
    Image {
        id: ImageId::new(format!("ami-{n:017x}")),
        owner: scope.account.clone(),
        name: Some(format!("family{}-{n}", n % 500)),
        description: Some("built by the pipeline".to_owned()),
        location: None,
        owner_alias: None,
        state: if n % 10 == 0 { ImageState::Disabled } else { ImageState::Available },
        created_at: Timestamp::from_second(now.as_second() - age).map_or(Reading::Absent, Reading::Present),
        deprecated_at: Reading::Absent,
        last_launched_at: Reading::Absent,
        public: Reading::Present(false),
        protection: DeregistrationProtection::Off,
        tags: BTreeMap::from([("Owner".to_owned(), format!("team{}", n % 40))]),
        architecture: Some("x86_64".to_owned()),
        platform: None,
        virtualization: Some("hvm".to_owned()),
        root_device_type: Some("ebs".to_owned()),
        boot_mode: None,
        tpm_support: None,
        imds_support: None,
        ena_support: Some(true),
        sriov_net_support: None,
        hypervisor: Some("xen".to_owned()),
        image_type: Some("machine".to_owned()),
        block_devices: Vec::new(),
        lineage: Lineage::default(),
        product_codes: Vec::new(),
    }
}

fn verdicts(facts: &Facts) -> Vec<Verdict> {
    let is_stale = facts.age.known().is_some_and(|age| age.as_seconds() > 90 * 86_400);
    let opinion = if is_stale {
        Opinion::Matched {
            rule: RuleRef { name: "stale".to_owned(), line: 9 },
            proposals: vec![Proposal { wish: Wish::Act(Action::Disable), reason: "no launch".to_owned() }],
        }
    } else {
        Opinion::None
    };
    let verdict =
        |policy: &str, opinion| Verdict { policy: PolicyName::new(policy), opinion, facts_read: Vec::new() };
    vec![verdict("retire", opinion), verdict("other", Opinion::None)]
}

fn plan(criterion: &mut Criterion) {
    let Ok(account) = "111122223333".parse() else { return };
    let Ok(now) = Timestamp::from_second(NOW) else { return };
    let Ok(families) = FamilyRule::new(None, Some(r"^(?<family>.+?)-\d")) else { return };
    let scope = Scope { account, region: Region::new("us-east-1") };
    let mut inventory = Inventory::new(scope.clone(), now);
    inventory.add_images(Listing::complete((0..IMAGES).map(|n| image(n, &scope, now)).collect()));
    for source in Source::USAGE {
        inventory.add_uses(source, Listing::complete(Vec::new()), now);
    }
    let memory = Memory::default();
    let facts = derive_facts(&inventory, &memory, &families, now);
    let limits = Limits { surge_percent: 100, ..Limits::default() };
    let settings = PolicySettings { mode: Mode::Enforce, limits: LimitsOverride::default() };
    let policies = BTreeMap::from([(PolicyName::new("retire"), settings)]);

    let mut group = criterion.benchmark_group("100,000 images");
    group.sample_size(10).throughput(Throughput::Elements(IMAGES.unsigned_abs()));
    group.bench_function("derive facts", |bencher| {
        bencher.iter(|| black_box(derive_facts(&inventory, &memory, &families, now)));
    });
    let decide_all = |facts: &BTreeMap<ImageId, Arc<Facts>>| -> Vec<Decision> {
        facts.values().map(|facts| decide(facts, verdicts(facts), &policies)).collect()
    };
    group.bench_function("decide", |bencher| bencher.iter(|| black_box(decide_all(&facts))));
    let decisions = decide_all(&facts);
    let accepted = BTreeSet::new();
    group.bench_function("plan", |bencher| {
        bencher.iter(|| {
            let draft = draft_scope(&PlanRequest {
                inventory: &inventory,
                facts: &facts,
                decisions: &decisions,
                circumstances: &Circumstances::default(),
                limits: &limits,
                policies: &policies,
                accepted: &accepted,
            });
            black_box(assemble(vec![draft], &limits, &policies))
        });
    });
    group.finish();
}

criterion_group!(benches, plan);
criterion_main!(benches);
