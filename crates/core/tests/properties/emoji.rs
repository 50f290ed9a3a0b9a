//! Emoji: whatever the text, it is one that reads back under its name, or none.

use hallpass_core::emoji::Emoji;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        ":",
        "heart",
        "+1",
        "thumbsup",
        "::skin-tone-3",
        "👍",
        "❤",
        "\u{fe0f}",
        "\u{fe0e}",
        "\u{1f3ff}",
        "\u{200d}",
        "👩",
        "🤝",
        "\u{20e3}",
        "1",
        "#",
        "🇿",
        "🇦",
        " ",
        "\0",
        "\u{202e}",
        "_",
        "-",
        "é",
    ];
    prop_oneof![
        any::<String>(),
        vec(select(pieces).prop_map(str::to_owned), 0..12).prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_text_is_one_emoji_or_none(text in text()) {
        if let Ok(emoji) = Emoji::parse(&text) {
            let name = emoji.shortcode();
            prop_assert_eq!(Emoji::parse(name), Ok(emoji));
            prop_assert!(name.len() > 2 && name.starts_with(':') && name.ends_with(':'));
            // Twice is not one.
            prop_assert!(Emoji::parse(&text.repeat(2)).is_err());
            prop_assert!(!text.contains('\0'));
        }
    }

    #[test]
    fn tones_and_selectors_change_nothing(at in 0..4000usize, tone in select(vec!['\u{fe0f}', '\u{fe0e}', '\u{1f3fb}', '\u{1f3ff}'])) {
        let all: Vec<Emoji> = Emoji::all().collect();
        let emoji = all[at % all.len()];
        let name = emoji.shortcode();
        prop_assert_eq!(Emoji::parse(&name.to_uppercase()), Ok(emoji));
        prop_assert_eq!(Emoji::parse(&format!("👍{tone}")), Emoji::parse(":thumbsup:"));
    }
}
