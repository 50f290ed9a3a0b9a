//! Looking at tokens and ending them: revocation (RFC 7009), introspection (RFC 7662), userinfo (OpenID
//! Connect Core §5.3), and signing out at a client's request (RP-Initiated Logout).

use hallpass_core::ScopeSet;
use hallpass_core::authority::Change;
use hallpass_core::catalogue::scopes::OPENID;
use hallpass_core::id::{AppId, CompanyId, UserId};
use hallpass_core::oauth::RevokedFor;
use hallpass_core::session::Session;
use hallpass_oauth::client::{Client, Proof, parse_id};
use hallpass_oauth::logout::LogoutRequest;
use hallpass_oauth::{ErrorCode, OAuthError, Params};
use hallpass_token::{AccessClaims, ClientId, ProfileClaims, TokenError, TokenKind};

use super::OAuthFailure;
use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// Who introspects.
pub enum Inspector<'a> {
    /// A client that showed its secret: its own tokens.
    Client(&'a Client),
    /// An API key: the tokens of users in companies it reaches.
    Key(&'a Caller),
}

/// What a live token says.
#[expect(missing_docs, reason = "the names are those of RFC 7662 §2.2")]
pub enum Introspection {
    Access(Box<AccessClaims>),
    Refresh { client: AppId, sub: UserId, company: Option<CompanyId>, scope: ScopeSet, iat: i64, exp: i64 },
}

/// Who a token speaks for.
pub struct UserInfo {
    /// `sub`.
    pub sub: UserId,
    /// What the scopes tell.
    pub profile: ProfileClaims,
}

/// What follows a request to sign out.
pub enum LoggedOut {
    /// Refused, on a page.
    Page(OAuthError),
    /// They are asked whether they mean it.
    Confirm {
        /// Who asks.
        client: Option<String>,
    },
    /// Done, or nobody was there.
    Done {
        /// Where to go.
        destination: Option<String>,
    },
}

impl App {
    /// Revokes a refresh token with everything of its grant, or one access token. A token that is not the
    /// client's, or none, is not revoked and not told of.
    ///
    /// # Errors
    /// `invalid_client` without the secret that was shown for the grant; those of the store.
    pub async fn revoke_token(&self, client: &Client, proof: Proof, token: &str) -> Result<(), OAuthFailure> {
        let at = self.clock.now();
        if let Ok(presented) = self.oauth.refresh_tokens.parse(token) {
            let found = self.store.read().await?.find_grant(presented.grant).await?;
            let Some(grant) = found.filter(|grant| grant.authorization.app == client.id) else {
                return Ok(());
            };
            if grant.client_authenticated && !proof.authenticated {
                return Err(OAuthError::invalid_client("client_secret is required").into());
            }
            let n = self
                .store
                .write((grant.id, at), |(grant, at), tx| {
                    Box::pin(async move {
                        if !tx.revoke_grant(*grant, RevokedFor::Client, *at).await? {
                            return Ok::<_, AppError>(0);
                        }
                        App::note_grant(tx, *grant, *at).await
                    })
                })
                .await?;
            return Ok(self.settle(n).await?);
        }
        let Ok(claims) = self.keyring.ring().await?.verifier.verify_access(token, at) else { return Ok(()) };
        if claims.client_id != ClientId::App(client.id) {
            return Ok(());
        }
        let Some(company) = claims.company_id.or(client.company) else { return Ok(()) };
        Ok(self.narrow(vec![Change::Token(company, claims.jti)]).await?)
    }

    /// What a live token says; none for every other text, whatever is wrong with it (RFC 7662 §2.2).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn introspect(
        &self,
        by: &Inspector<'_>,
        token: &str,
    ) -> Result<Option<Introspection>, AppError> {
        if let Ok(presented) = self.oauth.refresh_tokens.parse(token) {
            let now = self.clock.now();
            let found = self.store.read().await?.find_grant(presented.grant).await?;
            let live = found.filter(|grant| {
                let in_force = grant.number == presented.number && grant.token_hash == presented.hash.0;
                let ended =
                    grant.revoked_at.is_some() || now >= grant.idle_expires_at || now >= grant.expires_at;
                in_force && !ended
            });
            let Some(grant) = live else { return Ok(None) };
            let whom = grant.authorization;
            let own = matches!(by, Inspector::Client(client) if client.id == whom.app);
            return Ok(own.then(|| Introspection::Refresh {
                client: whom.app,
                sub: whom.user,
                company: whom.company,
                scope: whom.scopes,
                iat: grant.rotated_at.unwrap_or(grant.created_at).as_second(),
                exp: grant.idle_expires_at.min(grant.expires_at).as_second(),
            }));
        }
        let Some(claims) = self.live_claims(token).await? else { return Ok(None) };
        let may = match by {
            Inspector::Client(client) => claims.client_id == ClientId::App(client.id),
            Inspector::Key(caller) => self.may_inspect(caller, &claims).await?,
        };
        Ok(may.then(|| Introspection::Access(Box::new(claims))))
    }

    /// Whether a key reaches the company a token is good in.
    async fn may_inspect(&self, caller: &Caller, claims: &AccessClaims) -> Result<bool, AppError> {
        let Caller::Key(live) = caller else { return Ok(false) };
        let home = match (claims.company_id, claims.client_id) {
            (Some(company), _) => Some(company),
            (None, ClientId::App(app)) => self.client(app).await?.and_then(|client| client.company),
            (None, ClientId::Key(_)) => None,
        };
        let Some(home) = home else { return Ok(false) };
        match self.company(home).await? {
            Some(company) => self.reaches(&live.key, &company).await,
            None => Ok(false),
        }
    }

    /// Who a token speaks for, as far as its scopes tell.
    ///
    /// # Errors
    /// `insufficient_scope` without `openid` (RFC 6750 §3.1).
    pub async fn userinfo(&self, caller: &Caller) -> Result<UserInfo, OAuthFailure> {
        let insufficient =
            || OAuthError::new(ErrorCode::InsufficientScope, "the token was not given the openid scope");
        let Caller::User(user) = caller else { return Err(insufficient().into()) };
        self.must_live(caller)?;
        let claims = user.claims();
        // What a key minted is its company's doing: nobody consented to tell it who they are.
        if claims.kind != TokenKind::OAuth || !claims.scope.contains(OPENID) {
            return Err(insufficient().into());
        }
        let profile = self.profile_claims(user.user(), claims.company_id, &claims.scope).await?;
        Ok(UserInfo { sub: user.user(), profile })
    }

    /// Signs out at a client's request. Without an id token of the very session, or a yes, nobody is signed
    /// out: any page could send a browser here.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn log_out(
        &self,
        params: &Params,
        session: Option<&Session>,
        confirmed: bool,
    ) -> Result<LoggedOut, AppError> {
        let request = match LogoutRequest::parse(params) {
            Ok(request) => request,
            Err(error) => return Ok(LoggedOut::Page(error)),
        };
        let refuse = |why| Ok(LoggedOut::Page(OAuthError::invalid_request(why)));
        let hint = match &request.id_token_hint {
            None => None,
            Some(hint) => match self.keyring.ring().await?.verifier.verify_id_hint(hint) {
                Ok(claims) => Some(claims),
                // Of a key long gone: as if there were none, so they are asked.
                Err(TokenError::UnknownKey) => None,
                Err(_) => return refuse("id_token_hint is not an id token of this server"),
            },
        };
        let named = match &request.client_id {
            None => None,
            Some(id) => match parse_id(id) {
                Ok(id) => Some(id),
                Err(error) => return Ok(LoggedOut::Page(error)),
            },
        };
        if let (Some(hint), Some(named)) = (&hint, named)
            && hint.aud != named
        {
            return refuse("id_token_hint is of another client");
        }
        let client = match hint.as_ref().map(|hint| hint.aud).or(named) {
            Some(id) => self.client(id).await?,
            None => None,
        };
        let destination = match request.destination(client.as_deref()) {
            Ok(destination) => destination,
            Err(error) => return Ok(LoggedOut::Page(error)),
        };
        let Some(session) = session else { return Ok(LoggedOut::Done { destination }) };
        if !confirmed && hint.is_none_or(|hint| hint.sid != session.id) {
            return Ok(LoggedOut::Confirm { client: client.map(|client| client.name.clone()) });
        }
        self.end_session(session.person, session.id).await?;
        Ok(LoggedOut::Done { destination })
    }
}
