//! Every text in every language: none missing, none unused, the same holes, and nothing left in English.

use std::collections::{BTreeMap, BTreeSet};

use hallpass_core::Scope;
use hallpass_core::locale::Locale;

use super::views;
use crate::scopes::{ScopeGroup, opens_something, scope_words};
use crate::templates::FILES;
use crate::words::{Part, Words, parts};
use crate::{ErrorKind, Notice, Problem};

fn holes(text: &str) -> BTreeSet<&str> {
    parts(text)
        .into_iter()
        .filter_map(|part| if let Part::Hole(name) = part { Some(name) } else { None })
        .collect()
}

fn word(part: Part<'_>) -> Option<&str> {
    if let Part::Text(text) = part { Some(text) } else { None }
}

/// The keys that templates and code name.
fn named() -> BTreeSet<String> {
    let mut named: BTreeSet<String> =
        ["months", "day", "moment", "scope.nothing"].map(str::to_owned).into_iter().collect();
    for (_, source) in FILES {
        // In templates a key is what is quoted; what is quoted and no key does no harm here.
        named.extend(source.split('"').map(str::to_owned));
    }
    named.extend(Problem::ALL.iter().map(|problem| problem.key().to_owned()));
    named.extend(Notice::ALL.iter().map(|notice| format!("notice.{}", notice.name())));
    for kind in ErrorKind::ALL {
        named.extend([kind.title(), kind.text()].map(str::to_owned));
        named.extend(kind.todo().map(str::to_owned));
    }
    named.extend(ScopeGroup::ALL.map(|group| group.key().to_owned()));
    named.extend(Scope::all().filter(|scope| opens_something(*scope)).map(|scope| format!("scope.{scope}")));
    for kind in [
        "sign_in",
        "reset",
        "address",
        "password_changed",
        "passkey_added",
        "passkey_removed",
        "address_added",
        "address_removed",
    ] {
        named.extend(["subject", "text"].map(|part| format!("letter.{kind}.{part}")));
    }
    named.extend(["letter.ignore", "letter.not_you"].map(str::to_owned));
    named
}

#[test]
fn every_language_has_every_text_with_the_same_holes_and_no_other() {
    let english = Words::of(Locale::En).all();
    for locale in Locale::ALL {
        let words = Words::of(locale).all();
        let missing: Vec<_> = english.keys().filter(|key| !words.contains_key(*key)).collect();
        let more: Vec<_> = words.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{locale}: missing {missing:?}, more {more:?}");
        for (key, text) in words {
            assert_eq!(holes(text), holes(&english[key]), "{locale} {key}");
            assert!(!text.trim().is_empty() && text.trim() == text, "{locale} {key}");
            assert!(!text.contains(['<', '>', '&', '\n']), "{locale} {key}");
        }
        assert_eq!(words["months"].split(',').count(), 12, "{locale}");
    }
}

#[test]
fn every_text_is_used() {
    let named = named();
    let unused: Vec<_> = Words::of(Locale::En).all().keys().filter(|key| !named.contains(*key)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn nothing_is_left_in_english() {
    let english = Words::of(Locale::En).all();
    for locale in Locale::ALL.into_iter().skip(1) {
        let same: BTreeMap<_, _> =
            Words::of(locale).all().iter().filter(|(key, text)| english[*key] == **text).collect();
        // Short words that languages share; a sentence is nobody's accident.
        let said =
            |text: &str| parts(text).into_iter().filter_map(word).flat_map(str::split_whitespace).count();
        let long: Vec<_> = same.iter().filter(|(_, text)| said(text) > 3).collect();
        assert!(
            long.is_empty() && same.len() <= 14,
            "{locale}: {} of {}: {same:?}",
            same.len(),
            english.len()
        );
    }
}

#[test]
fn every_scope_has_words_in_every_language() {
    for locale in Locale::ALL {
        let mut seen = BTreeMap::new();
        for scope in Scope::all() {
            let words = scope_words(scope, locale);
            assert!(opens_something(scope) || words.contains(scope.name()), "{locale} {scope}: {words}");
            assert_eq!(seen.insert(words.clone(), scope), None, "{locale} {scope}: {words}");
        }
    }
}

#[test]
fn every_page_renders_in_every_state_and_language() {
    for locale in Locale::ALL {
        let all = views::plain(locale).into_iter().map(|(name, html)| (name.to_owned(), html));
        for (name, html) in all.chain(views::states(locale)) {
            assert!(html.contains(&format!("<html lang=\"{locale}\">")), "{locale} {name}");
            assert!(
                !html.contains("{{") && !html.contains("{%") && !html.contains(">none"),
                "{locale} {name}"
            );
        }
    }
}
