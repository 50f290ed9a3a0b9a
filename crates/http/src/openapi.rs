//! The OpenAPI 3.1 document: what the router's annotations say, and what holds for every operation.

use std::collections::BTreeMap;

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{OpenApi, ToSchema};

use crate::error::Code;

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

/// The statuses that any operation may answer besides 200.
const STATUSES: [(&str, &str); 12] = [
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
    ("503", "try again; a write may have been done"),
];

/// Whether a body must be sent: an absent one is an object without fields.
fn has_required_field(body: &RequestBody, schemas: &BTreeMap<String, RefOr<Schema>>) -> bool {
    body.content.values().any(|content| {
        let RefOr::T(Content { schema: Some(RefOr::Ref(named)), .. }) = content else { return false };
        let name = named.ref_location.rsplit('/').next().unwrap_or_default();
        matches!(schemas.get(name), Some(RefOr::T(Schema::Object(object))) if !object.required.is_empty())
    })
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
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                let needed = has_required_field(body, &schemas);
                body.required = Some(if needed { Required::True } else { Required::False });
            }
            for (status, meaning) in STATUSES {
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
    let mut text = serde_json::to_string_pretty(&document).expect("the document serialises");
    text.push('\n');
    text
}
