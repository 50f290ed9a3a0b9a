//! What a message may say: the checks every text passes, and the rules of its channel.
//!
//! Rules look at a folded form of the text — compatibility forms composed, case folded, invisible
//! characters dropped — so that full-width letters or a zero-width space hide nothing. What is stored
//! is always the text as it was sent.

use linkify::{LinkFinder, LinkKind};
use unicode_normalization::UnicodeNormalization;

use crate::entity::ChannelRules;
use crate::id::UserId;

/// The most characters (Unicode scalar values) of a message.
pub const MAX_CONTENT_CHARS: usize = 20_000;
/// The most banned words of a channel, and characters of one.
pub const MAX_BANNED_WORDS: usize = 500;
/// The most characters of a banned word.
pub const MAX_BANNED_WORD_CHARS: usize = 100;
/// The most people one message mentions.
pub const MAX_MENTIONS: usize = 50;

/// Why a text cannot be a message at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContent {
    /// Nothing to see: empty, blank, or invisible characters only.
    #[error("the message is empty")]
    Empty,
    /// Longer than [`MAX_CONTENT_CHARS`].
    #[error("the message is longer than {MAX_CONTENT_CHARS} characters")]
    TooLong,
    /// U+0000, which no text needs and not every store keeps.
    #[error("the text contains a NUL character")]
    Nul,
}

/// Which rule of a channel a message breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenRule {
    /// It contains a banned word.
    BannedWord,
    /// It contains a link.
    BannedUrl,
    /// It carries media.
    BannedMedia,
}

/// Checks that a text can be a message.
///
/// # Errors
/// Why not.
pub fn check(text: &str) -> Result<(), InvalidContent> {
    let mut chars = 0;
    let mut visible = false;
    for c in text.chars() {
        if c == '\0' {
            return Err(InvalidContent::Nul);
        }
        chars += 1;
        visible |= is_seen(c);
    }
    if chars > MAX_CONTENT_CHARS {
        return Err(InvalidContent::TooLong);
    }
    if visible { Ok(()) } else { Err(InvalidContent::Empty) }
}

/// Checks a message against its channel's rules.
///
/// # Errors
/// The first rule it breaks.
pub fn obey(rules: &ChannelRules, text: &str, has_attachments: bool) -> Result<(), BrokenRule> {
    if !rules.ban_media && !rules.ban_urls && rules.banned_words.is_empty() {
        return Ok(());
    }
    let folded = fold(text);
    if rules.ban_media && (has_attachments || has_media(&folded)) {
        return Err(BrokenRule::BannedMedia);
    }
    if rules.ban_urls && has_link(&folded) {
        return Err(BrokenRule::BannedUrl);
    }
    if rules.banned_words.iter().any(|word| has_word(&folded, &fold(word))) {
        return Err(BrokenRule::BannedWord);
    }
    Ok(())
}

/// The form in which rules see a text.
fn fold(text: &str) -> String {
    text.nfkc().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase).collect()
}

/// Whether there is nothing to see of a text.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_seen)
}

fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !is_invisible(c) && !c.is_control()
}

/// Characters that take no room: zero-width, joiners, direction marks, soft hyphen, variation
/// selectors, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A link, or what a renderer of Markdown and HTML may make one of, whatever its target.
fn has_link(folded: &str) -> bool {
    let text = as_browsers_do(folded);
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]).url_must_have_scheme(false);
    finder.links(&text).next().is_some()
        || has_scheme(&text)
        || folded.contains("](")
        || has_definition(folded)
        || has_attribute(folded, &["href", "src", "srcset", "action", "style"])
}

/// A picture, sound or film: Markdown's image, HTML's elements, or the bytes themselves.
fn has_media(folded: &str) -> bool {
    const ELEMENTS: &[&str] =
        &["<img", "<image", "<picture", "<svg", "<video", "<audio", "<object", "<embed", "<iframe"];
    const DATA: &[&str] = &["data:image", "data:video", "data:audio"];
    folded.contains("![")
        || ELEMENTS.iter().chain(DATA).any(|start| folded.contains(start))
        || has_attribute(folded, &["src", "srcset", "poster", "background", "style"])
}

/// A text with its addresses spelled as browsers read them: `http:\\evil`, `example。com`.
fn as_browsers_do(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len());
    let (mut before, mut rest) = (' ', folded.chars().peekable());
    while let Some(c) = rest.next() {
        // Elsewhere it ends a sentence.
        let inside = before.is_ascii_alphanumeric() && rest.peek().is_some_and(char::is_ascii_alphanumeric);
        text.push(match c {
            '\\' => '/',
            '。' if inside => '.',
            c => c,
        });
        before = c;
    }
    text
}

/// A word, a colon, and something right behind it: `javascript:alert(1)`, `localhost:3000`. Not
/// `note: this`, `12:30` or `:smile:`.
fn has_scheme(text: &str) -> bool {
    text.match_indices(':').any(|(colon, _)| {
        let stem = text[..colon]
            .trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let scheme = &text[stem.len()..colon];
        let target = text[colon + 1..].chars().next();
        scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && !stem.ends_with(':')
            && target.is_some_and(|c| c.is_alphanumeric() || "/%#?&.~_@".contains(c))
    })
}

/// A link reference definition (`CommonMark` §4.7), also inside quotes and lists: `[1]: /path`.
fn has_definition(text: &str) -> bool {
    text.lines().any(|line| {
        let label = line.trim_start_matches(|c: char| {
            c.is_whitespace() || c.is_ascii_digit() || matches!(c, '>' | '-' | '*' | '+' | '.' | ')')
        });
        label.starts_with('[') && label.contains("]:")
    })
}

/// An HTML tag with such an attribute behind it.
fn has_attribute(text: &str, names: &[&str]) -> bool {
    let is_tag = |(at, _): &(usize, &str)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic());
    let Some((tag, _)) = text.match_indices('<').find(is_tag) else { return false };
    names.iter().any(|name| {
        let mut found = text[tag..].match_indices(name);
        found.any(|(at, _)| text[tag + at + name.len()..].trim_start().starts_with('='))
    })
}

/// Whether `word` stands in `text` on its own. A word in a script without spaces is found anywhere.
fn has_word(text: &str, word: &str) -> bool {
    let word = word.trim();
    if word.is_empty() {
        return false;
    }
    let joins = |outer: Option<char>, inner: Option<char>| {
        let alphabetic = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && !spaceless(c));
        alphabetic(outer) && alphabetic(inner)
    };
    text.match_indices(word).any(|(start, found)| {
        let end = start + found.len();
        !joins(text[..start].chars().next_back(), found.chars().next())
            && !joins(text[end..].chars().next(), found.chars().next_back())
    })
}

/// Scripts whose words are not separated by spaces.
pub(crate) fn spaceless(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Whom a text mentions: `@username`, `<@user_…>`, `@everyone`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Usernames, lower case, each once, in order.
    pub usernames: Vec<String>,
    /// Ids, each once, in order.
    pub ids: Vec<UserId>,
    /// `@everyone`.
    pub everyone: bool,
}

/// Finds whom a text mentions, at most [`MAX_MENTIONS`]; code spans and fences mention nobody.
pub fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    if !text.contains('@') {
        return found;
    }
    let mut before = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut tail = &rest[c.len_utf8()..];
        if c == '`' {
            tail = behind_code(rest);
        } else if c == '@' && found.usernames.len() + found.ids.len() < MAX_MENTIONS {
            let name: &str = {
                let end = tail
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
                    .unwrap_or(tail.len());
                &tail[..end]
            };
            if before == Some('<') && tail[name.len()..].starts_with('>') {
                if let Ok(id) = name.parse::<UserId>()
                    && !found.ids.contains(&id)
                {
                    found.ids.push(id);
                }
            } else if !before.is_some_and(char::is_alphanumeric) {
                // Not the middle of an address.
                let name = name.trim_matches(['-', '_']).to_lowercase();
                if name == "everyone" {
                    found.everyone = true;
                } else if !name.is_empty() && !found.usernames.contains(&name) {
                    found.usernames.push(name);
                }
            }
        }
        before = Some(c);
        rest = tail;
    }
    found
}

/// What follows the code span or fence that `text` begins with; if it does not end, what follows the
/// backticks, which then are only backticks (`CommonMark` §6.1).
fn behind_code(text: &str) -> &str {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let ticks = run(text);
    let inside = &text[ticks..];
    let mut rest = inside;
    while let Some(at) = rest.find('`') {
        let here = run(&rest[at..]);
        rest = &rest[at + here..];
        if here == ticks {
            return rest;
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banning(words: &[&str]) -> ChannelRules {
        ChannelRules { banned_words: words.iter().map(|w| (*w).to_owned()).collect(), ..Default::default() }
    }

    #[test]
    fn blank_and_invisible_texts_are_empty() {
        for text in ["", " ", "\n\t", "\u{200b}", "\u{200b} \u{feff}\u{202e}", "\u{e0020}"] {
            assert_eq!(check(text), Err(InvalidContent::Empty), "{text:?}");
        }
        assert_eq!(check("a\0b"), Err(InvalidContent::Nul));
        assert_eq!(check(&"x".repeat(MAX_CONTENT_CHARS)), Ok(()));
        assert_eq!(check(&"x".repeat(MAX_CONTENT_CHARS + 1)), Err(InvalidContent::TooLong));
        for text in ["👋", "שלום", "a\u{200b}b", "👩\u{200d}👩\u{200d}👧"] {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_banned_word_is_found_in_disguise_and_not_inside_others() {
        let rules = banning(&["Spam", "free money", "禁止"]);
        for text in ["spam", "SPAM!", "no sp\u{200b}am", "ｓｐａｍ", "free money now", "これは禁止です"]
        {
            assert_eq!(obey(&rules, text, false), Err(BrokenRule::BannedWord), "{text:?}");
        }
        for text in ["spammer", "antispam", "free moneybags", "ok"] {
            assert_eq!(obey(&rules, text, false), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn links_are_found_with_and_without_a_scheme() {
        let rules = ChannelRules { ban_urls: true, ..Default::default() };
        for text in [
            "https://example.com",
            "see www.example.com",
            "example.com/x",
            "[x](//evil.example)",
            "HTTPS://EXAMPLE.COM",
            "ht\u{200b}tps://example.com",
            "ｈｔｔｐｓ：／／example.com",
            r"http:\\evil",
            "http:/evil",
            "example。com",
            "localhost:3000",
            "javascript:alert(1)",
            "mailto:ann@example.com",
            "data:text/html,x",
            "[x](/path)",
            "[x][1]\n\n[1]: /path",
            "> 1. [x]: path",
            "[x]\n\n[x]:\n/path",
            r#"<a href="/x">x</a>"#,
            "<a title='>' href = x>",
            "<img src=x>",
            r#"<p style="background:url(x)">"#,
        ] {
            assert_eq!(obey(&rules, text, false), Err(BrokenRule::BannedUrl), "{text:?}");
        }
        for text in [
            "hello",
            "1.5 is a number",
            "e.g. this",
            "wait...what",
            "note: this",
            "at 12:30",
            "10:1",
            ":smile:",
            ":smile::heart:",
            "so :) and lol:)",
            "a<b and c>d",
            "std::vec",
            "a[0][1] is [x]",
            "[x] done: that",
            "它很好。真的。OK。",
            r"C:\",
            "<3 href",
        ] {
            assert_eq!(obey(&rules, text, false), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn media_is_an_attachment_or_an_image() {
        let rules = ChannelRules { ban_media: true, ..Default::default() };
        assert_eq!(obey(&rules, "x", true), Err(BrokenRule::BannedMedia));
        for text in [
            "![a](b)",
            "![a][1]",
            "<img src=x>",
            "<IMG\nalt=x>",
            "<input type=image src=x>",
            "data:image/png;base64,x",
            "<video poster=x>",
            "<p style='background:url(x)'>",
        ] {
            assert_eq!(obey(&rules, text, false), Err(BrokenRule::BannedMedia), "{text:?}");
        }
        for text in ["x", "[a](b)", "<a href=x>", "a<b", "data: image"] {
            assert_eq!(obey(&rules, text, false), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn mentions_are_found_outside_code_and_addresses() {
        let id = UserId::from_bits(7);
        let found = mentions(&format!("@Ann, (@ben) <@{id}> a@b.com `@cleo` @everyone @ann @- @"));
        assert_eq!(found.usernames, ["ann", "ben"]);
        assert_eq!(found.ids, [id]);
        assert!(found.everyone);
        assert_eq!(mentions("it`s @ann").usernames, ["ann"]);
        assert_eq!(mentions("```\n@ann ` @ben\n``` @cleo ``x` @dan`` @eve").usernames, ["cleo", "eve"]);
    }
}
