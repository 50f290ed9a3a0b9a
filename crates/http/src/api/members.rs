//! Members of a company; enrolling and un-enrolling.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::MemberFilter;
use hallpass_app::members::ListMembers;
use hallpass_core::entity::{Company, Member};
use hallpass_core::id::{CompanyId, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ListView, PageParams, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, Param, Params2, Query};
use crate::idempotent::json;
use crate::state::Http;

const STATUSES: [&str; 3] = ["drafted", "joined", "left"];
const ORDERS: [&str; 5] = ["id", "created_at", "usd_total_spent", "joined_at", "most_recent_action"];
const LEVELS: [&str; 3] = ["no_access", "admin", "customer"];

/// The user of a membership.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberUserView {
    id: String,
    email: Option<String>,
    name: Option<String>,
    username: String,
}

/// The company of a membership.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberCompanyView {
    id: String,
    route: String,
    title: String,
}

/// A membership, as lists show it.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberListItem {
    id: String,
    user: MemberUserView,
    /// `admin` on the team, `customer` while joined, `no_access` after leaving.
    access_level: &'static str,
    status: &'static str,
    #[schema(format = DateTime)]
    joined_at: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    most_recent_action: Option<String>,
    most_recent_action_at: Option<String>,
    phone: Option<String>,
    usd_total_spent: f64,
    company_token_balance: f64,
}

/// A membership.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberView {
    #[serde(flatten)]
    item: MemberListItem,
    company: MemberCompanyView,
}

fn item(member: Member) -> MemberListItem {
    MemberListItem {
        id: member.id.to_string(),
        user: MemberUserView {
            id: member.user.to_string(),
            email: member.email,
            name: member.name,
            username: member.username,
        },
        access_level: match (member.on_team, member.joined) {
            (true, _) => "admin",
            (false, true) => "customer",
            (false, false) => "no_access",
        },
        status: if member.joined { "joined" } else { "left" },
        joined_at: time(member.joined_at),
        created_at: time(member.created_at),
        updated_at: time(member.updated_at),
        most_recent_action: None,
        most_recent_action_at: None,
        phone: None,
        usd_total_spent: 0.0,
        company_token_balance: 0.0,
    }
}

fn view(member: Member, company: &Company) -> MemberView {
    MemberView {
        item: item(member),
        company: MemberCompanyView {
            id: company.id.to_string(),
            route: company.route.clone(),
            title: company.title.clone(),
        },
    }
}

/// List members
#[utoipa::path(get, path = "/members", operation_id = "members.list", tag = "Members",
    params(("company_id" = Option<String>, Query), ("query" = Option<String>, Query),
           ("statuses[]" = Option<Vec<String>>, Query), ("user_ids[]" = Option<Vec<String>>, Query),
           ("access_level" = Option<String>, Query), ("created_after" = Option<String>, Query),
           ("created_before" = Option<String>, Query), ("order" = Option<String>, Query),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<MemberListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let statuses = query.many("statuses")?;
    if statuses.iter().any(|status| !STATUSES.contains(status)) {
        return Err(ApiError::invalid("statuses", format!("statuses are of {}", STATUSES.join(", "))));
    }
    let level = query.word("access_level", &LEVELS)?.unwrap_or_default();
    let users: Vec<UserId> =
        query.many("user_ids")?.iter().map(|id| extract::id("user_ids", id)).collect::<Result<_, _>>()?;
    // What members of ours never have: nobody matches.
    let unmatched = ["product_ids", "plan_ids", "promo_code_ids", "most_recent_actions"]
        .iter()
        .map(|name| query.many(name))
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .any(|values| !values.is_empty());
    let wanted: Vec<&str> = statuses.iter().copied().filter(|status| *status != "drafted").collect();
    let only_drafted = !statuses.is_empty() && wanted.is_empty();
    let (after, before) = (query.time("created_after")?, query.time("created_before")?);
    let order = query.word("order", &ORDERS)?;
    // Who left is no customer; whoever is on the team is an admin, joined or not.
    let (left_only, joined_only) = (level == "no_access", level == "customer");
    let ask = ListMembers {
        company: query.company()?,
        matches_none: unmatched
            || only_drafted
            || (left_only && wanted == ["joined"])
            || (joined_only && wanted == ["left"]),
        filter: MemberFilter {
            after: after.map_or(i64::MIN, Timestamp::as_millisecond),
            before: before.map_or(i64::MAX, Timestamp::as_millisecond),
            status: match wanted.as_slice() {
                _ if left_only => "left".to_owned(),
                _ if joined_only => "joined".to_owned(),
                [one] => (*one).to_owned(),
                _ => String::new(),
            },
            access_level: if left_only { String::new() } else { level.to_owned() },
            query: extract::bounded("query", query.one("query")?.unwrap_or_default(), 200)?,
            match_email: true,
            users,
            by_joining: order == Some("joined_at"),
        },
        page: query.page()?,
    };
    let page = http.app.list_members(&caller, ask).await?;
    Ok(json(&ListView::of(page, item)))
}

/// Retrieve a member
#[utoipa::path(get, path = "/members/{id}", operation_id = "members.retrieve", tag = "Members",
    params(("id" = String, Path, description = "The membership's id, or the user's.")),
    responses((status = 200, body = MemberView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    let (member, company) = http.app.retrieve_member(&caller, &id).await?;
    Ok(json(&view(member, &company)))
}

/// Enrol a user (extension)
///
/// Makes an existing user, whom the caller can already see, a member.
#[utoipa::path(put, path = "/companies/{id}/members/{user_id}", operation_id = "companies.enrol_member",
    tag = "Companies", params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, body = MemberView)))]
pub(crate) async fn enrol(
    State(http): State<Http>,
    Authed(caller): Authed,
    Params2(company, user): Params2,
) -> Result<Response, ApiError> {
    let company: CompanyId = extract::id("id", &company)?;
    let user: UserId = extract::id("user_id", &user)?;
    let (member, company) = http.app.enrol_member(&caller, company, user).await?;
    Ok(json(&view(member, &company)))
}

/// Un-enrol a user (extension)
///
/// Ends membership, team role and access to private experiences; the user's tokens there are dead.
#[utoipa::path(delete, path = "/companies/{id}/members/{user_id}", operation_id = "companies.unenrol_member",
    tag = "Companies", params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, body = bool)))]
pub(crate) async fn unenrol(
    State(http): State<Http>,
    Authed(caller): Authed,
    Params2(company, user): Params2,
) -> Result<Response, ApiError> {
    let company: CompanyId = extract::id("id", &company)?;
    http.app.unenrol_member(&caller, company, extract::id("user_id", &user)?).await?;
    Ok(json(&true))
}
