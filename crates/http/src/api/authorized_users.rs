//! Authorised users: a company's team under its classic name.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::team::{AddTeamMember, ListTeam, TeamFace, TeamMemberRef};
use hallpass_app::{PageAsk, TeamFilter};
use hallpass_core::entity::TeamMember;
use hallpass_core::id::{CompanyId, UserId};
use hallpass_core::role::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListView, PageParams};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const FACE: TeamFace = TeamFace::AuthorizedUsers;

/// The company somebody works for.
#[derive(Serialize, ToSchema)]
pub(crate) struct TeamCompanyView {
    id: String,
    title: String,
}

/// Who is on the team.
#[derive(Serialize, ToSchema)]
pub(crate) struct TeamUserView {
    id: String,
    email: Option<String>,
    name: Option<String>,
    username: String,
}

/// A member of a company's team.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthorizedUserView {
    id: String,
    role: &'static str,
    company: TeamCompanyView,
    user: TeamUserView,
}

fn view(member: TeamMember) -> AuthorizedUserView {
    AuthorizedUserView {
        id: member.id.to_string(),
        role: member.role.name(),
        company: TeamCompanyView { id: member.company.to_string(), title: member.company_title },
        user: TeamUserView {
            id: member.user.to_string(),
            email: member.email,
            name: member.name,
            username: member.username,
        },
    }
}

/// `ausr_…`, or a user's id.
pub(super) fn who(id: &str) -> Result<TeamMemberRef, ApiError> {
    if id.starts_with(UserId::PREFIX) {
        return extract::id("id", id).map(TeamMemberRef::User);
    }
    extract::id("id", id).map(TeamMemberRef::Id)
}

/// One of the roles `known`.
pub(super) fn role(text: &str, known: &[Role]) -> Result<Role, ApiError> {
    let names = || known.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    Role::parse(text)
        .filter(|role| known.contains(role))
        .ok_or_else(|| ApiError::invalid("role", format!("role is one of {}", names())))
}

/// The filters of both faces.
pub(super) fn list_of(query: &Query, company: Option<CompanyId>) -> Result<ListTeam, ApiError> {
    let (after, before) = (query.time("created_after")?, query.time("created_before")?);
    let page: PageAsk = query.page()?;
    Ok(ListTeam {
        company,
        filter: TeamFilter {
            after: after.map_or(i64::MIN, Timestamp::as_millisecond),
            before: before.map_or(i64::MAX, Timestamp::as_millisecond),
            role: query.one("role")?.map(|name| role(name, &Role::ALL)).transpose()?,
            user: query.id("user_id")?,
        },
        matches_none: false,
        page,
    })
}

/// List authorized users
///
/// A company's team, newest first.
#[utoipa::path(get, path = "/authorized_users", operation_id = "authorized_users.list",
    tag = "Authorized users",
    params(("company_id" = Option<String>, Query, description = "None: the caller's."),
           ("user_id" = Option<String>, Query), ("role" = Option<String>, Query),
           ("created_after" = Option<String>, Query), ("created_before" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<AuthorizedUserView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let ask = list_of(&query, query.company()?)?;
    let page = http.app.list_team(&caller, FACE, ask).await?;
    Ok(json(&ListView::of(page, view)))
}

/// Retrieve an authorized user
#[utoipa::path(get, path = "/authorized_users/{id}", operation_id = "authorized_users.retrieve",
    tag = "Authorized users",
    params(("id" = String, Path, description = "The authorized user's id, or the user's.")),
    responses((status = 200, body = AuthorizedUserView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(http.app.retrieve_team_member(&caller, FACE, who(&id)?).await?)))
}

/// A proof of who is at the keyboard, as dashboards send it. An API key proves itself; it is not looked
/// at.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "checked for its form, and not looked at")]
pub(crate) struct ElevationBody {
    authenticator_data: Option<String>,
    client_data_json: Option<String>,
    credential_id: Option<String>,
    email_code: Option<String>,
    signature: Option<String>,
    totp_code: Option<String>,
    use_finance_session: Option<bool>,
}

/// Whom to put on the team.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateAuthorizedUserBody {
    #[schema(value_type = String)]
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// A user whom the caller's company can see.
    #[schema(value_type = String)]
    user_id: Option<String>,
    /// None that may do what the caller may not.
    #[schema(value_type = String)]
    role: Option<String>,
    /// Accepted; no mail is sent.
    #[expect(dead_code, reason = "checked for its form; there is no mail yet")]
    send_emails: Option<bool>,
    /// Accepted; not looked at.
    #[expect(dead_code, reason = "checked for its form, and not looked at")]
    elevation: Option<ElevationBody>,
}

/// Create an authorized user
///
/// Puts a user on a company's team. Who is on it in that role stays so; in another role: 409.
#[utoipa::path(post, path = "/authorized_users", operation_id = "authorized_users.create",
    tag = "Authorized users", request_body = CreateAuthorizedUserBody,
    responses((status = 200, body = AuthorizedUserView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateAuthorizedUserBody>,
) -> Result<Response, ApiError> {
    let company = extract::company(
        ["company_id", "account_id"],
        body.company_id.as_deref(),
        body.account_id.as_deref(),
    )?;
    let ask = AddTeamMember {
        company: extract::required("company_id", company)?,
        role: role(extract::required("role", body.role.as_deref())?, &Role::ALL)?,
        user: extract::id("user_id", extract::required("user_id", body.user_id.as_deref())?)?,
    };
    let company = ask.company;
    post.once(
        bytes,
        move |app, by| async move { app.may_add_to_team(&by, FACE, company).await },
        move |app, by, ticket| async move { Ok(view(app.add_team_member(&by, FACE, ask, ticket).await?)) },
    )
    .await
}

/// Delete an authorized user
///
/// Takes somebody off the team. Who is no member either is un-enrolled by it.
#[utoipa::path(delete, path = "/authorized_users/{id}", operation_id = "authorized_users.delete",
    tag = "Authorized users",
    params(("id" = String, Path, description = "The authorized user's id, or the user's."),
           ("company_id" = Option<String>, Query, description = "If given, must be their company.")),
    responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    query: Query,
) -> Result<Response, ApiError> {
    http.app.remove_team_member(&caller, who(&id)?, query.company()?).await?;
    Ok(json(&true))
}
