//! What a message may say: no text makes the rules panic, and hiding a word does not hide it.

use hallpass_core::content::{
    BrokenRule, InvalidContent, MAX_CONTENT_CHARS, MAX_MENTIONS, check, mentions, obey,
};
use hallpass_core::entity::ChannelRules;
use hallpass_core::id::UserId;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts of the kinds that break parsers: markup, links, mentions, invisible and combining characters.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "@",
        "@everyone",
        "<@",
        "<@user_",
        ">",
        "`",
        "```",
        "![",
        "](",
        "[",
        "http",
        "://",
        "www.",
        ".com",
        "..",
        " ",
        "\n",
        "\r\n",
        "\u{200b}",
        "\u{202e}",
        "\u{301}",
        "\u{fdfa}",
        "İ",
        "ß",
        "ﬃ",
        "👩\u{200d}👧",
        "禁",
        "止",
        "ไ",
        "\0",
        "spam",
        "ＳＰＡＭ",
        "-",
        "_",
        "|",
        "\u{e0020}",
        "\u{ffff}",
        "\u{10ffff}",
    ];
    prop_oneof![
        any::<String>(),
        vec(prop_oneof![3 => select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)], 0..40)
            .prop_map(|pieces| pieces.concat()),
    ]
}

fn rules() -> impl Strategy<Value = ChannelRules> {
    (any::<bool>(), any::<bool>(), vec(text(), 0..4)).prop_map(|(ban_media, ban_urls, banned_words)| {
        ChannelRules { ban_media, ban_urls, banned_words, ..Default::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_text_makes_the_rules_panic(rules in rules(), text in text(), attached in any::<bool>()) {
        let checked = check(&text);
        prop_assert_eq!(checked == Err(InvalidContent::Nul), text.contains('\0'));
        if obey(&rules, &text, attached).is_err() {
            prop_assert!(rules.ban_media || rules.ban_urls || !rules.banned_words.is_empty());
        }
        prop_assert_eq!(obey(&ChannelRules::default(), &text, attached), Ok(()));
    }

    #[test]
    fn mentions_are_bounded_and_each_once(text in text()) {
        let found = mentions(&text);
        prop_assert!(found.usernames.len() + found.ids.len() <= MAX_MENTIONS);
        let once = |names: &[String]| names.iter().collect::<std::collections::HashSet<_>>().len() == names.len();
        prop_assert!(once(&found.usernames));
        let lower = text.to_lowercase();
        prop_assert!(found.usernames.iter().all(|name| lower.contains(name.as_str())));
        if !text.contains('@') {
            prop_assert_eq!(found, hallpass_core::content::Mentions::default());
        }
    }

    #[test]
    fn a_mention_by_id_is_found_wherever_it_stands(bits in any::<u128>(), before in "[a-z .,]{0,9}", after in "[a-z .,]{0,9}") {
        let id = UserId::from_bits(bits);
        prop_assert_eq!(mentions(&format!("{before}<@{id}>{after}")).ids, vec![id]);
    }

    #[test]
    fn a_banned_word_is_found_between_any_spaces_and_in_any_case(
        word in "[a-z]{2,12}", before in "([a-z]{1,5} ){0,3}", after in "( [a-z]{1,5}){0,3}", hide in 0..12usize,
    ) {
        let rules = ChannelRules { banned_words: vec![word.clone()], ..Default::default() };
        let mut hidden = word.to_uppercase();
        hidden.insert(hide.min(hidden.len()), '\u{200b}');
        prop_assert_eq!(obey(&rules, &format!("{before}{hidden}{after}"), false), Err(BrokenRule::BannedWord));
        let wide: String = word.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
        prop_assert_eq!(obey(&rules, &format!("{before}{wide}{after}"), false), Err(BrokenRule::BannedWord));
    }

    #[test]
    fn length_is_counted_in_characters(c in prop_oneof![Just('a'), Just('é'), Just('禁'), Just('👋')], over in 0..3usize) {
        let text: String = std::iter::repeat_n(c, MAX_CONTENT_CHARS + over).collect();
        prop_assert_eq!(check(&text), if over == 0 { Ok(()) } else { Err(InvalidContent::TooLong) });
    }
}
