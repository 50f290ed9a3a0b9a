//! Ids: one spelling each, and nothing of another kind.

use std::str::FromStr;

use hallpass_core::id::{ChatFeedId, CompanyId, FeedId, MessageId, ProductId, UserId};
use proptest::prelude::*;

/// Any text at all that might be taken for an id.
fn suspicious() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(biz|user|post|chat_feed|feed)_[0-9A-Za-z]{24,28}",
        ("(biz|user|post)_", any::<u128>(), 0..30usize, any::<char>()).prop_map(|(prefix, bits, at, c)| {
            let mut text: Vec<char> = CompanyId::from_bits(bits).to_string().chars().skip(4).collect();
            let at = at.min(text.len() - 1);
            text[at] = c;
            prefix + &text.into_iter().collect::<String>()
        }),
    ]
}

fn only_its_own_spelling<T: FromStr + ToString>(text: &str) {
    if let Ok(id) = T::from_str(text) {
        assert_eq!(id.to_string(), text);
    }
}

proptest! {
    #[test]
    fn ids_round_trip(bits in any::<u128>()) {
        prop_assert_eq!(CompanyId::from_bits(bits).to_string().parse(), Ok(CompanyId::from_bits(bits)));
        prop_assert_eq!(MessageId::from_bits(bits).to_string().parse(), Ok(MessageId::from_bits(bits)));
        prop_assert_eq!(ChatFeedId::from_bits(bits).to_string().parse(), Ok(ChatFeedId::from_bits(bits)));
        prop_assert_eq!(CompanyId::from_bits(bits).bits(), bits);
    }

    #[test]
    fn an_id_is_of_one_kind(bits in any::<u128>()) {
        let feed = ChatFeedId::from_bits(bits).to_string();
        prop_assert!(feed.parse::<FeedId>().is_err());
        prop_assert!(feed.parse::<UserId>().is_err());
        prop_assert!(UserId::from_bits(bits).to_string().parse::<CompanyId>().is_err());
    }

    #[test]
    fn a_text_is_an_id_in_one_spelling_or_not_at_all(text in suspicious()) {
        only_its_own_spelling::<CompanyId>(&text);
        only_its_own_spelling::<UserId>(&text);
        only_its_own_spelling::<MessageId>(&text);
        only_its_own_spelling::<ChatFeedId>(&text);
        only_its_own_spelling::<FeedId>(&text);
    }

    #[test]
    fn a_products_id_is_what_its_seller_made(tail in "[0-9A-Za-z]{1,32}", other in any::<String>()) {
        let text = format!("prod_{tail}");
        prop_assert_eq!(text.parse::<ProductId>().map(|id| id.to_string()), Ok(text));
        only_its_own_spelling::<ProductId>(&format!("prod_{other}"));
    }

    #[test]
    fn a_products_id_is_short_and_plain(tail in "[0-9A-Za-z]{33,40}|[0-9A-Za-z]{0,9}[^0-9A-Za-z][0-9A-Za-z]{0,9}|") {
        let text = format!("prod_{tail}");
        prop_assert!(text.parse::<ProductId>().is_err());
        prop_assert!(tail.parse::<ProductId>().is_err());
    }

    #[test]
    fn products_sort_as_their_texts_do(a in "[0-9A-Za-z]{1,4}", b in "[0-9A-Za-z]{1,4}") {
        let [x, y] = [a, b].map(|tail| format!("prod_{tail}").parse::<ProductId>().unwrap());
        prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
    }

    #[test]
    fn ids_sort_as_their_texts_do(a in any::<u128>(), b in any::<u128>()) {
        let (x, y) = (MessageId::from_bits(a), MessageId::from_bits(b));
        prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
    }
}
