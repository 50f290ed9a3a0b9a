//! The catalogue: every text in every language, by key. A text may have `{holes}`, and each language has
//! the same ones.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hallpass_core::locale::Locale;

/// The texts of one language.
pub(crate) struct Words(BTreeMap<String, String>);

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// To be filled, by name.
    Hole(&'a str),
}

impl Words {
    /// Those of a language, read when they are first needed.
    pub(crate) fn of(locale: Locale) -> &'static Self {
        static READ: [OnceLock<Words>; Locale::ALL.len()] = [const { OnceLock::new() }; Locale::ALL.len()];
        let index = Locale::ALL.iter().position(|one| *one == locale).expect("ALL names every locale");
        READ[index].get_or_init(|| {
            Self(serde_json::from_str(source(locale)).expect("the catalogues are read in tests"))
        })
    }

    /// A text; none for a key that nobody wrote.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A text for people to read as it is, its holes filled. What fills them is kept apart from the text
    /// around it whatever direction it is written in (Unicode's isolates).
    pub(crate) fn plain(&self, key: &str, fills: &[(&str, &str)]) -> String {
        let text = self.find(key).unwrap_or_else(|| panic!("no text called {key}"));
        let mut out = String::with_capacity(text.len() + 32);
        for part in parts(text) {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(name) => {
                    let fill = fills.iter().find(|(hole, _)| *hole == name);
                    let fill = fill.unwrap_or_else(|| panic!("nothing fills {name} of {key}")).1;
                    isolate(&mut out, fill);
                }
            }
        }
        out
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Adds what somebody typed. Where it could be from right to left it is isolated; marks of its own that
/// would reach beyond it go.
fn isolate(out: &mut String, fill: &str) {
    let foreign = fill.chars().any(|c| c >= '\u{590}');
    if foreign {
        out.push('\u{2068}');
    }
    out.extend(fill.chars().filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')));
    if foreign {
        out.push('\u{2069}');
    }
}

/// Takes a text apart.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        parts.push(Part::Text(before));
        parts.push(Part::Hole(name));
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}

const fn source(locale: Locale) -> &'static str {
    match locale {
        Locale::En => include_str!("../locales/en.json"),
        Locale::De => include_str!("../locales/de.json"),
        Locale::Es => include_str!("../locales/es.json"),
        Locale::Fr => include_str!("../locales/fr.json"),
        Locale::It => include_str!("../locales/it.json"),
        Locale::Ja => include_str!("../locales/ja.json"),
        Locale::Nl => include_str!("../locales/nl.json"),
        Locale::Pl => include_str!("../locales/pl.json"),
        Locale::Pt => include_str!("../locales/pt.json"),
        Locale::Tr => include_str!("../locales/tr.json"),
        Locale::Zh => include_str!("../locales/zh.json"),
    }
}
