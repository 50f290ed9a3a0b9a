//! Client credentials (RFC 6749 §4.4): a confidential app speaks for itself.

use hallpass_core::ScopeSet;
use hallpass_core::role::INHERITABLE;

use crate::client::Proof;
use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;

/// What an app asks for itself.
#[derive(Debug)]
pub struct Ask {
    scope: Option<String>,
}

impl Ask {
    pub(super) fn parse(params: &Params) -> Result<Self, OAuthError> {
        Ok(Self { scope: params.get("scope")?.map(str::to_owned) })
    }

    /// What it gets: what it asks for of what its key may do; without asking, what chat needs of it.
    /// Management is only ever named, as with minting.
    ///
    /// # Errors
    /// `unauthorized_client` without a secret, or without anything it may do; `invalid_scope` beyond that.
    pub fn judge(&self, proof: Proof, held: &ScopeSet) -> Result<ScopeSet, OAuthError> {
        let unauthorized = |why| OAuthError::new(ErrorCode::UnauthorizedClient, why);
        if !proof.authenticated {
            return Err(unauthorized("client_credentials needs the client's secret"));
        }
        if held.is_empty() {
            return Err(unauthorized("the app has no API key that is live, so it may do nothing by itself"));
        }
        let invalid = |why: String| OAuthError::new(ErrorCode::InvalidScope, why);
        let Some(text) = &self.scope else {
            let inherited = held.and(&INHERITABLE);
            let must_name = || invalid("name what the app needs in scope".to_owned());
            return if inherited.is_empty() { Err(must_name()) } else { Ok(inherited) };
        };
        let asked = ScopeSet::parse(text).map_err(|unknown| invalid(unknown.to_string()))?;
        if asked.is_empty() {
            return Err(invalid("scope is empty".to_owned()));
        }
        held.narrow(&asked)
            .map_err(|_| invalid("the scope is wider than what the app's key may do".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_gets_what_its_key_may_do_and_never_more() {
        let held = ScopeSet::parse("chat:message:create chat:read").unwrap();
        let ask = |scope: Option<&str>, authenticated| {
            Ask { scope: scope.map(str::to_owned) }.judge(Proof { authenticated }, &held)
        };
        assert_eq!(ask(None, true), Ok(held));
        assert_eq!(ask(Some("chat:read"), true), Ok(ScopeSet::parse("chat:read").unwrap()));
        for (scope, authenticated, code) in [
            (None, false, ErrorCode::UnauthorizedClient),
            (Some("dms:read"), true, ErrorCode::InvalidScope),
            (Some("everything"), true, ErrorCode::InvalidScope),
        ] {
            assert_eq!(ask(scope, authenticated).unwrap_err().code, code);
        }
        let managing = ScopeSet::parse("developer:manage_webhook").unwrap();
        let unnamed = Ask { scope: None }.judge(Proof { authenticated: true }, &managing);
        assert_eq!(unnamed.unwrap_err().code, ErrorCode::InvalidScope);
        let nothing = Ask { scope: None }.judge(Proof { authenticated: true }, &ScopeSet::EMPTY);
        assert_eq!(nothing.unwrap_err().code, ErrorCode::UnauthorizedClient);
    }
}
