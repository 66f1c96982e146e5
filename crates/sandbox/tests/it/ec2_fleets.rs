//! EC2 Fleets, Spot Fleet requests and Spot Instance requests, and template versions, over the wire.

use amiwarden_sandbox::{Fleet, FleetError, SandboxOptions};

use crate::client::{Reply, id_of, now, send, start, start_with};

const MEMBERS: &str = r#""images":[{"name":"a"},{"name":"b"}],
    "launch_templates":[{"name":"web","versions":[
        {"version":1,"image":"a"},{"version":2,"image":"b"},{"version":3,"image":"a"},{"version":4,"image":"b"}]}],
    "ec2_fleets":[
        {"launch_templates":[{"launch_template":{"name":"web","version":"2"},"overrides":[
            {"instance_type":"m5.large","image":"a"},{"image":"resolve:ssm:/golden"},{"instance_type":"m6i.large"}]}]},
        {"id":"fleet-12345678-1234-1234-1234-123456789012","type":"instant",
            "launch_templates":[{"launch_template":{"id":"lt-12345678"}}]},
        {"type":"request","state":"deleted_running","launch_templates":[{"launch_template":{"name":"web","version":"$Latest"}}]}],
    "spot_fleet_requests":[
        {"images":["a","ami-12345678"]},
        {"state":"cancelled","launch_templates":[{"launch_template":{"name":"web"},"overrides":[{"instance_type":"m5.large"}]}]}],
    "spot_instance_requests":[{"image":"a"},{"image":"b","state":"closed"},{"image":"b","state":"active"},
        {"image":"b"},{"image":"b"},{"image":"ami-12345678","id":"sir-abcd1234","region":"eu-west-1"}]"#;

fn read(members: &str) -> Result<Fleet, FleetError> {
    let head = r#""schema":1,"account":"111122223333","region":"us-east-1""#;
    Fleet::from_json(&format!("{{{head},{members}}}"))
}

async fn paged(action: &str, max: &str) -> (Reply, Reply) {
    let options = SandboxOptions { page_size_max: 5, ..SandboxOptions::new(read(MEMBERS).unwrap(), now()) };
    let sandbox = start_with(options).await;
    let first = send(&sandbox, &[("Action", action), ("MaxResults", max)]).await;
    let token = first.token().unwrap();
    let next = [("Action", action), ("MaxResults", max), ("NextToken", token.as_str())];
    let second = send(&sandbox, &next).await;
    assert_eq!(second.token(), None);
    (first, second)
}

#[tokio::test]
async fn fleets_tell_their_templates_and_overrides() {
    let sandbox = start(read(MEMBERS).unwrap()).await;
    let fleets = async |parameters: &[(&str, &str)]| {
        send(&sandbox, &[&[("Action", "DescribeFleets")], parameters].concat()).await
    };
    let all = fleets(&[]).await;
    let mut kinds = all.texts("type");
    kinds.sort_unstable();
    assert_eq!(kinds, ["maintain", "request"], "instant fleets are not listed");
    assert!(all.texts("fleetId").iter().all(|id| id.len() == "fleet-".len() + 36), "{}", all.body);

    let maintain = fleets(&[("Filter.1.Name", "type"), ("Filter.1.Value.1", "maintain")]).await;
    assert_eq!(maintain.text("fleetState"), "active");
    assert_eq!((maintain.text("launchTemplateName"), maintain.text("version")), ("web", "2"));
    assert_eq!(maintain.texts("imageId"), [&id_of(&sandbox, "a"), "resolve:ssm:/golden"]);
    assert_eq!(maintain.texts("instanceType"), ["m5.large", "m6i.large"]);

    let instant = ("Filter.1.Value.1", "instant");
    let by_type = fleets(&[("Filter.1.Name", "type"), instant]).await;
    let by_id = fleets(&[("FleetId.1", "fleet-12345678-1234-1234-1234-123456789012")]).await;
    for reply in [by_type, by_id] {
        assert_eq!(
            (reply.text("launchTemplateId"), reply.text("version"), reply.text("type")),
            ("lt-12345678", "$Default", "instant")
        );
    }
    let ended = fleets(&[("Filter.1.Name", "fleet-state"), ("Filter.1.Value.1", "deleted-running")]).await;
    assert_eq!(ended.text("fleetState"), "deleted_running", "ended fleets are listed too");
    for (parameter, expected) in [
        (("FleetId.1", "fleet-0"), "400 InvalidFleetId.NotFound"),
        (("Filter.1.Name", "colour"), "400 InvalidParameterValue"),
        (("MaxResults", "0"), "400 InvalidParameterValue"),
    ] {
        assert_eq!(fleets(&[parameter]).await.outcome(), expected);
    }
    let (first, second) = paged("DescribeFleets", "1").await;
    assert_ne!(first.text("fleetId"), second.text("fleetId"));
}

#[tokio::test]
async fn spot_fleet_requests_tell_their_images_and_templates() {
    let sandbox = start(read(MEMBERS).unwrap()).await;
    let reply = send(&sandbox, &[("Action", "DescribeSpotFleetRequests")]).await;
    assert_eq!(reply.texts("spotFleetRequestId").len(), 2);
    let mut states = reply.texts("spotFleetRequestState");
    states.sort_unstable();
    assert_eq!(states, ["active", "cancelled"], "ended requests are listed too");
    assert_eq!(reply.texts("imageId"), [&id_of(&sandbox, "a"), "ami-12345678"]);
    assert_eq!(reply.text("launchTemplateName"), "web");
    let unknown = [("Action", "DescribeSpotFleetRequests"), ("SpotFleetRequestId.1", "sfr-0")];
    assert_eq!(send(&sandbox, &unknown).await.outcome(), "400 InvalidSpotFleetRequestId.NotFound");
    let (first, second) = paged("DescribeSpotFleetRequests", "1").await;
    assert_ne!(first.text("spotFleetRequestId"), second.text("spotFleetRequestId"));
}

#[tokio::test]
async fn spot_instance_requests_tell_their_images() {
    let mut fleet = read(MEMBERS).unwrap();
    fleet.spot_instance_requests.push(fleet.spot_instance_requests[0].clone());
    let sandbox = start(fleet).await;
    let requests = async |parameters: &[(&str, &str)]| {
        send(&sandbox, &[&[("Action", "DescribeSpotInstanceRequests")], parameters].concat()).await
    };
    let image = id_of(&sandbox, "b");
    let of_image = [("Filter.1.Name", "launch.image-id"), ("Filter.1.Value.1", image.as_str())];
    let found = requests(&of_image).await;
    let mut states = found.texts("state");
    states.sort_unstable();
    assert_eq!(states, ["active", "closed", "open", "open"]);
    assert_eq!(found.texts("imageId"), [image.as_str(); 4]);
    let first = requests(&[("MaxResults", "5")]).await;
    let second = requests(&[("MaxResults", "5"), ("NextToken", &first.token().unwrap())]).await;
    assert_eq!((first.texts("state").len(), second.texts("state").len()), (5, 1));
    for (parameter, expected) in [
        (("SpotInstanceRequestId.1", "sir-abcd1234"), "400 InvalidSpotInstanceRequestID.NotFound"),
        (("Filter.1.Name", "colour"), "400 InvalidParameterValue"),
        (("MaxResults", "4"), "400 InvalidParameterValue"),
    ] {
        assert_eq!(requests(&[parameter]).await.outcome(), expected);
    }
}

#[test]
fn mistakes_in_fleets_name_their_place() {
    let error = read(
        r#""ec2_fleets":[{"id":"fleet-x"},{"launch_templates":[{"launch_template":{"name":"nobody","version":"newest"},
            "overrides":[{"image":"nobody","launch_template":{"name":"nobody"}}]}]}],
        "spot_fleet_requests":[{"images":["nobody"]},
            {"launch_templates":[{"launch_template":{"id":"lt-12345678"},"overrides":[{"image":"ami-12345678"}]}]}],
        "spot_instance_requests":[{"image":"ami-12345678","id":"sir-1"}]"#,
    );
    let FleetError::Invalid { problems } = error.unwrap_err() else { panic!("not a mistake of meaning") };
    let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "ec2_fleets[0].id",
            "ec2_fleets[1].launch_templates[0].launch_template",
            "ec2_fleets[1].launch_templates[0].launch_template.version",
            "ec2_fleets[1].launch_templates[0].overrides[0].image",
            "ec2_fleets[1].launch_templates[0].overrides[0].launch_template",
            "ec2_fleets[1].launch_templates[0].overrides",
            "spot_fleet_requests[0].images[0]",
            "spot_fleet_requests[1].launch_templates",
            "spot_instance_requests[0].id",
        ]
    );
}

#[tokio::test]
async fn template_versions_by_number_and_range() {
    let sandbox = start(read(MEMBERS).unwrap()).await;
    let template = sandbox.cloud().world().launch_templates.into_keys().next().unwrap();
    let ask = async |parameters: &[(&str, &str)]| {
        let by_id = [("Action", "DescribeLaunchTemplateVersions"), ("LaunchTemplateId", template.as_str())];
        send(&sandbox, &[&by_id[..], parameters].concat()).await
    };
    for (parameters, expected) in [
        (&[][..], &["4", "3", "2", "1"][..]),
        (&[("LaunchTemplateVersion.1", "1"), ("LaunchTemplateVersion.2", "3")], &["3", "1"]),
        (&[("LaunchTemplateVersion.1", "$Default"), ("LaunchTemplateVersion.2", "$Latest")], &["4", "1"]),
        (&[("MinVersion", "2"), ("MaxVersion", "3")], &["3", "2"]),
        (&[("MinVersion", "3"), ("MaxResults", "200")], &["4", "3"]),
        (&[("MaxVersion", "1")], &["1"]),
    ] {
        assert_eq!(ask(parameters).await.texts("versionNumber"), expected, "{parameters:?}");
    }
    for (parameter, expected) in [
        (("LaunchTemplateVersion.1", "9"), "400 InvalidLaunchTemplateId.VersionNotFound"),
        (("LaunchTemplateName", "web"), "400 InvalidParameterCombination"),
        (("MinVersion", "first"), "400 InvalidParameterValue"),
    ] {
        assert_eq!(ask(&[parameter]).await.outcome(), expected);
    }
    let first = ask(&[("MaxResults", "3")]).await;
    let rest = ask(&[("MaxResults", "3"), ("NextToken", &first.token().unwrap())]).await;
    assert_eq!((first.texts("versionNumber").len(), rest.texts("versionNumber")), (3, vec!["1"]));
}

#[tokio::test]
async fn templates_are_listed_in_pages_and_filtered_by_name() {
    let templates: Vec<String> = (0..3)
        .map(|n| format!(r#"{{"name":"t{n}","versions":[{{"version":1}},{{"version":2}}]}}"#))
        .collect();
    let sandbox = start(read(&format!(r#""launch_templates":[{}]"#, templates.join(","))).unwrap()).await;
    let ask = async |parameters: &[(&str, &str)]| {
        send(&sandbox, &[&[("Action", "DescribeLaunchTemplates")], parameters].concat()).await
    };
    let first = ask(&[("MaxResults", "2")]).await;
    let rest = ask(&[("MaxResults", "2"), ("NextToken", &first.token().unwrap())]).await;
    assert_eq!((first.texts("launchTemplateId").len(), rest.texts("launchTemplateId").len()), (2, 1));
    let named = ask(&[("Filter.1.Name", "launch-template-name"), ("Filter.1.Value.1", "t2")]).await;
    assert_eq!(named.text("launchTemplateName"), "t2");
    assert_eq!((named.text("defaultVersionNumber"), named.text("latestVersionNumber")), ("1", "2"));
    for (parameter, expected) in [
        (("MaxResults", "201"), "400 InvalidParameterValue"),
        (("Filter.1.Name", "colour"), "400 InvalidParameterValue"),
        (("LaunchTemplateName.1", "nobody"), "400 InvalidLaunchTemplateName.NotFoundException"),
    ] {
        assert_eq!(ask(&[parameter]).await.outcome(), expected);
    }
}
