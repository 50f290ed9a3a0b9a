//! Messages: any text against any banned word, and whom it mentions.
#![no_main]

use hallpass_core::content::{MAX_CONTENT_CHARS, MAX_MENTIONS, check, mentions, obey};
use hallpass_core::entity::ChannelRules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, bool, bool, &str)| {
    let (word, ban_urls, ban_media, text) = input;
    if check(text).is_ok() {
        let chars = text.chars().count();
        assert!((1..=MAX_CONTENT_CHARS).contains(&chars) && !text.contains('\0'));
    }
    let rules =
        ChannelRules { ban_urls, ban_media, banned_words: vec![word.to_owned()], ..ChannelRules::default() };
    let verdict = obey(&rules, text, false);
    if verdict.is_err() {
        // A rule never depends on what is around the text but the text itself.
        assert_eq!(obey(&rules, text, false), verdict);
    }
    assert_eq!(obey(&ChannelRules::default(), text, true), Ok(()));

    let found = mentions(text);
    assert!(found.usernames.len() + found.ids.len() <= MAX_MENTIONS);
    for name in &found.usernames {
        assert!(!name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
        assert!(text.to_lowercase().contains(name));
    }
    for id in &found.ids {
        assert!(text.contains(&format!("<@{id}>")));
    }
});
