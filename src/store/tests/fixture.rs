//! Small worlds for the tests: a store in a directory of its own, images, decisions, plans.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use amiwarden_core::{
    AccountId, ActionKind, Because, Change, CycleReport, DeregistrationProtection, Figures, Fingerprint,
    Guard, Held, Image, ImageId, ImageState, Inventory, Kept, Lineage, Listing, Mask, Mode, Plan, PlanId,
    PolicyName, Reading, Region, Rehearsal, RuleRef, RunId, Scope, ScopeFigures, ScopeReport, Step,
    StepOutcome, StepReport, Timestamp,
};

use crate::store::{
    DecisionEntry, DecisionRecord, Intent, NewRun, PolicyRecord, SavedState, Standing, Store, StoreOptions,
};

/// A store in a temporary directory, with its head beside it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.directory().join("amiwarden.db")
    }

    pub(crate) fn head(&self) -> PathBuf {
        self.directory().join("amiwarden.head")
    }

    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions { ledger_head: Some(self.head()) }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.store(), self.options()).await.unwrap()
    }

    /// A connection such as anybody can make who has the file.
    pub(crate) async fn connect(&self) -> sqlx::SqliteConnection {
        use sqlx::ConnectOptions;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.store());
        options.foreign_keys(false).connect().await.unwrap()
    }

    /// Runs SQL on the closed store as somebody else would.
    pub(crate) async fn tamper(&self, sql: &str) {
        use sqlx::Connection;
        let mut connection = self.connect().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The n-th day of the tests.
pub(crate) fn day(n: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + n * 86_400).unwrap()
}

pub(crate) fn scope() -> Scope {
    scope_in("eu-west-1")
}

pub(crate) fn scope_in(region: &str) -> Scope {
    Scope { account: account(), region: Region::new(region) }
}

fn account() -> AccountId {
    "111122223333".parse().unwrap()
}

pub(crate) fn image_id(n: u32) -> ImageId {
    ImageId::new(format!("ami-{n:017x}"))
}

pub(crate) fn image(n: u32, state: ImageState) -> Image {
    Image {
        id: image_id(n),
        owner: account(),
        name: Some(format!("app-{n}")),
        description: None,
        location: None,
        owner_alias: None,
        state,
        created_at: Reading::Present(day(-400)),
        deprecated_at: Reading::Absent,
        last_launched_at: Reading::Absent,
        public: Reading::Present(false),
        protection: DeregistrationProtection::Off,
        tags: BTreeMap::from([("Family".to_owned(), "app".to_owned())]),
        architecture: Some("arm64".to_owned()),
        platform: None,
        virtualization: Some("hvm".to_owned()),
        root_device_type: Some("ebs".to_owned()),
        boot_mode: None,
        tpm_support: None,
        imds_support: None,
        ena_support: Some(true),
        sriov_net_support: None,
        hypervisor: None,
        image_type: Some("machine".to_owned()),
        block_devices: Vec::new(),
        lineage: Lineage::default(),
        product_codes: Vec::new(),
    }
}

/// An inventory that was read to its end.
pub(crate) fn inventory(images: impl IntoIterator<Item = Image>) -> Inventory {
    let mut inventory = Inventory::new(scope(), day(0));
    inventory.add_images(Listing::complete(images.into_iter().collect()));
    inventory
}

/// An inventory whose reading broke off.
pub(crate) fn partial(images: impl IntoIterator<Item = Image>) -> Inventory {
    let mut inventory = Inventory::new(scope(), day(0));
    inventory.add_images(Listing::partial(images.into_iter().collect(), "throttled"));
    inventory
}

pub(crate) fn run_id(n: u32) -> RunId {
    RunId::new(format!("run-{n}"))
}

pub(crate) fn new_run(n: u32) -> NewRun {
    NewRun {
        run_id: run_id(n),
        command: "run".to_owned(),
        mode: Mode::Observe,
        started_at: day(i64::from(n)),
        version: "0.1.0".to_owned(),
        config_digest: "c0ffee".to_owned(),
        policies: vec![PolicyRecord {
            name: PolicyName::new("retire-stale"),
            digest: "d1".to_owned(),
            origin: "built in".to_owned(),
            text: "//! Retire.".to_owned(),
            parameters: "{}".to_owned(),
        }],
    }
}

pub(crate) fn because(reason: &str) -> Because {
    Because {
        policy: PolicyName::new("retire-stale"),
        rule: RuleRef { name: "stale".to_owned(), line: 12 },
        reason: reason.to_owned(),
    }
}

fn fingerprint() -> Fingerprint {
    amiwarden_core::fingerprint(&image(1, ImageState::Available), None, &Mask::default())
}

pub(crate) fn step(n: u32) -> Step {
    Step {
        image_id: image_id(n),
        name: Some(format!("app-{n}")),
        scope: scope(),
        change: Change::Disable,
        mode: Mode::Enforce,
        because: vec![because("no launch for 91 days")],
        fingerprint: fingerprint(),
        mask: Mask::default(),
        proof: None,
        restorable_days: None,
        covers_launch_permissions: false,
    }
}

pub(crate) fn held(n: u32, guard: Guard) -> Held {
    Held {
        image_id: image_id(n),
        name: Some(format!("app-{n}")),
        scope: scope(),
        change: Change::Disable,
        because: vec![because("no launch for 91 days")],
        guard,
        reason: "so many".to_owned(),
    }
}

/// A decision with one entry.
pub(crate) fn record(n: u32, standing: Standing, reason: &str) -> DecisionRecord {
    let Because { policy, rule, reason } = because(reason);
    let entry = DecisionEntry {
        kind: Some(ActionKind::Disable),
        standing,
        policy: Some(policy),
        rule: Some(rule),
        reason,
    };
    DecisionRecord {
        image_id: image_id(n),
        entries: vec![entry],
        verdicts: Vec::new(),
        without_opinion: Vec::new(),
    }
}

pub(crate) fn kept(n: u32) -> Kept {
    Kept {
        image_id: image_id(n),
        name: None,
        scope: scope(),
        reason: "the one policy that applies has no rule that matches".to_owned(),
        policy: None,
        rule: None,
    }
}

pub(crate) fn plan(name: &str, steps: Vec<Step>, held: Vec<Held>) -> Plan {
    Plan { id: PlanId::new(name), steps, held, tripped: Vec::new() }
}

pub(crate) fn intent(run: u32, plan: &Plan, index: usize) -> Intent {
    let step = plan.steps[index].clone();
    let image = Image { id: step.image_id.clone(), ..image(0, ImageState::Available) };
    Intent {
        run_id: run_id(run),
        plan_id: plan.id.clone(),
        index,
        step,
        undoes: Vec::new(),
        before: SavedState { image: Some(image), launch_permissions: Some(["all".parse().unwrap()].into()) },
        at: day(i64::from(run)),
    }
}

pub(crate) fn step_report(outcome: StepOutcome) -> StepReport {
    StepReport {
        rehearsal: Rehearsal::Permitted,
        outcome,
        request_id: Some("11111111-2222-3333-4444-555555555555".to_owned()),
        snapshots: Vec::new(),
        note: None,
    }
}

pub(crate) fn cycle_report(run: u32, plan: &Plan, reports: &[StepReport]) -> CycleReport {
    CycleReport {
        run_id: run_id(run),
        plan_id: plan.id.clone(),
        mode: Mode::Observe,
        started_at: day(i64::from(run)),
        finished_at: day(i64::from(run)),
        scopes: vec![ScopeReport {
            scope: scope(),
            images: 3,
            gaps: Vec::new(),
            dry_run_error: None,
            figures: ScopeFigures::default(),
        }],
        steps: plan.steps.iter().cloned().zip(reports.iter().cloned()).collect(),
        held: plan.held.clone(),
        kept: Vec::new(),
        errors: Vec::new(),
        conflicts: Vec::new(),
        tripped: Vec::new(),
        switched_off: Vec::new(),
        api_calls: 9,
        estimate: amiwarden_core::Estimate::default(),
        interrupted: false,
        figures: Figures::default(),
    }
}
