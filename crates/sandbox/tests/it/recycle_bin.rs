//! The Recycle Bin: what goes into it, what leaves it, and how it is told over the wire.

use std::collections::BTreeMap;

use amiwarden_sandbox::{
    Fault, FaultKind, Fleet, FleetImage, FleetRetentionRule, FleetSnapshot, ImageState, LaunchPermission,
    ResourceKind, Sandbox, SandboxOptions,
};
use jiff::SignedDuration;

use crate::client::{Reply, fleet, id_of, now, send, send_in, start, start_with};

fn tags(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

/// Images `kept`, tagged and shared, and `other`. Every image is kept for 30 days unless its stage is
/// test; of the snapshots, only those of the team web are, for 7 days.
fn bin_fleet() -> Fleet {
    let snapshot = FleetSnapshot { tags: Some(tags("Team", "web")), ..FleetSnapshot::default() };
    let kept = FleetImage {
        description: Some("front end".to_owned()),
        tags: tags("Team", "web"),
        launch_permissions: [LaunchPermission::Account("444455556666".to_owned())].into(),
        snapshots: Some(vec![snapshot]),
        ..FleetImage::new("kept")
    };
    let excluded = FleetImage { tags: tags("Stage", "test"), ..FleetImage::new("excluded") };
    let instance_store =
        FleetImage { root_device_type: "instance-store".to_owned(), ..FleetImage::new("instance-store") };
    let disabled = FleetImage { state: ImageState::Disabled, ..FleetImage::new("disabled") };
    Fleet {
        recycle_bin_rules: vec![
            FleetRetentionRule {
                exclude_tags: [("Stage".to_owned(), Some("test".to_owned()))].into(),
                ..FleetRetentionRule::new(ResourceKind::Image, 30)
            },
            FleetRetentionRule {
                tags: [("Team".to_owned(), None)].into(),
                ..FleetRetentionRule::new(ResourceKind::Snapshot, 7)
            },
        ],
        ..fleet([kept, excluded, instance_store, disabled, FleetImage::new("other")])
    }
}

async fn deregister(sandbox: &Sandbox, image_id: &str, with_snapshots: &str) -> Reply {
    let parameters =
        [("Action", "DeregisterImage"), ("ImageId", image_id), ("DeleteAssociatedSnapshots", with_snapshots)];
    send(sandbox, &parameters).await
}

async fn restore(sandbox: &Sandbox, image_id: &str) -> String {
    send(sandbox, &[("Action", "RestoreImageFromRecycleBin"), ("ImageId", image_id)]).await.outcome()
}

async fn list(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Reply {
    send(sandbox, &[&[("Action", "ListImagesInRecycleBin")], parameters].concat()).await
}

#[tokio::test]
async fn an_image_goes_to_the_bin_and_comes_back_as_it_was() {
    let sandbox = start(bin_fleet()).await;
    let cloud = sandbox.cloud();
    let image = cloud.image_named("kept").unwrap();
    let before = cloud.world();
    assert_eq!(deregister(&sandbox, &image.id, "false").await.outcome(), "200 -");
    assert!(cloud.image(&image.id).is_none());
    let described = send(&sandbox, &[("Action", "DescribeImages"), ("Owner.1", "self")]).await;
    assert!(!described.body.contains(&image.id), "what is in the bin is not described");

    let listed = list(&sandbox, &[]).await;
    assert_eq!(listed.texts("imageId"), [&image.id]);
    assert_eq!((listed.text("name"), listed.text("description")), ("kept", "front end"));
    let day = |reply: &Reply, element: &str| reply.text(element)[..10].to_owned();
    assert_eq!(day(&listed, "recycleBinEnterTime"), "2026-11-20");
    assert_eq!(day(&listed, "recycleBinExitTime"), "2026-12-20");
    assert_eq!(cloud.binned_images()[0].resource, image);

    let rehearsal =
        [("Action", "RestoreImageFromRecycleBin"), ("ImageId", image.id.as_str()), ("DryRun", "true")];
    assert_eq!(send(&sandbox, &rehearsal).await.outcome(), "412 DryRunOperation");
    assert!(cloud.image(&image.id).is_none());
    let reply = send(&sandbox, &rehearsal[..2]).await;
    assert_eq!(reply.text("return"), "true");
    assert_eq!(cloud.world(), before, "sharing, tags and all");
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidAMIID.NotFound", "it is there already");
}

#[tokio::test]
async fn only_what_a_rule_covers_is_kept() {
    for (name, kept) in
        [("kept", true), ("other", true), ("disabled", true), ("excluded", false), ("instance-store", false)]
    {
        let sandbox = start(bin_fleet()).await;
        let image = sandbox.cloud().image_named(name).unwrap();
        assert_eq!(deregister(&sandbox, &image.id, "false").await.outcome(), "200 -");
        assert_eq!(sandbox.cloud().binned_images().len(), usize::from(kept), "{name}");
        let expected = if kept { "200 -" } else { "400 InvalidAMIID.NotFound" };
        assert_eq!(restore(&sandbox, &image.id).await, expected, "{name}");
        let back = sandbox.cloud().image(&image.id);
        assert_eq!(back.map(|image| image.state), kept.then_some(image.state), "{name}");
    }
}

#[tokio::test]
async fn the_longest_of_several_rules_counts() {
    let mut fleet = bin_fleet();
    fleet.recycle_bin_rules.push(FleetRetentionRule {
        tags: [("Team".to_owned(), Some("web".to_owned()))].into(),
        ..FleetRetentionRule::new(ResourceKind::Image, 90)
    });
    let sandbox = start(fleet).await;
    for name in ["kept", "other"] {
        deregister(&sandbox, &id_of(&sandbox, name), "false").await;
    }
    for binned in sandbox.cloud().binned_images() {
        let days = if binned.resource.name == "kept" { 90 } else { 30 };
        assert_eq!(binned.exits_at.duration_since(binned.entered_at), SignedDuration::from_hours(24 * days));
    }
}

#[tokio::test]
async fn the_snapshots_come_back_first() {
    let sandbox = start(bin_fleet()).await;
    let cloud = sandbox.cloud();
    let image = cloud.image_named("kept").unwrap();
    let before = cloud.world();
    assert_eq!(deregister(&sandbox, &image.id, "true").await.text("returnCode"), "success");
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidSnapshot.NotFound");
    assert!(cloud.image(&image.id).is_none());

    let snapshot_id = image.snapshots[0].as_str();
    let listed = send(&sandbox, &[("Action", "ListSnapshotsInRecycleBin")]).await;
    assert_eq!(listed.text("snapshotId"), snapshot_id);
    assert_eq!(&listed.text("recycleBinExitTime")[..10], "2026-11-27");
    let restoring = [("Action", "RestoreSnapshotFromRecycleBin"), ("SnapshotId", snapshot_id)];
    let rehearsal = [&restoring[..], &[("DryRun", "true")]].concat();
    assert_eq!(send(&sandbox, &rehearsal).await.outcome(), "412 DryRunOperation");
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidSnapshot.NotFound");
    let restored = send(&sandbox, &restoring).await;
    assert_eq!((restored.text("snapshotId"), restored.text("volumeSize")), (snapshot_id, "8"));
    assert_eq!(send(&sandbox, &restoring).await.outcome(), "400 InvalidSnapshot.NotFound");
    assert_eq!(restore(&sandbox, &image.id).await, "200 -");
    assert_eq!(cloud.world(), before);
}

#[tokio::test]
async fn an_image_whose_snapshot_no_rule_covers_cannot_come_back() {
    let sandbox = start(bin_fleet()).await;
    let image = sandbox.cloud().image_named("other").unwrap();
    deregister(&sandbox, &image.id, "true").await;
    assert_eq!(sandbox.cloud().binned_images().len(), 1);
    assert_eq!(sandbox.cloud().binned_snapshots(), []);
    let lost = [("Action", "RestoreSnapshotFromRecycleBin"), ("SnapshotId", image.snapshots[0].as_str())];
    assert_eq!(send(&sandbox, &lost).await.outcome(), "400 InvalidSnapshot.NotFound");
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidSnapshot.NotFound");
}

#[tokio::test]
async fn a_snapshot_that_is_deleted_by_itself_goes_to_the_bin_too() {
    let sandbox = start(bin_fleet()).await;
    let image = sandbox.cloud().image_named("kept").unwrap();
    deregister(&sandbox, &image.id, "false").await;
    send(&sandbox, &[("Action", "DeleteSnapshot"), ("SnapshotId", &image.snapshots[0])]).await;
    assert_eq!(sandbox.cloud().binned_snapshots()[0].resource.id, image.snapshots[0]);
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidSnapshot.NotFound");
}

#[tokio::test]
async fn the_bin_loses_what_it_has_kept_long_enough() {
    let sandbox = start(bin_fleet()).await;
    let cloud = sandbox.cloud();
    let image = cloud.image_named("kept").unwrap();
    deregister(&sandbox, &image.id, "true").await;
    cloud.advance(SignedDuration::from_hours(24 * 7 - 1));
    assert_eq!((cloud.binned_images().len(), cloud.binned_snapshots().len()), (1, 1));
    cloud.advance(SignedDuration::from_hours(1));
    assert_eq!((cloud.binned_images().len(), cloud.binned_snapshots().len()), (1, 0));
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidSnapshot.NotFound");
    cloud.advance(SignedDuration::from_hours(24 * 23));
    assert_eq!(list(&sandbox, &[]).await.texts("imageId"), [""; 0]);
    assert_eq!(restore(&sandbox, &image.id).await, "400 InvalidAMIID.NotFound");
}

#[tokio::test]
async fn the_bin_is_listed_in_pages_by_id_and_by_region() {
    let rule = FleetRetentionRule::new(ResourceKind::Image, 7);
    let images = (0..25).map(|n| FleetImage::new(&format!("i{n}")));
    let sandbox = start(Fleet {
        recycle_bin_rules: vec![rule],
        regions: ["eu-west-1".to_owned()].into(),
        ..fleet(images)
    })
    .await;
    let ids: Vec<String> = sandbox.cloud().images().into_iter().map(|image| image.id).collect();
    for id in &ids {
        deregister(&sandbox, id, "false").await;
    }
    let first = list(&sandbox, &[("MaxResults", "20")]).await;
    let token = first.token().unwrap();
    let second = list(&sandbox, &[("MaxResults", "20"), ("NextToken", &token)]).await;
    assert_eq!([first.texts("imageId"), second.texts("imageId")].concat(), ids);
    assert_eq!(second.token(), None);

    let keys: Vec<String> = (1..=21).map(|n| format!("ImageId.{n}")).collect();
    let named: Vec<(&str, &str)> =
        keys.iter().map(String::as_str).zip(ids.iter().map(String::as_str)).collect();
    assert_eq!(list(&sandbox, &named[..20]).await.texts("imageId").len(), 20);
    assert_eq!(list(&sandbox, &named).await.outcome(), "400 InvalidParameterValue");
    for (parameter, expected) in [
        (("ImageId.1", "ami-12345678"), "400 InvalidAMIID.NotFound"),
        (("ImageId.1", "ami-x"), "400 InvalidAMIID.Malformed"),
        (("MaxResults", "0"), "400 InvalidParameterValue"),
        (("MaxResults", "1001"), "400 InvalidParameterValue"),
        (("Filter.1.Name", "x"), "400 UnknownParameter"),
    ] {
        assert_eq!(list(&sandbox, &[parameter]).await.outcome(), expected, "{parameter:?}");
    }
    let elsewhere = send_in(&sandbox, "eu-west-1", &[("Action", "ListImagesInRecycleBin")]).await;
    assert_eq!((elsewhere.status, elsewhere.texts("imageId").len()), (200, 0));
    let there = [("Action", "RestoreImageFromRecycleBin"), ("ImageId", ids[0].as_str())];
    assert_eq!(send_in(&sandbox, "eu-west-1", &there).await.outcome(), "400 InvalidAMIID.NotFound");
}

#[tokio::test]
async fn the_bin_outlives_the_process_and_stale_reads_do_not_know_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = || SandboxOptions {
        state_file: Some(folder.path().join("world.json")),
        ..SandboxOptions::new(bin_fleet(), now())
    };
    let sandbox = start_with(options()).await;
    let image = sandbox.cloud().image_named("kept").unwrap();
    deregister(&sandbox, &image.id, "true").await;
    sandbox.cloud().inject(Fault::new("ListImagesInRecycleBin", FaultKind::StaleReads { changes: 1 }));
    assert_eq!(list(&sandbox, &[]).await.texts("imageId"), [""; 0]);
    assert_eq!(list(&sandbox, &[]).await.texts("imageId"), [&image.id]);
    let world = sandbox.cloud().world();
    drop(sandbox);
    let again = start_with(options()).await;
    assert_eq!(again.cloud().world(), world);
    assert_eq!(again.cloud().binned_images()[0].resource, image);
    assert_eq!(again.cloud().binned_snapshots().len(), 1);
}
