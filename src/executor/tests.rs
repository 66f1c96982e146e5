//! Several images at a time, over the simulated endpoint and a real store.

use std::time::Instant;

use amiwarden_core::{
    Because, Mask, Mode, PlanId, PolicyName, Region, Rehearsal, RuleRef, SnapshotFate, TemplateVersions,
    fingerprint,
};
use amiwarden_ec2::{
    ConnectOptions, Connection, CredentialSource, Ec2Reader, Ec2Writer, RegionChoice, StaticCredentials,
};
use amiwarden_sandbox::{Fault, FaultKind, Fleet, Sandbox, SandboxOptions};

use super::*;
use crate::store::{NewRun, StoreOptions};

#[test]
fn a_proof_lasts_a_quarter_of_an_hour() {
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
    assert!(!is_too_old(at(0), at(900)));
    assert!(is_too_old(at(0), at(901)));
    assert!(is_too_old(at(1), at(0)), "the clock was set back");
}

struct Scene {
    sandbox: Sandbox,
    reader: Ec2Reader,
    writer: Ec2Writer,
    store: Store,
    plan: Plan,
    run_id: RunId,
    _directory: tempfile::TempDir,
}

impl Scene {
    /// An account of so many images, and a plan to make each of these changes to each of them.
    async fn new(images: usize, changes: &[Change]) -> Self {
        let names: Vec<String> =
            (0..images).map(|n| format!(r#"{{"name": "web-{n}", "created": "-100d"}}"#)).collect();
        let fleet = format!(
            r#"{{"schema": 1, "account": "111122223333", "region": "eu-west-1", "images": [{}]}}"#,
            names.join(",")
        );
        let options = SandboxOptions::new(Fleet::from_json(&fleet).unwrap(), Timestamp::now());
        let sandbox = Sandbox::start(options).await.unwrap();
        let connection: Connection = amiwarden_ec2::connect(ConnectOptions {
            regions: RegionChoice::Named(vec![Region::new("eu-west-1")]),
            endpoint_url: Some(sandbox.endpoint_url()),
            credentials: CredentialSource::Static(StaticCredentials::sandbox()),
            ..ConnectOptions::default()
        })
        .await
        .unwrap();
        let scope = &connection.scopes()[0];
        let (reader, writer) = (connection.reader(scope, TemplateVersions::Pinned), connection.writer(scope));
        let steps = reader.images().await.items.into_iter().flat_map(|image| {
            let of_image = |(place, change): (usize, &Change)| Step {
                image_id: image.id.clone(),
                name: image.name.clone(),
                scope: scope.clone(),
                change: change.clone(),
                mode: Mode::Enforce,
                because: vec![because()],
                fingerprint: fingerprint(&image, None, &Mask::of_changes(changes[..place].iter())),
                mask: Mask::of_changes(changes[..place].iter()),
                covers_launch_permissions: false,
                proof: None,
                restorable_days: None,
            };
            changes.iter().enumerate().map(of_image).collect::<Vec<_>>()
        });
        let plan =
            Plan { id: PlanId::new("plan-1"), steps: steps.collect(), held: Vec::new(), tripped: Vec::new() };
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { ledger_head: Some(directory.path().join("a.head")) };
        let store = Store::open(&directory.path().join("a.db"), options).await.unwrap();
        let run_id = RunId::new("run-1");
        store.begin_run(&new_run(&run_id)).await.unwrap();
        store.record_plan(&run_id, &plan, Timestamp::now()).await.unwrap();
        Self { sandbox, reader, writer, store, plan, run_id, _directory: directory }
    }

    async fn carry_out(
        &self,
        concurrent_images: usize,
        stop: &CancellationToken,
    ) -> Result<Vec<(usize, StepReport)>, StoreError> {
        let executor = Executor {
            reader: &self.reader,
            writer: &self.writer,
            store: &self.store,
            run_id: &self.run_id,
            plan: &self.plan,
            gate: None,
            undoes: &BTreeMap::new(),
            observed_at: Timestamp::now(),
            clock: Timestamp::now,
            concurrent_images,
            stop,
            progress: &Progress::hidden(),
        };
        let steps = self.plan.steps.iter().enumerate();
        let steps = steps.map(|(index, step)| Rehearsed { index, step, rehearsal: Rehearsal::Permitted });
        executor.carry_out(steps.collect()).await
    }

    /// Real requests of these operations so far: operation and image, in the order in which they came.
    fn changes(&self) -> Vec<(String, String)> {
        let requests = self.sandbox.cloud().requests().into_iter();
        requests
            .filter(|request| !request.action.starts_with("Describe") && !request.image_ids.is_empty())
            .map(|request| (request.action, request.image_ids[0].clone()))
            .collect()
    }
}

fn because() -> Because {
    Because {
        policy: PolicyName::new("only"),
        rule: RuleRef { name: "all".to_owned(), line: 1 },
        reason: "it is asked for".to_owned(),
    }
}

fn new_run(run_id: &RunId) -> NewRun {
    NewRun {
        run_id: run_id.clone(),
        command: "run".to_owned(),
        mode: Mode::Enforce,
        started_at: Timestamp::now(),
        version: "0".to_owned(),
        config_digest: "0".to_owned(),
        policies: Vec::new(),
    }
}

#[tokio::test]
async fn p1_the_steps_of_an_image_stay_in_order_however_many_images_there_are() {
    let changes = [
        Change::SetDescription("kept by policy".to_owned()),
        Change::Tag([("Owner".to_owned(), "web".to_owned())].into()),
        Change::Deprecate("2030-01-01T00:00:00Z".parse().unwrap()),
    ];
    for concurrent_images in [1, 4] {
        let scene = Scene::new(7, &changes).await;
        let reports = scene.carry_out(concurrent_images, &CancellationToken::new()).await.unwrap();
        let mut places: Vec<usize> = reports.iter().map(|(index, _)| *index).collect();
        places.sort_unstable();
        assert_eq!(places, (0..21).collect::<Vec<_>>());
        assert!(reports.iter().all(|(_, report)| report.outcome == StepOutcome::Done), "{reports:?}");
        let mut by_image: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (action, image) in scene.changes() {
            by_image.entry(image).or_default().push(action);
        }
        assert_eq!(by_image.len(), 7);
        for actions in by_image.values() {
            assert_eq!(actions, &["ModifyImageAttribute", "CreateTags", "EnableImageDeprecation"]);
        }
    }
}

#[tokio::test]
async fn p1_when_the_store_fails_nothing_more_is_sent_for_any_image() {
    let scene = Scene::new(12, &[Change::RequireImdsV2]).await;
    let slow = Fault::new("ModifyImageAttribute", FaultKind::Hang { seconds: 1 }).real_only().every_time();
    scene.sandbox.cloud().inject(slow);
    let stop = CancellationToken::new();
    let store_fails = async {
        let started = Instant::now();
        // As many images as are worked on at a time wait for a reply.
        while scene.changes().len() < 4 {
            assert!(
                started.elapsed() < std::time::Duration::from_mins(1),
                "four images were never worked on at a time"
            );
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        scene.store.close().await.unwrap();
    };
    let (carried_out, ()) = tokio::join!(scene.carry_out(4, &stop), store_fails);
    assert!(carried_out.is_err(), "{carried_out:?}");
    assert_eq!(scene.changes().len(), 4);
}

#[test]
fn images_keep_the_order_in_which_the_plan_comes_to_them() {
    let step = |id: &str| Step {
        image_id: ImageId::new(id),
        name: None,
        scope: amiwarden_core::Scope {
            account: "111122223333".parse().unwrap(),
            region: Region::new("eu-west-1"),
        },
        change: Change::Deregister(SnapshotFate::Keep),
        mode: Mode::Enforce,
        because: Vec::new(),
        fingerprint: serde_json::from_value(serde_json::json!("f")).unwrap(),
        mask: Mask::default(),
        covers_launch_permissions: false,
        proof: None,
        restorable_days: None,
    };
    let steps = ["b", "a", "b", "c", "a"].map(step);
    let rehearsed = steps.iter().enumerate();
    let rehearsed =
        rehearsed.map(|(index, step)| Rehearsed { index, step, rehearsal: Rehearsal::Permitted }).collect();
    let places: Vec<Vec<usize>> =
        by_image(rehearsed).iter().map(|image| image.iter().map(|it| it.index).collect()).collect();
    assert_eq!(places, [vec![0, 2], vec![1, 4], vec![3]]);
}
