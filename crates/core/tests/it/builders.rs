//! Short ways to say what a test is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amiwarden_core::{
    Action, ActionKind, Assembled, BlockDevice, CandidateUses, Circumstances, Decision,
    DeregistrationProtection, Facts, FamilyRule, Gap, Image, ImageId, ImageState, ImageUse, Inventory, Kept,
    Limits, LimitsOverride, Lineage, Listing, Memory, Mode, Opinion, Permanent, Plan, PlanRequest,
    PolicyName, PolicySettings, Proposal, Reading, Region, RuleRef, Scope, ScopeDraft, SnapshotId, Source,
    Timestamp, UseKind, Verdict, Wish, assemble, decide, derive_facts, draft_scope,
};

pub(crate) const DAY: i64 = 86_400;

pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn days_ago(days: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - days * DAY).unwrap()
}

pub(crate) fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: Region::new("us-east-1") }
}

/// An available, private image, created so many days ago.
pub(crate) fn image(id: &str, age_days: i64) -> Image {
    Image {
        id: ImageId::new(id),
        owner: scope().account,
        name: Some(format!("{id}-name")),
        description: None,
        location: None,
        owner_alias: None,
        state: ImageState::Available,
        created_at: Reading::Present(days_ago(age_days)),
        deprecated_at: Reading::Absent,
        last_launched_at: Reading::Absent,
        public: Reading::Present(false),
        protection: DeregistrationProtection::Off,
        tags: BTreeMap::new(),
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
        block_devices: vec![BlockDevice {
            snapshot: Some(SnapshotId::new(format!("snap-{id}"))),
            size_gib: Some(8),
            encrypted: Some(true),
        }],
        lineage: Lineage::default(),
        product_codes: Vec::new(),
    }
}

/// What a source says that is asked image by image.
pub(crate) fn answer(uses: Vec<ImageUse>, gap: Option<&str>) -> CandidateUses {
    CandidateUses { uses, gap: gap.map(Gap::new), as_of: now() }
}

pub(crate) fn disabled(mut image: Image) -> Image {
    image.state = ImageState::Disabled;
    image
}

pub(crate) fn tagged(mut image: Image, key: &str, value: &str) -> Image {
    image.tags.insert(key.to_owned(), value.to_owned());
    image
}

/// One scope with everything that planning looks at, and short ways to set it up.
pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) memory: Memory,
    pub(crate) limits: Limits,
    pub(crate) policies: BTreeMap<PolicyName, PolicySettings>,
    pub(crate) accepted: BTreeSet<(ImageId, ActionKind)>,
    pub(crate) circumstances: Circumstances,
    pub(crate) verdicts: BTreeMap<ImageId, Vec<Verdict>>,
}

impl World {
    /// A world with complete sources, no uses, and limits wide enough that none of them is met.
    pub(crate) fn new(images: impl IntoIterator<Item = Image>) -> Self {
        let mut inventory = Inventory::new(scope(), now());
        inventory.add_images(Listing::complete(images.into_iter().collect()));
        for source in Source::USAGE {
            inventory.add_uses(source, Listing::complete(Vec::new()), now());
        }
        let nothing = |id: &ImageId| (id.clone(), answer(Vec::new(), None));
        let references = inventory.images.keys().map(nothing).collect();
        inventory.add_candidate_uses(Source::ImageReferences, references);
        let limits = Limits {
            disable_per_cycle: 1000,
            deregister_per_cycle: 1000,
            other_per_cycle: 1000,
            share_percent: 100,
            surge_percent: 100,
            permanent: Permanent::Allow,
            ..Limits::default()
        };
        let settings = PolicySettings { mode: Mode::Enforce, limits: LimitsOverride::default() };
        let policies = ["p", "q"].map(|name| (PolicyName::new(name), settings.clone()));
        Self {
            inventory,
            memory: Memory::default(),
            limits,
            policies: policies.into(),
            accepted: BTreeSet::new(),
            circumstances: Circumstances::default(),
            verdicts: BTreeMap::new(),
        }
    }

    /// Long known to be disabled.
    pub(crate) fn seen_disabled(mut self, id: &str, days: i64) -> Self {
        self.memory.first_seen_disabled.insert(ImageId::new(id), days_ago(days));
        self
    }

    pub(crate) fn used(mut self, id: &str) -> Self {
        let image_use = ImageUse {
            image: ImageId::new(id),
            kind: UseKind::Instance,
            id: "i-1".to_owned(),
            account: scope().account,
        };
        self.inventory.add_uses(Source::Instances, Listing::complete(vec![image_use]), now());
        self
    }

    pub(crate) fn asks(mut self, id: &str, verdict: Verdict) -> Self {
        self.verdicts.entry(ImageId::new(id)).or_default().push(verdict);
        self
    }

    /// Policy `p` asks for this action on every image.
    pub(crate) fn asks_for_all(mut self, action: &Action) -> Self {
        for id in self.inventory.images.keys() {
            self.verdicts.entry(id.clone()).or_default().push(act("p", action.clone()));
        }
        self
    }

    pub(crate) fn facts(&self) -> BTreeMap<ImageId, Arc<Facts>> {
        let rule = FamilyRule::new(Some("Family".to_owned()), None).unwrap();
        derive_facts(&self.inventory, &self.memory, &rule, now())
    }

    pub(crate) fn decisions(&self) -> Vec<Decision> {
        let facts = self.facts();
        facts
            .iter()
            .map(|(id, facts)| {
                let verdicts = self.verdicts.get(id).cloned().unwrap_or_default();
                decide(facts, verdicts, &self.policies)
            })
            .collect()
    }

    pub(crate) fn draft(&self) -> ScopeDraft {
        let (facts, decisions) = (self.facts(), self.decisions());
        draft_scope(&PlanRequest {
            inventory: &self.inventory,
            facts: &facts,
            decisions: &decisions,
            circumstances: &self.circumstances,
            limits: &self.limits,
            policies: &self.policies,
            accepted: &self.accepted,
        })
    }

    pub(crate) fn assembled(&self) -> Assembled {
        assemble(vec![self.draft()], &self.limits, &self.policies)
    }

    pub(crate) fn plan(&self) -> (Plan, Vec<Kept>) {
        let Assembled { plan, kept, .. } = self.assembled();
        (plan, kept)
    }

    /// The plan in short: `image action` of each step.
    pub(crate) fn steps(&self) -> Vec<String> {
        let steps = self.plan().0.steps;
        steps.iter().map(|step| format!("{} {}", step.image_id, step.change.kind())).collect()
    }

    /// What is held in short: `image action guard`.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = self.plan().0.held;
        held.iter().map(|held| format!("{} {} {}", held.image_id, held.change.kind(), held.guard)).collect()
    }
}

pub(crate) fn verdict(policy: &str, opinion: Opinion) -> Verdict {
    Verdict { policy: PolicyName::new(policy), opinion, facts_read: Vec::new() }
}

pub(crate) fn wish(policy: &str, wish: Wish) -> Verdict {
    let rule = RuleRef { name: "rule".to_owned(), line: 1 };
    let proposals = vec![Proposal { wish, reason: format!("{policy} says so") }];
    verdict(policy, Opinion::Matched { rule, proposals })
}

pub(crate) fn act(policy: &str, action: Action) -> Verdict {
    wish(policy, Wish::Act(action))
}
