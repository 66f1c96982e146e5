//! Short ways to say what a test is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use amiwarden_core::{
    BlockDevice, Cost, DeregistrationProtection, Duration, Evaluation, Fact, Facts, FailureKind, FamilyPlace,
    Image, ImageId, ImageState, ImageUse, LaunchPermission, Lineage, Opinion, PolicyFailure, PolicyName,
    Proposal, Reading, Region, Scope, SnapshotId, Timestamp, UseKind, Verdict, Wish,
};
use amiwarden_policy::{
    CompilePoliciesError, EngineLimits, Modules, ParamValue, Policy, PolicySet, PolicySource,
};

pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn days(days: i64) -> Duration {
    Duration::from_days(days)
}

pub(crate) fn days_ago(count: i64) -> Timestamp {
    days(count).before(now()).unwrap()
}

/// Facts of one image, everything known.
#[derive(Clone)]
pub(crate) struct FactsBuilder(pub(crate) Facts);

/// An available, private, unused image, created and last launched so many days ago.
pub(crate) fn image(age: i64) -> FactsBuilder {
    let account: amiwarden_core::AccountId = "111122223333".parse().unwrap();
    let created_at = days_ago(age);
    let image = Image {
        id: ImageId::new(format!("ami-{age:08}")),
        owner: account.clone(),
        name: Some(format!("web-{age}")),
        description: None,
        location: None,
        owner_alias: None,
        state: ImageState::Available,
        created_at: Reading::Present(created_at),
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
            snapshot: Some(SnapshotId::new("snap-1")),
            size_gib: Some(8),
            encrypted: Some(true),
        }],
        lineage: Lineage::default(),
        product_codes: Vec::new(),
    };
    FactsBuilder(Facts {
        image: Arc::new(image),
        scope: Scope { account, region: Region::new("eu-west-1") },
        now: now(),
        family: None,
        created_at: Fact::Known(created_at),
        age: Fact::Known(days(age)),
        deprecated_at: Fact::Known(None),
        is_deprecated: Fact::Known(false),
        last_launched_at: Fact::Known(None),
        unused_for: Fact::Known(days(age)),
        disabled_at: Fact::Known(None),
        disabled_for: Fact::Known(None),
        is_public: Fact::Known(false),
        launch_permissions: Fact::Known([].into()),
        in_use: Fact::Known(false),
        used_by: Fact::Known(Vec::new()),
        size_gib: Fact::Known(8),
        is_encrypted: Fact::Known(true),
        monthly_cost: Fact::Known(Cost { micro_usd: 400_000 }),
    })
}

impl FactsBuilder {
    pub(crate) fn image(mut self, change: impl FnOnce(&mut Image)) -> Self {
        change(Arc::make_mut(&mut self.0.image));
        self
    }

    pub(crate) fn facts(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn id(self, id: &str) -> Self {
        self.image(|image| image.id = ImageId::new(id))
    }

    pub(crate) fn tag(self, key: &str, value: &str) -> Self {
        self.image(|image| {
            image.tags.insert(key.to_owned(), value.to_owned());
        })
    }

    pub(crate) fn disabled_for(self, count: i64) -> Self {
        self.image(|image| image.state = ImageState::Disabled).facts(|facts| {
            facts.disabled_at = Fact::Known(Some(days_ago(count)));
            facts.disabled_for = Fact::Known(Some(days(count)));
        })
    }

    pub(crate) fn in_family(self, name: &str, rank: u32, size: u32) -> Self {
        self.facts(|facts| {
            facts.family = Some(FamilyPlace { name: name.to_owned(), rank: Fact::Known(rank), size });
        })
    }

    pub(crate) fn shared_with(self, grants: &[&str]) -> Self {
        let grants = grants.iter().map(|grant| grant.parse::<LaunchPermission>().unwrap()).collect();
        self.facts(|facts| facts.launch_permissions = Fact::Known(grants))
    }

    pub(crate) fn used(self) -> Self {
        self.facts(|facts| {
            facts.in_use = Fact::Known(true);
            facts.used_by = Fact::Known(vec![ImageUse {
                image: facts.image.id.clone(),
                kind: UseKind::Instance,
                id: "i-1".to_owned(),
                account: facts.scope.account.clone(),
            }]);
        })
    }

    pub(crate) fn build(self) -> Arc<Facts> {
        Arc::new(self.0)
    }
}

pub(crate) type Params = BTreeMap<String, ParamValue>;

pub(crate) fn compile_with(
    text: &str,
    modules: &Modules,
    params: Params,
    limits: &EngineLimits,
) -> Result<PolicySet, CompilePoliciesError> {
    let source = PolicySource {
        name: PolicyName::new("p"),
        origin: "policies/p.rhai".to_owned(),
        text: text.to_owned(),
    };
    let params = BTreeMap::from([(PolicyName::new("p"), params)]);
    PolicySet::compile(vec![source], modules, &params, limits)
}

pub(crate) fn no_modules() -> Modules {
    Modules::Embedded(BTreeMap::new())
}

pub(crate) fn try_policy(text: &str) -> Result<Policy, CompilePoliciesError> {
    let set = compile_with(text, &no_modules(), Params::new(), &EngineLimits::default())?;
    Ok(set.policies()[0].clone())
}

#[track_caller]
pub(crate) fn policy(text: &str) -> Policy {
    try_policy(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[track_caller]
pub(crate) fn policy_with(text: &str, params: Params) -> Policy {
    let set = compile_with(text, &no_modules(), params, &EngineLimits::default());
    set.unwrap_or_else(|error| panic!("{text}\n{error}")).policies()[0].clone()
}

/// What the compiler says of a text that it refuses.
#[track_caller]
pub(crate) fn refusal(text: &str) -> String {
    match try_policy(text) {
        Ok(_) => panic!("this compiled: {text}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
pub(crate) fn verdict(policy: &Policy, facts: &Arc<Facts>) -> Verdict {
    match policy.evaluate(facts) {
        Evaluation::Verdict(verdict) => verdict,
        Evaluation::Suspended(need) => panic!("suspended: {need}"),
    }
}

#[track_caller]
pub(crate) fn failure(policy: &Policy, facts: &Arc<Facts>) -> PolicyFailure {
    match verdict(policy, facts).opinion {
        Opinion::Failed(failure) => failure,
        other => panic!("did not fail: {other:?}"),
    }
}

/// The rule that matched and what it asks for; `None` without an opinion.
#[track_caller]
pub(crate) fn matched(policy: &Policy, facts: &Arc<Facts>) -> Option<(String, Vec<Proposal>)> {
    match verdict(policy, facts).opinion {
        Opinion::None => None,
        Opinion::Matched { rule, proposals } => Some((rule.name, proposals)),
        Opinion::Failed(failure) => panic!("{}", policy.show_failure(&failure)),
    }
}

/// The value of an expression, as a policy prints it, for this image.
#[track_caller]
pub(crate) fn value(expression: &str, facts: &Arc<Facts>) -> Result<String, (FailureKind, String)> {
    let text = format!("rule \"r\" when image.id == image.id {{ notify(`${{{expression}}}`) }}");
    match verdict(&policy(&text), facts).opinion {
        Opinion::Matched { proposals, .. } => Ok(proposals[0].reason.clone()),
        Opinion::Failed(failure) => Err((failure.kind, failure.message)),
        Opinion::None => panic!("no opinion"),
    }
}

pub(crate) fn keeps(proposals: &[Proposal]) -> bool {
    matches!(proposals, [Proposal { wish: Wish::Keep, .. }])
}
