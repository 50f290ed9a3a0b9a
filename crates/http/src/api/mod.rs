//! The operations, one file a resource; each translates between the wire and a use case.

pub(crate) mod access_tokens;
pub(crate) mod accounts;
pub(crate) mod apps;
pub(crate) mod authorized_users;
pub(crate) mod chat_channels;
pub(crate) mod companies;
pub(crate) mod dm_channels;
pub(crate) mod dm_members;
pub(crate) mod experiences;
pub(crate) mod files;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod reactions;
pub(crate) mod search;
pub(crate) mod support_channels;
pub(crate) mod team_members;
pub(crate) mod users;
pub(crate) mod webhooks;

use hallpass_app::Page;
use hallpass_core::clock::wire_time;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Where a page lies in its list.
#[derive(Serialize, ToSchema)]
pub(crate) struct PageInfo {
    /// Pass as `after` for the next page; null on the last one.
    end_cursor: Option<String>,
    /// Pass as `before` for the previous page.
    start_cursor: Option<String>,
    has_next_page: bool,
    has_previous_page: bool,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListView<T> {
    data: Vec<T>,
    page_info: PageInfo,
}

impl<T> ListView<T> {
    fn of<I>(page: Page<I>, view: impl FnMut(I) -> T) -> Self {
        let page = page.map(view);
        Self {
            data: page.items,
            page_info: PageInfo {
                end_cursor: page.end_cursor,
                start_cursor: page.start_cursor,
                has_next_page: page.has_next,
                has_previous_page: page.has_previous,
            },
        }
    }
}

/// A file's address.
#[derive(Serialize, ToSchema)]
pub(crate) struct UrlView {
    url: Option<String>,
}

impl UrlView {
    /// None of nothing.
    pub(crate) fn of(url: Option<&str>) -> Option<Self> {
        url.map(|url| Self { url: Some(url.to_owned()) })
    }
}

fn time(at: Timestamp) -> String {
    wire_time(at)
}

/// A time as the contract has it of direct messages: Unix milliseconds, as text.
fn millis(at: Timestamp) -> String {
    at.as_millisecond().to_string()
}

/// The page parameters every list takes, for the reference.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; Query reads them")]
pub(crate) struct PageParams {
    /// At most this many, from the start or from `after`. Default 20, at most 100.
    first: Option<i64>,
    /// The `end_cursor` of the page before.
    after: Option<String>,
    /// At most this many, from the end or from `before`.
    last: Option<i64>,
    /// The `start_cursor` of the page behind.
    before: Option<String>,
}
