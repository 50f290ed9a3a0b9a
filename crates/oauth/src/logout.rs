//! Signing out at a client's request (OpenID Connect RP-Initiated Logout 1.0).

use crate::client::Client;
use crate::error::OAuthError;
use crate::params::Params;
use crate::redirect::with_answer;

/// A request to sign out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogoutRequest {
    /// An id token of the session to end.
    pub id_token_hint: Option<String>,
    /// Who asks.
    pub client_id: Option<String>,
    /// Where to go afterwards.
    pub post_logout_redirect_uri: Option<String>,
    /// To be repeated there.
    pub state: Option<String>,
}

impl LogoutRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// `invalid_request` for a parameter that came twice.
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        params.must_be_unique()?;
        let text = |name| params.get(name).map(|value| value.map(str::to_owned));
        Ok(Self {
            id_token_hint: text("id_token_hint")?,
            client_id: text("client_id")?,
            post_logout_redirect_uri: text("post_logout_redirect_uri")?,
            state: text("state")?,
        })
    }

    /// Where to go afterwards: the app's own page or a redirect URI of it, byte for byte (§3.1).
    ///
    /// # Errors
    /// `invalid_request` for any other address.
    pub fn destination(&self, client: Option<&Client>) -> Result<Option<String>, OAuthError> {
        let Some(uri) = &self.post_logout_redirect_uri else { return Ok(None) };
        let known = client.is_some_and(|client| {
            client.redirect_uris.contains(uri) || client.base_url.as_ref() == Some(uri)
        });
        if !known {
            return Err(OAuthError::invalid_request(
                "post_logout_redirect_uri is not one that this app registered",
            ));
        }
        Ok(Some(with_answer(uri, self.state.as_deref().map(|state| ("state", state)))))
    }
}
