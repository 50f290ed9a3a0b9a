//! The OpenAPI document, beside the contract and beside what the server does.

use hallpass_testkit::{TestServer, contract};
use serde_json::{Value, json};

use super::cases::{all_cases, tenant};

fn document() -> Value {
    serde_json::from_str(&hallpass_http::openapi_json()).unwrap()
}

/// The schema of an operation's body, and whether there must be one.
fn body_of<'d>(document: &'d Value, operation: &str) -> Option<(&'d Value, bool)> {
    let items = document["paths"].as_object().unwrap().values();
    let mut operations = items.flat_map(|item| item.as_object().unwrap().values());
    let body = &operations.find(|found| found["operationId"] == operation)?["requestBody"];
    let name = body["content"]["application/json"]["schema"]["$ref"].as_str()?.rsplit('/').next()?;
    Some((&document["components"]["schemas"][name], body["required"] == true))
}

fn required_of(schema: &Value) -> Vec<&str> {
    let mut names: Vec<_> =
        schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn bodies_require_what_the_contract_requires() {
    let document = document();
    let contract = std::fs::read_to_string(contract::shared().join("spec/contract.json")).unwrap();
    let contract: Value = serde_json::from_str(&contract).unwrap();
    let mut with_required = 0;
    for theirs in contract["operations"].as_array().unwrap() {
        let operation = theirs["operation"].as_str().unwrap();
        let Some((schema, body_required)) = body_of(&document, operation) else { continue };
        let required = required_of(schema);
        let mut demanded = required_of(&theirs["request_body"]);
        // The guide names no company when it makes an app: the key's it is.
        demanded.retain(|name| (operation, *name) != ("apps.create", "company_id"));
        assert_eq!(required, demanded, "{operation}");
        assert_eq!(body_required, !required.is_empty(), "{operation}");
        for name in &required {
            let list = theirs["request_body"]["properties"][name]["type"] == "array";
            let kind = if list { "array" } else { "string" };
            assert_eq!(schema["properties"][name]["type"], kind, "{operation} {name}: never null");
        }
        with_required += usize::from(body_required);
    }
    assert!(with_required >= 7, "{with_required}");
}

#[test]
fn everything_is_json() {
    let document = document();
    let mut answers = 0;
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|p| p.as_object().unwrap().values())
    {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let types: Vec<_> = response["content"].as_object().unwrap().keys().collect();
            assert_eq!(types, ["application/json"], "{} {status}", operation["operationId"]);
            answers += 1;
        }
    }
    assert!(answers > 100);
}

#[tokio::test]
async fn a_required_field_that_is_missing_is_named() {
    let server = TestServer::start().await;
    let acme = tenant(&server, "acme").await;
    let document = document();
    let mut fields = 0;
    for case in all_cases(&acme) {
        let Some((schema, _)) = body_of(&document, case.operation()) else { continue };
        for name in required_of(schema) {
            for absent in [None, Some(Value::Null)] {
                let mut case = case.clone();
                let body = case.body.as_mut().unwrap();
                let aliases = [("company_id", "account_id"), ("account_id", "company_id")];
                for alias in
                    aliases.map(|(one, other)| name.replace(one, other)).iter().chain([&name.to_owned()])
                {
                    body.remove(alias);
                }
                body.extend(absent.map(|null| (name.to_owned(), null)));
                let answer = case.send(&server, &acme.key).await;
                let error = &answer.body["error"];
                assert_eq!((answer.status, &error["code"]), (400, &json!("parameter_missing")), "{name}");
                assert_eq!(error["param"], name, "{}", case.name);
                fields += 1;
            }
        }
    }
    assert!(fields > 20, "{fields}");
}
