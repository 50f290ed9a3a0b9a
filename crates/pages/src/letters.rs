//! Letters: plain text, in the language of whoever reads them. The only address in a letter is the
//! server's own, so a forged request cannot put another into it; a code is typed, never followed.

use hallpass_core::{locale::Locale, mail::Letter};

use crate::words::Words;

/// A letter in words.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// One line.
    pub subject: String,
    /// The text, lines ended by `\n`.
    pub text: String,
}

/// Shows neither: a letter may hold a code.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Written(…)")
    }
}

/// Puts a letter into words: `site` is what the server is called, `public_url` where it is.
pub fn write(letter: &Letter, locale: Locale, public_url: &str, site: &str) -> Written {
    let words = Words::of(locale);
    let site = &one_line(site);
    let (kind, code, fills) = match letter {
        Letter::SignInCode { code } => ("sign_in", Some(code), vec![("site", site.clone())]),
        Letter::ResetCode { code } => ("reset", Some(code), Vec::new()),
        Letter::AddressCode { code } => ("address", Some(code), Vec::new()),
        Letter::PasswordChanged => ("password_changed", None, Vec::new()),
        Letter::PasskeyAdded { name } => ("passkey_added", None, vec![("name", one_line(name))]),
        Letter::PasskeyRemoved { name } => ("passkey_removed", None, vec![("name", one_line(name))]),
        Letter::AddressAdded { email } => ("address_added", None, vec![("email", one_line(email))]),
        Letter::AddressRemoved { email } => ("address_removed", None, vec![("email", one_line(email))]),
    };
    let fills: Vec<(&str, &str)> = fills.iter().map(|(hole, fill)| (*hole, fill.as_str())).collect();
    let subject = words.plain(&format!("letter.{kind}.subject"), &fills);
    let body = words.plain(&format!("letter.{kind}.text"), &fills);
    let text = match code {
        Some(code) => {
            format!(
                "{}\n\n{body}\n\n{}\n\n{site}\n{public_url}\n",
                one_line(code),
                words.plain("letter.ignore", &[])
            )
        }
        None => format!("{body}\n\n{}\n\n{site}\n{public_url}\n", words.plain("letter.not_you", &[])),
    };
    Written { subject, text }
}

/// Text that ends no line and begins no header, nor turns the direction of what follows.
fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect()
}
