//! Proofs that what comes back from a browser was given to that browser: tokens of forms (OWASP's signed
//! double submit, bound to the session), and what is kept in cookies between two pages.

use hallpass_core::id::SessionId;

use crate::App;
use crate::people::BrowserId;

impl App {
    /// The token of a form: for one browser, one session or none, and one path to post to.
    pub fn form_token(&self, browser: BrowserId, session: Option<SessionId>, action: &str) -> String {
        hex(&self.forms.mac16(&form_parts(&browser, &session_text(session), action)))
    }

    /// Whether a token is that of the form. Compares in constant time.
    pub fn is_form_token(
        &self,
        token: &str,
        browser: BrowserId,
        session: Option<SessionId>,
        action: &str,
    ) -> bool {
        unhex(token).is_some_and(|mac| {
            self.forms.verify16(&form_parts(&browser, &session_text(session), action), &mac)
        })
    }

    /// The proof of a value that a browser keeps for us.
    pub fn kept_proof(&self, browser: BrowserId, value: &str) -> String {
        hex(&self.forms.mac16(&kept_parts(&browser, value)))
    }

    /// Whether a proof is that of the value, in this browser. Compares in constant time.
    pub fn is_kept_proof(&self, proof: &str, browser: BrowserId, value: &str) -> bool {
        unhex(proof).is_some_and(|mac| self.forms.verify16(&kept_parts(&browser, value), &mac))
    }
}

fn form_parts<'a>(browser: &'a BrowserId, session: &'a str, action: &'a str) -> [&'a [u8]; 4] {
    [b"form", &browser.0.0, session.as_bytes(), action.as_bytes()]
}

fn kept_parts<'a>(browser: &'a BrowserId, value: &'a str) -> [&'a [u8]; 3] {
    [b"kept", &browser.0.0, value.as_bytes()]
}

fn session_text(session: Option<SessionId>) -> String {
    session.map_or_else(String::new, |session| session.to_string())
}

fn hex(bytes: &[u8]) -> String {
    crate::hex(bytes)
}

/// Exactly 32 digits, in lower case: every token has one form.
fn unhex(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut out = [0; 16];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
    }
    Some(out)
}
