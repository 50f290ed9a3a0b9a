//! Ids, scopes and entries of the authority log: any text; what parses has one spelling.
#![no_main]

use hallpass_core::authority::Change;
use hallpass_core::id::*;
use hallpass_core::{Scope, ScopeSet};
use libfuzzer_sys::fuzz_target;

macro_rules! one_spelling {
    ($text:ident: $($id:ty),*) => {$(
        if let Ok(id) = $text.parse::<$id>() {
            assert_eq!(id.to_string(), $text);
            assert_eq!(<$id>::from_bits(id.bits()), id);
        }
    )*};
}

fuzz_target!(|text: &str| {
    one_spelling!(text: ApiKeyId, AppId, AuthorizedUserId, ChatFeedId, CompanyId, ExperienceId, FeedId,
                  FeedMemberId, FileId, MemberId, MessageId, PersonId, ReactionId, RequestId, TokenId, UserId,
                  WebhookDeliveryId, WebhookId);
    if let Ok(id) = text.parse::<ProductId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(scope) = Scope::parse(text) {
        assert_eq!(scope.name(), text);
    }
    if let Ok(set) = ScopeSet::parse(text) {
        assert_eq!(ScopeSet::parse(&set.to_string()), Ok(set));
        assert!(set.is_subset(&ScopeSet::everything()));
    }
    let mut parts = text.splitn(3, ' ');
    let (kind, subject, scope) =
        (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if let Ok(change) = Change::parse(kind, subject, scope) {
        let (again, within) = change.parts();
        assert_eq!(Change::parse(change.kind(), &again, &within), Ok(change));
    }
});
