//! An authorization request: parsed and checked in the order of RFC 6749 §4.1.1 and OpenID Connect Core
//! §3.1.2.2, then followed.
//!
//! 1. The client, and where it may be answered. Until both are known, a refusal is a page, never a
//!    redirect (RFC 6749 §4.1.2.1): no open redirector.
//! 2. Everything else. A refusal goes back to the client, with its `state` and our `iss`.
//! 3. What follows, [`next`]: signing in, asking for consent, or a code.

mod next;
mod prompt;

use hallpass_core::ScopeSet;
use hallpass_core::app::ClientType;
use hallpass_core::catalogue::scopes::OPENID;
use hallpass_core::id::{AppId, CompanyId};

pub use next::{Facts, SignedInFacts, Step, next};
pub use prompt::Prompt;

use crate::client::{self, Client};
use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;
use crate::pkce::{Challenge, PkcePolicy};
use crate::redirect::is_registered;
use crate::scope;

/// The longest `state` and `nonce`, in bytes.
const MAX_ECHO_BYTES: usize = 2048;
const MAX_NONCE_BYTES: usize = 512;

/// A request that may be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client.
    pub client: AppId,
    /// Where it is answered.
    pub redirect_uri: String,
    /// To be repeated in the answer.
    pub state: Option<String>,
    /// What it asks for.
    pub scopes: ScopeSet,
    /// To be repeated in the id token.
    pub nonce: Option<String>,
    /// The PKCE challenge.
    pub challenge: Option<Challenge>,
    /// The one company it is for.
    pub company: Option<CompanyId>,
    /// What the user must be asked.
    pub prompt: Prompt,
    /// How old their proof may be, in seconds.
    pub max_age_secs: Option<i64>,
    /// Who is probably there.
    pub login_hint: Option<String>,
    /// Languages they probably read.
    pub ui_locales: Option<String>,
    /// An id token of who should be there.
    pub id_token_hint: Option<String>,
}

/// A request refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Said on a page: nobody is known whom to redirect to.
    Page(OAuthError),
    /// Said to the client.
    Redirect {
        /// Where it is answered.
        redirect_uri: String,
        /// Its `state`.
        state: Option<String>,
        /// Why.
        error: OAuthError,
    },
}

/// The client that a request names.
///
/// # Errors
/// [`Refusal::Page`].
pub fn client_id(params: &Params) -> Result<AppId, Refusal> {
    params.require("client_id").and_then(client::parse_id).map_err(Refusal::Page)
}

impl Request {
    /// Steps 1 and 2, for the client that [`client_id`] named, if there is one.
    ///
    /// # Errors
    /// The first [`Refusal`].
    pub fn check(params: &Params, client: Option<&Client>, pkce: PkcePolicy) -> Result<Self, Refusal> {
        let client = client
            .filter(|client| client.company.is_some())
            .ok_or_else(|| Refusal::Page(OAuthError::invalid_client("client_id is unknown")))?;
        let redirect_uri = redirect_uri(params, client).map_err(Refusal::Page)?;
        // A state that cannot be told apart is not repeated.
        let state = params.get("state").ok().flatten().map(str::to_owned);
        Self::check_rest(params, client, pkce, redirect_uri, state.clone())
            .map_err(|error| Refusal::Redirect { redirect_uri: redirect_uri.to_owned(), state, error })
    }

    fn check_rest(
        params: &Params,
        client: &Client,
        pkce: PkcePolicy,
        redirect_uri: &str,
        state: Option<String>,
    ) -> Result<Self, OAuthError> {
        params.must_be_unique()?;
        not_supported(params)?;
        response(params)?;
        let text = |name| params.get(name).map(|value| value.map(str::to_owned));
        let scopes = scope::parse(params.get("scope")?.unwrap_or_default())?;
        let challenge = Challenge::read(params, pkce_needed(client, pkce))?;
        let nonce = nonce(params, &scopes)?;
        if state.as_ref().is_some_and(|state| state.len() > MAX_ECHO_BYTES) {
            return Err(OAuthError::invalid_request("state is too long"));
        }
        Ok(Self {
            client: client.id,
            redirect_uri: redirect_uri.to_owned(),
            state,
            scopes,
            nonce,
            challenge,
            company: company(params)?,
            prompt: Prompt::parse(params.get("prompt")?.unwrap_or_default())?,
            max_age_secs: max_age(params)?,
            login_hint: text("login_hint")?,
            ui_locales: text("ui_locales")?,
            id_token_hint: text("id_token_hint")?,
        })
    }
}

fn redirect_uri<'p>(params: &'p Params, client: &Client) -> Result<&'p str, OAuthError> {
    let sent = params.require("redirect_uri")?;
    if is_registered(&client.redirect_uris, sent, client.client_type) {
        Ok(sent)
    } else {
        Err(OAuthError::invalid_request("redirect_uri is not one that this app registered"))
    }
}

/// OpenID Connect Core §6, §7.2.1: what is not read must not be ignored.
fn not_supported(params: &Params) -> Result<(), OAuthError> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if params.get(name)?.is_some() {
            return Err(OAuthError::new(code, format!("{name} is not supported")));
        }
    }
    Ok(())
}

fn response(params: &Params) -> Result<(), OAuthError> {
    let unsupported = |description| Err(OAuthError::new(ErrorCode::UnsupportedResponseType, description));
    match params.require("response_type")? {
        "code" => {}
        _ => return unsupported("response_type must be code"),
    }
    match params.get("response_mode")? {
        None | Some("query") => Ok(()),
        Some(_) => Err(OAuthError::invalid_request("response_mode must be query")),
    }
}

fn pkce_needed(client: &Client, policy: PkcePolicy) -> bool {
    policy == PkcePolicy::Always || client.client_type != Some(ClientType::Confidential)
}

fn nonce(params: &Params, scopes: &ScopeSet) -> Result<Option<String>, OAuthError> {
    let nonce = params.get("nonce")?;
    match nonce {
        None if scopes.contains(OPENID) => {
            Err(OAuthError::invalid_request("nonce is required for openid scope"))
        }
        Some(nonce) if nonce.len() > MAX_NONCE_BYTES => Err(OAuthError::invalid_request("nonce is too long")),
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

fn company(params: &Params) -> Result<Option<CompanyId>, OAuthError> {
    let malformed = |_| OAuthError::invalid_request("company_id is not an id of the form biz_...");
    params.get("company_id")?.map(str::parse).transpose().map_err(malformed)
}

fn max_age(params: &Params) -> Result<Option<i64>, OAuthError> {
    let Some(text) = params.get("max_age")? else { return Ok(None) };
    let digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    let malformed = || OAuthError::invalid_request("max_age is not a number of seconds");
    if digits { text.parse().map(Some).map_err(|_| malformed()) } else { Err(malformed()) }
}

#[cfg(test)]
mod tests;
