//! The OpenAPI 3.1 document: what the router's annotations say, and what holds for every operation.

use std::collections::BTreeMap;

use hallpass_core::catalogue;
use hallpass_core::scope::{Scope, ScopeSet};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, ObjectBuilder, RefOr, Required, ResponseBuilder, Schema, Type,
};
use utoipa::{OpenApi, ToSchema};

use crate::error::Code;
use crate::permissions;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hallpass API",
        description = "Embedded chat and the authentication in front of it. Extensions beyond the \
                       compatible contract are marked (extension), or \"Ours\" on a field.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody))
)]
pub(crate) struct Base;

/// What every error looks like.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described; error.rs writes it")]
struct ErrorBody {
    error: ErrorView,
}

/// An error.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described; error.rs writes it")]
struct ErrorView {
    /// The class.
    r#type: String,
    /// For people.
    message: String,
    /// Machine-readable.
    code: Option<String>,
    /// The offending parameter.
    param: Option<String>,
    /// Names the request in the server's log.
    request_id: String,
    /// Seconds until trying again can help.
    retry_after_secs: Option<i64>,
}

/// The statuses that operations may answer besides 200.
const STATUSES: [(&str, &str); 13] = [
    ("400", "a parameter or the body is malformed"),
    ("401", "no credential, or a dead one"),
    ("403", "known, but not allowed"),
    ("404", "no such thing, or not yours to know"),
    ("408", "the body took too long to arrive"),
    ("409", "the state of things is in the way"),
    ("413", "the body is too large"),
    ("414", "the URL is too long"),
    ("415", "the body is not JSON"),
    ("422", "well-formed, but against a rule"),
    ("429", "too many requests"),
    ("500", "a fault of the server's, logged under the request's id"),
    ("503", "try again; a write may have been done"),
];

/// Those that only a body, or a change, can bring about.
const OF_BODIES: [&str; 3] = ["408", "413", "415"];
const OF_CHANGES: [&str; 1] = ["409"];

fn header(name: &str, about: &str) -> RefOr<Parameter> {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    RefOr::T(parameter.build())
}

/// `a` and `b`, or `c`.
fn in_words(alternatives: &[ScopeSet]) -> String {
    let quoted = |set: &ScopeSet| {
        set.iter().map(|scope| format!("`{}`", scope.name())).collect::<Vec<_>>().join(" and ")
    };
    alternatives.iter().map(quoted).collect::<Vec<_>>().join(", or ")
}

/// A bare `true` is JSON too, which utoipa takes for text.
fn answer_in_json(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && let Some(content) = response.content.shift_remove("text/plain")
        {
            response.content.insert("application/json".to_owned(), content);
        }
    }
}

/// Says which permissions an operation needs, in words and as `x-permissions`.
fn describe_permissions(operation: &mut Operation) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let needed: Vec<ScopeSet> =
        permissions::alternatives(&id).iter().copied().filter(|set| *set != ScopeSet::EMPTY).collect();
    let named: Vec<Vec<&str>> = needed.iter().map(|set| set.iter().map(Scope::name).collect()).collect();
    let words = if needed.is_empty() {
        "Needs no permission beyond a live credential.".to_owned()
    } else {
        format!("Needs {}.", in_words(&needed))
    };
    let description = operation.description.get_or_insert_default();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str(&words);
    let extensions = operation.extensions.get_or_insert_default();
    extensions.insert("x-permissions".to_owned(), serde_json::json!(named));
}

/// Whether a body must be sent: an absent one is an object without fields.
fn has_required_field(body: &RequestBody, schemas: &BTreeMap<String, RefOr<Schema>>) -> bool {
    body.content.values().any(|content| {
        let RefOr::T(Content { schema: Some(RefOr::Ref(named)), .. }) = content else { return false };
        let name = named.ref_location.rsplit('/').next().unwrap_or_default();
        matches!(schemas.get(name), Some(RefOr::T(Schema::Object(object))) if !object.required.is_empty())
    })
}

/// The catalogue, for those who make keys.
fn scopes() -> Vec<String> {
    let mark = |has| if has { "yes" } else { "–" };
    Scope::all()
        .map(|scope| {
            let flags = scope.flags();
            let key = flags.has(catalogue::KEY) && !flags.has(catalogue::NOT_KEY);
            let about = scope.entry().description;
            format!("| `{}` | {about} | {} | {} |", scope.name(), mark(key), mark(flags.has(catalogue::USER)))
        })
        .collect()
}

/// Completes and renders the document.
pub(crate) fn render(mut document: Document) -> String {
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    if let Some(components) = &mut document.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
    let schemas =
        document.components.as_ref().map(|components| components.schemas.clone()).unwrap_or_default();
    for item in document.paths.paths.values_mut() {
        let operations = [
            (true, false, &mut item.get),
            (false, true, &mut item.post),
            (false, false, &mut item.put),
            (false, false, &mut item.patch),
            (false, false, &mut item.delete),
        ];
        for (reads, posts, operation) in operations {
            let Some(operation) = operation else { continue };
            describe_permissions(operation);
            let parameters = operation.parameters.get_or_insert_default();
            parameters
                .push(header("Api-Version-Date", "A dated version, `2026-07-08`. Default: the newest."));
            if posts && operation.operation_id.as_deref() != Some("access_tokens.create") {
                let about = "At most 255 visible characters. The same key again within a day, with the same \
                             body, answers the same.";
                parameters.push(header("Idempotency-Key", about));
            }
            let has_body = operation.request_body.is_some();
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                let needed = has_required_field(body, &schemas);
                body.required = Some(if needed { Required::True } else { Required::False });
            }
            answer_in_json(operation);
            for (status, meaning) in STATUSES {
                if (!has_body && OF_BODIES.contains(&status)) || (reads && OF_CHANGES.contains(&status)) {
                    continue;
                }
                let content = ContentBuilder::new()
                    .schema(Some(utoipa::openapi::Ref::from_schema_name("ErrorBody")))
                    .build();
                let response =
                    ResponseBuilder::new().description(meaning).content("application/json", content).build();
                operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
            }
        }
    }
    let codes: Vec<String> = Code::ALL
        .iter()
        .map(|code| {
            format!(
                "| {} | `{}` | `{}` | {} |",
                code.status().as_u16(),
                code.kind(),
                code.name(),
                code.meaning()
            )
        })
        .collect();
    let description = document.info.description.get_or_insert_default();
    description.push_str("\n\n| status | type | code | meaning |\n|---|---|---|---|\n");
    description.push_str(&codes.join("\n"));
    description.push_str("\n\n| permission | what it allows | API key | user token |\n|---|---|---|---|\n");
    description.push_str(&scopes().join("\n"));
    let mut text = serde_json::to_string_pretty(&document).expect("the document serialises");
    text.push('\n');
    text
}
