//! What tokens say.

use std::sync::Arc;

use hallpass_core::ScopeSet;
use hallpass_core::catalogue::scopes::{EMAIL, PROFILE};
use hallpass_core::id::{CompanyId, GrantId, TokenId, UserId};
use hallpass_core::oauth::Authorization;
use hallpass_core::session::Amr;
use hallpass_token::{AccessClaims, ClientId, IdClaims, ProfileClaims, Subject, TokenKind};
use jiff::Timestamp;

use super::ACCESS_LIFE;
use crate::App;
use crate::error::AppError;

/// How sure a sign-in was (OpenID Connect Core §2, `acr`): `phr`, resistant to phishing, for a passkey whose
/// device made sure of its user; `1` for any other.
pub(crate) fn acr(amr: &[Amr]) -> &'static str {
    if amr.contains(&Amr::Pop) && amr.contains(&Amr::User) { "phr" } else { "1" }
}

impl App {
    /// The claims of an access token of a grant.
    pub(crate) fn access_claims(
        &self,
        whom: &Authorization,
        grant: GrantId,
        scope: ScopeSet,
        rev: u64,
        now: Timestamp,
    ) -> AccessClaims {
        AccessClaims {
            iss: Arc::clone(&self.issuer),
            aud: Arc::clone(&self.issuer),
            kind: TokenKind::OAuth,
            sub: Subject::User(whom.user),
            company_id: whom.company,
            client_id: ClientId::App(whom.app),
            scope,
            rev,
            jti: TokenId::generate(now, &*self.entropy),
            iat: now.as_second(),
            exp: (now + ACCESS_LIFE).as_second(),
            sid: Some(whom.session.to_string()),
            grant: Some(grant.to_string()),
        }
    }

    /// The claims of an id token (OpenID Connect Core §2).
    pub(crate) fn id_claims(
        &self,
        whom: &Authorization,
        nonce: Option<String>,
        at_hash: String,
        profile: ProfileClaims,
        now: Timestamp,
    ) -> IdClaims {
        IdClaims {
            iss: self.issuer.to_string(),
            sub: whom.user,
            aud: whom.app,
            exp: (now + ACCESS_LIFE).as_second(),
            iat: now.as_second(),
            auth_time: whom.auth_time.as_second(),
            nonce,
            acr: acr(&whom.amr).to_owned(),
            amr: whom.amr.iter().map(|amr| amr.name().to_owned()).collect(),
            at_hash: Some(at_hash),
            sid: whom.session,
            profile,
        }
    }

    /// What is told of a user, as far as the scopes go (OpenID Connect Core §5.4), as the company of the
    /// token shows them.
    pub(crate) async fn profile_claims(
        &self,
        user: UserId,
        company: Option<CompanyId>,
        scope: &ScopeSet,
    ) -> Result<ProfileClaims, AppError> {
        let mut claims = ProfileClaims::default();
        let Some(found) = self.user(user).await? else { return Ok(claims) };
        if scope.contains(PROFILE) {
            let (name, picture) = match company {
                Some(company) => {
                    let shown = self.shown(company, user).await?;
                    (shown.name.clone(), shown.picture.clone())
                }
                None => (found.name.clone(), found.picture.map(|id| self.picture_url(id))),
            };
            claims.name = name;
            claims.picture = picture;
            claims.preferred_username = Some(found.username.clone());
        }
        if scope.contains(EMAIL) {
            // Whose company supplied an address is known there by that one, proved or not.
            let proved = match found.person {
                Some(person) => self.store.read().await?.find_proved_address(person).await?,
                None => None,
            };
            let supplied = found.email.clone();
            claims.email_verified = match (&supplied, &proved) {
                (None, None) => None,
                (Some(supplied), _) => match found.person {
                    Some(person) => Some(self.store.read().await?.is_address_proved(person, supplied).await?),
                    None => Some(false),
                },
                (None, Some(_)) => Some(true),
            };
            claims.email = supplied.or(proved);
        }
        Ok(claims)
    }
}
