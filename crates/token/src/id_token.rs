//! Id tokens (OpenID Connect Core §2): what a client learns of a sign-in. `typ: JWT`, so that none is
//! ever taken for an access token, nor the other way round.
//!
//! We read our own again where a client hints with one (`id_token_hint`): signature, issuer and type are
//! checked, the time is not (RP-Initiated Logout §2).

use serde::{Deserialize, Serialize};

use hallpass_core::id::{AppId, SessionId, UserId};

use crate::jwt::{TokenError, Verifier};

/// The claims of an id token. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of OpenID Connect Core §2 and §5.1")]
pub struct IdClaims {
    pub iss: String,
    pub sub: UserId,
    /// The client, alone.
    pub aud: AppId,
    pub exp: i64,
    pub iat: i64,
    pub auth_time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub acr: String,
    pub amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    pub sid: SessionId,
    #[serde(flatten)]
    pub profile: ProfileClaims,
}

/// What is told of a user (OpenID Connect Core §5.1), as far as the scopes go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub struct ProfileClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

/// `at_hash` of an access token: the left half of its SHA-256 (OpenID Connect Core §3.1.3.6).
pub fn at_hash(access_token: &str) -> String {
    let hash = crate::secret::sha256(access_token.as_bytes());
    crate::base64url::encode(&hash[..16])
}

impl Verifier {
    /// Reads an id token of ours that somebody hints with, expired or not.
    ///
    /// # Errors
    /// As [`verify_access`](Self::verify_access), but for the times.
    pub fn verify_id_hint(&self, token: &str) -> Result<IdClaims, TokenError> {
        let payload = self.verified_payload(token, crate::jwt::ID_TYP)?;
        let claims: IdClaims = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
        if claims.iss != *self.issuer() {
            return Err(TokenError::WrongIssuer);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{Signer, SigningKey};

    fn claims() -> IdClaims {
        IdClaims {
            iss: "https://chat.test".into(),
            sub: UserId::from_bits(1),
            aud: AppId::from_bits(2),
            exp: 4600,
            iat: 1000,
            auth_time: 900,
            nonce: Some("n".into()),
            acr: "1".into(),
            amr: vec!["pwd".into()],
            at_hash: Some(at_hash("x")),
            sid: SessionId::from_bits(3),
            profile: ProfileClaims { name: Some("Ann".into()), ..ProfileClaims::default() },
        }
    }

    fn both(seed: u8) -> (Signer, Verifier) {
        let signer = Signer::new(SigningKey::from_seed(&[seed; 32]));
        let key = signer.key().verifying_key();
        (signer, Verifier::new("https://chat.test", "https://chat.test", [key]))
    }

    #[test]
    fn an_id_token_reads_back_and_is_no_access_token() {
        let (signer, verifier) = both(1);
        let token = signer.sign_id(&claims());
        assert_eq!(verifier.verify_id_hint(&token), Ok(claims()));
        assert_eq!(
            verifier.verify_access(&token, Timestamp::from_second(1001).unwrap()),
            Err(TokenError::WrongType)
        );
        let (_, other) = both(2);
        assert_eq!(other.verify_id_hint(&token), Err(TokenError::UnknownKey));
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] ^= 1;
            let altered = String::from_utf8_lossy(&altered).into_owned();
            assert!(verifier.verify_id_hint(&altered).is_err(), "{at}");
        }
    }

    #[test]
    fn the_example_of_the_standard_has_its_hash() {
        // OpenID Connect Core, appendix A.3.
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
