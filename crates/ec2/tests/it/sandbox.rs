//! A fleet that is listed and changed through the simulated endpoint.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Call, CallErrorKind, CloudReader, CloudWriter, DeregistrationProtection, Image, ImageId, ImageState,
    LaunchPermission, LaunchPermissions, Reading, SnapshotFate, Source, TemplateVersions, Timestamp,
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
  "ssm_parameters": { "/golden/web": "gold" }
}"#;

struct Scene {
    sandbox: Sandbox,
    connection: Connection,
    reader: Ec2Reader,
    writer: Ec2Writer,
}

impl Scene {
    async fn new() -> Self {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut options_of_sandbox = SandboxOptions::new(Fleet::from_json(FLEET).unwrap(), now);
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
    for (source, image) in [(Source::Instances, "web"), (Source::LaunchTemplates, "gold")] {
        let uses = scene.reader.uses(source).await;
        assert_eq!(uses.gap, None, "{source}");
        let images: Vec<_> = uses.items.iter().map(|image_use| image_use.image.clone()).collect();
        assert_eq!(images, [scene.id(image)], "{source}");
    }
    let web = scene.image("web").await;
    assert_eq!(web.public, Reading::Present(true));
    assert_eq!(scene.permissions("web").await.len(), 2);
    assert_eq!(scene.image("old").await.state, ImageState::Disabled);
    assert_eq!(scene.reader.image(&ImageId::new("ami-0fedcba9876543210")).await, Ok(None));
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
