//! `DescribeImageReferences` over HTTP.

use amiwarden_sandbox::{Fleet, Sandbox};

use crate::client::{id_of, send, start};

/// The image `used` is named by an instance of each kind, three templates, a parameter and two recipes.
async fn sandbox() -> Sandbox {
    let old = (2..=12).map(|version| format!(r#"{{ "version": {version}, "image": "other" }}"#));
    let old = old.collect::<Vec<_>>().join(",");
    let fleet = format!(
        r#"{{
        "schema": 1, "account": "111122223333", "region": "us-east-1",
        "images": [{{ "name": "used" }}, {{ "name": "other" }}, {{ "name": "unused" }}],
        "instances": [
            {{ "id": "i-00000001", "image": "used" }},
            {{ "id": "i-00000002", "image": "used", "state": "terminated" }},
            {{ "id": "i-00000003", "image": "used", "managed": true, "state": "stopped" }}
        ],
        "launch_templates": [
            {{ "id": "lt-00000001", "name": "new", "versions": [{{ "version": 1, "image": "used" }}] }},
            {{ "id": "lt-00000002", "name": "old", "versions": [{{ "version": 1, "image": "used" }}, {old}] }},
            {{ "id": "lt-00000003", "name": "alias",
               "versions": [{{ "version": 1, "image": "resolve:ssm:/golden/used" }}] }}
        ],
        "ssm_parameters": {{ "/golden/used": "used", "flat": "other" }},
        "image_recipes": [
            {{ "name": "base", "image": "used", "kind": "image" }},
            {{ "name": "base", "image": "used", "kind": "container" }}
        ]
    }}"#
    );
    start(Fleet::from_json(&fleet).unwrap()).await
}

/// The rows of a check as `type arn`, without what all ARNs have in common.
async fn rows(sandbox: &Sandbox, image: &str, options: &[(&str, &str)]) -> Vec<String> {
    let id = id_of(sandbox, image);
    let request = [&[("Action", "DescribeImageReferences"), ("ImageId.1", id.as_str())], options].concat();
    let reply = send(sandbox, &request).await;
    assert_eq!(reply.outcome(), "200 -", "{}", reply.body);
    assert!(reply.texts("imageId").iter().all(|row| *row == id));
    let arns = reply.texts("arn").into_iter().map(|arn| arn.replace(":us-east-1:111122223333:", ":"));
    reply.texts("resourceType").into_iter().zip(arns).map(|(kind, arn)| format!("{kind} {arn}")).collect()
}

#[tokio::test]
async fn every_type_is_checked_with_its_defaults() {
    let sandbox = sandbox().await;
    let all = [("IncludeAllResourceTypes", "true")];
    assert_eq!(
        rows(&sandbox, "used", &all).await,
        [
            "ec2:Instance arn:aws:ec2:instance/i-00000001",
            "ec2:Instance arn:aws:ec2:instance/i-00000002",
            "ec2:Instance arn:aws:ec2:instance/i-00000003",
            "ec2:LaunchTemplate arn:aws:ec2:launch-template/lt-00000001",
            "imagebuilder:ContainerRecipe arn:aws:imagebuilder:container-recipe/base/1.0.0",
            "imagebuilder:ImageRecipe arn:aws:imagebuilder:image-recipe/base/1.0.0",
            "ssm:Parameter arn:aws:ssm:parameter/golden/used",
        ]
    );
    assert!(rows(&sandbox, "unused", &all).await.is_empty());
    let other = rows(&sandbox, "other", &all).await;
    assert_eq!(
        other,
        [
            "ec2:LaunchTemplate arn:aws:ec2:launch-template/lt-00000002",
            "ssm:Parameter arn:aws:ssm:parameter/flat"
        ]
    );
}

#[tokio::test]
async fn types_and_their_options_narrow_and_widen_the_check() {
    let sandbox = sandbox().await;
    let templates = |depth| {
        [
            ("ResourceType.1.ResourceType", "ec2:LaunchTemplate"),
            ("ResourceType.1.ResourceTypeOption.1.OptionName", "version-depth"),
            ("ResourceType.1.ResourceTypeOption.1.OptionValue.1", depth),
        ]
    };
    for (depth, found) in [("1", 1), ("11", 1), ("12", 2), ("10000", 2)] {
        assert_eq!(rows(&sandbox, "used", &templates(depth)).await.len(), found, "depth {depth}");
    }
    let overridden = [&[("IncludeAllResourceTypes", "true")], templates("12").as_slice()].concat();
    assert_eq!(rows(&sandbox, "used", &overridden).await.len(), 8);
    let states = [
        ("ResourceType.1.ResourceType", "ec2:Instance"),
        ("ResourceType.1.ResourceTypeOption.1.OptionName", "state-name"),
        ("ResourceType.1.ResourceTypeOption.1.OptionValue.1", "running"),
        ("ResourceType.1.ResourceTypeOption.1.OptionValue.2", "stopped"),
    ];
    assert_eq!(
        rows(&sandbox, "used", &states).await,
        ["ec2:Instance arn:aws:ec2:instance/i-00000001", "ec2:Instance arn:aws:ec2:instance/i-00000003"]
    );
}

#[tokio::test]
async fn checks_come_in_pages_and_have_bounds() {
    let sandbox = sandbox().await;
    let used = id_of(&sandbox, "used");
    let all = [
        ("Action", "DescribeImageReferences"),
        ("IncludeAllResourceTypes", "true"),
        ("ImageId.1", used.as_str()),
    ];
    let first = send(&sandbox, &[all.as_slice(), &[("MaxResults", "5")]].concat()).await;
    let token = first.token().unwrap();
    let rest =
        send(&sandbox, &[all.as_slice(), &[("MaxResults", "5"), ("NextToken", &token)]].concat()).await;
    assert_eq!((first.texts("arn").len(), rest.texts("arn").len(), rest.token()), (5, 2, None));

    let names: Vec<String> = (1..=11).map(|n| format!("ImageId.{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), used.as_str())).collect();
    let ten = send(&sandbox, &[&all[..2], &many[..10]].concat()).await;
    assert_eq!((ten.outcome().as_str(), ten.texts("arn").len()), ("200 -", 7));
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&many, "400 InvalidParameterValue"),
        (&[], "400 MissingParameter"),
        (&[("ImageId.1", "ami-1")], "400 InvalidAMIID.Malformed"),
        (&[("ImageId.1", "ami-00000000")], "400 InvalidAMIID.NotFound"),
        (&[all[2], ("MaxResults", "4")], "400 InvalidParameterValue"),
        (&[all[2], ("ResourceType.1.ResourceType", "ec2:Fleet")], "400 InvalidParameterValue"),
        (
            &[
                all[2],
                ("ResourceType.1.ResourceType", "ssm:Parameter"),
                ("ResourceType.1.ResourceTypeOption.1.OptionName", "version-depth"),
            ],
            "400 InvalidParameterValue",
        ),
        (
            &[
                all[2],
                ("ResourceType.1.ResourceType", "ec2:LaunchTemplate"),
                ("ResourceType.1.ResourceTypeOption.1.OptionName", "version-depth"),
                ("ResourceType.1.ResourceTypeOption.1.OptionValue.1", "10001"),
            ],
            "400 InvalidParameterValue",
        ),
        (
            &[
                all[2],
                ("ResourceType.1.ResourceType", "ec2:Instance"),
                ("ResourceType.1.ResourceTypeOption.1.OptionName", "state-name"),
                ("ResourceType.1.ResourceTypeOption.1.OptionValue.1", "asleep"),
            ],
            "400 InvalidParameterValue",
        ),
    ];
    for (parameters, outcome) in cases {
        let reply = send(&sandbox, &[&all[..2], parameters].concat()).await;
        assert_eq!(reply.outcome(), outcome, "{parameters:?}");
    }
    let untyped = send(&sandbox, &[all[0], all[2]]).await;
    assert_eq!(untyped.outcome(), "400 MissingParameter");
    assert_eq!(sandbox.cloud().requests().pop().unwrap().image_ids, [used]);
}
