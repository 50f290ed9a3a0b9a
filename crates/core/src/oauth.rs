//! What OAuth keeps: codes, grants, consents.

use jiff::Timestamp;

use crate::id::{AppId, CompanyId, GrantId, SessionId, UserId};
use crate::scope::ScopeSet;
use crate::session::Amr;

/// Whom a grant is for, and what it allows: what a code carries to the tokens made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The client.
    pub app: AppId,
    /// Who allowed it.
    pub user: UserId,
    /// The one company it is good in; none for every company that owns or installed the app.
    pub company: Option<CompanyId>,
    /// Where they were signed in.
    pub session: SessionId,
    /// What they allowed.
    pub scopes: ScopeSet,
    /// When they last proved who they are.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<Amr>,
}

/// An authorization code (RFC 6749 §4.1.2), but for its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The grant that redeeming it makes.
    pub grant: GrantId,
    /// For whom and what.
    pub authorization: Authorization,
    /// Where it was sent, byte for byte.
    pub redirect_uri: String,
    /// The S256 challenge (RFC 7636 §4.3); none only where an operator allowed it.
    pub code_challenge: Option<String>,
    /// To be repeated in the id token.
    pub nonce: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub consumed_at: Option<Timestamp>,
}

/// A grant: what a redeemed code gave, and the refresh token in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The `grant` of its access tokens.
    pub id: GrantId,
    /// For whom and what.
    pub authorization: Authorization,
    /// The client showed its secret for the code, so it must show it ever after.
    pub client_authenticated: bool,
    /// The number of the refresh token in force, from 1.
    pub number: u32,
    /// SHA-256 of that token.
    pub token_hash: [u8; 32],
    /// SHA-256 of the one before.
    pub previous_hash: Option<[u8; 32]>,
    /// The token in force, sealed for whoever has the one before.
    pub successor: Option<Vec<u8>>,
    /// When the one before was rotated.
    pub rotated_at: Option<Timestamp>,
    /// When the code was redeemed.
    pub created_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Why a grant was revoked; kept with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedFor {
    /// Its client asked (RFC 7009).
    Client,
    /// Its user took the consent back.
    User,
    /// The session it belongs to was ended.
    Session,
    /// Its user was deactivated, or un-enrolled where it was good.
    Removed,
    /// The code that made it came a second time.
    CodeReplay,
    /// A refresh token came again after its successor was used, or after the grace.
    TokenReuse,
}

impl RevokedFor {
    /// As stored, and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Session => "session",
            Self::Removed => "removed",
            Self::CodeReplay => "code_replay",
            Self::TokenReuse => "token_reuse",
        }
    }
}

/// What a user allowed an app, in a company or at large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Who.
    pub user: UserId,
    /// Whom.
    pub app: AppId,
    /// Where; none for at large.
    pub company: Option<CompanyId>,
    /// What, in all.
    pub scopes: ScopeSet,
    /// When first.
    pub created_at: Timestamp,
    /// When last.
    pub updated_at: Timestamp,
}
