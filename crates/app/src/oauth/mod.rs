//! Signing in with OAuth 2.1 and OpenID Connect: the use cases. `hallpass-oauth` decides, this fetches and
//! writes.
//!
//! * [`authorize`]: a browser arrives with a request of an app; it leaves with a code.
//! * [`token`]: the app swaps the code for tokens, and refreshes them.
//! * [`inspect`]: revoking, introspecting, userinfo, signing out.
//! * [`consents`]: what a person allowed, and taking it back.

pub mod authorize;
mod claims;
mod clients;
pub mod consents;
mod enter;
pub mod inspect;
mod rotations;
pub mod token;

use hallpass_core::authority::Change;
use hallpass_core::id::GrantId;
use hallpass_core::oauth::{Authorization, Grant};
use hallpass_oauth::OAuthError;
pub use hallpass_oauth::client::{Client, Credentials, Proof};
pub use hallpass_oauth::pkce::PkcePolicy;
use hallpass_store::{Store, Tx};
use hallpass_token::{MacKey, MasterKey, RefreshTokens};
pub use hallpass_token::{ProfileClaims, RefreshToken};
use jiff::{SignedDuration, Timestamp};

use crate::App;
use crate::error::AppError;
use crate::sessions::SessionPolicy;
use rotations::Rotations;

/// How long an access token of OAuth lives.
pub const ACCESS_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long a code lives.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// How signing in behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OAuthPolicy {
    /// How long sessions live.
    pub sessions: SessionPolicy,
    /// For how long a refresh token that was used gets its successor again; zero: never.
    pub refresh_grace: SignedDuration,
    /// How long a grant lives unless it is refreshed.
    pub refresh_idle: SignedDuration,
    /// How long a grant lives in any case.
    pub refresh_longest: SignedDuration,
    /// Whose codes need PKCE.
    pub pkce: PkcePolicy,
}

impl Default for OAuthPolicy {
    fn default() -> Self {
        Self {
            sessions: SessionPolicy::default(),
            refresh_grace: SignedDuration::from_secs(30),
            refresh_idle: SignedDuration::from_hours(30 * 24),
            refresh_longest: SignedDuration::from_hours(365 * 24),
            pkce: PkcePolicy::Always,
        }
    }
}

/// What the use cases share.
pub(crate) struct OAuth {
    pub(crate) policy: OAuthPolicy,
    refresh_tokens: RefreshTokens,
    rotations: Rotations,
    /// Binds "asked to sign in" to the very request.
    asked: MacKey,
}

impl OAuth {
    pub(crate) fn new(policy: OAuthPolicy, master: &MasterKey, store: &Store) -> Self {
        metrics::counter!("hallpass_oauth_code_replays_total").absolute(0);
        metrics::counter!("hallpass_oauth_refresh_reuses_total").absolute(0);
        Self {
            policy,
            rotations: Rotations::start(store),
            refresh_tokens: RefreshTokens::new(master.derive_mac("refresh-tokens")),
            asked: master.derive_mac("oauth-asked"),
        }
    }
}

/// What of a grant never changes: enough to refuse without asking the store.
#[derive(Clone, Debug)]
pub(crate) struct GrantFacts {
    pub(crate) authorization: Authorization,
    pub(crate) client_authenticated: bool,
}

impl From<&Grant> for GrantFacts {
    fn from(grant: &Grant) -> Self {
        Self { authorization: grant.authorization.clone(), client_authenticated: grant.client_authenticated }
    }
}

/// Why an OAuth endpoint did not do what was asked.
#[derive(Debug)]
pub enum OAuthFailure {
    /// The client's doing, in the words of the RFC.
    Refused(OAuthError),
    /// Not an OAuth matter.
    App(AppError),
}

impl From<OAuthError> for OAuthFailure {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl<E: Into<AppError>> From<E> for OAuthFailure {
    fn from(error: E) -> Self {
        Self::App(error.into())
    }
}

impl App {
    /// Notes that a grant was revoked: its access tokens die with it.
    async fn note_grant(tx: &mut Tx, grant: GrantId, at: Timestamp) -> Result<u64, AppError> {
        Self::note(tx, &[(Change::Grant(grant.to_string()), true)], at).await
    }
}
