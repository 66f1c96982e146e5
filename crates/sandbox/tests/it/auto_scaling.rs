//! Auto Scaling over HTTP.

use amiwarden_sandbox::{
    AutoScalingGroupRecord, Fault, FaultKind, Fleet, LaunchSource, Sandbox, SandboxOptions, TemplateReference,
};

use crate::client::{ACCOUNT, REGION, exchange, id_of, now, send_auto_scaling, signed, start, start_with};

const FLEET: &str = r#"{
    "schema": 1, "account": "111122223333", "region": "us-east-1",
    "images": [{ "name": "web" }, { "name": "db" }],
    "launch_templates": [{ "name": "lt-web", "versions": [{ "version": 1, "image": "web" }] }],
    "launch_configurations": [
        { "name": "lc-a", "image": "web" }, { "name": "lc-b", "image": "db" },
        { "name": "lc-gone", "image": "ami-0123456789abcdef0" }
    ],
    "auto_scaling_groups": [
        { "name": "by-configuration", "launch_configuration": "lc-a" },
        { "name": "by-template", "launch_template": { "name": "lt-web", "version": "$Latest" } },
        { "name": "mixed", "mixed_instances": {
            "launch_template": { "id": "lt-0123456789abcdef0" },
            "overrides": [
                { "instance_type": "m7g.large", "image": "db" },
                { "instance_type": "m7i.large", "launch_template": { "name": "lt-web", "version": "1" } },
                { "image": "resolve:ssm:/golden/web" }
            ] } },
        { "name": "elsewhere", "region": "eu-west-1", "launch_template": { "id": "lt-0123456789abcdef0" } }
    ]
}"#;

async fn sandbox() -> Sandbox {
    start(Fleet::from_json(FLEET).unwrap()).await
}

#[tokio::test]
async fn groups_tell_where_their_images_come_from() {
    let sandbox = sandbox().await;
    let reply = send_auto_scaling(&sandbox, &[("Action", "DescribeAutoScalingGroups")]).await;
    assert_eq!(reply.outcome(), "200 -");
    assert!(reply.headers.contains("content-type: text/xml"), "{}", reply.headers);
    assert!(reply.body.contains(
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <DescribeAutoScalingGroupsResult><AutoScalingGroups><member>"
    ));
    assert_eq!(reply.texts("AutoScalingGroupName"), ["by-configuration", "by-template", "mixed"]);
    assert_eq!(reply.text("LaunchConfigurationName"), "lc-a");
    let lt_web = sandbox.cloud().world().launch_templates.into_values().next().unwrap().id;
    let reference = |version: &str| {
        format!(
            "<LaunchTemplateId>{lt_web}</LaunchTemplateId><LaunchTemplateName>lt-web</LaunchTemplateName>\
             <Version>{version}</Version>"
        )
    };
    assert!(reply.body.contains(&format!("<LaunchTemplate>{}</LaunchTemplate>", reference("$Latest"))));
    let db = id_of(&sandbox, "db");
    let mixed = format!(
        "<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification>\
         <LaunchTemplateId>lt-0123456789abcdef0</LaunchTemplateId></LaunchTemplateSpecification><Overrides>\
         <member><InstanceType>m7g.large</InstanceType><ImageId>{db}</ImageId></member>\
         <member><InstanceType>m7i.large</InstanceType><LaunchTemplateSpecification>{}\
         </LaunchTemplateSpecification></member>\
         <member><ImageId>resolve:ssm:/golden/web</ImageId></member></Overrides></LaunchTemplate>\
         </MixedInstancesPolicy>",
        reference("1")
    );
    assert!(reply.body.contains(&mixed), "{mixed}\n{}", reply.body);
    let authorization = signed("eu-west-1", "autoscaling");
    let elsewhere = [("Action", "DescribeAutoScalingGroups")];
    let reply = exchange(sandbox.address(), Some(&authorization), &elsewhere).await.unwrap();
    assert_eq!(reply.texts("AutoScalingGroupName"), ["elsewhere"]);
}

#[tokio::test]
async fn launch_configurations_are_named_by_members_and_unknown_names_left_out() {
    let sandbox = sandbox().await;
    let all = send_auto_scaling(&sandbox, &[("Action", "DescribeLaunchConfigurations")]).await;
    let (web, db) = (id_of(&sandbox, "web"), id_of(&sandbox, "db"));
    assert_eq!(all.texts("ImageId"), [&web, &db, "ami-0123456789abcdef0"]);
    let some = send_auto_scaling(
        &sandbox,
        &[
            ("Action", "DescribeLaunchConfigurations"),
            ("LaunchConfigurationNames.member.1", "lc-b"),
            ("LaunchConfigurationNames.member.2", "lc-unknown"),
        ],
    )
    .await;
    assert_eq!(some.texts("LaunchConfigurationName"), ["lc-b"]);
    let record = sandbox.cloud().requests().pop().unwrap();
    assert_eq!((record.service, record.action.as_str()), ("autoscaling", "DescribeLaunchConfigurations"));
    assert_eq!(record.parameters["LaunchConfigurationNames.1"], "lc-b");
    assert!(!record.applied);
}

#[tokio::test]
async fn pages_lose_nothing_and_have_bounds() {
    let mut fleet = Fleet::empty(ACCOUNT, REGION);
    fleet.launch_configurations = serde_json::from_value(
        (0..60)
            .map(|n| serde_json::json!({ "name": format!("lc-{n:02}"), "image": "ami-0123456789abcdef0" }))
            .collect(),
    )
    .unwrap();
    let sandbox = start_with(SandboxOptions::new(fleet, now())).await;
    let first = send_auto_scaling(&sandbox, &[("Action", "DescribeLaunchConfigurations")]).await;
    assert_eq!(first.texts("ImageId").len(), 50, "the default size");
    let token = first.text("NextToken").to_owned();
    let rest = [("Action", "DescribeLaunchConfigurations"), ("NextToken", &token)];
    let second = send_auto_scaling(&sandbox, &rest).await;
    assert_eq!(second.texts("LaunchConfigurationName").first(), Some(&"lc-50"));
    assert_eq!((second.texts("ImageId").len(), second.texts("NextToken").len()), (10, 0));
    for (name, value, outcome) in [
        ("MaxRecords", "100", "200 -"),
        ("MaxRecords", "101", "400 ValidationError"),
        ("MaxRecords", "0", "400 ValidationError"),
        ("MaxResults", "10", "400 ValidationError"),
        ("NextToken", "nonsense", "400 InvalidNextToken"),
        ("DryRun", "true", "400 ValidationError"),
    ] {
        let request = [("Action", "DescribeLaunchConfigurations"), (name, value)];
        assert_eq!(send_auto_scaling(&sandbox, &request).await.outcome(), outcome, "{name}={value}");
    }
    let unknown = send_auto_scaling(&sandbox, &[("Action", "DeleteAutoScalingGroup")]).await;
    assert_eq!(unknown.outcome(), "400 InvalidAction");
}

#[tokio::test]
async fn listings_lie_when_told_to() {
    let sandbox = sandbox().await;
    let action = "DescribeAutoScalingGroups";
    let (cloud, all) = (sandbox.cloud(), [("Action", action)]);
    let page = [("Action", action), ("MaxRecords", "1")];
    let token = send_auto_scaling(&sandbox, &page).await.text("NextToken").to_owned();
    cloud.inject(Fault::new(action, FaultKind::RepeatedToken));
    let repeated = send_auto_scaling(&sandbox, &[page[0], page[1], ("NextToken", &token)]).await;
    assert_eq!(repeated.text("NextToken"), token);
    cloud.inject(Fault::new(action, FaultKind::EmptyPage));
    let empty = send_auto_scaling(&sandbox, &all).await;
    assert_eq!((empty.texts("CreatedTime").len(), empty.texts("NextToken").len()), (0, 1));
    cloud.inject(Fault::new(action, FaultKind::EndsEarly));
    let early = send_auto_scaling(&sandbox, &page).await;
    assert_eq!((early.texts("CreatedTime").len(), early.texts("NextToken").len()), (1, 0));
}

#[tokio::test]
async fn groups_come_and_go_through_the_handle() {
    let sandbox = sandbox().await;
    let template = TemplateReference { id: None, name: Some("gone".to_owned()), version: None };
    sandbox.cloud().update(|world| {
        let record = AutoScalingGroupRecord {
            name: "new".to_owned(),
            region: REGION.to_owned(),
            created_at: now(),
            source: LaunchSource::Template(template),
        };
        world.auto_scaling_groups.retain(|_, group| group.region != REGION);
        world.auto_scaling_groups.insert(record.key(), record);
    });
    let reply = send_auto_scaling(&sandbox, &[("Action", "DescribeAutoScalingGroups")]).await;
    assert_eq!(reply.texts("AutoScalingGroupName"), ["new"]);
    assert_eq!(reply.text("LaunchTemplate"), "<LaunchTemplateName>gone</LaunchTemplateName>");
}
