//! Searching messages.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::channels::VenueRef;
use hallpass_app::search::SearchMessages;

use super::messages::{MessageView, Viewed};
use super::{ListView, PageParams};
use crate::error::ApiError;
use crate::extract::{self, Authed, Query};
use crate::idempotent::json;
use crate::state::Http;

/// Search messages (extension)
///
/// Newest first unless `direction` is `asc`, in the channels that the caller may read now: of a company, or
/// one. All words, in any order; `"a phrase"`; `prefi*`. Case and accents do not matter. What was sent in
/// the last second may be missing.
#[utoipa::path(get, path = "/messages/search", operation_id = "messages.search", tag = "Messages",
    params(("query" = String, Query, description = "At most 200 characters."),
           ("channel_id" = Option<String>, Query, description = "A channel's id, or its experience's."),
           ("company_id" = Option<String>, Query, description = "Default: the caller's."),
           ("account_id" = Option<String>, Query, description = "The same as `company_id`."),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<MessageView>)))]
pub(crate) async fn messages(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let channel = query.one("channel_id")?.map(|id| VenueRef::parse("channel_id", id)).transpose()?;
    let ask = SearchMessages {
        query: extract::required("query", query.one("query")?)?.to_owned(),
        channel,
        company: query.company()?,
        page: query.page()?,
    };
    let page = Box::pin(http.app.search_messages(&caller, ask)).await?;
    Ok(json(&ListView::of(page, Viewed)))
}
