//! Retention rules of the Recycle Bin.

use std::collections::BTreeMap;

use amiwarden_sandbox::{Fleet, FleetError, FleetRetentionRule, ResourceKind, RetentionRuleStatus};

use crate::client::{REGION, fleet, now};

#[test]
fn rules_of_a_fleet_become_rules_in_force() {
    let json = r#"{"schema":1,"account":"111122223333","region":"us-east-1","recycle_bin_rules":[
        {"resource":"image","retention_days":30,"exclude_tags":{"Stage":"test"}},
        {"resource":"snapshot","retention_days":7,"id":"a1B2c3D4e5F","region":"eu-west-1","tags":{"Team":null}}]}"#;
    let world = Fleet::from_json(json).unwrap().to_world(now()).unwrap();
    assert_eq!(world.retention_rules.len(), 2);
    let named = &world.retention_rules["a1B2c3D4e5F"];
    assert_eq!((named.resource, named.retention_days), (ResourceKind::Snapshot, 7));
    assert_eq!(named.tags, BTreeMap::from([("Team".to_owned(), None)]));
    let derived = world.retention_rules.values().find(|rule| rule.id != named.id).unwrap();
    assert_eq!((derived.resource, derived.region.as_str()), (ResourceKind::Image, REGION));
    assert_eq!(derived.status, RetentionRuleStatus::Available);
    assert!(derived.covers(REGION, &BTreeMap::new()));
    assert!(world.regions.contains("eu-west-1"));
}

#[test]
fn rules_that_the_recycle_bin_would_refuse_are_problems() {
    let rule = FleetRetentionRule::new(ResourceKind::Image, 7);
    let tag = BTreeMap::from([("Team".to_owned(), None)]);
    let rules = vec![
        FleetRetentionRule { id: Some("short".to_owned()), ..rule.clone() },
        FleetRetentionRule { retention_days: 366, ..rule.clone() },
        FleetRetentionRule { retention_days: 0, ..rule.clone() },
        FleetRetentionRule { tags: tag.clone(), exclude_tags: tag, ..rule.clone() },
        FleetRetentionRule {
            exclude_tags: (0..6).map(|key| (key.to_string(), None)).collect(),
            id: Some("0123456789a".to_owned()),
            ..rule.clone()
        },
        FleetRetentionRule { id: Some("0123456789a".to_owned()), ..rule },
    ];
    let error = Fleet { recycle_bin_rules: rules, ..fleet([]) }.to_world(now()).unwrap_err();
    let FleetError::Invalid { problems } = error else { panic!("{error}") };
    let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "recycle_bin_rules[0].id",
            "recycle_bin_rules[1].retention_days",
            "recycle_bin_rules[2].retention_days",
            "recycle_bin_rules[3].exclude_tags",
            "recycle_bin_rules[4]",
            "recycle_bin_rules[5].id",
        ]
    );
}
