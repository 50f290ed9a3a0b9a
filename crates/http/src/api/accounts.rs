//! Accounts: companies under their newer name, in another shape.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::companies::{CompanyWithOwner, CreateCompany, ListCompanies};
use hallpass_app::{App, AppError, Caller};
use hallpass_core::id::CompanyId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::companies::{MAX_TITLE, SocialLinkView, UpdateCompanyBody, country, email, metadata};
use super::{ListView, PageParams, UrlView, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Object, Param, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

/// A link of an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountLinkView {
    id: String,
    title: Option<String>,
    url: String,
    website: String,
}

/// An object without members.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmptyView {}

/// Checks of the contract; none are made here.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountVerificationView {
    individual: Option<UrlView>,
    business: Option<UrlView>,
}

/// What belongs to money, taxes and shop windows: null, empty or false.
#[expect(clippy::struct_excessive_bools, reason = "the contract's")]
#[derive(Serialize, ToSchema)]
pub(crate) struct CommerceView {
    balances: Vec<String>,
    business_address: Option<EmptyView>,
    business_type: Option<String>,
    capabilities: Option<EmptyView>,
    home_preferences: Vec<String>,
    industry_group: Option<String>,
    industry_type: Option<String>,
    invoice_prefix: Option<String>,
    llc_formation: EmptyView,
    onboarding_type: Option<String>,
    opengraph_image_url: Option<String>,
    opengraph_image_variant: Option<String>,
    other_business_description: Option<String>,
    other_industry_description: Option<String>,
    payment_controls: Option<EmptyView>,
    product_tax_code: Option<EmptyView>,
    recommended_actions: Option<Vec<String>>,
    require_2fa: bool,
    required_actions: Option<Vec<String>>,
    show_joined_whops: bool,
    show_reviews_dtc: bool,
    show_user_directory: bool,
    status: Option<String>,
    store_page_config: EmptyView,
    tax_collection_enabled_states: Vec<String>,
    tax_identifiers: Vec<String>,
    tax_remitted_by: Option<String>,
    total_earned_usd: Option<f64>,
    total_usd: Option<String>,
    use_logo_as_opengraph_image_fallback: bool,
    verification: AccountVerificationView,
    wallet: Option<EmptyView>,
}

/// An account: a company, or a connected account of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountView {
    id: String,
    title: String,
    route: String,
    description: Option<String>,
    /// The owner's address, for those who may read addresses.
    email: Option<String>,
    country: Option<String>,
    parent_account_id: Option<String>,
    logo_url: Option<String>,
    banner_image_url: Option<String>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    send_customer_emails: bool,
    social_links: Vec<AccountLinkView>,
    target_audience: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(flatten)]
    commerce: CommerceView,
}

async fn view(app: &App, caller: &Caller, found: &CompanyWithOwner) -> Result<AccountView, AppError> {
    let email = app.owner_email(caller, found).await?;
    let company = &found.company;
    let links: Vec<SocialLinkView> = serde_json::from_str(&company.social_links).unwrap_or_default();
    let metadata = company.metadata.clone().unwrap_or_else(|| "{}".to_owned());
    Ok(AccountView {
        id: company.id.to_string(),
        title: company.title.clone(),
        route: company.route.clone(),
        description: company.description.clone(),
        email,
        country: company.country.clone(),
        parent_account_id: company.parent.map(|id| id.to_string()),
        logo_url: found.logo.clone(),
        banner_image_url: found.banner.clone(),
        metadata: RawValue::from_string(metadata).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        send_customer_emails: company.send_customer_emails,
        social_links: links
            .into_iter()
            .map(|link| AccountLinkView { id: link.id, title: None, url: link.url, website: link.website })
            .collect(),
        target_audience: company.target_audience.clone(),
        created_at: time(company.created_at),
        commerce: CommerceView {
            balances: Vec::new(),
            business_address: None,
            business_type: None,
            capabilities: None,
            home_preferences: Vec::new(),
            industry_group: None,
            industry_type: None,
            invoice_prefix: None,
            llc_formation: EmptyView {},
            onboarding_type: None,
            opengraph_image_url: None,
            opengraph_image_variant: None,
            other_business_description: None,
            other_industry_description: None,
            payment_controls: None,
            product_tax_code: None,
            recommended_actions: None,
            require_2fa: false,
            required_actions: None,
            show_joined_whops: false,
            show_reviews_dtc: false,
            show_user_directory: false,
            status: None,
            store_page_config: EmptyView {},
            tax_collection_enabled_states: Vec::new(),
            tax_identifiers: Vec::new(),
            tax_remitted_by: None,
            total_earned_usd: None,
            total_usd: None,
            use_logo_as_opengraph_image_fallback: false,
            verification: AccountVerificationView { individual: None, business: None },
            wallet: None,
        },
    })
}

/// List accounts
///
/// A key's: its company and that company's connected accounts. A token's: those its user owns among these.
#[utoipa::path(get, path = "/accounts", operation_id = "accounts.list", tag = "Accounts",
    params(("order" = Option<String>, Query), ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<AccountView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    query.word("order", &["created_at"])?;
    let ask = ListCompanies { family: true, page: query.page()?, ..ListCompanies::default() };
    let page = http.app.list_companies(&caller, ask).await?;
    let mut views = Vec::with_capacity(page.items.len());
    for found in &page.items {
        views.push(view(&http.app, &caller, found).await?);
    }
    let mut views = views.into_iter();
    Ok(json(&ListView::of(page, |_| views.next().expect("a view for each"))))
}

/// Retrieve one's own account
///
/// The key's, or the token's.
#[utoipa::path(get, path = "/accounts/me", operation_id = "accounts.me", tag = "Accounts",
    responses((status = 200, body = AccountView)))]
pub(crate) async fn me(State(http): State<Http>, Authed(caller): Authed) -> Result<Response, ApiError> {
    let found = http.app.retrieve_own_company(&caller).await?;
    Ok(json(&view(&http.app, &caller, &found).await?))
}

/// Retrieve an account
#[utoipa::path(get, path = "/accounts/{account_id}", operation_id = "accounts.retrieve", tag = "Accounts",
    params(("account_id" = String, Path)), responses((status = 200, body = AccountView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    let found = http.app.retrieve_company(&caller, extract::id("account_id", &id)?).await?;
    Ok(json(&view(&http.app, &caller, &found).await?))
}

/// What account to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateAccountBody {
    /// The owner's address; an API key must name it. The same address again: the same user.
    email: Option<String>,
    /// At most 255 characters. The name of a new owner, too. None: `metadata.external_id`, or the address.
    title: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// Two letters, lower case.
    country: Option<String>,
}

/// Create an account
///
/// With an API key: a connected account of the key's company, and its owner's user.
#[utoipa::path(post, path = "/accounts", operation_id = "accounts.create", tag = "Accounts",
    request_body = CreateAccountBody, responses((status = 201, body = AccountView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateAccountBody>,
) -> Result<Response, ApiError> {
    let parent = match &post.caller {
        Caller::Key(_) => Some(post.caller.home()),
        Caller::User(_) => None,
    };
    let title = body.title.as_deref().map(|title| extract::text("title", title, MAX_TITLE)).transpose()?;
    let email = body.email.as_deref().map(email).transpose()?;
    let metadata = body.metadata.as_ref().map(metadata).transpose()?;
    let given = title.clone().or_else(|| metadata.as_deref().and_then(external_id)).or_else(|| email.clone());
    let ask = CreateCompany {
        // Without an address a key is told so; a user names a title.
        title: match (given, parent) {
            (Some(title), _) => title,
            (None, Some(_)) => String::new(),
            (None, None) => return extract::required("title", None),
        },
        owner_name: title,
        parent,
        email,
        metadata,
        country: body.country.as_deref().map(country).transpose()?,
        ..CreateCompany::default()
    };
    post.created()
        .once(
            bytes,
            move |app, by| async move { app.may_create_company(&by, parent).await.map(drop) },
            move |app, by, ticket| async move {
                let found = app.create_company(&by, ask, ticket).await?;
                view(&app, &by, &found).await
            },
        )
        .await
}

/// A text `external_id` that could be a title.
fn external_id(metadata: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Known {
        external_id: String,
    }
    let Known { external_id } = serde_json::from_str(metadata).ok()?;
    extract::text("metadata", &external_id, MAX_TITLE).ok()
}

/// Update an account
#[utoipa::path(patch, path = "/accounts/{account_id}", operation_id = "accounts.update", tag = "Accounts",
    params(("account_id" = String, Path)), request_body = UpdateCompanyBody,
    responses((status = 200, body = AccountView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateCompanyBody>,
) -> Result<Response, ApiError> {
    let id: CompanyId = extract::id("account_id", &id)?;
    let found = Box::pin(http.app.update_company(&caller, id, body.value.patch()?)).await?;
    Ok(json(&view(&http.app, &caller, &found).await?))
}
