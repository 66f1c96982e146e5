//! Who uses an image: instances and launch templates.

use amiwarden_core::{CloudReader, ImageId, ImageUse, Listing, Source, TemplateVersions, UseKind};

use crate::server::{Reply, Request, Server};
use crate::setup::{account, reader, reader_to_depth};

pub(crate) async fn uses(source: Source, reply: Reply) -> (Listing<ImageUse>, Vec<Request>) {
    let server = Server::scripted([reply]).await;
    let listing = reader(&server).await.uses(source).await;
    (listing, server.requests())
}

pub(crate) fn image_use(kind: UseKind, image: &str, id: &str) -> ImageUse {
    ImageUse { image: ImageId::new(image), kind, id: id.to_owned(), account: account() }
}

fn instance(id: &str, state: &str, image: &str) -> String {
    format!(
        "<item><instanceId>{id}</instanceId><instanceState><name>{state}</name></instanceState>{image}</item>"
    )
}

#[tokio::test]
async fn each_instance_that_is_not_terminated_uses_its_image() {
    let of = |image: &str| format!("<imageId>{image}</imageId>");
    let reservation = |instances: String| format!("<item><instancesSet>{instances}</instancesSet></item>");
    let content = [
        reservation(instance("i-1", "running", &of("ami-1")) + &instance("i-2", "stopped", &of("ami-2"))),
        reservation(instance("i-3", "terminated", &of("ami-3"))),
        reservation(instance("i-4", "dreaming", &of("ami-1"))),
        reservation(String::new()),
    ]
    .concat();
    let reply = Reply::ok("DescribeInstances", &format!("<reservationSet>{content}</reservationSet>"));
    let (listing, requests) = uses(Source::Instances, reply).await;
    let expected = [
        image_use(UseKind::Instance, "ami-1", "i-1"),
        image_use(UseKind::Instance, "ami-2", "i-2"),
        image_use(UseKind::Instance, "ami-1", "i-4"),
    ];
    assert_eq!(listing, Listing::complete(expected.to_vec()));
    let form = &requests[0].form;
    assert_eq!(form["IncludeManagedResources"], "true");
    assert_eq!(form["MaxResults"], "1000");
    assert_eq!(form["Filter.1.Name"], "instance-state-name");
    let states: Vec<_> = (1..=5).map(|number| form[&format!("Filter.1.Value.{number}")].as_str()).collect();
    assert_eq!(states, ["pending", "running", "shutting-down", "stopping", "stopped"]);
}

#[tokio::test]
async fn instances_that_do_not_tell_their_image_are_a_gap() {
    let other = instance("i-2", "running", "<imageId>ami-2</imageId>");
    let other = format!("<item><instancesSet>{other}</instancesSet></item>");
    let silent = instance("i-1", "running", "");
    for (broken, gap) in [
        (
            format!("<item><instancesSet>{silent}</instancesSet></item>"),
            "instance i-1 does not tell its image",
        ),
        (
            "<item><reservationId>r-1</reservationId></item>".to_owned(),
            "a reservation does not list its instances",
        ),
    ] {
        let content = format!("<reservationSet>{broken}{other}</reservationSet>");
        let (listing, _) = uses(Source::Instances, Reply::ok("DescribeInstances", &content)).await;
        assert_eq!(listing.items, [image_use(UseKind::Instance, "ami-2", "i-2")]);
        let reason = listing.gap.unwrap().reason;
        assert_eq!(reason, format!("DescribeInstances: page 1: {gap}"));
    }
}

pub(crate) fn version(id: &str, number: u32, default: bool, data: &str) -> String {
    format!(
        "<item><launchTemplateId>{id}</launchTemplateId><launchTemplateName>web</launchTemplateName>\
         <versionNumber>{number}</versionNumber><defaultVersion>{default}</defaultVersion>{data}</item>"
    )
}

pub(crate) fn data(image: &str) -> String {
    format!("<launchTemplateData><imageId>{image}</imageId></launchTemplateData>")
}

pub(crate) fn versions(items: &str) -> Reply {
    let content = format!("<launchTemplateVersionSet>{items}</launchTemplateVersionSet>");
    Reply::ok("DescribeLaunchTemplateVersions", &content)
}

#[tokio::test]
async fn each_version_uses_its_image_and_is_named_for_a_person() {
    let items = version("lt-1", 3, true, &data("ami-1"))
        + &version("lt-1", 7, false, &data("ami-2"))
        + &version("lt-2", 1, true, "<launchTemplateData/>");
    let (listing, requests) = uses(Source::LaunchTemplates, versions(&items)).await;
    let expected = [
        image_use(UseKind::LaunchTemplate, "ami-1", "lt-1 (web, version 3, $Default)"),
        image_use(UseKind::LaunchTemplate, "ami-2", "lt-1 (web, version 7, $Latest)"),
    ];
    assert_eq!(listing, Listing::complete(expected.to_vec()));
    let form = &requests[0].form;
    for (name, value) in [
        ("LaunchTemplateVersion.1", "$Default"),
        ("LaunchTemplateVersion.2", "$Latest"),
        ("ResolveAlias", "true"),
        ("IncludeManagedResources", "true"),
        ("MaxResults", "200"),
    ] {
        assert_eq!(form[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_template_whose_image_is_not_known_is_a_gap() {
    let items = version("lt-1", 1, true, &data("resolve:ssm:/golden/web"))
        + &version("lt-2", 1, true, "")
        + &version("lt-3", 1, true, &data("ami-3"))
        + &version("lt-4", 1, true, &data("somewhere"));
    let values = r#"{"Parameters":[],"InvalidParameters":["/golden/web"]}"#;
    let server = Server::scripted([versions(&items), Reply::json(values)]).await;
    let listing = reader(&server).await.uses(Source::LaunchTemplates).await;
    assert_eq!(
        listing.items,
        [image_use(UseKind::LaunchTemplate, "ami-3", "lt-3 (web, version 1, $Default)")]
    );
    let reason = listing.gap.unwrap().reason;
    for part in [
        "lt-1 (web, version 1, $Default) names its image as `resolve:ssm:/golden/web`, which could not be resolved: \
         Systems Manager knows no such parameter",
        "launch template lt-2 does not tell what its version 1 launches",
        "lt-4 (web, version 1, $Default) names its image as `somewhere`, which is no image",
    ] {
        assert!(reason.contains(part), "{reason} lacks {part}");
    }
}

#[tokio::test]
async fn aliases_that_ec2_does_not_resolve_are_looked_up() {
    let items = version("lt-1", 1, true, &data("resolve:ssm:/golden/web:3"))
        + &version("lt-2", 1, true, &data("resolve:ssm:/golden/web"));
    // EC2 refuses to resolve any, and then shows them as they are written.
    let refused = Reply::error(400, "InvalidParameterValue", "No such parameter.");
    let values = r#"{"Parameters":[
        {"Name":"/golden/web","Selector":":3","Value":"ami-3"},{"Name":"/golden/web","Value":"ami-4"}]}"#;
    let server = Server::scripted([refused, versions(&items), Reply::json(values)]).await;
    let listing = reader(&server).await.uses(Source::LaunchTemplates).await;
    let expected = [
        image_use(UseKind::LaunchTemplate, "ami-3", "lt-1 (web, version 1, $Default)"),
        image_use(UseKind::LaunchTemplate, "ami-4", "lt-2 (web, version 1, $Default)"),
    ];
    assert_eq!(listing, Listing::complete(expected.to_vec()));
    let requests = server.requests();
    assert_eq!(requests[0].form["ResolveAlias"], "true");
    assert_eq!(requests[1].form["ResolveAlias"], "false");
    assert_eq!(requests[2].action, "GetParameters");
    assert!(requests[2].text.contains(r#"["/golden/web","/golden/web:3"]"#), "{}", requests[2].text);
}

#[tokio::test]
async fn an_alias_that_may_not_be_read_names_the_permission() {
    let items = version("lt-1", 1, true, &data("resolve:ssm:/golden/web"));
    let denied = Reply::json_error(400, "AccessDeniedException", "No.");
    let server = Server::scripted([versions(&items), denied]).await;
    let listing = reader(&server).await.uses(Source::LaunchTemplates).await;
    let reason = listing.gap.unwrap().reason;
    assert!(reason.contains("`resolve:ssm:/golden/web`"), "{reason}");
    assert!(
        reason.contains("AccessDeniedException: No. (the credentials need ssm:GetParameters)"),
        "{reason}"
    );
}

#[tokio::test]
async fn the_newest_versions_are_read_where_they_are_asked_for() {
    let standing = version("lt-1", 3, true, &data("ami-3"))
        + &version("lt-1", 9, false, &data("ami-9"))
        + &version("lt-2", 1, true, &data("ami-1"));
    // The versions in between come in no order; some have been deleted.
    let all =
        [9, 4, 8, 3, 5].map(|number| version("lt-1", number, number == 3, &data(&format!("ami-{number}"))));
    let server = Server::scripted([versions(&standing), versions(&all.concat())]).await;
    let reader = reader_to_depth(&server, TemplateVersions::Newest(3)).await;
    let listing = reader.uses(Source::LaunchTemplates).await;
    assert_eq!(listing.gap, None);
    let images: Vec<_> = listing.items.iter().map(|image_use| image_use.image.as_str()).collect();
    assert_eq!(images, ["ami-1", "ami-3", "ami-5", "ami-8", "ami-9"]);
    let labels: Vec<_> = listing.items.iter().map(|image_use| image_use.id.as_str()).collect();
    assert!(labels.contains(&"lt-1 (web, version 5)") && labels.contains(&"lt-1 (web, version 9, $Latest)"));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].form["LaunchTemplateId"], "lt-1");
    assert!(!requests[1].form.contains_key("LaunchTemplateVersion.1"));
}

#[tokio::test]
async fn a_denied_alias_names_the_permission() {
    let denied = Reply::error(403, "UnauthorizedOperation", "No.");
    let (listing, _) = uses(Source::LaunchTemplates, denied).await;
    let reason = listing.gap.unwrap().reason;
    assert!(reason.contains("ssm:GetParameters"), "{reason}");
    assert!(reason.contains("ec2:DescribeLaunchTemplateVersions"), "{reason}");
}

#[tokio::test]
async fn what_tells_nothing_about_use_is_a_gap_and_sends_nothing() {
    for source in [Source::Images, Source::Snapshots, Source::ImageReferences, Source::OtherAccounts] {
        let (listing, requests) = uses(source, Reply::Drop).await;
        assert!(listing.items.is_empty() && listing.gap.is_some(), "{source}");
        assert_eq!(requests, []);
    }
}
