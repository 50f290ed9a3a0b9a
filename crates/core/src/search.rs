//! Searching messages: how a text becomes words, and what a query asks for.
//!
//! Both engines are given words that were made here, so that they find the same: compatibility forms
//! decomposed, accents and invisible characters dropped, case folded, split at everything that is no
//! letter, digit or vowel sign. In scripts without spaces every character is a word, and a run of them a
//! phrase.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::content::{is_invisible, spaceless};

/// The most characters of a query.
pub const MAX_QUERY_CHARS: usize = 200;
/// The most words of a message that are searched.
pub const MAX_WORDS: usize = 10_000;
/// What is longer is one with all that begin like it.
const MAX_WORD_CHARS: usize = 64;
/// The fewest characters in front of a `*`.
const MIN_PREFIX_CHARS: usize = 2;

/// Why a text is no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// Longer than [`MAX_QUERY_CHARS`].
    #[error("the query is longer than {MAX_QUERY_CHARS} characters")]
    TooLong,
    /// No letter or digit in it.
    #[error("the query has no word to search for")]
    Empty,
    /// `a*`
    #[error("a prefix has at least {MIN_PREFIX_CHARS} characters")]
    ShortPrefix,
}

/// A word, or several in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// At least one.
    pub words: Vec<String>,
    /// The last word may go on.
    pub prefix: bool,
}

/// What is searched for: all of its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(Vec<Term>);

impl Query {
    /// Reads words, `"quoted phrases"` and prefixes (`wor*`). Nothing else has a meaning, and nothing is an
    /// error but a query without words, one too long, and a prefix too short.
    ///
    /// # Errors
    /// Which of them.
    pub fn parse(text: &str) -> Result<Self, InvalidQuery> {
        if text.chars().count() > MAX_QUERY_CHARS {
            return Err(InvalidQuery::TooLong);
        }
        let mut terms: Vec<Term> = Vec::new();
        let mut add = |words: Vec<String>, prefix: bool| {
            if prefix && words.last().is_some_and(|last| is_short(last)) {
                return Err(InvalidQuery::ShortPrefix);
            }
            let term = Term { words, prefix };
            if !term.words.is_empty() && !terms.contains(&term) {
                terms.push(term);
            }
            Ok(())
        };
        // Every other piece is in quotes; an unclosed one reaches to the end.
        for (n, piece) in text.split('"').enumerate() {
            if n % 2 == 1 {
                add(words(piece), false)?;
                continue;
            }
            for word in piece.split_whitespace() {
                add(words(word), word.ends_with('*'))?;
            }
        }
        if terms.is_empty() { Err(InvalidQuery::Empty) } else { Ok(Self(terms)) }
    }

    /// The terms, at least one.
    pub fn terms(&self) -> &[Term] {
        &self.0
    }

    /// Whether a text has all of it.
    pub fn matches(&self, text: &str) -> bool {
        let found = words(text);
        self.0.iter().all(|term| found.windows(term.words.len()).any(|run| term.is(run)))
    }
}

impl Term {
    fn is(&self, run: &[String]) -> bool {
        let (Some((last, rest)), Some((word, before))) = (self.words.split_last(), run.split_last()) else {
            return false;
        };
        rest == before && if self.prefix { word.starts_with(last.as_str()) } else { word == last }
    }
}

/// A single character of a script without spaces is a word already.
fn is_short(word: &str) -> bool {
    word.chars().count() < MIN_PREFIX_CHARS && !word.starts_with(spaceless)
}

/// The words of a text, at most [`MAX_WORDS`].
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    // The word that goes on, and its length.
    let mut open: Option<usize> = None;
    let folded = text.nfkd().flat_map(char::to_lowercase).nfkd();
    for c in folded.filter(|c| !is_invisible(*c) && !is_accent(*c)) {
        let c = if c == 'ς' { 'σ' } else { c };
        let mark = is_combining_mark(c);
        if !c.is_alphanumeric() && !mark {
            open = None;
            continue;
        }
        let alone = spaceless(c) && !mark;
        let last = words.last_mut().filter(|word| mark || !(alone || word.starts_with(spaceless)));
        if let (Some(length), Some(word)) = (open, last) {
            if length < MAX_WORD_CHARS {
                word.push(c);
            }
            open = Some(length + 1);
        } else if words.len() == MAX_WORDS {
            break;
        } else {
            words.push(c.to_string());
            open = Some(1);
        }
    }
    words
}

/// Marks that people leave out when they search: those of Latin, Greek and Cyrillic, of Hebrew and Arabic.
/// The vowel signs of other scripts are letters like any other.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'
        | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}'
        | '\u{670}' | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_words() {
        for (text, expected) in [
            ("Hello, **World**!", vec!["hello", "world"]),
            ("Crème BRÛLÉE déjà-vu", vec!["creme", "brulee", "deja", "vu"]),
            ("ｆｕｌｌ ﬃ №5", vec!["full", "ffi", "no5"]),
            ("sp\u{200b}am İstanbul ΟΔΟΣ", vec!["spam", "istanbul", "οδοσ"]),
            ("禁止abc禁", vec!["禁", "止", "abc", "禁"]),
            ("don't a_b 3.14", vec!["don", "t", "a", "b", "3", "14"]),
            ("שָׁלוֹם مُحَمَّد", vec!["שלום", "محمد"]),
            ("👍 -- \u{202e}", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"x".repeat(500)), ["x".repeat(MAX_WORD_CHARS)]);
        assert_eq!(words(&"x ".repeat(MAX_WORDS + 5)).len(), MAX_WORDS);
    }

    #[test]
    fn a_query_is_words_phrases_and_prefixes() {
        let query = Query::parse(r#"Hello wor* "red Café" déjà-vu* 禁* hello "un closed"#).unwrap();
        let term = |words: &[&str], prefix| Term {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            prefix,
        };
        let expected = [
            term(&["hello"], false),
            term(&["wor"], true),
            term(&["red", "cafe"], false),
            term(&["deja", "vu"], true),
            term(&["禁"], true),
            term(&["un", "closed"], false),
        ];
        assert_eq!(query.terms(), expected);
        for empty in ["", "  ", "\"\"", "*", "- + ()", "👍", "\u{200b}"] {
            assert_eq!(Query::parse(empty), Err(InvalidQuery::Empty), "{empty:?}");
        }
        for short in ["a*", "word b*", "x-y*"] {
            assert_eq!(Query::parse(short), Err(InvalidQuery::ShortPrefix), "{short:?}");
        }
        assert!(Query::parse(&"é".repeat(MAX_QUERY_CHARS)).is_ok());
        assert_eq!(Query::parse(&"é".repeat(MAX_QUERY_CHARS + 1)), Err(InvalidQuery::TooLong));
    }

    #[test]
    fn a_query_matches_what_has_all_of_it() {
        for (query, text, yes) in [
            ("hello", "Say HELLO, world", true),
            ("hello world", "world, hello", true),
            ("\"hello world\"", "world, hello", false),
            ("\"hello world\"", "Hello... World!", true),
            ("hel", "hello", false),
            ("hel*", "hello", true),
            ("\"say hel\"", "say hello", false),
            ("say-hel*", "say hello", true),
            ("cafe", "Café", true),
            ("止", "禁止です", true),
            ("禁で", "禁止です", false),
            ("a b c", "a b", false),
        ] {
            assert_eq!(Query::parse(query).unwrap().matches(text), yes, "{query} in {text}");
        }
    }
}
