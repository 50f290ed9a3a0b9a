//! Team members: a company's team under its newer name.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::App;
use hallpass_app::team::{AddTeamMember, TeamFace};
use hallpass_core::entity::TeamMember;
use hallpass_core::role::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::authorized_users::{list_of, role, who};
use super::{ListView, PageParams, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const FACE: TeamFace = TeamFace::TeamMembers;
/// The roles that this face gives (the contract).
const GIVEN: [Role; 5] = [Role::Owner, Role::Admin, Role::Moderator, Role::SalesManager, Role::Advertiser];

/// A picture, which there always is.
#[derive(Serialize, ToSchema)]
pub(crate) struct PictureView {
    url: String,
}

/// Who is on the team.
#[derive(Serialize, ToSchema)]
pub(crate) struct TeamMemberUserView {
    id: String,
    name: Option<String>,
    username: String,
    /// Their own, or the server's picture of nobody in particular.
    profile_picture: PictureView,
}

/// A member of a company's team.
#[derive(Serialize, ToSchema)]
pub(crate) struct TeamMemberView {
    id: String,
    account_id: String,
    role: &'static str,
    /// Nobody is invited who has no user: always `joined`.
    status: &'static str,
    /// For those who may read addresses.
    email: Option<String>,
    /// Always false: agents have API keys.
    is_agent: bool,
    user: TeamMemberUserView,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

fn view(app: &App, member: TeamMember) -> TeamMemberView {
    let nobody = || format!("{}/assets/person.svg", app.public_url());
    TeamMemberView {
        id: member.id.to_string(),
        account_id: member.company.to_string(),
        role: member.role.name(),
        status: "joined",
        email: member.email,
        is_agent: false,
        user: TeamMemberUserView {
            id: member.user.to_string(),
            name: member.name,
            username: member.username,
            profile_picture: PictureView {
                url: member.picture.map_or_else(nobody, |id| app.picture_url(id)),
            },
        },
        created_at: time(member.created_at),
        updated_at: time(member.updated_at),
    }
}

/// List team members
///
/// A company's team, newest first.
#[utoipa::path(get, path = "/team_members", operation_id = "team_members.list", tag = "Team members",
    params(("account_id" = String, Query), ("user_id" = Option<String>, Query),
           ("role" = Option<String>, Query), ("status" = Option<String>, Query),
           ("created_after" = Option<String>, Query), ("created_before" = Option<String>, Query),
           ("order" = Option<String>, Query), ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<TeamMemberView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let company = extract::required("account_id", query.company()?)?;
    query.word("order", &["created_at"])?;
    let pending = query.word("status", &["pending", "joined"])? == Some("pending");
    let mut ask = list_of(&query, Some(company))?;
    ask.matches_none = pending;
    let page = http.app.list_team(&caller, FACE, ask).await?;
    Ok(json(&ListView::of(page, |member| view(&http.app, member))))
}

/// Retrieve a team member
#[utoipa::path(get, path = "/team_members/{id}", operation_id = "team_members.retrieve",
    tag = "Team members", params(("id" = String, Path, description = "The team member's id, or the user's.")),
    responses((status = 200, body = TeamMemberView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    let member = http.app.retrieve_team_member(&caller, FACE, who(&id)?).await?;
    Ok(json(&view(&http.app, member)))
}

/// Whom to put on the team.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateTeamMemberBody {
    #[schema(value_type = String)]
    account_id: Option<String>,
    /// The same as `account_id`.
    company_id: Option<String>,
    /// A user whom the caller's company can see.
    #[schema(value_type = String)]
    user_id: Option<String>,
    /// owner, admin, moderator, `sales_manager` or advertiser; none that may do what the caller may not.
    #[schema(value_type = String)]
    role: Option<String>,
}

/// Create a team member
///
/// Puts a user on a company's team. Who is on it in that role stays so; in another role: 409.
#[utoipa::path(post, path = "/team_members", operation_id = "team_members.create", tag = "Team members",
    request_body = CreateTeamMemberBody, responses((status = 200, body = TeamMemberView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateTeamMemberBody>,
) -> Result<Response, ApiError> {
    let company = extract::company(
        ["company_id", "account_id"],
        body.company_id.as_deref(),
        body.account_id.as_deref(),
    )?;
    let ask = AddTeamMember {
        company: extract::required("account_id", company)?,
        role: role(extract::required("role", body.role.as_deref())?, &GIVEN)?,
        user: extract::id("user_id", extract::required("user_id", body.user_id.as_deref())?)?,
    };
    let company = ask.company;
    post.once(
        bytes,
        move |app, by| async move { app.may_add_to_team(&by, FACE, company).await },
        move |app, by, ticket| async move {
            let member = app.add_team_member(&by, FACE, ask, ticket).await?;
            Ok(view(&app, member))
        },
    )
    .await
}

/// What to change of a team member.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateTeamMemberBody {
    /// owner, admin, moderator, `sales_manager` or advertiser; none, old or new, that may do what the
    /// caller may not.
    #[schema(value_type = String)]
    role: Option<String>,
}

/// Update a team member
///
/// Changes the role. Rights that shrink shrink at once.
#[utoipa::path(patch, path = "/team_members/{id}", operation_id = "team_members.update",
    tag = "Team members", params(("id" = String, Path, description = "The team member's id, or the user's.")),
    request_body = UpdateTeamMemberBody, responses((status = 200, body = TeamMemberView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateTeamMemberBody>,
) -> Result<Response, ApiError> {
    let role = role(extract::required("role", body.role.as_deref())?, &GIVEN)?;
    let member = http.app.update_team_member(&caller, who(&id)?, role).await?;
    Ok(json(&view(&http.app, member)))
}

/// That it is done.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuccessView {
    success: bool,
}

/// Delete a team member
///
/// Takes somebody off the team. Who is no member either is un-enrolled by it.
#[utoipa::path(delete, path = "/team_members/{id}", operation_id = "team_members.delete",
    tag = "Team members", params(("id" = String, Path, description = "The team member's id, or the user's.")),
    responses((status = 200, body = SuccessView)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    http.app.remove_team_member(&caller, who(&id)?, None).await?;
    Ok(json(&SuccessView { success: true }))
}
