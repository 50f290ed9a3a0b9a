//! The token endpoint: codes become grants, refresh tokens their successors, secrets an app's own tokens.

use std::sync::Arc;

use hallpass_core::ScopeSet;
use hallpass_core::authority::Change;
use hallpass_core::catalogue::scopes::OPENID;
use hallpass_core::id::{GrantId, TokenId};
use hallpass_core::oauth::{AuthorizationCode, Grant, RevokedFor};
use hallpass_oauth::client::{Client, Proof};
use hallpass_oauth::grants::authorization_code::{self, Redemption, Refused};
use hallpass_oauth::grants::refresh_token::{self, Judgement, Refreshing};
use hallpass_oauth::grants::{GrantRequest, client_credentials};
use hallpass_oauth::{OAuthError, Params, scope};
use hallpass_store::{Rotation, Tx};
use hallpass_token::{
    AccessClaims, ClientId, KeyRealm, KeySecret, PresentedRefresh, ProfileClaims, RefreshToken, Subject,
    TokenKind, at_hash,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{ACCESS_LIFE, GrantFacts, OAuthFailure};
use crate::App;
use crate::caller::rights_throughout;
use crate::error::AppError;

/// What the token endpoint answers (RFC 6749 §5.1).
pub struct Tokens {
    /// The access token: a JWT.
    pub access_token: String,
    /// How long it lives, in seconds.
    pub expires_in: i64,
    /// What it may do at most.
    pub scope: ScopeSet,
    /// For the next one.
    pub refresh_token: Option<RefreshToken>,
    /// Who signed in, where that was asked for.
    pub id_token: Option<String>,
}

/// What is written when a code is redeemed.
struct Redeeming {
    hash: [u8; 32],
    ask: Redemption,
    client: Arc<Client>,
    grant: Grant,
    at: Timestamp,
}

enum Redeemed {
    Now(Box<AuthorizationCode>),
    Refused(OAuthError),
    /// With the entry that revoked what it gave.
    Replayed(u64),
}

/// What is written when a token is refreshed.
struct Renewing {
    rotation: Rotation,
    presented: PresentedRefresh,
    client: Arc<Client>,
    proof: Proof,
    company: Option<hallpass_core::id::CompanyId>,
    grace: jiff::SignedDuration,
}

enum Renewed {
    Now,
    /// The successor, sealed.
    Again(Vec<u8>),
    Refused(OAuthError),
    /// With the entry that revoked everything.
    Reused(u64),
}

impl App {
    /// Gives tokens to a client.
    ///
    /// # Errors
    /// As RFC 6749 §5.2 says; those of the store. A fault of ours uses nothing up.
    pub async fn give_tokens(
        &self,
        client: Arc<Client>,
        proof: Proof,
        params: &Params,
    ) -> Result<Tokens, OAuthFailure> {
        match GrantRequest::parse(params)? {
            GrantRequest::AuthorizationCode(ask) => Box::pin(self.redeem_code(client, proof, ask)).await,
            GrantRequest::RefreshToken(ask) => Box::pin(self.refresh(client, proof, ask)).await,
            GrantRequest::ClientCredentials(ask) => self.give_to_client(&client, proof, &ask).await,
        }
    }

    async fn redeem_code(
        &self,
        client: Arc<Client>,
        proof: Proof,
        ask: Redemption,
    ) -> Result<Tokens, OAuthFailure> {
        let invalid = || OAuthError::invalid_grant("Authorization code is invalid");
        let parsed = KeySecret::parse(ask.code.expose_secret()).ok();
        let hash = parsed.filter(|parsed| parsed.realm == KeyRealm::Code).ok_or_else(invalid)?.hash.0;
        let at = self.clock.now();
        // Read before anything is decided: a later narrowing is newer than the token.
        let rev = self.authority.rev();
        let found = self.store.read().await?.find_authorization_code(&hash).await?.ok_or_else(invalid)?;
        let whom = &found.authorization;
        if !self.may_still_enter(whom.user, whom.app, whom.company).await? {
            return Err(invalid().into());
        }
        let policy = &self.oauth.policy;
        let refresh = self.oauth.refresh_tokens.issue(found.grant, 1, &*self.entropy);
        let grant = Grant {
            id: found.grant,
            authorization: whom.clone(),
            client_authenticated: proof.authenticated,
            number: 1,
            token_hash: refresh.hash().0,
            previous_hash: None,
            successor: None,
            rotated_at: None,
            created_at: at,
            idle_expires_at: (at + policy.refresh_idle).min(at + policy.refresh_longest),
            expires_at: at + policy.refresh_longest,
            revoked_at: None,
        };
        let facts = GrantFacts::from(&grant);
        let redeeming = Redeeming { hash, ask, client, grant, at };
        let redeemed = self.store.write(redeeming, |redeeming, tx| Box::pin(redeem(redeeming, tx))).await?;
        let code = match redeemed {
            Redeemed::Now(code) => code,
            Redeemed::Refused(error) => return Err(error.into()),
            Redeemed::Replayed(n) => {
                self.settle(n).await?;
                metrics::counter!("hallpass_oauth_code_replays_total").increment(1);
                tracing::warn!(grant.id = %found.grant, "a code was redeemed twice; what it gave is revoked");
                return Err(invalid().into());
            }
        };
        self.remember_grant(code.grant, facts, rev);
        let whom = &code.authorization;
        let profile = self.profile_claims(whom.user, whom.company, &whom.scopes).await?;
        let claims = self.access_claims(whom, code.grant, whom.scopes, rev, at);
        self.sign(&claims, Some(refresh), |this, hash| {
            this.id_claims(whom, code.nonce.clone(), hash, profile, at)
        })
        .await
    }

    async fn refresh(
        &self,
        client: Arc<Client>,
        proof: Proof,
        ask: Refreshing,
    ) -> Result<Tokens, OAuthFailure> {
        let invalid = || OAuthError::invalid_grant("the refresh token is invalid");
        let presented = self.oauth.refresh_tokens.parse(ask.token.expose_secret()).map_err(|_| invalid())?;
        let rev = self.authority.rev();
        let facts = self.grant_facts(presented.grant, rev).await?.ok_or_else(invalid)?;
        let whom = &facts.authorization;
        refresh_token::belongs(whom, facts.client_authenticated, &client, proof, ask.company)?;
        if !self.may_still_enter(whom.user, whom.app, whom.company).await? {
            return Err(OAuthError::invalid_grant("the user may not use this app there any more").into());
        }
        let scope = scope::narrow(&whom.scopes, ask.scope.as_deref())?;
        let (at, policy) = (self.clock.now(), &self.oauth.policy);
        let number = presented.number.checked_add(1).ok_or_else(invalid)?;
        let successor = self.oauth.refresh_tokens.issue(presented.grant, number, &*self.entropy);
        let has_grace = !policy.refresh_grace.is_zero();
        let rotation = Rotation {
            grant: presented.grant,
            number: presented.number,
            presented: presented.hash.0,
            next: successor.hash().0,
            successor: has_grace.then(|| successor.seal_for(ask.token.expose_secret(), &*self.entropy)),
            at,
            idle_expires_at: at + policy.refresh_idle,
        };
        let renewing = Renewing {
            rotation,
            presented,
            client,
            proof,
            company: ask.company,
            grace: policy.refresh_grace,
        };
        let renewed = if self.oauth.rotations.rotate(&self.store, renewing.rotation.clone()).await? {
            Renewed::Now
        } else {
            // Not in force: a moment ago, long ago, or never.
            self.store.write(renewing, |renewing, tx| Box::pin(look_again(renewing, tx))).await?
        };
        let refresh = match renewed {
            Renewed::Now => successor,
            Renewed::Again(sealed) => {
                RefreshToken::open_with(ask.token.expose_secret(), &sealed).map_err(|_| invalid())?
            }
            Renewed::Refused(error) => return Err(error.into()),
            Renewed::Reused(n) => {
                self.settle(n).await?;
                metrics::counter!("hallpass_oauth_refresh_reuses_total").increment(1);
                let grant = presented.grant;
                tracing::warn!(grant.id = %grant, app.id = %whom.app, "a refresh token was reused; its grant is revoked");
                return Err(OAuthError::invalid_grant("the refresh token was used before").into());
            }
        };
        let claims = self.access_claims(whom, presented.grant, scope, rev, at);
        self.sign(&claims, Some(refresh), |this, hash| {
            this.id_claims(whom, None, hash, ProfileClaims::default(), at)
        })
        .await
    }

    /// What of a grant never changes, by cache; none for one that does not live.
    async fn grant_facts(&self, id: GrantId, rev: u64) -> Result<Option<Arc<GrantFacts>>, AppError> {
        if let Some(facts) = self.grants.get(&id) {
            return Ok(Some(facts));
        }
        let found = self.store.read().await?.find_grant(id).await?;
        Ok(found.map(|grant| self.remember_grant(id, GrantFacts::from(&grant), rev)))
    }

    fn remember_grant(&self, id: GrantId, facts: GrantFacts, rev: u64) -> Arc<GrantFacts> {
        let facts = Arc::new(facts);
        self.grants.put(id, Arc::clone(&facts), rev, [&Change::Grant(id.to_string()); 3]);
        facts
    }

    async fn give_to_client(
        &self,
        client: &Client,
        proof: Proof,
        ask: &client_credentials::Ask,
    ) -> Result<Tokens, OAuthFailure> {
        let rev = self.authority.rev();
        let unknown = || OAuthError::invalid_client("client_id is unknown");
        let company = client.company.ok_or_else(unknown)?;
        let record = self.company(company).await?.ok_or_else(unknown)?;
        let held = match self.key_of_app(client.id).await? {
            Some(key) => rights_throughout(&key, &record),
            None => ScopeSet::EMPTY,
        };
        let scope = ask.judge(proof, &held)?;
        let now = self.clock.now();
        let claims = AccessClaims {
            iss: Arc::clone(&self.issuer),
            aud: Arc::clone(&self.issuer),
            kind: TokenKind::OAuth,
            sub: Subject::App(client.id),
            company_id: Some(company),
            client_id: ClientId::App(client.id),
            scope,
            rev,
            jti: TokenId::generate(now, &*self.entropy),
            iat: now.as_second(),
            exp: (now + ACCESS_LIFE).as_second(),
            sid: None,
            grant: None,
        };
        let access_token = self.keyring.ring().await?.signer.sign_access(&claims);
        Ok(Tokens {
            access_token,
            expires_in: ACCESS_LIFE.as_secs(),
            scope,
            // RFC 6749 §4.4.3.
            refresh_token: None,
            id_token: None,
        })
    }

    async fn sign(
        &self,
        claims: &AccessClaims,
        refresh_token: Option<RefreshToken>,
        id: impl FnOnce(&Self, String) -> hallpass_token::IdClaims,
    ) -> Result<Tokens, OAuthFailure> {
        let ring = self.keyring.ring().await?;
        let access_token = ring.signer.sign_access(claims);
        let id_token =
            claims.scope.contains(OPENID).then(|| ring.signer.sign_id(&id(self, at_hash(&access_token))));
        let expires_in = claims.exp - claims.iat;
        Ok(Tokens { access_token, expires_in, scope: claims.scope, refresh_token, id_token })
    }
}

async fn redeem(redeeming: &Redeeming, tx: &mut Tx) -> Result<Redeemed, AppError> {
    let Redeeming { hash, ask, client, grant, at } = redeeming;
    let invalid = || Redeemed::Refused(OAuthError::invalid_grant("Authorization code is invalid"));
    let Some(code) = tx.find_authorization_code(hash).await? else { return Ok(invalid()) };
    let is_open = tx.lock_open_session(code.authorization.session).await?;
    let verdict = match authorization_code::judge(&code, ask, client, is_open, *at) {
        // Somebody was faster: the store alone says who was first.
        Ok(()) if !tx.consume_authorization_code(hash, *at).await? => Err(Refused::Replayed),
        verdict => verdict,
    };
    match verdict {
        Ok(()) => {
            tx.insert_grant(grant).await?;
            Ok(Redeemed::Now(Box::new(code)))
        }
        Err(Refused::Kept(error)) => Ok(Redeemed::Refused(error)),
        Err(Refused::Replayed) => {
            tx.revoke_grant(code.grant, RevokedFor::CodeReplay, *at).await?;
            Ok(Redeemed::Replayed(App::note_grant(tx, code.grant, *at).await?))
        }
    }
}

/// Judges a token that was not rotated, and revokes the grant of one that was used before.
async fn look_again(renewing: &Renewing, tx: &mut Tx) -> Result<Renewed, AppError> {
    let Renewing { rotation, presented, client, proof, company, grace } = renewing;
    let refused = |why| Renewed::Refused(OAuthError::invalid_grant(why));
    let Some(grant) = tx.find_grant(rotation.grant).await? else {
        return Ok(refused("the refresh token is invalid"));
    };
    match refresh_token::judge(&grant, presented, client, *proof, *company, *grace, rotation.at) {
        Judgement::Repeat => match grant.successor {
            Some(sealed) => Ok(Renewed::Again(sealed)),
            None => Ok(refused("the refresh token is invalid")),
        },
        Judgement::Refused(error) => Ok(Renewed::Refused(error)),
        // Not in force when it was to be rotated, and now it is: a commit of unknown outcome came in between.
        Judgement::Rotate if tx.rotate_refresh_token(rotation).await? => Ok(Renewed::Now),
        Judgement::Rotate => Ok(refused("the refresh token is invalid")),
        Judgement::Reused => {
            tx.revoke_grant(grant.id, RevokedFor::TokenReuse, rotation.at).await?;
            Ok(Renewed::Reused(App::note_grant(tx, grant.id, rotation.at).await?))
        }
    }
}
