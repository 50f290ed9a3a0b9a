//! Scopes as clients ask for them (RFC 6749 §3.3).

use hallpass_core::ScopeSet;
use hallpass_core::catalogue::scopes::{COMPANY_CREATE_CHILD, DEVELOPER_MANAGE_WEBHOOK, OFFLINE_ACCESS};
use hallpass_core::catalogue::{KEY, NOT_APP, NOT_KEY, OAUTH, USER};
use hallpass_core::scope::Scope;

use crate::error::{ErrorCode, OAuthError};

/// What may be asked for over OAuth: what the catalogue marks so, what users hold, and two that developers
/// are told to ask for. What no app may hold is not among them.
pub fn requestable() -> ScopeSet {
    Scope::all()
        .filter(|scope| {
            let flags = scope.flags();
            let marked = flags.has(OAUTH) || (flags.has(USER) && !flags.has(KEY));
            let named = [COMPANY_CREATE_CHILD, DEVELOPER_MANAGE_WEBHOOK].contains(scope);
            (marked || named || *scope == OFFLINE_ACCESS) && !flags.has(NOT_APP) && !flags.has(NOT_KEY)
        })
        .collect()
}

/// Reads `scope`: names separated by spaces. One that nobody knows, or nobody may ask for, fails the whole.
///
/// # Errors
/// `invalid_scope`.
pub fn parse(text: &str) -> Result<ScopeSet, OAuthError> {
    let mut set = ScopeSet::EMPTY;
    for name in text.split(' ').filter(|name| !name.is_empty()) {
        let scope = Scope::parse(name).map_err(|unknown| invalid(unknown.to_string()))?;
        set = set.or(&ScopeSet::of(&[scope]));
    }
    if set.is_empty() {
        return Err(invalid("scope is required".to_owned()));
    }
    let refused = set.minus(&requestable());
    match refused.iter().next() {
        None => Ok(set),
        Some(scope) => Err(invalid(format!("{} cannot be asked for", scope.name()))),
    }
}

/// Narrows what was granted to what is asked for now; nothing asked is everything (RFC 6749 §6).
///
/// # Errors
/// `invalid_scope` if more is asked for than was granted.
pub fn narrow(granted: &ScopeSet, asked: Option<&str>) -> Result<ScopeSet, OAuthError> {
    let Some(asked) = asked else { return Ok(*granted) };
    // Clients repeat what they asked for at first, `offline_access` too, which gives nothing.
    let asked = parse(asked)?.minus(&ScopeSet::of(&[OFFLINE_ACCESS]));
    let kept = granted.narrow(&asked.or(&granted.and(&ScopeSet::of(&[OFFLINE_ACCESS]))));
    kept.map_err(|_| invalid("the scope is wider than what was granted".to_owned()))
}

fn invalid(description: String) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_s_list_is_taken_as_printed() {
        let text = "openid profile email chat:message:create chat:read dms:read dms:message:manage \
                    dms:channel:manage support_chat:read support_chat:message:create";
        assert_eq!(parse(text).unwrap().len(), 10);
        assert_eq!(parse("openid  offline_access ").unwrap().len(), 2);
    }

    #[test]
    fn one_unknown_name_fails_the_whole() {
        for text in [
            "",
            " ",
            "openid read_user",
            "chat:read,openid",
            "CHAT:READ",
            "openid\tprofile",
            "authorized_user:create",
            "company:transfer_ownership",
            "openid \u{e9}",
        ] {
            assert_eq!(parse(text).unwrap_err().code, ErrorCode::InvalidScope, "{text:?}");
        }
    }

    #[test]
    fn refreshing_narrows_and_never_widens() {
        let granted = parse("openid chat:read offline_access").unwrap();
        assert_eq!(narrow(&granted, None), Ok(granted));
        assert_eq!(narrow(&granted, Some("offline_access chat:read openid")), Ok(granted));
        assert_eq!(narrow(&granted, Some("openid")), Ok(parse("openid offline_access").unwrap()));
        assert!(narrow(&granted, Some("openid dms:read")).is_err());
        assert!(narrow(&parse("openid").unwrap(), Some("openid offline_access")).is_ok());
    }
}
