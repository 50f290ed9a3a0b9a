//! Revoking: one entry on the authority log, and every node knows within a second.

use std::fmt;
use std::str::FromStr;

use hallpass_core::authority::Change;
use hallpass_core::id::{ApiKeyId, CompanyId, TokenId, UserId};
use hallpass_core::webhook::EventType;
use hallpass_store::Tx;
use hallpass_token::{ClientId, TokenError};
use jiff::Timestamp;

use crate::caller::Caller;
use crate::error::AppError;
use crate::webhooks::Subject;
use crate::{AUTHORITY_MARGIN, App, LONGEST_TOKEN_LIFE};

/// What is to be revoked.
#[derive(Clone)]
pub enum Revoke {
    /// The token with this text.
    Token(String),
    /// The token with this `jti`.
    Jti(TokenId),
    /// Every token of a user in a company.
    User(CompanyId, UserId),
    /// An API key, and every token it minted.
    Key(ApiKeyId),
}

impl fmt::Debug for Revoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(…)"),
            Self::Jti(jti) => f.debug_tuple("Jti").field(jti).finish(),
            Self::User(company, user) => f.debug_tuple("User").field(company).field(user).finish(),
            Self::Key(id) => f.debug_tuple("Key").field(id).finish(),
        }
    }
}

impl App {
    /// Revokes. A key revokes within the companies it reaches; a user, their own tokens there.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for what the caller does not reach, [`AppError::MissingScopes`] for
    /// revoking keys without `developer:manage_api_key`.
    pub async fn revoke(&self, caller: &Caller, what: Revoke) -> Result<(), AppError> {
        match what {
            Revoke::Token(text) => self.revoke_token_text(caller, &text).await,
            Revoke::Jti(jti) => {
                // A jti does not say whose it is: the entry speaks only for the key's own company, and
                // matches tokens for it and its connected accounts, and those its keys minted.
                let Caller::Key(live) = caller else {
                    return Err(AppError::Forbidden {
                        code: "user_token",
                        message: "revoking by jti needs an API key; send the token itself".to_owned(),
                    });
                };
                match self.age(jti) {
                    Age::Dead => Ok(()),
                    Age::Unborn => Err(AppError::invalid("jti", "jti is not the id of a token of ours")),
                    Age::Alive => self.narrow(vec![Change::Token(live.key.company, jti)]).await,
                }
            }
            Revoke::User(company, user) => {
                self.may_revoke_in(caller, company, user).await?;
                self.narrow(vec![Change::Standing(company, user)]).await
            }
            Revoke::Key(id) => self.revoke_api_key(caller, id).await,
        }
    }

    /// What its id says of a token.
    fn age(&self, jti: TokenId) -> Age {
        let minted = jti.millis();
        let now = self.clock.now().as_millisecond();
        let longest = (LONGEST_TOKEN_LIFE + AUTHORITY_MARGIN).as_millis();
        if i128::from(now) > i128::from(minted) + longest {
            Age::Dead
        } else if minted > now + CLOCKS_APART_MILLIS {
            Age::Unborn
        } else {
            Age::Alive
        }
    }

    async fn may_revoke_in(&self, caller: &Caller, company: CompanyId, user: UserId) -> Result<(), AppError> {
        match caller {
            Caller::Key(live) => {
                let record = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
                if !self.reaches(&live.key, &record).await? {
                    return Err(AppError::NotFound("company"));
                }
                if self.store.read().await?.find_user(user).await?.is_none()
                    || !self.store.read().await?.is_user_seen_from(company, user).await?
                {
                    return Err(AppError::NotFound("user"));
                }
                Ok(())
            }
            Caller::User(own) if own.user() == user && own.company() == company => Ok(()),
            Caller::User(_) => Err(AppError::NotFound("user")),
        }
    }

    async fn revoke_token_text(&self, caller: &Caller, text: &str) -> Result<(), AppError> {
        let ring = self.keyring.ring().await?;
        let claims = match ring.verifier.verify_access(text, self.clock.now()) {
            Ok(claims) => claims,
            // Dead already: what was asked for is true.
            Err(TokenError::Expired { .. }) => return Ok(()),
            Err(_) => return Err(AppError::invalid("token", "token is not one of ours")),
        };
        let absent = || AppError::NotFound("token");
        let company = match (claims.company_id, claims.client_id) {
            (Some(company), _) => company,
            // Bound to no company: its app's speaks of it.
            (None, ClientId::App(app)) => {
                self.client(app).await?.and_then(|client| client.company).ok_or_else(absent)?
            }
            (None, ClientId::Key(_)) => return Err(absent()),
        };
        let reached = match caller {
            Caller::Key(live) => match self.company(company).await? {
                Some(record) => self.reaches(&live.key, &record).await?,
                None => false,
            },
            Caller::User(own) => Some(own.user()) == claims.sub.user() && own.company() == company,
        };
        if !reached {
            return Err(AppError::NotFound("token"));
        }
        self.narrow(vec![Change::Token(company, claims.jti)]).await
    }

    /// Appends kills to the authority log and applies them here.
    pub(crate) async fn narrow(&self, changes: Vec<Change>) -> Result<(), AppError> {
        let at = self.clock.now();
        let changes: Vec<(Change, bool)> = changes.into_iter().map(|change| (change, true)).collect();
        loop {
            let seen = self.authority.rev();
            let n = self
                .store
                .write((changes.clone(), at), |(changes, at), tx| {
                    Box::pin(async move {
                        let n = App::note(tx, changes, *at).await?;
                        for (change, _) in changes {
                            tell(tx, change, *at).await?;
                        }
                        Ok::<_, AppError>(n)
                    })
                })
                .await?;
            self.hooks.wake();
            if n > seen {
                return self.settle(n).await;
            }
            // The log went back, and the entry is older than what it is to kill. Reading on leaps ahead.
            self.authority.refresh().await?;
        }
    }
}

/// Tells of the tokens that an entry kills.
async fn tell(tx: &mut Tx, change: &Change, at: Timestamp) -> Result<(), AppError> {
    let (company, subject) = match change {
        Change::Token(company, token) => {
            (*company, Subject::Tokens { token: Some(*token), user: None, api_key: None })
        }
        Change::Standing(company, user) => {
            (*company, Subject::Tokens { token: None, user: Some(*user), api_key: None })
        }
        _ => return Ok(()),
    };
    App::tell(tx, company, EventType::TokenRevoked, &subject, at).await
}

enum Age {
    /// It has expired.
    Dead,
    Alive,
    /// No clock of ours can have given this id yet.
    Unborn,
}

/// How far the clocks of two nodes may be apart.
const CLOCKS_APART_MILLIS: i64 = 5 * 60 * 1000;

/// Reads an id of a parameter.
pub(crate) fn parse_id<T: FromStr>(param: &'static str, text: &str) -> Result<T, AppError> {
    text.parse().map_err(|_| AppError::invalid(param, format!("{param} is not an id of the right kind")))
}
