//! Redeeming an authorization code (RFC 6749 §4.1.3, OAuth 2.1 §4.1.3).

use hallpass_core::oauth::AuthorizationCode;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::client::Client;
use crate::error::OAuthError;
use crate::params::Params;
use crate::pkce;

/// What a client redeems a code with.
#[derive(Debug)]
pub struct Redemption {
    /// The code.
    pub code: SecretString,
    /// Where it was sent, once more.
    pub redirect_uri: String,
    verifier: Option<SecretString>,
}

impl Redemption {
    pub(super) fn parse(params: &Params) -> Result<Self, OAuthError> {
        Ok(Self {
            code: params.require("code")?.to_owned().into(),
            redirect_uri: params.require("redirect_uri")?.to_owned(),
            verifier: params.get("code_verifier")?.map(|text| text.to_owned().into()),
        })
    }
}

/// Why a code was not redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is left as it is: whoever holds the right verifier may still redeem it.
    Kept(OAuthError),
    /// It was redeemed before, by this client: what it gave is revoked (RFC 6749 §4.1.2).
    Replayed,
}

/// Whether `client` may redeem `code` at `now`. Every one of these must be true, and what is not has the
/// same answer: client, redirect URI, verifier, time, first use, and a session that nobody ended.
///
/// # Errors
/// [`Refused`].
pub fn judge(
    code: &AuthorizationCode,
    ask: &Redemption,
    client: &Client,
    session_is_open: bool,
    now: Timestamp,
) -> Result<(), Refused> {
    use secrecy::ExposeSecret;
    let invalid = || Refused::Kept(OAuthError::invalid_grant("Authorization code is invalid"));
    if code.authorization.app != client.id {
        return Err(invalid());
    }
    if code.consumed_at.is_some() {
        return Err(Refused::Replayed);
    }
    if now >= code.expires_at {
        return Err(Refused::Kept(OAuthError::invalid_grant("Authorization code has expired")));
    }
    if code.redirect_uri != ask.redirect_uri {
        return Err(invalid());
    }
    let verifier = ask.verifier.as_ref().map(ExposeSecret::expose_secret);
    if !pkce::agree(code.code_challenge.as_deref(), verifier) {
        return Err(invalid());
    }
    if session_is_open { Ok(()) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use hallpass_core::ScopeSet;
    use hallpass_core::id::{AppId, CompanyId, GrantId, SessionId, UserId};
    use hallpass_core::oauth::Authorization;

    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn code() -> AuthorizationCode {
        AuthorizationCode {
            grant: GrantId::from_bits(1),
            authorization: Authorization {
                app: AppId::from_bits(1),
                user: UserId::from_bits(1),
                company: None,
                session: SessionId::from_bits(1),
                scopes: ScopeSet::EMPTY,
                auth_time: at(900),
                amr: Vec::new(),
            },
            redirect_uri: "https://app.test/cb".into(),
            code_challenge: Some(CHALLENGE.into()),
            nonce: None,
            created_at: at(1000),
            expires_at: at(1060),
            consumed_at: None,
        }
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

    /// Threats 7 and 28: client, redirect URI, verifier, expiry, use, session. Sixty-four rows, one passes.
    #[test]
    fn threat_07_only_all_true_redeems_a_code() {
        let mut passed = 0;
        for row in 0..64_u32 {
            let [client_ok, redirect_ok, verifier_ok, in_time, unused, open] =
                std::array::from_fn(|bit| row & (1 << bit) == 0);
            let ask = Redemption {
                code: "x".to_owned().into(),
                redirect_uri: if redirect_ok { "https://app.test/cb" } else { "https://app.test/cb2" }.into(),
                verifier: Some(if verifier_ok { VERIFIER } else { CHALLENGE }.to_owned().into()),
            };
            let code = AuthorizationCode { consumed_at: (!unused).then(|| at(1001)), ..code() };
            let client = client(if client_ok { 1 } else { 2 });
            let now = if in_time { at(1059) } else { at(1060) };
            let verdict = judge(&code, &ask, &client, open, now);
            let all = client_ok && redirect_ok && verifier_ok && in_time && unused && open;
            assert_eq!(verdict.is_ok(), all, "{row:06b}");
            // A stranger's second use must not revoke what the client has.
            assert_eq!(verdict == Err(Refused::Replayed), client_ok && !unused, "{row:06b}");
            passed += u32::from(verdict.is_ok());
        }
        assert_eq!(passed, 1);
    }
}
