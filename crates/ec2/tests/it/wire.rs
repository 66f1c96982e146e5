//! The exact request that each call of the domain comes to.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Call, CallErrorKind, CloudWriter, LaunchPermissions, SnapshotFate, SnapshotId, SnapshotResult,
};

use crate::server::{REQUEST_ID, Reply, Server};
use crate::setup::{IMAGE, image_id, writer};

const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-1";
const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-1/ou-1";

/// Sends `call` for real and rehearsed, and compares the form; the rehearsed one has `DryRun=true` in place of
/// `DryRun=false`.
async fn check(call: Call, content: &str, expected: &[(&str, &str)]) {
    let reply = Reply::ok(call.operation(), content);
    let server = Server::scripted([reply, Reply::error(412, "DryRunOperation", "words")]).await;
    let writer = writer(&server).await;
    let receipt = writer.execute(&image_id(), &call).await.unwrap();
    assert_eq!(receipt.request_id.as_deref(), Some(REQUEST_ID), "{call}");
    writer.rehearse(&image_id(), &call).await.unwrap();
    for (request, dry_run) in server.requests().into_iter().zip(["false", "true"]) {
        let form: BTreeMap<_, _> = expected
            .iter()
            .copied()
            .chain([("DryRun", dry_run)])
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        assert_eq!(request.action, call.operation());
        assert_eq!(request.form, form, "{call}");
    }
    assert_eq!(server.requests().len(), 2);
}

fn permissions<const N: usize>(texts: [&str; N]) -> LaunchPermissions {
    texts.map(|text| text.parse().unwrap()).into()
}

const IMAGE_ID: (&str, &str) = ("ImageId", IMAGE);
const TRUE: &str = "<return>true</return>";

#[tokio::test]
async fn launch_permissions_are_added_and_removed_by_name() {
    let call = Call::ModifyLaunchPermissions {
        add: permissions(["444455556666"]),
        remove: permissions(["all", "999988887777", ORGANIZATION, UNIT]),
    };
    let expected = [
        IMAGE_ID,
        ("LaunchPermission.Add.1.UserId", "444455556666"),
        ("LaunchPermission.Remove.1.Group", "all"),
        ("LaunchPermission.Remove.2.UserId", "999988887777"),
        ("LaunchPermission.Remove.3.OrganizationArn", ORGANIZATION),
        ("LaunchPermission.Remove.4.OrganizationalUnitArn", UNIT),
    ];
    check(call, TRUE, &expected).await;
    let call = Call::ModifyLaunchPermissions { add: permissions([]), remove: permissions(["all"]) };
    check(call, TRUE, &[IMAGE_ID, ("LaunchPermission.Remove.1.Group", "all")]).await;
}

#[tokio::test]
async fn attributes_are_set_one_per_call() {
    let call = Call::ModifyDescription("für web & db = 100 %".to_owned());
    check(call, TRUE, &[IMAGE_ID, ("Description.Value", "für web & db = 100 %")]).await;
    check(Call::ModifyDescription(String::new()), TRUE, &[IMAGE_ID, ("Description.Value", "")]).await;
    check(Call::RequireImdsV2, TRUE, &[IMAGE_ID, ("ImdsSupport.Value", "v2.0")]).await;
}

#[tokio::test]
async fn tags_are_set_with_values_and_removed_by_key() {
    let tags = BTreeMap::from([("Env", "dev"), ("Owner", "")]);
    let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let expected = [
        ("ResourceId.1", IMAGE),
        ("Tag.1.Key", "Env"),
        ("Tag.1.Value", "dev"),
        ("Tag.2.Key", "Owner"),
        ("Tag.2.Value", ""),
    ];
    check(Call::CreateTags(tags), TRUE, &expected).await;
    let keys = BTreeSet::from(["Env".to_owned(), "Owner".to_owned()]);
    let expected = [("ResourceId.1", IMAGE), ("Tag.1.Key", "Env"), ("Tag.2.Key", "Owner")];
    check(Call::DeleteTags(keys), TRUE, &expected).await;
}

#[tokio::test]
async fn protection_goes_on_and_off() {
    let word = "<return>enabled-without-cooldown</return>";
    for (with_cooldown, text) in [(false, "false"), (true, "true")] {
        let call = Call::EnableDeregistrationProtection { with_cooldown };
        check(call, word, &[IMAGE_ID, ("WithCooldown", text)]).await;
    }
    check(Call::DisableDeregistrationProtection, "<return>disabled</return>", &[IMAGE_ID]).await;
    check(Call::DisableDeregistrationProtection, TRUE, &[IMAGE_ID]).await;
}

#[tokio::test]
async fn the_life_of_an_image_is_moved() {
    let at = "2027-01-15T08:00:00.5Z".parse().unwrap();
    let expected = [IMAGE_ID, ("DeprecateAt", "2027-01-15T08:00:00Z")];
    check(Call::EnableDeprecation(at), TRUE, &expected).await;
    check(Call::DisableDeprecation, TRUE, &[IMAGE_ID]).await;
    check(Call::DisableImage, TRUE, &[IMAGE_ID]).await;
    check(Call::EnableImage, TRUE, &[IMAGE_ID]).await;
    for (snapshots, text) in [(SnapshotFate::Keep, "false"), (SnapshotFate::Delete, "true")] {
        let expected = [IMAGE_ID, ("DeleteAssociatedSnapshots", text)];
        check(Call::DeregisterImage { snapshots }, TRUE, &expected).await;
    }
}

#[tokio::test]
async fn what_became_of_each_snapshot_is_told() {
    let item = |(number, code)| {
        format!("<item><snapshotId>snap-{number}</snapshotId><returnCode>{code}</returnCode></item>")
    };
    let codes = ["success", "skipped", "missing-permissions", "internal-error", "client-error", "new"];
    let items = codes.iter().enumerate().map(item).collect::<Vec<_>>().concat();
    let content = format!("{TRUE}<deleteSnapshotResultSet>{items}</deleteSnapshotResultSet>");
    let server = Server::scripted([Reply::ok("DeregisterImage", &content)]).await;
    let call = Call::DeregisterImage { snapshots: SnapshotFate::Delete };
    let receipt = writer(&server).await.execute(&image_id(), &call).await.unwrap();
    let result = |number: u32, code: &str| SnapshotResult {
        snapshot_id: SnapshotId::new(format!("snap-{number}")),
        return_code: code.to_owned(),
    };
    let expected = [
        result(0, "success"),
        result(1, "skipped"),
        result(2, "missing-permissions"),
        result(3, "internal-error"),
        result(4, "client-error"),
        result(5, "new"),
    ];
    assert_eq!(receipt.snapshots, expected);
}

#[tokio::test]
async fn a_word_that_does_not_confirm_is_no_success() {
    for (content, expected) in [
        ("<return>false</return>", CallErrorKind::Refused),
        ("<return></return>", CallErrorKind::NoReply),
        ("", CallErrorKind::NoReply),
    ] {
        let call = Call::DisableDeregistrationProtection;
        let server = Server::scripted([Reply::ok(call.operation(), content)]).await;
        let error = writer(&server).await.execute(&image_id(), &call).await.unwrap_err();
        assert_eq!(error.kind, expected, "{content}");
    }
}

/// `DeleteTags` without a tag removes every tag.
#[tokio::test]
async fn what_names_nothing_is_not_sent() {
    let nothing = || LaunchPermissions::new();
    for call in [
        Call::DeleteTags(BTreeSet::new()),
        Call::CreateTags(BTreeMap::new()),
        Call::ModifyLaunchPermissions { add: nothing(), remove: nothing() },
    ] {
        let server = Server::scripted([]).await;
        let writer = writer(&server).await;
        for result in
            [writer.execute(&image_id(), &call).await.map(|_| ()), writer.rehearse(&image_id(), &call).await]
        {
            assert_eq!(result.unwrap_err().kind, CallErrorKind::Refused, "{call}");
        }
        assert_eq!(server.requests(), []);
        assert_eq!(writer.calls_sent(), 0);
    }
}

#[tokio::test]
async fn requests_are_signed_for_the_scope_and_say_who_sends_them() {
    let server = Server::scripted([Reply::ok("DisableImage", TRUE)]).await;
    writer(&server).await.execute(&image_id(), &Call::DisableImage).await.unwrap();
    let headers = server.requests()[0].headers.clone();
    assert!(headers["authorization"].contains("Credential=sandbox/"), "{headers:?}");
    assert!(headers["authorization"].contains("/eu-west-1/ec2/aws4_request"), "{headers:?}");
    assert!(headers["user-agent"].contains("app/amiwarden"), "{headers:?}");
}
