//! Step 3: what follows a request, given who is there and what they allowed.

use jiff::Timestamp;

use super::Request;
use crate::error::{ErrorCode, OAuthError};

/// What is known when a request is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who is signed in in this browser.
    pub signed_in: Option<SignedInFacts>,
    /// When this very request was first sent to the sign-in page, if it was.
    pub asked_at: Option<Timestamp>,
}

/// Of somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts, each true or not by itself")]
pub struct SignedInFacts {
    /// When they last proved who they are.
    pub auth_time: Timestamp,
    /// They are whom `id_token_hint` names, or it names nobody.
    pub is_hinted: bool,
    /// They may enter the company, and the app is there.
    pub may_enter: bool,
    /// What they allowed before covers what is asked for.
    pub is_consented: bool,
    /// They allowed this very request just now.
    pub has_just_allowed: bool,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// They prove who they are.
    SignIn,
    /// They are asked whether they allow it.
    Consent,
    /// The client gets a code.
    Issue,
    /// The client is told why not.
    Refuse(OAuthError),
}

/// What follows `request` at `now`.
pub fn next(request: &Request, facts: &Facts, now: Timestamp) -> Step {
    let refuse = |code, description| Step::Refuse(OAuthError::new(code, description));
    let prompt = request.prompt;
    let Some(there) = facts.signed_in.as_ref().filter(|there| {
        // Signed in since this request came: fresh, whatever it wants.
        let since_asked = facts.asked_at.is_some_and(|asked| there.auth_time > asked);
        let age_secs = now.duration_since(there.auth_time).as_secs();
        let young = request.max_age_secs.is_none_or(|most| age_secs < most);
        there.is_hinted && (since_asked || (!prompt.login && young))
    }) else {
        return if prompt.none {
            refuse(ErrorCode::LoginRequired, "nobody is signed in, or not recently enough")
        } else {
            Step::SignIn
        };
    };
    if !there.may_enter {
        return refuse(ErrorCode::AccessDenied, "this user or app has no access to the company");
    }
    let asks =
        if prompt.consent { !there.has_just_allowed } else { !there.is_consented && !there.has_just_allowed };
    match (asks, prompt.none) {
        (false, _) => Step::Issue,
        (true, false) => Step::Consent,
        (true, true) => refuse(ErrorCode::ConsentRequired, "the user has not allowed this yet"),
    }
}
