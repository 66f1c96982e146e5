//! What a cycle has to tell besides its report: what policies want people told, and which images approach their end.
//!
//! The forecast asks the policies again about what was read, with the time moved ahead day by day, and lets the guards
//! look that are about the image itself. So it knows exactly what the cycle knew, sends no request, and makes no plan.
//! An image of which a policy would want to know something that was not fetched is not announced.
//!
//! Deliberately absent: what has not happened yet. An image that is about to be disabled is not announced as
//! deregistered after that, and launches, new tags and newer images of a family may still save what is announced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amiwarden_core::{
    ActionKind, Because, Circumstances, Duration, ImageId, Limits, PlanRequest, Removal, Scope, Timestamp,
    derive_facts, due_removals,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::survey::{decide_all, evaluate};
use super::{Cycle, Planned, RuleBook, Survey};

/// A rule that wants somebody told of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) image_id: ImageId,
    pub(crate) name: Option<String>,
    pub(crate) scope: Scope,
    /// At least one.
    pub(crate) because: Vec<Because>,
}

/// An image that will be disabled or deregistered if nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approaching {
    pub(crate) image_id: ImageId,
    pub(crate) name: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) action: ActionKind,
    /// The first day, in UTC, on which nothing about the image itself holds it back.
    pub(crate) due_on: Date,
    pub(crate) due_in_days: u32,
    /// Who asks for it then. At least one.
    pub(crate) because: Vec<Because>,
    /// The values of the tags that say whose image it is, by their keys.
    pub(crate) owners: BTreeMap<String, String>,
}

/// How far ahead somebody wants to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// None at all with 0.
    pub(crate) days: u32,
    /// The tags that say whose image it is.
    pub(crate) owner_tags: BTreeSet<String>,
}

/// What is known at the end of planning, kept for looking ahead.
pub(crate) struct Prospect {
    pub(crate) notices: Vec<Notice>,
    surveys: Vec<Survey>,
    rules: Arc<RuleBook>,
    limits: Limits,
    /// What today's plan holds: that is no longer approaching.
    planned: BTreeSet<(Scope, ImageId, ActionKind)>,
    now: Timestamp,
}

impl<R, W> Cycle<'_, R, W> {
    /// Takes out of `planned` what looking ahead needs. The report can do without.
    pub(crate) fn prospect(&self, planned: &mut Planned) -> Prospect {
        let surveys = std::mem::take(&mut planned.surveys);
        let steps = planned.plan.steps.iter();
        Prospect {
            notices: surveys.iter().flat_map(notices).collect(),
            rules: Arc::clone(self.rules),
            limits: self.limits.clone(),
            planned: steps
                .map(|step| (step.scope.clone(), step.image_id.clone(), step.change.kind()))
                .collect(),
            now: self.started_at,
            surveys,
        }
    }
}

fn notices(survey: &Survey) -> impl Iterator<Item = Notice> {
    let told = survey.decisions.iter().filter(|decision| !decision.notices.is_empty());
    told.filter_map(|decision| {
        let facts = survey.facts.get(&decision.image)?;
        Some(Notice {
            image_id: decision.image.clone(),
            name: facts.image.name.clone(),
            scope: facts.scope.clone(),
            because: decision.notices.clone(),
        })
    })
}

impl Prospect {
    /// The images that will be disabled or deregistered within the horizon, the soonest first. It takes about as long
    /// as asking the policies once for each day; cancelling `stop` ends it between two days with nothing.
    ///
    /// # Errors
    ///
    /// Only when the evaluation itself panicked.
    pub(crate) async fn approaching(
        self,
        horizon: Horizon,
        stop: CancellationToken,
    ) -> Result<Vec<Approaching>, JoinError> {
        if horizon.days == 0 {
            return Ok(Vec::new());
        }
        tokio::task::spawn_blocking(move || {
            let mut all: Vec<Approaching> = Vec::new();
            for survey in &self.surveys {
                all.extend(self.look_ahead(survey, &horizon, &stop));
            }
            if stop.is_cancelled() {
                return Vec::new();
            }
            all.sort_by(|one, other| {
                (one.due_on, &one.scope, &one.image_id).cmp(&(other.due_on, &other.scope, &other.image_id))
            });
            all
        })
        .await
    }

    /// Day by day, each image until it is found due.
    fn look_ahead(&self, survey: &Survey, horizon: &Horizon, stop: &CancellationToken) -> Vec<Approaching> {
        let mut found: BTreeMap<ImageId, Approaching> = BTreeMap::new();
        for days in 0..=horizon.days {
            let Some(then) = Duration::from_days(i64::from(days)).after(self.now) else { break };
            if stop.is_cancelled() {
                break;
            }
            let open: Vec<ImageId> =
                survey.facts.keys().filter(|id| !found.contains_key(*id)).cloned().collect();
            let due = if days == 0 { self.due_now(survey) } else { self.due_at(survey, &open, then) };
            for removal in due {
                let scope = &survey.inventory.scope;
                let id = removal.image_id().clone();
                let is_planned = self.planned.contains(&(scope.clone(), id.clone(), removal.action));
                if !is_planned && !found.contains_key(&id) {
                    found.insert(id, approaching(removal, then, days, horizon));
                }
            }
        }
        found.into_values().collect()
    }

    /// What only something that is not about the image holds back, such as a cap.
    fn due_now(&self, survey: &Survey) -> Vec<Removal> {
        due_removals(&PlanRequest {
            inventory: &survey.inventory,
            facts: &survey.facts,
            decisions: &survey.decisions,
            circumstances: &Circumstances::default(),
            limits: &self.limits,
            policies: &self.rules.settings,
            accepted: &BTreeSet::new(),
        })
    }

    fn due_at(&self, survey: &Survey, open: &[ImageId], then: Timestamp) -> Vec<Removal> {
        let facts = derive_facts(&survey.inventory, &survey.memory, &self.rules.families, then);
        let round = evaluate(&self.rules, &facts, open);
        due_removals(&PlanRequest {
            inventory: &survey.inventory,
            facts: &facts,
            decisions: &decide_all(&facts, round.answered, &self.rules.settings),
            circumstances: &Circumstances::default(),
            limits: &self.limits,
            policies: &self.rules.settings,
            accepted: &BTreeSet::new(),
        })
    }
}

fn approaching(removal: Removal, then: Timestamp, due_in_days: u32, horizon: &Horizon) -> Approaching {
    let image = &removal.facts.image;
    let owner = |key: &String| Some((key.clone(), image.tags.get(key)?.clone()));
    Approaching {
        image_id: image.id.clone(),
        name: image.name.clone(),
        scope: removal.facts.scope.clone(),
        action: removal.action,
        due_on: then.to_zoned(TimeZone::UTC).date(),
        due_in_days,
        owners: horizon.owner_tags.iter().filter_map(owner).collect(),
        because: removal.because,
    }
}

#[cfg(test)]
mod tests {
    use amiwarden_core::{
        DeregistrationProtection, FamilyRule, Image, ImageState, Inventory, LimitsOverride, Lineage, Listing,
        Memory, Mode, Permanent, PolicyName, PolicySettings, Reading, Region, Source,
    };
    use amiwarden_policy::{EngineLimits, Modules, PolicySet, PolicySource};

    use super::*;

    const RETIRE: &str = r#"
        rule "held" when image.is_disabled && image.disabled_for >= 30.days { deregister("held long enough") }
        rule "old" when image.is_available && image.age >= 90.days { disable("old") }
        rule "odd" when image.has_tag("Odd") { notify("look at it") }
    "#;

    fn now() -> Timestamp {
        "2026-11-21T18:00:00Z".parse().unwrap()
    }

    fn days_ago(days: i64) -> Timestamp {
        Duration::from_days(days).before(now()).unwrap()
    }

    fn image(id: &str, age_days: i64, tags: &[(&str, &str)]) -> Image {
        Image {
            id: ImageId::new(id),
            owner: "111122223333".parse().unwrap(),
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
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            architecture: None,
            platform: None,
            virtualization: None,
            root_device_type: None,
            boot_mode: None,
            tpm_support: None,
            imds_support: None,
            ena_support: None,
            sriov_net_support: None,
            hypervisor: None,
            image_type: None,
            block_devices: Vec::new(),
            lineage: Lineage::default(),
            product_codes: Vec::new(),
        }
    }

    fn rules(text: &str, mode: Mode) -> Arc<RuleBook> {
        let name = PolicyName::new("p");
        let source = PolicySource { name: name.clone(), origin: "a test".to_owned(), text: text.to_owned() };
        let policies = PolicySet::compile(
            vec![source],
            &Modules::Embedded(BTreeMap::new()),
            &BTreeMap::new(),
            &EngineLimits::default(),
        );
        Arc::new(RuleBook {
            policies: policies.unwrap(),
            scopes: BTreeMap::new(),
            settings: BTreeMap::from([(name, PolicySettings { mode, limits: LimitsOverride::default() })]),
            families: FamilyRule::new(None, None).unwrap(),
        })
    }

    /// What was read of `images`, with every use of them known or not.
    fn survey(rules: &RuleBook, images: Vec<Image>, memory: Memory, is_usage_read: bool) -> Survey {
        let scope = Scope { account: "111122223333".parse().unwrap(), region: Region::new("us-east-1") };
        let mut inventory = Inventory::new(scope, now());
        inventory.add_images(Listing::complete(images));
        for source in Source::USAGE.into_iter().filter(|_| is_usage_read) {
            inventory.add_uses(source, Listing::complete(Vec::new()), now());
        }
        let facts = derive_facts(&inventory, &memory, &rules.families, now());
        let round = evaluate(rules, &facts, &facts.keys().cloned().collect::<Vec<_>>());
        let decisions = decide_all(&facts, round.answered, &rules.settings);
        Survey { inventory, memory, facts, decisions }
    }

    struct Scene {
        rules: Arc<RuleBook>,
        images: Vec<Image>,
        memory: Memory,
        is_usage_read: bool,
        planned: BTreeSet<(Scope, ImageId, ActionKind)>,
    }

    impl Scene {
        fn new(images: impl IntoIterator<Item = Image>) -> Self {
            Self {
                rules: rules(RETIRE, Mode::Enforce),
                images: images.into_iter().collect(),
                memory: Memory::default(),
                is_usage_read: true,
                planned: BTreeSet::new(),
            }
        }

        fn prospect(&self) -> Prospect {
            let survey = survey(&self.rules, self.images.clone(), self.memory.clone(), self.is_usage_read);
            Prospect {
                notices: notices(&survey).collect(),
                surveys: vec![survey],
                rules: Arc::clone(&self.rules),
                limits: Limits { keep_newest: 0, permanent: Permanent::Allow, ..Limits::default() },
                planned: self.planned.clone(),
                now: now(),
            }
        }

        /// Image, action and day of everything that approaches within seven days.
        async fn approaching(&self) -> Vec<String> {
            let horizon = Horizon { days: 7, owner_tags: BTreeSet::from(["Owner".to_owned()]) };
            let found = self.prospect().approaching(horizon, CancellationToken::new()).await.unwrap();
            found.iter().map(|it| format!("{} {} {}", it.image_id, it.action, it.due_on)).collect()
        }
    }

    #[tokio::test]
    async fn images_are_due_on_the_day_on_which_a_rule_matches() {
        let scene = Scene::new([
            image("ami-3", 87, &[]),
            image("ami-1", 89, &[]),
            image("ami-7", 83, &[]),
            image("ami-8", 82, &[]),
        ]);
        let expected = ["ami-1 disable 2026-11-22", "ami-3 disable 2026-11-24", "ami-7 disable 2026-11-28"];
        assert_eq!(scene.approaching().await, expected);
    }

    #[tokio::test]
    async fn what_a_guard_about_the_image_holds_is_not_announced() {
        let keep = |value: &str| image("ami-3", 87, &[("amiwarden:keep", value)]);
        assert_eq!(Scene::new([keep("")]).approaching().await, [""; 0]);
        assert_eq!(Scene::new([keep("2027-01-01")]).approaching().await, [""; 0]);
        // A date that passes in time moves the day.
        assert_eq!(Scene::new([keep("2026-11-25")]).approaching().await, ["ami-3 disable 2026-11-26"]);
        let protected = Image {
            protection: DeregistrationProtection::On,
            state: ImageState::Disabled,
            ..image("ami-3", 200, &[])
        };
        let mut scene = Scene::new([protected]);
        scene.memory.first_seen_disabled.insert(ImageId::new("ami-3"), days_ago(28));
        assert_eq!(scene.approaching().await, [""; 0]);
    }

    #[tokio::test]
    async fn the_hold_of_a_disabled_image_runs_out() {
        let disabled = Image { state: ImageState::Disabled, ..image("ami-3", 200, &[]) };
        let mut scene = Scene::new([disabled]);
        scene.memory.first_seen_disabled.insert(ImageId::new("ami-3"), days_ago(28));
        assert_eq!(scene.approaching().await, ["ami-3 deregister 2026-11-23"]);
    }

    #[tokio::test]
    async fn what_is_planned_already_is_not_approaching_and_what_a_cap_holds_is() {
        let mut scene = Scene::new([image("ami-1", 100, &[])]);
        assert_eq!(scene.approaching().await, ["ami-1 disable 2026-11-21"]);
        let scope = scene.prospect().surveys[0].inventory.scope.clone();
        scene.planned.insert((scope, ImageId::new("ami-1"), ActionKind::Disable));
        assert_eq!(scene.approaching().await, [""; 0]);
    }

    #[tokio::test]
    async fn an_observing_policy_announces_nothing() {
        let scene = Scene { rules: rules(RETIRE, Mode::Observe), ..Scene::new([image("ami-1", 89, &[])]) };
        assert_eq!(scene.approaching().await, [""; 0]);
    }

    #[tokio::test]
    async fn what_a_policy_would_have_to_fetch_first_is_not_announced() {
        let text = r#"rule "old" when image.age >= 90.days && !image.in_use { disable("old") }"#;
        let scene = Scene { rules: rules(text, Mode::Enforce), ..Scene::new([image("ami-1", 89, &[])]) };
        assert_eq!(scene.approaching().await, ["ami-1 disable 2026-11-22"]);
        let scene = Scene { is_usage_read: false, ..scene };
        assert_eq!(scene.approaching().await, [""; 0]);
    }

    #[tokio::test]
    async fn owners_and_notices_are_told() {
        let scene =
            Scene::new([image("ami-1", 89, &[("Owner", "web"), ("Odd", "")]), image("ami-2", 89, &[])]);
        let prospect = scene.prospect();
        let notices: Vec<_> =
            prospect.notices.iter().map(|it| (it.image_id.as_str(), &*it.because[0].reason)).collect();
        assert_eq!(notices, [("ami-1", "look at it")]);
        let horizon = Horizon { days: 1, owner_tags: BTreeSet::from(["Owner".to_owned()]) };
        let found = prospect.approaching(horizon, CancellationToken::new()).await.unwrap();
        let owners: Vec<_> = found.iter().map(|it| it.owners.get("Owner").map(String::as_str)).collect();
        assert_eq!(owners, [Some("web"), None]);
        assert_eq!(found[0].because[0].reason, "old");
    }

    #[tokio::test]
    async fn a_stop_ends_it_with_nothing() {
        let (scene, stop) = (Scene::new([image("ami-1", 89, &[])]), CancellationToken::new());
        stop.cancel();
        let horizon = Horizon { days: 7, owner_tags: BTreeSet::new() };
        assert_eq!(scene.prospect().approaching(horizon, stop).await.unwrap(), []);
        let nothing = scene.prospect().approaching(Horizon::default(), CancellationToken::new()).await;
        assert_eq!(nothing.unwrap(), []);
    }
}
