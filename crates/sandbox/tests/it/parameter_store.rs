//! Systems Manager's Parameter Store over HTTP.

use std::collections::BTreeMap;

use amiwarden_sandbox::{Fault, FaultKind, Fleet, FleetImage, Sandbox};
use serde_json::json;

use crate::client::{fleet, id_of, send_ssm, start};

async fn sandbox(parameters: usize) -> Sandbox {
    let parameters = (0..parameters).map(|n| (format!("/golden/{n:02}"), "web".to_owned()));
    let ssm_parameters: BTreeMap<String, String> = parameters.collect();
    start(Fleet { ssm_parameters, ..fleet([FleetImage::new("web")]) }).await
}

#[tokio::test]
async fn parameters_are_listed_by_data_type_without_their_values() {
    let sandbox = sandbox(1).await;
    let filter = |key: &str, option: &str, value: &str| {
        json!({ "ParameterFilters": [{ "Key": key, "Option": option, "Values": [value] }] }).to_string()
    };
    let reply =
        send_ssm(&sandbox, "DescribeParameters", &filter("DataType", "Equals", "aws:ec2:image")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers.contains("content-type: application/x-amz-json-1.1"), "{}", reply.headers);
    let parameter = &reply.json()["Parameters"][0];
    assert_eq!(
        (&parameter["Name"], &parameter["Type"], &parameter["DataType"], parameter.get("Value")),
        (&json!("/golden/00"), &json!("String"), &json!("aws:ec2:image"), None)
    );
    assert_eq!(parameter["ARN"], json!("arn:aws:ssm:us-east-1:111122223333:parameter/golden/00"));
    for (key, option, value, found) in [
        ("DataType", "Equals", "text", 0),
        ("DataType", "BeginsWith", "aws:", 1),
        ("Name", "BeginsWith", "/gold", 1),
        ("Name", "Equals", "/gold", 0),
        ("Type", "Equals", "SecureString", 0),
    ] {
        let reply = send_ssm(&sandbox, "DescribeParameters", &filter(key, option, value)).await;
        assert_eq!(reply.json()["Parameters"].as_array().unwrap().len(), found, "{key} {option} {value}");
    }
    for (body, error) in [
        (filter("Tier", "Equals", "x"), "InvalidFilterKey"),
        (filter("Name", "Contains", "x"), "InvalidFilterOption"),
        (json!({ "ParameterFilters": [{ "Key": "Name" }] }).to_string(), "InvalidFilterValue"),
        (json!({ "MaxResults": 51 }).to_string(), "ValidationException"),
        (json!({ "NextToken": "nonsense" }).to_string(), "InvalidNextToken"),
        (json!({ "Filters": [{ "Key": "Name" }] }).to_string(), "ValidationException"),
        ("{".to_owned(), "SerializationException"),
    ] {
        let reply = send_ssm(&sandbox, "DescribeParameters", &body).await;
        assert_eq!((reply.status, &reply.json()["__type"]), (400, &json!(error)), "{body}");
    }
}

#[tokio::test]
async fn lists_come_in_pages_of_fifty() {
    let sandbox = sandbox(60).await;
    let mut names = Vec::new();
    let mut body = json!({});
    for size in [50, 10] {
        let page = send_ssm(&sandbox, "DescribeParameters", &body.to_string()).await.json();
        let found = page["Parameters"].as_array().unwrap();
        assert_eq!(found.len(), size);
        names.extend(found.iter().map(|parameter| parameter["Name"].to_string()));
        body = json!({ "NextToken": page["NextToken"] });
    }
    names.dedup();
    assert_eq!((names.len(), &body["NextToken"]), (60, &json!(null)));
    sandbox.cloud().inject(Fault::new("DescribeParameters", FaultKind::EmptyPage));
    let page = send_ssm(&sandbox, "DescribeParameters", "{}").await.json();
    assert!(page["Parameters"].as_array().unwrap().is_empty() && page["NextToken"].is_string());
}

#[tokio::test]
async fn values_are_read_by_name_and_missing_names_told() {
    let sandbox = sandbox(2).await;
    let web = id_of(&sandbox, "web");
    let body = json!({ "Names": ["/golden/01", "/none", "/golden/00:3"], "WithDecryption": true });
    let reply = send_ssm(&sandbox, "GetParameters", &body.to_string()).await.json();
    let parameters = reply["Parameters"].as_array().unwrap();
    let member = |name: &str| parameters.iter().map(|found| found[name].clone()).collect::<Vec<_>>();
    assert_eq!(member("Name"), ["/golden/00", "/golden/01"]);
    assert_eq!(member("Value"), [web.clone(), web]);
    assert_eq!(member("Selector"), [json!(":3"), json!(null)]);
    assert_eq!(reply["InvalidParameters"], json!(["/none"]));
    let record = sandbox.cloud().requests().pop().unwrap();
    assert_eq!((record.service, record.action.as_str()), ("ssm", "GetParameters"));
    assert_eq!(record.parameters["Names.2"], "/none");

    for (count, status) in [(0, 400), (10, 200), (11, 400)] {
        let names: Vec<String> = (0..count).map(|n| format!("/golden/{n:02}")).collect();
        let reply = send_ssm(&sandbox, "GetParameters", &json!({ "Names": names }).to_string()).await;
        assert_eq!(reply.status, status, "{count} names");
    }
    sandbox.cloud().update(|world| world.ssm_parameters.clear());
    let reply = send_ssm(&sandbox, "GetParameters", &body.to_string()).await.json();
    assert_eq!(reply["InvalidParameters"].as_array().unwrap().len(), 3);
}
