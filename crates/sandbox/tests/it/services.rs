//! What all services have in common: dispatch by signature, and faults in the words of each.

use std::time::Duration;

use amiwarden_sandbox::{BucketSizes, Fault, FaultKind, FleetRetentionRule, ResourceKind, SandboxOptions};

use crate::client::{
    Broken, REGION, Reply, exchange, fleet, now, send_auto_scaling, send_rbin, send_ssm, signed, start,
    start_with, try_send_rbin,
};

const LIST_RULES: &str = r#"{"ResourceType":"EC2_IMAGE"}"#;

/// Status and code of an error, wherever the service writes it.
fn outcome(reply: &Reply) -> String {
    let header = reply.headers.lines().find_map(|line| line.strip_prefix("x-amzn-errortype: "));
    if let Some(code) = header {
        return format!("{} {code}", reply.status);
    }
    if reply.headers.contains("x-amz-json") {
        return format!("{} {}", reply.status, reply.json()["__type"].as_str().unwrap_or("-"));
    }
    reply.outcome()
}

#[tokio::test]
async fn faults_and_denials_speak_each_service_s_language() {
    let sandbox = start(fleet([])).await;
    for (kind, auto_scaling, ssm, rbin) in [
        (FaultKind::Throttle, "400 Throttling", "400 ThrottlingException", "400 throttlingexception"),
        (FaultKind::Denied, "403 AccessDenied", "400 AccessDeniedException", "403 accessdeniedexception"),
        (
            FaultKind::ServerErrorBefore,
            "500 InternalFailure",
            "500 InternalServerError",
            "500 internalserverexception",
        ),
    ] {
        for action in ["DescribeAutoScalingGroups", "GetParameters", "ListRules"] {
            sandbox.cloud().inject(Fault::new(action, kind));
        }
        let reply = send_auto_scaling(&sandbox, &[("Action", "DescribeAutoScalingGroups")]).await;
        assert_eq!(outcome(&reply), auto_scaling);
        let expected = if kind == FaultKind::ServerErrorBefore { "Receiver" } else { "Sender" };
        assert_eq!(reply.text("Type"), expected);
        assert_eq!(outcome(&send_ssm(&sandbox, "GetParameters", r#"{"Names":["/a"]}"#).await), ssm);
        assert_eq!(outcome(&send_rbin(&sandbox, REGION, "POST /list-rules", LIST_RULES).await), rbin);
        let log = sandbox.cloud().requests();
        assert!(log.iter().rev().take(3).all(|request| request.fault.is_some()));
    }
    sandbox.cloud().deny("DescribeParameters");
    let denied = send_ssm(&sandbox, "DescribeParameters", "{}").await;
    assert_eq!(outcome(&denied), "400 AccessDeniedException");
    assert!(denied.body.contains("ssm:DescribeParameters"), "{}", denied.body);
    let record = sandbox.cloud().requests().pop().unwrap();
    assert_eq!(record.error_code.as_deref(), Some("AccessDeniedException"));
    sandbox.cloud().allow("DescribeParameters");
    assert_eq!(send_ssm(&sandbox, "DescribeParameters", "{}").await.status, 200);
}

#[tokio::test]
async fn connections_break_for_every_service() {
    let mut fleet = fleet([]);
    fleet.recycle_bin_rules.push(FleetRetentionRule::new(ResourceKind::Image, 7));
    let sandbox = start(fleet).await;
    let send = || try_send_rbin(&sandbox, REGION, "POST /list-rules", LIST_RULES);
    sandbox.cloud().inject(Fault::new("ListRules", FaultKind::ResetBefore));
    assert!(matches!(send().await, Err(Broken::Reset | Broken::NoReply)));
    sandbox.cloud().inject(Fault::new("ListRules", FaultKind::TruncatedBody));
    assert!(matches!(send().await, Err(Broken::Truncated { .. })));
    sandbox.cloud().inject(Fault::new("ListRules", FaultKind::Hang { seconds: 600 }));
    assert!(tokio::time::timeout(Duration::from_millis(100), send()).await.is_err());
    assert_eq!(send().await.unwrap().status, 200);
}

#[tokio::test]
async fn the_signature_chooses_service_and_region() {
    let sandbox = start(fleet([])).await;
    let action = [("Action", "DescribeAutoScalingGroups")];
    let ec2 = exchange(sandbox.address(), Some(&signed(REGION, "ec2")), &action).await.unwrap();
    assert_eq!(ec2.outcome(), "400 InvalidAction");
    for (service, expected) in [
        ("autoscaling", "403 InvalidClientTokenId"),
        ("sts", "403 InvalidClientTokenId"),
        ("ec2", "401 AuthFailure"),
    ] {
        let authorization = signed("ap-south-1", service);
        let reply = exchange(sandbox.address(), Some(&authorization), &action).await.unwrap();
        assert_eq!(reply.outcome(), expected, "{service}");
    }
    let rbin = send_rbin(&sandbox, "ap-south-1", "POST /list-rules", LIST_RULES).await;
    assert_eq!(outcome(&rbin), "403 unrecognizedclientexception");
    assert_eq!(outcome(&send_ssm(&sandbox, "DeleteParameter", "{}").await), "400 UnknownOperationException");
    let id = sandbox.cloud().requests().pop().unwrap().request_id;
    assert!(send_ssm(&sandbox, "DescribeParameters", "{}").await.headers.contains("x-amzn-requestid: "));
    assert_ne!(sandbox.cloud().requests().pop().unwrap().request_id, id);
}

#[tokio::test]
async fn buckets_of_ec2_do_not_throttle_other_services() {
    let buckets = Some(BucketSizes::documented().scaled(0.000_001));
    let sandbox = start_with(SandboxOptions { buckets, ..SandboxOptions::new(fleet([]), now()) }).await;
    let throttled = [("Action", "DescribeImages")];
    let ec2 = exchange(sandbox.address(), Some(&signed(REGION, "ec2")), &throttled).await.unwrap();
    assert_eq!(ec2.outcome(), "503 RequestLimitExceeded");
    let groups = send_auto_scaling(&sandbox, &[("Action", "DescribeAutoScalingGroups")]).await;
    assert_eq!(groups.outcome(), "200 -");
}
