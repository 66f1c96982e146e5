//! The retention rules of the Recycle Bin.

use amiwarden_core::{CloudReader, Listing, RetainedKind, RetentionRule};

use crate::server::{Reply, Request, Server};
use crate::setup::reader;

/// A server that has these rules, by their ids, for images; it has one for snapshots, `snap`.
async fn with_rules(rules: Vec<(&'static str, Reply)>) -> Server {
    Server::answering(move |request: &Request| {
        if request.action == "ListRules" {
            let listed = |id: &str| format!(r#"{{"Identifier":"{id}"}}"#);
            let ids: Vec<_> = if request.text.contains("EC2_IMAGE") {
                rules.iter().map(|(id, _)| listed(id)).collect()
            } else {
                vec![listed("snap")]
            };
            return Reply::json(&format!(r#"{{"Rules":[{}]}}"#, ids.join(",")));
        }
        let id = request.text.rsplit('/').next().unwrap();
        let rule = rules.iter().find(|(other, _)| *other == id).map(|(_, reply)| reply.clone());
        rule.unwrap_or_else(|| rule_reply("snap", "EBS_SNAPSHOT", "available", ""))
    })
    .await
}

fn rule_reply(id: &str, kind: &str, status: &str, more: &str) -> Reply {
    Reply::json(&format!(
        r#"{{"Identifier":"{id}","ResourceType":"{kind}","Status":"{status}",
            "RetentionPeriod":{{"RetentionPeriodValue":14,"RetentionPeriodUnit":"DAYS"}}{more}}}"#
    ))
}

fn rule(id: &str, kind: RetainedKind) -> RetentionRule {
    RetentionRule { id: id.to_owned(), kind, retention_days: 14, tags: Vec::new(), exclude_tags: Vec::new() }
}

fn tag(key: &str, value: Option<&str>) -> (String, Option<String>) {
    (key.to_owned(), value.map(str::to_owned))
}

#[tokio::test]
async fn the_rules_in_force_are_read_with_their_tags() {
    let tags = r#","ResourceTags":[{"ResourceTagKey":"Env","ResourceTagValue":"dev"},{"ResourceTagKey":"Any"}],
                 "ExcludeResourceTags":[{"ResourceTagKey":"Tmp","ResourceTagValue":""}]"#;
    let gone = Reply::json_error(404, "ResourceNotFoundException", "It is gone.");
    let server = with_rules(vec![
        ("all", rule_reply("all", "EC2_IMAGE", "available", "")),
        ("some", rule_reply("some", "EC2_IMAGE", "available", tags)),
        ("soon", rule_reply("soon", "EC2_IMAGE", "pending", "")),
        ("gone", gone),
    ])
    .await;
    let mut some = rule("some", RetainedKind::Image);
    some.tags = vec![tag("Env", Some("dev")), tag("Any", None)];
    some.exclude_tags = vec![tag("Tmp", None)];
    let expected = vec![rule("all", RetainedKind::Image), some, rule("snap", RetainedKind::Snapshot)];
    assert_eq!(reader(&server).await.retention_rules().await, Listing::complete(expected));
}

#[tokio::test]
async fn a_rule_that_is_not_known_is_a_gap() {
    let good = || rule_reply("r", "EC2_IMAGE", "available", "");
    let Reply::Whole(_, whole) = good() else { unreachable!() };
    let cut = Reply::Whole(200, whole[..whole.len() - 1].to_owned());
    let weeks = Reply::json(&whole.replace("DAYS", "WEEKS"));
    let denied = Reply::json_error(403, "AccessDeniedException", "No.");
    for (reply, gap) in [
        (denied, "GetRule of r: AccessDeniedException: No. (the credentials need rbin:GetRule)"),
        (rule_reply("other", "EC2_IMAGE", "available", ""), "the answer is about another rule"),
        (rule_reply("r", "EBS_SNAPSHOT", "available", ""), "the answer is about another rule"),
        (Reply::json(&whole.replace("\"Status\"", "\"Stat\"")), "does not tell whether it is in force"),
        (weeks, "its retention period is not in days"),
        (cut, "GetRule of r: "),
        (Reply::Whole(200, String::new()), "GetRule of r: "),
    ] {
        let server = with_rules(vec![("r", reply.clone())]).await;
        let rules = reader(&server).await.retention_rules().await;
        assert_eq!(rules.items, [rule("snap", RetainedKind::Snapshot)], "{reply:?}");
        let reason = rules.gap.unwrap().reason;
        assert!(reason.contains(gap), "{reason} lacks {gap}");
    }
}

#[tokio::test]
async fn rules_that_cannot_be_listed_are_a_gap() {
    for (reply, gap) in [
        (
            Reply::json_error(403, "AccessDeniedException", "No."),
            "ListRules: page 1: AccessDeniedException: No. (the credentials need rbin:ListRules)",
        ),
        (Reply::json("{}"), "ListRules: page 1: the reply has no list"),
        (Reply::json(r#"{"Rules":[{}]}"#), "ListRules: page 1: a rule without an identifier"),
        (Reply::json(r#"{"Rules":[],"NextToken":"1"}"#), "ListRules: page 2: the token for the next page"),
    ] {
        let server = {
            let reply = reply.clone();
            Server::answering(move |_| reply.clone()).await
        };
        let rules = reader(&server).await.retention_rules().await;
        let reason = rules.gap.unwrap().reason;
        assert!(reason.contains(gap), "{reason} lacks {gap}");
    }
}
