//! Fleet files with Auto Scaling, recipes and other accounts' uses.

use amiwarden_sandbox::{Fleet, FleetError, World};

#[test]
fn what_contradicts_itself_is_named_with_its_path() {
    let json = r#"{
        "schema": 1, "account": "111122223333", "region": "us-east-1",
        "images": [{ "name": "web" }],
        "launch_configurations": [{ "name": "a", "image": "web" }, { "name": "a", "image": "nobody" }],
        "auto_scaling_groups": [
            { "name": "none" },
            { "name": "two", "launch_configuration": "a", "launch_template": { "id": "lt-00000001" } },
            { "name": "unknown", "launch_configuration": "b" },
            { "name": "unnamed", "launch_template": {} },
            { "name": "missing", "launch_template": { "name": "t" } },
            { "name": "version", "launch_template": { "id": "lt-00000001", "version": "latest" } },
            { "name": "mixed", "mixed_instances": {
                "launch_template": { "id": "lt-00000001" },
                "overrides": [{ "image": "nobody" }, { "launch_template": { "id": "x" } }] } },
            { "name": "mixed", "launch_template": { "id": "lt-00000001" } }
        ],
        "image_recipes": [
            { "name": "r", "image": "web", "kind": "image" },
            { "name": "r", "image": "web", "kind": "container" },
            { "name": "r", "image": "nobody", "kind": "image" }
        ],
        "foreign_uses": [{ "image": "web", "account": "12", "kind": "instance", "count": 1 }]
    }"#;
    let FleetError::Invalid { problems } = Fleet::from_json(json).unwrap_err() else { panic!() };
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "launch_configurations[1].image",
            "launch_configurations[1].name",
            "auto_scaling_groups[0]",
            "auto_scaling_groups[1]",
            "auto_scaling_groups[2].launch_configuration",
            "auto_scaling_groups[3].launch_template",
            "auto_scaling_groups[4].launch_template",
            "auto_scaling_groups[5].launch_template.version",
            "auto_scaling_groups[6].mixed_instances.overrides[0].image",
            "auto_scaling_groups[6].mixed_instances.overrides[1].launch_template",
            "auto_scaling_groups[7].name",
            "image_recipes[2].image",
            "image_recipes[2].name",
            "foreign_uses[0].account",
        ]
    );
}

#[test]
fn members_survive_being_written_and_read() {
    let json = r#"{
        "schema": 1, "account": "111122223333", "region": "us-east-1",
        "launch_configurations": [{ "name": "a", "image": "ami-00000001", "region": "eu-west-1" }],
        "auto_scaling_groups": [
            { "name": "m", "mixed_instances": { "launch_template": { "id": "lt-00000001", "version": "$Default" },
              "overrides": [{ "instance_type": "m7g.large", "image": "ami-00000001" }] } }
        ],
        "image_recipes": [{ "name": "r", "image": "ami-00000001", "kind": "container" }],
        "foreign_uses": [
            { "image": "ami-00000001", "account": "************", "kind": "launch-template", "count": 2 }
        ],
        "usage_report_pending_describes": 3
    }"#;
    let fleet = Fleet::from_json(json).unwrap();
    let written = serde_json::to_string(&fleet).unwrap();
    assert_eq!(Fleet::from_json(&written).unwrap(), fleet);
    let world = fleet.to_world("2026-11-20T10:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(world.usage_reports.pending_describes, 3);
    assert!(world.launch_configurations.contains_key("eu-west-1/a"));
}

#[test]
fn a_world_that_was_kept_before_these_members_existed_is_read() {
    let world = Fleet::empty("111122223333", "us-east-1").to_world(jiff::Timestamp::UNIX_EPOCH).unwrap();
    let mut kept = serde_json::to_value(&world).unwrap();
    for member in [
        "retention_rules",
        "auto_scaling_groups",
        "launch_configurations",
        "image_recipes",
        "foreign_uses",
        "usage_reports",
    ] {
        assert!(kept.as_object_mut().unwrap().remove(member).is_some(), "{member}");
    }
    assert_eq!(serde_json::from_value::<World>(kept).unwrap(), world);
}
