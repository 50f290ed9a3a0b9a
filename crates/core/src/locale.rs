//! The languages that people are spoken to in.

use std::fmt;

macro_rules! locales {
    ($($(#[$doc:meta])* $name:ident = $tag:literal, $own:literal;)*) => {
        /// A language, by its BCP 47 tag.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Locale { $($(#[$doc])* #[doc = $own] $name),* }

        impl Locale {
            /// All eleven, the default first.
            pub const ALL: [Self; 11] = [$(Self::$name),*];

            /// Its tag, as `lang` has it.
            pub const fn tag(self) -> &'static str {
                match self { $(Self::$name => $tag),* }
            }

            /// Its name in itself.
            pub const fn own_name(self) -> &'static str {
                match self { $(Self::$name => $own),* }
            }
        }
    };
}

locales! {
    #[default]
    En = "en", "English";
    De = "de", "Deutsch";
    Es = "es", "Español";
    Fr = "fr", "Français";
    It = "it", "Italiano";
    Ja = "ja", "日本語";
    Nl = "nl", "Nederlands";
    Pl = "pl", "Polski";
    Pt = "pt", "Português";
    Tr = "tr", "Türkçe";
    Zh = "zh", "中文";
}

impl Locale {
    /// The language of a tag such as `de-CH`, by its first part; none for a language that is not spoken.
    pub fn parse(tag: &str) -> Option<Self> {
        let first = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(first))
    }

    /// The best of an `Accept-Language` (RFC 9110 §12.5.4); English if nothing there is spoken.
    pub fn negotiate(accepted: &str) -> Self {
        let mut best = (0, Self::En);
        for range in accepted.split(',').take(32) {
            let mut parts = range.split(';').map(str::trim);
            let Some(locale) = parts.next().and_then(Self::parse) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), millis);
            // Of equals the first.
            if let Some(weight) = weight.filter(|weight| *weight > best.0) {
                best = (weight, locale);
            }
        }
        best.1
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A weight of `0` to `1` with up to three decimals, in thousandths.
fn millis(weight: &str) -> Option<u32> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_spoken_language_is_chosen() {
        for (accepted, expected) in [
            ("", Locale::En),
            ("xx", Locale::En),
            ("de-CH, fr;q=0.9, en;q=0.8", Locale::De),
            ("sv, fr;q=0.5, pt-BR;q=0.7", Locale::Pt),
            ("ja;q=0", Locale::En),
            ("zh-Hant-TW", Locale::Zh),
            ("pl;q=0.001, tr;q=2, *;q=0.1", Locale::Pl),
            ("EN;q=0.1,NL;q=0.10", Locale::En),
            ("it;q=1.000;x=y", Locale::It),
            ("\u{0};q=,,;;q=é", Locale::En),
        ] {
            assert_eq!(Locale::negotiate(accepted), expected, "{accepted:?}");
        }
        for locale in Locale::ALL {
            assert_eq!(Locale::parse(locale.tag()), Some(locale));
        }
    }
}
