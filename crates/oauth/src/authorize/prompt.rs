//! `prompt` (OpenID Connect Core §3.1.2.1; Initiating User Registration §4.1).

use crate::error::OAuthError;

/// What the user must be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four words")]
pub struct Prompt {
    /// Nothing: answer at once, or say why not.
    pub none: bool,
    /// Who they are, again.
    pub login: bool,
    /// Whether they allow it, again.
    pub consent: bool,
    /// To make an account, if they have none.
    pub create: bool,
}

impl Prompt {
    /// Reads names separated by spaces.
    ///
    /// # Errors
    /// `invalid_request` for an unknown name, or `none` beside others.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let mut prompt = Self::default();
        let mut names = 0;
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            names += 1;
            match name {
                "none" => prompt.none = true,
                // Who signs in again chooses the account.
                "login" | "select_account" => prompt.login = true,
                "consent" => prompt.consent = true,
                "create" => {
                    prompt.create = true;
                    prompt.login = true;
                }
                _ => return Err(OAuthError::invalid_request("prompt has an unknown value")),
            }
        }
        if prompt.none && names > 1 {
            return Err(OAuthError::invalid_request("prompt none stands alone"));
        }
        Ok(prompt)
    }
}
