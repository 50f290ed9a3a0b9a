//! Proof Key for Code Exchange (RFC 7636), S256 alone.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::error::OAuthError;
use crate::params::Params;

/// Whose codes need a challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PkcePolicy {
    /// Everybody's (OAuth 2.1 §4.1.1).
    #[default]
    Always,
    /// Public clients' only: for old confidential clients and conformance tools.
    PublicClients,
}

/// An S256 challenge: 43 characters of base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// The challenge of an authorization request (RFC 7636 §4.3).
    ///
    /// # Errors
    /// `invalid_request` if one is needed and absent, or is no S256 challenge. One that came is never
    /// dropped, so nobody strips half of it (RFC 9700 §4.8.2).
    pub fn read(params: &Params, needed: bool) -> Result<Option<Self>, OAuthError> {
        let challenge = params.get("code_challenge")?;
        let method = params.get("code_challenge_method")?;
        match (challenge, method) {
            (None, None) if !needed => Ok(None),
            (None, _) => Err(OAuthError::invalid_request("code_challenge is required")),
            (Some(text), Some("S256")) => Self::parse(text).map(Some),
            (Some(_), Some(_)) => Err(OAuthError::invalid_request("code_challenge_method must be S256")),
            (Some(_), None) => {
                Err(OAuthError::invalid_request("code_challenge_method is required, and must be S256"))
            }
        }
    }

    fn parse(text: &str) -> Result<Self, OAuthError> {
        let well_formed = text.len() == 43
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(OAuthError::invalid_request("code_challenge is not the base64url of a SHA-256"))
        }
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(…)")
    }
}

/// Whether a verifier is the one of a challenge (RFC 7636 §4.6). Both absent agree; one alone does not, so a
/// challenge that was stripped on the way is noticed (RFC 9700 §4.8.2).
pub fn agree(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            is_verifier(verifier)
                && hallpass_token::s256(verifier).as_bytes().ct_eq(challenge.as_bytes()).into()
        }
        _ => false,
    }
}

/// 43 to 128 unreserved characters (RFC 7636 §4.1).
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(query: &str, needed: bool) -> Result<Option<Challenge>, OAuthError> {
        Challenge::read(&Params::from_query(query).unwrap(), needed)
    }

    #[test]
    fn the_example_of_the_rfc_agrees() {
        assert!(agree(Some(CHALLENGE), Some(VERIFIER)));
        assert!(agree(None, None));
    }

    #[test]
    fn threat_06_a_missing_empty_or_other_verifier_does_not_agree() {
        let long = "a".repeat(129);
        for verifier in
            [None, Some(""), Some(CHALLENGE), Some(&VERIFIER[1..]), Some(long.as_str()), Some("é")]
        {
            assert!(!agree(Some(CHALLENGE), verifier), "{verifier:?}");
        }
        assert!(!agree(None, Some(VERIFIER)), "the challenge was stripped on the way");
        // As if the method had been plain.
        assert!(!agree(Some(VERIFIER), Some(VERIFIER)));
    }

    #[test]
    fn threat_06_a_challenge_is_never_half_taken() {
        let good = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
        assert_eq!(read(&good, true).unwrap().unwrap().as_str(), CHALLENGE);
        assert_eq!(read(&good, false).unwrap().unwrap().as_str(), CHALLENGE);
        assert_eq!(read("", false), Ok(None));
        for bad in [
            String::new(),
            "code_challenge=&code_challenge_method=S256".to_owned(),
            format!("code_challenge={CHALLENGE}"),
            format!("code_challenge={CHALLENGE}&code_challenge_method=plain"),
            format!("code_challenge={CHALLENGE}&code_challenge_method=s256"),
            format!("code_challenge={CHALLENGE}=&code_challenge_method=S256"),
            format!("code_challenge={}&code_challenge_method=S256", &CHALLENGE[1..]),
            format!("{good}&code_challenge={CHALLENGE}"),
            format!("{good}&code_challenge_method=S256"),
        ] {
            assert!(read(&bad, true).is_err(), "{bad}");
            assert!(bad.is_empty() || read(&bad, false).is_err(), "{bad}");
        }
        assert!(read("code_challenge_method=S256", false).is_err());
    }

    proptest! {
        #[test]
        fn every_verifier_agrees_with_its_own_challenge_alone(
            a in "[A-Za-z0-9._~-]{43,128}",
            b in "[A-Za-z0-9._~-]{43,128}",
        ) {
            let challenge = hallpass_token::s256(&a);
            prop_assert!(agree(Some(&challenge), Some(&a)));
            prop_assert_eq!(agree(Some(&challenge), Some(&b)), a == b);
        }
    }
}
