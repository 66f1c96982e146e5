//! Retention rules of the Recycle Bin, in a fleet and over HTTP.

use std::collections::BTreeMap;

use amiwarden_sandbox::{Fleet, FleetError, FleetRetentionRule, ResourceKind, RetentionRuleStatus, Sandbox};
use serde_json::{Value, json};

use crate::client::{REGION, fleet, now, send_rbin, start};

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

async fn two_rules() -> Sandbox {
    let rule = FleetRetentionRule::new(ResourceKind::Image, 30);
    let tag = BTreeMap::from([("Team".to_owned(), None), ("Stage".to_owned(), Some("test".to_owned()))]);
    let rules = vec![
        FleetRetentionRule { id: Some("aaaaaaaaaaa".to_owned()), exclude_tags: tag.clone(), ..rule.clone() },
        FleetRetentionRule { id: Some("bbbbbbbbbbb".to_owned()), tags: tag, ..rule },
        FleetRetentionRule::new(ResourceKind::Snapshot, 7),
    ];
    start(Fleet { recycle_bin_rules: rules, regions: ["eu-west-1".to_owned()].into(), ..fleet([]) }).await
}

#[tokio::test]
async fn rules_are_listed_by_resource_in_pages() {
    let sandbox = two_rules().await;
    let list = async |body: Value| send_rbin(&sandbox, REGION, "POST /list-rules", &body.to_string()).await;
    let ids = |reply: &Value| -> Vec<String> {
        let rules = reply["Rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["Identifier"].as_str().unwrap().to_owned()).collect()
    };
    let reply = list(json!({ "ResourceType": "EC2_IMAGE" })).await;
    assert!(reply.headers.contains("content-type: application/json"), "{}", reply.headers);
    assert_eq!(ids(&reply.json()), ["aaaaaaaaaaa", "bbbbbbbbbbb"]);
    assert_eq!(
        reply.json()["Rules"][0],
        json!({
            "Identifier": "aaaaaaaaaaa",
            "RuleArn": "arn:aws:rbin:us-east-1:111122223333:rule/aaaaaaaaaaa",
            "RetentionPeriod": { "RetentionPeriodValue": 30, "RetentionPeriodUnit": "DAYS" },
        })
    );
    let first = list(json!({ "ResourceType": "EC2_IMAGE", "MaxResults": 1 })).await.json();
    let token = &first["NextToken"];
    let second =
        list(json!({ "ResourceType": "EC2_IMAGE", "MaxResults": 1, "NextToken": token })).await.json();
    assert_eq!([ids(&first), ids(&second)].concat(), ["aaaaaaaaaaa", "bbbbbbbbbbb"]);
    assert_eq!(second.get("NextToken"), None);
    assert_eq!(ids(&list(json!({ "ResourceType": "EBS_SNAPSHOT" })).await.json()).len(), 1);
    assert!(ids(&list(json!({ "ResourceType": "EBS_VOLUME" })).await.json()).is_empty());
    let elsewhere = json!({ "ResourceType": "EC2_IMAGE" }).to_string();
    assert!(ids(&send_rbin(&sandbox, "eu-west-1", "POST /list-rules", &elsewhere).await.json()).is_empty());
    for body in
        [json!({}), json!({ "ResourceType": "X" }), json!({ "ResourceType": "EC2_IMAGE", "MaxResults": 0 })]
    {
        let reply = list(body.clone()).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.headers.contains("x-amzn-errortype: validationexception"), "{body} {}", reply.headers);
    }
}

#[tokio::test]
async fn a_rule_tells_its_tags_and_state_and_comes_and_goes() {
    let sandbox = two_rules().await;
    let get = async |id: &str| send_rbin(&sandbox, REGION, &format!("GET /rules/{id}"), "").await;
    let tags = json!([
        { "ResourceTagKey": "Stage", "ResourceTagValue": "test" }, { "ResourceTagKey": "Team" }
    ]);
    let region_wide = get("aaaaaaaaaaa").await.json();
    assert_eq!((&region_wide["ResourceTags"], &region_wide["ExcludeResourceTags"]), (&json!([]), &tags));
    assert_eq!(
        (&region_wide["ResourceType"], &region_wide["Status"]),
        (&json!("EC2_IMAGE"), &json!("available"))
    );
    assert_eq!(get("bbbbbbbbbbb").await.json()["ResourceTags"], tags);
    let record = sandbox.cloud().requests().pop().unwrap();
    assert_eq!((record.service, record.action.as_str()), ("rbin", "GetRule"));
    assert_eq!(record.parameters["Identifier"], "bbbbbbbbbbb");

    sandbox.cloud().update(|world| {
        world.retention_rules.remove("aaaaaaaaaaa");
        let rule = world.retention_rules.get_mut("bbbbbbbbbbb").unwrap();
        rule.status = RetentionRuleStatus::Pending;
    });
    assert_eq!(get("bbbbbbbbbbb").await.json()["Status"], json!("pending"));
    let gone = get("aaaaaaaaaaa").await;
    assert_eq!(gone.status, 404);
    assert!(gone.headers.contains("x-amzn-errortype: resourcenotfoundexception"), "{}", gone.headers);
    assert_eq!(send_rbin(&sandbox, REGION, "DELETE /rules/bbbbbbbbbbb", "").await.status, 404);
}
