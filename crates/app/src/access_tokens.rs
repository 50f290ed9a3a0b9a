//! Minting: an API key becomes a short-lived token for one user inside one company.

use hallpass_core::id::{CompanyId, TokenId, UserId};
use hallpass_core::role::INHERITABLE;
use hallpass_core::scope::{Scope, ScopeSet};
use hallpass_token::{AccessClaims, ClientId, Subject, TokenKind};
use jiff::Timestamp;
use std::sync::Arc;

use crate::caller::{Caller, UserCaller, rights_within};
use crate::error::AppError;
use crate::{App, DEFAULT_TOKEN_LIFE, LONGEST_TOKEN_LIFE};

/// What is to be minted.
#[derive(Clone, Debug, Default)]
pub struct MintToken {
    /// For use in this company.
    pub company: Option<CompanyId>,
    /// As this user.
    pub user: Option<UserId>,
    /// These scopes; empty for everything that chat needs and key and role allow.
    pub scopes: ScopeSet,
    /// Until then; none for an hour from now.
    pub expires_at: Option<Timestamp>,
}

/// A minted token.
#[derive(Clone)]
pub struct MintedToken {
    /// The token: a JWT (RFC 9068).
    pub token: String,
    /// When it dies by itself.
    pub expires_at: Timestamp,
}

impl App {
    /// Mints a token for a user inside a company.
    ///
    /// # Errors
    /// [`AppError::Forbidden`] for user tokens and for scopes wider than the key's,
    /// [`AppError::Invalid`] for missing ids and an expiry that is past or more than three hours away,
    /// [`AppError::NotFound`] for a company the key does not reach or a user who is not enrolled there.
    pub async fn mint_user_token(&self, caller: &Caller, ask: MintToken) -> Result<MintedToken, AppError> {
        let live = match caller {
            Caller::Key(live) if live.is_by_token() => {
                return Err(AppError::Forbidden {
                    code: "app_token",
                    message: "an app's own token does not mint; use its API key".to_owned(),
                });
            }
            Caller::Key(live) => live,
            Caller::User(user) => return self.mint_with_oauth(caller, user, ask).await,
        };
        let key = &live.key;
        let company_id = ask.company.ok_or_else(|| AppError::missing("company_id"))?;
        let user_id = ask.user.ok_or_else(|| AppError::missing("user_id"))?;
        // Who is not known here may have left and come back on another node just now. The store says so
        // at once, the log a moment later: it is read first, or it would kill the token by the leaving.
        if self.standings.get(&(company_id, user_id)).is_none() {
            self.authority.refresh().await?;
        }
        // Read before anything is decided: a later narrowing is newer than this token.
        let rev = self.authority.rev();
        self.must_live(caller)?;
        let company = self.company(company_id).await?.ok_or(AppError::NotFound("company"))?;
        if !self.reaches(key, &company).await? {
            return Err(AppError::NotFound("company"));
        }
        let held = rights_within(key, &company);
        let standing = self.standing(company_id, user_id).await?;
        let active = standing.enrolled() && self.user(user_id).await?.is_some_and(|user| !user.deactivated);
        if !active {
            return Err(AppError::NotFound("user"));
        }
        let scope = if ask.scopes.is_empty() {
            if company.explicit_scopes {
                return Err(scopes_must_be_named());
            }
            held.and(&standing.scopes()).and(&INHERITABLE)
        } else {
            held.narrow(&ask.scopes).map_err(|lacking| AppError::Forbidden {
                code: "scope_exceeds_key",
                message: format!("the API key itself lacks {}", listed(&lacking)),
            })?
        };
        if scope.is_empty() {
            return Err(AppError::Forbidden {
                code: "scope_exceeds_key",
                message: "the API key allows a user token nothing".to_owned(),
            });
        }
        let now = self.clock.now();
        let expires_at = expiry(ask.expires_at, now, key.expires_at)?;
        let claims = AccessClaims {
            iss: Arc::clone(&self.issuer),
            aud: Arc::clone(&self.issuer),
            kind: TokenKind::Minted,
            sub: Subject::User(user_id),
            company_id: Some(company_id),
            client_id: ClientId::Key(key.id),
            scope,
            rev,
            jti: TokenId::generate(now, &*self.entropy),
            iat: now.as_second(),
            exp: expires_at.as_second(),
            sid: None,
            grant: None,
        };
        let token = self.keyring.ring().await?.signer.sign_access(&claims);
        Ok(MintedToken { token, expires_at })
    }
}

impl App {
    /// Mints for the user of an OAuth token: no more than it may do, where it may do it, and no longer. Same
    /// session and grant, so what ends it ends the minted one.
    async fn mint_with_oauth(
        &self,
        caller: &Caller,
        user: &UserCaller,
        ask: MintToken,
    ) -> Result<MintedToken, AppError> {
        let own = user.claims();
        if own.kind != TokenKind::OAuth {
            return Err(AppError::Forbidden {
                code: "user_token",
                message: "minted tokens cannot mint; use an API key, or an OAuth token".to_owned(),
            });
        }
        if ask.user.is_some_and(|asked| asked != user.user()) {
            return Err(AppError::NotFound("user"));
        }
        let company_id = ask.company.or(own.company_id).ok_or_else(|| AppError::missing("company_id"))?;
        let rev = self.authority.rev();
        let facts = self.facts(caller, company_id, None).await?;
        let standing = self.standing(company_id, user.user()).await?;
        if !facts.reaches || !standing.enrolled() {
            return Err(AppError::NotFound("company"));
        }
        let company = self.company(company_id).await?.ok_or(AppError::NotFound("company"))?;
        let scope = if ask.scopes.is_empty() {
            if company.explicit_scopes {
                return Err(scopes_must_be_named());
            }
            own.scope.and(&standing.scopes()).and(&INHERITABLE)
        } else {
            own.scope.narrow(&ask.scopes).map_err(|lacking| AppError::Forbidden {
                code: "scope_exceeds_token",
                message: format!("the token itself lacks {}", listed(&lacking)),
            })?
        };
        if scope.is_empty() {
            return Err(AppError::Forbidden {
                code: "scope_exceeds_token",
                message: "the token allows another nothing".to_owned(),
            });
        }
        let now = self.clock.now();
        let end = Timestamp::from_second(own.exp).unwrap_or(now);
        let expires_at = expiry(ask.expires_at, now, Some(end))?;
        let claims = AccessClaims {
            kind: TokenKind::Minted,
            company_id: Some(company_id),
            scope,
            rev,
            jti: TokenId::generate(now, &*self.entropy),
            iat: now.as_second(),
            exp: expires_at.as_second(),
            ..own.clone()
        };
        let token = self.keyring.ring().await?.signer.sign_access(&claims);
        Ok(MintedToken { token, expires_at })
    }
}

fn scopes_must_be_named() -> AppError {
    AppError::Invalid {
        code: "parameter_missing",
        param: Some("scoped_actions"),
        message: "this company's tokens must name their scopes in scoped_actions".to_owned(),
    }
}

/// Names scopes for people.
pub(crate) fn listed(scopes: &ScopeSet) -> String {
    scopes.iter().map(Scope::name).collect::<Vec<_>>().join(", ")
}

/// The token's end, in whole seconds: JWT times have no fractions.
fn expiry(
    asked: Option<Timestamp>,
    now: Timestamp,
    key_expires_at: Option<Timestamp>,
) -> Result<Timestamp, AppError> {
    let end = match asked {
        None => now + DEFAULT_TOKEN_LIFE,
        Some(end) if end <= now => return Err(AppError::invalid("expires_at", "expires_at is in the past")),
        Some(end) if end > now + LONGEST_TOKEN_LIFE => {
            return Err(AppError::invalid("expires_at", "expires_at is more than 3 hours ahead"));
        }
        Some(end) => end,
    };
    let end = key_expires_at.map_or(end, |key| key.min(end));
    let whole = Timestamp::from_second(end.as_second()).unwrap_or(end);
    if whole <= now {
        return Err(AppError::invalid("expires_at", "expires_at is less than a second ahead"));
    }
    Ok(whole)
}
