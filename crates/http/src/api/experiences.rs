//! Experiences.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::experiences::{CreateExperience, ExperienceDetails, ListExperiences};
use hallpass_app::{App, ExperiencePatch};
use hallpass_core::decision::Action;
use hallpass_core::entity::{Company, Experience};
use hallpass_core::id::{ExperienceId, ProductId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::FileRef;
use super::{ListView, PageParams, UrlView, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Params2, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_NAME: usize = 255;

/// The app that made an experience.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExperienceAppView {
    id: String,
    name: String,
    icon: Option<UrlView>,
}

/// The company an experience belongs to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExperienceCompanyView {
    id: String,
    route: String,
    title: String,
}

/// A product that an experience is attached to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProductView {
    id: String,
    route: String,
    title: String,
}

/// An experience, as lists show it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExperienceListItem {
    id: String,
    name: String,
    app: ExperienceAppView,
    company: ExperienceCompanyView,
    image: Option<UrlView>,
    is_public: bool,
    order: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// An experience.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExperienceView {
    #[serde(flatten)]
    item: ExperienceListItem,
    products: Vec<ProductView>,
}

fn item(app: &App, experience: &Experience, company: &Company) -> ExperienceListItem {
    ExperienceListItem {
        id: experience.id.to_string(),
        name: experience.name.clone(),
        app: ExperienceAppView {
            id: experience.app.to_string(),
            name: experience.app_name.clone(),
            icon: UrlView::of(experience.app_icon.map(|id| app.picture_url(id)).as_deref()),
        },
        company: ExperienceCompanyView {
            id: company.id.to_string(),
            route: company.route.clone(),
            title: company.title.clone(),
        },
        image: UrlView::of(experience.picture.map(|id| app.picture_url(id)).as_deref()),
        is_public: experience.public,
        order: experience.sort_order.clone(),
        created_at: time(experience.created_at),
    }
}

fn view(app: &App, details: ExperienceDetails) -> ExperienceView {
    ExperienceView {
        item: item(app, &details.experience, &details.company),
        products: details
            .products
            .into_iter()
            .map(|product| ProductView {
                id: product.id.to_string(),
                route: product.route,
                title: product.title,
            })
            .collect(),
    }
}

/// List experiences
///
/// Those the caller has access to, newest first.
#[utoipa::path(get, path = "/experiences", operation_id = "experiences.list", tag = "Experiences",
    params(("company_id" = String, Query), ("product_id" = Option<String>, Query),
           ("app_id" = Option<String>, Query), ("created_after" = Option<String>, Query),
           ("created_before" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<ExperienceListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let ask = ListExperiences {
        company: extract::required("company_id", query.company()?)?,
        app: query.id("app_id")?,
        product: query.id("product_id")?,
        after: query.time("created_after")?,
        before: query.time("created_before")?,
        page: query.page()?,
    };
    let (page, company) = http.app.list_experiences(&caller, ask).await?;
    Ok(json(&ListView::of(page, |experience| item(&http.app, &experience, &company))))
}

/// What experience to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateExperienceBody {
    /// The app; the built-in chat app makes a chat channel.
    #[schema(value_type = String)]
    app_id: Option<String>,
    #[schema(value_type = String)]
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// At most 255 characters. Default: the app's name.
    name: Option<String>,
    /// Default: private.
    is_public: Option<bool>,
    logo: Option<FileRef>,
}

/// Create an experience
#[utoipa::path(post, path = "/experiences", operation_id = "experiences.create", tag = "Experiences",
    request_body = CreateExperienceBody, responses((status = 200, body = ExperienceView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateExperienceBody>,
) -> Result<Response, ApiError> {
    let company = extract::company(
        ["company_id", "account_id"],
        body.company_id.as_deref(),
        body.account_id.as_deref(),
    )?;
    let ask = CreateExperience {
        app: extract::required("app_id", extract::id_opt("app_id", body.app_id.as_deref())?)?,
        company: extract::required("company_id", company)?,
        name: body.name.as_deref().map(|name| extract::text("name", name, MAX_NAME)).transpose()?,
        public: body.is_public,
        picture: FileRef::given("logo", body.logo.as_ref())?,
    };
    let company = ask.company;
    post.once(
        bytes,
        move |app, by| async move { app.may_create_experience(&by, company).await },
        move |app, by, ticket| async move {
            let made = app.create_experience(&by, ask, ticket).await?;
            Ok(view(&app, made))
        },
    )
    .await
}

/// Retrieve an experience
#[utoipa::path(get, path = "/experiences/{id}", operation_id = "experiences.retrieve", tag = "Experiences",
    params(("id" = String, Path)), responses((status = 200, body = ExperienceView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    let details = http.app.retrieve_experience(&caller, extract::id("id", &id)?).await?;
    Ok(json(&view(&http.app, details)))
}

/// What to change of an experience.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateExperienceBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    is_public: Patch<bool>,
    /// `public` or `private`; the same as `is_public`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    access_level: Patch<String>,
    /// Where it stands among others: any text that sorts.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    order: Patch<String>,
    /// Null clears it.
    #[serde(default)]
    #[schema(value_type = Option<FileRef>)]
    logo: Patch<FileRef>,
}

/// Update an experience
///
/// Made private, those who were not let in lose access within a second.
#[utoipa::path(patch, path = "/experiences/{id}", operation_id = "experiences.update", tag = "Experiences",
    params(("id" = String, Path)), request_body = UpdateExperienceBody,
    responses((status = 200, body = ExperienceView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateExperienceBody>,
) -> Result<Response, ApiError> {
    let id: ExperienceId = extract::id("id", &id)?;
    let body = body.value;
    let level = match body.access_level.value().as_deref() {
        None => None,
        Some("public") => Some(true),
        Some("private") => Some(false),
        Some(_) => return Err(ApiError::invalid("access_level", "access_level is public or private")),
    };
    let public = match (body.is_public.value(), level) {
        (Some(a), Some(b)) if a != b => {
            return Err(ApiError::invalid("access_level", "is_public and access_level disagree"));
        }
        (a, b) => a.or(b),
    };
    let patch = ExperiencePatch {
        name: body.name.value().map(|name| extract::text("name", &name, MAX_NAME)).transpose()?,
        public,
        sort_order: body.order.clearable(|order| extract::bounded("order", &order, 100))?,
        picture: FileRef::patch("logo", body.logo)?,
    };
    let details = http.app.update_experience(&caller, id, patch).await?;
    Ok(json(&view(&http.app, details)))
}

/// Delete an experience
#[utoipa::path(delete, path = "/experiences/{id}", operation_id = "experiences.delete", tag = "Experiences",
    params(("id" = String, Path)), responses((status = 200, body = bool)))]
pub(crate) async fn delete(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    http.app.delete_experience(&caller, extract::id("id", &id)?).await?;
    Ok(json(&true))
}

/// Which product.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ProductBody {
    #[schema(value_type = String)]
    product_id: Option<String>,
}

/// Attach an experience to a product
///
/// The product is recorded on first use.
#[utoipa::path(post, path = "/experiences/{id}/attach", operation_id = "experiences.attach",
    tag = "Experiences", params(("id" = String, Path)), request_body = ProductBody,
    responses((status = 200, body = ExperienceView)))]
pub(crate) async fn attach(
    post: Post,
    Param(id): Param,
    body: JsonBody<ProductBody>,
) -> Result<Response, ApiError> {
    set_product(post, &id, body, Action::AttachExperience).await
}

/// Detach an experience from a product
#[utoipa::path(post, path = "/experiences/{id}/detach", operation_id = "experiences.detach",
    tag = "Experiences", params(("id" = String, Path)), request_body = ProductBody,
    responses((status = 200, body = ExperienceView)))]
pub(crate) async fn detach(
    post: Post,
    Param(id): Param,
    body: JsonBody<ProductBody>,
) -> Result<Response, ApiError> {
    set_product(post, &id, body, Action::DetachExperience).await
}

async fn set_product(
    post: Post,
    id: &str,
    JsonBody { value: body, bytes }: JsonBody<ProductBody>,
    action: Action,
) -> Result<Response, ApiError> {
    let id: ExperienceId = extract::id("id", id)?;
    let product = product(&body)?;
    post.once(
        bytes,
        move |app, by| async move { app.may_change_experience(&by, action, id).await },
        move |app, by, _| async move {
            let changed = if action == Action::AttachExperience {
                app.attach_experience(&by, id, product).await?
            } else {
                app.detach_experience(&by, id, product).await?
            };
            Ok(view(&app, changed))
        },
    )
    .await
}

fn product(body: &ProductBody) -> Result<ProductId, ApiError> {
    let id = extract::required("product_id", body.product_id.as_deref())?;
    extract::id("product_id", id)
}

/// What the copy is called.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DuplicateBody {
    name: Option<String>,
}

/// Duplicate an experience
///
/// Copies settings and products, not messages, and lets nobody in.
#[utoipa::path(post, path = "/experiences/{id}/duplicate", operation_id = "experiences.duplicate",
    tag = "Experiences", params(("id" = String, Path)), request_body = DuplicateBody,
    responses((status = 200, body = ExperienceView)))]
pub(crate) async fn duplicate(
    post: Post,
    Param(id): Param,
    JsonBody { value: body, bytes }: JsonBody<DuplicateBody>,
) -> Result<Response, ApiError> {
    let id: ExperienceId = extract::id("id", &id)?;
    let name = body.name.as_deref().map(|name| extract::text("name", name, MAX_NAME)).transpose()?;
    post.once(
        bytes,
        move |app, by| async move { app.may_change_experience(&by, Action::CreateExperience, id).await },
        move |app, by, ticket| async move {
            let copy = app.duplicate_experience(&by, id, name, ticket).await?;
            Ok(view(&app, copy))
        },
    )
    .await
}

/// Let a user into a private experience (extension)
#[utoipa::path(put, path = "/experiences/{id}/members/{user_id}", operation_id = "experiences.grant_access",
    tag = "Experiences", params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, body = bool)))]
pub(crate) async fn grant_access(
    State(http): State<Http>,
    Authed(caller): Authed,
    Params2(id, user): Params2,
) -> Result<Response, ApiError> {
    let user: UserId = extract::id("user_id", &user)?;
    http.app.grant_access(&caller, extract::id("id", &id)?, user).await?;
    Ok(json(&true))
}

/// End a user's access to a private experience (extension)
#[utoipa::path(delete, path = "/experiences/{id}/members/{user_id}", operation_id = "experiences.revoke_access",
    tag = "Experiences", params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, body = bool)))]
pub(crate) async fn revoke_access(
    State(http): State<Http>,
    Authed(caller): Authed,
    Params2(id, user): Params2,
) -> Result<Response, ApiError> {
    let user: UserId = extract::id("user_id", &user)?;
    http.app.revoke_access(&caller, extract::id("id", &id)?, user).await?;
    Ok(json(&true))
}
