//! The OpenAPI document against the routes, and against what they answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::present::OPEN_API;
use super::super::{Endpoint, Kind};
use super::world::{TOKEN, World};

fn document() -> Value {
    serde_json::from_str(OPEN_API).unwrap()
}

/// The operation of an endpoint.
fn operation(document: &Value, endpoint: Endpoint) -> &Value {
    let method = match endpoint.kind() {
        Kind::Question => "get",
        Kind::Order => "post",
    };
    &document["paths"][endpoint.path()][method]
}

#[test]
fn the_document_and_the_routes_name_the_same() {
    let document = document();
    let described: BTreeSet<(&str, &str)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|it| (path.as_str(), it.as_str()))
        })
        .collect();
    let routed: BTreeSet<(&str, &str)> = Endpoint::ALL
        .into_iter()
        .map(|it| (it.path(), if it.kind() == Kind::Order { "post" } else { "get" }))
        .collect();
    assert_eq!(described, routed);
    for endpoint in Endpoint::ALL {
        let operation = operation(&document, endpoint);
        let is_guarded = operation["security"][0]["token"].is_array();
        assert_eq!(is_guarded, endpoint.kind() == Kind::Order, "{endpoint:?}");
        assert_eq!(
            endpoint.path().contains("{id}"),
            operation.to_string().contains("parameters/Id"),
            "{endpoint:?}"
        );
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn answers_have_exactly_the_described_fields() {
    let world = World::new().await;
    let answers = BTreeMap::from([
        ("/healthz", world.get("/healthz").await),
        ("/readyz", world.get("/readyz").await),
        ("/api/v1/status", world.get("/api/v1/status").await),
        ("/api/v1/runs", world.get("/api/v1/runs").await),
        ("/api/v1/runs/{id}", world.get("/api/v1/runs/run-1").await),
        ("/api/v1/images/{id}", world.get("/api/v1/images/ami-00000000000000001").await),
        ("/api/v1/pause", world.post("/api/v1/pause", TOKEN, r#"{"reason": "x"}"#).await),
        ("/api/v1/resume", world.post("/api/v1/resume", TOKEN, "").await),
        ("/api/v1/run", world.post("/api/v1/run", TOKEN, "").await),
    ]);
    let document = document();
    for endpoint in Endpoint::ALL {
        if matches!(endpoint, Endpoint::Metrics | Endpoint::OpenApi) {
            continue;
        }
        let answer = &answers[endpoint.path()];
        let described = &operation(&document, endpoint)["responses"][answer.status.to_string()];
        let schema = &described["content"]["application/json"]["schema"]["$ref"];
        let schema = document.pointer(schema.as_str().unwrap().trim_start_matches('#')).unwrap();
        compare(&document, schema, &answer.json(), endpoint.path());
    }
    assert_eq!(world.get("/api/v1/openapi.json").await.json(), document);
    let failure = &document["components"]["schemas"]["Failure"];
    compare(&document, failure, &world.get("/nowhere").await.json(), "a failure");
}

/// Whether an answer has the fields of a schema, no more and no fewer, down to where the schema says no more.
fn compare(document: &Value, schema: &Value, answer: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), answer.as_object()) {
        for name in fields.keys() {
            assert!(properties.contains_key(name), "{place} has `{name}`, which is not described");
        }
        for name in schema["required"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            assert!(fields.contains_key(name), "{place} has no `{name}`");
        }
        for (name, value) in fields {
            compare(document, &properties[name], value, &format!("{place}.{name}"));
        }
    }
    for item in answer.as_array().into_iter().flatten() {
        compare(document, &schema["items"], item, &format!("{place}[]"));
    }
}
