//! The Describe calls, over the wire.

use std::collections::BTreeSet;

use amiwarden_sandbox::{
    Fleet, FleetDate, FleetImage, FleetInstance, FleetTemplate, FleetTemplateVersion, ImageState,
    InstanceState, LaunchPermission, Sandbox, SandboxOptions,
};
use jiff::SignedDuration;

use crate::client::{
    ACCOUNT, REGION, Reply, exchange, fleet, id_of, now, send, send_in, signed, start, start_with,
};

const OTHER: &str = "444455556666";

fn disabled(name: &str) -> FleetImage {
    FleetImage { state: ImageState::Disabled, ..FleetImage::new(name) }
}

async fn names(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> BTreeSet<String> {
    let mut all = vec![("Action", "DescribeImages")];
    all.extend(parameters);
    let reply = send(sandbox, &all).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.texts("name").into_iter().map(str::to_owned).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn disabled_images_show_only_when_asked_for() {
    let sandbox = start(fleet([FleetImage::new("a"), disabled("b")])).await;
    let own = ("Owner.1", "self");
    assert_eq!(names(&sandbox, &[own]).await, set(&["a"]));
    assert_eq!(names(&sandbox, &[own, ("IncludeDisabled", "true")]).await, set(&["a", "b"]));
    assert_eq!(names(&sandbox, &[("ImageId.1", &id_of(&sandbox, "b"))]).await, set(&["b"]));

    let filter = [("Action", "DescribeImages"), ("Filter.1.Name", "state"), ("Filter.1.Value.1", "disabled")];
    assert_eq!(send(&sandbox, &filter).await.outcome(), "400 InvalidParameter");
    let filter = [&filter[1..], &[("IncludeDisabled", "true")]].concat();
    assert_eq!(names(&sandbox, &filter).await, set(&["b"]));
}

#[tokio::test]
async fn owners_see_their_own_and_others_see_what_is_shared() {
    let foreign = |name: &str| FleetImage { owner: Some(OTHER.to_owned()), ..FleetImage::new(name) };
    let sandbox = start(fleet([
        FleetImage::new("own"),
        foreign("private"),
        FleetImage { launch_permissions: [LaunchPermission::All].into(), ..foreign("public") },
        FleetImage {
            launch_permissions: [LaunchPermission::Account(ACCOUNT.to_owned())].into(),
            deprecated_at: Some(FleetDate::days_ago(1)),
            ..foreign("shared-deprecated")
        },
    ]))
    .await;
    assert_eq!(names(&sandbox, &[("Owner.1", "self")]).await, set(&["own"]));
    assert_eq!(names(&sandbox, &[]).await, set(&["own", "public"]));
    let deprecated = [("IncludeDeprecated", "true")];
    assert_eq!(names(&sandbox, &deprecated).await, set(&["own", "public", "shared-deprecated"]));
    assert_eq!(names(&sandbox, &[("Owner.1", OTHER)]).await, set(&["public"]));
    assert_eq!(names(&sandbox, &[("ExecutableBy.1", "all")]).await, set(&["public"]));
    let hidden = [("Action", "DescribeImages"), ("ImageId.1", &id_of(&sandbox, "private"))];
    assert_eq!(send(&sandbox, &hidden).await.outcome(), "400 InvalidAMIID.NotFound");
}

#[tokio::test]
async fn filters_select() {
    let tagged = |name: &str, value: &str| FleetImage {
        tags: [("Env".to_owned(), value.to_owned())].into(),
        ..FleetImage::new(name)
    };
    let public = FleetImage { launch_permissions: [LaunchPermission::All].into(), ..tagged("web-1", "prod") };
    let sandbox = start(fleet([public, tagged("web-2", "dev"), FleetImage::new("api-1")])).await;
    let snapshot = sandbox.cloud().image_named("api-1").unwrap().snapshots[0].clone();
    let id = id_of(&sandbox, "web-2");
    for (name, value, expected) in [
        ("name", "web-*", &["web-1", "web-2"][..]),
        ("tag:Env", "dev", &["web-2"]),
        ("tag-key", "Env", &["web-1", "web-2"]),
        ("is-public", "true", &["web-1"]),
        ("state", "available", &["api-1", "web-1", "web-2"]),
        ("image-id", &id, &["web-2"]),
        ("block-device-mapping.snapshot-id", &snapshot, &["api-1"]),
        ("owner-id", OTHER, &[]),
    ] {
        let filter = [("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        assert_eq!(names(&sandbox, &filter).await, set(expected), "{name}");
    }
    let both = [
        ("Filter.1.Name", "name"),
        ("Filter.1.Value.1", "web-1"),
        ("Filter.1.Value.2", "web-2"),
        ("Filter.2.Name", "tag:Env"),
        ("Filter.2.Value.1", "prod"),
    ];
    assert_eq!(names(&sandbox, &both).await, set(&["web-1"]));
    let unknown = [("Action", "DescribeImages"), ("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")];
    assert_eq!(send(&sandbox, &unknown).await.outcome(), "400 InvalidParameterValue");
}

#[tokio::test]
async fn pages_hold_every_image_once_even_while_images_vanish() {
    let sandbox = start_with(SandboxOptions {
        page_size_max: 3,
        ..SandboxOptions::new(fleet((0..10).map(|n| FleetImage::new(&format!("i{n}")))), now())
    })
    .await;
    let page = async |token: Option<String>| {
        let mut parameters = vec![("Action", "DescribeImages"), ("MaxResults", "1000")];
        if let Some(token) = &token {
            parameters.push(("NextToken", token));
        }
        send(&sandbox, &parameters).await
    };
    let first = page(None).await;
    let seen: Vec<String> = first.texts("imageId").iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(seen.len(), 3);
    // An image of the page already read goes away: the next page must not skip one for it.
    let gone = seen[1].clone();
    sandbox.cloud().update(|world| world.images.remove(&gone));
    let (mut all, mut token) = (seen, first.token());
    while let Some(next) = token {
        let reply = page(Some(next)).await;
        all.extend(reply.texts("imageId").iter().map(|id| (*id).to_owned()));
        token = reply.token();
    }
    assert_eq!(all.len(), 10);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 10);

    let whole = send(&sandbox, &[("Action", "DescribeImages")]).await;
    assert_eq!((whole.texts("imageId").len(), whole.token()), (9, None));
    for token in ["garbage", "00"] {
        let parameters = [("Action", "DescribeImages"), ("NextToken", token)];
        assert_eq!(send(&sandbox, &parameters).await.outcome(), "400 InvalidParameterValue");
    }
}

#[tokio::test]
async fn every_member_that_a_fleet_holds_is_on_the_wire() {
    let image = FleetImage {
        description: Some("a <b> & \"c\"".to_owned()),
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
        last_launched: Some("2026-02-03T04:05:06Z".parse().unwrap()),
        deprecated_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
        platform: Some("windows".to_owned()),
        boot_mode: Some("uefi".to_owned()),
        tpm_support: Some("v2.0".to_owned()),
        imds_support: Some("v2.0".to_owned()),
        source_image_id: Some("ami-0123456789abcdef0".to_owned()),
        source_region: Some("eu-west-1".to_owned()),
        source_instance_id: Some("i-0123456789abcdef0".to_owned()),
        product_codes: vec!["code1".to_owned()],
        tags: [("Owner".to_owned(), "web".to_owned())].into(),
        ..FleetImage::new("full")
    };
    let sandbox = start(fleet([image])).await;
    let reply = send(&sandbox, &[("Action", "DescribeImages"), ("Owner.1", "self")]).await;
    assert!(reply.body.contains("<DescribeImagesResponse xmlns="));
    assert!(reply.headers.contains("x-amzn-requestid: ") && reply.headers.contains("date: "));
    for (element, expected) in [
        ("name", "full"),
        ("imageState", "available"),
        ("imageOwnerId", ACCOUNT),
        ("isPublic", "false"),
        ("description", "a &lt;b&gt; &amp; &quot;c&quot;"),
        // The two date forms of EC2.
        ("creationDate", "2026-01-02T03:04:05.000Z"),
        ("lastLaunchedTime", "2026-02-03T04:05:06Z"),
        ("deprecationTime", "2027-01-01T00:00:00.000Z"),
        ("platform", "windows"),
        ("bootMode", "uefi"),
        ("tpmSupport", "v2.0"),
        ("imdsSupport", "v2.0"),
        ("enaSupport", "true"),
        ("deregistrationProtection", "disabled"),
        ("sourceImageId", "ami-0123456789abcdef0"),
        ("sourceImageRegion", "eu-west-1"),
        ("sourceInstanceId", "i-0123456789abcdef0"),
        ("productCode", "code1"),
        ("deviceName", "/dev/xvda"),
        ("volumeSize", "8"),
        ("key", "Owner"),
        ("value", "web"),
    ] {
        assert_eq!(reply.text(element), expected, "{element}");
    }
}

#[tokio::test]
async fn attributes_one_by_one() {
    let grants = ["all", OTHER, "arn:aws:organizations::111122223333:organization/o-a"];
    let sandbox = start(fleet([
        FleetImage {
            launch_permissions: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
            description: Some("text".to_owned()),
            ..FleetImage::new("a")
        },
        FleetImage { owner: Some(OTHER.to_owned()), ..FleetImage::new("foreign") },
    ]))
    .await;
    let attribute = async |name: &str, attribute: &str| {
        let id = id_of(&sandbox, name);
        let parameters = [("Action", "DescribeImageAttribute"), ("ImageId", &id), ("Attribute", attribute)];
        send(&sandbox, &parameters).await
    };
    let permissions = attribute("a", "launchPermission").await;
    assert_eq!(permissions.text("group"), "all");
    assert_eq!(permissions.text("userId"), OTHER);
    assert_eq!(permissions.text("organizationArn"), grants[2]);
    assert_eq!(permissions.texts("item").len(), 3);
    assert_eq!(attribute("a", "description").await.text("value"), "text");
    assert_eq!(attribute("a", "lastLaunchedTime").await.texts("value"), [""; 0]);
    assert_eq!(attribute("a", "blockDeviceMapping").await.outcome(), "403 AuthFailure");
    assert_eq!(attribute("a", "colour").await.outcome(), "400 InvalidParameterValue");
    assert_eq!(attribute("foreign", "launchPermission").await.outcome(), "403 AuthFailure");
}

#[tokio::test]
async fn instances_in_use_and_hidden_ones() {
    let instance = |state: InstanceState, managed: bool| FleetInstance {
        id: None,
        image: "a".to_owned(),
        state,
        managed,
        region: None,
        account: None,
    };
    let sandbox = start(Fleet {
        instances: vec![
            instance(InstanceState::Running, false),
            instance(InstanceState::Terminated, false),
            instance(InstanceState::Stopped, true),
        ],
        ..fleet([FleetImage::new("a")])
    })
    .await;
    let states = async |parameters: &[(&str, &str)]| {
        let reply = send(&sandbox, &[&[("Action", "DescribeInstances")], parameters].concat()).await;
        let set: BTreeSet<String> = reply
            .texts("instanceState")
            .iter()
            .map(|state| state.split("<name>").nth(1).unwrap().replace("</name>", ""))
            .collect();
        set
    };
    assert_eq!(states(&[]).await, set(&["running", "terminated"]));
    let managed = ("IncludeManagedResources", "true");
    assert_eq!(states(&[managed]).await, set(&["running", "stopped", "terminated"]));
    let alive = [
        managed,
        ("Filter.1.Name", "instance-state-name"),
        ("Filter.1.Value.1", "running"),
        ("Filter.1.Value.2", "stopped"),
        ("MaxResults", "1000"),
    ];
    assert_eq!(states(&alive).await, set(&["running", "stopped"]));
    let other = [("Filter.1.Name", "image-id"), ("Filter.1.Value.1", "ami-12345678")];
    assert_eq!(states(&other).await, set(&[]));
}

fn template_fleet() -> Fleet {
    let version = |version: u64, image: &str| FleetTemplateVersion { version, image: Some(image.to_owned()) };
    Fleet {
        launch_templates: vec![
            FleetTemplate {
                id: None,
                name: "direct".to_owned(),
                region: None,
                account: None,
                default_version: Some(1),
                versions: vec![version(1, "a"), version(2, "b"), version(3, "c")],
            },
            FleetTemplate {
                id: None,
                name: "alias".to_owned(),
                region: None,
                account: None,
                default_version: None,
                versions: vec![version(1, "resolve:ssm:/golden")],
            },
        ],
        ssm_parameters: [("/golden".to_owned(), "c".to_owned())].into(),
        ..fleet(["a", "b", "c"].map(FleetImage::new))
    }
}

#[tokio::test]
async fn template_versions_and_their_aliases() {
    let sandbox = start(template_fleet()).await;
    let images = async |parameters: &[(&str, &str)]| {
        let action = [("Action", "DescribeLaunchTemplateVersions")];
        let reply = send(&sandbox, &[&action, parameters].concat()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let ids: BTreeSet<String> = reply
            .texts("imageId")
            .iter()
            .map(|id| sandbox.cloud().image(id).map_or((*id).to_owned(), |image| image.name))
            .collect();
        (ids, reply.token())
    };
    let both = [("LaunchTemplateVersion.1", "$Latest"), ("LaunchTemplateVersion.2", "$Default")];
    let (unresolved, _) = images(&both).await;
    assert_eq!(unresolved, set(&["a", "c", "resolve:ssm:/golden"]));
    let (resolved, _) = images(&[&both[..], &[("ResolveAlias", "true")]].concat()).await;
    assert_eq!(resolved, set(&["a", "c"]));
    let (all, _) = images(&[("LaunchTemplateName", "direct")]).await;
    assert_eq!(all, set(&["a", "b", "c"]));
    let (page, token) = images(&[("LaunchTemplateName", "direct"), ("MaxResults", "2")]).await;
    assert_eq!(page.len(), 2);
    let rest = [("LaunchTemplateName", "direct"), ("NextToken", token.as_deref().unwrap())];
    assert_eq!(page, set(&["b", "c"]), "the newest come first");
    assert_eq!(images(&rest).await, (set(&["a"]), None));

    for (name, value, expected) in [
        ("LaunchTemplateVersion.1", "1", "400 MissingParameter"),
        ("MaxResults", "201", "400 InvalidParameterValue"),
        ("LaunchTemplateName", "nobody", "400 InvalidLaunchTemplateName.NotFoundException"),
        ("LaunchTemplateId", "lt-12345678", "400 InvalidLaunchTemplateId.NotFound"),
    ] {
        let parameters = [("Action", "DescribeLaunchTemplateVersions"), (name, value)];
        assert_eq!(send(&sandbox, &parameters).await.outcome(), expected);
    }
    let templates = send(&sandbox, &[("Action", "DescribeLaunchTemplates")]).await;
    assert_eq!(templates.texts("launchTemplateId").len(), 2);
    assert_eq!(templates.texts("latestVersionNumber").iter().collect::<BTreeSet<_>>().len(), 2);
}

#[tokio::test]
async fn snapshots_of_the_account_in_pages() {
    let sandbox = start(fleet((0..7).map(|n| FleetImage::new(&format!("i{n}"))))).await;
    let own = [("Action", "DescribeSnapshots"), ("Owner.1", "self"), ("MaxResults", "5")];
    let first = send(&sandbox, &own).await;
    assert_eq!(first.texts("snapshotId").len(), 5);
    let token = first.token().unwrap();
    let second = send(&sandbox, &[&own[..], &[("NextToken", &token)]].concat()).await;
    assert_eq!((second.texts("snapshotId").len(), second.token()), (2, None));
    assert_eq!(second.texts("startTime")[0], "2026-10-21T10:00:00.000Z");
}

#[tokio::test]
async fn regions_and_identity() {
    let mut fleet = fleet([
        FleetImage::new("a"),
        FleetImage { region: Some("eu-west-1".to_owned()), ..FleetImage::new("b") },
    ]);
    fleet.regions.insert("ap-south-1".to_owned());
    let sandbox = start(fleet).await;
    let regions = send(&sandbox, &[("Action", "DescribeRegions")]).await;
    assert_eq!(regions.texts("regionName"), ["ap-south-1", "eu-west-1", REGION]);
    let there = send_in(&sandbox, "eu-west-1", &[("Action", "DescribeImages")]).await;
    assert_eq!(there.texts("name"), ["b"]);
    let nowhere = send_in(&sandbox, "eu-north-1", &[("Action", "DescribeImages")]).await;
    assert_eq!(nowhere.outcome(), "401 AuthFailure");

    let sts = async |action: &str| -> Reply {
        let parameters = [("Action", action), ("Version", "2011-06-15")];
        exchange(sandbox.address(), Some(&signed(REGION, "sts")), &parameters).await.unwrap()
    };
    assert_eq!(sts("GetCallerIdentity").await.text("Account"), ACCOUNT);
    let refused = sts("DescribeImages").await;
    assert!(refused.body.contains("<ErrorResponse><Error><Type>Sender</Type>"), "{}", refused.body);
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let unsigned = exchange(sandbox.address(), None, &[("Action", "DescribeImages")]).await.unwrap();
    assert_eq!(unsigned.outcome(), "403 MissingAuthenticationToken");
    assert!(unsigned.body.contains("<Response><Errors><Error><Code>"));
    for (parameters, expected) in [
        (&[("Action", "RunInstances")][..], "400 InvalidAction"),
        (&[], "400 InvalidAction"),
        (&[("Action", "DisableImage")], "400 MissingParameter"),
        (&[("Action", "DescribeImages"), ("IncludeDisabeld", "true")], "400 UnknownParameter"),
        (&[("Action", "DescribeImages"), ("IncludeDisabled", "yes")], "400 InvalidParameterValue"),
        (&[("Action", "DescribeImages"), ("MaxResults", "0")], "400 InvalidParameterValue"),
        (&[("Action", "DescribeImages"), ("ImageId.1", "ami-x")], "400 InvalidAMIID.Malformed"),
    ] {
        assert_eq!(send(&sandbox, parameters).await.outcome(), expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn a_deregistered_image_yields_nothing_and_later_an_error() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let id = id_of(&sandbox, "a");
    send(&sandbox, &[("Action", "DeregisterImage"), ("ImageId", &id)]).await;
    let by_id = [("Action", "DescribeImages"), ("ImageId.1", id.as_str())];
    let reply = send(&sandbox, &by_id).await;
    assert_eq!((reply.outcome().as_str(), reply.texts("imageId").len()), ("200 -", 0));
    sandbox.cloud().advance(SignedDuration::from_hours(2));
    assert_eq!(send(&sandbox, &by_id).await.outcome(), "400 InvalidAMIID.NotFound");
}
