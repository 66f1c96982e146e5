//! A fleet that is listed and changed through the simulated endpoint.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Call, CallErrorKind, CloudReader, CloudWriter, DeregistrationProtection, Image, ImageId, ImageState,
    ImageUse, LaunchPermission, LaunchPermissions, Reading, RetainedKind, SnapshotFate, Source,
    TemplateVersions, Timestamp, UseKind,
};
use amiwarden_ec2::{ConnectOptions, Connection, Ec2Reader, Ec2Writer, RegionChoice, connect};
use amiwarden_sandbox::{Fault, FaultKind, Fleet, Sandbox, SandboxOptions};

use crate::setup::{account, options};

const FLEET: &str = r#"{
  "schema": 1, "account": "111122223333", "region": "eu-west-1", "regions": ["us-east-1"],
  "images": [
    { "name": "web", "created": "-40d", "last_launched": "-2d", "tags": { "Env": "dev" },
      "launch_permissions": ["all", "444455556666"], "description": "Web" },
    { "name": "old", "created": "-400d", "state": "disabled" },
    { "name": "gold", "created": "-9d" }
  ],
  "instances": [
    { "image": "web", "managed": true }, { "image": "old", "state": "terminated" }
  ],
  "launch_templates": [
    { "name": "golden", "versions": [{ "version": 1, "image": "resolve:ssm:/golden/web" }] }
  ],
  "ssm_parameters": { "/golden/web": "gold" },
  "launch_configurations": [{ "name": "lc", "image": "old" }],
  "auto_scaling_groups": [
    { "name": "configured", "launch_configuration": "lc" },
    { "name": "templated", "launch_template": { "name": "golden", "version": "1" } },
    { "name": "mixed", "mixed_instances": {
        "launch_template": { "name": "golden" }, "overrides": [{ "image": "web" }] } }
  ],
  "image_recipes": [{ "name": "r", "image": "web", "kind": "container" }],
  "foreign_uses": [
    { "image": "web", "account": "444455556666", "kind": "instance", "count": 3 },
    { "image": "web", "account": "************", "kind": "launch-template", "count": 1 }
  ],
  "recycle_bin_rules": [
    { "resource": "image", "retention_days": 30, "exclude_tags": { "Env": "test" } },
    { "resource": "snapshot", "retention_days": 7, "tags": { "Team": null } }
  ]
}"#;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

struct Scene {
    sandbox: Sandbox,
    connection: Connection,
    reader: Ec2Reader,
    writer: Ec2Writer,
}

impl Scene {
    async fn new() -> Self {
        let mut options_of_sandbox = SandboxOptions::new(Fleet::from_json(FLEET).unwrap(), now());
        options_of_sandbox.page_size_max = 2;
        let sandbox = Sandbox::start(options_of_sandbox).await.unwrap();
        let connection = connect(options(&sandbox.endpoint_url())).await.unwrap();
        let scope = &connection.scopes()[0];
        let (reader, writer) = (connection.reader(scope, TemplateVersions::Pinned), connection.writer(scope));
        Self { sandbox, connection, reader, writer }
    }

    fn id(&self, name: &str) -> ImageId {
        ImageId::new(self.sandbox.cloud().image_named(name).unwrap().id)
    }

    async fn image(&self, name: &str) -> Image {
        self.reader.image(&self.id(name)).await.unwrap().unwrap()
    }

    async fn permissions(&self, name: &str) -> LaunchPermissions {
        let id = self.id(name);
        self.reader.launch_permissions(vec![id.clone()]).await.remove(&id).unwrap().unwrap()
    }

    /// Rehearses it, which changes nothing, and carries it out.
    async fn change(&self, name: &str, call: Call) {
        let id = self.id(name);
        let before = self.sandbox.cloud().world();
        self.writer.rehearse(&id, &call).await.unwrap();
        assert_eq!(self.sandbox.cloud().world(), before, "{call}");
        self.writer.execute(&id, &call).await.unwrap();
    }
}

#[tokio::test]
async fn a_fleet_is_listed_with_all_that_uses_it() {
    let scene = Scene::new().await;
    assert_eq!(scene.connection.account(), &account());
    scene.reader.check_dry_run().await.unwrap();
    let images = scene.reader.images().await;
    assert_eq!(images.gap, None);
    let names: BTreeSet<_> = images.items.iter().filter_map(|image| image.name.clone()).collect();
    assert_eq!(names, BTreeSet::from(["gold", "old", "web"].map(str::to_owned)));
    let snapshots = scene.reader.snapshots().await;
    assert_eq!((snapshots.items.len(), snapshots.gap), (3, None));
    for (source, images) in [
        (Source::Instances, &["web"][..]),
        (Source::LaunchTemplates, &["gold"]),
        (Source::AutoScalingGroups, &["gold", "old", "web"]),
        (Source::LaunchConfigurations, &["old"]),
        (Source::SsmParameters, &["gold"]),
    ] {
        let uses = scene.reader.uses(source).await;
        assert_eq!(uses.gap, None, "{source}");
        let seen: BTreeSet<_> = uses.items.iter().map(|image_use| image_use.image.clone()).collect();
        assert_eq!(seen, images.iter().map(|image| scene.id(image)).collect(), "{source}");
    }
    assert!(scene.reader.server_time().is_some());
    let web = scene.image("web").await;
    assert_eq!(web.public, Reading::Present(true));
    assert_eq!(scene.permissions("web").await.len(), 2);
    assert_eq!(scene.image("old").await.state, ImageState::Disabled);
    assert_eq!(scene.reader.image(&ImageId::new("ami-0fedcba9876543210")).await, Ok(None));
}

#[tokio::test]
async fn candidates_are_asked_about_one_by_one() {
    let scene = Scene::new().await;
    let (web, gone) = (scene.id("web"), ImageId::new("ami-0fedcba9876543210"));
    let images = vec![web.clone(), gone.clone()];
    let kinds = |uses: &[ImageUse]| uses.iter().map(|image_use| image_use.kind).collect::<Vec<_>>();
    let mut references = scene.reader.candidate_uses(Source::ImageReferences, images, now()).await;
    let of_web = references.remove(&web).unwrap();
    assert_eq!((kinds(&of_web.uses), of_web.gap), (vec![UseKind::Instance, UseKind::ContainerRecipe], None));
    assert!(references.remove(&gone).unwrap().gap.is_some());
    // There is no report, so one is asked for and waited for.
    let mut reports = scene.reader.candidate_uses(Source::UsageReports, vec![web.clone()], now()).await;
    let of_web = reports.remove(&web).unwrap();
    assert_eq!((kinds(&of_web.uses), of_web.gap), (vec![UseKind::Instance, UseKind::LaunchTemplate], None));
    assert!(of_web.as_of < now());
    let sent = scene.sandbox.cloud().requests();
    assert_eq!(sent.iter().filter(|request| request.action == "CreateImageUsageReport").count(), 1);
}

#[tokio::test]
async fn the_rules_of_the_recycle_bin_are_read() {
    let scene = Scene::new().await;
    let rules = scene.reader.retention_rules().await;
    assert_eq!(rules.gap, None);
    let days: Vec<_> = rules.items.iter().map(|rule| (rule.kind, rule.retention_days)).collect();
    assert_eq!(days, [(RetainedKind::Image, 30), (RetainedKind::Snapshot, 7)]);
    assert_eq!(rules.items[0].exclude_tags, [("Env".to_owned(), Some("test".to_owned()))]);
    assert_eq!(rules.items[1].tags, [("Team".to_owned(), None)]);
}

#[tokio::test]
async fn each_source_that_is_denied_is_a_gap() {
    for (action, source) in [
        ("DescribeInstances", Source::Instances),
        ("DescribeLaunchTemplateVersions", Source::LaunchTemplates),
        ("DescribeLaunchTemplateVersions", Source::AutoScalingGroups),
        ("DescribeAutoScalingGroups", Source::AutoScalingGroups),
        ("DescribeLaunchConfigurations", Source::AutoScalingGroups),
        ("DescribeLaunchConfigurations", Source::LaunchConfigurations),
        ("DescribeParameters", Source::SsmParameters),
        ("GetParameters", Source::SsmParameters),
    ] {
        let scene = Scene::new().await;
        scene.sandbox.cloud().inject(Fault::new(action, FaultKind::Denied).every_time());
        let gap = scene.reader.uses(source).await.gap.unwrap().reason;
        assert!(gap.contains("the credentials need"), "{source}: {gap}");
        assert!(gap.contains(action), "{source}: {gap}");
    }
}

#[tokio::test]
async fn all_regions_are_found() {
    let scene = Scene::new().await;
    let all = ConnectOptions { regions: RegionChoice::All, ..options(&scene.sandbox.endpoint_url()) };
    let scopes = connect(all).await.unwrap().scopes();
    let regions: Vec<_> = scopes.iter().map(|scope| scope.region.as_str()).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
}

#[tokio::test]
async fn every_change_is_rehearsed_and_takes_effect() {
    let scene = Scene::new().await;
    let public = LaunchPermissions::from([LaunchPermission::Everyone]);
    let shared: LaunchPermissions = ["444455556666", "777788889999"].map(|text| text.parse().unwrap()).into();
    let added = LaunchPermissions::from(["777788889999".parse().unwrap()]);
    scene.change("web", Call::ModifyLaunchPermissions { add: added, remove: public }).await;
    assert_eq!(scene.permissions("web").await, shared);
    scene.change("web", Call::ModifyDescription("Retired".to_owned())).await;
    scene.change("web", Call::RequireImdsV2).await;
    let tags = BTreeMap::from([("Owner".to_owned(), "web team".to_owned())]);
    scene.change("web", Call::CreateTags(tags.clone())).await;
    scene.change("web", Call::DeleteTags(BTreeSet::from(["Env".to_owned()]))).await;
    scene.change("web", Call::EnableDeregistrationProtection { with_cooldown: false }).await;
    let at: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
    scene.change("web", Call::EnableDeprecation(at)).await;
    scene.change("web", Call::DisableImage).await;
    let web = scene.image("web").await;
    assert_eq!(web.description.as_deref(), Some("Retired"));
    assert_eq!(web.imds_support.as_deref(), Some("v2.0"));
    assert_eq!(web.tags, tags);
    assert_eq!(web.protection, DeregistrationProtection::On);
    assert_eq!(web.deprecated_at, Reading::Present(at));
    assert_eq!(web.state, ImageState::Disabled);
    assert_eq!(web.public, Reading::Present(false));
    scene.change("web", Call::EnableImage).await;
    scene.change("web", Call::DisableDeprecation).await;
    scene.change("web", Call::DisableDeregistrationProtection).await;
    let web = scene.image("web").await;
    assert_eq!((web.state, web.deprecated_at), (ImageState::Available, Reading::Absent));
    assert_eq!(web.protection, DeregistrationProtection::Off);
}

#[tokio::test]
async fn deregistering_tells_what_became_of_the_snapshots() {
    let scene = Scene::new().await;
    let id = scene.id("old");
    let call = Call::DeregisterImage { snapshots: SnapshotFate::Delete };
    let receipt = scene.writer.execute(&id, &call).await.unwrap();
    let codes: Vec<_> = receipt.snapshots.iter().map(|result| result.return_code.as_str()).collect();
    assert_eq!(codes, ["success"]);
    assert_eq!(scene.reader.image(&id).await, Ok(None));
    let again = scene.writer.execute(&id, &call).await.unwrap_err();
    assert!(!again.kind.may_have_happened(), "{again}");
}

#[tokio::test]
async fn a_change_whose_reply_is_lost_may_have_happened() {
    for kind in [FaultKind::ResetAfter, FaultKind::ServerErrorAfter, FaultKind::TruncatedBody] {
        let scene = Scene::new().await;
        scene.sandbox.cloud().inject(Fault::new("DisableImage", kind));
        let error = scene.writer.execute(&scene.id("web"), &Call::DisableImage).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::NoReply, "{kind:?}");
        assert_eq!(scene.image("web").await.state, ImageState::Disabled, "{kind:?}");
        let sent = scene.sandbox.cloud().requests();
        assert_eq!(sent.iter().filter(|request| request.action == "DisableImage").count(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_executes_rehearsals_is_found_out() {
    let scene = Scene::new().await;
    scene.sandbox.cloud().inject(Fault::new("*", FaultKind::ExecutesDryRun).every_time());
    let canary = scene.reader.check_dry_run().await.unwrap_err();
    assert_eq!(canary.kind, CallErrorKind::ExecutedDryRun);
    let rehearsal = scene.writer.rehearse(&scene.id("web"), &Call::DisableImage).await.unwrap_err();
    assert_eq!(rehearsal.kind, CallErrorKind::ExecutedDryRun);
}

#[tokio::test]
async fn a_list_that_goes_round_in_circles_is_a_gap() {
    let scene = Scene::new().await;
    scene.sandbox.cloud().inject(Fault::new("DescribeImages", FaultKind::RepeatedToken).every_time());
    let images = scene.reader.images().await;
    assert!(images.gap.is_some());
    scene.sandbox.cloud().clear_faults();
    scene.sandbox.cloud().inject(Fault::new("DescribeImages", FaultKind::EmptyPage));
    let images = scene.reader.images().await;
    assert_eq!((images.items.len(), images.gap), (3, None));
}
