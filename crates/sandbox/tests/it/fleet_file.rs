//! Fleet files: the shipped one, and what is wrong with others.

use amiwarden_sandbox::{Fleet, FleetError, ImageState, LaunchPermission};

use crate::client::now;

const DEMO: &str = include_str!("../../../../examples/fleets/demo.json");

/// The problems of a fleet whose members besides the head are given.
fn problems(members: &str) -> Vec<String> {
    let json = format!(r#"{{"schema":1,"account":"111122223333","region":"us-east-1",{members}}}"#);
    match Fleet::from_json(&json) {
        Err(FleetError::Invalid { problems }) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_demo_fleet_holds_what_it_promises() {
    let fleet = Fleet::from_json(DEMO).unwrap();
    let world = fleet.to_world(now()).unwrap();
    let count = |wanted: &dyn Fn(&amiwarden_sandbox::ImageRecord) -> bool| {
        world.images.values().filter(|image| wanted(image)).count()
    };
    assert!(count(&|image| image.state == ImageState::Disabled) >= 4);
    assert_eq!(count(&|image| image.state == ImageState::Pending), 1);
    assert_eq!(count(&|image| image.state == ImageState::Failed), 1);
    assert_eq!(count(&|image| image.is_public()), 1);
    assert_eq!(count(&|image| image.created_at > now()), 1);
    assert_eq!(count(&|image| image.backup_managed), 1);
    assert_eq!(count(&|image| image.is_protected(now())), 2);
    assert_eq!(count(&|image| image.tags.contains_key("amiwarden:keep")), 2);
    let organization = |grant: &LaunchPermission| matches!(grant, LaunchPermission::Organization(_));
    assert_eq!(count(&|image| image.launch_permissions.iter().any(organization)), 1);
    assert!(world.instances.values().any(|instance| instance.managed));
    assert!(fleet.images.iter().all(|image| image.note.is_some()), "every image says why it is there");
}

#[test]
fn a_fleet_survives_being_written_and_read() {
    let fleet = Fleet::from_json(DEMO).unwrap();
    let json = serde_json::to_string(&fleet).unwrap();
    assert_eq!(Fleet::from_json(&json).unwrap(), fleet);
}

#[test]
fn ids_stay_the_same_when_other_images_come_and_go() {
    let mut fleet = Fleet::from_json(DEMO).unwrap();
    let id = |fleet: &Fleet| {
        let world = fleet.to_world(now()).unwrap();
        world.images.into_values().find(|image| image.name == "web-2026-06-15").unwrap().id
    };
    let before = id(&fleet);
    fleet.images.remove(0);
    fleet.instances.clear();
    fleet.launch_templates.clear();
    fleet.ssm_parameters.clear();
    assert_eq!(id(&fleet), before);
}

#[test]
fn mistakes_of_form_name_line_and_remedy() {
    for (json, line, expected) in [
        ("{\n\"schema\": 1,\n\"acount\": \"1\"}", 3, "unknown field `acount`, expected one of"),
        ("{\"schema\": 1,\n", 2, "EOF while parsing"),
        ("{\"schema\": 1}", 1, "missing field `account`"),
        (
            "{\"schema\":1,\"account\":\"111122223333\",\"region\":\"us-east-1\",\n\"images\":[\n\
             {\"name\":\"a\",\"created\":\"-12y\"}]}",
            3,
            "`-12y` is no date: write \"now\"",
        ),
        (
            "{\"schema\":1,\"account\":\"111122223333\",\"region\":\"us-east-1\",\n\
             \"images\":[{\"name\":\"a\",\"launch_permissions\":[\"everyone\"]}]}",
            2,
            "`everyone` is no launch permission: write \"all\"",
        ),
    ] {
        let error = Fleet::from_json(json).unwrap_err();
        let FleetError::Syntax { line: found, ref message, .. } = error else { panic!("{error}") };
        assert_eq!(found, line, "{error}");
        assert!(message.contains(expected), "{error}");
        assert!(error.to_string().starts_with(&format!("line {line}, column ")), "{error}");
    }
}

#[test]
fn mistakes_of_meaning_name_path_and_remedy_and_come_all_at_once() {
    let found = problems(
        r#""images":[
            {"name":"a"},{"name":"a"},{"name":"","id":"ami-xyz"},
            {"name":"b","state":"available","first_seen_disabled":"-3d"},
            {"name":"c","state":"disabled","launch_permissions":["all"]},
            {"name":"d","owner":"12"},
            {"name":"e","snapshots":[{"id":"snap-0aaaaaaaaaaaaaaaa","size_gib":8}]},
            {"name":"f","snapshots":[{"id":"snap-0aaaaaaaaaaaaaaaa","size_gib":9}]},
            {"name":"g","region":"moon"}],
          "instances":[{"image":"nobody"}],
          "launch_templates":[{"name":"t","default_version":3,"versions":[{"version":1,"image":"zzz"}]}],
          "ssm_parameters":{"/p":"yyy"},
          "faults":[{"kind":"throttle","nth":{"only":[0]}},{"kind":{"fewer-items":{"keep_percent":101}}}]"#,
    );
    for expected in [
        "faults[0]: requests are counted from 1",
        "faults[1]: more than 100 percent cannot be kept",
        "images[1].name: `a` is the name of another image",
        "images[2].name: the name is missing",
        "images[2].id: `ami-xyz` is not an id. Write ami-",
        "images[3].first_seen_disabled: the image is available. Set the state",
        "images[4].launch_permissions: a disabled image has none",
        "images[5].owner: `12` is not an account. Write twelve digits",
        "images[7].snapshots[0]: `snap-0aaaaaaaaaaaaaaaa` differs from its first mention",
        "images[8].region: `moon` is not a Region",
        "instances[0].image: no image in us-east-1 is named `nobody`",
        "launch_templates[0].versions[0].image: no image in us-east-1 is named `zzz`",
        "launch_templates[0].versions: versions repeat, or the default version is not among them",
        "ssm_parameters[\"/p\"]: no image in us-east-1 is named `yyy`",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} in {found:#?}");
    }
    assert_eq!(found.len(), 14, "{found:#?}");
}

#[test]
fn an_unknown_version_of_the_format_is_refused() {
    let error = Fleet::from_json(r#"{"schema":2,"account":"111122223333","region":"us-east-1"}"#);
    assert!(error.unwrap_err().to_string().starts_with("schema: version 2 is unknown. Write 1."));
}

#[test]
fn the_annotated_example_of_the_reference_is_a_fleet() {
    let reference = include_str!("../../../../examples/fleets/README.md");
    let example = reference.split("```jsonc\n").nth(1).unwrap().split("```").next().unwrap();
    let json: String =
        example.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect();
    let fleet = Fleet::from_json(&json).unwrap();
    let world = fleet.to_world(now()).unwrap();
    assert_eq!((world.images.len(), world.snapshots.len(), fleet.faults.len()), (2, 1, 1));
    assert_eq!((world.auto_scaling_groups.len(), world.foreign_uses.len()), (3, 2));
}
