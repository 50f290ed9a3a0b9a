//! What the token endpoint gives tokens for, a file each (RFC 6749 §4.1.3, §4.4.2, §6). Another grant, such
//! as the device flow or token exchange, is one more file and one more line here.

pub mod authorization_code;
pub mod client_credentials;
pub mod refresh_token;

use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;

/// A request at the token endpoint, by `grant_type`.
#[derive(Debug)]
pub enum GrantRequest {
    /// `authorization_code`.
    AuthorizationCode(authorization_code::Redemption),
    /// `refresh_token`.
    RefreshToken(refresh_token::Refreshing),
    /// `client_credentials`.
    ClientCredentials(client_credentials::Ask),
}

/// The `grant_type`s there are.
pub const GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];

impl GrantRequest {
    /// Reads the parameters of a grant. To be called after the client is known: what a stranger sends is not
    /// judged.
    ///
    /// # Errors
    /// `unsupported_grant_type`, and `invalid_request` naming what is missing.
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        Ok(match params.require("grant_type")? {
            "authorization_code" => Self::AuthorizationCode(authorization_code::Redemption::parse(params)?),
            "refresh_token" => Self::RefreshToken(refresh_token::Refreshing::parse(params)?),
            "client_credentials" => Self::ClientCredentials(client_credentials::Ask::parse(params)?),
            _ => {
                return Err(OAuthError::new(
                    ErrorCode::UnsupportedGrantType,
                    "grant_type must be authorization_code, refresh_token or client_credentials",
                ));
            }
        })
    }
}
