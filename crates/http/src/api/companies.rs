//! Companies, connected accounts, and their API keys.

use std::fmt;

use axum::extract::State;
use axum::response::Response;
use hallpass_app::CompanyPatch;
use hallpass_app::api_keys::CreateApiKey;
use hallpass_app::companies::{CompanyWithOwner, CreateCompany, ListCompanies};
use hallpass_core::id::CompanyId;
use hallpass_core::role::Role;
use hallpass_core::scope::{Scope, ScopeSet};
use hallpass_core::statement::{KeyRights, MAX_RESOURCES, MAX_STATEMENTS, Pattern, Statement};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::files::FileRef;
use super::{ListView, PageParams, UrlView, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Object, Param, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

pub(super) const MAX_TITLE: usize = 255;
const MAX_TEXT: usize = 10_000;
const MAX_METADATA_BYTES: usize = 16 << 10;
const MAX_LINKS: usize = 50;
const WEBSITES: [&str; 8] =
    ["x", "instagram", "facebook", "tiktok", "youtube", "linkedin", "twitch", "website"];
/// The contract's two-letter country codes.
const COUNTRIES: &str = include_str!("countries.txt");

/// The company's owner, as shown in it.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnerView {
    id: String,
    name: Option<String>,
    username: String,
}

/// A link of a company.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct SocialLinkView {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) website: String,
}

/// A company, as lists show it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CompanyListItem {
    id: String,
    title: String,
    route: String,
    description: Option<String>,
    logo: Option<UrlView>,
    /// For a connected account: `owner_user.id` is the user to mint tokens for.
    owner_user: OwnerView,
    member_count: i64,
    published_reviews_count: i64,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    send_customer_emails: bool,
    target_audience: Option<String>,
    verified: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A company.
#[derive(Serialize, ToSchema)]
pub(crate) struct CompanyView {
    #[serde(flatten)]
    item: CompanyListItem,
    affiliate_instructions: Option<String>,
    featured_affiliate_product: Option<UrlView>,
    social_links: Vec<SocialLinkView>,
}

fn item(found: &CompanyWithOwner) -> CompanyListItem {
    let company = &found.company;
    CompanyListItem {
        id: company.id.to_string(),
        title: company.title.clone(),
        route: company.route.clone(),
        description: company.description.clone(),
        logo: UrlView::of(found.logo.as_deref()),
        owner_user: OwnerView {
            id: found.owner.id.to_string(),
            name: found.owner.name.clone(),
            username: found.owner.username.clone(),
        },
        member_count: company.member_count,
        published_reviews_count: 0,
        metadata: company.metadata.clone().and_then(|text| RawValue::from_string(text).ok()),
        send_customer_emails: company.send_customer_emails,
        target_audience: company.target_audience.clone(),
        verified: false,
        created_at: time(company.created_at),
        updated_at: time(company.updated_at),
    }
}

fn view(found: &CompanyWithOwner) -> CompanyView {
    CompanyView {
        item: item(found),
        affiliate_instructions: found.company.affiliate_instructions.clone(),
        featured_affiliate_product: None,
        social_links: serde_json::from_str(&found.company.social_links).unwrap_or_default(),
    }
}

/// What company to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateCompanyBody {
    /// At most 255 characters. The name of a new owner, too.
    #[schema(value_type = String)]
    title: Option<String>,
    /// The owner's address. Required with a parent. The same address again: the same user.
    email: Option<String>,
    /// Makes a connected account of this company.
    parent_company_id: Option<String>,
    /// The same as `parent_company_id`.
    parent_account_id: Option<String>,
    description: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// Two letters, lower case.
    country: Option<String>,
    send_customer_emails: Option<bool>,
    logo: Option<FileRef>,
}

/// Create a company
///
/// With `parent_company_id` and an API key: enrols a user as owner of a connected account.
#[utoipa::path(post, path = "/companies", operation_id = "companies.create", tag = "Companies",
    request_body = CreateCompanyBody, responses((status = 200, body = CompanyView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateCompanyBody>,
) -> Result<Response, ApiError> {
    let title = extract::required("title", body.title.as_deref())?;
    let title = extract::text("title", title, MAX_TITLE)?;
    let ask = CreateCompany {
        owner_name: Some(title.clone()),
        title,
        parent: extract::company(
            ["parent_company_id", "parent_account_id"],
            body.parent_company_id.as_deref(),
            body.parent_account_id.as_deref(),
        )?,
        email: body.email.as_deref().map(email).transpose()?,
        description: body
            .description
            .as_deref()
            .map(|t| extract::bounded("description", t, MAX_TEXT))
            .transpose()?,
        metadata: body.metadata.as_ref().map(metadata).transpose()?,
        country: body.country.as_deref().map(country).transpose()?,
        send_customer_emails: body.send_customer_emails,
        logo: FileRef::given("logo", body.logo.as_ref())?,
    };
    let parent = ask.parent;
    post.once(
        bytes,
        move |app, by| async move { app.may_create_company(&by, parent).await.map(drop) },
        move |app, by, ticket| async move { Ok(view(&app.create_company(&by, ask, ticket).await?)) },
    )
    .await
}

/// A plausible address: one `@`, something on both sides, no white space (RFC 5321 §4.5.3 lengths).
pub(super) fn email(text: &str) -> Result<String, ApiError> {
    let plausible = text.len() <= 254
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
        && matches!(text.split('@').collect::<Vec<_>>()[..], [local, host]
            if !local.is_empty() && local.len() <= 64 && !host.is_empty()
               && !host.starts_with('.') && !host.ends_with('.'));
    if plausible {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid("email", "email is not an e-mail address"))
    }
}

pub(super) fn country(code: &str) -> Result<String, ApiError> {
    if COUNTRIES.split_whitespace().any(|known| known == code) {
        return Ok(code.to_owned());
    }
    Err(ApiError::invalid("country", "country is a two-letter code in lower case"))
}

pub(super) fn metadata(object: &Object) -> Result<String, ApiError> {
    object.checked("metadata", MAX_METADATA_BYTES)
}

/// Retrieve a company
#[utoipa::path(get, path = "/companies/{id}", operation_id = "companies.retrieve", tag = "Companies",
    params(("id" = String, Path)), responses((status = 200, body = CompanyView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    let found = http.app.retrieve_company(&caller, extract::id("id", &id)?).await?;
    Ok(json(&view(&found)))
}

/// List companies
///
/// With `parent_company_id`: its connected accounts; without: the caller's own.
#[utoipa::path(get, path = "/companies", operation_id = "companies.list", tag = "Companies",
    params(("parent_company_id" = Option<String>, Query), ("created_after" = Option<String>, Query),
           ("created_before" = Option<String>, Query), ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<CompanyListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let ask = ListCompanies {
        parent: query.parent()?,
        family: false,
        after: query.time("created_after")?,
        before: query.time("created_before")?,
        page: query.page()?,
    };
    let page = http.app.list_companies(&caller, ask).await?;
    Ok(json(&ListView::of(page, |found| item(&found))))
}

/// What to change of a company, or an account. What belongs to commerce is accepted and ignored.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateCompanyBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    title: Patch<String>,
    /// Lower case letters, digits, hyphens.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    route: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    target_audience: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    affiliate_instructions: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    send_customer_emails: Patch<bool>,
    /// Replaces all links.
    #[serde(default)]
    #[schema(value_type = Option<Vec<SocialLinkBody>>)]
    social_links: Patch<Vec<SocialLinkBody>>,
    /// Replaces the metadata (extension).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Patch<Object>,
    /// Two letters, lower case (extension).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    country: Patch<String>,
    /// Null clears it.
    #[serde(default)]
    #[schema(value_type = Option<FileRef>)]
    logo: Patch<FileRef>,
    /// Null clears it.
    #[serde(default)]
    #[schema(value_type = Option<FileRef>)]
    banner_image: Patch<FileRef>,
}

impl UpdateCompanyBody {
    pub(super) fn patch(self) -> Result<CompanyPatch, ApiError> {
        let long = |param: &'static str| move |text: String| extract::bounded(param, &text, MAX_TEXT);
        Ok(CompanyPatch {
            title: self.title.value().map(|title| extract::text("title", &title, MAX_TITLE)).transpose()?,
            route: self.route.value().map(route).transpose()?,
            description: self.description.clearable(long("description"))?,
            target_audience: self.target_audience.clearable(long("target_audience"))?,
            affiliate_instructions: self.affiliate_instructions.clearable(long("affiliate_instructions"))?,
            social_links: self.social_links.value().map(|links| social_links(&links)).transpose()?,
            send_customer_emails: self.send_customer_emails.value(),
            metadata: self.metadata.clearable(|object| metadata(&object))?,
            country: self.country.clearable(|code| country(&code))?,
            logo: FileRef::patch("logo", self.logo)?,
            banner: FileRef::patch("banner_image", self.banner_image)?,
        })
    }
}

/// A link to set.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SocialLinkBody {
    url: String,
    website: String,
}

/// Update a company
#[utoipa::path(patch, path = "/companies/{id}", operation_id = "companies.update", tag = "Companies",
    params(("id" = String, Path)), request_body = UpdateCompanyBody,
    responses((status = 200, body = CompanyView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateCompanyBody>,
) -> Result<Response, ApiError> {
    let id: CompanyId = extract::id("id", &id)?;
    let found = Box::pin(http.app.update_company(&caller, id, body.value.patch()?)).await?;
    Ok(json(&view(&found)))
}

pub(super) fn route(text: String) -> Result<String, ApiError> {
    let well_formed = (1..=60).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if well_formed {
        return Ok(text);
    }
    Err(ApiError::invalid("route", "route is 1 to 60 lower case letters, digits and hyphens"))
}

fn social_links(links: &[SocialLinkBody]) -> Result<String, ApiError> {
    if links.len() > MAX_LINKS {
        return Err(ApiError::invalid("social_links", format!("more than {MAX_LINKS} links")));
    }
    let views = links
        .iter()
        .enumerate()
        .map(|(index, link)| {
            if !WEBSITES.contains(&link.website.as_str()) && link.website != "custom" {
                return Err(ApiError::invalid("social_links", "unknown website"));
            }
            if !link.url.starts_with("https://") && !link.url.starts_with("http://") {
                return Err(ApiError::invalid("social_links", "url must begin with https:// or http://"));
            }
            Ok(SocialLinkView {
                id: format!("link_{}", index + 1),
                url: extract::bounded("social_links", &link.url, 2000)?,
                website: link.website.clone(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(serde_json::to_string(&views).unwrap_or_default())
}

/// What key to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateKeyBody {
    /// The company the key is for: a connected account, or the parent itself.
    #[schema(value_type = String)]
    child_company_id: Option<String>,
    /// The same as `child_company_id`.
    child_account_id: Option<String>,
    name: Option<String>,
    /// owner, admin, moderator, `sales_manager` or advertiser; or else `permissions`.
    role: Option<String>,
    permissions: Option<Vec<StatementBody>>,
}

/// What a key may, or may not, do on which resources.
#[derive(Deserialize, ToSchema)]
pub(crate) struct StatementBody {
    actions: Vec<String>,
    grant: bool,
    /// `biz_x` or `biz_x|exp_y`, with `*` for any. Apps and products cannot be named.
    resources: Vec<String>,
}

/// A new key. The secret is never shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyView {
    id: String,
    name: Option<String>,
    secret_key: String,
}

impl fmt::Debug for KeyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Create an API key for a connected account
#[utoipa::path(post, path = "/companies/{parent_company_id}/api_keys",
    operation_id = "companies.create_api_key", tag = "Companies",
    params(("parent_company_id" = String, Path)), request_body = CreateKeyBody,
    responses((status = 200, body = KeyView)))]
pub(crate) async fn create_api_key(
    post: Post,
    Param(parent): Param,
    JsonBody { value: body, bytes }: JsonBody<CreateKeyBody>,
) -> Result<Response, ApiError> {
    let parent: CompanyId = extract::id("parent_company_id", &parent)?;
    let child = extract::company(
        ["child_company_id", "child_account_id"],
        body.child_company_id.as_deref(),
        body.child_account_id.as_deref(),
    )?;
    let ask = CreateApiKey {
        company: extract::required("child_company_id", child)?,
        app: None,
        name: body.name.as_deref().map(|name| extract::text("name", name, 100)).transpose()?,
        rights: rights(body.role.as_deref(), body.permissions)?,
        expires_at: None,
    };
    let allowed = |_, _| async { Ok(()) };
    post.secret()
        .once(bytes, allowed, move |app, by, ticket| async move {
            let made = app.create_api_key(&by, parent, ask, ticket).await?;
            Ok(KeyView {
                id: made.key.id.to_string(),
                name: made.key.name,
                secret_key: made.secret.expose().to_owned(),
            })
        })
        .await
}

fn rights(role: Option<&str>, permissions: Option<Vec<StatementBody>>) -> Result<KeyRights, ApiError> {
    match (role, permissions) {
        (Some(_), Some(_)) => Err(ApiError::invalid("permissions", "either role or permissions, not both")),
        (None, None) => extract::required("role", None),
        (Some(role), None) => match Role::parse(role) {
            Some(role) if role.fits_key() => Ok(KeyRights::Role(role)),
            _ => Err(ApiError::invalid(
                "role",
                "role is one of owner, admin, moderator, sales_manager, advertiser",
            )),
        },
        (None, Some(statements)) => {
            if statements.is_empty() || statements.len() > MAX_STATEMENTS {
                return Err(ApiError::invalid(
                    "permissions",
                    format!("permissions holds 1 to {MAX_STATEMENTS} statements"),
                ));
            }
            let statements = statements.into_iter().map(statement).collect::<Result<_, _>>()?;
            Ok(KeyRights::Statements(statements))
        }
    }
}

fn statement(body: StatementBody) -> Result<Statement, ApiError> {
    let invalid = |message: String| ApiError::invalid("permissions", message);
    if body.actions.len() > 256 || body.resources.is_empty() || body.resources.len() > MAX_RESOURCES {
        return Err(invalid(format!(
            "a statement has at most 256 actions and 1 to {MAX_RESOURCES} resources"
        )));
    }
    let actions = body
        .actions
        .iter()
        .map(|name| Scope::parse(name))
        .collect::<Result<ScopeSet, _>>()
        .map_err(|unknown| invalid(unknown.to_string()))?;
    let resources = body
        .resources
        .into_iter()
        .map(Pattern::try_from)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| invalid(error.to_string()))?;
    Ok(Statement { actions, grant: body.grant, resources })
}
