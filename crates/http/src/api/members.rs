//! Members of a company; enrolling and un-enrolling.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::members::ListMembers;
use hallpass_app::{MemberFilter, MemberOrder};
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
const ACTIONS: [&str; 14] = [
    "joined",
    "canceling",
    "churned",
    "finished_split_pay",
    "paused",
    "paid_subscriber",
    "paid_once",
    "expiring",
    "drafted",
    "left",
    "trialing",
    "pending_entry",
    "renewing",
    "past_due",
];
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
    /// `joined` or `left`: nothing else happens to memberships here.
    most_recent_action: &'static str,
    #[schema(format = DateTime)]
    most_recent_action_at: String,
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

fn status(joined: bool) -> &'static str {
    if joined { "joined" } else { "left" }
}

/// The statuses that both filters leave; none where no member fits.
fn wanted<'q>(statuses: &[&'q str], actions: &[&'q str]) -> Option<Vec<&'q str>> {
    let within = |list: &[&str], status: &str| list.is_empty() || list.contains(&status);
    let fits: Vec<&str> = ["joined", "left"]
        .into_iter()
        .filter(|status| within(statuses, status) && within(actions, status))
        .collect();
    if fits.is_empty() { None } else { Some(fits) }
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
        status: status(member.joined),
        joined_at: time(member.joined_at),
        created_at: time(member.created_at),
        updated_at: time(member.updated_at),
        most_recent_action: status(member.joined),
        most_recent_action_at: time(member.updated_at),
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

/// Words of a list parameter.
fn words<'q>(query: &'q Query, name: &str, known: &[&str]) -> Result<Vec<&'q str>, ApiError> {
    let words = query.many(name)?;
    if words.iter().any(|word| !known.contains(word)) {
        return Err(ApiError::invalid(name, format!("{name} are of {}", known.join(", "))));
    }
    Ok(words)
}

/// List members
#[utoipa::path(get, path = "/members", operation_id = "members.list", tag = "Members",
    params(("company_id" = Option<String>, Query), ("query" = Option<String>, Query),
           ("statuses[]" = Option<Vec<String>>, Query), ("most_recent_actions[]" = Option<Vec<String>>, Query), ("user_ids[]" = Option<Vec<String>>, Query),
           ("access_level" = Option<String>, Query), ("created_after" = Option<String>, Query),
           ("created_before" = Option<String>, Query), ("order" = Option<String>, Query),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<MemberListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let statuses = words(&query, "statuses", &STATUSES)?;
    let actions = words(&query, "most_recent_actions", &ACTIONS)?;
    let level = query.word("access_level", &LEVELS)?.unwrap_or_default();
    let users: Vec<UserId> =
        query.many("user_ids")?.iter().map(|id| extract::id("user_ids", id)).collect::<Result<_, _>>()?;
    // What members of ours never have: nobody matches.
    let unmatched = ["product_ids", "plan_ids", "promo_code_ids"]
        .iter()
        .map(|name| query.many(name))
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .any(|values| !values.is_empty());
    let wanted = wanted(&statuses, &actions);
    let (after, before) = (query.time("created_after")?, query.time("created_before")?);
    // Ids sort by creation, and nobody has spent anything.
    let order = match query.word("order", &ORDERS)? {
        Some("joined_at") => MemberOrder::Joining,
        Some("most_recent_action") => MemberOrder::Action,
        _ => MemberOrder::Creation,
    };
    // Who left is no customer; whoever is on the team is an admin, joined or not.
    let (left_only, joined_only) = (level == "no_access", level == "customer");
    let only = |status| wanted.as_deref() == Some(&[status]);
    let ask = ListMembers {
        company: query.company()?,
        matches_none: unmatched
            || wanted.is_none()
            || (left_only && only("joined"))
            || (joined_only && only("left")),
        filter: MemberFilter {
            after: after.map_or(i64::MIN, Timestamp::as_millisecond),
            before: before.map_or(i64::MAX, Timestamp::as_millisecond),
            status: match wanted.as_deref() {
                _ if left_only => "left".to_owned(),
                _ if joined_only => "joined".to_owned(),
                Some([one]) => (*one).to_owned(),
                _ => String::new(),
            },
            access_level: if left_only { "customer".to_owned() } else { level.to_owned() },
            query: extract::bounded("query", query.one("query")?.unwrap_or_default(), 200)?,
            match_email: true,
            users,
            order,
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
