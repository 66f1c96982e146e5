//! Reports to render: a fleet of thirty images as a first run would find it.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    AccountId, Because, Change, Conflict, CycleReport, Estimate, FailureKind, Figures, Fingerprint, Gap,
    Guard, Held, ImageId, Kept, LaunchPermission, Mask, Mode, PlanId, PolicyErrorReport, PolicyFailure,
    PolicyName, Region, Rehearsal, RuleRef, RunId, Scope, ScopeFigures, ScopeReport, SnapshotFate,
    SnapshotId, SnapshotResult, Source, Step, StepOutcome, StepReport, Timestamp, TrippedGuard,
};

pub(super) fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn scope(region: &str) -> Scope {
    Scope { account: "111122223333".parse::<AccountId>().unwrap(), region: Region::new(region) }
}

pub(super) fn image_id(number: u32) -> ImageId {
    ImageId::new(format!("ami-0a1b2c3d4e5f6{number:04}"))
}

pub(super) fn because(policy: &str, rule: &str, line: u32, reason: &str) -> Because {
    Because { policy: PolicyName::new(policy), rule: rule_ref(rule, line), reason: reason.to_owned() }
}

fn rule_ref(name: &str, line: u32) -> RuleRef {
    RuleRef { name: name.to_owned(), line }
}

/// Builds a report of one scope, image by image.
pub(super) struct Sample {
    report: CycleReport,
    images: u32,
}

impl Sample {
    pub(super) fn new(mode: Mode) -> Self {
        let report = CycleReport {
            run_id: RunId::new("01932f5e-9a7c-7d11-8000-0123456789ab"),
            plan_id: PlanId::new("plan-3fa94c2e81d0"),
            mode,
            started_at: timestamp("2026-03-01T08:00:00Z"),
            finished_at: timestamp("2026-03-01T08:00:02.340Z"),
            scopes: vec![ScopeReport {
                scope: scope("us-east-1"),
                images: 0,
                gaps: Vec::new(),
                dry_run_error: None,
                figures: ScopeFigures::default(),
            }],
            steps: Vec::new(),
            held: Vec::new(),
            kept: Vec::new(),
            errors: Vec::new(),
            conflicts: Vec::new(),
            tripped: Vec::new(),
            switched_off: Vec::new(),
            api_calls: 57,
            estimate: Estimate { api_calls: 57, duration_ms: 4_321 },
            interrupted: false,
            figures: Figures::default(),
        };
        Self { report, images: 0 }
    }

    pub(super) fn build(self) -> CycleReport {
        self.report
    }

    fn next_image(&mut self) -> ImageId {
        self.images += 1;
        self.report.scopes[0].images += 1;
        image_id(self.images)
    }

    /// A change to another image.
    pub(super) fn step(&mut self, name: &str, change: Change, because: Because) -> &mut StepReport {
        let id = self.next_image();
        self.step_on(id, name, change, vec![because])
    }

    /// A further change to the image of the last step.
    pub(super) fn also(&mut self, change: Change, because: Because) -> &mut StepReport {
        let last = self.report.steps.last().unwrap().0.clone();
        self.step_on(last.image_id, last.name.as_deref().unwrap(), change, vec![because])
    }

    fn step_on(
        &mut self,
        image_id: ImageId,
        name: &str,
        change: Change,
        because: Vec<Because>,
    ) -> &mut StepReport {
        let step = Step {
            image_id,
            name: Some(name.to_owned()),
            scope: scope("us-east-1"),
            change,
            mode: self.report.mode,
            because,
            fingerprint: fingerprint(),
            mask: Mask::default(),
            proof: None,
            restorable_days: None,
            covers_launch_permissions: false,
        };
        let outcome = match self.report.mode {
            Mode::Observe => StepOutcome::NotAttempted("only observed".to_owned()),
            Mode::Enforce => StepOutcome::Done,
        };
        let request_id =
            (self.report.mode == Mode::Enforce).then(|| "59dbff89-35bd-4eac-99ed-be587EXAMPLE".into());
        let became = StepReport {
            rehearsal: Rehearsal::Permitted,
            outcome,
            request_id,
            snapshots: Vec::new(),
            note: None,
        };
        self.report.steps.push((step, became));
        &mut self.report.steps.last_mut().unwrap().1
    }

    pub(super) fn held(&mut self, name: &str, change: Change, because: Because, guard: Guard, reason: &str) {
        let held = Held {
            image_id: self.next_image(),
            name: Some(name.to_owned()),
            scope: scope("us-east-1"),
            change,
            because: vec![because],
            guard,
            reason: reason.to_owned(),
        };
        self.report.held.push(held);
    }

    pub(super) fn kept(
        &mut self,
        name: Option<&str>,
        reason: &str,
        because: Option<(&str, &str, u32)>,
    ) -> ImageId {
        let id = self.next_image();
        self.report.kept.push(Kept {
            image_id: id.clone(),
            name: name.map(str::to_owned),
            scope: scope("us-east-1"),
            reason: reason.to_owned(),
            policy: because.map(|(policy, _, _)| PolicyName::new(policy)),
            rule: because.map(|(_, rule, line)| rule_ref(rule, line)),
        });
        id
    }

    pub(super) fn error(&mut self, image_id: ImageId, policy: &str, line: u32, message: &str) {
        self.report.errors.push(PolicyErrorReport {
            policy: PolicyName::new(policy),
            image_id,
            failure: PolicyFailure {
                kind: FailureKind::UnknownFact,
                message: message.to_owned(),
                line: Some(line),
                column: Some(9),
                rule: Some(rule_ref("stale", line)),
            },
        });
    }
}

fn fingerprint() -> Fingerprint {
    serde_json::from_str("\"00000000000000000000000000000000\"").unwrap()
}

fn tag(key: &str, value: &str) -> Change {
    Change::Tag(BTreeMap::from([(key.to_owned(), value.to_owned())]))
}

fn stale(days: u32) -> Because {
    because("retire-stale", "stale", 12, &format!("no launch for {days} days"))
}

/// The changes, held back and kept images that every sample of the demo fleet has.
fn demo(mode: Mode) -> Sample {
    let mut sample = Sample::new(mode);
    let owner = || because("tag-owners", "no owner", 9, "nobody is named as its owner");
    sample.step("web-2024-03-11", Change::Disable, stale(402));
    sample.step("web-2024-07-02", Change::Disable, stale(301));
    sample.also(tag("Owner", "unknown"), owner());
    sample.step(
        "batch-worker-1.4.0-x86_64-hvm-ebs-gp3-encrypted-2024-09-30T11-22-33Z",
        Change::Disable,
        stale(288),
    );
    let expired = because("retire-stale", "held long enough", 8, "disabled for 44 days");
    sample.step("legacy-db-2019", Change::Deregister(SnapshotFate::Delete), expired);
    let public = because("strip-public", "public", 5, "nothing of ours is meant for everybody");
    sample.step("bastion-2025-01-15", Change::StripPublic, public);
    let strangers = ["555566667777", "666677778888", "777788889999", "888899990000"];
    let grants = strangers.iter().map(|account| LaunchPermission::Account(account.parse().unwrap()));
    let unknown = because(
        "unshare-unknown-accounts",
        "unknown account",
        11,
        "shared with 4 accounts that nobody knows",
    );
    sample.step("partner-feed-7", Change::StripShares(grants.collect()), unknown);
    let imds = because("require-imdsv2", "IMDSv1 allowed", 6, "instances of it answer to IMDSv1");
    sample.step("api-2025-11-30", Change::RequireImdsV2, imds);
    let soon = because(
        "deprecate-first",
        "going stale",
        10,
        "no launch for 75 days: a warning before it is disabled",
    );
    sample.step("etl-2025-12-01", Change::Deprecate(timestamp("2026-03-31T00:00:00Z")), soon);

    let hold = |sample: &mut Sample, name: &str, change: Change, guard: Guard, reason: &str| {
        sample.held(name, change, stale(190), guard, reason);
    };
    let used = "used by instance i-0fedcba9876543210 and 2 more";
    hold(&mut sample, "web-2025-02-14", Change::Disable, Guard::UsageProof, used);
    let newest = "it is the newest launchable image of bastion";
    hold(&mut sample, "bastion-2025-06-01", Change::Disable, Guard::NewestOfFamily, newest);
    hold(&mut sample, "golden-base-3", Change::Disable, Guard::OptOut, "it carries the tag amiwarden:keep");
    let protection = "its deregistration protection is `enabled-with-cooldown`";
    let gone = Change::Deregister(SnapshotFate::Keep);
    hold(&mut sample, "compliance-2018", gone.clone(), Guard::Protected, protection);
    hold(
        &mut sample,
        "scratch-2025-08",
        gone,
        Guard::MinimumHold,
        "it has been disabled for 3 days, less than 7 days",
    );

    for number in 1..=7 {
        let name = format!("web-2026-02-{number:02}");
        sample.kept(Some(&name), "the one policy that applies has no rule that matches", None);
    }
    for days in [3, 8, 21] {
        let reason = format!("launched {days} days ago");
        sample.kept(Some(&format!("api-r{days}")), &reason, Some(("retire-stale", "recently launched", 20)));
    }
    for name in ["queue-1", "queue-2"] {
        sample.kept(Some(name), "still referenced", Some(("retire-stale", "something uses it", 6)));
    }
    sample.kept(None, "disable holds already", Some(("retire-stale", "stale", 12)));
    for name in ["imported-a", "imported-b"] {
        let message =
            "`unused_for` is unknown: its creation date `yesterday` cannot be read; the image is kept";
        let reason = format!("the policy could not be evaluated: {message}");
        let id = sample.kept(Some(name), &reason, Some(("retire-stale", "stale", 12)));
        sample.error(id, "retire-stale", 12, message);
    }
    let id =
        sample.kept(Some("conflicted-1"), "policies contradict each other: disable against enable", None);
    let enable = because("re-enable", "wanted again", 4, "its owner asked for it");
    let conflict = Conflict { about: "disable against enable".to_owned(), because: vec![stale(120), enable] };
    sample.report.conflicts.push((id, conflict));
    sample
}

/// A first look at the demo fleet.
pub(crate) fn observed() -> CycleReport {
    demo(Mode::Observe).build()
}

/// The demo fleet, with everything that can go otherwise than planned.
pub(crate) fn enforced() -> CycleReport {
    let mut report = demo(Mode::Enforce).build();
    let denied = "UnauthorizedOperation: You are not authorized to perform this operation. User: \
                  arn:aws:sts::111122223333:assumed-role/amiwarden/i-0 is not authorized to perform: \
                  ec2:DeregisterImage on resource: arn:aws:ec2:us-east-1::image/ami-0a1b2c3d4e5f60004";
    report.steps[1].1.outcome = StepOutcome::AlreadyDone;
    report.steps[3].1.outcome =
        StepOutcome::SkippedChanged("it is not what it was when the plan was made".to_owned());
    report.steps[5].1.outcome = StepOutcome::Failed(
        "OperationNotPermitted: You can't make this Marketplace image private (request 59dbff89)".to_owned(),
    );
    report.steps[6].1.rehearsal = Rehearsal::Denied(denied.to_owned());
    report.steps[6].1.outcome = StepOutcome::NotAttempted("its rehearsal was denied".to_owned());
    report.steps[7].1.outcome =
        StepOutcome::Unknown("the connection was reset before a reply came".to_owned());
    let codes = ["success", "skipped", "missing-permissions"];
    report.steps[4].1.snapshots = codes
        .iter()
        .zip(1..)
        .map(|(code, number)| SnapshotResult {
            snapshot_id: SnapshotId::new(format!("snap-0123456789abcde{number:02}")),
            return_code: (*code).to_owned(),
        })
        .collect();
    report
}

/// The demo fleet as `plan` shows it, which only reads.
pub(super) fn planned() -> CycleReport {
    let mut report = observed();
    for (_, step) in &mut report.steps {
        step.rehearsal = Rehearsal::Skipped("`plan` only reads; `run` rehearses".to_owned());
    }
    report
}

/// The demo fleet before the changes are confirmed.
pub(super) fn waiting() -> CycleReport {
    let mut report = demo(Mode::Enforce).build();
    for (_, step) in &mut report.steps {
        step.outcome = StepOutcome::NotAttempted("waiting for confirmation".to_owned());
        step.request_id = None;
    }
    report
}

/// A plan that is applied for the second time.
pub(super) fn applied_again() -> CycleReport {
    let mut report = demo(Mode::Enforce).build();
    for (_, step) in &mut report.steps {
        step.outcome = StepOutcome::AlreadyDone;
        step.request_id = None;
    }
    report.steps[3].1.outcome = StepOutcome::SkippedChanged("its tags have changed".to_owned());
    report
}

/// One change with each of these outcomes, each to an image of its own.
pub(super) fn outcomes(outcomes: &[StepOutcome]) -> CycleReport {
    let mut sample = Sample::new(Mode::Enforce);
    for outcome in outcomes {
        sample.step("web-1", Change::Disable, stale(90)).outcome = outcome.clone();
    }
    sample.build()
}

/// Images that rules keep, and images that are kept whatever their rule wanted.
pub(super) fn kept_by_one_rule() -> CycleReport {
    let mut sample = Sample::new(Mode::Observe);
    let in_use = Some(("keep-used", "in use", 3));
    sample.kept(Some("web-1"), "used by i-a", in_use);
    sample.kept(Some("web-2"), "used by i-b and 2 more", in_use);
    let stale = Some(("retire", "stale", 9));
    sample.kept(Some("web-3"), "disable holds already", stale);
    sample.kept(Some("web-4"), "disable holds already", stale);
    sample.kept(Some("web-5"), "disable is not possible: its state is unknown", stale);
    sample.build()
}

/// Two Regions, one of them in trouble.
pub(crate) fn troubled() -> CycleReport {
    let mut report = demo(Mode::Observe).build();
    let reason =
        "3 of 4 images would be disabled or deregistered, more than 25 %: look at them, then accept the plan";
    let other = scope("eu-central-1");
    report.tripped.push(TrippedGuard {
        scope: other.clone(),
        guard: Guard::Surge,
        reason: reason.to_owned(),
        counted: None,
    });
    report.scopes.push(ScopeReport {
        scope: other.clone(),
        images: 4,
        gaps: vec![(Source::Instances, Gap::new("DescribeInstances was denied: UnauthorizedOperation"))],
        dry_run_error: Some(
            "DescribeImages with DryRun was answered as if it had been carried out".to_owned(),
        ),
        figures: ScopeFigures::default(),
    });
    for held in report.held.iter_mut().take(3) {
        held.scope = other.clone();
        held.guard = Guard::Surge;
        reason.clone_into(&mut held.reason);
    }
    report.interrupted = true;
    report
}

/// A run of which nothing is to be said.
pub(crate) fn quiet() -> CycleReport {
    let mut sample = Sample::new(Mode::Enforce);
    sample.kept(Some("web-1"), "no policy applies to it", None);
    sample.build()
}

/// An image and a policy that try to take over whatever shows them.
pub(crate) fn hostile() -> CycleReport {
    let mut sample = Sample::new(Mode::Observe);
    let reason = "\u{1b}[2Jgone | <b>\r\n@everyone\u{202e}";
    let untag = Change::Untag(BTreeSet::from(["a\u{9b}31m|b".to_owned()]));
    sample.step("evil\u{1b}]0;owned\u{7}|name`", untag, because("p", "r\u{1b}[1m", 1, reason));
    sample.kept(Some("\u{1b}[31mred"), reason, None);
    sample.build()
}

/// A change of each kind, in each of its forms.
pub(super) fn every_change() -> CycleReport {
    let grants = |text: &str| [text.parse::<LaunchPermission>().unwrap()].into();
    let unit = "arn:aws:organizations::111122223333:ou/o-123example/ou-1234-5exampl";
    let changes = [
        Change::StripPublic,
        Change::StripShares(grants("444455556666")),
        Change::Share(grants(unit)),
        Change::SetDescription("web server".to_owned()),
        Change::RequireImdsV2,
        tag("Owner", "unknown"),
        Change::Untag(["a", "b", "c", "d"].map(str::to_owned).into()),
        Change::Protect { cooldown: false },
        Change::Protect { cooldown: true },
        Change::Unprotect,
        Change::Deprecate(timestamp("2026-03-31T12:00:00Z")),
        // The run began at this instant.
        Change::Deprecate(timestamp("2026-03-01T08:00:00Z")),
        Change::Undeprecate,
        Change::Disable,
        Change::Enable,
        Change::Deregister(SnapshotFate::Keep),
        Change::Deregister(SnapshotFate::Delete),
    ];
    let mut sample = Sample::new(Mode::Observe);
    for change in changes {
        sample.step("web-1", change, stale(90));
    }
    sample.build()
}
