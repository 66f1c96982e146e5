//! Changes and their rehearsal, over the wire.

use amiwarden_sandbox::{FleetImage, ImageState, LaunchPermission, Sandbox};

use crate::client::{Reply, fleet, id_of, send, start};

const OTHER: &str = "444455556666";
const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-a";
const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-a/ou-a-1";

async fn change(sandbox: &Sandbox, action: &str, name: &str, more: &[(&str, &str)]) -> Reply {
    let id = id_of(sandbox, name);
    let head = [("Action", action), ("ImageId", id.as_str())];
    send(sandbox, &[&head[..], more].concat()).await
}

fn grants(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let image = sandbox.cloud().image_named(name).unwrap();
    image.launch_permissions.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_rehearsal_permits_or_denies_and_changes_nothing() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    sandbox.cloud().deny("DeregisterImage");
    sandbox.cloud().deny_real_only("EnableImage");
    let before = sandbox.cloud().world();
    let rehearsal = [("DryRun", "true")];
    for (action, expected) in [
        ("DisableImage", "412 DryRunOperation"),
        ("DeregisterImage", "403 UnauthorizedOperation"),
        ("EnableImage", "412 DryRunOperation"),
        ("DisableImageDeprecation", "412 DryRunOperation"),
        ("EnableImageDeregistrationProtection", "412 DryRunOperation"),
    ] {
        assert_eq!(change(&sandbox, action, "a", &rehearsal).await.outcome(), expected, "{action}");
    }
    let canary = [("Action", "DescribeImages"), ("DryRun", "true")];
    assert_eq!(send(&sandbox, &canary).await.outcome(), "412 DryRunOperation");
    // It is a check of permissions only: an image that does not exist passes.
    let unknown = [("Action", "DisableImage"), ("ImageId", "ami-12345678"), ("DryRun", "true")];
    assert_eq!(send(&sandbox, &unknown).await.outcome(), "412 DryRunOperation");
    assert_eq!(sandbox.cloud().world(), before);
    assert!(sandbox.cloud().requests().iter().all(|request| !request.applied && request.dry_run));

    assert_eq!(change(&sandbox, "EnableImage", "a", &[]).await.outcome(), "403 UnauthorizedOperation");
    sandbox.cloud().allow("EnableImage");
    assert_eq!(change(&sandbox, "EnableImage", "a", &[]).await.outcome(), "200 -");
}

#[tokio::test]
async fn disabling_and_enabling() {
    let image = FleetImage { launch_permissions: [LaunchPermission::All].into(), ..FleetImage::new("a") };
    let sandbox = start(fleet([image])).await;
    let reply = change(&sandbox, "DisableImage", "a", &[("DryRun", "false")]).await;
    assert!(reply.body.contains("<DisableImageResponse "), "{}", reply.body);
    assert_eq!(reply.text("return"), "true");
    let image = sandbox.cloud().image_named("a").unwrap();
    assert_eq!((image.state, image.is_public()), (ImageState::Disabled, false));
    change(&sandbox, "EnableImage", "a", &[]).await;
    let image = sandbox.cloud().image_named("a").unwrap();
    assert_eq!((image.state, image.is_public()), (ImageState::Available, false));
}

#[tokio::test]
async fn launch_permissions_in_both_spellings() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let modify = async |parameters: &[(&str, &str)]| {
        change(&sandbox, "ModifyImageAttribute", "a", parameters).await.outcome()
    };
    let added = [
        ("LaunchPermission.Add.1.UserId", OTHER),
        ("LaunchPermission.Add.2.Group", "all"),
        ("LaunchPermission.Add.3.OrganizationArn", ORGANIZATION),
        ("LaunchPermission.Add.4.OrganizationalUnitArn", UNIT),
    ];
    assert_eq!(modify(&added).await, "200 -");
    assert_eq!(grants(&sandbox, "a"), ["all", OTHER, ORGANIZATION, UNIT]);
    let removed = [
        ("Attribute", "launchPermission"),
        ("OperationType", "remove"),
        ("UserGroup.1", "all"),
        ("OrganizationArn.1", ORGANIZATION),
    ];
    assert_eq!(modify(&removed).await, "200 -");
    assert_eq!(grants(&sandbox, "a"), [OTHER, UNIT]);

    let bad_item = "400 InvalidAMIAttributeItemValue";
    let bad_mix = "400 InvalidParameterCombination";
    for (parameters, expected) in [
        (&[("LaunchPermission.Add.1.UserId", "12")][..], bad_item),
        (&[("LaunchPermission.Add.1.Group", "everyone")], bad_item),
        (&[("LaunchPermission.Add.1.OrganizationArn", UNIT)], bad_item),
        (&[("LaunchPermission.Add.1.UserId", OTHER), ("LaunchPermission.Add.1.Group", "all")], bad_item),
        (&[("LaunchPermission.Add.1.Group", "all"), ("Description.Value", "x")], bad_mix),
        (&[], bad_mix),
    ] {
        assert_eq!(modify(parameters).await, expected, "{parameters:?}");
    }
    assert_eq!(grants(&sandbox, "a"), [OTHER, UNIT]);
}

#[tokio::test]
async fn description_imds_deprecation_and_protection() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    for (action, parameters) in [
        ("ModifyImageAttribute", &[("Description.Value", "new text")][..]),
        ("ModifyImageAttribute", &[("ImdsSupport.Value", "v2.0")]),
        ("EnableImageDeprecation", &[("DeprecateAt", "2027-01-15T08:00:29Z")]),
    ] {
        let reply = change(&sandbox, action, "a", parameters).await;
        assert_eq!(reply.text("return"), "true", "{action}");
    }
    let protect = [("WithCooldown", "true")];
    let reply = change(&sandbox, "EnableImageDeregistrationProtection", "a", &protect).await;
    assert_eq!(reply.text("return"), "enabled-with-cooldown");
    let image = sandbox.cloud().image_named("a").unwrap();
    assert_eq!(image.description.as_deref(), Some("new text"));
    assert_eq!(image.imds_support.as_deref(), Some("v2.0"));
    assert_eq!(image.deprecated_at.unwrap().to_string(), "2027-01-15T08:00:00Z");
    assert_eq!(change(&sandbox, "DeregisterImage", "a", &[]).await.outcome(), "400 OperationNotPermitted");
    let reply = change(&sandbox, "DisableImageDeregistrationProtection", "a", &[]).await;
    assert!(reply.text("return").starts_with("disabled after 2026-11-21T10:00:0"), "{}", reply.body);
    let past = [("DeprecateAt", "2020-01-01T00:00:00Z")];
    let refused = change(&sandbox, "EnableImageDeprecation", "a", &past).await;
    assert_eq!(refused.outcome(), "400 InvalidParameterValue");
}

#[tokio::test]
async fn deregistering_tells_what_became_of_each_snapshot() {
    let sandbox = start(fleet([FleetImage::new("a"), FleetImage::new("b")])).await;
    let snapshot = sandbox.cloud().image_named("a").unwrap().snapshots[0].clone();
    sandbox.cloud().update(|world| {
        let id = world.images.values().find(|image| image.name == "b").unwrap().id.clone();
        world.images.get_mut(&id).unwrap().snapshots.insert(0, snapshot.clone());
    });
    let delete = [("DeleteAssociatedSnapshots", "true")];
    let first = change(&sandbox, "DeregisterImage", "a", &delete).await;
    assert_eq!((first.text("snapshotId"), first.text("returnCode")), (snapshot.as_str(), "skipped"));
    sandbox.cloud().deny("DeleteSnapshot");
    let second = change(&sandbox, "DeregisterImage", "b", &delete).await;
    assert_eq!(second.texts("returnCode"), ["missing-permissions"; 2]);
    assert_eq!(sandbox.cloud().snapshots().len(), 2);
    sandbox.cloud().allow("DeleteSnapshot");
    let reply = send(&sandbox, &[("Action", "DeleteSnapshot"), ("SnapshotId", &snapshot)]).await;
    assert_eq!(reply.text("return"), "true");
    assert_eq!(sandbox.cloud().snapshots().len(), 1);
}

#[tokio::test]
async fn tags_of_several_resources_at_once() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let image = sandbox.cloud().image_named("a").unwrap();
    let resources = [("ResourceId.1", image.id.as_str()), ("ResourceId.2", &image.snapshots[0])];
    let create = [
        &[("Action", "CreateTags")],
        &resources[..],
        &[("Tag.1.Key", "amiwarden:disabled-at"), ("Tag.1.Value", "2026"), ("Tag.2.Key", "empty")],
    ];
    assert_eq!(send(&sandbox, &create.concat()).await.outcome(), "200 -");
    let tags = sandbox.cloud().image_named("a").unwrap().tags;
    assert_eq!(tags["amiwarden:disabled-at"], "2026");
    assert_eq!(tags["empty"], "");
    assert_eq!(sandbox.cloud().snapshots()[0].tags, tags);
    let delete = [&[("Action", "DeleteTags")], &resources[..], &[("Tag.1.Key", "empty")]];
    assert_eq!(send(&sandbox, &delete.concat()).await.outcome(), "200 -");
    assert_eq!(sandbox.cloud().image_named("a").unwrap().tags.len(), 1);
    let record = sandbox.cloud().requests().pop().unwrap();
    assert_eq!(record.image_ids, [image.id], "tag requests name images too");
}
