//! Searching: any text is words, any query is one or says why not, and what was said is found.

use hallpass_core::search::{MAX_QUERY_CHARS, MAX_WORDS, Query, words};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "\"",
        "*",
        " ",
        "-",
        "(",
        ")",
        "'",
        "\\",
        ":",
        "^",
        "NEAR",
        "OR",
        "AND",
        "NOT",
        "{",
        "}",
        "\0",
        "a",
        "Á",
        "e\u{301}",
        "İ",
        "ß",
        "ς",
        "ﬃ",
        "Ⅷ",
        "½",
        "²",
        "ǆ",
        "\u{200b}",
        "\u{202e}",
        "\u{300}",
        "禁",
        "止",
        "か\u{3099}",
        "กิ",
        "कि",
        "한국",
        "\u{1f468}\u{200d}",
        "_",
        "chat_feed_",
        "x",
        "terms",
        "<->",
        "&",
        "|",
        "!",
        "\u{10ffff}",
    ];
    prop_oneof![
        any::<String>(),
        vec(
            prop_oneof![3 => select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)],
            0..60
        )
        .prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn words_are_words_whatever_the_text(text in text()) {
        let found = words(&text);
        prop_assert!(found.len() <= MAX_WORDS);
        for word in &found {
            // Nothing in them means anything to an engine, and none can pass for a channel's id.
            prop_assert!(!word.is_empty() && word.len() <= 4 * 64);
            prop_assert!(!word.chars().any(|c| c.is_whitespace() || c.is_control() || c.is_ascii_punctuation()), "{word:?}");
        }
        // Making words of words changes nothing.
        prop_assert_eq!(words(&found.join(" ")), found);
    }

    #[test]
    fn no_query_panics_and_what_it_asks_for_are_words(text in text()) {
        if let Ok(query) = Query::parse(&text) {
            prop_assert!(text.chars().count() <= MAX_QUERY_CHARS);
            prop_assert!(!query.terms().is_empty());
            for term in query.terms() {
                prop_assert!(!term.words.is_empty());
                prop_assert_eq!(&words(&term.words.join(" ")), &term.words);
            }
            // A text that says all it asks for is found by it.
            let said: Vec<String> = query.terms().iter().map(|term| term.words.join(" ")).collect();
            prop_assert!(query.matches(&said.join(" / ")), "{said:?}");
        }
    }

    #[test]
    fn every_word_that_was_said_is_found(before in "[a-zéü ]{0,20}", word in "[a-zA-Zéüß]{2,12}", after in "[ .,!?][a-z ]{0,20}") {
        let text = format!("{before} {word}{after}");
        for query in [word.clone(), word.to_uppercase(), format!("\"{word}\""), format!("{}*", word.chars().take(2).collect::<String>())] {
            // ß has an upper case of two letters.
            if query.to_lowercase() == query || !word.contains('ß') {
                prop_assert!(Query::parse(&query).unwrap().matches(&text), "{query} in {text}");
            }
        }
    }
}
