//! Refreshing (RFC 6749 §6, RFC 9700 §4.14.2).
//!
//! Each use gives a successor. The answer to a use may be lost, and two tabs may use the same token at once,
//! so for a short grace the same token gets the same successor again. Using the successor ends the grace: by
//! then the answer had arrived. After that, the old token is in two hands, and everything it gave is revoked.

use std::fmt;

use hallpass_core::id::CompanyId;
use hallpass_core::oauth::{Authorization, Grant};
use hallpass_token::PresentedRefresh;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::client::{Client, Proof};
use crate::error::OAuthError;
use crate::params::Params;

/// What a client refreshes with.
pub struct Refreshing {
    /// The token.
    pub token: SecretString,
    /// What it wants now, of what was granted.
    pub scope: Option<String>,
    /// The company of the authorization request, once more, if that named one.
    pub company: Option<CompanyId>,
}

impl Refreshing {
    pub(super) fn parse(params: &Params) -> Result<Self, OAuthError> {
        // One that cannot be an id is not the one of the grant.
        let malformed = |_| OAuthError::invalid_grant("company_id is not the one of the authorization");
        Ok(Self {
            token: params.require("refresh_token")?.to_owned().into(),
            scope: params.get("scope")?.map(str::to_owned),
            company: params.get("company_id")?.map(str::parse).transpose().map_err(malformed)?,
        })
    }
}

impl fmt::Debug for Refreshing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refreshing(…)")
    }
}

/// What is done with a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is in force: it gets a successor.
    Rotate,
    /// It was used a moment ago, and its successor was not: the same successor again.
    Repeat,
    /// It was used before: everything of its grant is revoked.
    Reused,
    /// No.
    Refused(OAuthError),
}

/// Whether a client may refresh a grant at all: by what never changes of it.
///
/// # Errors
/// `invalid_grant` for another client's, or another company; `invalid_client` without the secret that was
/// shown for the code.
pub fn belongs(
    whom: &Authorization,
    client_authenticated: bool,
    client: &Client,
    proof: Proof,
    company: Option<CompanyId>,
) -> Result<(), OAuthError> {
    if whom.app != client.id {
        return Err(OAuthError::invalid_grant("the refresh token is invalid"));
    }
    // Whoever showed a secret for the code does not come without it later (OAuth 2.1 §4.3.1).
    if client_authenticated && !proof.authenticated {
        return Err(OAuthError::invalid_client("client_secret is required"));
    }
    if whom.company != company {
        return Err(OAuthError::invalid_grant("company_id is not the one of the authorization"));
    }
    Ok(())
}

/// Judges a genuine token against its grant at `now`. Whoever may not have it learns nothing and changes
/// nothing.
pub fn judge(
    grant: &Grant,
    presented: &PresentedRefresh,
    client: &Client,
    proof: Proof,
    company: Option<CompanyId>,
    grace: SignedDuration,
    now: Timestamp,
) -> Judgement {
    let refused = |why| Judgement::Refused(OAuthError::invalid_grant(why));
    let belongs = belongs(&grant.authorization, grant.client_authenticated, client, proof, company);
    if let Err(error) = belongs {
        return Judgement::Refused(error);
    }
    if grant.revoked_at.is_some() {
        return refused("the refresh token was revoked");
    }
    if now >= grant.idle_expires_at || now >= grant.expires_at {
        return refused("the refresh token has expired");
    }
    if presented.number == grant.number {
        return if presented.hash.0 == grant.token_hash {
            Judgement::Rotate
        } else {
            refused("the refresh token is invalid")
        };
    }
    if presented.number > grant.number {
        // Of a future that a restored backup does not know.
        return refused("the refresh token is invalid");
    }
    let is_previous = presented.number + 1 == grant.number && grant.previous_hash == Some(presented.hash.0);
    let in_grace = grant.rotated_at.is_some_and(|at| now < at + grace) && grant.successor.is_some();
    if is_previous && in_grace { Judgement::Repeat } else { Judgement::Reused }
}

#[cfg(test)]
mod tests {
    use hallpass_core::ScopeSet;
    use hallpass_core::id::{AppId, GrantId, SessionId, UserId};
    use hallpass_token::SecretHash;
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    /// The third token is in force since second 1000.
    fn grant() -> Grant {
        Grant {
            id: GrantId::from_bits(1),
            authorization: Authorization {
                app: AppId::from_bits(1),
                user: UserId::from_bits(1),
                company: Some(CompanyId::from_bits(7)),
                session: SessionId::from_bits(1),
                scopes: ScopeSet::EMPTY,
                auth_time: at(0),
                amr: Vec::new(),
            },
            client_authenticated: true,
            number: 3,
            token_hash: [3; 32],
            previous_hash: Some([2; 32]),
            successor: Some(vec![1]),
            rotated_at: Some(at(1000)),
            created_at: at(0),
            idle_expires_at: at(2000),
            expires_at: at(3000),
            revoked_at: None,
        }
    }

    fn token(number: u32, hash: u8) -> PresentedRefresh {
        PresentedRefresh { grant: GrantId::from_bits(1), number, hash: SecretHash([hash; 32]) }
    }

    fn client(id: u128) -> Client {
        Client {
            id: AppId::from_bits(id),
            company: Some(CompanyId::from_bits(1)),
            name: String::new(),
            client_type: None,
            secret_hash: None,
            redirect_uris: Vec::new(),
            base_url: None,
        }
    }

    const PROVED: Proof = Proof { authenticated: true };
    const COMPANY: Option<CompanyId> = Some(CompanyId::from_bits(7));
    const GRACE: SignedDuration = SignedDuration::from_secs(30);

    fn judged(grant: &Grant, presented: PresentedRefresh, secs: i64) -> Judgement {
        judge(grant, &presented, &client(1), PROVED, COMPANY, GRACE, at(secs))
    }

    #[test]
    fn a_token_rotates_repeats_in_its_grace_and_is_reused_after() {
        assert_eq!(judged(&grant(), token(3, 3), 1001), Judgement::Rotate);
        assert_eq!(judged(&grant(), token(2, 2), 1029), Judgement::Repeat);
        assert_eq!(judged(&grant(), token(2, 2), 1030), Judgement::Reused);
        assert_eq!(judged(&grant(), token(1, 1), 1001), Judgement::Reused);
        // The successor was used, and that ended the grace.
        let used = Grant { number: 4, previous_hash: Some([3; 32]), ..grant() };
        assert_eq!(judged(&used, token(2, 2), 1001), Judgement::Reused);
        let none = Grant { successor: None, ..grant() };
        assert_eq!(judged(&none, token(2, 2), 1001), Judgement::Reused);
        let no_grace =
            judge(&grant(), &token(2, 2), &client(1), PROVED, COMPANY, SignedDuration::ZERO, at(1000));
        assert_eq!(no_grace, Judgement::Reused);
    }

    #[test]
    fn whoever_may_not_have_it_changes_nothing() {
        let grant = grant();
        let refused = |judgement| matches!(judgement, Judgement::Refused(_));
        for presented in [token(1, 1), token(2, 2), token(3, 3), token(4, 4)] {
            let judge_as = |client_id, proof, company| {
                judge(&grant, &presented, &client(client_id), proof, company, GRACE, at(1001))
            };
            assert!(refused(judge_as(2, PROVED, COMPANY)), "another client");
            assert!(refused(judge_as(1, Proof { authenticated: false }, COMPANY)), "without its secret");
            assert!(refused(judge_as(1, PROVED, None)), "without the company");
            assert!(refused(judge_as(1, PROVED, Some(CompanyId::from_bits(8)))), "another company");
            assert!(refused(judged(&grant, presented, 2000)), "idle for too long");
            assert!(refused(judged(&Grant { revoked_at: Some(at(1)), ..grant.clone() }, presented, 1001)));
        }
        assert!(refused(judged(&grant, token(3, 9), 1001)), "a number of ours, another text");
        assert!(refused(judged(&grant, token(4, 4), 1001)), "from a future that was rolled back");
    }

    proptest! {
        #[test]
        fn only_the_token_in_force_rotates(number in 1_u32..6, hash in 1_u8..6, secs in 990_i64..3100) {
            let judgement = judged(&grant(), token(number, hash), secs);
            prop_assert_eq!(judgement == Judgement::Rotate, number == 3 && hash == 3 && secs < 2000);
            let repeats = number == 2 && hash == 2 && secs < 1030;
            prop_assert_eq!(judgement == Judgement::Repeat, repeats);
        }
    }
}
