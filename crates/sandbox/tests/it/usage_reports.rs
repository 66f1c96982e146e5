//! Image usage reports over HTTP.

use amiwarden_sandbox::{Fault, FaultKind, Fleet, Sandbox, SandboxOptions};
use jiff::SignedDuration;

use crate::client::{Reply, exchange, id_of, now, send, signed, start, start_with};

const TYPES: [(&str, &str); 2] =
    [("ResourceType.1.ResourceType", "ec2:Instance"), ("ResourceType.2.ResourceType", "ec2:LaunchTemplate")];

fn fleet() -> Fleet {
    Fleet::from_json(
        r#"{
        "schema": 1, "account": "111122223333", "region": "us-east-1",
        "images": [{ "name": "shared" }, { "name": "quiet" }],
        "foreign_uses": [
            { "image": "shared", "account": "222233334444", "kind": "instance", "count": 3 },
            { "image": "shared", "account": "222233334444", "kind": "launch-template", "count": 1 },
            { "image": "shared", "account": "************", "kind": "instance", "count": 2 }
        ]
    }"#,
    )
    .unwrap()
}

async fn create(sandbox: &Sandbox, image: &str, more: &[(&str, &str)]) -> Reply {
    let id = id_of(sandbox, image);
    send(sandbox, &[&[("Action", "CreateImageUsageReport"), ("ImageId", id.as_str())], more].concat()).await
}

async fn state(sandbox: &Sandbox, report: &str) -> String {
    let request = [("Action", "DescribeImageUsageReports"), ("ReportId.1", report)];
    send(sandbox, &request).await.text("state").to_owned()
}

async fn entries(sandbox: &Sandbox, more: &[(&str, &str)]) -> Vec<String> {
    let reply = send(sandbox, &[&[("Action", "DescribeImageUsageReportEntries")], more].concat()).await;
    assert_eq!(reply.outcome(), "200 -", "{}", reply.body);
    let (accounts, counts) = (reply.texts("accountId"), reply.texts("usageCount"));
    let rows = reply.texts("resourceType").into_iter().zip(accounts).zip(counts);
    rows.map(|((kind, account), count)| format!("{kind} {account} {count}")).collect()
}

#[tokio::test]
async fn a_report_is_pending_once_and_then_tells_what_was_true_when_it_was_asked_for() {
    let sandbox = start(fleet()).await;
    let created = create(&sandbox, "shared", &TYPES).await;
    let report = created.text("reportId");
    assert!(report.starts_with("amiur-") && report.len() == 23, "{report}");
    sandbox.cloud().update(|world| world.foreign_uses.clear());
    let named = [("ReportId.1", report)];
    assert!(entries(&sandbox, &named).await.is_empty(), "a pending report tells nothing");
    assert_eq!(state(&sandbox, report).await, "pending");
    assert_eq!(state(&sandbox, report).await, "available");
    assert_eq!(
        entries(&sandbox, &named).await,
        ["ec2:Instance 222233334444 3", "ec2:LaunchTemplate 222233334444 1", "ec2:Instance ************ 2"]
    );
    for (filter, value, found) in [
        ("account-id", "222233334444", 2),
        ("resource-type", "ec2:Instance", 2),
        ("creation-time", "2025*", 0),
    ] {
        let filtered = [named[0], ("Filter.1.Name", filter), ("Filter.1.Value.1", value)];
        assert_eq!(entries(&sandbox, &filtered).await.len(), found, "{filter}");
    }
    let described = send(
        &sandbox,
        &[
            ("Action", "DescribeImageUsageReports"),
            ("Filter.1.Name", "state"),
            ("Filter.1.Value.1", "available"),
        ],
    )
    .await;
    assert_eq!(described.texts("resourceType"), ["ec2:Instance", "ec2:LaunchTemplate"]);
    assert_eq!(described.text("expirationTime")[..10], *"2026-12-20");
}

#[tokio::test]
async fn reports_are_narrowed_by_account_and_type() {
    let sandbox = start(Fleet { usage_report_pending_describes: Some(0), ..fleet() }).await;
    let wanted = [
        TYPES[1],
        ("ResourceType.2.ResourceTypeOption.1.OptionName", "version-depth"),
        ("ResourceType.2.ResourceTypeOption.1.OptionValue.1", "10000"),
        ("AccountId.1", "222233334444"),
        ("AccountId.2", "999900001111"),
    ];
    let report = create(&sandbox, "shared", &wanted).await;
    let named = [("ReportId.1", report.text("reportId"))];
    assert_eq!(entries(&sandbox, &named).await, ["ec2:LaunchTemplate 222233334444 1"]);
    let request = [("Action", "DescribeImageUsageReports"), named[0]];
    let described = send(&sandbox, &request).await;
    assert_eq!(described.text("accountIdSet"), "<item>222233334444</item><item>999900001111</item>");
}

#[tokio::test]
async fn time_completes_a_report_and_takes_it_away() {
    let sandbox = start(Fleet { usage_report_pending_describes: Some(1000), ..fleet() }).await;
    let report = create(&sandbox, "shared", &TYPES).await.text("reportId").to_owned();
    for _ in 0..3 {
        assert_eq!(state(&sandbox, &report).await, "pending");
    }
    assert_eq!(create(&sandbox, "shared", &TYPES).await.outcome(), "400 ResourceLimitExceeded");
    assert_eq!(create(&sandbox, "quiet", &TYPES).await.outcome(), "200 -", "the quota is per image");
    sandbox.cloud().advance(SignedDuration::from_mins(1));
    assert_eq!(state(&sandbox, &report).await, "available");
    assert_eq!(create(&sandbox, "shared", &TYPES).await.outcome(), "200 -");
    sandbox.cloud().advance(SignedDuration::from_hours(24 * 30));
    let request = [("Action", "DescribeImageUsageReports"), ("ReportId.1", report.as_str())];
    assert_eq!(send(&sandbox, &request).await.outcome(), "400 InvalidImageUsageReportId.NotFound");
    assert!(send(&sandbox, &request[..1]).await.texts("reportId").is_empty());
}

#[tokio::test]
async fn a_repeated_request_yields_the_same_report() {
    let sandbox = start(fleet()).await;
    let token = [&TYPES[..], &[("ClientToken", "t-1")]].concat();
    let first = create(&sandbox, "shared", &token).await.text("reportId").to_owned();
    assert_eq!(create(&sandbox, "shared", &token).await.text("reportId"), first);
    assert_eq!(create(&sandbox, "quiet", &token).await.outcome(), "400 IdempotentParameterMismatch");
    assert_eq!(sandbox.cloud().world().usage_reports.reports.len(), 1);
}

#[tokio::test]
async fn reports_change_no_image_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let options = SandboxOptions { state_file: Some(file.clone()), ..SandboxOptions::new(fleet(), now()) };
    let sandbox = start_with(options.clone()).await;
    let images = sandbox.cloud().images();
    let rehearsed = [&TYPES[..], &[("DryRun", "true")]].concat();
    assert_eq!(create(&sandbox, "shared", &rehearsed).await.outcome(), "412 DryRunOperation");
    let report = create(&sandbox, "shared", &TYPES).await.text("reportId").to_owned();
    state(&sandbox, &report).await;
    let log: Vec<(bool, bool)> =
        sandbox.cloud().requests().iter().map(|request| (request.applied, request.reports_changed)).collect();
    assert_eq!(log, [(false, false), (false, true), (false, false)]);
    assert_eq!(sandbox.cloud().images(), images);
    sandbox.stop().await;

    let resumed = start_with(options).await;
    let delete = [("Action", "DeleteImageUsageReport"), ("ReportId", report.as_str())];
    assert_eq!(send(&resumed, &delete).await.text("return"), "true");
    assert_eq!(send(&resumed, &delete).await.outcome(), "400 InvalidImageUsageReportId.NotFound");
    let [first, second] = [0, 1].map(|at| resumed.cloud().requests()[at].reports_changed);
    assert!(first && !second);
}

#[tokio::test]
async fn a_report_is_created_although_its_reply_is_lost() {
    let sandbox = start(fleet()).await;
    sandbox.cloud().inject(Fault::new("CreateImageUsageReport", FaultKind::ResetAfter));
    let id = id_of(&sandbox, "shared");
    let request = [("Action", "CreateImageUsageReport"), ("ImageId", id.as_str()), TYPES[0]];
    exchange(sandbox.address(), Some(&signed("us-east-1", "ec2")), &request).await.unwrap_err();
    assert!(sandbox.cloud().requests().pop().unwrap().reports_changed);
    assert_eq!(sandbox.cloud().world().usage_reports.reports.len(), 1);
    assert_eq!(create(&sandbox, "shared", &TYPES).await.outcome(), "400 ResourceLimitExceeded");
}

#[tokio::test]
async fn what_cannot_be_reported_is_refused() {
    let sandbox = start(fleet()).await;
    let names: Vec<String> = (1..=201).map(|n| format!("AccountId.{n}")).collect();
    let accounts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "222233334444")).collect();
    for (more, outcome) in [
        (vec![], "400 MissingParameter"),
        (vec![("ResourceType.1.ResourceType", "ssm:Parameter")], "400 InvalidParameterValue"),
        ([&TYPES[..1], &accounts].concat(), "400 InvalidParameterValue"),
        (
            vec![TYPES[0], ("ResourceType.1.ResourceTypeOption.1.OptionName", "version-depth")],
            "400 InvalidParameterValue",
        ),
        (vec![TYPES[0], ("TagSpecification.1.ResourceType", "image-usage-report")], "400 UnknownParameter"),
    ] {
        assert_eq!(create(&sandbox, "shared", &more).await.outcome(), outcome, "{more:?}");
    }
    let gone = [("Action", "CreateImageUsageReport"), ("ImageId", "ami-00000000"), TYPES[0]];
    assert_eq!(send(&sandbox, &gone).await.outcome(), "400 InvalidAMIID.NotFound");
    let filter =
        [("Action", "DescribeImageUsageReports"), ("Filter.1.Name", "account-id"), ("Filter.1.Value.1", "1")];
    assert_eq!(send(&sandbox, &filter).await.outcome(), "400 InvalidParameterValue");
    assert!(sandbox.cloud().requests().iter().all(|request| !request.reports_changed));
}
