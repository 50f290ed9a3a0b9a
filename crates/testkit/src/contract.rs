//! Every answer of a test is checked against the contract: required, nullable, enum, types.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use hallpass_core::webhook::EventType;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The folder `shared` beside the checkout, or `HALLPASS_SHARED`.
pub fn shared() -> PathBuf {
    std::env::var_os("HALLPASS_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
}

struct Contract {
    /// By method and path template without the base.
    operations: Vec<(String, Vec<String>, Validator, u64)>,
    error: Validator,
    /// By event.
    webhook_events: HashMap<String, Validator>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let path = shared().join("spec/contract.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("the contract is read from {}: {error}", path.display()));
    let mut contract: Value = serde_json::from_str(&text).expect("the contract is JSON");
    // A webhook that asked for events of ours is shown with them.
    let known = contract["$defs"]["WebhookEvent"]["enum"].as_array_mut().expect("events");
    for event in EventType::ALL.iter().filter(|event| !event.is_of_the_contract()) {
        known.push(event.name().into());
    }
    let compile = |schema: &Value| {
        let mut root = json!({ "$schema": contract["$schema"], "$defs": contract["$defs"] });
        let root_map = root.as_object_mut().expect("an object");
        for (key, value) in schema.as_object().expect("a schema is an object") {
            root_map.insert(key.clone(), value.clone());
        }
        jsonschema::options()
            .should_validate_formats(true)
            .build(&root)
            .expect("the contract's schemas compile")
    };
    let operations = contract["operations"]
        .as_array()
        .expect("operations")
        .iter()
        .filter(|operation| operation["response"].is_object())
        .map(|operation| {
            let path = operation["path"].as_str().expect("path");
            let success = operation["success_status"].as_u64().expect("status");
            let segments = path.trim_matches('/').split('/').map(str::to_owned).collect();
            let method = operation["method"].as_str().expect("method").to_owned();
            (method, segments, compile(&operation["response"]), success)
        })
        .collect();
    let webhook_events = contract["webhook_events"]
        .as_object()
        .expect("webhook events")
        .iter()
        .map(|(name, schema)| (name.clone(), compile(schema)))
        .collect();
    Contract { operations, error: compile(&contract["error_response"]), webhook_events }
});

/// Reads and compiles the contract, which the first answer needs.
pub fn load() {
    LazyLock::force(&CONTRACT);
}

/// Panics if an answer does not fit the contract. Operations the contract lacks (ours) only have
/// their errors checked.
pub fn check(method: &str, path: &str, status: u16, content_type: &str, body: &[u8]) {
    let Some(path) = path.strip_prefix("/api/v1/") else { return };
    let path = path.split('?').next().unwrap_or_default();
    let context = format!("{method} /{path} answered {status}");
    assert!(content_type.starts_with("application/json"), "{context} with content type {content_type:?}");
    let body: Value = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{context} with a body that is not JSON ({error})"));
    if !(200..300).contains(&status) {
        must_fit(&CONTRACT.error, &body, &context);
        assert!(body["error"]["request_id"].is_string(), "{context} without a request id: {body}");
        return;
    }
    // Ours, beside an operation with an id in this place; it answers what the list does.
    let path = if path == "messages/search" { "messages" } else { path };
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |template: &[String]| {
        template.len() == segments.len()
            && template.iter().zip(&segments).all(|(t, s)| t.starts_with('{') || t == s)
    };
    let exact = |template: &[String]| template.iter().filter(|part| !part.starts_with('{')).count();
    let operation = CONTRACT
        .operations
        .iter()
        .filter(|(m, template, ..)| m == method && fits(template))
        .max_by_key(|(_, template, ..)| exact(template));
    if let Some((_, _, schema, success)) = operation {
        assert_eq!(u64::from(status), *success, "{context}, the contract says {success}");
        must_fit(schema, &body, &context);
    }
}

/// Panics if what a webhook was told does not fit the contract. Of events the contract lacks (ours) only
/// the envelope is checked.
pub fn check_webhook(body: &Value) {
    let event = body["type"].as_str().unwrap_or_else(|| panic!("an event without a type: {body:#}"));
    for part in ["id", "timestamp", "company_id"] {
        assert!(body[part].is_string(), "{event} without {part}: {body:#}");
    }
    assert_eq!(body["api_version"], "v1");
    assert!(body["data"].is_object(), "{event} without data: {body:#}");
    match CONTRACT.webhook_events.get(event) {
        Some(schema) => must_fit(schema, body, event),
        None => assert!(event.starts_with("hallpass."), "{event} is neither the contract's nor ours"),
    }
}

fn must_fit(schema: &Validator, body: &Value, context: &str) {
    let errors: Vec<String> =
        schema.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{context} against the contract:\n{}\n{body:#}", errors.join("\n"));
}

/// The operations of the contract by name, with method and path.
pub fn operations() -> HashMap<String, (String, String)> {
    let text = std::fs::read_to_string(shared().join("spec/contract.json")).expect("the contract is there");
    let contract: Value = serde_json::from_str(&text).expect("the contract is JSON");
    contract["operations"]
        .as_array()
        .expect("operations")
        .iter()
        .map(|operation| {
            let text = |key: &str| operation[key].as_str().expect("a text").to_owned();
            (text("operation"), (text("method"), text("path")))
        })
        .collect()
}
