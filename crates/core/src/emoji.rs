//! Emoji: one name each.
//!
//! A reaction is stored and answered under one shortcode, `:heart:`, however it was asked for: by any of
//! its shortcodes, or as the character itself in any skin tone and with or without variation selectors.
//! So 👍, 👍🏿, `:thumbsup:` and `:+1:` count together. Names are those of gemoji; an emoji that gemoji
//! does not name goes by its Unicode name, `:face_with_bags_under_eyes:`.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// The longest text that is looked up, in bytes: longer than any shortcode and any sequence.
const MAX_BYTES: usize = 128;

/// An emoji, by its one name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Emoji(&'static str);

/// The text names no emoji.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an emoji nor a shortcode that is known")]
pub struct UnknownEmoji;

impl Emoji {
    /// Reads a shortcode (`:heart:`) or an emoji.
    ///
    /// # Errors
    /// [`UnknownEmoji`] for anything else, more than one included.
    pub fn parse(text: &str) -> Result<Self, UnknownEmoji> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(UnknownEmoji);
        }
        let name = text.strip_prefix(':').and_then(|text| text.strip_suffix(':'));
        let found = match name {
            Some(name) => TABLE.by_name.get(without_tone(&name.to_ascii_lowercase())),
            None => TABLE.by_text.get(bare(text).as_str()),
        };
        found.copied().map(Self).ok_or(UnknownEmoji)
    }

    /// Its shortcode, with the colons.
    pub const fn shortcode(self) -> &'static str {
        self.0
    }

    /// Every emoji.
    pub fn all() -> impl Iterator<Item = Self> {
        let mut names: Vec<&'static str> = TABLE.by_text.values().copied().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(Self)
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
impl fmt::Debug for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// `thumbsup::skin-tone-4` is `thumbsup`.
fn without_tone(name: &str) -> &str {
    name.split_once("::skin-tone-")
        .filter(|(_, tone)| matches!(*tone, "2" | "3" | "4" | "5" | "6"))
        .map_or(name, |(name, _)| name)
}

/// A sequence without skin tones and variation selectors.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')).collect()
}

struct Table {
    by_name: HashMap<String, &'static str>,
    by_text: HashMap<String, &'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { by_name: HashMap::new(), by_text: HashMap::new() };
    // Those that have shortcodes first: no derived name takes one of theirs.
    let (named, unnamed): (Vec<_>, Vec<_>) = emojis::iter().partition(|emoji| emoji.shortcode().is_some());
    for emoji in named.into_iter().chain(unnamed) {
        let mut names: Vec<String> = emoji.shortcodes().map(str::to_owned).collect();
        if names.is_empty() {
            names.push(derived(emoji.name()));
        }
        let name = names.iter().find(|name| !table.by_name.contains_key(*name));
        let Some(name) = name else { continue };
        // A few thousand names, made once and kept for good.
        let shortcode: &'static str = Box::leak(format!(":{name}:").into_boxed_str());
        for name in names {
            table.by_name.entry(name).or_insert(shortcode);
        }
        table.by_text.entry(bare(emoji.as_str())).or_insert(shortcode);
        // Two hands of different tones are another sequence than two of none.
        for toned in emoji.skin_tones().into_iter().flatten() {
            table.by_text.entry(bare(toned.as_str())).or_insert(shortcode);
        }
    }
    table
});

/// A name in the manner of shortcodes: lower-case words, joined by underscores.
fn derived(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_emoji() {
        for (spellings, name) in [
            (vec!["❤️", "❤", "❤\u{fe0e}", ":heart:", ":HEART:", " :heart: "], ":heart:"),
            (vec!["👍", "👍🏿", "👍\u{1f3fb}", ":+1:", ":thumbsup:", ":+1::skin-tone-3:"], ":+1:"),
            (vec!["1️⃣", "1⃣", ":one:"], ":one:"),
            (vec!["🇿🇦", ":south_africa:"], ":south_africa:"),
        ] {
            for text in spellings {
                assert_eq!(Emoji::parse(text).map(Emoji::shortcode), Ok(name), "{text:?}");
            }
        }
    }

    #[test]
    fn what_is_no_emoji_is_refused() {
        let long = "👍".repeat(100);
        for text in [
            "",
            " ",
            "heart",
            ":",
            "::",
            ":heart",
            "heart:",
            ":no_such_name:",
            "1",
            "#",
            "a",
            "❤️❤️",
            "❤️ ❤️",
            "\u{fe0f}",
            "\u{1f3fb}",
            "\u{200d}",
            ":heart::heart:",
            ":heart::skin-tone-9:",
            ":<script>:",
            "\u{202e}",
            long.as_str(),
        ] {
            assert_eq!(Emoji::parse(text), Err(UnknownEmoji), "{text:?}");
        }
    }

    #[test]
    fn every_emoji_has_a_name_of_its_own_that_reads_back() {
        let mut count = 0;
        for emoji in emojis::iter() {
            let parsed = Emoji::parse(emoji.as_str()).unwrap_or_else(|_| panic!("{emoji} has no name"));
            let name = parsed.shortcode();
            assert_eq!(Emoji::parse(name), Ok(parsed), "{emoji} {name}");
            assert!(name.len() < MAX_BYTES && !name.contains(char::is_whitespace), "{name}");
            for tone in emoji.skin_tones().into_iter().flatten() {
                assert_eq!(Emoji::parse(tone.as_str()), Ok(parsed), "{tone}");
            }
            count += 1;
        }
        let distinct = Emoji::all().count();
        assert!(count > 1800 && distinct == count, "{count} emoji, {distinct} names");
    }
}
