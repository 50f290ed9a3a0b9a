//! Doors for `fuzz/`: the parsers of bodies and query strings, without a server around them.

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::api::access_tokens::{MintBody, RevokeBody};
use crate::api::chat_channels::UpdateChannelBody;
use crate::api::companies::{CreateCompanyBody, CreateKeyBody, UpdateCompanyBody};
use crate::api::experiences::{CreateExperienceBody, DuplicateBody, ProductBody, UpdateExperienceBody};
use crate::api::files::CreateFileBody;
use crate::api::messages::{SendBody, UpdateMessageBody};
use crate::api::users::UpdateUserBody;
use crate::error::ApiError;
use crate::extract::{Query, parse_body, required};

/// Parses a body; the status of a refusal.
pub type ParseBody = fn(&[u8]) -> Option<u16>;

/// The bodies by operation.
pub const BODIES: &[(&str, ParseBody)] = &[
    ("access_tokens.create", body::<MintBody>),
    ("access_tokens.revoke", body::<RevokeBody>),
    ("companies.create", body::<CreateCompanyBody>),
    ("companies.update", body::<UpdateCompanyBody>),
    ("companies.create_api_key", body::<CreateKeyBody>),
    ("users.update", body::<UpdateUserBody>),
    ("experiences.create", body::<CreateExperienceBody>),
    ("experiences.update", body::<UpdateExperienceBody>),
    ("experiences.attach", body::<ProductBody>),
    ("experiences.duplicate", body::<DuplicateBody>),
    ("chat_channels.update", body::<UpdateChannelBody>),
    ("files.create", body::<CreateFileBody>),
    ("messages.create", body::<SendBody>),
    ("messages.update", body::<UpdateMessageBody>),
];

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Option<u16> {
    status(parse_body::<T>(bytes))
}

fn status<T>(parsed: Result<T, ApiError>) -> Option<u16> {
    parsed.err().map(|error| error.code.status().as_u16())
}

/// Parses a query string and reads every kind of parameter from it; the statuses of the refusals.
pub fn query(text: &str) -> Vec<u16> {
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return vec![error.code.status().as_u16()],
    };
    [
        status(query.page()),
        status(query.company()),
        status(query.parent()),
        status(query.time("created_after").map(|at: Option<Timestamp>| at)),
        status(query.id::<hallpass_core::id::UserId>("user_id")),
        status(query.word("order", &["id", "created_at"])),
        status(query.many("user_ids")),
        status(required("channel_id", query.one("channel_id").ok().flatten())),
    ]
    .into_iter()
    .flatten()
    .collect()
}
